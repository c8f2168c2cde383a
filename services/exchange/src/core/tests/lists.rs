//! Order lists: who ends whom, who follows whom, and one lock for two orders.

use super::super::contingent::PlacedList;
use super::super::effects::UserEventKind;
use super::super::order::{Order, OrderKey, Refusal, SelfTradePrevention, Side, Stage, Status, TimeInForce};
use super::super::request::{Legs, NewList, NewOrder, Terms};
use super::super::units::ONE;
use super::START;
use super::bed::{Bed, LAST, immediate, limit, maker, milli, order, stop, stop_limit, trailing};

fn named(new: NewOrder, client_id: &str) -> NewOrder {
    NewOrder {
        client_id: Some(client_id.into()),
        ..new
    }
}

fn list(bed: &mut Bed, legs: Legs) -> Result<PlacedList, Refusal> {
    let new = NewList { client_id: None, legs };
    bed.venue.place_list(&new, START, &mut bed.effects)
}

fn oco(side: Side, above: Terms, below: Terms) -> Legs {
    Legs::Oco {
        above: order("alice", side, above),
        below: order("alice", side, below),
    }
}

fn sell_pair() -> Legs {
    oco(
        Side::Sell,
        maker(LAST + 100, 10),
        stop_limit(false, LAST - 100, LAST - 110, 10),
    )
}

fn states(bed: &Bed, placed: &PlacedList) -> Vec<(Status, Stage)> {
    let now = |order: &Order| bed.order_of("alice", order.id);
    placed
        .orders
        .iter()
        .map(now)
        .map(|order| (order.status, order.stage))
        .collect()
}

/// Whether each `listStatus` says that the list is open.
fn list_events(bed: &Bed) -> Vec<bool> {
    let events = bed.effects.user.iter().filter_map(|event| match &event.kind {
        UserEventKind::List(list) => Some(list.open),
        _ => None,
    });
    events.collect()
}

fn is_open(bed: &Bed, placed: &PlacedList) -> bool {
    bed.venue.ledger().account("alice").unwrap().lists[&placed.list.id].open
}

#[test]
fn the_first_fill_of_one_ends_the_other() {
    let mut bed = Bed::new();
    let pair = list(&mut bed, sell_pair()).unwrap();
    assert_eq!(bed.locked("alice", "BTC"), milli(10), "one lock serves both");
    bed.restart();
    bed.place("bob", Side::Buy, limit(LAST + 100, 4)).unwrap();
    assert_eq!(
        states(&bed, &pair),
        [
            (Status::Expired, Stage::Waiting),
            (Status::PartiallyFilled, Stage::Working)
        ]
    );
    assert_eq!((bed.locked("alice", "BTC"), is_open(&bed, &pair)), (milli(6), true));
    bed.place("bob", Side::Buy, limit(LAST + 100, 6)).unwrap();
    assert!(!is_open(&bed, &pair));
    assert_eq!(list_events(&bed), [false]);
    bed.check();
    bed.restart();
}

#[test]
fn the_price_that_triggers_one_ends_the_other() {
    let mut bed = Bed::new();
    let pair = list(&mut bed, sell_pair()).unwrap();
    bed.print(LAST - 100);
    assert_eq!(
        states(&bed, &pair),
        [(Status::New, Stage::Working), (Status::Expired, Stage::Working)]
    );
    assert_eq!(bed.locked("alice", "BTC"), milli(10));
    bed.check();
    bed.restart();
    bed.place("bob", Side::Buy, limit(LAST - 110, 10)).unwrap();
    assert_eq!((bed.locked("alice", "BTC"), is_open(&bed, &pair)), (0, false));
    bed.check();
}

