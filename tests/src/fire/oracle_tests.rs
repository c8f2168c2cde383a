//! Every fault that the oracle is for, planted into a world that is right.

use super::{Account, OrderTold, Verdict, cancelled, judge};
use crate::fire::log::{Answered, Entry};
use crate::fire::venue::{Order, Trade};
use bench::orders::Kind;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

struct World {
    log: BTreeMap<String, Entry>,
    account: Account,
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn entry(kind: Kind, status: u16, order: &str) -> Entry {
    Entry {
        account: "paper-1".into(),
        kind,
        cancels: match kind {
            Kind::Submit => String::new(),
            Kind::Cancel => order.into(),
        },
        answer: Some(Answered {
            status,
            reason: String::new(),
            order_id: order.into(),
            attempts: 1,
        }),
    }
}

fn told(key: &str, order: &str, status: &str, filled: &str) -> OrderTold {
    OrderTold {
        order_id: order.into(),
        key: key.into(),
        status: status.into(),
        reason: String::new(),
        filled: decimal(filled),
    }
}

fn order(client_id: &str, status: &str, executed: &str) -> Order {
    Order {
        client_id: client_id.into(),
        symbol: "BTCUSDT".into(),
        status: status.into(),
        executed: decimal(executed),
    }
}

/// One order bought 2 at 10 for a fee of 0.002, one was cancelled, one never reached the venue, one was refused.
fn world() -> World {
    let log = [
        ("a", entry(Kind::Submit, 200, "0-1")),
        ("b", entry(Kind::Submit, 200, "0-2")),
        ("c", entry(Kind::Submit, 200, "0-3")),
        ("d", entry(Kind::Submit, 422, "")),
        ("e", entry(Kind::Cancel, 200, "0-2")),
    ];
    let mut account = Account::default();
    account.opening.insert("USDT".into(), decimal("100"));
    account.book.orders.insert(7, order("j-0-1-1", "FILLED", "2"));
    account.book.orders.insert(8, order("j-0-1-2", "CANCELED", "0"));
    let trade = Trade {
        order: "7".into(),
        is_buy: true,
        price: decimal("10"),
        quantity: decimal("2"),
        fee: decimal("0.002"),
        fee_asset: "BTC".into(),
    };
    let key = ("BTCUSDT".to_owned(), 5);
    account.book.trades.insert(key.clone(), trade.clone());
    account.book.balances.insert("USDT".into(), decimal("80"));
    account.book.balances.insert("BTC".into(), decimal("1.998"));
    account.told.orders = vec![
        told("a", "0-1", "FILLED", "2"),
        told("b", "0-2", "CANCELLED", "0"),
        told("c", "0-3", "REJECTED", "0"),
    ];
    account.told.orders[2].reason = "NEVER_REACHED_VENUE".into();
    account.told.fills.insert(key, trade);
    account.told.fill_count = 1;
    account.told.holdings = account.book.balances.clone();
    account.told.positions.insert("BTCUSDT".into(), decimal("1.998"));
    World {
        log: log.into_iter().map(|(key, entry)| (key.to_owned(), entry)).collect(),
        account,
    }
}

fn verdict(world: World) -> Verdict {
    let symbols = [("BTCUSDT".to_owned(), ("BTC".to_owned(), "USDT".to_owned()))].into();
    judge(&world.log, &[("paper-1".to_owned(), world.account)].into(), &symbols)
}

#[test]
fn a_world_that_is_right_is_clean() {
    let verdict = verdict(world());
    assert!(verdict.is_clean(), "{}", verdict.findings(9));
    assert_eq!(
        (
            verdict.acknowledged,
            verdict.cancels,
            verdict.never_sent,
            verdict.trades
        ),
        (3, 1, 1, 1)
    );
}

#[test]
fn every_planted_fault_is_found() {
    type Plant = fn(&mut World);
    let table: [(&str, Plant, [usize; 3]); 20] = [
        (
            "a key without answer",
            |world| world.log.get_mut("d").unwrap().answer = None,
            [0, 0, 1],
        ),
        (
            "forgotten by trading",
            |world| drop(world.account.told.orders.remove(1)),
            [1, 0, 0],
        ),
        (
            "never at the venue",
            |world| drop(world.account.book.orders.remove(&8)),
            [1, 0, 0],
        ),
        (
            "a cancel that was acknowledged and forgotten",
            |world| drop(world.account.left_open.insert("0-2".into(), "NEW".into())),
            [1, 0, 0],
        ),
        (
            "said to be absent and is there",
            |world| drop(world.account.book.orders.insert(9, order("j-0-1-3", "NEW", "0"))),
            [0, 0, 1],
        ),
        (
            "twice at the venue under one id",
            |world| drop(world.account.book.orders.insert(9, order("j-0-1-2", "CANCELED", "0"))),
            [0, 1, 0],
        ),
        (
            "twice at the venue under two epochs",
            |world| drop(world.account.book.orders.insert(9, order("j-0-2-2", "CANCELED", "0"))),
            [0, 1, 0],
        ),
        (
            "at the venue under an id that is none of ours",
            |world| drop(world.account.book.orders.insert(9, order("web-1", "CANCELED", "0"))),
            [0, 1, 0],
        ),
        (
            "twice at the venue under two ids",
            |world| drop(world.account.book.orders.insert(9, order("j-0-1-9", "CANCELED", "0"))),
            [0, 1, 0],
        ),
        (
            "twice here",
            |world| world.account.told.orders.push(told("a", "0-9", "OPEN", "0")),
            [0, 1, 0],
        ),
        (
            "refused and accepted",
            |world| world.account.told.orders.push(told("d", "0-9", "OPEN", "0")),
            [0, 1, 0],
        ),
        (
            "two keys with one order",
            |world| world.log.get_mut("b").unwrap().answer = world.log["a"].answer.clone(),
            [0, 2, 2],
        ),
        (
            "another status",
            |world| world.account.told.orders[1].status = "OPEN".into(),
            [0, 0, 1],
        ),
        (
            "another quantity",
            |world| world.account.told.orders[0].filled = decimal("1"),
            [0, 0, 1],
        ),
        (
            "a cancel of an order that is gone",
            |world| world.log.get_mut("e").unwrap().answer.as_mut().unwrap().status = 404,
            [1, 0, 0],
        ),
        ("a fill lost", |world| world.account.told.fills.clear(), [1, 1, 0]),
        ("a fill twice", |world| world.account.told.fill_count = 2, [0, 1, 0]),
        (
            "a fill nobody made",
            |world| {
                let fill = world.account.told.fills.values().next().unwrap().clone();
                world.account.told.fills.insert(("BTCUSDT".into(), 6), fill);
                world.account.told.fill_count = 2;
            },
            [0, 1, 0],
        ),
        (
            "cash apart",
            |world| *world.account.told.holdings.get_mut("USDT").unwrap() = decimal("81"),
            [0, 0, 1],
        ),
        (
            "a position apart",
            |world| world.account.told.positions.clear(),
            [0, 0, 1],
        ),
    ];
    for (name, plant, expected) in table {
        let mut world = world();
        plant(&mut world);
        let verdict = verdict(world);
        let found = [verdict.lost.len(), verdict.doubled.len(), verdict.different.len()];
        assert_eq!(found, expected, "{name}:\n{}", verdict.findings(9));
        assert!(!verdict.is_clean(), "{name}");
    }
}

#[test]
fn cancels_may_come_too_late_and_an_unknown_account_is_noticed() {
    let mut world = world();
    let late = world.log.get_mut("e").unwrap().answer.as_mut().unwrap();
    late.status = 422;
    late.reason = "ORDER_CLOSED".into();
    assert!(verdict(world).is_clean());
    let mut world = self::world();
    world.log.get_mut("e").unwrap().answer.as_mut().unwrap().status = 409;
    assert_eq!(verdict(world).different.len(), 1);
    let mut world = self::world();
    let mut stranger = entry(Kind::Submit, 200, "1-1");
    stranger.account = "paper-9".into();
    world.log.insert("z".into(), stranger);
    assert_eq!(verdict(world).different, ["account paper-9 is not known"]);
}

#[test]
fn only_an_acknowledged_cancel_must_have_ended_its_order() {
    let mut world = world();
    assert_eq!(cancelled(&world.log, "paper-1"), ["0-2".to_owned()].into());
    assert!(cancelled(&world.log, "paper-2").is_empty());
    world.account.left_open.insert("0-1".into(), "NEW".into());
    assert!(verdict(world).is_clean(), "nobody cancelled it");
    let mut world = self::world();
    world.account.left_open.insert("0-2".into(), "NEW".into());
    let refused = world.log.get_mut("e").unwrap().answer.as_mut().unwrap();
    refused.status = 422;
    refused.reason = "ORDER_CLOSED".into();
    assert!(cancelled(&world.log, "paper-1").is_empty());
    assert!(verdict(world).is_clean(), "the cancel was refused");
}
