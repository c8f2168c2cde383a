//! Orders that wait, and orders that hang on each other: nothing waits for ever, each fires once, and two of which only one
//! is to trade are never at the venue together.

use super::{MOST_CANCELS, groups};
use crate::exchange::Exchange;
use domain::{Expiry, Liquidity, Money, OrderStatus, OrderType, Quantity, Side};
use exchange::core::units::parse;
use std::collections::BTreeSet;
use trading::codec::Record;
use trading::core::{Entry, Event, HaltScope, Intent, State};

/// Whether a held order may still wait at rest: a halt covers it, or its price has not come, or its entry still works, or
/// the venue would not cancel what is in its way.
pub(super) fn waits_rightly(exchange: &Exchange, state: &State, held: &Entry) -> bool {
    let terms = held.order.terms();
    let parent = held.parent().and_then(|parent| state.order(parent));
    let is_stuck = |entry: &Entry| entry.order.status().is_live() && entry.cancels >= MOST_CANCELS;
    let in_the_way = parent.into_iter().chain(groups::rival(state, held));
    if is_halted(state, held) || in_the_way.into_iter().any(is_stuck) {
        return true;
    }
    let works = parent.is_some_and(|parent| parent.order.status().is_live());
    match terms.conditions.trigger.filter(|_| held.triggered.is_none()) {
        Some(_) if held.order.quantity().is_zero() => works,
        Some(trigger) => !trigger.is_met(terms.side, held.extreme, exchange.marks()[&terms.symbol].price),
        None => works && held.triggered.is_none(),
    }
}

fn is_halted(state: &State, entry: &Entry) -> bool {
    let terms = entry.order.terms();
    let targets = [
        (HaltScope::Global, ""),
        (HaltScope::Account, terms.account.as_str()),
        (HaltScope::Symbol, terms.symbol.as_str()),
    ];
    targets
        .iter()
        .any(|(scope, target)| state.halt(*scope, target).is_some())
}

/// Watches a journal record by record.
#[derive(Default)]
pub(super) struct Watch {
    wrong: Vec<String>,
    /// Orders that were taken for absent, and were there after all: the venue has broken its word.
    adopted: BTreeSet<u64>,
    /// Live orders of sessions that were lost.
    lost: BTreeSet<u64>,
}

impl Watch {
    /// Looks at a record, and at the state before it.
    pub(super) fn see(&mut self, state: &State, record: &Record) {
        match &record.event {
            Event::Accepted(accepted) => {
                let Some(old) = accepted.terms.conditions.replaces.as_ref() else {
                    return;
                };
                let rivals = state.live_orders();
                let mut rivals = rivals.filter(|entry| entry.order.terms().conditions.replaces.as_ref() == Some(old));
                if let Some(rival) = rivals.next() {
                    let (rival, new) = (&rival.order.terms().order_id, &accepted.terms.order_id);
                    self.wrong
                        .push(format!("{new} and {rival} both take the place of {old}"));
                }
            }
            Event::Intent(intent) if intent.cancel => self.see_cancel(state, intent),
            Event::Intent(intent) => {
                let Some(entry) = state.order(intent.order) else { return };
                self.see_reduction(state, entry);
                let old = entry.replaces().and_then(|old| state.order(old));
                let others = old.into_iter().chain(groups::rival(state, entry));
                for other in others.filter(|other| other.order.status().is_at_venue()) {
                    let (new, old) = (&entry.order.terms().order_id, &other.order.terms().order_id);
                    self.wrong.push(format!("{new} goes to the venue while {old} is there"));
                }
            }
            Event::Triggered(fired) => {
                let Some(entry) = state.order(fired.order) else { return };
                let terms = entry.order.terms();
                let is_met = terms
                    .conditions
                    .trigger
                    .is_some_and(|trigger| trigger.is_met(terms.side, entry.extreme, fired.price));
                if entry.triggered.is_some() || !is_met {
                    let (order, before) = (&terms.order_id, entry.triggered);
                    self.wrong
                        .push(format!("{order} fired at {}, before that at {before:?}", fired.price));
                }
            }
            Event::Released(released) => {
                let Some(entry) = state.order(released.order) else {
                    return;
                };
                if entry.order.terms().conditions.trigger.is_some() && entry.triggered.is_none() {
                    self.wrong
                        .push(format!("{} went before it fired", entry.order.terms().order_id));
                }
            }
            Event::SessionClosed(closed) if closed.lost => {
                let account = state.account(&closed.account);
                let session = account.and_then(|account| account.sessions.get(&closed.session));
                let Some(session) = session else { return };
                let live = state.live_orders().filter(|entry| {
                    let terms = entry.order.terms();
                    terms.account == closed.account && session.covers.matches(terms)
                });
                self.lost.extend(live.map(|entry| entry.accepted));
            }
            Event::Changed(changed) => {
                let entry = state.order(changed.order);
                if changed.reason == "VENUE_FILTER" && !entry.is_some_and(has_too_many_parts) {
                    let order = changed.order;
                    self.wrong
                        .push(format!("the order of {order} is not what the venue takes"));
                }
                self.see_status(state, changed.order, changed.status);
            }
            Event::Filled(filled) => {
                let entry = state.order(filled.order);
                let is_maker = entry.is_some_and(|entry| entry.order.terms().order_type == OrderType::LimitMaker);
                if is_maker && filled.fill.liquidity == Liquidity::Taker {
                    self.wrong
                        .push(format!("{} only rests, and has taken", filled.fill.order_id));
                }
                self.see_status(state, filled.order, filled.status);
            }
            _ => {}
        }
    }

