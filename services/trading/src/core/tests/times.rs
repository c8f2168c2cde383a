//! Orders that end at their time.

use super::triggers::{stop, until};
use super::*;
use VenueStatus::{Cancelled, Live};

/// A stop that is held for 10 ms, and an order that is open until then.
fn lasting(desk: &mut Desk, end: i64) -> (u64, u64) {
    let wishes = Wishes {
        trigger: Some(stop("95")),
        ..until(START + 10_000)
    };
    let Answer::Accepted(held) = desk.wish(Side::Sell, "1", "", wishes) else {
        panic!()
    };
    let Answer::Accepted(open) = desk.wish(Side::Sell, "2", "101", until(end)) else {
        panic!()
    };
    desk.news(open, News::State(state_of(Live, "0", &[])));
    (held, open)
}

#[test]
fn orders_end_at_their_time() {
    // Held, it ends at once; at the venue, through a cancel.
    let mut desk = Desk::new();
    let (held, open) = lasting(&mut desk, START + 20_000);
    desk.pass(9_999);
    assert_eq!(
        (desk.status(held), desk.status(open)),
        (OrderStatus::PendingTrigger, OrderStatus::Open)
    );
    // Met and over at once: over.
    desk.now += 1;
    desk.mark("95");
    assert_eq!((desk.status(held), desk.placements(held)), (OrderStatus::Expired, 0));
    desk.pass(10_000);
    assert_eq!(desk.status(open), OrderStatus::PendingCancel);
    let cancels = desk.entry(open).cancels;
    desk.pass(1_000);
    assert_eq!(desk.entry(open).cancels, cancels, "a cancel is asked for once");
    desk.news(open, News::State(state_of(Cancelled, "1", &[(1, "101", "1")])));
    let entry = desk.entry(open);
    assert_eq!(
        (entry.order.status(), entry.reason.as_str()),
        (OrderStatus::Expired, "EXPIRE_TIME")
    );
    assert_eq!(desk.reserved("BTC"), "0");
    assert_eq!(desk.replayed(), desk.decider.state);

    // A day ends at midnight, UTC.
    let mut desk = Desk::new();
    let day = Wishes {
        lasts: Lasts::Day,
        ..Wishes::default()
    };
    let Answer::Accepted(order) = desk.wish(Side::Sell, "1", "101", day) else {
        panic!()
    };
    let end = desk
        .entry(order)
        .order
        .terms()
        .conditions
        .expiry
        .unwrap()
        .time()
        .as_micros();
    assert_eq!(end % 86_400_000_000, 0);
    desk.pass(end - START - 1);
    assert_eq!(desk.status(order), OrderStatus::PendingNew);
    desk.pass(1);
    assert_eq!(desk.status(order), OrderStatus::PendingCancel);
}

#[test]
fn orders_end_by_the_venues_time_whatever_our_clock_shows() {
    const HOUR: i64 = 3_600_000_000;
    const DAY: i64 = 24 * HOUR;
    // Our clock is set, and the venue's goes on.
    let jump = |desk: &mut Desk, by: i64| {
        desk.now += by;
        desk.venue_ahead -= by;
    };
    for by in [HOUR, -HOUR] {
        let mut desk = Desk::new();
        let Answer::Accepted(order) = desk.wish(Side::Sell, "1", "101", until(START + 1_000_000)) else {
            panic!()
        };
        desk.news(order, News::State(state_of(Live, "0", &[])));
        jump(&mut desk, by);
        desk.pass(999_000);
        assert_eq!(desk.status(order), OrderStatus::Open, "{by}");
        desk.pass(1_000);
        assert_eq!(desk.status(order), OrderStatus::PendingCancel, "{by}");
        // What is new is judged by the venue's time, too.
        let past = desk.wish(Side::Sell, "1", "102", until(START + 1_000_000));
        assert_eq!(reason(&past), "EXPIRE_TIME_PAST", "{by}");
        assert!(matches!(
            desk.wish(Side::Sell, "1", "103", until(START + 1_001_000)),
            Answer::Accepted(_)
        ));
        assert_eq!(desk.replayed(), desk.decider.state);
    }
    // The day is the venue's.
    let mut desk = Desk::new();
    jump(&mut desk, -DAY);
    let day = Wishes {
        lasts: Lasts::Day,
        ..Wishes::default()
    };
    desk.pass(0);
    let Answer::Accepted(order) = desk.wish(Side::Sell, "1", "101", day) else {
        panic!()
    };
    let end = desk.entry(order).order.terms().conditions.expiry.unwrap().time();
    assert_eq!(end, Timestamp::from_micros(START / DAY * DAY + DAY));
}

#[test]
fn after_a_start_no_order_ends_before_the_venues_time_is_known() {
    let mut desk = Desk::new();
    let (held, open) = lasting(&mut desk, START + 10_000);
    // A start: what is known of the venue's clock is our own, which is ahead.
    desk.tell(Command::Ready(account("one"), false));
    desk.pass(60_000);
    let both = |desk: &Desk| (desk.status(held), desk.status(open));
    assert_eq!(both(&desk), (OrderStatus::PendingTrigger, OrderStatus::Open));
    // The venue has been heard: it is earlier there, and then late enough.
    desk.now -= 51_000;
    desk.tell(Command::Ready(account("one"), true));
    desk.tick();
    assert_eq!(both(&desk), (OrderStatus::PendingTrigger, OrderStatus::Open));
    desk.pass(1_000);
    assert_eq!(both(&desk), (OrderStatus::Expired, OrderStatus::PendingCancel));
    assert_eq!(desk.replayed(), desk.decider.state);
}
