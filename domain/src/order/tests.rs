use super::OrderEventKind as Kind;
use super::OrderStatus::{
    Cancelled, Expired, Filled, Open, PartiallyFilled, PendingCancel, PendingNew, Rejected, Unknown,
};
use super::*;
use crate::testing::terms;
use crate::{Money, NumberError, Price, Quantity, Timestamp};
use proptest::prelude::*;

/// The specification: what each status answers to each kind of event. `None` is a refusal.
const TABLE: [(OrderStatus, [Option<OrderStatus>; 10]); 9] = [
    // Accepted, AcceptedPartlyFilled, Rejected, OutcomeUnknown, PartialFill, CompleteFill, CancelRequested, CancelRejected, Cancelled, Expired
    (
        PendingNew,
        [
            Some(Open),
            None,
            Some(Rejected),
            Some(Unknown),
            Some(PartiallyFilled),
            Some(Filled),
            Some(PendingCancel),
            None,
            Some(Cancelled),
            Some(Expired),
        ],
    ),
    (
        Unknown,
        [
            Some(Open),
            Some(PartiallyFilled),
            Some(Rejected),
            None,
            Some(PartiallyFilled),
            Some(Filled),
            Some(PendingCancel),
            Some(Unknown),
            Some(Cancelled),
            Some(Expired),
        ],
    ),
    (
        Open,
        [
            None,
            None,
            None,
            None,
            Some(PartiallyFilled),
            Some(Filled),
            Some(PendingCancel),
            Some(Open),
            Some(Cancelled),
            Some(Expired),
        ],
    ),
    (
        PartiallyFilled,
        [
            None,
            Some(PartiallyFilled),
            None,
            None,
            Some(PartiallyFilled),
            Some(Filled),
            Some(PendingCancel),
            Some(PartiallyFilled),
            Some(Cancelled),
            Some(Expired),
        ],
    ),
    (
        PendingCancel,
        [
            Some(PendingCancel),
            Some(PendingCancel),
            Some(Rejected),
            Some(Unknown),
            Some(PendingCancel),
            Some(Filled),
            None,
            Some(Unknown),
            Some(Cancelled),
            Some(Expired),
        ],
    ),
    (
        Filled,
        [
            None,
            Some(Filled),
            None,
            None,
            None,
            None,
            None,
            Some(Filled),
            None,
            None,
        ],
    ),
    (
        Cancelled,
        [
            Some(Cancelled),
            Some(Cancelled),
            None,
            None,
            Some(Cancelled),
            Some(Filled),
            None,
            Some(Cancelled),
            None,
            None,
        ],
    ),
    (
        Rejected,
        [
            Some(Open),
            None,
            None,
            None,
            Some(PartiallyFilled),
            Some(Filled),
            None,
            Some(Rejected),
            None,
            None,
        ],
    ),
    (
        Expired,
        [
            Some(Expired),
            Some(Expired),
            None,
            None,
            Some(Expired),
            Some(Filled),
            None,
            Some(Expired),
            None,
            None,
        ],
    ),
];

#[test]
fn every_edge_and_no_other() {
    assert_eq!(TABLE.map(|(status, _)| status).as_slice().len(), OrderStatus::ALL.len());
    for (from, row) in TABLE {
        for (event, expected) in Kind::ALL.iter().zip(row) {
            let expected = expected.ok_or(IllegalTransition { from, event: *event });
            assert_eq!(from.transition(*event), expected, "{from} + {event}");
        }
    }
    let illegal = Filled.transition(Kind::Cancelled).unwrap_err();
    assert_eq!(illegal.to_string(), "an order that is FILLED cannot take CANCELLED");
    assert_eq!(illegal.reason(), "ORDER_TRANSITION_ILLEGAL");
}

