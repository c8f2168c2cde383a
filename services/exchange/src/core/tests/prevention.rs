//! Orders that would trade with their own account.

use super::super::order::{SelfTradePrevention as Mode, Side, Status, TimeInForce};
use super::super::request::Terms;
use super::super::units::ONE;
use super::bed::{Bed, LAST, iceberg, immediate, limit, milli};

#[test]
fn each_mode_ends_whom_it_should() {
    use Status::{ExpiredInMatch, Filled, New, PartiallyFilled};
    // alice asks 4 and 8 at one price, with 5 of bob's between; she bids 10 there:
    // her bid, her first and her second ask, and what her bid got
    let table = [
        (Mode::None, (Filled, 10), [(Filled, 4), (PartiallyFilled, 1)]),
        (Mode::ExpireTaker, (ExpiredInMatch, 0), [(New, 0), (New, 0)]),
        (
            Mode::ExpireMaker,
            (PartiallyFilled, 5),
            [(ExpiredInMatch, 0), (ExpiredInMatch, 0)],
        ),
        (Mode::ExpireBoth, (ExpiredInMatch, 0), [(ExpiredInMatch, 0), (New, 0)]),
        (Mode::Decrement, (ExpiredInMatch, 5), [(ExpiredInMatch, 0), (New, 0)]),
    ];
    for (mode, taker, makers) in table {
        let mut bed = Bed::new();
        let first = bed.place("alice", Side::Sell, limit(LAST + 10, 4)).unwrap();
        bed.place("bob", Side::Sell, limit(LAST + 10, 5)).unwrap();
        let second = bed.place("alice", Side::Sell, limit(LAST + 10, 8)).unwrap();
        let placed = bed.place_with("alice", Side::Buy, limit(LAST + 10, 10), mode).unwrap();
        assert_eq!(
            (placed.order.status, placed.order.executed),
            (taker.0, milli(taker.1)),
            "{mode:?}"
        );
        for (maker, (status, executed)) in [&first, &second].into_iter().zip(makers) {
            let order = bed.order(maker);
            assert_eq!((order.status, order.executed), (status, milli(executed)), "{mode:?}");
        }
        let remembered = bed.venue.ledger().account("alice").unwrap().prevented.len();
        assert_eq!(
            (placed.prevented.len(), remembered),
            (placed.prevented.len(), placed.prevented.len())
        );
        assert_eq!(placed.prevented.is_empty(), mode == Mode::None);
        if mode == Mode::Decrement {
            // ten, less four and one that would have been hers, less five of bob's
            assert_eq!(
                (placed.order.prevented, bed.order(&second).prevented),
                (milli(5), milli(1))
            );
            assert_eq!(bed.told(second.order.id), ["NEW", "TRADE_PREVENTION"]);
            assert_eq!(
                bed.venue.markets[0].book.best(Side::Sell).map(|(_, lots)| lots),
                Some(700)
            );
        }
        bed.check();
        bed.restart();
    }
}

#[test]
fn what_an_order_can_get_is_known_before() {
    for mode in Mode::ALL {
        let mut bed = Bed::new();
        bed.place("bob", Side::Sell, iceberg(LAST + 10, 6, 2)).unwrap();
        bed.place("alice", Side::Sell, iceberg(LAST + 10, 4, 3)).unwrap();
        bed.place("bob", Side::Sell, limit(LAST + 10, 5)).unwrap();
        bed.place("bob", Side::Sell, limit(LAST + 20, 5)).unwrap();
        let fill_or_kill = immediate(LAST + 20, 11, TimeInForce::Fok);
        let free = bed.free("alice", "USDT");
        let placed = bed.place_with("alice", Side::Buy, fill_or_kill, mode).unwrap();
        let fills_whole = matches!(mode, Mode::None | Mode::ExpireMaker);
        let expected = if fills_whole { Status::Filled } else { Status::Expired };
        assert_eq!(
            (placed.order.status, placed.fills.is_empty()),
            (expected, !fills_whole),
            "{mode:?}"
        );
        assert!(fills_whole || bed.free("alice", "USDT") == free);
        bed.check();
    }
}

#[test]
fn an_iceberg_before_an_own_order_is_taken_whole() {
    let mut bed = Bed::new();
    bed.place("bob", Side::Sell, iceberg(LAST + 10, 10, 3)).unwrap();
    let own = bed.place("alice", Side::Sell, limit(LAST + 20, 4)).unwrap();
    let placed = bed.place_with(
        "alice",
        Side::Buy,
        immediate(LAST + 20, 10, TimeInForce::Fok),
        Mode::ExpireBoth,
    );
    assert_eq!(placed.unwrap().order.status, Status::Filled);
    assert_eq!(bed.order(&own).status, Status::New);
    bed.check();
}

#[test]
fn market_orders_lock_what_they_will_spend() {
    for mode in Mode::ALL {
        for terms in [
            Terms::Market { quantity: milli(14) },
            Terms::MarketByValue { value: 780 * ONE },
        ] {
            let mut bed = Bed::new();
            bed.place("bob", Side::Sell, limit(LAST + 10, 6)).unwrap();
            bed.place("alice", Side::Sell, limit(LAST + 10, 4)).unwrap();
            bed.place("bob", Side::Sell, limit(LAST + 10_000, 50)).unwrap();
            let placed = bed.place_with("alice", Side::Buy, terms, mode).unwrap();
            assert!(!placed.order.status.is_open(), "{mode:?}");
            assert_eq!(bed.locked("alice", "USDT"), 0);
            if let Terms::MarketByValue { value } = terms {
                assert!(placed.order.executed_value <= value);
            }
            bed.check();
            bed.restart();
        }
    }
}

#[test]
fn a_hidden_part_is_prevented_first() {
    let mut bed = Bed::new();
    let asks = bed.place("alice", Side::Sell, iceberg(LAST + 10, 10, 4)).unwrap();
    let bid = bed
        .place_with("alice", Side::Buy, limit(LAST + 10, 5), Mode::Decrement)
        .unwrap();
    assert_eq!(bid.order.status, Status::ExpiredInMatch);
    let order = bed.order(&asks);
    assert_eq!(
        (order.status, order.prevented, order.locked),
        (Status::New, milli(5), milli(5))
    );
    assert_eq!(
        bed.venue.markets[0].book.best(Side::Sell).map(|(_, lots)| lots),
        Some(400)
    );
    let bid = bed
        .place_with("alice", Side::Buy, limit(LAST + 10, 3), Mode::Decrement)
        .unwrap();
    assert_eq!(bid.order.status, Status::ExpiredInMatch);
    assert_eq!(
        bed.venue.markets[0].book.best(Side::Sell).map(|(_, lots)| lots),
        Some(200)
    );
    let bid = bed
        .place_with("alice", Side::Buy, limit(LAST + 10, 3), Mode::Decrement)
        .unwrap();
    assert_eq!((bid.order.status, bid.order.prevented), (Status::New, milli(2)));
    assert_eq!(bed.order(&asks).status, Status::ExpiredInMatch);
    bed.check();
    bed.restart();
}
