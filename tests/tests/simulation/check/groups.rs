//! Orders that hang together: at rest each has ended, or waits, by the rule of its group.

use super::MOST_CANCELS;
use domain::{GroupKind, OrderStatus, Quantity};
use std::collections::BTreeSet;
use trading::core::{Entry, State};

/// The other leg of an order's pair: of an OCO group, or of a bracket's exits.
pub(super) fn rival<'a>(state: &'a State, entry: &Entry) -> Option<&'a Entry> {
    let kind = kind(entry)?;
    let first = entry.group()?;
    let is_leg = |other: &Entry| match kind {
        GroupKind::Oco => true,
        GroupKind::Oto => false,
        GroupKind::Bracket => other.accepted != first,
    };
    let mut others = state.group(first).filter(|other| other.accepted != entry.accepted);
    others.find(|other| is_leg(other)).filter(|_| is_leg(entry))
}

fn kind(entry: &Entry) -> Option<GroupKind> {
    let membership = entry.order.terms().conditions.membership.as_ref()?;
    Some(membership.kind)
}

/// What is wrong with a member of a group at rest. What the venue has broken its word on is judged by its end alone.
pub(super) fn member(state: &State, entry: &Entry, adopted: &BTreeSet<u64>) -> Vec<String> {
    let mut wrong = Vec::new();
    let others: Vec<&Entry> = entry.group().into_iter().flat_map(|first| state.group(first)).collect();
    let is_adopted = others.iter().any(|other| adopted.contains(&other.accepted));
    let parent = entry.parent().and_then(|parent| state.order(parent));
    let rival = rival(state, entry);
    if !is_adopted {
        let (most, of_whom) = match parent {
            Some(parent) => (parent.order.filled(), "its entry"),
            None => (entry.order.terms().quantity, "its pair"),
        };
        let of_rival = rival.map_or(Quantity::ZERO, |rival| rival.order.filled());
        let both = entry.order.filled().checked_add(of_rival).unwrap();
        if both > most {
            wrong.push(format!("it and the other leg filled {both} of the {most} of {of_whom}"));
        }
    }
    if let Some(rival) = rival {
        wrong.extend(beside(entry, rival));
    }
    if let Some(parent) = parent
        && parent.order.status().is_terminal()
        && parent.order.filled().is_zero()
        && lives_on(entry)
    {
        wrong.push("its entry ended without a fill, and it lives".to_owned());
    }
    wrong
}

/// What is wrong with a leg as the other one stands.
fn beside(entry: &Entry, rival: &Entry) -> Option<String> {
    if !lives_on(entry) {
        return None;
    }
    let status = rival.order.status();
    let rival_fired = rival.triggered.is_some();
    match status {
        OrderStatus::Filled => Some("the other leg is filled, and it lives".to_owned()),
        OrderStatus::Cancelled | OrderStatus::Expired if !rival_fired && entry.triggered.is_none() => {
            Some("the other leg was cancelled, and it lives".to_owned())
        }
        _ if rival_fired && status.is_at_venue() => Some("the other leg fired, and it lives".to_owned()),
        _ => None,
    }
}

/// Whether it lives, and not only since the venue would not cancel it.
fn lives_on(entry: &Entry) -> bool {
    entry.order.status().is_live() && entry.cancels < MOST_CANCELS
}
