//! A matching book: price-time priority over whole ticks and lots.
//!
//! Ticks and lots never leave it: whoever owns a book converts with [`crate::Price::ticks`] and
//! [`crate::Quantity::lots`] on the way in and back on the way out. The same calls in the same order give the same
//! effects: ids are looked up in a map with a fixed hash that is never iterated.

mod book;
mod hasher;
mod ladder;
mod slab;

pub use book::MatchingBook;

use crate::{OrderType, Side, TimeInForce};

/// An order on its way into the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// The caller's id; unique among the orders that rest.
    pub id: u64,
    /// Which way.
    pub side: Side,
    /// How it meets the book.
    pub order_type: OrderType,
    /// How long it stays. A market order never rests: for it, good-till-cancelled means immediate-or-cancel.
    pub time_in_force: TimeInForce,
    /// The limit, above zero. For a market order the worst tick it may trade at, or `None` for any.
    pub tick: Option<i64>,
    /// How much, above zero.
    pub lots: u64,
}

impl NewOrder {
    /// A limit order.
    pub fn limit(id: u64, side: Side, time_in_force: TimeInForce, tick: i64, lots: u64) -> Self {
        NewOrder {
            id,
            side,
            order_type: OrderType::Limit,
            time_in_force,
            tick: Some(tick),
            lots,
        }
    }

    /// A market order that trades at any price; what does not trade expires.
    pub fn market(id: u64, side: Side, lots: u64) -> Self {
        NewOrder {
            id,
            side,
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Ioc,
            tick: None,
            lots,
        }
    }

    /// A limit order that is refused rather than trade at once.
    pub fn limit_maker(id: u64, side: Side, tick: i64, lots: u64) -> Self {
        let time_in_force = TimeInForce::Gtc;
        NewOrder {
            id,
            side,
            order_type: OrderType::LimitMaker,
            time_in_force,
            tick: Some(tick),
            lots,
        }
    }
}

/// What became of an order at once. The three always sum to what was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Submitted {
    /// Lots that traded.
    pub filled: u64,
    /// Lots that rest in the book now.
    pub resting: u64,
    /// Lots that expired: the rest of an IOC or market order, or the whole of a FOK one.
    pub expired: u64,
}

/// A trade, always at the maker's tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// The order that rested.
    pub maker_id: u64,
    /// The order that came.
    pub taker_id: u64,
    /// Which way the order that came went.
    pub taker_side: Side,
    /// Where.
    pub tick: i64,
    /// How much.
    pub lots: u64,
    /// What is left of the maker; zero means that it has left the book.
    pub maker_left: u64,
}

/// What now rests at a tick; zero lots means that the level is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelChange {
    /// On which side.
    pub side: Side,
    /// Where.
    pub tick: i64,
    /// How much in all.
    pub lots: u64,
}

/// What calls did to the book, in order. Calls append to it; the caller clears and reuses it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    /// Trades, in order of execution.
    pub executions: Vec<Execution>,
    /// Levels that changed, each with its new total.
    pub levels: Vec<LevelChange>,
}

impl Effects {
    /// Nothing yet.
    pub fn new() -> Self {
        Effects::default()
    }

    /// Empties both lists and keeps their room.
    pub fn clear(&mut self) {
        self.executions.clear();
        self.levels.clear();
    }
}

/// One price level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthLevel {
    /// Where.
    pub tick: i64,
    /// How much rests there in all.
    pub lots: u64,
}

/// An order that rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestingOrder {
    /// The caller's id.
    pub id: u64,
    /// Which way.
    pub side: Side,
    /// Where.
    pub tick: i64,
    /// What is left of it.
    pub lots: u64,
}

/// Why an order was not taken; the book is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MatchingRefusal {
    /// An order of nothing.
    #[error("an order of no lots")]
    LotsZero,
    /// A limit order without a limit.
    #[error("a limit order needs a tick")]
    TickMissing,
    /// A tick below one.
    #[error("tick {tick} is not above zero")]
    TickNotPositive {
        /// The tick given.
        tick: i64,
    },
    /// An order with this id rests already.
    #[error("order {id} rests already")]
    IdInUse {
        /// The id given.
        id: u64,
    },
    /// A limit-maker order that would trade at once.
    #[error("the order would trade at once")]
    WouldTake,
    /// A limit-maker order that is not good-till-cancelled.
    #[error("a limit-maker order is good till cancelled")]
    TimeInForceUnsupported,
    /// One side would hold more lots, or more orders, than can be counted.
    #[error("the book is full")]
    BookFull,
}

impl MatchingRefusal {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            MatchingRefusal::LotsZero => "LOTS_ZERO",
            MatchingRefusal::TickMissing => "TICK_MISSING",
            MatchingRefusal::TickNotPositive { .. } => "TICK_NOT_POSITIVE",
            MatchingRefusal::IdInUse { .. } => "ORDER_ID_IN_USE",
            MatchingRefusal::WouldTake => "WOULD_TAKE",
            MatchingRefusal::TimeInForceUnsupported => "TIME_IN_FORCE_UNSUPPORTED",
            MatchingRefusal::BookFull => "BOOK_FULL",
        }
    }
}

#[cfg(test)]
mod tests;
