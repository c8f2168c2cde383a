//! Endpoints of one account: orders, fills, balances.

use super::endpoint::{Answer, Api, Endpoint};
use super::params::Params;
use crate::core::order::{NewOrder, OrderKey, Refusal, Side, Terms, TimeInForce};
use crate::error::ApiError;
use crate::wire::{info, millis, private as wire};
use serde_json::{Value, json};
use std::sync::Arc;

/// Entries that one page holds at most.
const MOST: usize = 1_000;

/// Longest span of `startTime` to `endTime`, in milliseconds.
const LONGEST_SPAN: i64 = 86_400_000;

pub(super) async fn handle(
    api: &Arc<Api>,
    endpoint: Endpoint,
    account: String,
    params: &Params,
) -> Result<Answer, ApiError> {
    match endpoint {
        Endpoint::NewOrder => new_order(api, account, params).await,
        Endpoint::TestOrder => test_order(api, account, params).await,
        Endpoint::QueryOrder => query_order(api, account, params).await,
        Endpoint::CancelOrder => cancel_order(api, account, params).await,
        Endpoint::OpenOrders => open_orders(api, account, params).await,
        Endpoint::CancelAll => cancel_all(api, account, params).await,
        Endpoint::AllOrders => all_orders(api, account, params).await,
        Endpoint::MyTrades => my_trades(api, account, params).await,
        Endpoint::OrderCount => order_count(api, &account),
        _ => balances(api, account, params).await,
    }
}

fn time_in_force(params: &Params) -> Result<TimeInForce, ApiError> {
    match params.required("timeInForce")? {
        "GTC" => Ok(TimeInForce::Gtc),
        "IOC" => Ok(TimeInForce::Ioc),
        "FOK" => Ok(TimeInForce::Fok),
        _ => Err(ApiError::bad(-1115, "Invalid timeInForce.")),
    }
}

fn refuse_extra(params: &Params, names: &[&str]) -> Result<(), ApiError> {
    for name in names {
        if params.text(name)?.is_some() {
            return Err(ApiError::not_required(name));
        }
    }
    Ok(())
}

fn terms(params: &Params) -> Result<Terms, ApiError> {
    refuse_extra(params, &["stopPrice", "icebergQty", "trailingDelta"])?;
    match params.required("type")? {
        "LIMIT" => {
            refuse_extra(params, &["quoteOrderQty"])?;
            let time_in_force = time_in_force(params)?;
            let quantity = params.required_decimal("quantity")?;
            Ok(Terms::Limit {
                price: params.required_decimal("price")?,
                quantity,
                time_in_force,
            })
        }
        "LIMIT_MAKER" => {
            refuse_extra(params, &["quoteOrderQty", "timeInForce"])?;
            let quantity = params.required_decimal("quantity")?;
            Ok(Terms::LimitMaker {
                price: params.required_decimal("price")?,
                quantity,
            })
        }
        "MARKET" => {
            refuse_extra(params, &["price", "timeInForce"])?;
            match (params.text("quantity")?, params.text("quoteOrderQty")?) {
                (Some(_), None) => Ok(Terms::Market {
                    quantity: params.required_decimal("quantity")?,
                }),
                (None, Some(_)) => Ok(Terms::MarketByValue {
                    value: params.required_decimal("quoteOrderQty")?,
                }),
                (Some(_), Some(_)) => Err(ApiError::not_required("quoteOrderQty")),
                (None, None) => {
                    let message = "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!";
                    Err(ApiError::bad(-1102, message))
                }
            }
        }
        _ => Err(ApiError::bad(-1116, "Invalid orderType.")),
    }
}

fn order(api: &Api, account: String, params: &Params) -> Result<NewOrder, ApiError> {
    let symbol = api.symbol(params)?;
    let side = match params.required("side")? {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(ApiError::bad(-1117, "Invalid side.")),
    };
    let terms = terms(params)?;
    Ok(NewOrder {
        account,
        symbol,
        client_id: params.client_id("newClientOrderId")?,
        side,
        terms,
    })
}

