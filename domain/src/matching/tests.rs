mod conservation;
mod model;

use super::*;
use OrderType::{Limit, LimitMaker, Market};
use Side::{Buy, Sell};
use TimeInForce::{Fok, Gtc, Ioc};

fn book(orders: &[(u64, Side, i64, u64)]) -> MatchingBook {
    let mut book = MatchingBook::new();
    for &(id, side, tick, lots) in orders {
        book.submit(NewOrder::limit(id, side, Gtc, tick, lots), &mut Effects::new())
            .unwrap();
    }
    book
}

fn trades(effects: &Effects) -> Vec<(u64, i64, u64, u64)> {
    effects
        .executions
        .iter()
        .map(|trade| (trade.maker_id, trade.tick, trade.lots, trade.maker_left))
        .collect()
}

fn levels(effects: &Effects) -> Vec<(Side, i64, u64)> {
    effects
        .levels
        .iter()
        .map(|level| (level.side, level.tick, level.lots))
        .collect()
}

fn submitted(filled: u64, resting: u64, expired: u64) -> Result<Submitted, MatchingRefusal> {
    Ok(Submitted {
        filled,
        resting,
        expired,
    })
}

#[test]
fn price_before_time_before_size() {
    let mut book = book(&[
        (1, Sell, 101, 5),
        (2, Sell, 100, 3),
        (3, Sell, 100, 9),
        (4, Sell, 102, 1),
    ]);
    let mut effects = Effects::new();
    let outcome = book.submit(NewOrder::limit(9, Buy, Gtc, 101, 15), &mut effects);
    assert_eq!(outcome, submitted(15, 0, 0));
    assert_eq!(trades(&effects), [(2, 100, 3, 0), (3, 100, 9, 0), (1, 101, 3, 2)]);
    assert_eq!(levels(&effects), [(Sell, 100, 0), (Sell, 101, 2)]);
    assert!(
        effects
            .executions
            .iter()
            .all(|trade| trade.taker_id == 9 && trade.taker_side == Buy)
    );
    effects.clear();
    assert_eq!(
        book.submit(NewOrder::limit(10, Buy, Gtc, 101, 5), &mut effects),
        submitted(2, 3, 0)
    );
    assert_eq!(levels(&effects), [(Sell, 101, 0), (Buy, 101, 3)]);
    assert_eq!(book.best(Buy), Some(DepthLevel { tick: 101, lots: 3 }));
    assert_eq!(book.best(Sell), Some(DepthLevel { tick: 102, lots: 1 }));
    assert_eq!(
        book.order(10),
        Some(RestingOrder {
            id: 10,
            side: Buy,
            tick: 101,
            lots: 3
        })
    );
    assert_eq!(book.order(2), None);
    assert_eq!(book.len(), 2);
}

#[test]
fn every_type_and_time_in_force() {
    let resting = [(1, Sell, 100, 5), (2, Sell, 101, 5)];
    let order = |order_type, time_in_force, tick, lots| NewOrder {
        id: 9,
        side: Buy,
        order_type,
        time_in_force,
        tick,
        lots,
    };
    for (new, outcome, left) in [
        (order(Limit, Gtc, Some(100), 8), submitted(5, 3, 0), 5),
        (order(Limit, Gtc, Some(99), 8), submitted(0, 8, 0), 10),
        (order(Limit, Ioc, Some(100), 8), submitted(5, 0, 3), 5),
        (order(Limit, Ioc, Some(99), 8), submitted(0, 0, 8), 10),
        (order(Limit, Fok, Some(100), 8), submitted(0, 0, 8), 10),
        (order(Limit, Fok, Some(101), 8), submitted(8, 0, 0), 2),
        (order(Market, Ioc, None, 12), submitted(10, 0, 2), 0),
        (order(Market, Gtc, None, 12), submitted(10, 0, 2), 0),
        (order(Market, Ioc, Some(100), 12), submitted(5, 0, 7), 5),
        (order(Market, Fok, None, 12), submitted(0, 0, 12), 10),
        (order(Market, Fok, None, 10), submitted(10, 0, 0), 0),
        (order(LimitMaker, Gtc, Some(99), 4), submitted(0, 4, 0), 10),
        (
            order(LimitMaker, Gtc, Some(100), 4),
            Err(MatchingRefusal::WouldTake),
            10,
        ),
        (
            order(LimitMaker, Ioc, Some(99), 4),
            Err(MatchingRefusal::TimeInForceUnsupported),
            10,
        ),
        (order(Limit, Gtc, Some(99), 0), Err(MatchingRefusal::LotsZero), 10),
        (
            order(Limit, Gtc, Some(0), 1),
            Err(MatchingRefusal::TickNotPositive { tick: 0 }),
            10,
        ),
        (
            order(Market, Ioc, Some(i64::MIN), 1),
            Err(MatchingRefusal::TickNotPositive { tick: i64::MIN }),
            10,
        ),
        (order(Limit, Gtc, None, 1), Err(MatchingRefusal::TickMissing), 10),
        (
            NewOrder {
                id: 1,
                ..order(Limit, Gtc, Some(99), 1)
            },
            Err(MatchingRefusal::IdInUse { id: 1 }),
            10,
        ),
        (
            order(Limit, Gtc, Some(i64::MAX), u64::MAX),
            submitted(10, u64::MAX - 10, 0),
            0,
        ),
    ] {
        let mut book = book(&resting);
        let mut effects = Effects::new();
        let answer = book.submit(new, &mut effects);
        assert_eq!(answer, outcome, "{new:?}");
        assert_eq!(book.takeable(Buy, None, u64::MAX), left, "{new:?}");
        if let Err(refusal) = answer {
            assert!(!refusal.reason().is_empty() && !refusal.to_string().is_empty());
            assert_eq!(effects, Effects::new());
        }
    }
    assert_eq!(NewOrder::limit_maker(9, Buy, 5, 1), order(LimitMaker, Gtc, Some(5), 1));
    assert_eq!(NewOrder::market(9, Buy, 1), order(Market, Ioc, None, 1));
}

