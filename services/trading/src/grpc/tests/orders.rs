//! The fields of new orders and groups: a line a combination.

use super::submit;
use crate::core::{Lasts, Submit};
use crate::grpc::orders;
use domain::{GroupKind, OrderType, TimeInForce, Timestamp, Trail, Trigger};
use mesh::error::Kind;
use mesh::pb::trading as pb;
use pb::OrderType::{Limit, LimitMaker, Market, Stop, StopLimit, TakeProfit, TakeProfitLimit, TrailingStop};
use pb::TimeInForce::{Day, Fok, Gtc, Gtd, Ioc, Unspecified};

type Edit = fn(&mut pb::SubmitOrderRequest);

/// A sell of one, of this type, with just what the type needs.
fn order(kind: pb::OrderType, stands: pb::TimeInForce) -> pb::SubmitOrderRequest {
    let has_limit = matches!(kind, Limit | LimitMaker | StopLimit | TakeProfitLimit);
    let has_stop = matches!(kind, Stop | StopLimit | TakeProfit | TakeProfitLimit);
    pb::SubmitOrderRequest {
        side: pb::Side::Sell as i32,
        r#type: kind as i32,
        time_in_force: stands as i32,
        price: if has_limit { "99".into() } else { String::new() },
        stop_price: if has_stop { "95".into() } else { String::new() },
        trail_basis_points: if kind == TrailingStop { 100 } else { 0 },
        expire_time: (stands == Gtd).then(|| mesh::pb::Timestamp::from_micros(7)),
        ..submit("x", "1", "")
    }
}

fn field(order: &pb::SubmitOrderRequest) -> String {
    match orders::submit(order) {
        Ok(_) => String::new(),
        Err(error) => {
            // What one field may be is a form; what depends on another is a rule of the service.
            let kind = match error.reason() {
                "INVALID_FIELD" => Kind::Invalid,
                "FIELD_COMBINATION" => Kind::Refused,
                other => panic!("{other}"),
            };
            assert_eq!(error.kind(), kind);
            error.context()["field"].clone()
        }
    }
}

#[test]
fn which_type_stands_how_long() {
    let all = [Unspecified, Gtc, Ioc, Fok, Day, Gtd];
    // What each type answers to each of them: how the order meets the book, how long it stands there; none is a refusal.
    let (gtc, ioc, fok) = (Some(TimeInForce::Gtc), Some(TimeInForce::Ioc), Some(TimeInForce::Fok));
    let table = [
        (Market, OrderType::Market, [ioc, None, None, None, None, None]),
        (Limit, OrderType::Limit, [gtc, gtc, ioc, fok, gtc, gtc]),
        (LimitMaker, OrderType::LimitMaker, [gtc, None, None, None, gtc, gtc]),
        (Stop, OrderType::Market, [ioc, ioc, None, None, ioc, ioc]),
        (StopLimit, OrderType::Limit, [gtc, gtc, ioc, fok, gtc, gtc]),
        (TakeProfit, OrderType::Market, [ioc, ioc, None, None, ioc, ioc]),
        (TakeProfitLimit, OrderType::Limit, [gtc, gtc, ioc, fok, gtc, gtc]),
        (TrailingStop, OrderType::Market, [ioc, ioc, None, None, ioc, ioc]),
    ];
    for (kind, meets, row) in table {
        for (stands, expected) in all.into_iter().zip(row) {
            let read = orders::submit(&order(kind, stands));
            let Some(expected) = expected else {
                assert_eq!(
                    read.unwrap_err().context()["field"],
                    "time_in_force",
                    "{kind:?} {stands:?}"
                );
                continue;
            };
            let read = read.unwrap();
            assert_eq!(
                (read.order_type, read.time_in_force),
                (meets, expected),
                "{kind:?} {stands:?}"
            );
            let lasts = match stands {
                Day => Lasts::Day,
                Gtd => Lasts::Until(Timestamp::from_micros(7)),
                _ => Lasts::Unbounded,
            };
            assert_eq!(read.wishes.lasts, lasts);
            assert_eq!(
                read.wishes.trigger.is_some(),
                !matches!(kind, Market | Limit | LimitMaker)
            );
        }
    }
}