#[test]
fn a_pair_of_buys_locks_what_the_dearer_one_needs() {
    let mut bed = Bed::new();
    let pair = list(
        &mut bed,
        oco(
            Side::Buy,
            stop_limit(false, LAST + 100, LAST + 200, 10),
            maker(LAST - 100, 10),
        ),
    );
    let pair = pair.unwrap();
    assert_eq!(bed.locked("alice", "USDT"), (LAST + 200) * ONE / 100);
    bed.place("bob", Side::Sell, limit(LAST - 100, 1)).unwrap();
    assert_eq!(bed.locked("alice", "USDT"), (LAST - 100) * ONE / 1_000 * 9);
    let rest = pair
        .orders
        .iter()
        .find(|order| order.kind == super::super::order::OrderType::LimitMaker)
        .unwrap();
    assert_eq!(bed.cancel(rest).unwrap().status, Status::Canceled);
    assert_eq!((bed.locked("alice", "USDT"), is_open(&bed, &pair)), (0, false));
    bed.check();
    // a trailing leg, and a market leg that turns into a purchase
    let pair = list(
        &mut bed,
        oco(Side::Buy, trailing(100, None, 10), maker(LAST - 10_000, 10)),
    )
    .unwrap();
    bed.place("bob", Side::Sell, limit(LAST + 2_000, 10)).unwrap();
    bed.print(LAST + 1_000);
    assert_eq!(states(&bed, &pair)[1], (Status::Filled, Stage::Working));
    assert_eq!((bed.locked("alice", "USDT"), is_open(&bed, &pair)), (0, false));
    bed.check();
    bed.restart();
}

#[test]
fn the_cancel_of_one_ends_all() {
    for which in 0..3 {
        let mut bed = Bed::new();
        let pair = list(&mut bed, sell_pair()).unwrap();
        let ended = match which {
            0 => bed.cancel(&pair.orders[0]).map(|_| ()),
            1 => bed
                .venue
                .cancel_all("alice", 0, START, &mut bed.effects)
                .map(|orders| assert_eq!(orders.len(), 2)),
            _ => {
                let key = OrderKey::Client(pair.list.client_id.clone());
                let ended = bed
                    .venue
                    .cancel_list("alice", 0, &key, Some("mine"), START, &mut bed.effects);
                ended.map(|ended| assert!(!ended.list.open && ended.orders.len() == 2))
            }
        };
        assert_eq!(ended, Ok(()));
        assert!(
            states(&bed, &pair)
                .iter()
                .all(|(status, _)| *status == Status::Canceled)
        );
        assert_eq!((bed.locked("alice", "BTC"), list_events(&bed)), (0, vec![true, false]));
        let key = OrderKey::Id(pair.list.id);
        let again = bed.venue.cancel_list("alice", 0, &key, None, START, &mut bed.effects);
        assert_eq!(again, Err(Refusal::UnknownOrder));
        assert_eq!(bed.venue.list("alice", &key).map(|list| list.list.open), Some(false));
        bed.check();
    }
}

#[test]
fn a_full_order_brings_the_next_one_to_life() {
    let mut bed = Bed::new();
    let legs = Legs::Oto {
        working: order("alice", Side::Buy, limit(LAST - 10, 10)),
        pending: order("alice", Side::Sell, limit(LAST + 50, 10)),
    };
    let pair = list(&mut bed, legs).unwrap();
    assert_eq!(
        states(&bed, &pair),
        [(Status::New, Stage::Working), (Status::PendingNew, Stage::Pending)]
    );
    assert_eq!(bed.locked("alice", "BTC"), 0);
    bed.place("bob", Side::Sell, limit(LAST - 10, 4)).unwrap();
    assert_eq!(
        states(&bed, &pair)[1],
        (Status::PendingNew, Stage::Pending),
        "in part is not enough"
    );
    bed.restart();
    bed.place("bob", Side::Sell, limit(LAST - 10, 6)).unwrap();
    assert_eq!(
        states(&bed, &pair),
        [(Status::Filled, Stage::Working), (Status::New, Stage::Working)]
    );
    assert_eq!(bed.locked("alice", "BTC"), milli(10));
    bed.place("bob", Side::Buy, limit(LAST + 50, 10)).unwrap();
    assert!(!is_open(&bed, &pair));
    bed.check();
    bed.restart();
}

