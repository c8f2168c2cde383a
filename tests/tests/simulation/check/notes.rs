//! What the journal says has happened, counted by name.

use crate::states::State as Reached;
use crate::world::World;
use domain::{Expiry, OrderStatus, OrderType, Trigger};
use trading::codec::Record;
use trading::core::{Changed, Entry, Event, Filled, State};

/// Notes what the journal says has happened.
pub(super) fn note(world: &World, state: &State, record: &Record) {
    use OrderStatus::{Open, PartiallyFilled, PendingCancel, PendingNew, PendingTrigger, Rejected, Unknown};
    match &record.event {
        Event::Filled(filled) => {
            let entry = state.order(filled.order);
            if let Some(entry) = entry {
                filled_of(world, entry, filled);
            }
            let is_replaced = entry.is_some_and(|entry| entry.replaced_by.is_some());
            match entry.map(|entry| entry.order.status()) {
                Some(PendingNew) => world.note(Reached::FillBeforeAck),
                Some(PendingCancel) if is_replaced => world.note(Reached::FillMetReplace),
                Some(PendingCancel) => world.note(Reached::CancelCrossedByFill),
                Some(Rejected) => world.note(Reached::Adopted),
                Some(Unknown) => world.note(Reached::AckAfterTimeout),
                _ => {}
            }
        }
        Event::Changed(changed) => {
            let before = state.order(changed.order).map(|entry| entry.order.status());
            if let Some(entry) = state.order(changed.order) {
                changed_of(world, entry, changed);
            }
            match (before, changed.status, changed.reason.as_str()) {
                (_, Unknown, _) => world.note(Reached::OutcomeUnknown),
                (Some(Unknown), Open | PartiallyFilled, _) => world.note(Reached::AckAfterTimeout),
                (Some(Rejected), Open | PartiallyFilled, _) => world.note(Reached::Adopted),
                (_, PendingTrigger, _) => world.note(Reached::HeldAgain),
                (_, _, "OCO_TRIGGERED" | "OCO_ENDED" | "OCO_FILLED") => world.note(Reached::OtherLegEnded),
                (_, _, "ENTRY_ENDED") => world.note(Reached::EntryEnded),
                (_, Rejected, "REPLACED_ORDER_FILLED") => world.note(Reached::ReplacedFilled),
                (_, Rejected, "NEVER_REACHED_VENUE") => world.note(Reached::AbsentConcluded),
                (_, Rejected, "SEND_WINDOW_PASSED") => world.note(Reached::WindowPassed),
                (_, Rejected, _) => world.note(Reached::VenueRejected),
                _ => {}
            }
        }
        Event::Intent(intent) if intent.cancel && state.order(intent.order).is_some_and(|entry| entry.cancels > 0) => {
            world.note(Reached::CancelRepeated);
        }
        event @ (Event::Accepted(_) | Event::Refused(_)) => asked(world, event),
        event => held(world, state, event),
    }
}

/// As [`note`], of what was asked of an order beside its terms.
fn changed_of(world: &World, entry: &Entry, changed: &Changed) {
    let conditions = &entry.order.terms().conditions;
    let rested = changed.status == OrderStatus::Open;
    match changed.reason.as_str() {
        "EXPIRE_TIME" if changed.status == OrderStatus::Expired => {
            world.note(match entry.order.status().is_held() {
                true => Reached::ExpiredHere,
                false => Reached::ExpiredAtVenue,
            });
            if matches!(conditions.expiry, Some(Expiry::Day(_))) {
                world.note(Reached::ExpiredAtMidnight);
            }
        }
        "WOULD_TRADE_AT_ONCE" => world.note(Reached::PostOnlyRefused),
        _ => {}
    }
    if rested && entry.order.terms().order_type == OrderType::LimitMaker {
        world.note(Reached::PostOnlyRested);
    }
    let is_iceberg = conditions
        .display_quantity
        .is_some_and(|shown| shown < entry.order.quantity());
    if rested && is_iceberg {
        world.note(Reached::IcebergRested);
    }
}

/// As [`changed_of`], when it fills.
fn filled_of(world: &World, entry: &Entry, filled: &Filled) {
    if entry.cancel_reason == "EXPIRE_TIME" && entry.order.status() == OrderStatus::PendingCancel {
        world.note(Reached::ExpiryCrossedByFill);
    }
    let sum = entry.order.filled().checked_add(filled.fill.quantity).unwrap();
    let shown = entry.order.terms().conditions.display_quantity;
    if shown.is_some_and(|shown| shown < sum && shown < entry.order.quantity()) {
        world.note(Reached::IcebergRefilled);
    }
}

/// As [`note`], of requests.
fn asked(world: &World, event: &Event) {
    match event {
        Event::Accepted(accepted) if accepted.reason == "REDUCE_ONLY_SHRUNK" => world.note(Reached::ReduceOnlyCut),
        Event::Refused(refused) => match refused.refusal.reason.as_ref() {
            "REDUCE_ONLY_NOTHING_TO_REDUCE" => world.note(Reached::ReduceOnlyRefused),
            "EXPIRE_TIME_PAST" => world.note(Reached::ExpiredUnsent),
            "ICEBERG_UNSUPPORTED" => world.note(Reached::IcebergRefused),
            _ => {}
        },
        _ => {}
    }
}

/// As [`note`], of orders that wait or hang on others.
fn held(world: &World, state: &State, event: &Event) {
    match event {
        Event::Triggered(fired) => {
            let trigger = state
                .order(fired.order)
                .and_then(|entry| entry.order.terms().conditions.trigger);
            world.note(match trigger {
                Some(Trigger::TakeProfit(_)) => Reached::ProfitTaken,
                _ => Reached::StopFired,
            });
        }
        Event::TrailMoved(moved) if state.order(moved.order).is_some_and(|entry| entry.extreme.is_some()) => {
            world.note(Reached::TrailMoved);
        }
        Event::Resized(resized) => {
            let entry = state.order(resized.order);
            if entry.is_some_and(|entry| entry.parent().is_some()) {
                world.note(Reached::ChildResized);
            }
        }
        Event::Released(released) => {
            let entry = state.order(released.order);
            if entry.is_some_and(|entry| entry.parent().is_some()) {
                world.note(Reached::ChildSent);
            }
            if entry.is_some_and(|entry| entry.replaces().is_some()) {
                world.note(Reached::Replaced);
            }
            if entry.is_some_and(|entry| released.quantity < entry.order.quantity()) {
                world.note(Reached::CutAtRelease);
            }
        }
        Event::SessionClosed(closed) => {
            let live = state.account(&closed.account).map_or(0, |account| account.live.len());
            match closed.lost {
                true if live > 0 => world.note(Reached::SessionLost),
                true => {}
                false => world.note(Reached::SessionClosed),
            }
        }
        Event::CancelRequested(request) => match request.reason.as_str() {
            "OCO_TRIGGERED" => world.note(Reached::OtherLegCancelled),
            "CHILD_TRIGGERED" => world.note(Reached::EntryCancelled),
            "OCO_ENDED" => world.note(Reached::OtherLegEnded),
            _ => {}
        },
        _ => {}
    }
}

/// Two acceptances at the same time were one commit: the clock stands still within a decision round.
pub(super) fn group_commits(world: &World, records: &[Record]) {
    let accepted: Vec<_> = records
        .iter()
        .filter(|record| matches!(record.event, Event::Accepted(_) | Event::Refused(_)))
        .collect();
    let together = accepted.windows(2).filter(|pair| pair[0].time == pair[1].time).count();
    (0..together).for_each(|_| world.note(Reached::GroupCommit));
}
