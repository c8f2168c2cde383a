//! Orders that wait for a price.

use super::super::order::{Refusal, Side, Stage, Status, TimeInForce};
use super::super::request::{Terms, Trigger};
use super::super::units::ONE;
use super::bed::{Bed, CENT, LAST, limit, milli, stop, stop_limit, trailing};

#[test]
fn each_kind_waits_for_its_side_of_the_price() {
    // side, take profit, stop price: where it is refused, and where it acts
    let table = [
        (Side::Buy, false, LAST + 100, LAST + 99, LAST + 100),
        (Side::Sell, false, LAST - 100, LAST - 99, LAST - 100),
        (Side::Buy, true, LAST - 100, LAST - 99, LAST - 100),
        (Side::Sell, true, LAST + 100, LAST + 99, LAST + 100),
    ];
    for (side, take_profit, price, not_yet, acts) in table {
        let mut bed = Bed::new();
        let across = side.opposite();
        let passed = stop(take_profit, 2 * LAST - price, 5);
        assert_eq!(bed.place("alice", side, passed), Err(Refusal::WouldTrigger));
        assert_eq!(
            bed.place("alice", side, stop(take_profit, LAST, 5)),
            Err(Refusal::WouldTrigger)
        );
        let waiting = bed.place("alice", side, stop(take_profit, price, 5)).unwrap();
        let order = bed.order(&waiting);
        assert_eq!(
            (order.status, order.stage, order.working_time()),
            (Status::New, Stage::Waiting, None)
        );
        bed.print(not_yet);
        assert_eq!(bed.order(&waiting).stage, Stage::Waiting);
        bed.check();
        // liquidity for it, beyond the price at which it acts
        let far = if side == Side::Buy { acts + 5_000 } else { acts - 5_000 };
        bed.place("bob", across, limit(far, 50)).unwrap();
        bed.print(acts);
        let order = bed.order(&waiting);
        assert_eq!(
            (order.status, order.stage, order.executed),
            (Status::Filled, Stage::Working, milli(5))
        );
        assert!(order.working_time().is_some());
        assert_eq!(bed.told(order.id), ["NEW", "NEW", "TRADE"]);
        bed.check();
        bed.restart();
    }
}

#[test]
fn a_stop_limit_order_rests_at_its_limit_and_stops_set_off_stops() {
    let mut bed = Bed::new();
    let first = bed
        .place("alice", Side::Sell, stop_limit(false, LAST - 10, LAST - 20, 5))
        .unwrap();
    let second = bed.place("carol", Side::Sell, stop(false, LAST - 20, 5)).unwrap();
    assert_eq!(bed.locked("alice", "BTC"), milli(5));
    bed.place("bob", Side::Buy, limit(LAST - 20, 5)).unwrap();
    bed.print(LAST - 10);
    // the first sold at its limit, which triggered the second, which found nobody
    assert_eq!(bed.order(&first).status, Status::Filled);
    let order = bed.order(&second);
    assert_eq!((order.status, order.executed), (Status::Expired, 0));
    let rests = bed
        .place("alice", Side::Buy, stop_limit(false, LAST, LAST - 30, 5))
        .unwrap();
    bed.print(LAST);
    let order = bed.order(&rests);
    assert_eq!((order.status, order.stage), (Status::New, Stage::Working));
    assert_eq!(
        bed.venue.markets[0]
            .book
            .best(Side::Buy)
            .map(|(ticks, _)| i128::from(ticks)),
        Some((LAST - 30) * 100)
    );
    bed.check();
    bed.restart();
    assert_eq!(bed.order(&rests).status, Status::New);
}

#[test]
fn a_triggered_buy_spends_what_there_is_and_no_more() {
    let mut bed = Bed::new();
    let quantity = milli(900_000);
    let terms = Terms::Stop {
        take_profit: false,
        trigger: Trigger::Stop((LAST + 10) * ONE),
        quantity,
    };
    // 900 bitcoins cost about 54 of alice's 100 millions, until the price doubles
    assert_eq!(
        bed.place("alice", Side::Buy, terms),
        Err(Refusal::Filter("MARKET_LOT_SIZE"))
    );
    let terms = stop(false, LAST + 10, 90_000);
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(bed.place("alice", Side::Buy, terms).unwrap());
    }
    for _ in 0..8 {
        bed.place("bob", Side::Sell, limit(LAST * 4, 30_000)).unwrap();
        bed.place("carol", Side::Sell, limit(LAST * 4, 37_000)).unwrap();
    }
    let before = bed.free("alice", "USDT") + bed.locked("alice", "USDT");
    bed.print(LAST + 10);
    let bought: Vec<i128> = waiting.iter().map(|placed| bed.order(placed).executed).collect();
    assert_eq!(bought[..3], [milli(90_000); 3]);
    assert!(bought[4] < milli(90_000), "{bought:?}");
    assert!(bed.free("alice", "USDT") >= 0 && bed.free("alice", "USDT") < before);
    bed.check();
}

