//! The resting orders of one symbol in price-time priority, in ticks and lots.

use super::order::Side;
use std::collections::{BTreeMap, VecDeque};

/// A level or an order: price in ticks, quantity in lots.
pub type Quote = (i64, i64);

/// One match of a taker with a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Id of the resting order.
    pub maker: u64,
    /// Its price in ticks.
    pub ticks: i64,
    /// Matched lots.
    pub lots: i64,
    /// What is left of the resting order, in lots.
    pub left: i64,
}

#[derive(Clone, Debug, Default)]
struct Level {
    lots: i64,
    queue: VecDeque<(u64, i64)>,
}

/// The book.
#[derive(Clone, Debug, Default)]
pub struct Book {
    bids: BTreeMap<i64, Level>,
    asks: BTreeMap<i64, Level>,
    places: BTreeMap<u64, (Side, i64)>,
}

impl Book {
    fn side(&self, side: Side) -> &BTreeMap<i64, Level> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<i64, Level> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// The best level of a side.
    pub fn best(&self, side: Side) -> Option<Quote> {
        let level = match side {
            Side::Buy => self.bids.last_key_value(),
            Side::Sell => self.asks.first_key_value(),
        };
        level.map(|(ticks, level)| (*ticks, level.lots))
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = Quote> + '_> {
        let quote = |(ticks, level): (&i64, &Level)| (*ticks, level.lots);
        match side {
            Side::Buy => Box::new(self.bids.iter().rev().map(quote)),
            Side::Sell => Box::new(self.asks.iter().map(quote)),
        }
    }

    /// Lots resting at a price.
    pub fn lots_at(&self, side: Side, ticks: i64) -> i64 {
        self.side(side).get(&ticks).map_or(0, |level| level.lots)
    }

    /// Whether an order on `side` at `ticks` would meet a resting order.
    pub fn would_take(&self, side: Side, ticks: i64) -> bool {
        self.best(side.opposite()).is_some_and(|(best, _)| acceptable(side, ticks, best))
    }

    /// Takes up to `lots` from the other side at `limit` or better, best price and oldest order first.
    pub fn take(&mut self, side: Side, limit: i64, mut lots: i64) -> Vec<Match> {
        let mut matches = Vec::new();
        let resting = side.opposite();
        while lots > 0 {
            let Some((ticks, _)) = self.best(resting).filter(|(best, _)| acceptable(side, limit, *best)) else { break };
            let level = self.side_mut(resting).get_mut(&ticks).expect("best names a level that exists");
            let (maker, held) = *level.queue.front().expect("a level holds at least one order");
            let matched = held.min(lots);
            let left = held - matched;
            level.lots -= matched;
            if left == 0 {
                level.queue.pop_front();
            } else {
                level.queue[0].1 = left;
            }
            if level.queue.is_empty() {
                self.side_mut(resting).remove(&ticks);
            }
            if left == 0 {
                self.places.remove(&maker);
            }
            lots -= matched;
            matches.push(Match { maker, ticks, lots: matched, left });
        }
        matches
    }

    /// Adds an order behind those of its price. It must not cross: take first.
    pub fn rest(&mut self, id: u64, side: Side, ticks: i64, lots: i64) {
        let level = self.side_mut(side).entry(ticks).or_default();
        level.lots += lots;
        level.queue.push_back((id, lots));
        self.places.insert(id, (side, ticks));
    }

    /// Removes an order, and says where it was.
    pub fn cancel(&mut self, id: u64) -> Option<(Side, i64)> {
        let (side, ticks) = self.places.remove(&id)?;
        let level = self.side_mut(side).get_mut(&ticks).expect("a placed order has a level");
        let position = level.queue.iter().position(|(resting, _)| *resting == id).expect("a placed order is queued");
        let (_, lots) = level.queue.remove(position).expect("the position was found");
        level.lots -= lots;
        if level.queue.is_empty() {
            self.side_mut(side).remove(&ticks);
        }
        Some((side, ticks))
    }
}

fn acceptable(side: Side, limit: i64, best: i64) -> bool {
    match side {
        Side::Buy => best <= limit,
        Side::Sell => best >= limit,
    }
}
