//! Order lists in Binance's JSON.

use super::millis;
use super::private::{ResponseType, accepted, cancelled};
use crate::core::contingent::PlacedList;
use crate::core::order_list::OrderList;
use serde_json::{Value, json};

/// What the list is doing, and what that means for its orders.
fn status(list: &OrderList) -> (&'static str, &'static str) {
    if list.open {
        ("EXEC_STARTED", "EXECUTING")
    } else {
        ("ALL_DONE", "ALL_DONE")
    }
}

/// `GET /api/v3/orderList` and the entries of `allOrderList` and `openOrderList`.
pub fn list(list: &OrderList) -> Value {
    let (kind, status) = status(list);
    let order =
        |(id, client_id): &(u64, String)| json!({"symbol": list.symbol, "orderId": id, "clientOrderId": client_id});
    json!({
        "orderListId": list.id,
        "contingencyType": list.contingency.as_str(),
        "listStatusType": kind,
        "listOrderStatus": status,
        "listClientOrderId": list.client_id,
        "transactionTime": millis(list.updated),
        "symbol": list.symbol,
        "orders": list.orders.iter().map(order).collect::<Value>(),
    })
}

/// The answer to the placement of a list.
pub fn placed(placed: &PlacedList, response: ResponseType) -> Value {
    let mut answer = list(&placed.list);
    let reports = placed
        .orders
        .iter()
        .map(|order| Value::Object(accepted(order, response)));
    answer["orderReports"] = reports.collect();
    answer
}

/// The answer to the cancel of a list.
pub fn ended(ended: &PlacedList, client_id: Option<&str>) -> Value {
    let mut answer = list(&ended.list);
    answer["orderReports"] = ended.orders.iter().map(|order| cancelled(order, client_id)).collect();
    answer
}

/// `listStatus` of a user data frame.
pub(super) fn event(list: &OrderList, time: i64) -> Value {
    let (kind, status) = status(list);
    let order = |(id, client_id): &(u64, String)| json!({"s": list.symbol, "i": id, "c": client_id});
    json!({
        "e": "listStatus", "E": millis(time), "s": list.symbol, "g": list.id, "c": list.contingency.as_str(),
        "l": kind, "L": status, "r": "NONE", "C": list.client_id, "T": millis(time),
        "O": list.orders.iter().map(order).collect::<Value>(),
    })
}