#[test]
fn a_working_order_that_ends_takes_the_rest_along() {
    let pending = |terms| order("alice", Side::Sell, terms);
    let table = [
        (immediate(LAST - 10, 10, TimeInForce::Ioc), Status::Expired),
        (immediate(LAST - 10, 10, TimeInForce::Fok), Status::Expired),
        (maker(LAST - 10, 10), Status::Canceled),
    ];
    for (terms, status) in table {
        let mut bed = Bed::new();
        let legs = Legs::Otoco {
            working: order("alice", Side::Buy, terms),
            above: pending(maker(LAST + 100, 10)),
            below: pending(stop(false, LAST - 100, 10)),
        };
        let placed = list(&mut bed, legs).unwrap();
        if status == Status::Canceled {
            bed.cancel(&placed.orders[1]).unwrap();
        }
        assert!(
            states(&bed, &placed).iter().all(|(now, _)| *now == status),
            "{status:?}"
        );
        assert_eq!(list_events(&bed), [true, false]);
        bed.check();
        bed.restart();
    }
}

#[test]
fn a_full_order_brings_a_pair_to_life() {
    for rises in [true, false] {
        let mut bed = Bed::new();
        let legs = Legs::Otoco {
            working: order("alice", Side::Buy, limit(LAST + 5, 10)),
            above: order("alice", Side::Sell, maker(LAST + 100, 10)),
            below: order("alice", Side::Sell, stop(false, LAST - 100, 10)),
        };
        bed.place("bob", Side::Sell, limit(LAST + 5, 10)).unwrap();
        let placed = list(&mut bed, legs).unwrap();
        // in the order of the answer: working, below, above
        assert_eq!(
            states(&bed, &placed),
            [
                (Status::Filled, Stage::Working),
                (Status::New, Stage::Waiting),
                (Status::New, Stage::Working)
            ]
        );
        assert_eq!(bed.locked("alice", "BTC"), milli(10));
        if rises {
            bed.place("bob", Side::Buy, limit(LAST + 100, 10)).unwrap();
            assert_eq!(
                (states(&bed, &placed)[1].0, states(&bed, &placed)[2].0),
                (Status::Expired, Status::Filled)
            );
        } else {
            bed.place("carol", Side::Buy, limit(LAST - 200, 10)).unwrap();
            bed.print(LAST - 100);
            assert_eq!(
                (states(&bed, &placed)[1].0, states(&bed, &placed)[2].0),
                (Status::Filled, Status::Expired)
            );
        }
        assert_eq!((bed.locked("alice", "BTC"), is_open(&bed, &placed)), (0, false));
        bed.check();
        bed.restart();
    }
}

#[test]
fn what_comes_to_life_too_late_is_refused_or_acts_at_once() {
    // a pending maker that would take is refused
    let mut bed = Bed::new();
    let legs = |pending| Legs::Oto {
        working: order("alice", Side::Buy, limit(LAST - 10, 10)),
        pending: order("alice", Side::Sell, pending),
    };
    let placed = list(&mut bed, legs(maker(LAST - 20, 10))).unwrap();
    bed.place("carol", Side::Buy, limit(LAST - 15, 5)).unwrap();
    bed.place("bob", Side::Sell, limit(LAST - 10, 10)).unwrap();
    assert_eq!(states(&bed, &placed)[1].0, Status::Rejected);
    assert!(!is_open(&bed, &placed));
    bed.check();

    // a stop whose price has been passed acts at once
    let mut bed = Bed::new();
    bed.place("carol", Side::Buy, limit(LAST - 30, 20)).unwrap();
    let placed = list(&mut bed, legs(stop(false, LAST - 5, 10))).unwrap();
    bed.place("bob", Side::Sell, limit(LAST - 10, 10)).unwrap();
    assert_eq!(
        states(&bed, &placed),
        [(Status::Filled, Stage::Working), (Status::Filled, Stage::Working)]
    );
    bed.check();

    // a trailing order trails from then on; a market order takes what is there
    let mut bed = Bed::new();
    let placed = list(&mut bed, legs(trailing(100, None, 10))).unwrap();
    let market = list(&mut bed, legs(Terms::Market { quantity: milli(10) })).unwrap();
    bed.place("bob", Side::Sell, limit(LAST - 10, 20)).unwrap();
    let trails = bed.order_of("alice", placed.orders[1].id);
    assert_eq!((trails.stage, trails.trail), (Stage::Waiting, (LAST - 10) * ONE));
    assert_eq!(states(&bed, &market)[1].0, Status::Expired, "nobody bids");
    bed.check();
    bed.restart();

    // what cannot be paid for is refused
    let mut bed = Bed::new();
    let legs = Legs::Oto {
        working: order("alice", Side::Sell, limit(LAST + 10, 10)),
        pending: order("alice", Side::Buy, stop(false, LAST * 4, 90_000)),
    };
    let placed = list(&mut bed, legs).unwrap();
    let spends = |quantity| limit(LAST, quantity);
    for _ in 0..15 {
        bed.place("alice", Side::Buy, spends(100_000)).unwrap();
    }
    bed.place("bob", Side::Buy, limit(LAST + 10, 10)).unwrap();
    assert_eq!(states(&bed, &placed)[1].0, Status::Rejected);
    bed.check();
}

