//! Orders that trading holds: what is written of them, and what they say of themselves.

use super::terms;
use crate::codec::{Record, decode, encode, new_order};
use crate::core::{Accepted, CancelRequested, Changed, Event, Released, Resized, TrailMoved, Triggered};
use domain::{
    Asset, Conditions, Expiry, GroupKind, Membership, OrderId, OrderStatus, OrderTerms, OrderType, StrategyId,
    TimeInForce, Timestamp, Trail, Trigger,
};
use mesh::pb::trading as pb;

/// Held orders of every kind, each as it is accepted.
fn held_orders() -> Vec<Accepted> {
    let price = |text: &str| text.parse().unwrap();
    let accepted = |order_type, limit: Option<&str>, conditions| Accepted {
        terms: OrderTerms {
            order_type,
            time_in_force: if limit.is_some() {
                TimeInForce::Gtc
            } else {
                TimeInForce::Ioc
            },
            price: limit.map(price),
            collar: None,
            strategy: Some(StrategyId::parse("s-1").unwrap()),
            conditions,
            ..terms()
        },
        base: Asset::parse("BTC").unwrap(),
        quote: Asset::parse("USDT").unwrap(),
        limit_revision: 1,
        digest: [3; 32],
        reserved: "55.055".parse().unwrap(),
        held: Some("0.5".parse().unwrap()),
        reason: String::new(),
    };
    let on = |trigger| Conditions {
        trigger: Some(trigger),
        ..Conditions::default()
    };
    let member = |kind, group: &str| {
        Some(Membership {
            kind,
            group: OrderId::parse(group).unwrap(),
        })
    };
    // It waits until then, and never rests at the venue.
    let lasting = |expiry| {
        let waits = Conditions {
            expiry: Some(expiry),
            ..on(Trigger::Stop(price("120")))
        };
        accepted(OrderType::Market, None, waits)
    };
    vec![
        accepted(OrderType::Market, None, on(Trigger::Stop(price("120")))),
        accepted(OrderType::Limit, Some("121"), on(Trigger::Stop(price("120")))),
        accepted(OrderType::LimitMaker, Some("121"), on(Trigger::Stop(price("120")))),
        accepted(OrderType::Market, None, on(Trigger::TakeProfit(price("80")))),
        accepted(OrderType::Limit, Some("81"), on(Trigger::TakeProfit(price("80")))),
        accepted(
            OrderType::Market,
            None,
            on(Trigger::Trailing(Trail::Amount(price("5")))),
        ),
        accepted(OrderType::Market, None, on(Trigger::Trailing(Trail::BasisPoints(250)))),
        accepted(
            OrderType::Limit,
            Some("100"),
            Conditions {
                expiry: Some(Expiry::Day(Timestamp::from_micros(86_400_000_000))),
                reduce_only: true,
                display_quantity: Some("0.1".parse().unwrap()),
                membership: member(GroupKind::Oco, "0-2"),
                ..Conditions::default()
            },
        ),
        accepted(
            OrderType::Limit,
            Some("100"),
            Conditions {
                expiry: Some(Expiry::At(Timestamp::from_micros(5))),
                membership: member(GroupKind::Bracket, "0-1"),
                replaces: Some(OrderId::parse("0-1").unwrap()),
                ..Conditions::default()
            },
        ),
        Accepted {
            reason: "REDUCE_ONLY_SHRUNK".to_owned(),
            ..accepted(
                OrderType::Limit,
                Some("100"),
                Conditions {
                    membership: member(GroupKind::Oto, "0-2"),
                    ..Conditions::default()
                },
            )
        },
        lasting(Expiry::At(Timestamp::from_micros(5))),
        lasting(Expiry::Day(Timestamp::from_micros(86_400_000_000))),
    ]
}

#[test]
fn held_orders_and_what_happens_to_them_read_back() {
    let accepted = held_orders()
        .into_iter()
        .map(|accepted| Event::Accepted(Box::new(accepted)));
    let happened = [
        Event::Triggered(Triggered {
            order: 2,
            price: "120.5".parse().unwrap(),
        }),
        Event::Released(Released {
            order: 2,
            quantity: "0.4".parse().unwrap(),
            collar: Some("130".parse().unwrap()),
            reserved: "52".parse().unwrap(),
        }),
        Event::Resized(Resized {
            order: 2,
            quantity: "0.3".parse().unwrap(),
            reserved: "0".parse().unwrap(),
            reason: "OCO_PART_FILLED".to_owned(),
        }),
        Event::TrailMoved(TrailMoved {
            order: 2,
            extreme: "99".parse().unwrap(),
        }),
        Event::Changed(Changed {
            order: 2,
            status: OrderStatus::PendingTrigger,
            reason: "SEND_WINDOW_PASSED".to_owned(),
            reserved: "52".parse().unwrap(),
        }),
        Event::CancelRequested(CancelRequested {
            order: 2,
            request_id: String::new(),
            reason: "EXPIRE_TIME".to_owned(),
        }),
    ];
    for (sequence, event) in (1..).zip(accepted.chain(happened)) {
        let record = Record {
            sequence,
            time: Timestamp::from_micros(1_700_000_000_000_001),
            event,
        };
        assert_eq!(decode(&encode(0, &record)).unwrap(), record);
    }
}

#[test]
fn what_trading_does_for_an_order_is_said_on_it() {
    use pb::Emulation::{Collar, Expiry, Group, ReduceOnly, Replace, Trigger};
    let emulated: Vec<Vec<pb::Emulation>> = held_orders()
        .iter()
        .map(|accepted| new_order(&accepted.terms, accepted.held, Timestamp::EPOCH))
        .map(|order| {
            assert_eq!(order.status(), pb::OrderStatus::PendingTrigger);
            order.emulated().collect()
        })
        .collect();
    // Of the first seven, those at the market go at their collar.
    for (index, emulated) in emulated[..7].iter().enumerate() {
        let expected: &[_] = match index {
            1 | 2 | 4 => &[Trigger],
            _ => &[Trigger, Collar],
        };
        assert_eq!(emulated, expected, "{index}");
    }
    assert_eq!(emulated[7], [Expiry, Group, ReduceOnly]);
    assert_eq!(emulated[8], [Expiry, Group, Replace]);
    assert_eq!(emulated[9], [Group]);
    let market = new_order(&terms(), None, Timestamp::EPOCH);
    assert_eq!(market.emulated().collect::<Vec<_>>(), [Collar]);
}
