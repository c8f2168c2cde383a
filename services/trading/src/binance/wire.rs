//! Binance's JSON as far as it is read here, and what it means.

use crate::core::{ListedTerms, Trade, VenueState, VenueStatus};
use crate::venue::{Holding, OpenOrder, VenueError, VenueOrder};
use domain::{Asset, Liquidity, Money, Price, Quantity, Side, Symbol, Timestamp, TradeId};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// An order: the answer to placing, cancelling and asking, and an entry of `openOrders`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderBody {
    order_id: i64,
    client_order_id: String,
    orig_client_order_id: Option<String>,
    status: String,
    executed_qty: Quantity,
    transact_time: Option<i64>,
    #[serde(default)]
    fills: Vec<FillBody>,
    #[serde(default)]
    symbol: String,
    #[serde(default)]
    side: String,
    /// Zero for an order without one.
    price: Option<Money>,
    orig_qty: Option<Quantity>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FillBody {
    price: Price,
    qty: Quantity,
    commission: Money,
    commission_asset: Asset,
    trade_id: u64,
}

/// An entry of `myTrades`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TradeBody {
    id: u64,
    price: Price,
    qty: Quantity,
    commission: Money,
    commission_asset: Asset,
    time: i64,
    is_maker: bool,
}

/// `GET /api/v3/account`.
#[derive(Debug, Deserialize)]
pub(super) struct AccountBody {
    pub(super) balances: Vec<BalanceBody>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BalanceBody {
    asset: Asset,
    free: Money,
    locked: Money,
}

/// `GET /api/v3/time`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimeBody {
    pub(super) server_time: i64,
}

/// `GET /api/v3/exchangeInfo`, its limits and which symbols have icebergs, of how many parts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InfoBody {
    pub(super) rate_limits: Vec<RateLimit>,
    #[serde(default)]
    symbols: Vec<SymbolBody>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SymbolBody {
    symbol: String,
    #[serde(default)]
    iceberg_allowed: bool,
    #[serde(default)]
    filters: Vec<FilterBody>,
}

/// A rule of a symbol: all but one have other numbers than a limit.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterBody {
    filter_type: String,
    limit: Option<u64>,
}

impl SymbolBody {
    /// How many parts an order may have: without a rule any number.
    fn most_parts(&self) -> u64 {
        let rule = self.filters.iter().find(|filter| filter.filter_type == "ICEBERG_PARTS");
        rule.and_then(|filter| filter.limit).unwrap_or(u64::MAX)
    }
}

impl InfoBody {
    /// The symbols of which the venue shows a part of an order when asked to, and how many parts at most; one with a name that
    /// is none here is left out, as it is among the instruments.
    pub(super) fn icebergs(self) -> BTreeMap<Symbol, u64> {
        let allowed = self.symbols.into_iter().filter(|symbol| symbol.iceberg_allowed);
        allowed
            .filter_map(|symbol| Some((Symbol::parse(&symbol.symbol).ok()?, symbol.most_parts())))
            .collect()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RateLimit {
    pub(super) rate_limit_type: String,
    pub(super) interval: String,
    pub(super) interval_num: u32,
    pub(super) limit: u64,
    /// What is used of it, beside an answer of the WebSocket API.
    pub(super) count: Option<u64>,
}

impl RateLimit {
    /// Whether it is the one of request weight.
    pub(super) fn is_weight(&self) -> bool {
        self.rate_limit_type == "REQUEST_WEIGHT" && self.interval == "MINUTE" && self.interval_num == 1
    }
}

/// A refusal.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) code: i64,
    #[serde(default)]
    pub(super) msg: String,
    pub(super) data: Option<ErrorData>,
}

/// What a refusal of the WebSocket API says beside.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorData {
    /// When to come back, in milliseconds of the venue's clock.
    pub(super) retry_after: Option<i64>,
}

/// A frame of the WebSocket API: an answer, or an event of a subscription.
#[derive(Debug, Deserialize)]
pub(super) struct Frame<'a> {
    pub(super) id: Option<usize>,
    pub(super) status: Option<u64>,
    pub(super) result: Option<Subscribed>,
    pub(super) error: Option<ErrorBody>,
    #[serde(rename = "subscriptionId")]
    pub(super) subscription_id: Option<u64>,
    #[serde(borrow)]
    pub(super) event: Option<&'a RawValue>,
}

