//! Every filter refuses what it should, and nothing changes.

use super::super::filters::{MAX_ALGO_ORDERS, MAX_ICEBERG_ORDERS};
use super::super::order::{Refusal, Side};
use super::super::request::{NewOrder, Terms, Trigger};
use super::super::units::{Atoms, ONE};
use super::super::venue::Options;
use super::START;
use super::bed::{Bed, LAST, iceberg, limit, milli, order, stop, stop_limit, trailing};

#[test]
fn every_filter_refuses() {
    let filter = Refusal::Filter;
    let priced = |price: Atoms, quantity: Atoms| Terms::Limit {
        price,
        quantity,
        time_in_force: super::TimeInForce::Gtc,
        iceberg: None,
    };
    let waits = |trigger| Terms::Stop {
        take_profit: false,
        trigger,
        quantity: milli(1),
    };
    let table = [
        (Side::Buy, priced(LAST * ONE + 1, milli(1)), filter("PRICE_FILTER")),
        (Side::Buy, priced(0, milli(1)), filter("PRICE_FILTER")),
        (Side::Buy, limit(100_000_000, 1), filter("PRICE_FILTER")),
        (Side::Buy, waits(Trigger::Stop(LAST * ONE + 1)), filter("PRICE_FILTER")),
        (
            Side::Buy,
            waits(Trigger::Trailing {
                delta: 100,
                from: Some(1),
            }),
            filter("PRICE_FILTER"),
        ),
        (Side::Buy, limit(LAST / 6, 1), filter("PERCENT_PRICE_BY_SIDE")),
        (Side::Sell, limit(LAST * 6, 1), filter("PERCENT_PRICE_BY_SIDE")),
        (
            Side::Buy,
            stop_limit(false, LAST + 1, LAST * 6, 1),
            filter("PERCENT_PRICE_BY_SIDE"),
        ),
        (Side::Buy, priced(LAST * ONE, 100), filter("LOT_SIZE")),
        (Side::Buy, priced(LAST * ONE, milli(1) + 1), filter("LOT_SIZE")),
        (Side::Buy, limit(LAST, 1_000_001), filter("LOT_SIZE")),
        (Side::Buy, Terms::Market { quantity: 1 }, filter("LOT_SIZE")),
        (
            Side::Buy,
            Terms::Market {
                quantity: milli(100_001),
            },
            filter("MARKET_LOT_SIZE"),
        ),
        (Side::Buy, stop(false, LAST + 1, 100_001), filter("MARKET_LOT_SIZE")),
        (
            Side::Sell,
            Terms::MarketByValue { value: 8_000_000 * ONE },
            filter("MARKET_LOT_SIZE"),
        ),
        (Side::Buy, priced(LAST * ONE, 1_000), filter("NOTIONAL")),
        (Side::Buy, limit(LAST, 160_000), filter("NOTIONAL")),
        (Side::Buy, Terms::Market { quantity: 1_000 }, filter("NOTIONAL")),
        (Side::Buy, Terms::MarketByValue { value: ONE }, filter("NOTIONAL")),
        (Side::Buy, iceberg(LAST, 11, 1), filter("ICEBERG_PARTS")),
        (Side::Buy, iceberg(LAST, 1, 2), Refusal::IcebergExceeds),
        (Side::Sell, trailing(9, None, 1), filter("TRAILING_DELTA")),
        (Side::Buy, trailing(2_001, None, 1), filter("TRAILING_DELTA")),
        (
            Side::Sell,
            Terms::MarketByValue { value: 1_000 * ONE },
            Refusal::NoLiquidity,
        ),
    ];
    for (side, terms, expected) in table {
        let mut bed = Bed::new();
        if expected == filter("MARKET_LOT_SIZE") {
            let bids = Terms::Limit {
                price: LAST / 4 * ONE,
                quantity: milli(500_000),
                time_in_force: super::TimeInForce::Gtc,
                iceberg: None,
            };
            bed.place("bob", Side::Buy, bids).unwrap();
            bed.place("carol", Side::Buy, bids).unwrap();
        }
        let before = bed.effects.records.len();
        assert_eq!(bed.place("alice", side, terms).err(), Some(expected), "{terms:?}");
        assert_eq!(bed.venue.check(&order("alice", side, terms)), Err(expected));
        assert_eq!(bed.effects.records.len(), before);
    }
}

#[test]
fn every_count_has_its_bound() {
    let mut bed = Bed::new();
    for _ in 0..MAX_ALGO_ORDERS {
        bed.place("alice", Side::Sell, stop(false, LAST - 10, 1)).unwrap();
    }
    let refused = bed.place("alice", Side::Sell, stop(false, LAST - 10, 1));
    assert_eq!(refused.err(), Some(Refusal::Filter("MAX_NUM_ALGO_ORDERS")));
    for _ in 0..MAX_ICEBERG_ORDERS {
        bed.place("alice", Side::Sell, iceberg(LAST + 10, 10, 1)).unwrap();
    }
    let refused = bed.place("alice", Side::Sell, iceberg(LAST + 10, 10, 1));
    assert_eq!(refused.err(), Some(Refusal::Filter("MAX_NUM_ICEBERG_ORDERS")));
    while bed.place("alice", Side::Sell, limit(LAST + 10, 1)).is_ok() {}
    let refused = bed.place("alice", Side::Sell, limit(LAST + 10, 1));
    assert_eq!(refused.err(), Some(Refusal::Filter("MAX_NUM_ORDERS")));
    assert_eq!(bed.venue.ledger().account("alice").unwrap().load("BTCUSDT").orders, 30);
    bed.check();

    // what is held counts, locked or not
    let mut bed = Bed::new();
    let most = bed.venue.markets()[0].listing.max_position();
    bed.venue
        .open_account("rich", [("BTC".to_owned(), most)].into(), &mut bed.effects);
    let refused = bed.place("rich", Side::Buy, limit(LAST, 1));
    assert_eq!(refused.err(), Some(Refusal::Filter("MAX_POSITION")));
    bed.place("rich", Side::Sell, limit(LAST, 1)).unwrap();
    assert_eq!(
        bed.place("rich", Side::Buy, limit(LAST, 1)).err(),
        Some(Refusal::Filter("MAX_POSITION"))
    );
}

#[test]
fn older_symbols_have_the_older_filters() {
    let mut bed = Bed::with(Options {
        max_open_orders: 30,
        ..super::options(8, 1)
    });
    let symbol = 7;
    let market = &bed.venue.markets()[symbol];
    assert!(market.listing.older_filters);
    let (last, lot) = (
        Atoms::from(market.last_ticks()) * market.listing.tick(),
        market.listing.lot(),
    );
    let most = market.listing.max_quantity();
    let lots_of = |value: Atoms| value * ONE / last / lot * lot;
    let table = [
        (last * 6, lots_of(100 * ONE), Some(Refusal::Filter("PERCENT_PRICE"))),
        (last, lots_of(4 * ONE), Some(Refusal::Filter("MIN_NOTIONAL"))),
        (last, most, None), // no largest value
        (last / 2, lots_of(100 * ONE), None),
    ];
    for (price, quantity, expected) in table {
        let price = price - price % bed.venue.markets()[symbol].listing.tick();
        let terms = Terms::Limit {
            price,
            quantity,
            time_in_force: super::TimeInForce::Gtc,
            iceberg: None,
        };
        let new = NewOrder {
            symbol,
            ..order("alice", Side::Buy, terms)
        };
        assert_eq!(
            bed.venue.place(&new, START, &mut bed.effects).err(),
            expected,
            "{price}"
        );
    }
}
