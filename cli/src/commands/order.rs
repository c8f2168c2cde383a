//! `trademesh order`: submit, show, replace, cancel.

use super::orders::{order_row, print_orders};
use super::terms;
use crate::args::{AccountClient, NewOrder, OneOrder, OrderAction, ReplaceOrder};
use crate::client::{authorised, unary};
use crate::output::{Format, print, table};
use mesh::error::{Error, Result};
use mesh::ids::Ids;
use mesh::pb::trading as pb;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::time::{Chance, Clock};

/// Does what the action says.
///
/// # Errors
/// When the order is refused, or the gateway does not answer.
pub(crate) async fn order(action: &OrderAction) -> Result<()> {
    match action {
        OrderAction::Buy(order) => submit(order, pb::Side::Buy).await,
        OrderAction::Sell(order) => submit(order, pb::Side::Sell).await,
        OrderAction::Show(order) => show(order).await,
        OrderAction::Replace(order) => replace(order).await,
        OrderAction::Cancel(order) => cancel(order).await,
        OrderAction::CancelAll {
            symbol,
            strategy,
            account,
        } => cancel_all(symbol.as_deref(), strategy.as_deref(), account).await,
    }
}

async fn submit(order: &NewOrder, side: pb::Side) -> Result<()> {
    let request = terms::request(order, side, order.client_order_id.clone().unwrap_or_else(fresh_id))?;
    let id = request.client_order_id.clone();
    let mut client = TradingServiceClient::new(authorised(&order.account.client).await?);
    let answer = client.submit_order(unary(request)).await;
    let answer = answer.map_err(|status| told(status, &id))?;
    print_one(&order.account, answer.into_inner().order)
}

/// The error, after the advice where the outcome is not known.
fn told(status: tonic::Status, id: &str) -> Error {
    let error = Error::from(status);
    if error.is_retryable() {
        eprintln!("the outcome is not known; repeat with --client-order-id {id} to be sure, it never trades twice");
    }
    error
}

async fn replace(order: &ReplaceOrder) -> Result<()> {
    let id = order.client_order_id.clone().unwrap_or_else(fresh_id);
    let request = pb::ReplaceOrderRequest {
        account_id: order.account.account.clone(),
        order_id: order.order_id.clone(),
        client_order_id: id.clone(),
        quantity: order.quantity.clone().unwrap_or_default(),
        price: order.limit.clone().unwrap_or_default(),
        stop_price: order.stop.clone().unwrap_or_default(),
    };
    let mut client = TradingServiceClient::new(authorised(&order.account.client).await?);
    let answer = client.replace_order(unary(request)).await;
    let answer = answer.map_err(|status| told(status, &id))?;
    print_one(&order.account, answer.into_inner().order)
}

async fn show(order: &OneOrder) -> Result<()> {
    let mut client = TradingServiceClient::new(authorised(&order.account.client).await?);
    let request = pb::GetOrderRequest {
        account_id: order.account.account.clone(),
        order_id: order.order_id.clone(),
    };
    let answer = client.get_order(unary(request)).await?;
    print_one(&order.account, answer.into_inner().order)
}

async fn cancel(order: &OneOrder) -> Result<()> {
    let mut client = TradingServiceClient::new(authorised(&order.account.client).await?);
    let request = pb::CancelOrderRequest {
        account_id: order.account.account.clone(),
        order_id: order.order_id.clone(),
        request_id: fresh_id(),
    };
    let answer = client.cancel_order(unary(request)).await?;
    print_one(&order.account, answer.into_inner().order)
}

async fn cancel_all(symbol: Option<&str>, strategy: Option<&str>, account: &AccountClient) -> Result<()> {
    let mut client = TradingServiceClient::new(authorised(&account.client).await?);
    let request = pb::CancelAllOrdersRequest {
        account_id: account.account.clone(),
        symbol: symbol.unwrap_or_default().to_owned(),
        request_id: fresh_id(),
        strategy: strategy.unwrap_or_default().to_owned(),
    };
    let answer = client.cancel_all_orders(unary(request)).await?.into_inner();
    print(Format::from_flag(account.client.json), &answer, |answer| {
        print_orders(&answer.orders)
    })
}

fn print_one(account: &AccountClient, order: Option<pb::Order>) -> Result<()> {
    let order = order.ok_or_else(|| Error::internal("NO_ORDER", "the answer carries no order"))?;
    print(Format::from_flag(account.client.json), &order, |order| {
        table(&super::orders::HEADING, vec![order_row(order)])
    })
}

pub(super) fn fresh_id() -> String {
    Ids::new(Clock::system(), Chance::from_entropy()).next()
}
