//! `trademesh order`: submit, show, cancel.

use super::orders::{order_row, print_orders};
use crate::args::{AccountClient, NewOrder, OneOrder, OrderAction, TimeInForce};
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
        OrderAction::Cancel(order) => cancel(order).await,
        OrderAction::CancelAll { symbol, account } => cancel_all(symbol.as_deref(), account).await,
    }
}

async fn submit(order: &NewOrder, side: pb::Side) -> Result<()> {
    let request = pb::SubmitOrderRequest {
        account_id: order.account.account.clone(),
        client_order_id: order.client_order_id.clone().unwrap_or_else(fresh_id),
        symbol: order.symbol.clone(),
        side: side.into(),
        r#type: type_of(order).into(),
        time_in_force: time_in_force_of(order).into(),
        quantity: order.quantity.clone(),
        price: order.limit.clone().unwrap_or_default(),
    };
    let id = request.client_order_id.clone();
    let mut client = TradingServiceClient::new(authorised(&order.account.client).await?);
    let answer = client.submit_order(unary(request)).await.map_err(|status| {
        let error = Error::from(status);
        if error.is_retryable() {
            eprintln!("the outcome is not known; repeat with --client-order-id {id} to be sure, it never trades twice");
        }
        error
    })?;
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

async fn cancel_all(symbol: Option<&str>, account: &AccountClient) -> Result<()> {
    let mut client = TradingServiceClient::new(authorised(&account.client).await?);
    let request = pb::CancelAllOrdersRequest {
        account_id: account.account.clone(),
        symbol: symbol.unwrap_or_default().to_owned(),
        request_id: fresh_id(),
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

fn type_of(order: &NewOrder) -> pb::OrderType {
    match (&order.limit, order.post_only) {
        (Some(_), true) => pb::OrderType::LimitMaker,
        (Some(_), false) => pb::OrderType::Limit,
        (None, _) => pb::OrderType::Market,
    }
}

fn time_in_force_of(order: &NewOrder) -> pb::TimeInForce {
    match order.time_in_force {
        None => pb::TimeInForce::Unspecified,
        Some(TimeInForce::Gtc) => pb::TimeInForce::Gtc,
        Some(TimeInForce::Ioc) => pb::TimeInForce::Ioc,
        Some(TimeInForce::Fok) => pb::TimeInForce::Fok,
    }
}

fn fresh_id() -> String {
    Ids::new(Clock::system(), Chance::from_entropy()).next()
}
