//! The life of an order as one table.

use super::terms::{ParseTermError, words};
use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Held here, and not at the venue: it waits for its price, for its entry's fills, or for the end of the order
    /// that it takes the place of.
    PendingTrigger,
    /// Decided and journalled; the venue has not answered yet.
    PendingNew,
    /// The venue's answer was lost: the order may or may not live there. Its reservation is held.
    Unknown,
    /// At the venue, nothing traded.
    Open,
    /// At the venue, partly traded.
    PartiallyFilled,
    /// A cancel is on its way; the order may still trade.
    PendingCancel,
    /// All of it traded.
    Filled,
    /// Taken back. What traded before, or arrived late, stays in the filled quantity.
    Cancelled,
    /// The venue did not take it, or it never arrived there.
    Rejected,
    /// The venue ended it: the rest of an IOC, FOK or market order.
    Expired,
}

words!(
    OrderStatus,
    "order status",
    PendingTrigger = "PENDING_TRIGGER",
    PendingNew = "PENDING_NEW",
    Unknown = "UNKNOWN",
    Open = "OPEN",
    PartiallyFilled = "PARTIALLY_FILLED",
    PendingCancel = "PENDING_CANCEL",
    Filled = "FILLED",
    Cancelled = "CANCELLED",
    Rejected = "REJECTED",
    Expired = "EXPIRED"
);

/// What can happen to an order, as the table sees it. [`super::Order::apply`] derives the kind from a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderEventKind {
    /// What it waited for has come: it goes to the venue.
    Released,
    /// It is certain that it never arrived at the venue, and it is still wanted: it is held again.
    Returned,
    /// More or less of it is wanted, while it is held.
    Resized,
    /// The venue has the order, and nothing of it has traded as far as we know.
    Accepted,
    /// The venue has the order, and part of it has traded.
    AcceptedPartlyFilled,
    /// The venue refused the order, or it is certain that it never arrived.
    Rejected,
    /// Sent, and no answer within its bound.
    OutcomeUnknown,
    /// Some of it traded, and some is left.
    PartialFill,
    /// The last of it traded.
    CompleteFill,
    /// A cancel was decided.
    CancelRequested,
    /// The venue did not cancel.
    CancelRejected,
    /// The venue cancelled.
    Cancelled,
    /// The venue ended what was left.
    Expired,
}

words!(
    OrderEventKind,
    "order event",
    Released = "RELEASED",
    Returned = "RETURNED",
    Resized = "RESIZED",
    Accepted = "ACCEPTED",
    AcceptedPartlyFilled = "ACCEPTED_PARTLY_FILLED",
    Rejected = "REJECTED",
    OutcomeUnknown = "OUTCOME_UNKNOWN",
    PartialFill = "PARTIAL_FILL",
    CompleteFill = "COMPLETE_FILL",
    CancelRequested = "CANCEL_REQUESTED",
    CancelRejected = "CANCEL_REJECTED",
    Cancelled = "CANCELLED",
    Expired = "EXPIRED"
);

/// A pair that is not in the table: the report contradicts what is known, or says it a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {from} cannot take {event}")]
pub struct IllegalTransition {
    /// Where the order stands.
    pub from: OrderStatus,
    /// What was reported.
    pub event: OrderEventKind,
}

impl IllegalTransition {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        "ORDER_TRANSITION_ILLEGAL"
    }
}

