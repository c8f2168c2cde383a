//! What an account sees: orders, fills, balances, and the events of its user data stream.

use super::millis;
use crate::core::effects::{Execution, UserEvent, UserEventKind};
use crate::core::fees::{DISCOUNT, FEE_ASSET};
use crate::core::ledger::{Account, Balance};
use crate::core::listing::QUOTE;
use crate::core::order::{Amendment, Fill, Order, PreventedMatch, SelfTradePrevention, Side, Status};
use crate::core::units::{Atoms, ONE, show};
use crate::core::venue::Placed;
use serde_json::{Map, Value, json};

/// The status's name.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::New => "NEW",
        Status::PendingNew => "PENDING_NEW",
        Status::PartiallyFilled => "PARTIALLY_FILLED",
        Status::Filled => "FILLED",
        Status::Canceled => "CANCELED",
        Status::Rejected => "REJECTED",
        Status::Expired => "EXPIRED",
        Status::ExpiredInMatch => "EXPIRED_IN_MATCH",
    }
}

/// The id of a list, or what stands for none.
fn list_id(list: Option<u64>) -> i64 {
    list.map_or(-1, u64::cast_signed)
}

/// The asset of a fill's commission.
fn fee_asset(fill: &Fill) -> &str {
    match (&fill.fee_asset, fill.side) {
        (Some(asset), _) => asset,
        (None, Side::Buy) => fill.symbol.strip_suffix(QUOTE).unwrap_or(&fill.symbol),
        (None, Side::Sell) => QUOTE,
    }
}

fn working_time(order: &Order) -> i64 {
    order.working_time().map_or(-1, millis)
}

/// What an answer holds only of orders that have it.
fn special(order: &Order, answer: &mut Map<String, Value>) {
    if order.trailing_delta > 0 {
        answer.insert("trailingDelta".into(), order.trailing_delta.into());
        let since = if order.trailing_since == 0 {
            -1
        } else {
            millis(order.trailing_since)
        };
        answer.insert("trailingTime".into(), since.into());
    }
    if order.prevented > 0 {
        answer.insert("preventedQuantity".into(), show(order.prevented).into());
    }
}

/// The stop price and the visible quantity, of orders that have them.
fn conditional(order: &Order, answer: &mut Map<String, Value>) {
    if order.stop_price > 0 {
        answer.insert("stopPrice".into(), show(order.stop_price).into());
    }
    if order.iceberg > 0 {
        answer.insert("icebergQty".into(), show(order.iceberg).into());
    }
    special(order, answer);
}

