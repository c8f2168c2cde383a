//! What clients were told is what the journal says: keys, cancels and halts.

use super::{MOST_CANCELS, Parts};
use crate::instructions::is_until;
use crate::wish::{Asked, Key, Wish};
use domain::{OrderId, Price};
use std::collections::{BTreeMap, BTreeSet};
use trading::codec::Record;
use trading::core::{Entry, Event, HaltScope, State, Submit};

/// Every acknowledged key is one order, with the terms that were asked for, and every order a client's.
pub(super) fn keys(parts: &Parts<'_>, records: &[Record], state: &State) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut accepted: BTreeMap<Key, OrderId> = BTreeMap::new();
    for record in records {
        if let Event::Accepted(event) = &record.event {
            let key = (event.terms.account.clone(), event.terms.client_order_id.clone());
            if accepted.insert(key.clone(), event.terms.order_id.clone()).is_some() {
                wrong.push(format!("{key:?} was accepted twice"));
            }
        }
    }
    let entries: BTreeMap<&OrderId, &Entry> = state
        .orders()
        .map(|entry| (&entry.order.terms().order_id, entry))
        .collect();
    for (key, asked) in &parts.log.asked {
        let acknowledged = asked.orders();
        let keys = asked.wish.keys();
        let journalled: Vec<OrderId> = keys.iter().filter_map(|key| accepted.remove(key)).collect();
        if acknowledged != journalled {
            let said = &asked.said;
            wrong.push(format!("{key:?} was answered {said:?}, the journal has {journalled:?}"));
        }
        let orders = journalled.iter().filter_map(|order| entries.get(order).copied());
        if !is_as_asked(asked, &orders.collect::<Vec<_>>()) {
            wrong.push(format!("{key:?} became another order"));
        }
    }
    if let Some((key, order)) = accepted.first_key_value() {
        wrong.push(format!("nobody asked for {key:?}, which is {order}"));
    }
    for order in &parts.log.cancelled {
        match entries.get(order) {
            Some(entry) if entry.order.status().is_live() && entry.cancels < MOST_CANCELS => {
                wrong.push(format!("{order} was to be cancelled and lives"));
            }
            Some(_) => {}
            None => wrong.push(format!("{order} was cancelled, and nobody knows it")),
        }
    }
    wrong
}

/// Whether the orders that a wish became have its terms.
fn is_as_asked(asked: &Asked, orders: &[&Entry]) -> bool {
    match (&asked.wish, orders) {
        (_, []) => true,
        (Wish::Order(submit), [entry]) => has_terms(submit, entry),
        (Wish::Replace(replace), [entry]) => {
            let terms = entry.order.terms();
            let total = terms.quantity.checked_add(entry.carried).ok();
            terms.conditions.replaces.as_ref() == Some(&replace.order_id)
                && (terms.symbol.clone(), terms.side) == (asked.symbol.clone(), asked.side)
                && (replace.price.is_none() || terms.price == replace.price)
                && (replace.quantity.is_none() || total == replace.quantity || was_cut(entry))
                && (replace.stop_price.is_none() || stop(entry) == replace.stop_price)
        }
        (Wish::Group(group), entries) => {
            let first = &entries[0].order.terms().order_id;
            let members = group.orders.iter().zip(entries);
            let mut all = members.map(|(submit, entry)| {
                let membership = entry.order.terms().conditions.membership.as_ref();
                let is_member = membership.is_some_and(|member| (member.kind, &member.group) == (group.kind, first));
                is_member && has_terms(submit, entry)
            });
            entries.len() == group.orders.len() && all.all(|is_same| is_same)
        }
        _ => false,
    }
}

/// The price that it waits for.
fn stop(entry: &Entry) -> Option<Price> {
    entry.order.terms().conditions.trigger?.stated_price()
}

/// Whether it was cut to what there was to reduce when it was accepted.
fn was_cut(entry: &Entry) -> bool {
    entry.accepted_reason == "REDUCE_ONLY_SHRUNK"
}

fn has_terms(submit: &Submit, entry: &Entry) -> bool {
    let (terms, conditions) = (entry.order.terms(), &entry.order.terms().conditions);
    let is_instructed = (conditions.reduce_only, conditions.display_quantity)
        == (submit.wishes.reduce_only, submit.wishes.display_quantity)
        && is_until(submit.wishes.lasts, conditions.expiry);
    let quantity = match was_cut(entry) {
        true => terms.quantity.max(submit.quantity),
        false => terms.quantity,
    };
    let (of_order, asked) = (
        (
            terms.symbol.clone(),
            terms.side,
            quantity,
            terms.price,
            conditions.trigger,
        ),
        (
            submit.symbol.clone(),
            submit.side,
            submit.quantity,
            submit.price,
            submit.wishes.trigger,
        ),
    );
    is_instructed && of_order == asked
}

/// Acknowledged halts are journalled, and balances taken over at first sight alone.
pub(super) fn halts(parts: &Parts<'_>, records: &[Record]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut set: BTreeSet<(HaltScope, String)> = BTreeSet::new();
    for record in records {
        match &record.event {
            Event::HaltSet(halt) => {
                set.insert((halt.scope, halt.target.clone()));
            }
            // Every fill is told or asked for: nothing is ever left to be adjusted.
            Event::BalancesAdopted(adopted) if adopted.reason != "opening" => {
                wrong.push(format!(
                    "the balances of {} were adopted: {}",
                    adopted.account, adopted.reason
                ));
            }
            _ => {}
        }
    }
    let missing = parts.log.halts.difference(&set);
    wrong.extend(missing.map(|halt| format!("the halt {halt:?} was acknowledged and is not in the journal")));
    wrong
}

/// Acknowledged sessions are journalled, and every session is somebody's.
pub(super) fn sessions(parts: &Parts<'_>, records: &[Record]) -> Vec<String> {
    let opened: BTreeSet<Key> = records
        .iter()
        .filter_map(|record| match &record.event {
            Event::SessionOpened(opened) => Some((opened.account.clone(), opened.session.clone())),
            _ => None,
        })
        .collect();
    let missing = parts.log.sessions.difference(&opened);
    missing
        .map(|session| format!("the session {session:?} was acknowledged and is not in the journal"))
        .collect()
}
