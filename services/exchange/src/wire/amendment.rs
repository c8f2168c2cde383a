//! Orders that became smaller in their place: rare, and so built as a tree.

use super::order::{status, working_time};
use super::{list_id, millis};
use crate::core::order::{Amendment, Order};
use crate::core::units::Decimal;
use serde_json::{Value, json};

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
            "price": Decimal(order.price),
            "qty": Decimal(order.quantity),
            "executedQty": Decimal(order.executed),
            "preventedQty": Decimal(order.prevented),
            "quoteOrderQty": Decimal(order.quote_quantity),
            "cumulativeQuoteQty": Decimal(order.executed_value),
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
        "origQty": Decimal(amendment.old_quantity),
        "newQty": Decimal(amendment.quantity),
        "time": millis(amendment.time),
    })
}