/// As much of a frame of the WebSocket API as says whose it is.
#[derive(Debug, Deserialize)]
pub(super) struct Head<'a> {
    pub(super) id: Option<u64>,
    #[serde(borrow)]
    pub(super) event: Option<&'a RawValue>,
}

/// An answer of the WebSocket API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reply<'a> {
    pub(super) status: u16,
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) rate_limits: Vec<RateLimit>,
}

impl Reply<'_> {
    /// The weight used in this minute, as the venue counts it.
    pub(super) fn used_weight(&self) -> Option<u64> {
        self.rate_limits.iter().find(|limit| limit.is_weight())?.count
    }

    /// When to come back, in milliseconds of the venue's clock.
    pub(super) fn retry_after(&self) -> Option<i64> {
        let error: ErrorBody = serde_json::from_str(self.error?.get()).ok()?;
        error.data?.retry_after
    }
}

/// The result of a subscription.
#[derive(Debug, Deserialize)]
pub(super) struct Subscribed {
    #[serde(rename = "subscriptionId")]
    pub(super) subscription_id: Option<u64>,
}

/// What kind of event it is.
#[derive(Debug, Deserialize)]
pub(super) struct EventName<'a> {
    #[serde(rename = "e")]
    pub(super) name: Option<&'a str>,
}

/// An `executionReport` of the user data stream.
#[derive(Debug, Deserialize)]
pub(super) struct ExecutionReport {
    /// The client's id of the order, or of the request that cancelled it.
    c: String,
    /// The client's id of the order that was cancelled.
    #[serde(rename = "C")]
    original: String,
    #[serde(rename = "X")]
    status: String,
    #[serde(rename = "r")]
    reject_reason: String,
    #[serde(rename = "i")]
    order_id: i64,
    #[serde(rename = "l")]
    last_quantity: Quantity,
    #[serde(rename = "z")]
    executed: Quantity,
    #[serde(rename = "L")]
    last_price: Money,
    #[serde(rename = "n")]
    commission: Money,
    #[serde(rename = "N")]
    commission_asset: Option<Asset>,
    #[serde(rename = "T")]
    time: i64,
    #[serde(rename = "t")]
    trade_id: i64,
    #[serde(rename = "m")]
    is_maker: bool,
}

fn status_of(status: &str) -> Option<VenueStatus> {
    match status {
        "NEW" | "PENDING_NEW" | "PARTIALLY_FILLED" | "PENDING_CANCEL" => Some(VenueStatus::Live),
        "FILLED" => Some(VenueStatus::Filled),
        "CANCELED" => Some(VenueStatus::Cancelled),
        "REJECTED" => Some(VenueStatus::Rejected),
        "EXPIRED" | "EXPIRED_IN_MATCH" => Some(VenueStatus::Expired),
        _ => None,
    }
}

fn unknown_status(status: &str) -> VenueError {
    VenueError::Unknown(format!("the venue answered with the status '{status:.32}'"))
}

impl OrderBody {
    /// What it says.
    pub(super) fn state(self) -> Result<VenueState, VenueError> {
        let time = Timestamp::from_millis(self.transact_time.unwrap_or_default());
        let trade = |fill: FillBody| Trade {
            trade_id: TradeId::new(fill.trade_id),
            price: fill.price,
            quantity: fill.qty,
            fee: fill.commission,
            fee_asset: fill.commission_asset,
            // Only what trades on arrival is in the answer to a new order.
            liquidity: Liquidity::Taker,
            time,
        };
        Ok(VenueState {
            status: status_of(&self.status).ok_or_else(|| unknown_status(&self.status))?,
            executed: self.executed_qty,
            trades: self.fills.into_iter().map(trade).collect(),
            venue_order: self.order_id.to_string(),
            reason: String::new(),
        })
    }

    /// What it says, under the id that the order was placed with.
    pub(super) fn order(self) -> Result<VenueOrder, VenueError> {
        let venue_id = self
            .orig_client_order_id
            .clone()
            .unwrap_or_else(|| self.client_order_id.clone());
        Ok(VenueOrder {
            venue_id,
            state: self.state()?,
        })
    }

