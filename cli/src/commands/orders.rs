//! `trademesh orders`, and how an order is shown.

use crate::args::Orders;
use crate::client::{authorised, unary};
use crate::output::{Format, or_dash, print, short, table};
use mesh::error::Result;
use mesh::pb::trading as pb;
use mesh::pb::trading::trading_service_client::TradingServiceClient;

/// The heading of a table of orders.
pub(super) const HEADING: [&str; 9] = [
    "order", "symbol", "side", "type", "quantity", "price", "filled", "average", "status",
];

/// Lists orders, newest first.
///
/// # Errors
/// When the gateway refuses or does not answer.
pub(crate) async fn orders(options: &Orders) -> Result<()> {
    let mut client = TradingServiceClient::new(authorised(&options.account.client).await?);
    let request = pb::ListOrdersRequest {
        account_id: options.account.account.clone(),
        symbol: options.symbol.clone().unwrap_or_default(),
        open_only: options.open,
        page_size: options.limit,
        page_token: String::new(),
    };
    let answer = client.list_orders(unary(request)).await?.into_inner();
    if !answer.next_page_token.is_empty() {
        eprintln!("there are more: raise --limit (up to 1000)");
    }
    print(Format::from_flag(options.account.client.json), &answer, |answer| {
        print_orders(&answer.orders)
    })
}

/// A table of orders.
pub(super) fn print_orders(orders: &[pb::Order]) -> String {
    table(&HEADING, orders.iter().map(order_row).collect())
}

/// One row of it.
pub(super) fn order_row(order: &pb::Order) -> Vec<String> {
    let mut status = short(order.status().as_str_name(), "ORDER_STATUS_");
    if !order.reason.is_empty() {
        status.push_str(&format!(" ({})", order.reason));
    }
    vec![
        order.order_id.clone(),
        order.symbol.clone(),
        short(order.side().as_str_name(), "SIDE_"),
        short(order.r#type().as_str_name(), "ORDER_TYPE_"),
        order.quantity.clone(),
        or_dash(&order.price),
        or_dash(&order.filled_quantity),
        or_dash(&order.average_price),
        status,
    ]
}
