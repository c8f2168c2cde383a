//! The book against a model so plain that it can be seen to be right: one vector, sorted at each step.

use crate::matching::{
    DepthLevel, Effects, Execution, LevelChange, MatchingBook, MatchingRefusal, NewOrder, RestingOrder, Submitted,
};
use crate::{OrderType, Side, TimeInForce};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Default)]
struct Model {
    /// Oldest first.
    orders: Vec<RestingOrder>,
}

impl Model {
    fn priority(&self, side: Side) -> Vec<RestingOrder> {
        let mut queue: Vec<RestingOrder> = self.orders.iter().copied().filter(|order| order.side == side).collect();
        // A stable sort: equal prices stay in order of arrival.
        queue.sort_by_key(|order| if side == Side::Buy { -order.tick } else { order.tick });
        queue
    }

    fn submit(&mut self, new: NewOrder, executions: &mut Vec<Execution>) -> Result<Submitted, MatchingRefusal> {
        if new.lots == 0 {
            return Err(MatchingRefusal::LotsZero);
        }
        if self.orders.iter().any(|order| order.id == new.id) {
            return Err(MatchingRefusal::IdInUse { id: new.id });
        }
        let reaches = |tick: i64| match (new.tick, new.side) {
            (None, _) => true,
            (Some(limit), Side::Buy) => tick <= limit,
            (Some(limit), Side::Sell) => tick >= limit,
        };
        let makers: Vec<RestingOrder> = self
            .priority(new.side.opposite())
            .into_iter()
            .filter(|order| reaches(order.tick))
            .collect();
        if new.order_type == OrderType::LimitMaker && !makers.is_empty() {
            return Err(MatchingRefusal::WouldTake);
        }
        if new.time_in_force == TimeInForce::Fok && makers.iter().map(|order| order.lots).sum::<u64>() < new.lots {
            return Ok(Submitted {
                filled: 0,
                resting: 0,
                expired: new.lots,
            });
        }
        let mut left = new.lots;
        for maker in makers {
            let lots = maker.lots.min(left);
            if lots == 0 {
                break;
            }
            left -= lots;
            let (maker_id, taker_id, taker_side, tick) = (maker.id, new.id, new.side, maker.tick);
            executions.push(Execution {
                maker_id,
                taker_id,
                taker_side,
                tick,
                lots,
                maker_left: maker.lots - lots,
            });
            self.orders
                .iter_mut()
                .filter(|order| order.id == maker_id)
                .for_each(|order| order.lots -= lots);
        }
        self.orders.retain(|order| order.lots > 0);
        let filled = new.lots - left;
        match new.tick {
            Some(tick) if new.order_type != OrderType::Market && new.time_in_force == TimeInForce::Gtc => {
                if left > 0 {
                    self.orders.push(RestingOrder {
                        id: new.id,
                        side: new.side,
                        tick,
                        lots: left,
                    });
                }
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
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Submit(NewOrder),
    Cancel(u64),
    Reduce(u64, u64),
}

fn any_step(ticks: i64) -> impl Strategy<Value = Step> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let terms = prop_oneof![
        8 => Just((OrderType::Limit, TimeInForce::Gtc)),
        1 => Just((OrderType::Limit, TimeInForce::Ioc)),
        1 => Just((OrderType::Limit, TimeInForce::Fok)),
        1 => Just((OrderType::Market, TimeInForce::Ioc)),
        2 => Just((OrderType::LimitMaker, TimeInForce::Gtc)),
    ];
    let submit =
        (1u64..80, side, terms, 1..=ticks, 0u64..12).prop_map(|(id, side, (order_type, time_in_force), tick, lots)| {
            let tick = (order_type != OrderType::Market).then_some(tick);
            Step::Submit(NewOrder {
                id,
                side,
                order_type,
                time_in_force,
                tick,
                lots,
            })
        });
    let reduce = (1u64..80, 0u64..12).prop_map(|(id, lots)| Step::Reduce(id, lots));
    prop_oneof![6 => submit, 2 => (1u64..80).prop_map(Step::Cancel), 1 => reduce]
}

fn depth_of(orders: &[RestingOrder]) -> Vec<DepthLevel> {
    let mut levels: Vec<DepthLevel> = Vec::new();
    for order in orders {
        match levels.last_mut().filter(|level| level.tick == order.tick) {
            Some(level) => level.lots += order.lots,
            None => levels.push(DepthLevel {
                tick: order.tick,
                lots: order.lots,
            }),
        }
    }
    levels
}

fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut book, mut model) = (MatchingBook::new(), Model::default());
    let mut effects = Effects::new();
    let mut feed: BTreeMap<(Side, i64), u64> = BTreeMap::new();
    for step in steps {
        effects.clear();
        let mut executions = Vec::new();
        match step {
            Step::Submit(new) => {
                prop_assert_eq!(
                    book.submit(new, &mut effects),
                    model.submit(new, &mut executions),
                    "{:?}",
                    new
                );
            }
            Step::Cancel(id) => {
                let found = model.orders.iter().position(|order| order.id == id);
                prop_assert_eq!(
                    book.cancel(id, &mut effects),
                    found.map(|index| model.orders.remove(index))
                );
            }
            Step::Reduce(id, lots) => {
                let found = model.orders.iter_mut().find(|order| order.id == id);
                let reduced = found.filter(|order| (1..order.lots).contains(&lots)).map(|order| {
                    order.lots -= lots;
                    *order
                });
                prop_assert_eq!(book.reduce(id, lots, &mut effects), reduced);
            }
        }
        prop_assert_eq!(&effects.executions, &executions);
        for LevelChange { side, tick, lots } in &effects.levels {
            let before = if *lots == 0 {
                feed.remove(&(*side, *tick))
            } else {
                feed.insert((*side, *tick), *lots)
            };
            prop_assert_ne!(before.unwrap_or(0), *lots, "a level change that changes nothing");
        }
        let mut count = 0;
        for side in [Side::Buy, Side::Sell] {
            let expected = model.priority(side);
            let depth: Vec<DepthLevel> = book.depth(side).collect();
            prop_assert_eq!(&depth, &depth_of(&expected));
            prop_assert_eq!(book.best(side), depth.first().copied());
            prop_assert_eq!(book.orders(side).collect::<Vec<_>>(), expected.clone());
            for level in &depth {
                prop_assert_eq!(
                    feed.get(&(side, level.tick)),
                    Some(&level.lots),
                    "the diff feed rebuilds the depth"
                );
                prop_assert_eq!(book.lots_at(side, level.tick), level.lots);
            }
            count += depth.len();
            prop_assert_eq!(
                expected.iter().map(|order| book.order(order.id)).collect::<Vec<_>>(),
                expected.iter().copied().map(Some).collect::<Vec<_>>()
            );
        }
        prop_assert_eq!(feed.len(), count);
        prop_assert_eq!(book.len(), model.orders.len());
        if let (Some(bid), Some(ask)) = (book.best(Side::Buy), book.best(Side::Sell)) {
            prop_assert!(bid.tick < ask.tick, "never crossed");
        }
    }
    Ok(())
}

proptest! {
    /// Few ticks: long queues, much trading.
    #[test]
    fn few_levels(steps in prop::collection::vec(any_step(6), 0..200)) {
        check(steps)?;
    }

    /// Many ticks: long ladders, searches of both kinds.
    #[test]
    fn many_levels(steps in prop::collection::vec(any_step(200), 0..200)) {
        check(steps)?;
    }
}
