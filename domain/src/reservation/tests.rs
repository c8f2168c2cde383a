use super::*;
use crate::Timestamp;
use crate::order::{OrderEvent, OrderReport};
use crate::testing::{btc_usdt, terms};

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn amount(reservation: Reservation) -> String {
    format!("{} {}", reservation.amount, reservation.asset)
}

#[test]
fn what_an_order_sets_aside() {
    let instrument = btc_usdt();
    for (side, limit, collar, fee, expected) in [
        (Side::Sell, Some("100"), None, "0.001", "3 BTC"),
        (Side::Sell, None, None, "0.001", "3 BTC"),
        (Side::Buy, Some("100"), None, "0.001", "300.3 USDT"),
        (Side::Buy, None, Some("105"), "0.001", "315.315 USDT"),
        (Side::Buy, Some("100"), None, "0", "300 USDT"),
        (Side::Buy, Some("100"), None, "-0.001", "300 USDT"),
        (Side::Buy, Some("0.01"), None, "0.00000001", "0.03000001 USDT"),
    ] {
        let mut terms = terms(side, limit, "3");
        terms.collar = collar.map(|text| text.parse().unwrap());
        let reservation = Reservation::of_terms(&instrument, &terms, rate(fee)).unwrap();
        assert_eq!(amount(reservation), expected);
    }
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let instrument = btc_usdt();
    let error = Reservation::of_terms(&instrument, &terms(Side::Buy, None, "3"), rate("0")).unwrap_err();
    assert_eq!(error.reason(), "PRICE_BOUND_MISSING");
    let endless = terms(Side::Buy, Some("9999999999999999999999999999"), "3.3");
    let error = Reservation::of_terms(&instrument, &endless, rate("0")).unwrap_err();
    assert_eq!(
        (error.reason(), error.to_string().is_empty()),
        ("NUMBER_INEXACT", false)
    );
}

#[test]
fn it_is_held_until_the_order_is_over() {
    let instrument = btc_usdt();
    let mut order = Order::new(terms(Side::Buy, Some("100"), "3"), Timestamp::EPOCH);
    let mut held = |report: OrderReport| {
        order.apply(&OrderEvent::new(Timestamp::EPOCH, report)).unwrap();
        Reservation::of_order(&instrument, &order, rate("0.001"))
            .unwrap()
            .map(amount)
    };
    let fill = || OrderReport::Filled {
        price: "99".parse().unwrap(),
        quantity: "1".parse().unwrap(),
    };
    assert_eq!(held(OrderReport::OutcomeUnknown).as_deref(), Some("300.3 USDT"));
    assert_eq!(held(fill()).as_deref(), Some("200.2 USDT"));
    assert_eq!(held(OrderReport::CancelRequested).as_deref(), Some("200.2 USDT"));
    assert_eq!(
        held(OrderReport::CancelRejected).as_deref(),
        Some("200.2 USDT"),
        "unknown again"
    );
    assert_eq!(held(OrderReport::Cancelled), None);
    assert_eq!(held(fill()), None);
}