#[test]
fn bad_combinations_are_refused_by_name() {
    let far = mesh::pb::Timestamp {
        seconds: i64::MAX,
        nanos: 0,
    };
    let table: Vec<(pb::OrderType, Edit, &str)> = vec![
        (Limit, |it| it.quantity.clear(), "quantity"),
        (Limit, |it| it.r#type = 0, "type"),
        (Limit, |it| it.r#type = 99, "type"),
        (Limit, |it| it.time_in_force = 99, "time_in_force"),
        (Limit, |it| it.price.clear(), "price"),
        (StopLimit, |it| it.price.clear(), "price"),
        (Market, |it| it.price = "1".into(), "price"),
        (Stop, |it| it.price = "1".into(), "price"),
        (TrailingStop, |it| it.price = "1".into(), "price"),
        (Limit, |it| it.stop_price = "1".into(), "stop_price"),
        (TrailingStop, |it| it.stop_price = "1".into(), "stop_price"),
        (Stop, |it| it.stop_price.clear(), "stop_price"),
        (TakeProfit, |it| it.stop_price = "0".into(), "stop_price"),
        (Stop, |it| it.trail = "1".into(), "trail"),
        (Limit, |it| it.trail_basis_points = 5, "trail"),
        (TrailingStop, |it| it.trail_basis_points = 0, "trail"),
        (TrailingStop, |it| it.trail = "1".into(), "trail_basis_points"),
        (TrailingStop, |it| it.trail_basis_points = 10_000, "trail_basis_points"),
        (TrailingStop, |it| it.trail_basis_points = -1, "trail_basis_points"),
        (Limit, |it| it.time_in_force = Gtd as i32, "expire_time"),
        (
            Limit,
            |it| it.expire_time = Some(mesh::pb::Timestamp::from_micros(7)),
            "expire_time",
        ),
        (Market, |it| it.post_only = true, "post_only"),
        (Stop, |it| it.post_only = true, "post_only"),
        (
            Limit,
            |it| (it.post_only, it.time_in_force) = (true, Ioc as i32),
            "time_in_force",
        ),
        (Market, |it| it.display_quantity = "0.5".into(), "display_quantity"),
        (
            Limit,
            |it| (it.display_quantity, it.time_in_force) = ("0.5".into(), Ioc as i32),
            "display_quantity",
        ),
        (Limit, |it| it.display_quantity = "1".into(), "display_quantity"),
        (Limit, |it| it.strategy = "two words".into(), "strategy"),
        (Limit, |it| it.strategy = "x".repeat(33), "strategy"),
    ];
    for (kind, edit, expected) in table {
        let mut order = order(kind, Unspecified);
        assert_eq!(field(&order), "", "{kind:?}");
        edit(&mut order);
        assert_eq!(field(&order), expected, "{order:?}");
    }
    let mut order = order(Limit, Gtd);
    order.expire_time = Some(far);
    assert_eq!(field(&order), "expire_time");
}

#[test]
fn what_is_read_of_an_order() {
    let read = |kind, edit: Edit| {
        let mut order = order(kind, Unspecified);
        edit(&mut order);
        orders::submit(&order).unwrap()
    };
    let price = |text: &str| text.parse().unwrap();
    let triggers: [(Submit, Trigger); 4] = [
        (read(Stop, |_| {}), Trigger::Stop(price("95"))),
        (read(TakeProfitLimit, |_| {}), Trigger::TakeProfit(price("95"))),
        (read(TrailingStop, |_| {}), Trigger::Trailing(Trail::BasisPoints(100))),
        (
            read(TrailingStop, |it| (it.trail, it.trail_basis_points) = ("5".into(), 0)),
            Trigger::Trailing(Trail::Amount(price("5"))),
        ),
    ];
    for (submit, trigger) in triggers {
        assert_eq!(submit.wishes.trigger, Some(trigger));
    }
    let resting = read(StopLimit, |it| (it.post_only, it.time_in_force) = (true, Gtc as i32));
    assert_eq!(resting.order_type, OrderType::LimitMaker);
    let iceberg = read(Limit, |it| {
        (it.display_quantity, it.reduce_only, it.strategy) = ("0.5".into(), true, "momentum".into());
    });
    assert_eq!(iceberg.wishes.display_quantity.unwrap().to_string(), "0.5");
    assert!(iceberg.wishes.reduce_only);
    assert_eq!(iceberg.strategy.unwrap().as_str(), "momentum");
}

/// A group of these orders, under ids of their own; children without quantity.
fn group(kind: pb::GroupType, members: &[pb::SubmitOrderRequest]) -> pb::SubmitGroupRequest {
    let member = |(index, order): (usize, &pb::SubmitOrderRequest)| pb::SubmitOrderRequest {
        account_id: String::new(),
        client_order_id: format!("c-{index}"),
        quantity: match kind == pb::GroupType::Oco || index == 0 {
            true => order.quantity.clone(),
            false => String::new(),
        },
        ..order.clone()
    };
    pb::SubmitGroupRequest {
        account_id: "paper-1".into(),
        r#type: kind as i32,
        orders: members.iter().enumerate().map(member).collect(),
    }
}

#[test]
fn which_orders_make_a_group() {
    use pb::GroupType::{Bracket, Oco, Oto};
    let of = |kind| order(kind, Unspecified);
    let buy = |kind| pb::SubmitOrderRequest {
        side: pb::Side::Buy as i32,
        ..of(kind)
    };
    for (kind, members) in [
        (Oco, vec![of(Limit), of(Stop)]),
        (Oco, vec![of(StopLimit), of(LimitMaker)]),
        (Oco, vec![of(TrailingStop), of(Limit)]),
        (Oto, vec![of(Limit), buy(Market)]),
        (Oto, vec![of(Stop), of(TrailingStop)]),
        (Bracket, vec![buy(Limit), of(Limit), of(Stop)]),
        (Bracket, vec![buy(Market), of(Limit), of(TrailingStop)]),
    ] {
        let read = orders::group(&group(kind, &members)).unwrap();
        assert_eq!(read.orders.len(), members.len());
        assert!(read.orders.iter().all(|order| order.quantity.to_string() == "1"));
        assert_eq!(read.kind == GroupKind::Oco, kind == Oco);
    }
    let at = |kind, stop: &str| pb::SubmitOrderRequest {
        stop_price: stop.into(),
        ..of(kind)
    };
    let oco = || group(Oco, &[of(Limit), of(Stop)]);
    let bracket = || group(Bracket, &[buy(Limit), of(Limit), of(Stop)]);
    type EditGroup = fn(&mut pb::SubmitGroupRequest);
    let edited = |mut group: pb::SubmitGroupRequest, edit: EditGroup| {
        edit(&mut group);
        group
    };
    let table = [
        (edited(oco(), |it| it.r#type = 0), "type"),
        (edited(oco(), |it| drop(it.orders.pop())), "orders"),
        (edited(bracket(), |it| drop(it.orders.pop())), "orders"),
        (
            edited(oco(), |it| it.orders[1].client_order_id = "c-0".into()),
            "orders",
        ),
        (edited(oco(), |it| it.orders[1].symbol = "ETHUSDT".into()), "orders"),
        (edited(oco(), |it| it.orders[1].side = 1), "orders"),
        (edited(oco(), |it| it.orders[1].quantity = "2".into()), "orders"),
        (
            edited(oco(), |it| it.orders[1].account_id = "paper-2".into()),
            "orders[1].account_id",
        ),
        (
            edited(oco(), |it| it.orders[1].stop_price.clear()),
            "orders[1].stop_price",
        ),
        (
            edited(bracket(), |it| it.orders[2].quantity = "1".into()),
            "orders[2].quantity",
        ),
        (
            edited(bracket(), |it| it.orders[0].quantity.clear()),
            "orders[0].quantity",
        ),
        (edited(bracket(), |it| it.orders[0].side = 2), "orders"),
        // No pair: two that rest, a market order, one that does not rest, two stops; and a profit beyond the stop.
        (group(Oco, &[of(Limit), of(Limit)]), "orders"),
        (group(Oco, &[of(Market), of(Stop)]), "orders"),
        (group(Oco, &[order(Limit, Ioc), of(Stop)]), "orders"),
        (group(Oco, &[of(Stop), of(TrailingStop)]), "orders"),
        (group(Oco, &[of(TakeProfit), of(Limit)]), "orders"),
        (group(Oco, &[of(Limit), at(Stop, "99")]), "orders"),
        (group(Oco, &[buy(Limit), buy(Stop)]), "orders"),
        (group(Bracket, &[buy(Limit), of(Stop), of(Limit)]), "orders"),
    ];
    for (group, field) in table {
        let error = orders::group(&group).unwrap_err();
        let reason = if field == "type" {
            "INVALID_FIELD"
        } else {
            "FIELD_COMBINATION"
        };
        assert_eq!(
            (error.reason(), error.context()["field"].as_str()),
            (reason, field),
            "{group:?}"
        );
    }
    let falling = [
        buy(Limit),
        pb::SubmitOrderRequest {
            stop_price: "101".into(),
            ..buy(Stop)
        },
    ];
    assert!(orders::group(&group(Oco, &falling)).is_ok());
}
