//! Orders of somebody else, sessions, alerts and entries of a batch ⇄ `trademesh.trading.v1`.

use super::{PbEvent, damaged, optional, parse, read_time, text, time, words};
use crate::alerts::Raised;
use crate::core::{Event, ExternalOrder, ExternalReleased, OrderMatch, SessionClosed, SessionOpened};
use mesh::pb::trading as pb;
use mesh::{Error, Result};

/// Microseconds in a millisecond.
const MILLI: i64 = 1_000;

pub(super) fn released_to_pb(released: &ExternalReleased) -> PbEvent {
    PbEvent::ExternalOrderReleased(pb::ExternalOrderReleased {
        account_id: released.account.to_string(),
        venue_order_id: released.venue_order.clone(),
    })
}

pub(super) fn adopted_to_pb(order: &ExternalOrder) -> PbEvent {
    PbEvent::ExternalOrderAdopted(pb::ExternalOrderAdopted {
        order: Some(external_to_pb(order)),
    })
}

pub(super) fn opened_to_pb(opened: &SessionOpened) -> PbEvent {
    PbEvent::SessionOpened(pb::SessionOpened {
        account_id: opened.account.to_string(),
        session_id: opened.session.to_string(),
        grace_ms: i32::try_from(opened.grace_micros / MILLI).unwrap_or(i32::MAX),
        symbol: opened
            .covers
            .symbol
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        strategy: opened
            .covers
            .strategy
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    })
}

pub(super) fn closed_to_pb(closed: &SessionClosed) -> PbEvent {
    PbEvent::SessionClosed(pb::SessionClosed {
        account_id: closed.account.to_string(),
        session_id: closed.session.to_string(),
        lost: closed.lost,
    })
}

/// An order of somebody else as the wire has it.
pub(crate) fn external_to_pb(order: &ExternalOrder) -> pb::ExternalOrder {
    let (asset, amount) = match &order.reserved {
        Some((asset, amount)) => (asset.to_string(), amount.to_string()),
        None => (String::new(), String::new()),
    };
    pb::ExternalOrder {
        account_id: order.account.to_string(),
        venue_order_id: order.venue_order.clone(),
        client_order_id: order.client_id.clone(),
        symbol: order.symbol.to_string(),
        side: words::side(order.side) as i32,
        price: text(order.price),
        quantity: order.quantity.to_string(),
        filled_quantity: order.executed.to_string(),
        reserved_asset: asset,
        reserved: amount,
        time: time(order.seen),
    }
}

pub(super) fn external_from_pb(adopted: pb::ExternalOrderAdopted) -> Result<Event> {
    let order = adopted.order.ok_or_else(|| damaged("order", "empty"))?;
    let reserved = match optional("reserved_asset", &order.reserved_asset)? {
        Some(asset) => Some((asset, parse("reserved", &order.reserved)?)),
        None => None,
    };
    Ok(Event::ExternalAdopted(Box::new(ExternalOrder {
        account: parse("account_id", &order.account_id)?,
        venue_order: order.venue_order_id,
        client_id: order.client_order_id,
        symbol: parse("symbol", &order.symbol)?,
        side: words::side_of(order.side).ok_or_else(|| damaged("side", order.side))?,
        price: optional("price", &order.price)?,
        quantity: parse("quantity", &order.quantity)?,
        executed: parse("filled_quantity", &order.filled_quantity)?,
        reserved,
        seen: read_time(order.time)?,
    })))
}

pub(super) fn released_from_pb(released: pb::ExternalOrderReleased) -> Result<Event> {
    Ok(Event::ExternalReleased(ExternalReleased {
        account: parse("account_id", &released.account_id)?,
        venue_order: released.venue_order_id,
    }))
}

pub(super) fn opened_from_pb(opened: pb::SessionOpened) -> Result<Event> {
    Ok(Event::SessionOpened(SessionOpened {
        account: parse("account_id", &opened.account_id)?,
        session: parse("session_id", &opened.session_id)?,
        grace_micros: i64::from(opened.grace_ms) * MILLI,
        covers: OrderMatch {
            symbol: optional("symbol", &opened.symbol)?,
            strategy: optional("strategy", &opened.strategy)?,
        },
    }))
}

pub(super) fn closed_from_pb(closed: pb::SessionClosed) -> Result<Event> {
    Ok(Event::SessionClosed(SessionClosed {
        account: parse("account_id", &closed.account_id)?,
        session: parse("session_id", &closed.session_id)?,
        lost: closed.lost,
    }))
}

/// An alert as the wire has it.
pub(crate) fn alert_to_pb(raised: &Raised) -> pb::Alert {
    pb::Alert {
        number: raised.number as i64,
        reason: raised.reason.to_owned(),
        message: raised.message.clone(),
        account_id: raised.account.as_ref().map(ToString::to_string).unwrap_or_default(),
        time: time(raised.time),
        count: raised.count as i64,
    }
}

/// What became of one entry of a batch.
pub(crate) fn entry_result(outcome: Result<pb::Order>) -> pb::EntryResult {
    let outcome = match outcome {
        Ok(order) => pb::entry_result::Outcome::Order(order),
        Err(error) => pb::entry_result::Outcome::Refusal(refusal(&error)),
    };
    pb::EntryResult { outcome: Some(outcome) }
}

fn refusal(error: &Error) -> pb::EntryRefusal {
    pb::EntryRefusal {
        code: error.kind().code() as i32,
        reason: error.reason().to_owned(),
        message: error.message().to_owned(),
        context: error
            .context()
            .iter()
            .map(|(key, value)| (key.to_string(), value.clone()))
            .collect(),
    }
}
