//! Orders that end by themselves: by the venue's time, whatever the clocks of the processes have shown.

use super::Parts;
use crate::exchange::Exchange;
use domain::OrderStatus;
use trading::core::{Entry, State};

/// How far a process's idea of the venue's clock may be from it, in microseconds.
const CLOCK_ERROR: i64 = 160_000;

/// Nothing is at rest that ends within so long, in microseconds.
const SOON: i64 = 500_000;

/// Whether an order's time is over, or is so soon.
pub(super) fn is_ending(exchange: &Exchange, entry: &Entry) -> bool {
    let expiry = entry.order.terms().conditions.expiry;
    expiry.is_some_and(|expiry| expiry.time().as_micros() <= exchange.now() + SOON)
}

/// No order has ended by its time before that has come.
pub(super) fn times(parts: &Parts<'_>, state: &State) -> Vec<String> {
    let now = parts.exchange.now();
    let ended = state
        .orders()
        .filter(|entry| entry.order.status() == OrderStatus::Expired && entry.reason == "EXPIRE_TIME");
    let early = ended.filter_map(|entry| {
        let terms = entry.order.terms();
        let end = terms.conditions.expiry.map(|expiry| expiry.time().as_micros());
        match end {
            Some(end) if end <= now + CLOCK_ERROR => None,
            other => Some(format!(
                "{} has ended by its time {other:?}, and it is {now}",
                terms.order_id
            )),
        }
    });
    early.collect()
}