#[test]
fn words_go_both_ways() {
    fn both<T: std::str::FromStr<Err = ParseTermError> + std::fmt::Display + Copy + PartialEq + std::fmt::Debug>(
        all: &[T],
    ) {
        for value in all {
            assert_eq!(value.to_string().parse::<T>(), Ok(*value));
        }
        assert!(
            "nonsense"
                .parse::<T>()
                .unwrap_err()
                .to_string()
                .starts_with("not a known ")
        );
    }
    both(Side::ALL);
    both(OrderType::ALL);
    both(TimeInForce::ALL);
    both(OrderStatus::ALL);
    both(Kind::ALL);
    both(crate::Liquidity::ALL);
    both(crate::Interval::ALL);
    assert_eq!(Side::Buy.opposite().opposite(), Side::Buy);
    assert_eq!(
        serde_json::to_string(&OrderType::LimitMaker).unwrap(),
        "\"LIMIT_MAKER\""
    );
    assert_eq!(serde_json::to_string(&crate::Interval::M5).unwrap(), "\"5m\"");
}

#[test]
fn the_over_and_the_live() {
    for status in OrderStatus::ALL {
        let over = matches!(status, Filled | Cancelled | Rejected | Expired);
        assert_eq!((status.is_terminal(), status.is_live()), (over, !over));
    }
}

fn at(second: i64, report: OrderReport) -> OrderEvent {
    OrderEvent::new(Timestamp::from_millis(second * 1_000), report)
}

fn fill(price: &str, quantity: &str) -> OrderReport {
    OrderReport::Filled {
        price: Price::parse(price).unwrap(),
        quantity: Quantity::parse(quantity).unwrap(),
    }
}

#[test]
fn a_life_with_two_fills() {
    let mut order = Order::new(terms(Side::Buy, Some("100"), "3"), Timestamp::EPOCH);
    assert_eq!((order.status(), order.average_price()), (PendingNew, None));
    order.apply(&at(1, OrderReport::Accepted)).unwrap();
    order.apply(&at(3, fill("99.5", "1"))).unwrap();
    assert_eq!(
        (order.status(), order.filled(), order.remaining()),
        (PartiallyFilled, "1".parse().unwrap(), "2".parse().unwrap())
    );
    assert_eq!(order.event_kind(&OrderReport::Accepted), Ok(Kind::AcceptedPartlyFilled));
    order.apply(&at(2, fill("99", "2"))).unwrap();
    assert_eq!(order.status(), Filled);
    assert_eq!(order.cost(), Money::parse("297.5").unwrap());
    assert_eq!(order.average_price().unwrap().to_string(), "99.166666666666");
    assert_eq!(order.created_at(), Timestamp::EPOCH);
    assert_eq!(
        order.updated_at(),
        Timestamp::from_millis(3_000),
        "time never runs back"
    );
    assert_eq!(order.terms().price_bound(), Some("100".parse().unwrap()));
    let json = serde_json::to_string(&order).unwrap();
    assert_eq!(serde_json::from_str::<Order>(&json).unwrap(), order);
}

#[test]
fn fills_win_after_the_end() {
    for end in [OrderReport::Cancelled, OrderReport::Expired] {
        let mut order = Order::new(terms(Side::Sell, Some("100"), "3"), Timestamp::EPOCH);
        order.apply(&at(1, OrderReport::Accepted)).unwrap();
        order.apply(&at(2, end)).unwrap();
        let ended = order.status();
        order.apply(&at(3, fill("100", "1"))).unwrap();
        assert_eq!((order.status(), order.filled().to_string().as_str()), (ended, "1"));
        order.apply(&at(4, fill("100", "2"))).unwrap();
        assert_eq!(order.status(), Filled);
    }
}

#[test]
fn a_rejected_order_that_turns_up_is_adopted() {
    let rejected = OrderReport::Rejected {
        reason: "NOT_FOUND".into(),
    };
    let mut order = Order::new(terms(Side::Sell, Some("100"), "3"), Timestamp::EPOCH);
    order.apply(&at(1, OrderReport::OutcomeUnknown)).unwrap();
    order.apply(&at(2, rejected)).unwrap();
    assert_eq!(order.reject_reason(), Some("NOT_FOUND"));
    order.apply(&at(3, OrderReport::CancelRejected)).unwrap();
    assert_eq!(order.reject_reason(), Some("NOT_FOUND"), "kept while rejected");
    order.apply(&at(4, OrderReport::Accepted)).unwrap();
    assert_eq!((order.status(), order.reject_reason()), (Open, None));
}