#[test]
fn a_trailing_order_follows_the_price_and_turns_with_it() {
    let mut bed = Bed::new();
    bed.place("carol", Side::Buy, limit(50_000, 100)).unwrap();
    let sells = bed.place("alice", Side::Sell, trailing(100, None, 5)).unwrap();
    assert_eq!(bed.order(&sells).trail, LAST * ONE);
    bed.print(61_000);
    assert_eq!(bed.order(&sells).trail, 61_000 * ONE);
    bed.print(60_391);
    assert_eq!(bed.order(&sells).stage, Stage::Waiting);
    bed.restart();
    bed.place("carol", Side::Buy, limit(50_000, 100)).unwrap();
    bed.print(60_391);
    assert_eq!(
        bed.order(&sells).stage,
        Stage::Waiting,
        "what it saw survives a restart"
    );
    bed.print(60_390);
    assert_eq!(bed.order(&sells).status, Status::Filled);
    bed.check();
}

#[test]
fn a_trailing_order_with_a_stop_price_begins_there() {
    let mut bed = Bed::new();
    bed.place("bob", Side::Sell, limit(70_000, 100)).unwrap();
    let buys = bed.place("alice", Side::Buy, trailing(500, Some(64_000), 5)).unwrap();
    assert_eq!(bed.locked("alice", "USDT"), 320 * ONE);
    for (price, trail, waits) in [
        (57_000, 0, true),
        (64_000, 64_000, true),
        (66_000, 64_000, true),
        (62_000, 62_000, true),
        (65_099, 62_000, true),
        (65_100, 62_000, false),
    ] {
        bed.print(price);
        let order = bed.order(&buys);
        assert_eq!(
            (order.trail, order.stage == Stage::Waiting),
            (trail * ONE, waits),
            "{price}"
        );
        assert_eq!(order.trailing_since > 0, trail > 0);
    }
    assert_eq!(bed.order(&buys).status, Status::Filled);
    bed.check();
    bed.restart();
}

#[test]
fn waiting_orders_are_cancelled_and_kept_over_a_restart() {
    let mut bed = Bed::new();
    let waiting = bed
        .place("alice", Side::Buy, stop_limit(true, LAST - 100, LAST - 50, 5))
        .unwrap();
    let other = bed.place("alice", Side::Sell, stop(false, LAST - 200, 5)).unwrap();
    assert_eq!(bed.locked("alice", "USDT"), (LAST - 50) * ONE * 5 / 1_000);
    bed.restart();
    assert_eq!(bed.cancel(&other.order).unwrap().status, Status::Canceled);
    assert_eq!(bed.locked("alice", "BTC"), 0);
    bed.print(LAST - 100);
    let order = bed.order(&waiting);
    assert_eq!((order.status, order.stage), (Status::New, Stage::Working));
    assert!(order.working_time().is_some());
    bed.check();
}

#[test]
fn a_triggered_order_obeys_its_time_in_force() {
    for (time_in_force, executed) in [(TimeInForce::Ioc, 2), (TimeInForce::Fok, 0)] {
        let mut bed = Bed::new();
        bed.place("bob", Side::Sell, limit(LAST + 20, 2)).unwrap();
        let terms = Terms::StopLimit {
            take_profit: false,
            trigger: Trigger::Stop((LAST + 10) * ONE),
            price: (LAST + 30) * ONE,
            quantity: milli(5),
            time_in_force,
            iceberg: None,
        };
        let waiting = bed.place("alice", Side::Buy, terms).unwrap();
        bed.print(LAST + 10);
        let order = bed.order(&waiting);
        assert_eq!((order.status, order.executed), (Status::Expired, milli(executed)));
        assert_eq!(bed.locked("alice", "USDT"), 0);
        bed.check();
    }
    assert_eq!(CENT * 100, ONE);
}
