//! `trademesh halt`, `resume`, `halts` and `alerts`: for whoever watches over trading.

use super::order::fresh_id;
use crate::args::{Client, Halt, HaltTarget};
use crate::client::{authorised, unary};
use crate::output::{Format, or_dash, print, short, table};
use mesh::error::Result;
use mesh::pb::trading as pb;
use mesh::pb::trading::trading_service_client::TradingServiceClient;

/// Alerts that are shown.
const MOST_ALERTS: i32 = 100;

/// Sets a halt.
///
/// # Errors
/// When the gateway refuses or does not answer.
pub(crate) async fn halt(options: &Halt) -> Result<()> {
    let (scope, target) = scope_of(&options.target);
    let client = &options.target.client;
    let request = pb::HaltTradingRequest {
        scope: scope.into(),
        target,
        reason: options.reason.clone(),
        request_id: fresh_id(),
        cancel_orders: options.cancel_orders,
    };
    let mut trading = TradingServiceClient::new(authorised(client).await?);
    let answer = trading.halt_trading(unary(request)).await?.into_inner();
    if options.cancel_orders {
        eprintln!("orders on their way to an end: {}", answer.cancelling);
    }
    print(Format::from_flag(client.json), &answer, |answer| {
        halts_table(answer.halt.as_slice())
    })
}

/// Lifts a halt.
///
/// # Errors
/// When the gateway refuses or does not answer.
pub(crate) async fn resume(options: &HaltTarget) -> Result<()> {
    let (scope, target) = scope_of(options);
    let request = pb::ResumeTradingRequest {
        scope: scope.into(),
        target,
        request_id: fresh_id(),
    };
    let mut trading = TradingServiceClient::new(authorised(&options.client).await?);
    let answer = trading.resume_trading(unary(request)).await?.into_inner();
    print(Format::from_flag(options.client.json), &answer, |_| "lifted".to_owned())
}

/// Lists the halts in force.
///
/// # Errors
/// When the gateway refuses or does not answer.
pub(crate) async fn halts(options: &Client) -> Result<()> {
    let mut trading = TradingServiceClient::new(authorised(options).await?);
    let answer = trading.list_halts(unary(pb::ListHaltsRequest {})).await?.into_inner();
    print(Format::from_flag(options.json), &answer, |answer| {
        halts_table(&answer.halts)
    })
}

/// Lists the newest alerts.
///
/// # Errors
/// When the gateway refuses or does not answer.
pub(crate) async fn alerts(options: &Client) -> Result<()> {
    let request = pb::ListAlertsRequest {
        page_size: MOST_ALERTS,
        page_token: String::new(),
    };
    let mut trading = TradingServiceClient::new(authorised(options).await?);
    let answer = trading.list_alerts(unary(request)).await?.into_inner();
    print(Format::from_flag(options.json), &answer, |answer| {
        let row = |alert: &pb::Alert| {
            vec![
                alert.number.to_string(),
                alert.reason.clone(),
                alert.count.to_string(),
                alert.message.clone(),
            ]
        };
        table(
            &["number", "reason", "seen", "message"],
            answer.alerts.iter().map(row).collect(),
        )
    })
}

fn halts_table(halts: &[pb::Halt]) -> String {
    let row = |halt: &pb::Halt| {
        vec![
            short(halt.scope().as_str_name(), "HALT_SCOPE_"),
            or_dash(&halt.target),
            or_dash(if halt.cancel_orders { "cancelled" } else { "" }),
            halt.subject.clone(),
            halt.reason.clone(),
        ]
    };
    table(
        &["scope", "target", "orders", "by", "reason"],
        halts.iter().map(row).collect(),
    )
}

fn scope_of(options: &HaltTarget) -> (pb::HaltScope, String) {
    let stated = [
        (pb::HaltScope::Venue, &options.venue),
        (pb::HaltScope::Account, &options.account),
        (pb::HaltScope::Strategy, &options.strategy),
        (pb::HaltScope::Symbol, &options.symbol),
    ];
    let stated = stated
        .into_iter()
        .find_map(|(scope, target)| Some((scope, target.clone()?)));
    stated.unwrap_or((pb::HaltScope::Global, String::new()))
}
