//! Decisions and orders ⇄ `trademesh.trading.v1`: what is journalled, streamed and answered.

mod control;
mod orders;
mod words;

use crate::core::{
    BalancesAdopted, CancelRequested, Changed, Digest, Entry, Event, Filled, Halt, HaltLifted, Intent, Refusal,
    RefusalKind, Refused, Released, Resized, TrailMoved, Triggered, order_id, parse_order_id,
};
use domain::{Fill, Price, Timestamp, TradeId};
use mesh::pb::trading as pb;
use mesh::pb::trading::trading_event::Event as PbEvent;
use mesh::{Error, Result};
use prost::Message;
use std::fmt::Display;
use std::str::FromStr;

pub(crate) use control::{alert_to_pb, entry_result, external_to_pb};
use orders::{accepted_from_pb, new_order};
pub(crate) use orders::{accepted_of, order_as_accepted, order_to_pb};
pub(crate) use words::{group_type_of, scope_of, side_of, time_in_force_of};
use words::{liquidity, scope, side, status, status_of};

/// An order on the wire, for those who need not look inside.
pub type OrderMessage = pb::Order;
/// A halt on the wire.
pub type HaltMessage = pb::Halt;
/// What followers of an account are told.
pub(crate) type UpdateMessage = pb::StreamOrderEventsResponse;

/// One record of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its sequence.
    pub sequence: u64,
    /// When it was decided.
    pub time: Timestamp,
    /// What was decided.
    pub event: Event,
}

/// The time as the wire has it.
pub(crate) fn time(time: Timestamp) -> Option<mesh::pb::Timestamp> {
    Some(mesh::pb::Timestamp::from_micros(time.as_micros()))
}

/// The record as bytes.
pub fn encode(shard: u32, record: &Record) -> Vec<u8> {
    to_pb(shard, record).encode_to_vec()
}

/// The record as a message.
pub fn to_pb(shard: u32, record: &Record) -> pb::TradingEvent {
    pb::TradingEvent {
        shard: shard as i32,
        sequence: record.sequence as i64,
        time: time(record.time),
        event: Some(event_to_pb(shard, record.time, &record.event)),
    }
}

fn event_to_pb(shard: u32, now: Timestamp, event: &Event) -> PbEvent {
    let id = |order: u64| order_id(shard, order).as_str().to_owned();
    match event {
        Event::Accepted(accepted) => PbEvent::OrderAccepted(pb::OrderAccepted {
            order: Some(pb::Order {
                reason: accepted.reason.clone(),
                ..new_order(&accepted.terms, accepted.held, now)
            }),
            limit_revision: accepted.limit_revision,
            request_digest: accepted.digest.to_vec(),
            reserved: accepted.reserved.to_string(),
            venue: accepted.terms.venue.to_string(),
            base_asset: accepted.base.to_string(),
            quote_asset: accepted.quote.to_string(),
            collar: text(accepted.terms.collar),
            held_quantity: accepted.held.map(|held| held.to_string()).unwrap_or_default(),
        }),
        Event::Refused(refused) => PbEvent::OrderRefused(pb::OrderRefused {
            account_id: refused.account.to_string(),
            client_order_id: refused.client_order_id.to_string(),
            reason: refused.refusal.reason.to_string(),
            message: refused.refusal.message.clone(),
            request_digest: refused.digest.to_vec(),
            context: refused.refusal.context.clone(),
        }),
        Event::Intent(intent) => PbEvent::IntentRecorded(pb::IntentRecorded {
            order_id: id(intent.order),
            venue_order_id: intent.venue_id.clone(),
            signed_time: time(intent.signed),
            cancel: intent.cancel,
        }),
        Event::Changed(changed) => PbEvent::OrderChanged(pb::OrderChanged {
            order_id: id(changed.order),
            status: status(changed.status) as i32,
            reason: changed.reason.clone(),
            reserved: changed.reserved.to_string(),
        }),
        Event::Filled(filled) => PbEvent::FillApplied(pb::FillApplied {
            fill: Some(fill_to_pb(&filled.fill, &filled.venue_order)),
            status: status(filled.status) as i32,
            reserved: filled.reserved.to_string(),
        }),
        Event::CancelRequested(request) => PbEvent::CancelRequested(pb::CancelRequested {
            order_id: id(request.order),
            request_id: request.request_id.clone(),
            reason: request.reason.clone(),
        }),
        Event::BalancesAdopted(adopted) => PbEvent::BalancesAdopted(pb::BalancesAdopted {
            account_id: adopted.account.to_string(),
            balances: adopted
                .balances
                .iter()
                .map(|(asset, total)| pb::AssetBalance {
                    asset: asset.to_string(),
                    total: total.to_string(),
                })
                .collect(),
            reason: adopted.reason.clone(),
        }),
        Event::HaltSet(halt) => PbEvent::HaltSet(pb::HaltSet {
            halt: Some(halt_to_pb(halt)),
        }),
        Event::HaltLifted(lifted) => PbEvent::HaltLifted(pb::HaltLifted {
            scope: scope(lifted.scope) as i32,
            target: lifted.target.clone(),
            subject: lifted.subject.clone(),
        }),
        Event::Triggered(triggered) => PbEvent::OrderTriggered(pb::OrderTriggered {
            order_id: id(triggered.order),
            price: triggered.price.to_string(),
        }),
        Event::Released(released) => PbEvent::OrderReleased(pb::OrderReleased {
            order_id: id(released.order),
            quantity: released.quantity.to_string(),
            collar: text(released.collar),
            reserved: released.reserved.to_string(),
        }),
        Event::Resized(resized) => PbEvent::OrderResized(pb::OrderResized {
            order_id: id(resized.order),
            quantity: resized.quantity.to_string(),
            reserved: resized.reserved.to_string(),
            reason: resized.reason.clone(),
        }),
        Event::TrailMoved(moved) => PbEvent::TrailMoved(pb::TrailMoved {
            order_id: id(moved.order),
            extreme: moved.extreme.to_string(),
        }),
        Event::ExternalAdopted(order) => control::adopted_to_pb(order),
        Event::ExternalReleased(released) => control::released_to_pb(released),
        Event::SessionOpened(opened) => control::opened_to_pb(opened),
        Event::SessionClosed(closed) => control::closed_to_pb(closed),
    }
}