    /// What is cancelled for its time is over by the venue's clock, as the process knew it.
    fn see_cancel(&mut self, state: &State, intent: &Intent) {
        let Some(entry) = state.order(intent.order) else { return };
        let terms = entry.order.terms();
        let end = terms.conditions.expiry.map(Expiry::time);
        if entry.cancel_reason == "EXPIRE_TIME" && end.is_none_or(|end| intent.signed < end) {
            let (order, signed) = (&terms.order_id, intent.signed);
            self.wrong
                .push(format!("{order} was cancelled at {signed} for its time {end:?}"));
        }
    }

    /// A reduce-only order that goes is a sell within what is held, and not set aside for another.
    fn see_reduction(&mut self, state: &State, entry: &Entry) {
        let terms = entry.order.terms();
        if !terms.conditions.reduce_only {
            return;
        }
        let account = state.account(&terms.account).unwrap();
        let (free, order) = (account.free(&entry.base).unwrap(), &terms.order_id);
        if terms.side != Side::Sell || free < Money::ZERO {
            self.wrong.push(format!("{order} is to reduce only, and leaves {free}"));
        }
    }

    fn see_status(&mut self, state: &State, order: u64, after: OrderStatus) {
        let before = state.order(order).map(|entry| entry.order.status());
        let was_absent = matches!(before, Some(OrderStatus::Rejected | OrderStatus::PendingTrigger));
        let is_there = matches!(
            after,
            OrderStatus::Open | OrderStatus::PartiallyFilled | OrderStatus::Filled
        );
        if was_absent && is_there {
            self.adopted.insert(order);
        }
    }

    /// What was wrong, at rest.
    pub(super) fn ended(mut self, state: &State) -> Vec<String> {
        for entry in state.orders() {
            let is_live = entry.order.status().is_live() && entry.cancels < MOST_CANCELS;
            if is_live && self.lost.contains(&entry.accepted) {
                let order = &entry.order.terms().order_id;
                self.wrong.push(format!("{order} lives, and its session was lost"));
            }
            if entry.order.terms().conditions.replaces.is_some() {
                let found = self.replacement(state, entry);
                self.wrong
                    .extend(found.map(|text| format!("{}: {text}", entry.order.terms().order_id)));
            }
            let found = groups::member(state, entry, &self.adopted).into_iter();
            self.wrong
                .extend(found.map(|text| format!("{}: {text}", entry.order.terms().order_id)));
        }
        self.wrong
    }

    /// What is wrong with an order that takes another's place.
    fn replacement(&self, state: &State, new: &Entry) -> Option<String> {
        let Some(old) = new.replaces().and_then(|old| state.order(old)) else {
            return Some("what it replaces is not known".to_owned());
        };
        let (terms, of_old) = (new.order.terms(), old.order.terms());
        if (&terms.account, &terms.symbol, terms.side) != (&of_old.account, &of_old.symbol, of_old.side) {
            return Some(format!("it replaces {}, which is another's", of_old.order_id));
        }
        let newest = old.replaced_by.and_then(|by| state.order(by));
        if newest.is_none_or(|by| by.accepted < new.accepted || by.replaces() != Some(old.accepted)) {
            return Some(format!("{} does not know what replaces it", of_old.order_id));
        }
        let status = new.order.status();
        if old.order.status().is_live() && (status.is_at_venue() || status == OrderStatus::Filled) {
            return Some(format!("it is {status}, and {} lives", of_old.order_id));
        }
        if self.adopted.contains(&old.accepted) || self.adopted.contains(&new.accepted) {
            return None;
        }
        // What both have filled since, and how much was wanted of both then.
        let since = old.order.filled().checked_sub(new.carried).unwrap_or(Quantity::ZERO);
        let both = since.checked_add(new.order.filled()).unwrap();
        let most = terms.quantity.max(since);
        (both > most).then(|| format!("it and {} filled {both} of {most}", of_old.order_id))
    }
}

/// Whether an iceberg has more parts than the venue takes: one that was replaced by a larger one, and shows as much as before.
fn has_too_many_parts(entry: &Entry) -> bool {
    let lots = |quantity: Quantity| parse(&quantity.to_string()).unwrap();
    let shown = entry.order.terms().conditions.display_quantity;
    shown.is_some_and(|shown| lots(entry.order.quantity()) > 10 * lots(shown))
}
