//! What an account sees: orders, fills, balances, and the events of its user data stream.

use super::millis;
use crate::core::effects::{Execution, UserEvent, UserEventKind};
use crate::core::ledger::Account;
use crate::core::listing::QUOTE;
use crate::core::order::{Fill, Order, Side, Status};
use crate::core::units::{Atoms, show};
use crate::core::venue::Placed;
use serde_json::{Value, json};

/// The status's name.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::New => "NEW",
        Status::PartiallyFilled => "PARTIALLY_FILLED",
        Status::Filled => "FILLED",
        Status::Canceled => "CANCELED",
        Status::Expired => "EXPIRED",
    }
}

/// The asset that a side receives, in which it pays its commission.
fn fee_asset(symbol: &str, received_by: Side) -> &str {
    match received_by {
        Side::Buy => symbol.strip_suffix(QUOTE).unwrap_or(symbol),
        Side::Sell => QUOTE,
    }
}

/// `GET /api/v3/order` and the entries of `openOrders` and `allOrders`.
pub fn order(order: &Order) -> Value {
    json!({
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": show(order.price),
        "origQty": show(order.quantity),
        "executedQty": show(order.executed),
        "cummulativeQuoteQty": show(order.executed_value),
        "status": status(order.status),
        "timeInForce": order.time_in_force.as_str(),
        "type": order.kind.as_str(),
        "side": order.side.as_str(),
        "stopPrice": show(0),
        "icebergQty": show(0),
        "time": millis(order.created),
        "updateTime": millis(order.updated),
        "isWorking": true,
        "workingTime": millis(order.created),
        "origQuoteOrderQty": show(order.quote_quantity),
        "selfTradePreventionMode": "NONE",
    })
}

/// How much of an accepted order is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseType {
    /// That it was accepted.
    Ack,
    /// And how it stands.
    Result,
    /// And its fills.
    Full,
}

/// `POST /api/v3/order`
pub fn placed(placed: &Placed, response: ResponseType) -> Value {
    let Placed { order, fills } = placed;
    let mut answer = json!({
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": millis(order.updated),
    });
    if response != ResponseType::Ack {
        answer["price"] = show(order.price).into();
        answer["origQty"] = show(order.quantity).into();
        answer["executedQty"] = show(order.executed).into();
        answer["origQuoteOrderQty"] = show(order.quote_quantity).into();
        answer["cummulativeQuoteQty"] = show(order.executed_value).into();
        answer["status"] = status(order.status).into();
        answer["timeInForce"] = order.time_in_force.as_str().into();
        answer["type"] = order.kind.as_str().into();
        answer["side"] = order.side.as_str().into();
        answer["workingTime"] = millis(order.created).into();
        answer["selfTradePreventionMode"] = "NONE".into();
    }
    if response == ResponseType::Full {
        let fill = |fill: &Fill| {
            json!({
                "price": show(fill.price),
                "qty": show(fill.quantity),
                "commission": show(fill.fee),
                "commissionAsset": fee_asset(&fill.symbol, fill.side),
                "tradeId": fill.trade,
            })
        };
        answer["fills"] = fills.iter().map(fill).collect();
    }
    answer
}

/// `DELETE /api/v3/order` and the entries of `DELETE /api/v3/openOrders`.
pub fn cancelled(order: &Order, client_id: Option<&str>) -> Value {
    let mut answer = json!({
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": client_id.map_or_else(|| format!("cancel-{}", order.id), str::to_owned),
        "transactTime": millis(order.updated),
    });
    answer["price"] = show(order.price).into();
    answer["origQty"] = show(order.quantity).into();
    answer["executedQty"] = show(order.executed).into();
    answer["origQuoteOrderQty"] = show(order.quote_quantity).into();
    answer["cummulativeQuoteQty"] = show(order.executed_value).into();
    answer["status"] = status(order.status).into();
    answer["timeInForce"] = order.time_in_force.as_str().into();
    answer["type"] = order.kind.as_str().into();
    answer["side"] = order.side.as_str().into();
    answer["selfTradePreventionMode"] = "NONE".into();
    answer
}

