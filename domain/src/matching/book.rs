//! The engine: refuse first, then trade, then rest.

use super::hasher::BuildIdHasher;
use super::ladder::{Ladder, Level};
use super::slab::{NONE, Slab, Slot};
use super::{DepthLevel, Effects, Execution, LevelChange, MatchingRefusal, NewOrder, RestingOrder, Submitted};
use crate::{OrderType, Side, TimeInForce};
use std::collections::HashMap;

/// Orders of one instrument in price-time priority.
///
/// A submit costs one look at the best level across, plus its trades, plus one search among the levels of its own
/// side; a cancel costs one look-up by id, and that search.
#[derive(Debug, Clone, Default)]
pub struct MatchingBook {
    bids: Ladder,
    asks: Ladder,
    orders: Slab,
    by_id: HashMap<u64, u32, BuildIdHasher>,
}

fn rank(side: Side, tick: i64) -> i64 {
    match side {
        Side::Buy => tick,
        Side::Sell => -tick,
    }
}

/// The inverse of [`rank`], which is its own inverse.
fn tick(side: Side, rank: i64) -> i64 {
    self::rank(side, rank)
}

impl MatchingBook {
    /// An empty book.
    pub fn new() -> Self {
        MatchingBook::default()
    }

    /// Takes an order: trades what can be traded, then rests or expires the remainder by its time in force.
    ///
    /// Trades and changed levels are appended to `effects`. A refusal changes nothing.
    pub fn submit(&mut self, order: NewOrder, effects: &mut Effects) -> Result<Submitted, MatchingRefusal> {
        self.check(&order)?;
        let across = order.side.opposite();
        // Ranks across the book are the negatives of ours.
        let worst_rank = order.tick.map_or(i64::MIN, |limit| rank(across, limit));
        if order.time_in_force == TimeInForce::Fok
            && self.ladder(across).lots_within(worst_rank, order.lots) < order.lots
        {
            return Ok(Submitted {
                expired: order.lots,
                ..Submitted::default()
            });
        }

        // The point of no return: nothing below can fail.
        let left = self.take(&order, worst_rank, effects);
        let filled = order.lots - left;
        let rests = order.order_type != OrderType::Market && order.time_in_force == TimeInForce::Gtc;
        match (left, rests, order.tick) {
            (1.., true, Some(limit)) => {
                self.rest(&order, limit, left, effects);
                Ok(Submitted {
                    filled,
                    resting: left,
                    expired: 0,
                })
            }
            _ => Ok(Submitted {
                filled,
                resting: 0,
                expired: left,
            }),
        }
    }

    /// Takes an order out of the book; what was left of it, or `None` when no such order rests.
    pub fn cancel(&mut self, id: u64, effects: &mut Effects) -> Option<RestingOrder> {
        let place = self.by_id.remove(&id)?;
        let order = resting(&self.orders[place]);
        let orders = &mut self.orders;
        let slot = orders[place];
        if slot.previous != NONE {
            orders[slot.previous].next = slot.next;
        }
        if slot.next != NONE {
            orders[slot.next].previous = slot.previous;
        }
        let ladder = match order.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let lots = ladder.unlink(&slot, place);
        orders.remove(place);
        effects.levels.push(LevelChange {
            side: order.side,
            tick: order.tick,
            lots,
        });
        Some(order)
    }

    /// Takes `lots` off a resting order, which keeps its place in the queue; what is left of it.
    ///
    /// `None`, and no change, when no such order rests, or when nothing would be taken off or left.
    pub fn reduce(&mut self, id: u64, lots: u64, effects: &mut Effects) -> Option<RestingOrder> {
        let place = *self.by_id.get(&id)?;
        let slot = &mut self.orders[place];
        if lots == 0 || lots >= slot.lots {
            return None;
        }
        slot.lots -= lots;
        let (order, rank) = (resting(slot), slot.rank);
        let ladder = match order.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        effects.levels.push(LevelChange {
            side: order.side,
            tick: order.tick,
            lots: ladder.shrink(rank, lots),
        });
        Some(order)
    }

    /// The best level of a side.
    pub fn best(&self, side: Side) -> Option<DepthLevel> {
        self.ladder(side).best().map(|level| depth(side, level))
    }

