use super::OrderEventKind as Kind;
use super::OrderStatus::{
    Cancelled, Expired, Filled, Open, PartiallyFilled, PendingCancel, PendingNew, PendingTrigger, Rejected, Unknown,
};
use super::*;
use crate::testing::terms;
use crate::{Money, NumberError, Price, Quantity, Timestamp};
use proptest::prelude::*;

/// The specification, a line a legal edge. What is not here is refused.
const EDGES: [(OrderStatus, Kind, OrderStatus); 65] = [
    (PendingTrigger, Kind::Released, PendingNew),
    (PendingTrigger, Kind::Resized, PendingTrigger),
    (PendingTrigger, Kind::Accepted, Open),
    (PendingTrigger, Kind::Rejected, Rejected),
    (PendingTrigger, Kind::PartialFill, PartiallyFilled),
    (PendingTrigger, Kind::CompleteFill, Filled),
    (PendingTrigger, Kind::Cancelled, Cancelled),
    (PendingTrigger, Kind::Expired, Expired),
    (PendingNew, Kind::Returned, PendingTrigger),
    (PendingNew, Kind::Accepted, Open),
    (PendingNew, Kind::Rejected, Rejected),
    (PendingNew, Kind::OutcomeUnknown, Unknown),
    (PendingNew, Kind::PartialFill, PartiallyFilled),
    (PendingNew, Kind::CompleteFill, Filled),
    (PendingNew, Kind::CancelRequested, PendingCancel),
    (PendingNew, Kind::Cancelled, Cancelled),
    (PendingNew, Kind::Expired, Expired),
    (Unknown, Kind::Returned, PendingTrigger),
    (Unknown, Kind::Accepted, Open),
    (Unknown, Kind::AcceptedPartlyFilled, PartiallyFilled),
    (Unknown, Kind::Rejected, Rejected),
    (Unknown, Kind::PartialFill, PartiallyFilled),
    (Unknown, Kind::CompleteFill, Filled),
    (Unknown, Kind::CancelRequested, PendingCancel),
    (Unknown, Kind::CancelRejected, Unknown),
    (Unknown, Kind::Cancelled, Cancelled),
    (Unknown, Kind::Expired, Expired),
    (Open, Kind::PartialFill, PartiallyFilled),
    (Open, Kind::CompleteFill, Filled),
    (Open, Kind::CancelRequested, PendingCancel),
    (Open, Kind::CancelRejected, Open),
    (Open, Kind::Cancelled, Cancelled),
    (Open, Kind::Expired, Expired),
    (PartiallyFilled, Kind::AcceptedPartlyFilled, PartiallyFilled),
    (PartiallyFilled, Kind::PartialFill, PartiallyFilled),
    (PartiallyFilled, Kind::CompleteFill, Filled),
    (PartiallyFilled, Kind::CancelRequested, PendingCancel),
    (PartiallyFilled, Kind::CancelRejected, PartiallyFilled),
    (PartiallyFilled, Kind::Cancelled, Cancelled),
    (PartiallyFilled, Kind::Expired, Expired),
    (PendingCancel, Kind::Accepted, PendingCancel),
    (PendingCancel, Kind::AcceptedPartlyFilled, PendingCancel),
    (PendingCancel, Kind::Rejected, Rejected),
    (PendingCancel, Kind::OutcomeUnknown, Unknown),
    (PendingCancel, Kind::PartialFill, PendingCancel),
    (PendingCancel, Kind::CompleteFill, Filled),
    (PendingCancel, Kind::CancelRejected, Unknown),
    (PendingCancel, Kind::Cancelled, Cancelled),
    (PendingCancel, Kind::Expired, Expired),
    (Filled, Kind::AcceptedPartlyFilled, Filled),
    (Filled, Kind::CancelRejected, Filled),
    (Cancelled, Kind::Accepted, Cancelled),
    (Cancelled, Kind::AcceptedPartlyFilled, Cancelled),
    (Cancelled, Kind::PartialFill, Cancelled),
    (Cancelled, Kind::CompleteFill, Filled),
    (Cancelled, Kind::CancelRejected, Cancelled),
    (Rejected, Kind::Accepted, Open),
    (Rejected, Kind::PartialFill, PartiallyFilled),
    (Rejected, Kind::CompleteFill, Filled),
    (Rejected, Kind::CancelRejected, Rejected),
    (Expired, Kind::Accepted, Expired),
    (Expired, Kind::AcceptedPartlyFilled, Expired),
    (Expired, Kind::PartialFill, Expired),
    (Expired, Kind::CompleteFill, Filled),
    (Expired, Kind::CancelRejected, Expired),
];

fn edge(from: OrderStatus, event: Kind) -> Option<OrderStatus> {
    let found = EDGES.iter().find(|(status, kind, _)| (*status, *kind) == (from, event));
    found.map(|(_, _, to)| *to)
}

