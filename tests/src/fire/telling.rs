//! What the platform says of an account, asked over its public API once everything is at rest.

use super::oracle::{OrderTold, Told};
use super::venue::{Trade, decimal};
use bench::orders::Rest;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::pb::trading::{OrderStatus, StreamOrderEventsRequest};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};
use tonic::transport::Endpoint;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long open orders may take to be cancelled, and the portfolio to have caught up.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);

/// Waits until the platform answers, and trading and portfolio behind it.
///
/// # Errors
/// When it does not.
pub async fn answers(rest: &Rest, account: &str) -> Outcome<()> {
    let begun = Instant::now();
    for path in ["orders", "portfolio"] {
        loop {
            let answer = rest.get(&format!("/v1/accounts/{account}/{path}")).await;
            if answer.is_good() {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{path} are not answered: {}", answer.error()).into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

/// Cancels what is open, until nothing is. Returns how long that took.
///
/// # Errors
/// When orders stay open.
pub async fn cancel_all(rest: &Rest, accounts: &[String]) -> Outcome<Duration> {
    let begun = Instant::now();
    for account in accounts {
        loop {
            let open = rest
                .get(&format!("/v1/accounts/{account}/orders?openOnly=true&pageSize=1000"))
                .await;
            if open.is_good() && open.body["orders"].as_array().is_none_or(Vec::is_empty) {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{account} still has open orders: {} {}", open.status, open.body).into());
            }
            // Whatever it answers: the list says what is left.
            rest.post(&format!("/v1/accounts/{account}/orders:cancelAll"), &json!({}))
                .await;
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(begun.elapsed())
}

/// Everything that the platform says of an account, once its portfolio has `fills` fills, or has had its time.
///
/// # Errors
/// When something cannot be read.
pub async fn told(rest: &Rest, account: &str, fills: usize, until: Instant) -> Outcome<Told> {
    let mut told = Told::default();
    for order in pages(rest, &format!("/v1/accounts/{account}/orders"), "orders").await? {
        told.orders.push(OrderTold {
            order_id: text(&order["orderId"]),
            key: text(&order["clientOrderId"]),
            status: text(&order["status"]).trim_start_matches("ORDER_STATUS_").to_owned(),
            reason: text(&order["reason"]),
            filled: zero_or(&order["filledQuantity"])?,
        });
    }
    let list = loop {
        let list = pages(rest, &format!("/v1/accounts/{account}/fills"), "fills").await?;
        if list.len() >= fills || Instant::now() > until {
            break list;
        }
        tokio::time::sleep(LOOK).await;
    };
    told.fill_count = list.len();
    for fill in list {
        let trade = Trade {
            order: String::new(),
            is_buy: fill["buy"] == true,
            price: decimal(&fill["price"])?.normalize(),
            quantity: decimal(&fill["quantity"])?.normalize(),
            fee: zero_or(&fill["fee"])?,
            fee_asset: text(&fill["feeAsset"]),
        };
        let id = text(&fill["tradeId"]).parse::<i64>()?;
        told.fills.insert((text(&fill["symbol"]), id), trade);
    }
    let portfolio = rest.get(&format!("/v1/accounts/{account}/portfolio")).await;
    if !portfolio.is_good() {
        return Err(format!("the portfolio of {account}: {}", portfolio.error()).into());
    }
    told.holdings = amounts(portfolio.body["portfolio"]["holdings"].as_array(), "asset", "amount")?;
    let positions = pages(rest, &format!("/v1/accounts/{account}/positions"), "positions").await?;
    told.positions = amounts(Some(&positions), "symbol", "quantity")?;
    Ok(told)
}

/// How long orders waited from their acceptance until the venue's answer was known here, as trading's events tell it.
#[derive(Debug, Default, Clone)]
pub struct Resolution {
    /// Orders whose outcome was unknown at some time.
    pub unknown: usize,
    /// From when it was unknown until it was known: the longest.
    pub longest_unknown: Duration,
    /// When it became unknown, in microseconds since the Unix epoch; none was, when it is 0.
    pub longest_unknown_since: i64,
    /// From acceptance until the outcome was known, of every order, sorted.
    pub waits: Vec<Duration>,
    /// From when a cancel was decided until the order had ended: the longest.
    pub longest_cancel: Duration,
}

impl Resolution {
    /// A quantile of the waits.
    pub fn wait(&self, share: f64) -> Duration {
        let last = self.waits.len().saturating_sub(1);
        self.waits
            .get((last as f64 * share).round() as usize)
            .copied()
            .unwrap_or_default()
    }
}

/// Reads the events of accounts from the first one on, over gRPC.
///
/// # Errors
/// When a stream cannot be read.
pub async fn resolution(
    gateway: &str,
    token: &str,
    accounts: &[String],
    last: &BTreeMap<String, i64>,
) -> Outcome<Resolution> {
    let channel = Endpoint::from_shared(gateway.to_owned())?.connect().await?;
    let mut found = Resolution::default();
    for account in accounts {
        let Some(last) = last.get(account) else { continue };
        let mut request = tonic::Request::new(StreamOrderEventsRequest {
            account_id: account.clone(),
            from_sequence: 1,
        });
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse()?);
        let mut client = TradingServiceClient::new(channel.clone());
        let mut stream = client.stream_order_events(request).await?.into_inner();
        // By order: when it was accepted, and since when its outcome is unknown.
        let mut waiting: BTreeMap<String, (i64, Option<i64>)> = BTreeMap::new();
        // By order: since when it is to be cancelled.
        let mut cancelling: BTreeMap<String, i64> = BTreeMap::new();
        loop {
            let event = tokio::time::timeout(PATIENCE, stream.message())
                .await??
                .ok_or("the stream of events ended")?;
            let Some(order) = &event.order else { continue };
            let now = micros(order.update_time);
            if order.status() == OrderStatus::PendingCancel {
                cancelling.entry(order.order_id.clone()).or_insert(now);
            } else if is_over(order.status()) {
                let since = cancelling.remove(&order.order_id).unwrap_or(now);
                found.longest_cancel = found.longest_cancel.max(span(since, now));
            }
            match order.status() {
                OrderStatus::PendingNew => {
                    waiting.entry(order.order_id.clone()).or_insert((now, None));
                }
                OrderStatus::Unknown => {
                    waiting
                        .entry(order.order_id.clone())
                        .or_insert((now, None))
                        .1
                        .get_or_insert(now);
                }
                // A cancel that overtakes the venue's answer says nothing of the outcome.
                OrderStatus::PendingCancel => {}
                _ => {
                    if let Some((accepted, unknown)) = waiting.remove(&order.order_id) {
                        found.waits.push(span(accepted, now));
                        if let Some(since) = unknown {
                            found.unknown += 1;
                            if span(since, now) > found.longest_unknown {
                                found.longest_unknown = span(since, now);
                                found.longest_unknown_since = since;
                            }
                        }
                    }
                }
            }
            if event.sequence >= *last {
                break;
            }
        }
        if let Some(order) = waiting.keys().next() {
            return Err(format!(
                "{account}: the outcome of {} orders, {order} among them, is still unknown",
                waiting.len()
            )
            .into());
        }
    }
    found.waits.sort();
    Ok(found)
}

/// The last sequence that any order of an account has.
///
/// # Errors
/// When the orders cannot be read.
pub async fn last_sequences(rest: &Rest, accounts: &[String]) -> Outcome<BTreeMap<String, i64>> {
    let mut last = BTreeMap::new();
    for account in accounts {
        for order in pages(rest, &format!("/v1/accounts/{account}/orders"), "orders").await? {
            let sequence = text(&order["sequence"]).parse::<i64>()?;
            let known: &mut i64 = last.entry(account.clone()).or_default();
            *known = sequence.max(*known);
        }
    }
    Ok(last)
}

fn is_over(status: OrderStatus) -> bool {
    matches!(
        status,
        OrderStatus::Filled | OrderStatus::Cancelled | OrderStatus::Rejected | OrderStatus::Expired
    )
}

fn micros(time: Option<mesh::pb::Timestamp>) -> i64 {
    time.map_or(0, |time| time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000)
}

fn span(from: i64, to: i64) -> Duration {
    Duration::from_micros(u64::try_from(to - from).unwrap_or_default())
}

async fn pages(rest: &Rest, path: &str, name: &str) -> Outcome<Vec<Value>> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let answer = rest.get(&format!("{path}?pageSize=1000&pageToken={token}")).await;
        if !answer.is_good() {
            return Err(format!("{path}: {}", answer.error()).into());
        }
        all.extend(answer.body[name].as_array().into_iter().flatten().cloned());
        token = text(&answer.body["nextPageToken"]);
        if token.is_empty() {
            return Ok(all);
        }
    }
}

fn amounts(list: Option<&Vec<Value>>, key: &str, amount: &str) -> Outcome<BTreeMap<String, Decimal>> {
    let mut amounts = BTreeMap::new();
    for one in list.into_iter().flatten() {
        let value = zero_or(&one[amount])?;
        if !value.is_zero() {
            amounts.insert(text(&one[key]), value);
        }
    }
    Ok(amounts)
}

fn zero_or(value: &Value) -> Outcome<Decimal> {
    match value.as_str() {
        None | Some("") => Ok(Decimal::ZERO),
        Some(_) => Ok(decimal(value)?.normalize()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