    /// The levels of a side, best first.
    pub fn depth(&self, side: Side) -> impl Iterator<Item = DepthLevel> + '_ {
        self.ladder(side).iter().map(move |level| depth(side, level))
    }

    /// What rests at a tick.
    pub fn lots_at(&self, side: Side, tick: i64) -> u64 {
        if tick <= 0 {
            return 0;
        }
        self.ladder(side).get(rank(side, tick)).map_or(0, |level| level.lots)
    }

    /// Lots that an order on `side` could take at once at `limit` or better (`None`: any), counted up to `enough`.
    pub fn takeable(&self, side: Side, limit: Option<i64>, enough: u64) -> u64 {
        let across = side.opposite();
        let worst_rank = limit.map_or(i64::MIN, |limit| rank(across, limit.max(0)));
        self.ladder(across).lots_within(worst_rank, enough)
    }

    /// An order that rests.
    pub fn order(&self, id: u64) -> Option<RestingOrder> {
        self.by_id.get(&id).map(|&place| resting(&self.orders[place]))
    }

    /// Every order of a side in priority: best level first, oldest first in it. Submitted to an empty book in this
    /// order as good-till-cancelled, they rebuild it.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = RestingOrder> + '_ {
        self.ladder(side).iter().flat_map(move |level| self.queue(level.head))
    }

    /// How many orders rest.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether no order rests.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn queue(&self, head: u32) -> impl Iterator<Item = RestingOrder> + '_ {
        let place_at = |place: u32| (place != NONE).then_some(place);
        std::iter::successors(place_at(head), move |&place| place_at(self.orders[place].next))
            .map(|place| resting(&self.orders[place]))
    }

    fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn check(&self, order: &NewOrder) -> Result<(), MatchingRefusal> {
        if order.lots == 0 {
            return Err(MatchingRefusal::LotsZero);
        }
        match order.tick {
            Some(tick) if tick <= 0 => return Err(MatchingRefusal::TickNotPositive { tick }),
            None if order.order_type != OrderType::Market => return Err(MatchingRefusal::TickMissing),
            _ => {}
        }
        if self.by_id.contains_key(&order.id) {
            return Err(MatchingRefusal::IdInUse { id: order.id });
        }
        if self.orders.is_full() || !self.ladder(order.side).has_room_for(order.lots) {
            return Err(MatchingRefusal::BookFull);
        }
        if order.order_type == OrderType::LimitMaker {
            if order.time_in_force != TimeInForce::Gtc {
                return Err(MatchingRefusal::TimeInForceUnsupported);
            }
            if self.takeable(order.side, order.tick, 1) > 0 {
                return Err(MatchingRefusal::WouldTake);
            }
        }
        Ok(())
    }

    /// Trades against the other side down to `worst_rank`; the lots that found nobody.
    fn take(&mut self, order: &NewOrder, worst_rank: i64, effects: &mut Effects) -> u64 {
        let across = order.side.opposite();
        let ladder = match across {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let mut left = order.lots;
        while left > 0 {
            let Some(&Level {
                rank,
                lots: level_lots,
                mut head,
                ..
            }) = ladder.best().filter(|level| level.rank >= worst_rank)
            else {
                break;
            };
            let tick = tick(across, rank);
            let left_before = left;
            while left > 0 && head != NONE {
                let maker = &mut self.orders[head];
                let lots = left.min(maker.lots);
                maker.lots -= lots;
                left -= lots;
                let (maker_id, maker_left, next) = (maker.id, maker.lots, maker.next);
                let taker_side = order.side;
                effects.executions.push(Execution {
                    maker_id,
                    taker_id: order.id,
                    taker_side,
                    tick,
                    lots,
                    maker_left,
                });
                if maker_left == 0 {
                    self.by_id.remove(&maker_id);
                    self.orders.remove(head);
                    head = next;
                }
            }
            if head != NONE {
                self.orders[head].previous = NONE;
            }
            let taken = left_before - left;
            ladder.set_best(taken, head);
            effects.levels.push(LevelChange {
                side: across,
                tick,
                lots: level_lots - taken,
            });
        }
        left
    }

    fn rest(&mut self, order: &NewOrder, tick: i64, lots: u64, effects: &mut Effects) {
        let slot = Slot {
            id: order.id,
            lots,
            rank: rank(order.side, tick),
            is_buy: order.side == Side::Buy,
            previous: NONE,
            next: NONE,
        };
        let place = self.orders.insert(slot);
        self.by_id.insert(order.id, place);
        let ladder = match order.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let lots = ladder.push(&mut self.orders, place);
        effects.levels.push(LevelChange {
            side: order.side,
            tick,
            lots,
        });
    }
}

fn depth(side: Side, level: &Level) -> DepthLevel {
    DepthLevel {
        tick: tick(side, level.rank),
        lots: level.lots,
    }
}

fn resting(slot: &Slot) -> RestingOrder {
    let side = if slot.is_buy { Side::Buy } else { Side::Sell };
    RestingOrder {
        id: slot.id,
        side,
        tick: tick(side, slot.rank),
        lots: slot.lots,
    }
}
