//! `GET /api/v3/exchangeInfo`: the rules, as the venue enforces them.

use crate::core::filters::{
    ICEBERG_PARTS, MAX_ALGO_ORDERS, MAX_AMENDS, MAX_ICEBERG_ORDERS, MAX_NOTIONAL, MAX_ORDER_LISTS, MIN_NOTIONAL,
    PERCENT_PRICE, TRAILING_DELTA,
};
use crate::core::listing::{Listing, QUOTE};
use crate::core::order::{OrderType, SelfTradePrevention};
use crate::core::units::{ONE, show};
use crate::limits::Limits;
use serde::Serialize;
use serde_json::{Value, json};

/// An entry of `rateLimits`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    rate_limit_type: &'static str,
    interval: &'static str,
    interval_num: u32,
    limit: u32,
    /// What is used of it, where that is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

impl RateLimit {
    /// With what is used of it.
    pub fn used(self, count: u32) -> Self {
        let count = Some(count);
        Self { count, ..self }
    }
}

/// The limits in the form of `rateLimits`: weight, orders in ten seconds, orders a day.
pub fn rate_limits(limits: &Limits) -> [RateLimit; 3] {
    let limit = |rate_limit_type, interval, interval_num, limit| RateLimit {
        rate_limit_type,
        interval,
        interval_num,
        limit,
        count: None,
    };
    [
        limit("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_a_minute),
        limit("ORDERS", "SECOND", 10, limits.orders_ten_seconds),
        limit("ORDERS", "DAY", 1, limits.orders_a_day),
    ]
}

/// One symbol with its filters.
pub fn symbol(listing: &Listing, max_open_orders: usize) -> Value {
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
        "orderTypes": OrderType::ALL.map(OrderType::as_str),
        "icebergAllowed": true,
        "ocoAllowed": true,
        "otoAllowed": true,
        "quoteOrderQtyMarketAllowed": true,
        "allowTrailingStop": true,
        "cancelReplaceAllowed": true,
        "amendAllowed": true,
        "isSpotTradingAllowed": true,
        "isMarginTradingAllowed": false,
        "filters": filters(listing, max_open_orders),
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": SelfTradePrevention::default().as_str(),
        "allowedSelfTradePreventionModes": SelfTradePrevention::ALL.map(SelfTradePrevention::as_str),
    })
}

fn filters(listing: &Listing, max_open_orders: usize) -> Value {
    let (tick, lot) = (show(listing.tick()), show(listing.lot()));
    let (up, down) = (PERCENT_PRICE.to_string(), show(ONE / PERCENT_PRICE));
    let (least, most) = (TRAILING_DELTA.start(), TRAILING_DELTA.end());
    let percent_price = if listing.older_filters {
        json!({"filterType": "PERCENT_PRICE", "multiplierUp": up, "multiplierDown": down, "avgPriceMins": 5})
    } else {
        json!({
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up, "bidMultiplierDown": down,
            "askMultiplierUp": up, "askMultiplierDown": down,
            "avgPriceMins": 5,
        })
    };
    let notional = if listing.older_filters {
        json!({
            "filterType": "MIN_NOTIONAL", "minNotional": show(MIN_NOTIONAL), "applyToMarket": true, "avgPriceMins": 5,
        })
    } else {
        json!({
            "filterType": "NOTIONAL",
            "minNotional": show(MIN_NOTIONAL), "applyMinToMarket": true,
            "maxNotional": show(MAX_NOTIONAL), "applyMaxToMarket": true,
            "avgPriceMins": 5,
        })
    };
    json!([
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": show(listing.max_price()), "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": show(listing.max_quantity()), "stepSize": lot},
        {"filterType": "ICEBERG_PARTS", "limit": ICEBERG_PARTS as i64},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": lot, "maxQty": show(listing.max_market_quantity()), "stepSize": lot,
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": least, "maxTrailingAboveDelta": most,
            "minTrailingBelowDelta": least, "maxTrailingBelowDelta": most,
        },
        percent_price,
        notional,
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": max_open_orders},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": MAX_ORDER_LISTS},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MAX_ALGO_ORDERS},
        {"filterType": "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": MAX_ICEBERG_ORDERS},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": MAX_AMENDS},
        {"filterType": "MAX_POSITION", "maxPosition": show(listing.max_position())},
    ])
}
