//! What time and the market decide: triggers, trails and expiries.
//!
//! A tick looks at the marks and the clocks that it is handed, and its decisions are journalled: a replay never looks at
//! either. A stale mark, a halted instrument, a halt of ours or an account that is not in step with its venue decides
//! nothing: the order stays held, and the next tick looks again. Orders end by the venue's time, which a jump of our wall
//! clock does not move; after a start none does before that time is known.

use super::command::Now;
use super::decide::{Answer, Decider, Decision, cancel_intent};
use super::entry::Entry;
use super::event::{CancelRequested, Changed, Event, TrailMoved, Triggered};
use super::halts::Covered;
use super::market::Market;
use super::report::MAX_CANCELS;
use domain::{InstrumentStatus, Money, OrderStatus, Price};

/// The reason of orders that were over by time.
pub(crate) const EXPIRE_TIME: &str = "EXPIRE_TIME";

impl Decider {
    /// Decides what has become due.
    pub(super) fn tick(&self, now: Now, market: &Market) -> Decision {
        // Until an account has been in step, the venue's clock has not been heard, and ours stands in for it.
        let is_time_known = !self.ready.is_empty();
        let expired = self
            .state
            .expired_orders(now.venue)
            .filter(|_| is_time_known)
            .flat_map(|entry| expire(entry, now));
        let mut events: Vec<Event> = expired.collect();
        for held in self.state.held_orders() {
            let is_over = held
                .order
                .terms()
                .conditions
                .expiry
                .is_some_and(|expiry| expiry.time() <= now.venue);
            if !is_over {
                events.extend(self.met(held, now, market));
            }
        }
        Decision {
            events,
            answer: Answer::Done,
        }
    }

    /// Whether the market meets what a held order waits for, or moves its trail.
    fn met(&self, held: &Entry, now: Now, market: &Market) -> Option<Event> {
        let terms = held.order.terms();
        let trigger = terms.conditions.trigger.filter(|_| held.triggered.is_none())?;
        // A child that its entry's fills have not activated yet watches nothing.
        if held.order.quantity().is_zero() {
            return None;
        }
        let mark = self.trusted_mark(held, now, market)?;
        let order = held.accepted;
        if let Some(extreme) = trigger.follows(terms.side, held.extreme, mark) {
            return Some(Event::TrailMoved(TrailMoved { order, extreme }));
        }
        let is_met = trigger.is_met(terms.side, held.extreme, mark) && self.may_send(held);
        is_met.then_some(Event::Triggered(Triggered { order, price: mark }))
    }

    /// The mark of an order's symbol, if a decision may be made on it.
    pub(super) fn trusted_mark(&self, held: &Entry, now: Now, market: &Market) -> Option<Price> {
        let symbol = &held.order.terms().symbol;
        let is_trading = market
            .instruments
            .get(symbol)
            .is_some_and(|instrument| instrument.status == InstrumentStatus::Trading);
        let mark = market.fresh_mark(symbol, now.here, self.limits.mark_max_age_micros);
        mark.filter(|_| is_trading)
    }

    /// Whether a held order may go to the venue now: its account is in step, and no halt covers it.
    pub(super) fn may_send(&self, held: &Entry) -> bool {
        let terms = held.order.terms();
        let is_halted = Covered::of(terms).halts(&self.state).next().is_some();
        !is_halted && self.ready.contains(&terms.account)
    }
}

/// Ends an order whose time is over: a held one at once, another through the venue.
fn expire(entry: &Entry, now: Now) -> Vec<Event> {
    let order = entry.accepted;
    if entry.order.status().is_held() {
        return vec![Event::Changed(Changed {
            order,
            status: OrderStatus::Expired,
            reason: EXPIRE_TIME.to_owned(),
            reserved: Money::ZERO,
        })];
    }
    cancel_for(entry, EXPIRE_TIME, now)
}

/// Has the venue cancel an order for a reason of ours. Nothing, where that is under way or was refused too often.
pub(super) fn cancel_for(entry: &Entry, reason: &str, now: Now) -> Vec<Event> {
    if entry.order.status() == OrderStatus::PendingCancel || entry.cancels >= MAX_CANCELS {
        return Vec::new();
    }
    let request = CancelRequested {
        order: entry.accepted,
        request_id: String::new(),
        reason: reason.to_owned(),
    };
    vec![Event::CancelRequested(request), cancel_intent(entry, now)]
}