fn response_type(params: &Params, terms: &Terms) -> Result<wire::ResponseType, ApiError> {
    match params.text("newOrderRespType")? {
        Some("ACK") => Ok(wire::ResponseType::Ack),
        Some("RESULT") => Ok(wire::ResponseType::Result),
        Some("FULL") => Ok(wire::ResponseType::Full),
        Some(_) => Err(ApiError::bad(
            -1130,
            "Data sent for parameter 'newOrderRespType' is not valid.",
        )),
        // LIMIT_MAKER alone defaults to the acknowledgement
        None if matches!(terms, Terms::LimitMaker { .. }) => Ok(wire::ResponseType::Ack),
        None => Ok(wire::ResponseType::Full),
    }
}

async fn new_order(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let new = order(api, account, params)?;
    let response = response_type(params, &new.terms)?;
    let count = api.meter.lock().order(&new.account, (api.now)())?;
    let placed = api
        .handle
        .ask(move |venue, now, effects| venue.place(&new, now, effects))
        .await??;
    Ok(Answer {
        body: wire::placed(&placed, response).to_string(),
        orders: Some(count),
    })
}

async fn test_order(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let new = order(api, account, params)?;
    response_type(params, &new.terms)?;
    api.handle.read(move |venue| venue.check(&new)).await??;
    Ok(Answer::text("{}".to_owned()))
}

/// Names the order by `orderId` or `origClientOrderId`; the first wins.
fn key(params: &Params) -> Result<OrderKey, ApiError> {
    if let Some(id) = params.number("orderId")? {
        return Ok(OrderKey::Id(id.unsigned_abs()));
    }
    match params.client_id("origClientOrderId")? {
        Some(id) => Ok(OrderKey::Client(id)),
        None => {
            let message = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!";
            Err(ApiError::bad(-1102, message))
        }
    }
}

async fn query_order(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let (symbol, key) = (api.symbol(params)?, key(params)?);
    let found = api.handle.read(move |venue| {
        let name = &venue.markets()[symbol].listing.symbol;
        venue
            .ledger()
            .account(&account)
            .and_then(|state| state.order(name, &key))
            .map(wire::order)
    });
    let found = found.await?.ok_or(Refusal::NoSuchOrder)?;
    Ok(Answer::json(&found))
}

async fn cancel_order(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let (symbol, key) = (api.symbol(params)?, key(params)?);
    let client_id = params.client_id("newClientOrderId")?;
    let asked = client_id.clone();
    let cancelled = api
        .handle
        .ask(move |venue, now, effects| venue.cancel(&account, symbol, &key, asked.as_deref(), now, effects));
    let order = cancelled.await?.map_err(ApiError::cancel)?;
    Ok(Answer::json(&wire::cancelled(&order, client_id.as_deref())))
}

async fn cancel_all(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = api.symbol(params)?;
    let cancelled = api
        .handle
        .ask(move |venue, now, effects| venue.cancel_all(&account, symbol, now, effects));
    let orders = cancelled.await?.map_err(ApiError::cancel)?;
    Ok(Answer::json(
        &orders.iter().map(|order| wire::cancelled(order, None)).collect(),
    ))
}

async fn open_orders(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = match params.text("symbol")? {
        Some(name) => Some(api.listings[api.symbol_named(name)?].symbol.clone()),
        None => None,
    };
    let open = api.handle.read(move |venue| -> Value {
        let Some(state) = venue.ledger().account(&account) else {
            return Value::Array(Vec::new());
        };
        state.open_orders(symbol.as_deref()).map(wire::order).collect()
    });
    Ok(Answer::json(&open.await?))
}

