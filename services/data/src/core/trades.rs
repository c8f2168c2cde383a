//! The latest trades of one symbol, for lists and for readers that come at their own pace.

use domain::Trade;
use std::collections::VecDeque;

/// A bounded ring of trades; each has a place in the order of arrival, from zero.
#[derive(Debug)]
pub struct TradeRing {
    trades: VecDeque<Trade>,
    bound: usize,
    pushed: u64,
}

impl TradeRing {
    /// A ring of the `bound` latest trades, at least one.
    pub fn new(bound: usize) -> Self {
        Self {
            trades: VecDeque::new(),
            bound: bound.max(1),
            pushed: 0,
        }
    }

    /// Adds the newest trade, and drops the oldest one when the ring is full.
    pub fn push(&mut self, trade: Trade) {
        if self.trades.len() == self.bound {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
        self.pushed += 1;
    }

    /// The place that the next trade will have.
    pub fn end(&self) -> u64 {
        self.pushed
    }

    /// Trades from place `from` on, oldest first, and how many of them are no longer kept.
    pub fn since(&self, from: u64) -> (Vec<Trade>, u64) {
        let oldest = self.pushed - self.trades.len() as u64;
        let missed = oldest.saturating_sub(from);
        let skip = from.saturating_sub(oldest) as usize;
        (self.trades.iter().skip(skip).cloned().collect(), missed)
    }

    /// The newest trade.
    pub fn newest(&self) -> Option<&Trade> {
        self.trades.back()
    }

    /// At most `count` trades older than the trade with id `before`, newest first.
    pub fn older_than(&self, before: Option<u64>, count: usize) -> Vec<Trade> {
        self.trades
            .iter()
            .rev()
            .filter(|trade| before.is_none_or(|before| trade.trade_id.get() < before))
            .take(count)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::series::testing::trade;

    #[test]
    fn keeps_the_newest_and_says_what_was_missed() {
        let mut ring = TradeRing::new(3);
        assert!(ring.newest().is_none());
        for id in 1..=5 {
            ring.push(trade(id, 1_000 * id as i64, "10", "1", true));
        }
        assert_eq!((ring.end(), ring.newest().unwrap().trade_id.get()), (5, 5));
        let ids = |trades: Vec<Trade>| trades.iter().map(|trade| trade.trade_id.get()).collect::<Vec<_>>();
        let (trades, missed) = ring.since(0);
        assert_eq!((ids(trades), missed), (vec![3, 4, 5], 2));
        let (trades, missed) = ring.since(4);
        assert_eq!((ids(trades), missed), (vec![5], 0));
        assert_eq!(ring.since(5), (vec![], 0));
        assert_eq!(ids(ring.older_than(None, 2)), [5, 4]);
        assert_eq!(ids(ring.older_than(Some(5), 9)), [4, 3]);
    }
}
