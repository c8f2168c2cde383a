//! The events of a user data stream.

use super::fill::fee_asset;
use super::{above_zero, list_id, lists, millis, order, text};
use crate::core::effects::{Execution, UserEvent, UserEventKind};
use crate::core::ledger::Balance;
use crate::core::order::{Fill, Order, PreventedMatch, SelfTradePrevention};
use crate::core::order_list::OrderList;
use crate::core::units::{Decimal, ONE};
use serde::{Serialize, Serializer};

/// The `event` of a user data frame, as text.
pub fn event(event: &UserEvent) -> String {
    match &event.kind {
        UserEventKind::Position(balances) => text(&position(balances, event.time)),
        UserEventKind::List(list) => text(&list_status(list, event.time)),
        UserEventKind::Execution { order, execution } => text(&report(order, execution, event.time)),
    }
}

#[derive(Serialize)]
struct Held<'a> {
    #[serde(rename = "a")]
    asset: &'a str,
    #[serde(rename = "f")]
    free: Decimal,
    #[serde(rename = "l")]
    locked: Decimal,
}

/// `outboundAccountPosition`
#[derive(Serialize)]
struct Position<'a> {
    #[serde(rename = "e")]
    event: &'static str,
    #[serde(rename = "E")]
    sent: i64,
    #[serde(rename = "u")]
    updated: i64,
    #[serde(rename = "B")]
    balances: Vec<Held<'a>>,
}

fn position(balances: &[(String, Balance)], time: i64) -> Position<'_> {
    let balances = balances.iter().map(|(asset, held)| Held {
        asset,
        free: Decimal(held.free),
        locked: Decimal(held.locked),
    });
    Position {
        event: "outboundAccountPosition",
        sent: millis(time),
        updated: millis(time),
        balances: balances.collect(),
    }
}

#[derive(Serialize)]
struct Leg<'a> {
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "i")]
    id: u64,
    #[serde(rename = "c")]
    client_id: &'a str,
}

/// `listStatus`
#[derive(Serialize)]
struct ListStatus<'a> {
    #[serde(rename = "e")]
    event: &'static str,
    #[serde(rename = "E")]
    sent: i64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "g")]
    id: u64,
    #[serde(rename = "c")]
    contingency: &'static str,
    #[serde(rename = "l")]
    kind: &'static str,
    #[serde(rename = "L")]
    status: &'static str,
    #[serde(rename = "r")]
    reject_reason: &'static str,
    #[serde(rename = "C")]
    client_id: &'a str,
    #[serde(rename = "T")]
    time: i64,
    #[serde(rename = "O")]
    orders: Vec<Leg<'a>>,
}

fn list_status(list: &OrderList, time: i64) -> ListStatus<'_> {
    let (kind, status) = lists::status(list);
    let legs = list.orders.iter().map(|(id, client_id)| Leg {
        symbol: &list.symbol,
        id: *id,
        client_id,
    });
    ListStatus {
        event: "listStatus",
        sent: millis(time),
        symbol: &list.symbol,
        id: list.id,
        contingency: list.contingency.as_str(),
        kind,
        status,
        reject_reason: "NONE",
        client_id: &list.client_id,
        time: millis(time),
        orders: legs.collect(),
    }
}

/// `executionReport`
#[derive(Serialize)]
struct Report<'a> {
    #[serde(rename = "e")]
    event: &'static str,
    #[serde(rename = "E")]
    sent: i64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "c")]
    client_id: &'a str,
    #[serde(rename = "S")]
    side: &'static str,
    #[serde(rename = "o")]
    kind: &'static str,
    #[serde(rename = "f")]
    time_in_force: &'static str,
    #[serde(rename = "q")]
    quantity: Decimal,
    #[serde(rename = "p")]
    price: Decimal,
    #[serde(rename = "P")]
    stop_price: Decimal,
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    trailing_delta: Option<u32>,
    #[serde(rename = "D", skip_serializing_if = "Option::is_none")]
    trailing_time: Option<i64>,
    #[serde(rename = "F")]
    iceberg: Decimal,
    #[serde(rename = "g")]
    list: i64,
    #[serde(rename = "C")]
    original_client_id: &'a str,
    #[serde(rename = "x")]
    execution: &'static str,
    #[serde(rename = "X")]
    status: &'static str,
    #[serde(rename = "r")]
    reject_reason: &'static str,
    #[serde(rename = "i")]
    id: u64,
    #[serde(flatten)]
    last: Last<'a>,
    #[serde(rename = "z")]
    executed: Decimal,
    #[serde(rename = "T")]
    time: i64,
    #[serde(flatten)]
    prevention: Option<Prevention<'a>>,
    #[serde(rename = "A", skip_serializing_if = "Option::is_none")]
    prevented: Option<Decimal>,
    #[serde(rename = "I")]
    execution_id: u64,
    #[serde(rename = "w")]
    is_on_book: bool,
    #[serde(rename = "M")]
    ignored: bool,
    #[serde(rename = "O")]
    created: i64,
    #[serde(rename = "Z")]
    executed_value: Decimal,
    #[serde(rename = "Q")]
    quote_quantity: Decimal,
    #[serde(rename = "W", skip_serializing_if = "Option::is_none")]
    working_time: Option<i64>,
    #[serde(rename = "V")]
    self_trade_prevention: &'static str,
}

