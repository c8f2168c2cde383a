//! Commissions: maker and taker, in what is received or in the fee asset.

use super::super::effects::UserEventKind;
use super::super::listing::FEE_ASSET;
use super::super::order::Side;
use super::super::request::{NewOrder, Terms};
use super::super::units::{Atoms, ONE};
use super::super::venue::Options;
use super::bed::{Bed, LAST, limit, maker, milli, order};
use super::{START, options};

#[test]
fn what_is_received_pays() {
    let mut bed = Bed::new();
    let asks = bed.place("alice", Side::Sell, maker(LAST + 10, 10)).unwrap();
    let bought = bed
        .place("bob", Side::Buy, Terms::Market { quantity: milli(10) })
        .unwrap();
    let fill = &bought.fills[0];
    assert_eq!((fill.fee, &fill.fee_asset), (milli(10) / 1_000, &None));
    let sold = bed
        .venue
        .ledger()
        .account("alice")
        .unwrap()
        .fills
        .back()
        .unwrap()
        .clone();
    assert_eq!((sold.order, sold.fee), (asks.order.id, fill.value * 7 / 10_000));
    bed.check();
}

#[test]
fn the_fee_asset_pays_less_while_it_lasts() {
    let mut bed = Bed::new();
    assert!(bed.venue.pay_in_fee_asset("alice", true, START, &mut bed.effects));
    let records = bed.effects.records.len();
    assert!(bed.venue.pay_in_fee_asset("alice", true, START, &mut bed.effects));
    assert_eq!(bed.effects.records.len(), records, "nothing changed");
    assert!(!bed.venue.pay_in_fee_asset("nobody", true, START, &mut bed.effects));
    let price = bed.venue.fee_asset_price().unwrap();
    bed.place("bob", Side::Sell, limit(LAST + 10, 50)).unwrap();
    let before = (bed.free("alice", "BTC"), bed.free("alice", FEE_ASSET));
    let bought = bed
        .place("alice", Side::Buy, Terms::Market { quantity: milli(10) })
        .unwrap();
    let fill = &bought.fills[0];
    assert_eq!(fill.fee_asset.as_deref(), Some(FEE_ASSET));
    assert_eq!(fill.fee, fill.value * 10 * 75 * ONE / (price * 1_000_000));
    assert_eq!(
        bed.free("alice", "BTC"),
        before.0 + milli(10),
        "nothing of what was received"
    );
    assert_eq!(bed.free("alice", FEE_ASSET), before.1 - fill.fee);
    let assets = bed.effects.user.iter().rev().find_map(|event| match &event.kind {
        UserEventKind::Position(balances) if event.account == "alice" => Some(balances.len()),
        _ => None,
    });
    assert_eq!(assets, Some(3), "the fee asset is told of too");
    bed.check();
    bed.restart();

    // all of it set aside: the whole commission comes from what is received
    let symbol = bed.venue.symbol("BNBUSDT").unwrap();
    let quantity: Atoms = bed.free("alice", FEE_ASSET);
    let lot = bed.venue.markets()[symbol].listing.lot();
    let sell = NewOrder {
        symbol,
        ..order(
            "alice",
            Side::Sell,
            Terms::LimitMaker {
                price: price * 2,
                quantity: quantity - quantity % lot,
                iceberg: None,
            },
        )
    };
    let sells = bed.venue.place(&sell, START, &mut bed.effects).unwrap();
    bed.place("bob", Side::Sell, limit(LAST + 10, 50)).unwrap();
    let bought = bed
        .place("alice", Side::Buy, Terms::Market { quantity: milli(10) })
        .unwrap();
    assert_eq!(bought.fills[0].fee_asset, None);
    assert_eq!(bought.fills[0].fee, milli(10) / 1_000);
    assert!(
        bed.venue
            .cancel(
                "alice",
                symbol,
                &super::super::order::OrderKey::Id(sells.order.id),
                None,
                START,
                &mut bed.effects
            )
            .is_ok()
    );
    // an account that trades the fee asset itself pays from what it buys
    let buys = |account: &str, side, terms| NewOrder {
        symbol,
        ..order(account, side, terms)
    };
    let at = price * 3;
    let quantity = quantity / 10 - quantity / 10 % lot;
    let asks = buys(
        "bob",
        Side::Sell,
        Terms::LimitMaker {
            price: at,
            quantity,
            iceberg: None,
        },
    );
    bed.venue.place(&asks, START, &mut bed.effects).unwrap();
    let bought = bed
        .venue
        .place(
            &buys("alice", Side::Buy, Terms::Market { quantity }),
            START,
            &mut bed.effects,
        )
        .unwrap();
    assert_eq!(bought.fills.last().unwrap().fee_asset.as_deref(), Some(FEE_ASSET));
    bed.check();
}

#[test]
fn a_venue_without_the_fee_asset_takes_what_is_received() {
    let mut bed = Bed::with(Options {
        max_open_orders: 30,
        ..options(2, 1)
    });
    assert_eq!(bed.venue.fee_asset_price(), None);
    assert!(bed.venue.pay_in_fee_asset("alice", true, START, &mut bed.effects));
    bed.place("bob", Side::Sell, limit(LAST + 10, 10)).unwrap();
    let bought = bed
        .place("alice", Side::Buy, Terms::Market { quantity: milli(10) })
        .unwrap();
    assert_eq!(bought.fills[0].fee_asset, None);
    bed.check();
}