/// `startTime` and `endTime`, at most a day apart.
fn span(params: &Params) -> Result<(Option<i64>, Option<i64>), ApiError> {
    let (start, end) = (params.number("startTime")?, params.number("endTime")?);
    if let (Some(start), Some(end)) = (start, end)
        && end.saturating_sub(start) > LONGEST_SPAN
    {
        return Err(ApiError::bad(
            -1127,
            "More than 24 hours between startTime and endTime.",
        ));
    }
    Ok((start, end))
}

fn within((start, end): (Option<i64>, Option<i64>), micros: i64) -> bool {
    let time = millis(micros);
    start.is_none_or(|start| time >= start) && end.is_none_or(|end| time <= end)
}

/// From a start forwards the first `limit`, else the latest.
fn page<T>(all: Vec<T>, forwards: bool, limit: usize) -> impl Iterator<Item = T> {
    let skipped = if forwards { 0 } else { all.len().saturating_sub(limit) };
    all.into_iter().skip(skipped).take(limit)
}

async fn all_orders(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = api.symbol(params)?;
    let (limit, from, span) = (params.limit(500, MOST)?, params.number("orderId")?, span(params)?);
    let orders = api.handle.read(move |venue| -> Value {
        let name = &venue.markets()[symbol].listing.symbol;
        let Some(state) = venue.ledger().account(&account) else {
            return Value::Array(Vec::new());
        };
        let wanted = state
            .orders
            .values()
            .filter(|order| &order.symbol == name && within(span, order.created));
        let wanted = wanted
            .filter(|order| from.is_none_or(|from| order.id as i64 >= from))
            .collect();
        page(wanted, from.is_some() || span.0.is_some(), limit)
            .map(wire::order)
            .collect()
    });
    Ok(Answer::json(&orders.await?))
}

async fn my_trades(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let symbol = api.symbol(params)?;
    let (limit, span) = (params.limit(500, MOST)?, span(params)?);
    let (from, order) = (params.number("fromId")?, params.number("orderId")?);
    let trades = api.handle.read(move |venue| -> Value {
        let name = &venue.markets()[symbol].listing.symbol;
        let Some(state) = venue.ledger().account(&account) else {
            return Value::Array(Vec::new());
        };
        let wanted = state
            .fills
            .iter()
            .filter(|fill| &fill.symbol == name && within(span, fill.time));
        let wanted = wanted.filter(|fill| from.is_none_or(|from| fill.trade as i64 >= from));
        let wanted = wanted
            .filter(|fill| order.is_none_or(|order| fill.order as i64 == order))
            .collect();
        page(wanted, from.is_some() || span.0.is_some(), limit)
            .map(wire::trade)
            .collect()
    });
    Ok(Answer::json(&trades.await?))
}

fn order_count(api: &Api, account: &str) -> Result<Answer, ApiError> {
    let meter = api.meter.lock();
    let used = meter.orders(account, (api.now)());
    let mut limits = info::rate_limits(&meter.limits());
    let entries = limits.as_array_mut().map(std::mem::take).unwrap_or_default();
    let counted = entries
        .into_iter()
        .filter(|entry| entry["rateLimitType"] == "ORDERS")
        .map(|mut entry| {
            entry["count"] = json!(if entry["interval"] == "DAY" {
                used.day
            } else {
                used.ten_seconds
            });
            entry
        });
    Ok(Answer::json(&counted.collect()))
}

async fn balances(api: &Api, account: String, params: &Params) -> Result<Answer, ApiError> {
    let omit_zero = params.text("omitZeroBalances")? == Some("true");
    let fees = api.fees_bps;
    let found = api.handle.read(move |venue| {
        let uid = venue.ledger().accounts().position(|(name, _)| *name == account)?;
        venue
            .ledger()
            .account(&account)
            .map(|state| wire::account(state, uid + 1, fees, omit_zero))
    });
    let found = found.await?.ok_or(Refusal::NoSuchAccount)?;
    Ok(Answer::json(&found))
}