/// An entry of `GET /api/v3/myTrades`.
pub fn trade(fill: &Fill) -> Value {
    json!({
        "symbol": fill.symbol,
        "id": fill.trade,
        "orderId": fill.order,
        "orderListId": -1,
        "price": show(fill.price),
        "qty": show(fill.quantity),
        "quoteQty": show(fill.value),
        "commission": show(fill.fee),
        "commissionAsset": fee_asset(&fill.symbol, fill.side),
        "time": millis(fill.time),
        "isBuyer": fill.side == Side::Buy,
        "isMaker": fill.maker,
        "isBestMatch": true,
    })
}

/// `GET /api/v3/account`
pub fn account(account: &Account, uid: usize, fees_bps: (u32, u32), omit_zero: bool) -> Value {
    let shown = account
        .balances
        .iter()
        .filter(|(_, held)| !omit_zero || held.free + held.locked != 0);
    let balance = |(asset, held): (&String, &crate::core::ledger::Balance)| json!({"asset": asset, "free": show(held.free), "locked": show(held.locked)});
    let rate = |bps: u32| show(Atoms::from(bps) * 10_000);
    json!({
        "makerCommission": fees_bps.0,
        "takerCommission": fees_bps.1,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": rate(fees_bps.0), "taker": rate(fees_bps.1), "buyer": show(0), "seller": show(0),
        },
        "canTrade": true,
        "canWithdraw": false,
        "canDeposit": false,
        "brokered": false,
        "requireSelfTradePrevention": false,
        "preventSor": false,
        "updateTime": millis(account.updated),
        "accountType": "SPOT",
        "balances": shown.map(balance).collect::<Value>(),
        "permissions": ["SPOT"],
        "uid": uid,
    })
}

/// The `event` of a user data frame.
pub fn event(event: &UserEvent) -> Value {
    match &event.kind {
        UserEventKind::Position(balances) => {
            let balance = |(asset, held): &(String, crate::core::ledger::Balance)| json!({"a": asset, "f": show(held.free), "l": show(held.locked)});
            json!({
                "e": "outboundAccountPosition",
                "E": millis(event.time),
                "u": millis(event.time),
                "B": balances.iter().map(balance).collect::<Value>(),
            })
        }
        UserEventKind::Execution { order, execution } => report(order, execution, event.time),
    }
}

fn report(order: &Order, execution: &Execution, time: i64) -> Value {
    let (name, fill, id, original) = match execution {
        Execution::New => ("NEW", None, order.client_id.as_str(), ""),
        Execution::Trade(fill) => ("TRADE", Some(fill), order.client_id.as_str(), ""),
        Execution::Canceled { client_id } => ("CANCELED", None, client_id.as_str(), order.client_id.as_str()),
        Execution::Expired => ("EXPIRED", None, order.client_id.as_str(), ""),
    };
    let mut report = json!({
        "e": "executionReport", "E": millis(time), "s": order.symbol, "c": id, "S": order.side.as_str(),
        "o": order.kind.as_str(), "f": order.time_in_force.as_str(), "q": show(order.quantity), "p": show(order.price),
        "P": show(0), "F": show(0), "g": -1, "C": original, "x": name, "X": status(order.status), "r": "NONE",
        "i": order.id, "z": show(order.executed), "Z": show(order.executed_value), "T": millis(time), "I": 0,
        "w": order.status.is_open(), "M": false, "O": millis(order.created), "Q": show(order.quote_quantity),
        "W": millis(order.created), "V": "NONE",
    });
    report["l"] = show(fill.map_or(0, |fill| fill.quantity)).into();
    report["L"] = show(fill.map_or(0, |fill| fill.price)).into();
    report["Y"] = show(fill.map_or(0, |fill| fill.value)).into();
    report["n"] = fill.map_or_else(|| "0".to_owned(), |fill| show(fill.fee)).into();
    report["N"] = fill.map(|fill| fee_asset(&fill.symbol, fill.side)).into();
    report["t"] = fill.map_or(-1, |fill| fill.trade as i64).into();
    report["m"] = fill.is_some_and(|fill| fill.maker).into();
    report
}
