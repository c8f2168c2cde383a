//! Orders: asked for, placed, cancelled.

use super::fill::{self, OrderFill, OrderPrevented};
use super::{above_zero, list_id, millis};
use crate::core::order::{Order, Status};
use crate::core::units::Decimal;
use crate::core::venue::Placed;
use serde::Serialize;
use std::borrow::Cow;

/// The status's name.
pub(super) fn status(status: Status) -> &'static str {
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

/// Since when an order works in milliseconds, or what stands for never.
pub(super) fn working_time(order: &Order) -> i64 {
    order.working_time().map_or(-1, millis)
}

/// What an answer holds only of orders that have it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Special {
    #[serde(skip_serializing_if = "Option::is_none")]
    trailing_delta: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trailing_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prevented_quantity: Option<Decimal>,
}

impl Special {
    fn of(order: &Order) -> Special {
        let trails = order.trailing_delta > 0;
        let since = if order.trailing_since == 0 {
            -1
        } else {
            millis(order.trailing_since)
        };
        Special {
            trailing_delta: trails.then_some(order.trailing_delta),
            trailing_time: trails.then_some(since),
            prevented_quantity: above_zero(order.prevented),
        }
    }
}

/// `GET /api/v3/order` and the entries of `openOrders` and `allOrders`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked<'a> {
    symbol: &'a str,
    order_id: u64,
    order_list_id: i64,
    client_order_id: &'a str,
    price: Decimal,
    orig_qty: Decimal,
    executed_qty: Decimal,
    cummulative_quote_qty: Decimal,
    status: &'static str,
    time_in_force: &'static str,
    r#type: &'static str,
    side: &'static str,
    stop_price: Decimal,
    iceberg_qty: Decimal,
    time: i64,
    update_time: i64,
    is_working: bool,
    working_time: i64,
    orig_quote_order_qty: Decimal,
    self_trade_prevention_mode: &'static str,
    #[serde(flatten)]
    special: Special,
}

/// An order that was asked for.
pub fn asked(order: &Order) -> Asked<'_> {
    Asked {
        symbol: &order.symbol,
        order_id: order.id,
        order_list_id: list_id(order.list),
        client_order_id: &order.client_id,
        price: Decimal(order.price),
        orig_qty: Decimal(order.quantity),
        executed_qty: Decimal(order.executed),
        cummulative_quote_qty: Decimal(order.executed_value),
        status: status(order.status),
        time_in_force: order.time_in_force.as_str(),
        r#type: order.kind.as_str(),
        side: order.side.as_str(),
        stop_price: Decimal(order.stop_price),
        iceberg_qty: Decimal(order.iceberg),
        time: millis(order.created),
        update_time: millis(order.updated),
        is_working: order.is_working(),
        working_time: working_time(order),
        orig_quote_order_qty: Decimal(order.quote_quantity),
        self_trade_prevention_mode: order.prevention.as_str(),
        special: Special::of(order),
    }
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

/// What a placed or cancelled order shows of itself beside its names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct State {
    price: Decimal,
    orig_qty: Decimal,
    executed_qty: Decimal,
    orig_quote_order_qty: Decimal,
    cummulative_quote_qty: Decimal,
    status: &'static str,
    time_in_force: &'static str,
    r#type: &'static str,
    side: &'static str,
    /// Of a placed order alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    working_time: Option<i64>,
    self_trade_prevention_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_price: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iceberg_qty: Option<Decimal>,
    #[serde(flatten)]
    special: Special,
}

impl State {
    fn of(order: &Order, working_time: Option<i64>) -> State {
        State {
            price: Decimal(order.price),
            orig_qty: Decimal(order.quantity),
            executed_qty: Decimal(order.executed),
            orig_quote_order_qty: Decimal(order.quote_quantity),
            cummulative_quote_qty: Decimal(order.executed_value),
            status: status(order.status),
            time_in_force: order.time_in_force.as_str(),
            r#type: order.kind.as_str(),
            side: order.side.as_str(),
            working_time,
            self_trade_prevention_mode: order.prevention.as_str(),
            stop_price: above_zero(order.stop_price),
            iceberg_qty: above_zero(order.iceberg),
            special: Special::of(order),
        }
    }
}

/// An order as the answer to its placement shows it, without fills.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted<'a> {
    symbol: &'a str,
    order_id: u64,
    order_list_id: i64,
    client_order_id: &'a str,
    transact_time: i64,
    #[serde(flatten)]
    state: Option<State>,
}

/// An order that was accepted, by itself or as one of a list.
pub fn accepted(order: &Order, response: ResponseType) -> Accepted<'_> {
    let state = || State::of(order, Some(working_time(order)));
    Accepted {
        symbol: &order.symbol,
        order_id: order.id,
        order_list_id: list_id(order.list),
        client_order_id: &order.client_id,
        transact_time: millis(order.updated),
        state: (response != ResponseType::Ack).then(state),
    }
}

/// `POST /api/v3/order`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedOrder<'a> {
    #[serde(flatten)]
    order: Accepted<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fills: Option<Vec<OrderFill<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prevented_matches: Vec<OrderPrevented>,
}

/// An order that was placed, and what it met.
pub fn placed(placed: &Placed, response: ResponseType) -> PlacedOrder<'_> {
    let order = accepted(&placed.order, response);
    if response != ResponseType::Full {
        return PlacedOrder {
            order,
            fills: None,
            prevented_matches: Vec::new(),
        };
    }
    PlacedOrder {
        order,
        fills: Some(placed.fills.iter().map(fill::of_order).collect()),
        prevented_matches: placed.prevented.iter().map(fill::prevented_of_order).collect(),
    }
}

/// `DELETE /api/v3/order` and the entries of `DELETE /api/v3/openOrders`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled<'a> {
    symbol: &'a str,
    orig_client_order_id: &'a str,
    order_id: u64,
    order_list_id: i64,
    client_order_id: Cow<'a, str>,
    transact_time: i64,
    #[serde(flatten)]
    state: State,
}

/// An order that was cancelled; `client_id` names the cancel.
pub fn cancelled<'a>(order: &'a Order, client_id: Option<&'a str>) -> Cancelled<'a> {
    let made = || Cow::Owned(format!("cancel-{}", order.id));
    Cancelled {
        symbol: &order.symbol,
        orig_client_order_id: &order.client_id,
        order_id: order.id,
        order_list_id: list_id(order.list),
        client_order_id: client_id.map_or_else(made, Cow::Borrowed),
        transact_time: millis(order.updated),
        state: State::of(order, None),
    }
}
