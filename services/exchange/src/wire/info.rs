//! `GET /api/v3/exchangeInfo`: the rules, as the venue enforces them.

use crate::core::listing::{Listing, QUOTE};
use crate::core::terms::{MAX_NOTIONAL, MIN_NOTIONAL, PERCENT_PRICE};
use crate::core::units::{ONE, show};
use crate::limits::Limits;
use serde_json::{Value, json};

/// The limits in the form of `rateLimits`.
pub fn rate_limits(limits: &Limits) -> Value {
    json!([
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limits.weight_a_minute},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": limits.orders_ten_seconds},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": limits.orders_a_day},
    ])
}

/// One symbol with its filters.
pub fn symbol(listing: &Listing, max_open_orders: usize) -> Value {
    let (tick, lot) = (show(listing.tick()), show(listing.lot()));
    let (up, down) = (PERCENT_PRICE.to_string(), show(ONE / PERCENT_PRICE));
    json!({
        "symbol": listing.symbol,
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": QUOTE,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": false,
        "ocoAllowed": false,
        "otoAllowed": false,
        "quoteOrderQtyMarketAllowed": true,
        "allowTrailingStop": false,
        "cancelReplaceAllowed": false,
        "amendAllowed": false,
        "isSpotTradingAllowed": true,
        "isMarginTradingAllowed": false,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": show(listing.max_price()), "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": show(listing.max_quantity()), "stepSize": lot},
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": lot, "maxQty": show(listing.max_market_quantity()), "stepSize": lot,
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": up, "bidMultiplierDown": down,
                "askMultiplierUp": up, "askMultiplierDown": down,
                "avgPriceMins": 5,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": show(MIN_NOTIONAL), "applyMinToMarket": true,
                "maxNotional": show(MAX_NOTIONAL), "applyMaxToMarket": true,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": max_open_orders},
        ],
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    })
}