/// `fields` of a JSON object.
fn object(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// `GET /api/v3/order` and the entries of `openOrders` and `allOrders`.
pub fn order(order: &Order) -> Value {
    let mut answer = object(json!({
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": list_id(order.list),
        "clientOrderId": order.client_id,
        "price": show(order.price),
        "origQty": show(order.quantity),
        "executedQty": show(order.executed),
        "cummulativeQuoteQty": show(order.executed_value),
        "status": status(order.status),
        "timeInForce": order.time_in_force.as_str(),
        "type": order.kind.as_str(),
        "side": order.side.as_str(),
        "stopPrice": show(order.stop_price),
        "icebergQty": show(order.iceberg),
        "time": millis(order.created),
        "updateTime": millis(order.updated),
        "isWorking": order.is_working(),
        "workingTime": working_time(order),
        "origQuoteOrderQty": show(order.quote_quantity),
        "selfTradePreventionMode": order.prevention.as_str(),
    }));
    special(order, &mut answer);
    Value::Object(answer)
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

/// What an accepted, cancelled or listed order shows of itself beside its names.
fn state(order: &Order, answer: &mut Map<String, Value>) {
    answer.append(&mut object(json!({
        "price": show(order.price),
        "origQty": show(order.quantity),
        "executedQty": show(order.executed),
        "origQuoteOrderQty": show(order.quote_quantity),
        "cummulativeQuoteQty": show(order.executed_value),
        "status": status(order.status),
        "timeInForce": order.time_in_force.as_str(),
        "type": order.kind.as_str(),
        "side": order.side.as_str(),
        "selfTradePreventionMode": order.prevention.as_str(),
    })));
    conditional(order, answer);
}

/// An order as the answer to its placement shows it, without fills.
pub fn accepted(order: &Order, response: ResponseType) -> Map<String, Value> {
    let mut answer = object(json!({
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": list_id(order.list),
        "clientOrderId": order.client_id,
        "transactTime": millis(order.updated),
    }));
    if response != ResponseType::Ack {
        state(order, &mut answer);
        answer.insert("workingTime".into(), working_time(order).into());
    }
    answer
}

/// `POST /api/v3/order`
pub fn placed(placed: &Placed, response: ResponseType) -> Value {
    let mut answer = accepted(&placed.order, response);
    if response == ResponseType::Full {
        let fill = |fill: &Fill| {
            json!({
                "price": show(fill.price),
                "qty": show(fill.quantity),
                "commission": show(fill.fee),
                "commissionAsset": fee_asset(fill),
                "tradeId": fill.trade,
            })
        };
        answer.insert("fills".into(), placed.fills.iter().map(fill).collect());
        if !placed.prevented.is_empty() {
            let prevented = placed.prevented.iter().map(|each| {
                let mut shown = object(json!({
                    "preventedMatchId": each.id, "makerOrderId": each.maker, "price": show(each.price),
                }));
                prevented_quantities(each, &mut shown);
                Value::Object(shown)
            });
            answer.insert("preventedMatches".into(), prevented.collect());
        }
    }
    Value::Object(answer)
}

/// `DELETE /api/v3/order` and the entries of `DELETE /api/v3/openOrders`.
pub fn cancelled(order: &Order, client_id: Option<&str>) -> Value {
    let mut answer = object(json!({
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.id,
        "orderListId": list_id(order.list),
        "clientOrderId": client_id.map_or_else(|| format!("cancel-{}", order.id), str::to_owned),
        "transactTime": millis(order.updated),
    }));
    state(order, &mut answer);
    Value::Object(answer)
}

/// `PUT /api/v3/order/amend/keepPriority`
pub fn amended(order: &Order, amendment: &Amendment) -> Value {
    json!({
        "transactTime": millis(amendment.time),
        "executionId": amendment.id,
        "amendedOrder": {
            "symbol": order.symbol,
            "orderId": order.id,
            "orderListId": list_id(order.list),
            "origClientOrderId": amendment.old_client_id,
            "clientOrderId": amendment.client_id,
            "price": show(order.price),
            "qty": show(order.quantity),
            "executedQty": show(order.executed),
            "preventedQty": show(order.prevented),
            "quoteOrderQty": show(order.quote_quantity),
            "cumulativeQuoteQty": show(order.executed_value),
            "status": status(order.status),
            "timeInForce": order.time_in_force.as_str(),
            "type": order.kind.as_str(),
            "side": order.side.as_str(),
            "workingTime": working_time(order),
            "selfTradePreventionMode": order.prevention.as_str(),
        },
    })
}

/// An entry of `GET /api/v3/order/amendments`.
pub fn amendment(symbol: &str, amendment: &Amendment) -> Value {
    json!({
        "symbol": symbol,
        "orderId": amendment.order,
        "executionId": amendment.id,
        "origClientOrderId": amendment.old_client_id,
        "newClientOrderId": amendment.client_id,
        "origQty": show(amendment.old_quantity),
        "newQty": show(amendment.quantity),
        "time": millis(amendment.time),
    })
}

fn prevented_quantities(prevented: &PreventedMatch, answer: &mut Map<String, Value>) {
    for (name, quantity) in [
        ("takerPreventedQuantity", prevented.taker_quantity),
        ("makerPreventedQuantity", prevented.maker_quantity),
    ] {
        if quantity > 0 {
            answer.insert(name.into(), show(quantity).into());
        }
    }
}

/// An entry of `GET /api/v3/myPreventedMatches`.
pub fn prevented_match(prevented: &PreventedMatch) -> Value {
    let mut answer = object(json!({
        "symbol": prevented.symbol,
        "preventedMatchId": prevented.id,
        "takerOrderId": prevented.taker,
        "makerSymbol": prevented.symbol,
        "makerOrderId": prevented.maker,
        "tradeGroupId": -1,
        "selfTradePreventionMode": prevented.mode.as_str(),
        "price": show(prevented.price),
        "transactTime": millis(prevented.time),
    }));
    prevented_quantities(prevented, &mut answer);
    Value::Object(answer)
}

/// An entry of `GET /api/v3/myTrades`.
pub fn trade(fill: &Fill) -> Value {
    json!({
        "symbol": fill.symbol,
        "id": fill.trade,
        "orderId": fill.order,
        "orderListId": list_id(fill.list),
        "price": show(fill.price),
        "qty": show(fill.quantity),
        "quoteQty": show(fill.value),
        "commission": show(fill.fee),
        "commissionAsset": fee_asset(fill),
        "time": millis(fill.time),
        "isBuyer": fill.side == Side::Buy,
        "isMaker": fill.maker,
        "isBestMatch": true,
    })
}

/// A rate of hundredths of a per cent as a decimal.
fn rate(bps: u32) -> String {
    show(Atoms::from(bps) * ONE / 10_000)
}

/// `GET /api/v3/account`
pub fn account(account: &Account, fees_bps: (u32, u32), omit_zero: bool) -> Value {
    let shown = account
        .balances
        .iter()
        .filter(|(_, held)| !omit_zero || held.free + held.locked != 0);
    let balance = |(asset, held): (&String, &Balance)| json!({"asset": asset, "free": show(held.free), "locked": show(held.locked)});
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
        "uid": account.number,
    })
}

/// What a commission in the fee asset is worth to an account.
fn discount(account: &Account, is_listed: bool) -> Value {
    json!({
        "enabledForAccount": account.pays_in_fee_asset,
        "enabledForSymbol": is_listed,
        "discountAsset": FEE_ASSET,
        "discount": show(DISCOUNT * ONE / 100),
    })
}