fn report<'a>(order: &'a Order, execution: &'a Execution, time: i64) -> Report<'a> {
    let own = order.client_id.as_str();
    let (name, reject_reason, client_id, original_client_id) = match execution {
        Execution::New => ("NEW", "NONE", own, ""),
        Execution::Trade(_) => ("TRADE", "NONE", own, ""),
        Execution::Canceled { client_id } => ("CANCELED", "NONE", client_id.as_str(), own),
        Execution::Replaced(amendment) => ("REPLACED", "NONE", own, amendment.old_client_id.as_str()),
        Execution::Rejected => ("REJECTED", "-2010", own, ""),
        Execution::Expired => ("EXPIRED", "NONE", own, ""),
        Execution::Prevented(_) => ("TRADE_PREVENTION", "NONE", own, ""),
    };
    let (fill, prevention) = match execution {
        Execution::Trade(fill) => (Some(fill), None),
        Execution::Prevented(prevented) => (None, Some(Prevention::of(order, prevented))),
        _ => (None, None),
    };
    Report {
        event: "executionReport",
        sent: millis(time),
        symbol: &order.symbol,
        client_id,
        side: order.side.as_str(),
        kind: order.kind.as_str(),
        time_in_force: order.time_in_force.as_str(),
        quantity: Decimal(order.quantity),
        price: Decimal(order.price),
        stop_price: Decimal(order.stop_price),
        trailing_delta: (order.trailing_delta > 0).then_some(order.trailing_delta),
        trailing_time: (order.trailing_since > 0).then_some(millis(order.trailing_since)),
        iceberg: Decimal(order.iceberg),
        list: list_id(order.list),
        original_client_id,
        execution: name,
        status: order::status(order.status),
        reject_reason,
        id: order.id,
        last: Last::of(fill),
        executed: Decimal(order.executed),
        time: millis(time),
        prevention,
        prevented: above_zero(order.prevented),
        execution_id: 0,
        is_on_book: order.status.is_open() && order.is_working(),
        ignored: false,
        created: millis(order.created),
        executed_value: Decimal(order.executed_value),
        quote_quantity: Decimal(order.quote_quantity),
        working_time: order.working_time().map(millis),
        self_trade_prevention: order.prevention.as_str(),
    }
}

/// What a report says of the fill that it is of; zeros and the like in any other.
#[derive(Serialize)]
struct Last<'a> {
    #[serde(rename = "l")]
    quantity: Decimal,
    #[serde(rename = "L")]
    price: Decimal,
    #[serde(rename = "Y")]
    value: Decimal,
    #[serde(rename = "n", serialize_with = "fee")]
    fee: Option<Decimal>,
    #[serde(rename = "N")]
    fee_asset: Option<&'a str>,
    #[serde(rename = "t")]
    trade: i64,
    #[serde(rename = "m")]
    maker: bool,
}

impl<'a> Last<'a> {
    fn of(fill: Option<&'a Fill>) -> Last<'a> {
        Last {
            quantity: Decimal(fill.map_or(0, |fill| fill.quantity)),
            price: Decimal(fill.map_or(0, |fill| fill.price)),
            value: Decimal(fill.map_or(0, |fill| fill.value)),
            fee: fill.map(|fill| Decimal(fill.fee)),
            fee_asset: fill.map(fee_asset),
            trade: fill.map_or(-1, |fill| fill.trade.cast_signed()),
            maker: fill.is_some_and(|fill| fill.maker),
        }
    }
}

/// A commission; that of no fill has no decimals.
fn fee<S: Serializer>(fee: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
    match fee {
        Some(fee) => fee.serialize(serializer),
        None => serializer.serialize_str("0"),
    }
}

/// What a report says of a trade that did not happen.
#[derive(Serialize)]
struct Prevention<'a> {
    #[serde(rename = "v")]
    id: u64,
    #[serde(rename = "B")]
    last_quantity: Decimal,
    #[serde(rename = "u")]
    trade_group: i64,
    #[serde(rename = "U")]
    counter_order: u64,
    #[serde(rename = "Cs")]
    counter_symbol: &'a str,
    #[serde(rename = "pl")]
    quantity: Decimal,
    #[serde(rename = "pL")]
    price: Decimal,
    #[serde(rename = "pY")]
    value: Decimal,
}

impl<'a> Prevention<'a> {
    fn of(order: &Order, prevented: &'a PreventedMatch) -> Prevention<'a> {
        let is_taker = order.id == prevented.taker;
        let (last, counter_order) = if is_taker {
            (prevented.taker_quantity, prevented.maker)
        } else {
            (prevented.maker_quantity, prevented.taker)
        };
        let matched = match prevented.mode {
            SelfTradePrevention::ExpireTaker => prevented.taker_quantity,
            SelfTradePrevention::ExpireMaker => prevented.maker_quantity,
            _ => prevented.taker_quantity.min(prevented.maker_quantity),
        };
        Prevention {
            id: prevented.id,
            last_quantity: Decimal(last),
            trade_group: -1,
            counter_order,
            counter_symbol: &prevented.symbol,
            quantity: Decimal(matched),
            price: Decimal(prevented.price),
            value: Decimal(matched * prevented.price / ONE),
        }
    }
}