/// A halt as the wire has it.
pub(crate) fn halt_to_pb(halt: &Halt) -> pb::Halt {
    pb::Halt {
        scope: scope(halt.scope) as i32,
        target: halt.target.clone(),
        reason: halt.reason.clone(),
        subject: halt.subject.clone(),
        time: time(halt.time),
        cancel_orders: halt.cancel_orders,
    }
}

/// A fill as the wire has it.
pub(crate) fn fill_to_pb(fill: &Fill, venue_order: &str) -> pb::Fill {
    pb::Fill {
        account_id: fill.account.to_string(),
        order_id: fill.order_id.to_string(),
        venue: fill.venue.to_string(),
        symbol: fill.symbol.to_string(),
        trade_id: fill.trade_id.get() as i64,
        venue_order_id: venue_order.to_owned(),
        side: side(fill.side) as i32,
        price: fill.price.to_string(),
        quantity: fill.quantity.to_string(),
        fee: fill.fee.to_string(),
        fee_asset: fill.fee_asset.to_string(),
        liquidity: liquidity(fill.liquidity) as i32,
        time: time(fill.time),
    }
}

/// What followers of the order are told after an event.
pub(crate) fn update(sequence: u64, entry: &Entry, fill: Option<pb::Fill>) -> pb::StreamOrderEventsResponse {
    pb::StreamOrderEventsResponse {
        sequence: sequence as i64,
        order: Some(order_to_pb(entry)),
        fill,
    }
}

fn text(price: Option<Price>) -> String {
    price.map(|price| price.to_string()).unwrap_or_default()
}

/// Reads a record.
///
/// # Errors
/// `INTERNAL / JOURNAL_RECORD` when the bytes are no decision that this version, or one before it, has written.
pub fn decode(bytes: &[u8]) -> Result<Record> {
    from_pb(message(bytes)?)
}

/// Reads a record as a message.
pub(crate) fn message(bytes: &[u8]) -> Result<pb::TradingEvent> {
    pb::TradingEvent::decode(bytes).map_err(|error| damaged("event", error))
}

/// Reads a record from its message.
///
/// # Errors
/// As [`decode`].
pub fn from_pb(event: pb::TradingEvent) -> Result<Record> {
    let time = read_time(event.time)?;
    let body = event.event.ok_or_else(|| damaged("event", "empty"))?;
    let sequence = u64::try_from(event.sequence).map_err(|error| damaged("sequence", error))?;
    Ok(Record {
        sequence,
        time,
        event: event_from_pb(body)?,
    })
}