#[test]
fn pending_purchases_lock_when_their_turn_comes() {
    let buys: [(Terms, i128); 3] = [
        (stop(false, LAST + 200, 10), (LAST + 200) * ONE / 100),
        (trailing(100, None, 10), (LAST + 10) * ONE / 100),
        (stop_limit(false, LAST + 200, LAST + 300, 10), (LAST + 300) * ONE / 100),
    ];
    for (pending, locked) in buys {
        let mut bed = Bed::new();
        let legs = Legs::Oto {
            working: order("alice", Side::Sell, limit(LAST + 10, 10)),
            pending: order("alice", Side::Buy, pending),
        };
        list(&mut bed, legs).unwrap();
        bed.place("bob", Side::Buy, limit(LAST + 10, 10)).unwrap();
        assert_eq!(bed.locked("alice", "USDT"), locked);
        bed.check();
    }
    let mut bed = Bed::new();
    bed.place("carol", Side::Sell, limit(LAST + 20, 10)).unwrap();
    let legs = Legs::Oto {
        working: order("alice", Side::Sell, limit(LAST + 10, 10)),
        pending: order("alice", Side::Buy, Terms::Market { quantity: milli(10) }),
    };
    let placed = list(&mut bed, legs).unwrap();
    bed.place("bob", Side::Buy, limit(LAST + 10, 10)).unwrap();
    assert_eq!(states(&bed, &placed)[1].0, Status::Filled);
    bed.check();
}

