//! Orders that show a part of themselves.

use super::super::order::{Side, Status, TimeInForce};
use super::super::reach::Appetite;
use super::super::request::Terms;
use super::super::units::ONE;
use super::bed::{Bed, LAST, iceberg, immediate, limit, milli};

#[test]
fn the_book_shows_a_part_and_the_next_part_queues_behind() {
    let mut bed = Bed::new();
    let hidden = bed.place("alice", Side::Sell, iceberg(LAST + 1, 10, 4)).unwrap();
    let plain = bed.place("carol", Side::Sell, limit(LAST + 1, 3)).unwrap();
    let lots = |bed: &Bed| bed.venue.markets[0].book.best(Side::Sell).map(|(_, lots)| lots);
    assert_eq!(lots(&bed), Some(700));
    // four of alice's, one of carol's
    let taken = bed.place("bob", Side::Buy, limit(LAST + 1, 5)).unwrap();
    assert_eq!(taken.fills.len(), 2);
    assert_eq!(
        (bed.order(&hidden).executed, bed.order(&plain).executed),
        (milli(4), milli(1))
    );
    assert_eq!(lots(&bed), Some(600), "two of carol's and the next four of alice's");
    bed.restart();
    assert_eq!(lots(&bed), Some(600));
    // an order of everything gets what is hidden too, at one price and before the next
    bed.place("carol", Side::Sell, limit(LAST + 2, 3)).unwrap();
    let taken = bed
        .place("bob", Side::Buy, immediate(LAST + 2, 9, TimeInForce::Fok))
        .unwrap();
    assert_eq!(taken.order.status, Status::Filled);
    let prices: Vec<i128> = taken.fills.iter().map(|fill| fill.price / ONE - LAST).collect();
    assert_eq!(prices, [1, 1, 1, 2]);
    assert_eq!(
        (bed.order(&hidden).status, bed.order(&plain).status),
        (Status::Filled, Status::Filled)
    );
    bed.check();
}

#[test]
fn hidden_quantity_counts_for_whoever_asks_what_there_is() {
    let mut bed = Bed::new();
    bed.place("alice", Side::Buy, iceberg(LAST - 1, 10, 1)).unwrap();
    let everything = Appetite {
        owner: None,
        side: Side::Sell,
        limit: 1,
        lots: i64::MAX,
        value: i128::MAX,
    };
    assert_eq!(bed.venue.markets[0].reach(everything).lots, 1_000);
    let sold = bed
        .place("bob", Side::Sell, Terms::Market { quantity: milli(10) })
        .unwrap();
    assert_eq!((sold.order.status, sold.fills.len()), (Status::Filled, 10));
    let nothing = bed
        .place("bob", Side::Sell, Terms::Market { quantity: milli(10) })
        .unwrap();
    assert_eq!((nothing.order.status, nothing.order.executed), (Status::Expired, 0));
    bed.check();
}

#[test]
fn a_cancel_takes_the_hidden_part_along() {
    let mut bed = Bed::new();
    let hidden = bed.place("alice", Side::Sell, iceberg(LAST + 1, 10, 4)).unwrap();
    assert_eq!(bed.locked("alice", "BTC"), milli(10));
    bed.place("bob", Side::Buy, limit(LAST + 1, 5)).unwrap();
    assert_eq!(bed.cancel(&hidden.order).unwrap().executed, milli(5));
    assert_eq!(bed.locked("alice", "BTC"), 0);
    assert_eq!(bed.venue.markets[0].book.best(Side::Sell), None);
    let whole = bed.place("alice", Side::Sell, iceberg(LAST + 1, 10, 10)).unwrap();
    assert_eq!(bed.order(&whole).iceberg, 0, "an iceberg of one part is none");
    bed.check();
}
