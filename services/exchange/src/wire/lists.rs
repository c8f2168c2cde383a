//! Order lists.

use super::order::{Accepted, Cancelled, ResponseType, accepted, cancelled};
use super::{millis, rows};
use crate::core::contingent::PlacedList;
use crate::core::order::Order;
use crate::core::order_list::OrderList;
use serde::{Serialize, Serializer};

/// What a list is doing, and what that means for its orders.
pub(super) fn status(list: &OrderList) -> (&'static str, &'static str) {
    if list.open {
        ("EXEC_STARTED", "EXECUTING")
    } else {
        ("ALL_DONE", "ALL_DONE")
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Leg<'a> {
    symbol: &'a str,
    order_id: u64,
    client_order_id: &'a str,
}

/// `GET /api/v3/orderList` and the entries of `allOrderList` and `openOrderList`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked<'a> {
    order_list_id: u64,
    contingency_type: &'static str,
    list_status_type: &'static str,
    list_order_status: &'static str,
    list_client_order_id: &'a str,
    transaction_time: i64,
    symbol: &'a str,
    orders: Vec<Leg<'a>>,
}

/// A list that was asked for.
pub fn asked(list: &OrderList) -> Asked<'_> {
    let (kind, status) = status(list);
    let legs = list.orders.iter().map(|(id, client_id)| Leg {
        symbol: &list.symbol,
        order_id: *id,
        client_order_id: client_id,
    });
    Asked {
        order_list_id: list.id,
        contingency_type: list.contingency.as_str(),
        list_status_type: kind,
        list_order_status: status,
        list_client_order_id: &list.client_id,
        transaction_time: millis(list.updated),
        symbol: &list.symbol,
        orders: legs.collect(),
    }
}

/// A list with a report of each of its orders.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reported<'a, R> {
    #[serde(flatten)]
    list: Asked<'a>,
    order_reports: Vec<R>,
}

/// The answer to the placement of a list.
pub fn placed(placed: &PlacedList, response: ResponseType) -> Reported<'_, Accepted<'_>> {
    Reported {
        list: asked(&placed.list),
        order_reports: placed.orders.iter().map(|order| accepted(order, response)).collect(),
    }
}

/// The answer to the cancel of a list, which `client_id` names.
pub fn ended<'a>(ended: &'a PlacedList, client_id: Option<&'a str>) -> Reported<'a, Cancelled<'a>> {
    Reported {
        list: asked(&ended.list),
        order_reports: ended.orders.iter().map(|order| cancelled(order, client_id)).collect(),
    }
}

/// An order of no list, or a list.
enum Ended<'a> {
    Order(&'a Order),
    List(&'a PlacedList),
}

impl Serialize for Ended<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Ended::Order(order) => cancelled(order, None).serialize(serializer),
            Ended::List(list) => ended(list, None).serialize(serializer),
        }
    }
}

/// `DELETE /api/v3/openOrders`, as text: the orders of no list, then the lists with theirs.
pub fn all_ended(orders: &[Order], lists: &[PlacedList]) -> String {
    let alone = orders.iter().filter(|order| order.list.is_none()).map(Ended::Order);
    rows(alone.chain(lists.iter().map(Ended::List)))
}