#[test]
fn more_than_can_be_counted_is_refused() {
    let mut book = book(&[(1, Buy, 5, u64::MAX)]);
    let refusal = book
        .submit(NewOrder::limit(2, Buy, Gtc, 4, 1), &mut Effects::new())
        .unwrap_err();
    assert_eq!((refusal, refusal.reason()), (MatchingRefusal::BookFull, "BOOK_FULL"));
    assert_eq!(refusal.to_string(), "the book is full");
}

#[test]
fn cancels_from_every_place_in_a_queue() {
    for victim in 1..=3 {
        let mut book = book(&[(1, Buy, 100, 1), (2, Buy, 100, 2), (3, Buy, 100, 4)]);
        let mut effects = Effects::new();
        assert_eq!(book.cancel(victim, &mut effects).map(|order| order.id), Some(victim));
        assert_eq!(levels(&effects), [(Buy, 100, 7 - (1 << (victim - 1)))]);
        assert_eq!(book.cancel(victim, &mut effects), None);
        let left: Vec<u64> = book.orders(Buy).map(|order| order.id).collect();
        assert_eq!(left, (1..=3).filter(|id| *id != victim).collect::<Vec<_>>());
    }
    let mut book = book(&[(1, Sell, 100, 1)]);
    let mut effects = Effects::new();
    book.cancel(1, &mut effects).unwrap();
    assert_eq!(levels(&effects), [(Sell, 100, 0)]);
    assert!(book.is_empty() && book.best(Sell).is_none());
}

#[test]
fn the_middle_of_a_queue_after_its_head_was_taken() {
    let mut book = book(&[(1, Sell, 100, 1), (2, Sell, 100, 2), (3, Sell, 100, 4)]);
    let mut effects = Effects::new();
    book.submit(NewOrder::market(9, Buy, 2), &mut effects).unwrap();
    assert_eq!(trades(&effects), [(1, 100, 1, 0), (2, 100, 1, 1)]);
    book.cancel(2, &mut effects).unwrap();
    assert_eq!(
        book.orders(Sell)
            .map(|order| (order.id, order.lots))
            .collect::<Vec<_>>(),
        [(3, 4)]
    );
    assert_eq!(
        (book.lots_at(Sell, 100), book.lots_at(Sell, 101), book.lots_at(Sell, -5)),
        (4, 0, 0)
    );
    assert_eq!(book.depth(Sell).count(), 1);
}

#[test]
fn an_order_list_rebuilds_its_book() {
    let original = book(&[
        (4, Buy, 10, 1),
        (2, Buy, 11, 5),
        (3, Buy, 10, 7),
        (8, Sell, 20, 2),
        (5, Sell, 20, 1),
    ]);
    let listed: Vec<RestingOrder> = original.orders(Buy).chain(original.orders(Sell)).collect();
    let tuples: Vec<_> = listed
        .iter()
        .map(|order| (order.id, order.side, order.tick, order.lots))
        .collect();
    let rebuilt = book(&tuples);
    assert_eq!(
        rebuilt.orders(Buy).chain(rebuilt.orders(Sell)).collect::<Vec<_>>(),
        listed
    );
}