/// `GET /api/v3/account/commission`; `is_listed` says whether the fee asset is.
pub fn commission(symbol: &str, account: &Account, fees_bps: (u32, u32), is_listed: bool) -> Value {
    let rates = |maker: u32, taker: u32| {
        let none = show(0);
        json!({"maker": rate(maker), "taker": rate(taker), "buyer": none, "seller": none})
    };
    json!({
        "symbol": symbol,
        "standardCommission": rates(fees_bps.0, fees_bps.1),
        "specialCommission": rates(0, 0),
        "taxCommission": rates(0, 0),
        "discount": discount(account, is_listed),
    })
}

/// The answer of `POST /api/v3/order/test` that was asked for commissions.
pub fn commission_for_order(account: &Account, fees_bps: (u32, u32), is_listed: bool) -> Value {
    let rates = |maker: u32, taker: u32| json!({"maker": rate(maker), "taker": rate(taker)});
    json!({
        "standardCommissionForOrder": rates(fees_bps.0, fees_bps.1),
        "specialCommissionForOrder": rates(0, 0),
        "taxCommissionForOrder": rates(0, 0),
        "discount": discount(account, is_listed),
    })
}

/// The `event` of a user data frame.
pub fn event(event: &UserEvent) -> Value {
    match &event.kind {
        UserEventKind::Position(balances) => {
            let balance =
                |(asset, held): &(String, Balance)| json!({"a": asset, "f": show(held.free), "l": show(held.locked)});
            json!({
                "e": "outboundAccountPosition",
                "E": millis(event.time),
                "u": millis(event.time),
                "B": balances.iter().map(balance).collect::<Value>(),
            })
        }
        UserEventKind::List(list) => super::lists::event(list, event.time),
        UserEventKind::Execution { order, execution } => report(order, execution, event.time),
    }
}

fn report(order: &Order, execution: &Execution, time: i64) -> Value {
    let own = order.client_id.as_str();
    let (name, reason, id, original) = match execution {
        Execution::New => ("NEW", "NONE", own, ""),
        Execution::Trade(_) => ("TRADE", "NONE", own, ""),
        Execution::Canceled { client_id } => ("CANCELED", "NONE", client_id.as_str(), own),
        Execution::Replaced(amendment) => ("REPLACED", "NONE", own, amendment.old_client_id.as_str()),
        Execution::Rejected => ("REJECTED", "-2010", own, ""),
        Execution::Expired => ("EXPIRED", "NONE", own, ""),
        Execution::Prevented(_) => ("TRADE_PREVENTION", "NONE", own, ""),
    };
    let fill = match execution {
        Execution::Trade(fill) => Some(fill),
        _ => None,
    };
    let mut report = object(json!({
        "e": "executionReport", "E": millis(time), "s": order.symbol, "c": id, "S": order.side.as_str(),
        "o": order.kind.as_str(), "f": order.time_in_force.as_str(), "q": show(order.quantity), "p": show(order.price),
        "P": show(order.stop_price), "F": show(order.iceberg), "g": list_id(order.list), "C": original, "x": name,
        "X": status(order.status), "r": reason, "i": order.id, "z": show(order.executed), "Z": show(order.executed_value),
        "T": millis(time), "I": 0, "w": order.status.is_open() && order.is_working(), "M": false,
        "O": millis(order.created), "Q": show(order.quote_quantity), "V": order.prevention.as_str(),
        "l": show(fill.map_or(0, |fill| fill.quantity)),
        "L": show(fill.map_or(0, |fill| fill.price)),
        "Y": show(fill.map_or(0, |fill| fill.value)),
        "n": fill.map_or_else(|| "0".to_owned(), |fill| show(fill.fee)),
        "N": fill.map(fee_asset),
        "t": fill.map_or(-1, |fill| fill.trade.cast_signed()),
        "m": fill.is_some_and(|fill| fill.maker),
    }));
    if let Some(since) = order.working_time() {
        report.insert("W".into(), millis(since).into());
    }
    if order.trailing_delta > 0 {
        report.insert("d".into(), order.trailing_delta.into());
    }
    if order.trailing_since > 0 {
        report.insert("D".into(), millis(order.trailing_since).into());
    }
    if let Execution::Prevented(prevented) = execution {
        report.append(&mut prevention(order, prevented));
    }
    if order.prevented > 0 {
        report.insert("A".into(), show(order.prevented).into());
    }
    Value::Object(report)
}

/// What a report says of a trade that did not happen.
fn prevention(order: &Order, prevented: &PreventedMatch) -> Map<String, Value> {
    let is_taker = order.id == prevented.taker;
    let (last, counter) = if is_taker {
        (prevented.taker_quantity, prevented.maker)
    } else {
        (prevented.maker_quantity, prevented.taker)
    };
    let matched = match prevented.mode {
        SelfTradePrevention::ExpireTaker => prevented.taker_quantity,
        SelfTradePrevention::ExpireMaker => prevented.maker_quantity,
        _ => prevented.taker_quantity.min(prevented.maker_quantity),
    };
    object(json!({
        "v": prevented.id, "B": show(last), "u": -1, "U": counter, "Cs": prevented.symbol,
        "pl": show(matched), "pL": show(prevented.price), "pY": show(matched * prevented.price / ONE),
    }))
}