    /// What it says as an entry of `openOrders`.
    pub(super) fn listed(self) -> Result<OpenOrder, VenueError> {
        let unreadable = |what: &str| VenueError::Unknown(format!("an open order without a readable {what}"));
        let terms = ListedTerms {
            symbol: Symbol::parse(&self.symbol).map_err(|_| unreadable("symbol"))?,
            side: match self.side.as_str() {
                "BUY" => Side::Buy,
                "SELL" => Side::Sell,
                _ => return Err(unreadable("side")),
            },
            price: self.price.and_then(|price| Price::new(price.decimal()).ok()),
            quantity: self.orig_qty.ok_or_else(|| unreadable("quantity"))?,
        };
        Ok(OpenOrder {
            order: self.order()?,
            terms,
        })
    }
}

impl TradeBody {
    pub(super) fn trade(self) -> Trade {
        Trade {
            trade_id: TradeId::new(self.id),
            price: self.price,
            quantity: self.qty,
            fee: self.commission,
            fee_asset: self.commission_asset,
            liquidity: liquidity(self.is_maker),
            time: Timestamp::from_millis(self.time),
        }
    }
}

impl BalanceBody {
    pub(super) fn holding(&self) -> Result<Holding, VenueError> {
        let total = self.free.checked_add(self.locked);
        Ok(Holding {
            asset: self.asset.clone(),
            total: total.map_err(|error| VenueError::Unknown(error.to_string()))?,
            locked: self.locked,
        })
    }
}

impl ExecutionReport {
    pub(super) fn order(self) -> Result<VenueOrder, VenueError> {
        let status = status_of(&self.status).ok_or_else(|| unknown_status(&self.status))?;
        let price = Price::new(self.last_price.decimal()).ok();
        let trades = match (self.commission_asset, price, u64::try_from(self.trade_id)) {
            (Some(fee_asset), Some(price), Ok(trade_id)) if !self.last_quantity.is_zero() => vec![Trade {
                trade_id: TradeId::new(trade_id),
                price,
                quantity: self.last_quantity,
                fee: self.commission,
                fee_asset,
                liquidity: liquidity(self.is_maker),
                time: Timestamp::from_millis(self.time),
            }],
            _ => Vec::new(),
        };
        let reason = if self.reject_reason == "NONE" {
            String::new()
        } else {
            self.reject_reason
        };
        let venue_id = if self.original.is_empty() {
            self.c
        } else {
            self.original
        };
        let state = VenueState {
            status,
            executed: self.executed,
            trades,
            venue_order: self.order_id.to_string(),
            reason,
        };
        Ok(VenueOrder { venue_id, state })
    }
}

fn liquidity(is_maker: bool) -> Liquidity {
    if is_maker { Liquidity::Maker } else { Liquidity::Taker }
}

#[cfg(test)]
mod tests {
    use super::{ExecutionReport, OrderBody};
    use crate::core::VenueStatus;

    #[test]
    fn every_status_is_read_and_no_other() {
        for (word, status) in [
            ("NEW", Some(VenueStatus::Live)),
            ("PARTIALLY_FILLED", Some(VenueStatus::Live)),
            ("FILLED", Some(VenueStatus::Filled)),
            ("CANCELED", Some(VenueStatus::Cancelled)),
            ("REJECTED", Some(VenueStatus::Rejected)),
            ("EXPIRED", Some(VenueStatus::Expired)),
            ("EXPIRED_IN_MATCH", Some(VenueStatus::Expired)),
            ("MELTED", None),
        ] {
            let text = format!(r#"{{"orderId":5,"clientOrderId":"a","status":"{word}","executedQty":"0.00000000"}}"#);
            let body: OrderBody = serde_json::from_str(&text).unwrap();
            assert_eq!(body.state().ok().map(|state| state.status), status, "{word}");
        }
    }

    #[test]
    fn a_cancel_is_reported_under_the_orders_own_id() {
        let text = r#"{"c":"request","C":"order","X":"CANCELED","r":"NONE","i":9,"l":"0","z":"1.50","L":"0",
            "n":"0","N":null,"T":1,"t":-1,"m":false}"#;
        let order = serde_json::from_str::<ExecutionReport>(text).unwrap().order().unwrap();
        assert_eq!(
            (order.venue_id.as_str(), order.state.executed.to_string().as_str()),
            ("order", "1.5")
        );
        assert!(order.state.trades.is_empty() && order.state.reason.is_empty());
        let odd = text.replace("CANCELED", "MELTED");
        assert!(serde_json::from_str::<ExecutionReport>(&odd).unwrap().order().is_err());
    }
}
