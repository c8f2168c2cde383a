//! Orders that hang on each other: replacements.

use crate::exchange::Exchange;
use domain::{OrderStatus, Quantity};
use std::collections::BTreeSet;
use trading::codec::Record;
use trading::core::{Entry, Event, HaltScope, State};

/// Whether a held order may still wait at rest: a halt covers it. Whatever else it waits for has come by then.
pub(super) fn waits_rightly(_: &Exchange, state: &State, held: &Entry) -> bool {
    is_halted(state, held)
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
            Event::Intent(intent) if !intent.cancel => {
                let entry = state.order(intent.order);
                let old = entry.and_then(Entry::replaces).and_then(|old| state.order(old));
                if let (Some(entry), Some(old)) = (entry, old.filter(|old| old.order.status().is_at_venue())) {
                    let (new, old) = (&entry.order.terms().order_id, &old.order.terms().order_id);
                    self.wrong.push(format!("{new} goes to the venue while {old} is there"));
                }
            }
            Event::Changed(changed) => self.see_status(state, changed.order, changed.status),
            Event::Filled(filled) => self.see_status(state, filled.order, filled.status),
            _ => {}
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
            if entry.order.terms().conditions.replaces.is_some() {
                let found = self.replacement(state, entry);
                self.wrong
                    .extend(found.map(|text| format!("{}: {text}", entry.order.terms().order_id)));
            }
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
