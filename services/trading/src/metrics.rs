//! What the order path counts. Labels are reasons and kinds of ours: never an id, an account or a symbol.

use crate::core::{Entry, Event};
use domain::{OrderType, Timestamp};
use metrics::{counter, gauge, histogram};
use std::time::Duration;

/// A decision was made.
pub(crate) fn decided(event: &Event) {
    match event {
        Event::Accepted(_) => counter!("trading_orders_accepted_total").increment(1),
        Event::Refused(_) => {}
        Event::Intent(intent) if intent.cancel => counter!("trading_cancels_intended_total").increment(1),
        Event::Intent(_) => {}
        Event::Changed(changed) => {
            counter!("trading_order_changes_total", "status" => changed.status.as_str()).increment(1);
        }
        Event::Filled(_) => counter!("trading_fills_total").increment(1),
        Event::CancelRequested(_) => counter!("trading_cancels_requested_total").increment(1),
        Event::BalancesAdopted(_) => counter!("trading_balances_adopted_total").increment(1),
        Event::HaltSet(_) => counter!("trading_halts_total").increment(1),
        Event::HaltLifted(_) => counter!("trading_halts_lifted_total").increment(1),
        Event::Triggered(_) => counter!("trading_triggers_total").increment(1),
        Event::Released(_) => counter!("trading_releases_total").increment(1),
        Event::Resized(_) => counter!("trading_resizes_total").increment(1),
        Event::TrailMoved(_) => counter!("trading_trail_moves_total").increment(1),
        Event::ExternalAdopted(_) => counter!("trading_external_orders_adopted_total").increment(1),
        Event::ExternalReleased(_) => counter!("trading_external_orders_released_total").increment(1),
        Event::SessionOpened(_) => counter!("trading_sessions_opened_total").increment(1),
        Event::SessionClosed(closed) => {
            let how = if closed.lost { "lost" } else { "closed" };
            counter!("trading_sessions_closed_total", "how" => how).increment(1);
        }
    }
}

/// A command was refused.
pub(crate) fn refused(reason: &str) {
    counter!("trading_refusals_total", "reason" => reason.to_owned()).increment(1);
}

/// People should look.
pub(crate) fn alert(reason: &'static str) {
    counter!("trading_alerts_total", "reason" => reason).increment(1);
}

/// A group commit of so many records: their ratio is the size of a batch.
pub(crate) fn batch(records: usize) {
    counter!("trading_journal_batches_total").increment(1);
    counter!("trading_journal_records_total").increment(records as u64);
}

/// The disk has no room for new orders any more, or has again.
pub(crate) fn disk_full(is_full: bool) {
    gauge!("trading_disk_full_shards").increment(if is_full { 1.0 } else { -1.0 });
    if is_full {
        alert(mesh::journal::DISK_FULL);
    }
}

/// A snapshot was taken.
pub(crate) fn snapshot() {
    counter!("trading_snapshots_total").increment(1);
}

/// A submit was answered.
pub(crate) fn accept_latency(span: Duration) {
    histogram!("trading_submit_seconds").record(span.as_secs_f64());
}

/// A batch is durable: from the request to the disk until it may be acknowledged.
pub(crate) fn committed(span: Duration) {
    histogram!("trading_commit_seconds").record(span.as_secs_f64());
}

/// The venue has answered an intent, so long after that was durable.
pub(crate) fn venue_answered(is_cancel: bool, span: Duration) {
    let intent = if is_cancel { "cancel" } else { "place" };
    histogram!("trading_venue_answer_seconds", "intent" => intent).record(span.as_secs_f64());
}

/// A fill was decided: of the first one of a market order, how long after its acceptance.
pub(crate) fn filled(entry: Option<&Entry>, now: Timestamp) {
    let Some(order) = entry.filter(|entry| entry.trades.len() == 1).map(|entry| &entry.order) else {
        return;
    };
    if order.terms().order_type == OrderType::Market {
        let micros = now.micros_since(order.created_at());
        histogram!("trading_first_fill_seconds").record(micros as f64 / 1e6);
    }
}

/// One more intent waits for the venue.
pub(crate) fn intent_waits() {
    gauge!("trading_intent_backlog").increment(1.0);
}

/// The venue has answered an intent, or it was given up.
pub(crate) fn intent_done() {
    gauge!("trading_intent_backlog").decrement(1.0);
}

/// The venue did not answer in time.
pub(crate) fn unknown_outcome() {
    counter!("trading_unknown_outcomes_total").increment(1);
}

/// The user data stream connected again.
pub(crate) fn reconnected() {
    counter!("trading_user_data_connects_total").increment(1);
}

/// A connection for order entry is open.
pub(crate) fn order_entry_connected() {
    counter!("trading_order_entry_connects_total").increment(1);
}

/// A new order or a cancel was sent, or tried to be: over the WebSocket API or over REST.
pub(crate) fn order_entered(over: &'static str) {
    counter!("trading_order_entry_requests_total", "over" => over).increment(1);
}