fn event_from_pb(event: PbEvent) -> Result<Event> {
    Ok(match event {
        PbEvent::OrderAccepted(accepted) => Event::Accepted(Box::new(accepted_from_pb(accepted)?)),
        PbEvent::OrderRefused(refused) => Event::Refused(Box::new(Refused {
            account: parse("account_id", &refused.account_id)?,
            client_order_id: parse("client_order_id", &refused.client_order_id)?,
            refusal: Refusal {
                kind: RefusalKind::Refused,
                reason: refused.reason.into(),
                message: refused.message,
                context: refused.context,
            },
            digest: digest(&refused.request_digest)?,
        })),
        PbEvent::IntentRecorded(intent) => Event::Intent(Intent {
            order: accepted_at(&intent.order_id)?,
            venue_id: intent.venue_order_id,
            signed: read_time(intent.signed_time)?,
            cancel: intent.cancel,
        }),
        PbEvent::OrderChanged(changed) => Event::Changed(Changed {
            order: accepted_at(&changed.order_id)?,
            status: status_of(changed.status).ok_or_else(|| damaged("status", changed.status))?,
            reason: changed.reason,
            reserved: parse("reserved", &changed.reserved)?,
        }),
        PbEvent::FillApplied(applied) => Event::Filled(Box::new(filled_from_pb(applied)?)),
        PbEvent::CancelRequested(request) => Event::CancelRequested(CancelRequested {
            order: accepted_at(&request.order_id)?,
            request_id: request.request_id,
            reason: request.reason,
        }),
        PbEvent::BalancesAdopted(adopted) => Event::BalancesAdopted(BalancesAdopted {
            account: parse("account_id", &adopted.account_id)?,
            balances: adopted
                .balances
                .iter()
                .map(|balance| Ok((parse("asset", &balance.asset)?, parse("total", &balance.total)?)))
                .collect::<Result<_>>()?,
            reason: adopted.reason,
        }),
        PbEvent::HaltSet(set) => {
            let halt = set.halt.ok_or_else(|| damaged("halt", "empty"))?;
            Event::HaltSet(Halt {
                scope: scope_of(halt.scope).ok_or_else(|| damaged("scope", halt.scope))?,
                target: halt.target,
                reason: halt.reason,
                subject: halt.subject,
                time: read_time(halt.time)?,
                cancel_orders: halt.cancel_orders,
            })
        }
        PbEvent::HaltLifted(lifted) => Event::HaltLifted(HaltLifted {
            scope: scope_of(lifted.scope).ok_or_else(|| damaged("scope", lifted.scope))?,
            target: lifted.target,
            subject: lifted.subject,
        }),
        PbEvent::OrderTriggered(triggered) => Event::Triggered(Triggered {
            order: accepted_at(&triggered.order_id)?,
            price: parse("price", &triggered.price)?,
        }),
        PbEvent::OrderReleased(released) => Event::Released(Released {
            order: accepted_at(&released.order_id)?,
            quantity: parse("quantity", &released.quantity)?,
            collar: optional("collar", &released.collar)?,
            reserved: parse("reserved", &released.reserved)?,
        }),
        PbEvent::OrderResized(resized) => Event::Resized(Resized {
            order: accepted_at(&resized.order_id)?,
            quantity: parse("quantity", &resized.quantity)?,
            reserved: parse("reserved", &resized.reserved)?,
            reason: resized.reason,
        }),
        PbEvent::TrailMoved(moved) => Event::TrailMoved(TrailMoved {
            order: accepted_at(&moved.order_id)?,
            extreme: parse("extreme", &moved.extreme)?,
        }),
        PbEvent::ExternalOrderAdopted(adopted) => control::external_from_pb(adopted)?,
        PbEvent::ExternalOrderReleased(released) => control::released_from_pb(released)?,
        PbEvent::SessionOpened(opened) => control::opened_from_pb(opened)?,
        PbEvent::SessionClosed(closed) => control::closed_from_pb(closed)?,
    })
}

fn filled_from_pb(applied: pb::FillApplied) -> Result<Filled> {
    let fill = applied.fill.ok_or_else(|| damaged("fill", "empty"))?;
    Ok(Filled {
        order: accepted_at(&fill.order_id)?,
        fill: Fill {
            account: parse("account_id", &fill.account_id)?,
            venue: parse("venue", &fill.venue)?,
            symbol: parse("symbol", &fill.symbol)?,
            trade_id: TradeId::new(u64::try_from(fill.trade_id).map_err(|error| damaged("trade_id", error))?),
            order_id: parse("order_id", &fill.order_id)?,
            side: words::side_of(fill.side).ok_or_else(|| damaged("side", fill.side))?,
            price: parse("price", &fill.price)?,
            quantity: parse("quantity", &fill.quantity)?,
            fee: parse("fee", &fill.fee)?,
            fee_asset: parse("fee_asset", &fill.fee_asset)?,
            liquidity: words::liquidity_of(fill.liquidity).ok_or_else(|| damaged("liquidity", fill.liquidity))?,
            time: read_time(fill.time)?,
        },
        venue_order: fill.venue_order_id,
        status: status_of(applied.status).ok_or_else(|| damaged("status", applied.status))?,
        reserved: parse("reserved", &applied.reserved)?,
    })
}

fn accepted_at(order_id: &str) -> Result<u64> {
    parse_order_id(order_id)
        .map(|(_, sequence)| sequence)
        .ok_or_else(|| damaged("order_id", order_id))
}

fn digest(bytes: &[u8]) -> Result<Digest> {
    bytes.try_into().map_err(|error| damaged("request_digest", error))
}

fn read_time(time: Option<mesh::pb::Timestamp>) -> Result<Timestamp> {
    let micros = time
        .and_then(|time| time.as_micros())
        .ok_or_else(|| damaged("time", "absent or out of range"))?;
    Ok(Timestamp::from_micros(micros))
}

fn optional<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<Option<T>> {
    if text.is_empty() {
        Ok(None)
    } else {
        parse(field, text).map(Some)
    }
}

fn parse<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|error| damaged(field, error))
}

fn damaged(field: &'static str, error: impl Display) -> Error {
    Error::internal(
        "JOURNAL_RECORD",
        format!("the record's {field} cannot be read: {error}"),
    )
    .with("field", field)
}

#[cfg(test)]
mod tests;
