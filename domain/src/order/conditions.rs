//! What an order asks for beyond meeting the book: when it is sent, when it ends, and what it hangs together with.

use super::Trigger;
use super::terms::{ParseTermError, words};
use crate::{OrderId, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

/// When an order that rests is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Expiry {
    /// At the end of the day (UTC) on which it was accepted, which is this time.
    Day(Timestamp),
    /// At this time: good till date.
    At(Timestamp),
}

impl Expiry {
    /// The time at which the order is over.
    pub const fn time(self) -> Timestamp {
        match self {
            Expiry::Day(time) | Expiry::At(time) => time,
        }
    }

    /// The end of the day that `now` is in.
    pub const fn end_of_day(now: Timestamp) -> Expiry {
        const DAY: i64 = 86_400_000_000;
        let into = now.as_micros().rem_euclid(DAY);
        Expiry::Day(now.plus_micros(DAY - into))
    }
}

/// How the orders of a group hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GroupKind {
    /// One cancels the other: two legs, of which one trades.
    Oco,
    /// One triggers the other: an entry, and a child that its fills activate.
    Oto,
    /// An entry, and a take-profit and a stop-loss that its fills activate and that cancel each other.
    Bracket,
}

words!(GroupKind, "group type", Oco = "OCO", Oto = "OTO", Bracket = "BRACKET");

/// An order's place in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// How the group hangs together.
    pub kind: GroupKind,
    /// The group's id: that of its first order, which is the entry of all but an OCO group.
    pub group: OrderId,
}

/// What an order asks for beyond meeting the book; none of it by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// The price that it waits for.
    pub trigger: Option<Trigger>,
    /// When it is over, if it still rests.
    pub expiry: Option<Expiry>,
    /// Whether it may only lessen what is held.
    pub reduce_only: bool,
    /// How much of it the book shows: an iceberg.
    pub display_quantity: Option<Quantity>,
    /// Its place in a group.
    pub membership: Option<Membership>,
    /// The order that it takes the place of.
    pub replaces: Option<OrderId>,
}

impl Conditions {
    /// Whether the order asks for nothing beyond meeting the book.
    pub fn is_plain(&self) -> bool {
        *self == Conditions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight() {
        const DAY: i64 = 86_400_000_000;
        for (now, end) in [(0, DAY), (1, DAY), (DAY - 1, DAY), (DAY, 2 * DAY), (-1, 0)] {
            let expiry = Expiry::end_of_day(Timestamp::from_micros(now));
            assert_eq!(expiry.time().as_micros(), end, "{now}");
        }
        assert_eq!(Expiry::At(Timestamp::EPOCH).time(), Timestamp::EPOCH);
    }

    #[test]
    fn the_default_is_plain() {
        assert!(Conditions::default().is_plain());
        let reduce_only = Conditions {
            reduce_only: true,
            ..Conditions::default()
        };
        assert!(!reduce_only.is_plain());
        for kind in GroupKind::ALL {
            assert_eq!(kind.to_string().parse::<GroupKind>(), Ok(*kind));
        }
        assert_eq!("x".parse::<GroupKind>(), Err(ParseTermError("group type")));
    }
}