#[test]
fn lists_are_refused_whole() {
    let mut bed = Bed::new();
    let sells = |above, below| oco(Side::Sell, above, below);
    let table = [
        (
            sells(maker(LAST - 50, 10), stop(false, LAST - 100, 10)),
            Refusal::PriceRelation,
        ),
        (
            sells(maker(LAST + 50, 10), stop(false, LAST, 10)),
            Refusal::PriceRelation,
        ),
        (
            oco(Side::Buy, stop(false, LAST - 1, 10), maker(LAST - 50, 10)),
            Refusal::PriceRelation,
        ),
        (
            sells(maker(LAST + 50, 1_000_001), stop(false, LAST - 50, 10)),
            Refusal::Filter("LOT_SIZE"),
        ),
        (
            sells(maker(LAST + 50, 10), stop_limit(false, LAST - 50, 1, 10)),
            Refusal::Filter("PERCENT_PRICE_BY_SIDE"),
        ),
        (
            Legs::Otoco {
                working: order("alice", Side::Buy, limit(LAST, 10)),
                above: order("alice", Side::Sell, maker(LAST - 50, 10)),
                below: order("alice", Side::Sell, stop(false, LAST - 10, 10)),
            },
            Refusal::PriceRelation,
        ),
        (
            Legs::Oto {
                working: named(order("alice", Side::Buy, limit(LAST, 10)), "one"),
                pending: named(order("alice", Side::Sell, limit(LAST, 10)), "one"),
            },
            Refusal::DuplicateOrder,
        ),
        (
            Legs::Oto {
                working: order("alice", Side::Buy, limit(LAST, 999_000)),
                pending: order("alice", Side::Sell, limit(LAST, 10)),
            },
            Refusal::Filter("NOTIONAL"),
        ),
        (
            Legs::Oto {
                working: order("nobody", Side::Buy, limit(LAST, 10)),
                pending: order("nobody", Side::Sell, limit(LAST, 10)),
            },
            Refusal::NoSuchAccount,
        ),
    ];
    bed.effects.records.clear();
    for (legs, expected) in table {
        assert_eq!(list(&mut bed, legs.clone()).err(), Some(expected), "{legs:?}");
    }
    bed.place("bob", Side::Sell, limit(LAST + 10, 1)).unwrap();
    bed.effects.records.clear();
    let takes = Legs::Oto {
        working: order("alice", Side::Buy, maker(LAST + 10, 10)),
        pending: order("alice", Side::Sell, limit(LAST, 10)),
    };
    assert_eq!(list(&mut bed, takes).err(), Some(Refusal::WouldTake));
    let beyond = oco(Side::Buy, stop(false, LAST + 50, 99_000), maker(LAST - 50, 99_000));
    let spend = |bed: &mut Bed| bed.place("alice", Side::Buy, limit(LAST - 1_000, 100_000));
    assert!(bed.effects.records.is_empty());
    while spend(&mut bed).is_ok() {}
    assert_eq!(list(&mut bed, beyond).err(), Some(Refusal::InsufficientBalance));
    // the id of a list is free again once the list has ended
    let mut bed = Bed::new();
    let new = NewList {
        client_id: Some("mine".into()),
        legs: sell_pair(),
    };
    assert!(bed.venue.place_list(&new, START, &mut bed.effects).is_ok());
    assert_eq!(
        bed.venue.place_list(&new, START, &mut bed.effects),
        Err(Refusal::DuplicateOrder)
    );
    assert!(bed.venue.cancel_all("alice", 0, START, &mut bed.effects).is_ok());
    assert!(bed.venue.place_list(&new, START, &mut bed.effects).is_ok());
    let key = OrderKey::Client("mine".into());
    let wrong = bed.venue.cancel_list("alice", 1, &key, None, START, &mut bed.effects);
    assert_eq!(wrong, Err(Refusal::UnknownOrder), "another symbol");
    assert!(
        bed.venue
            .cancel_list("nobody", 0, &key, None, START, &mut bed.effects)
            .is_err()
    );
}

#[test]
fn only_so_many_lists_are_open_and_so_many_closed_ones_are_kept() {
    let mut bed = Bed::with(super::super::venue::Options {
        kept: 3,
        max_open_orders: 100,
        ..super::options(4, 1)
    });
    let legs = || Legs::Oto {
        working: order("alice", Side::Buy, limit(LAST - 10, 10)),
        pending: order("alice", Side::Sell, limit(LAST + 10, 10)),
    };
    for _ in 0..super::super::filters::MAX_ORDER_LISTS {
        list(&mut bed, legs()).unwrap();
    }
    assert_eq!(
        list(&mut bed, legs()).err(),
        Some(Refusal::Filter("MAX_NUM_ORDER_LISTS"))
    );
    bed.venue.cancel_all("alice", 0, START, &mut bed.effects).unwrap();
    let alice = bed.venue.ledger().account("alice").unwrap();
    assert_eq!(
        (alice.lists.len(), alice.orders.len(), alice.open_lists().count()),
        (3, 3, 0)
    );
    bed.check();
    bed.restart();
}

#[test]
fn a_leg_that_meets_its_own_account_ends_its_list() {
    let mut bed = Bed::new();
    let pair = list(&mut bed, sell_pair()).unwrap();
    let taken = bed
        .place_with(
            "alice",
            Side::Buy,
            limit(LAST + 100, 4),
            SelfTradePrevention::ExpireBoth,
        )
        .unwrap();
    assert_eq!(taken.order.status, Status::ExpiredInMatch);
    assert_eq!(states(&bed, &pair)[1].0, Status::ExpiredInMatch);
    assert_eq!(
        (states(&bed, &pair)[0].0, is_open(&bed, &pair)),
        (Status::Expired, false)
    );
    bed.check();
}