#[test]
fn a_cancel_that_loses_its_race_leaves_a_question() {
    let mut order = Order::new(terms(Side::Sell, Some("100"), "3"), Timestamp::EPOCH);
    order.apply(&at(1, OrderReport::CancelRequested)).unwrap();
    order.apply(&at(2, fill("100", "1"))).unwrap();
    assert_eq!(order.status(), PendingCancel);
    order.apply(&at(3, OrderReport::CancelRejected)).unwrap();
    assert_eq!(order.status(), Unknown);
    order.apply(&at(4, OrderReport::Accepted)).unwrap();
    assert_eq!(order.status(), PartiallyFilled);
}

#[test]
fn refused_events_change_nothing() {
    let rejected = OrderReport::Rejected { reason: "X".into() };
    let mut order = Order::new(terms(Side::Buy, Some("100"), "3"), Timestamp::EPOCH);
    order.apply(&at(1, fill("100", "2"))).unwrap();
    order.apply(&at(1, OrderReport::CancelRequested)).unwrap();
    let before = order.clone();
    for (report, reason) in [
        (fill("100", "1.1"), "ORDER_OVERFILL"),
        (fill("100", "0"), "ORDER_FILL_EMPTY"),
        (rejected, "ORDER_REJECTED_AFTER_FILL"),
        (OrderReport::CancelRequested, "ORDER_TRANSITION_ILLEGAL"),
        (fill("9999999999999999999999999999", "1"), "NUMBER_OUT_OF_RANGE"),
        (fill("0.0000000001", "0.0000000001"), "NUMBER_INEXACT"),
    ] {
        let error = order.apply(&at(9, report.clone())).unwrap_err();
        assert_eq!(error.reason(), reason, "{report:?}: {error}");
        assert!(!error.to_string().is_empty());
        assert_eq!(order, before);
    }
    assert_eq!(
        OrderError::from(NumberError::Inexact).to_string(),
        "cost: the result cannot be held exactly"
    );
}

fn any_report() -> impl Strategy<Value = OrderReport> {
    prop_oneof![
        Just(OrderReport::Accepted),
        Just(OrderReport::Rejected { reason: "R".into() }),
        Just(OrderReport::OutcomeUnknown),
        (1u32..200, 0u32..6).prop_map(|(price, quantity)| fill(&price.to_string(), &quantity.to_string())),
        Just(OrderReport::CancelRequested),
        Just(OrderReport::CancelRejected),
        Just(OrderReport::Cancelled),
        Just(OrderReport::Expired),
    ]
}

proptest! {
    #[test]
    fn whatever_is_reported_the_order_stays_true(reports in prop::collection::vec(any_report(), 0..40)) {
        let mut order = Order::new(terms(Side::Buy, Some("100"), "10"), Timestamp::EPOCH);
        let mut cost = Money::ZERO;
        for (second, report) in reports.into_iter().enumerate() {
            let before = order.clone();
            let event = at(second as i64, report.clone());
            match order.apply(&event) {
                Err(_) => prop_assert_eq!(&order, &before),
                Ok(()) => {
                    let kind = before.event_kind(&report).unwrap();
                    prop_assert_eq!(before.status().transition(kind), Ok(order.status()));
                    if let OrderReport::Filled { price, quantity } = report {
                        cost = cost.checked_add(price.notional(quantity).unwrap()).unwrap();
                    }
                }
            }
            prop_assert!(order.filled() >= before.filled() && order.filled() <= order.terms().quantity);
            prop_assert_eq!(order.cost(), cost);
            prop_assert_eq!(order.status() == Filled, order.remaining().is_zero());
            prop_assert!(order.filled().is_zero() || !matches!(order.status(), PendingNew | Open | Rejected));
        }
    }
}
