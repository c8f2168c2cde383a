//! An L2 order book: what a venue shows, level by level.
//!
//! A snapshot shows the best levels of each side, up to a limit. Beyond the worst of them the venue has more, of
//! which nothing is known until a diff names it: such levels are **unknown, not absent**. The book keeps that range
//! and never hands out a level beyond it as if the list were complete.

use crate::{Price, Quantity, Side};
use std::collections::BTreeMap;

/// One price with what rests there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BookLevel {
    /// The price.
    pub price: Price,
    /// The sum of what rests there.
    pub quantity: Quantity,
}

/// How far from the best price one side of a book is known completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Known {
    /// No snapshot has been applied: nothing is known.
    #[default]
    Nothing,
    /// Known from the best price to this one, inclusive.
    To(Price),
    /// The snapshot held the whole side.
    Everything,
}

/// Both sides of a market by price. [`Side::Buy`] names the bids, [`Side::Sell`] the asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    bids: BTreeMap<Price, Quantity>,
    asks: BTreeMap<Price, Quantity>,
    bids_known: Known,
    asks_known: Known,
}

impl Book {
    /// A book of which nothing is known.
    pub fn new() -> Self {
        Book::default()
    }

    /// Replaces the book by a snapshot that was asked for with at most `limit` levels a side.
    ///
    /// A side with fewer levels than `limit` is known whole; otherwise it is known to its worst level. Levels of
    /// quantity zero are not there.
    pub fn apply_snapshot(
        &mut self,
        bids: impl IntoIterator<Item = (Price, Quantity)>,
        asks: impl IntoIterator<Item = (Price, Quantity)>,
        limit: usize,
    ) {
        self.bids = levels_of(bids);
        self.asks = levels_of(asks);
        self.bids_known = known(self.bids.len(), limit, self.bids.keys().next());
        self.asks_known = known(self.asks.len(), limit, self.asks.keys().next_back());
    }

    /// Sets what rests at a price; zero removes the level. Returns what rested there before.
    pub fn apply_level(&mut self, side: Side, price: Price, quantity: Quantity) -> Quantity {
        let levels = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let before = if quantity.is_zero() {
            levels.remove(&price)
        } else {
            levels.insert(price, quantity)
        };
        before.unwrap_or(Quantity::ZERO)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Book::default();
    }

    /// The highest bid.
    pub fn best_bid(&self) -> Option<BookLevel> {
        self.bids.last_key_value().map(level)
    }

    /// The lowest ask.
    pub fn best_ask(&self) -> Option<BookLevel> {
        self.asks.first_key_value().map(level)
    }

    /// Whether the highest bid reaches the lowest ask, which no venue's book does: a sign of a wrong book.
    pub fn is_crossed(&self) -> bool {
        match (self.best_bid(), self.best_ask()) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }

    /// Whether no level is held.
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// What is held at a price. `None` means unknown; zero means known to be absent.
    pub fn quantity_at(&self, side: Side, price: Price) -> Option<Quantity> {
        let levels = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        match levels.get(&price) {
            Some(quantity) => Some(*quantity),
            None => self.is_known(side, price).then_some(Quantity::ZERO),
        }
    }

    /// The `n` best bids and asks, best first, ending where knowledge ends.
    pub fn top(&self, n: usize) -> (Vec<BookLevel>, Vec<BookLevel>) {
        (
            self.known_levels(Side::Buy).take(n).collect(),
            self.known_levels(Side::Sell).take(n).collect(),
        )
    }

    /// Every level held, best first, with those beyond the known range, where others may be missing.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = BookLevel> + '_ {
        let (bids, asks) = match side {
            Side::Buy => (Some(self.bids.iter().rev()), None),
            Side::Sell => (None, Some(self.asks.iter())),
        };
        bids.into_iter().flatten().chain(asks.into_iter().flatten()).map(level)
    }

    /// The levels of one side within its known range, best first: complete, with nothing missing between.
    pub fn known_levels(&self, side: Side) -> impl Iterator<Item = BookLevel> + '_ {
        self.levels(side)
            .take_while(move |level| self.is_known(side, level.price))
    }

    /// How far one side is known.
    pub fn known(&self, side: Side) -> Known {
        match side {
            Side::Buy => self.bids_known,
            Side::Sell => self.asks_known,
        }
    }

    /// Whether a price lies within the known range of a side.
    pub fn is_known(&self, side: Side, price: Price) -> bool {
        match (self.known(side), side) {
            (Known::Nothing, _) => false,
            (Known::Everything, _) => true,
            (Known::To(worst), Side::Buy) => price >= worst,
            (Known::To(worst), Side::Sell) => price <= worst,
        }
    }

    /// How many levels one side holds.
    pub fn len(&self, side: Side) -> usize {
        match side {
            Side::Buy => self.bids.len(),
            Side::Sell => self.asks.len(),
        }
    }
}

fn level((price, quantity): (&Price, &Quantity)) -> BookLevel {
    BookLevel {
        price: *price,
        quantity: *quantity,
    }
}

fn levels_of(levels: impl IntoIterator<Item = (Price, Quantity)>) -> BTreeMap<Price, Quantity> {
    levels.into_iter().filter(|(_, quantity)| !quantity.is_zero()).collect()
}

fn known(count: usize, limit: usize, worst: Option<&Price>) -> Known {
    match worst {
        _ if limit == 0 => Known::Nothing,
        Some(worst) if count >= limit => Known::To(*worst),
        _ => Known::Everything,
    }
}

#[cfg(test)]
mod tests;
