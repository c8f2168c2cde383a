//! What an order would get from a book, found out without touching it: the exact course of [`super::trading`].

use super::book::Resting;
use super::market::{Market, Owner};
use super::order::{SelfTradePrevention, Side};
use super::units::Atoms;
use std::collections::VecDeque;

/// What an order may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appetite<'a> {
    /// Whose order it is, and what happens when it meets another one of theirs.
    pub owner: Option<(&'a str, SelfTradePrevention)>,
    /// Buy or sell.
    pub side: Side,
    /// Worst acceptable price in ticks.
    pub limit: i64,
    /// Lots at most.
    pub lots: i64,
    /// Quote value at most.
    pub value: Atoms,
}

/// What it would get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Lots.
    pub lots: i64,
    /// Quote value.
    pub value: Atoms,
}

/// The worst price of an order without a limit, in ticks.
pub(super) fn worst_ticks(side: Side) -> i64 {
    if side == Side::Buy { i64::MAX } else { 1 }
}

impl Reach {
    /// Adds what can be had of `lots` at a price; whether the appetite goes on.
    fn add(&mut self, market: &Market, ticks: i64, lots: i64, left: &mut i64, value: Atoms) -> bool {
        let one = market.listing.value(ticks, 1);
        let affordable = i64::try_from((value - self.value) / one).unwrap_or(i64::MAX);
        let taken = lots.min(*left).min(affordable);
        self.lots += taken;
        self.value += one * Atoms::from(taken);
        *left -= taken;
        taken == lots && *left > 0
    }
}

impl Market {
    /// What an order would get.
    pub fn reach(&self, appetite: Appetite<'_>) -> Reach {
        match appetite.owner {
            Some((owner, mode)) if mode != SelfTradePrevention::None => self.reach_past_own(appetite, owner, mode),
            _ => self.reach_all(appetite),
        }
    }

    fn reach_all(&self, appetite: Appetite<'_>) -> Reach {
        let (mut reach, mut left) = (Reach::default(), appetite.lots);
        let across = appetite.side.opposite();
        for (ticks, shown) in self.book.levels(across) {
            let within = match appetite.side {
                Side::Buy => ticks <= appetite.limit,
                Side::Sell => ticks >= appetite.limit,
            };
            let lots = shown.saturating_add(self.icebergs.hidden_at(across, ticks));
            if !within || !reach.add(self, ticks, lots, &mut left, appetite.value) {
                break;
            }
        }
        reach
    }

    /// Order by order, because it matters what lies before an own one.
    fn reach_past_own(&self, appetite: Appetite<'_>, owner: &str, mode: SelfTradePrevention) -> Reach {
        let (mut reach, mut left) = (Reach::default(), appetite.lots);
        let mut orders = self.book.ahead(appetite.side, appetite.limit).peekable();
        while let Some(first) = orders.next() {
            let part = |order: Resting| {
                let (part, hidden) = self.icebergs.of(order.id);
                (order.id, order.lots, part, hidden)
            };
            let mut queue = VecDeque::from([part(first)]);
            while let Some(next) = orders.next_if(|order| order.ticks == first.ticks) {
                queue.push_back(part(next));
            }
            while let Some((id, shown, part, hidden)) = queue.pop_front() {
                if self.is_owned_by(id, owner) {
                    match mode {
                        SelfTradePrevention::ExpireMaker => {}
                        SelfTradePrevention::Decrement => left -= left.min(shown + hidden),
                        _ => left = 0,
                    }
                    if left == 0 {
                        return reach;
                    }
                    continue;
                }
                if !reach.add(self, first.ticks, shown, &mut left, appetite.value) {
                    return reach;
                }
                if hidden > 0 {
                    let refill = hidden.min(part);
                    queue.push_back((id, refill, part, hidden - refill));
                }
            }
        }
        reach
    }

    fn is_owned_by(&self, id: u64, account: &str) -> bool {
        matches!(self.owners.get(&id), Some(Owner::Account(name)) if name == account)
    }

    /// The order that a taker meets first.
    pub(super) fn first_met(&self, side: Side) -> Option<u64> {
        self.book.ahead(side, worst_ticks(side)).next().map(|order| order.id)
    }

    /// How many lots lie before the first own order that a taker meets within `lots`, and that order.
    pub(super) fn until_own(&self, side: Side, limit: i64, lots: i64, account: &str) -> (i64, Option<u64>) {
        let mut sum: i64 = 0;
        for order in self.book.ahead(side, limit) {
            if sum >= lots {
                break;
            }
            if self.is_owned_by(order.id, account) {
                return (sum, Some(order.id));
            }
            sum = sum.saturating_add(order.lots);
        }
        (lots, None)
    }
}
