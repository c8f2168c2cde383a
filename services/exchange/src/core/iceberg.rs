//! Orders of which the book shows a part at a time. A part that was taken is followed by the next one, last in the queue of
//! its price.

use super::market::{Market, Owner};
use super::order::Side;
use std::collections::BTreeMap;

/// What the book does not show of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hidden {
    side: Side,
    ticks: i64,
    /// Lots of one part.
    part: i64,
    /// Lots that were not shown yet.
    lots: i64,
}

/// The hidden quantities of one market.
#[derive(Clone, Debug, Default)]
pub(super) struct Icebergs {
    by_id: BTreeMap<u64, Hidden>,
}

impl Icebergs {
    /// Lots of a part and hidden lots of an order; none hidden for one that is no iceberg.
    pub(super) fn of(&self, id: u64) -> (i64, i64) {
        self.by_id.get(&id).map_or((0, 0), |hidden| (hidden.part, hidden.lots))
    }

    /// Lots hidden at a price.
    pub(super) fn hidden_at(&self, side: Side, ticks: i64) -> i64 {
        let there = self
            .by_id
            .values()
            .filter(|hidden| (hidden.side, hidden.ticks) == (side, ticks));
        there.map(|hidden| hidden.lots).sum()
    }

    pub(super) fn forget(&mut self, id: u64) {
        self.by_id.remove(&id);
    }
}

impl Market {
    /// Adds a resting order that shows at most `part` lots at a time; false when it would cross, or the book is full.
    pub(super) fn rest_in_parts(
        &mut self,
        id: u64,
        owner: Owner,
        side: Side,
        ticks: i64,
        lots: i64,
        part: Option<i64>,
    ) -> bool {
        let part = part.unwrap_or(lots);
        let shown = lots.min(part);
        let rests = self.rest(id, owner, side, ticks, shown);
        if rests && lots > shown {
            let lots = lots - shown;
            let hidden = Hidden {
                side,
                ticks,
                part,
                lots,
            };
            self.icebergs.by_id.insert(id, hidden);
        }
        rests
    }

    /// How many lots a taker can take before an iceberg has to show its next part, at most `lots`.
    pub(super) fn until_refill(&self, side: Side, limit: i64, lots: i64) -> i64 {
        if self.icebergs.by_id.is_empty() {
            return lots;
        }
        let mut sum = 0;
        for order in self.book.ahead(side, limit) {
            sum += order.lots;
            if sum >= lots {
                return lots;
            }
            if self.icebergs.by_id.contains_key(&order.id) {
                return sum;
            }
        }
        lots
    }

    /// Shows the next part of an iceberg; false for an order that hides nothing.
    pub(super) fn refill(&mut self, id: u64, side: Side, ticks: i64) -> bool {
        let Some(hidden) = self.icebergs.by_id.get_mut(&id) else {
            return false;
        };
        let shown = hidden.lots.min(hidden.part);
        hidden.lots -= shown;
        if hidden.lots == 0 {
            self.icebergs.forget(id);
        }
        let rests = self.book.rest(id, side, ticks, shown);
        assert!(rests, "a part of it rested at this price until now");
        self.changed(side, ticks);
        true
    }

    /// Takes lots off a resting order, hidden ones first; false when it does not rest with more than `lots`.
    pub(super) fn reduce(&mut self, id: u64, lots: i64) -> bool {
        let (_, hidden) = self.icebergs.of(id);
        let Some(resting) = self.book.resting(id).filter(|resting| resting.lots + hidden > lots) else {
            return false;
        };
        let from_hidden = lots.min(hidden);
        if let Some(iceberg) = self.icebergs.by_id.get_mut(&id) {
            iceberg.lots -= from_hidden;
            if iceberg.lots == 0 {
                self.icebergs.forget(id);
            }
        }
        if lots > from_hidden {
            self.book.reduce(id, lots - from_hidden);
            self.changed(resting.side, resting.ticks);
        }
        true
    }

    /// What is left of a resting order, hidden lots included.
    pub(super) fn left_of(&self, id: u64) -> i64 {
        self.book
            .resting(id)
            .map_or(0, |resting| resting.lots + self.icebergs.of(id).1)
    }
}