impl OrderStatus {
    /// The table of an order's life, one line a legal edge.
    ///
    /// Reports overtake each other (a fill comes before the acknowledgement, a cancel loses its race), hence:
    ///
    /// - **Fills always win.** A late fill on a cancelled or expired order grows its filled quantity and leaves its
    ///   status, unless it completes the order, which is then filled. A fill on a rejected order revives it: the
    ///   venue traded it, whatever was concluded before.
    /// - A late acknowledgement changes nothing; on a rejected order it revives it (adoption).
    /// - A refused cancel leaves the order's true state open, so that the venue is asked: `Unknown`.
    /// - An order that was held again after it certainly had not arrived, and of which the venue speaks nevertheless,
    ///   is adopted like a rejected one.
    /// - The same end twice is not an edge: whoever receives it has nothing to record.
    pub fn transition(self, event: OrderEventKind) -> Result<OrderStatus, IllegalTransition> {
        use OrderEventKind as Event;
        use OrderStatus::{
            Cancelled, Expired, Filled, Open, PartiallyFilled, PendingCancel, PendingNew, PendingTrigger, Rejected,
            Unknown,
        };
        let next = match (self, event) {
            (PendingTrigger, Event::Released) => PendingNew,
            (PendingTrigger, Event::Resized) => PendingTrigger,
            (PendingTrigger, Event::Accepted) => Open,
            (PendingTrigger, Event::Rejected) => Rejected,
            (PendingTrigger, Event::PartialFill) => PartiallyFilled,
            (PendingTrigger, Event::CompleteFill) => Filled,
            (PendingTrigger, Event::Cancelled) => Cancelled,
            (PendingTrigger, Event::Expired) => Expired,

            (PendingNew, Event::Returned) => PendingTrigger,
            (PendingNew, Event::Accepted) => Open,
            (PendingNew, Event::Rejected) => Rejected,
            (PendingNew, Event::OutcomeUnknown) => Unknown,
            (PendingNew, Event::PartialFill) => PartiallyFilled,
            (PendingNew, Event::CompleteFill) => Filled,
            (PendingNew, Event::CancelRequested) => PendingCancel,
            (PendingNew, Event::Cancelled) => Cancelled,
            (PendingNew, Event::Expired) => Expired,

            (Unknown, Event::Returned) => PendingTrigger,
            (Unknown, Event::Accepted) => Open,
            (Unknown, Event::AcceptedPartlyFilled) => PartiallyFilled,
            (Unknown, Event::Rejected) => Rejected,
            (Unknown, Event::PartialFill) => PartiallyFilled,
            (Unknown, Event::CompleteFill) => Filled,
            (Unknown, Event::CancelRequested) => PendingCancel,
            (Unknown, Event::CancelRejected) => Unknown,
            (Unknown, Event::Cancelled) => Cancelled,
            (Unknown, Event::Expired) => Expired,

            (Open, Event::PartialFill) => PartiallyFilled,
            (Open, Event::CompleteFill) => Filled,
            (Open, Event::CancelRequested) => PendingCancel,
            (Open, Event::CancelRejected) => Open,
            (Open, Event::Cancelled) => Cancelled,
            (Open, Event::Expired) => Expired,

            (PartiallyFilled, Event::AcceptedPartlyFilled) => PartiallyFilled,
            (PartiallyFilled, Event::PartialFill) => PartiallyFilled,
            (PartiallyFilled, Event::CompleteFill) => Filled,
            (PartiallyFilled, Event::CancelRequested) => PendingCancel,
            (PartiallyFilled, Event::CancelRejected) => PartiallyFilled,
            (PartiallyFilled, Event::Cancelled) => Cancelled,
            (PartiallyFilled, Event::Expired) => Expired,

            (PendingCancel, Event::Accepted) => PendingCancel,
            (PendingCancel, Event::AcceptedPartlyFilled) => PendingCancel,
            (PendingCancel, Event::Rejected) => Rejected,
            (PendingCancel, Event::OutcomeUnknown) => Unknown,
            (PendingCancel, Event::PartialFill) => PendingCancel,
            (PendingCancel, Event::CompleteFill) => Filled,
            (PendingCancel, Event::CancelRejected) => Unknown,
            (PendingCancel, Event::Cancelled) => Cancelled,
            (PendingCancel, Event::Expired) => Expired,

            (Filled, Event::AcceptedPartlyFilled) => Filled,
            (Filled, Event::CancelRejected) => Filled,

            (Cancelled, Event::Accepted) => Cancelled,
            (Cancelled, Event::AcceptedPartlyFilled) => Cancelled,
            (Cancelled, Event::PartialFill) => Cancelled,
            (Cancelled, Event::CompleteFill) => Filled,
            (Cancelled, Event::CancelRejected) => Cancelled,

            (Rejected, Event::Accepted) => Open,
            (Rejected, Event::PartialFill) => PartiallyFilled,
            (Rejected, Event::CompleteFill) => Filled,
            (Rejected, Event::CancelRejected) => Rejected,

            (Expired, Event::Accepted) => Expired,
            (Expired, Event::AcceptedPartlyFilled) => Expired,
            (Expired, Event::PartialFill) => Expired,
            (Expired, Event::CompleteFill) => Filled,
            (Expired, Event::CancelRejected) => Expired,

            (from, event) => return Err(IllegalTransition { from, event }),
        };
        Ok(next)
    }

    /// Whether the order is over: it holds no reservation and needs no cancel. Late fills may still arrive.
    pub const fn is_terminal(self) -> bool {
        match self {
            OrderStatus::Filled | OrderStatus::Cancelled | OrderStatus::Rejected | OrderStatus::Expired => true,
            OrderStatus::PendingTrigger
            | OrderStatus::PendingNew
            | OrderStatus::Unknown
            | OrderStatus::Open
            | OrderStatus::PartiallyFilled
            | OrderStatus::PendingCancel => false,
        }
    }

    /// Whether the order may still trade: everything that is not over, the unknown and the held included.
    pub const fn is_live(self) -> bool {
        !self.is_terminal()
    }

    /// Whether the order waits here, and the venue does not have it.
    pub const fn is_held(self) -> bool {
        matches!(self, OrderStatus::PendingTrigger)
    }

    /// Whether the order may live at the venue: it is not over, and not held.
    pub const fn is_at_venue(self) -> bool {
        self.is_live() && !self.is_held()
    }
}