#[test]
fn every_edge_and_no_other() {
    let mut legal = 0;
    for from in OrderStatus::ALL {
        for event in Kind::ALL {
            let expected = edge(*from, *event).ok_or(IllegalTransition {
                from: *from,
                event: *event,
            });
            legal += usize::from(expected.is_ok());
            assert_eq!(from.transition(*event), expected, "{from} + {event}");
        }
    }
    assert_eq!(legal, EDGES.len(), "no edge is listed twice");
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
        let is_held = *status == PendingTrigger;
        assert_eq!((status.is_held(), status.is_at_venue()), (is_held, !over && !is_held));
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

#[test]
fn a_held_order_is_resized_and_released() {
    let size = |text: &str| Quantity::parse(text).unwrap();
    let mut order = Order::held(terms(Side::Sell, Some("100"), "3"), size("0"), Timestamp::EPOCH);
    assert_eq!((order.status(), order.remaining()), (PendingTrigger, size("0")));
    order
        .apply(&at(1, OrderReport::Resized { quantity: size("2") }))
        .unwrap();
    assert_eq!(
        (order.status(), order.quantity(), order.remaining()),
        (PendingTrigger, size("2"), size("2"))
    );
    let oversized = order
        .apply(&at(2, OrderReport::Resized { quantity: size("4") }))
        .unwrap_err();
    assert_eq!(
        (oversized.reason(), oversized.to_string().is_empty()),
        ("ORDER_OVERSIZED", false)
    );
    order
        .apply(&at(2, OrderReport::Released { quantity: size("1") }))
        .unwrap();
    assert_eq!(
        (order.status(), order.terms().quantity, order.quantity()),
        (PendingNew, size("3"), size("1"))
    );
    // It never arrived: it is held again, and goes again.
    order.apply(&at(3, OrderReport::OutcomeUnknown)).unwrap();
    order.apply(&at(4, OrderReport::Returned)).unwrap();
    assert_eq!(order.status(), PendingTrigger);
    order
        .apply(&at(5, OrderReport::Released { quantity: size("1") }))
        .unwrap();
    order.apply(&at(6, fill("100", "1"))).unwrap();
    assert_eq!(order.status(), Filled, "all that was released has traded");
    // What turns up although it was held again is adopted.
    let mut order = Order::new(terms(Side::Sell, Some("100"), "3"), Timestamp::EPOCH);
    order.apply(&at(1, OrderReport::Returned)).unwrap();
    order.apply(&at(2, fill("100", "1"))).unwrap();
    assert_eq!(order.status(), PartiallyFilled);
}

#[test]
fn a_late_fill_after_a_cancel() {
    let mut order = Order::new(terms(Side::Sell, Some("100"), "3"), Timestamp::EPOCH);
    for report in [
        OrderReport::Accepted,
        OrderReport::CancelRequested,
        OrderReport::Cancelled,
    ] {
        order.apply(&at(1, report)).unwrap();
    }
    order.apply(&at(2, fill("100", "1"))).unwrap();
    assert_eq!(
        (order.status(), order.filled()),
        (Cancelled, Quantity::parse("1").unwrap())
    );
}

#[test]
fn a_cancel_that_crosses_a_fill() {
    let mut order = Order::new(terms(Side::Sell, Some("100"), "3"), Timestamp::EPOCH);
    for report in [OrderReport::Accepted, OrderReport::CancelRequested, fill("100", "3")] {
        order.apply(&at(1, report)).unwrap();
    }
    order.apply(&at(2, OrderReport::CancelRejected)).unwrap();
    assert_eq!(
        order.status(),
        Filled,
        "the fill won, and the refused cancel changes nothing"
    );
}

#[test]
fn a_partial_fill_before_the_ack() {
    let mut order = Order::new(terms(Side::Sell, Some("100"), "3"), Timestamp::EPOCH);
    order.apply(&at(1, fill("100", "1"))).unwrap();
    assert_eq!(order.status(), PartiallyFilled);
    order.apply(&at(2, OrderReport::Accepted)).unwrap();
    assert_eq!(order.status(), PartiallyFilled);
}

#[test]
fn an_ack_after_a_timeout() {
    let mut order = Order::new(terms(Side::Sell, Some("100"), "3"), Timestamp::EPOCH);
    order.apply(&at(1, OrderReport::OutcomeUnknown)).unwrap();
    assert_eq!(order.status(), Unknown);
    order.apply(&at(2, OrderReport::Accepted)).unwrap();
    assert_eq!(order.status(), Open);
}

fn any_report() -> impl Strategy<Value = OrderReport> {
    let size = |lots: u32| Quantity::parse(&lots.to_string()).unwrap();
    prop_oneof![
        (0u32..12).prop_map(move |lots| OrderReport::Released { quantity: size(lots) }),
        (0u32..12).prop_map(move |lots| OrderReport::Resized { quantity: size(lots) }),
        Just(OrderReport::Returned),
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
    fn whatever_is_reported_the_order_stays_true(held in any::<bool>(), reports in prop::collection::vec(any_report(), 0..40)) {
        let asked = terms(Side::Buy, Some("100"), "10");
        let mut order = match held {
            true => Order::held(asked, Quantity::parse("10").unwrap(), Timestamp::EPOCH),
            false => Order::new(asked, Timestamp::EPOCH),
        };
        let mut cost = Money::ZERO;
        for (second, report) in reports.into_iter().enumerate() {
            let before = order.clone();
            let event = at(second as i64, report.clone());
            match order.apply(&event) {
                Err(_) => prop_assert_eq!(&order, &before),
                Ok(()) => {
                    let kind = before.event_kind(&report).unwrap();
                    prop_assert_eq!(edge(before.status(), kind), Some(order.status()), "no other edge is reachable");
                    if let OrderReport::Filled { price, quantity } = report {
                        cost = cost.checked_add(price.notional(quantity).unwrap()).unwrap();
                    }
                }
            }
            prop_assert!(order.filled() >= before.filled() && order.filled() <= order.quantity());
            prop_assert!(order.quantity() <= order.terms().quantity);
            prop_assert_eq!(order.cost(), cost);
            prop_assert_eq!(order.status() == Filled, order.remaining().is_zero() && !order.filled().is_zero());
            prop_assert!(order.filled().is_zero() || !matches!(order.status(), PendingTrigger | PendingNew | Open | Rejected));
        }
    }
}
