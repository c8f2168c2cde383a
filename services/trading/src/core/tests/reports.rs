//! What the venue says of an order, in every order.

use super::*;
use VenueStatus::{Cancelled, Expired, Filled, Live, Rejected};

/// From an order that was just accepted: a buy of 10 at 100.
#[test]
fn reports_in_every_order() {
    use OrderStatus as Status;
    let state = |status, executed, trades: &[(u64, &str, &str)]| News::State(state_of(status, executed, trades));
    let found = |status, executed, trades: &[(u64, &str, &str)]| News::Found(state_of(status, executed, trades));
    let table: Vec<(Vec<News>, Status, &str, &str, &str)> = vec![
        // What is said; status, USDT reserved, BTC held; the last answer's reason.
        (vec![state(Live, "0", &[])], Status::Open, "1001", "10", ""),
        (
            vec![state(Live, "4", &[(1, "100", "4")])],
            Status::PartiallyFilled,
            "600.6",
            "14",
            "",
        ),
        (
            vec![state(Filled, "10", &[(1, "100", "4"), (2, "99", "6")])],
            Status::Filled,
            "0",
            "20",
            "",
        ),
        // The same trade told twice, and in two reports.
        (
            vec![state(Live, "4", &[(1, "100", "4"), (1, "100", "4")])],
            Status::PartiallyFilled,
            "600.6",
            "14",
            "",
        ),
        (
            vec![
                state(Live, "4", &[(1, "100", "4")]),
                state(Live, "4", &[(1, "100", "4")]),
            ],
            Status::PartiallyFilled,
            "600.6",
            "14",
            "",
        ),
        // Late: the fill overtakes the acknowledgement, or comes after the cancel.
        (
            vec![state(Live, "4", &[(1, "100", "4")]), state(Live, "0", &[])],
            Status::PartiallyFilled,
            "600.6",
            "14",
            "",
        ),
        (
            vec![state(Cancelled, "0", &[]), state(Cancelled, "4", &[(1, "100", "4")])],
            Status::Cancelled,
            "0",
            "14",
            "",
        ),
        (
            vec![state(Cancelled, "0", &[]), state(Filled, "10", &[(1, "100", "10")])],
            Status::Filled,
            "0",
            "20",
            "",
        ),
        // A gap: the end waits for the trades.
        (vec![state(Cancelled, "4", &[])], Status::Open, "1001", "10", ""),
        (
            vec![state(Filled, "10", &[(2, "100", "6")])],
            Status::PartiallyFilled,
            "400.4",
            "16",
            "",
        ),
        (
            vec![
                state(Filled, "10", &[(2, "100", "6")]),
                found(Filled, "10", &[(1, "100", "4"), (2, "100", "6")]),
            ],
            Status::Filled,
            "0",
            "20",
            "",
        ),
        // Ends.
        (
            vec![state(Expired, "4", &[(1, "100", "4")])],
            Status::Expired,
            "0",
            "14",
            "",
        ),
        (vec![state(Rejected, "0", &[])], Status::Rejected, "0", "10", ""),
        (
            vec![News::Rejected("VENUE_BALANCE".into())],
            Status::Rejected,
            "0",
            "10",
            "",
        ),
        // Unknown: the exposure stays until it is certain.
        (vec![News::Unknown], Status::Unknown, "1001", "10", ""),
        (
            vec![News::Unknown, found(Live, "0", &[])],
            Status::Open,
            "1001",
            "10",
            "",
        ),
        (
            vec![News::Unknown, found(Live, "4", &[(1, "100", "4")])],
            Status::PartiallyFilled,
            "600.6",
            "14",
            "",
        ),
        (
            vec![News::Unknown, News::Absent("NEVER_REACHED_VENUE")],
            Status::Rejected,
            "0",
            "10",
            "",
        ),
        (
            vec![News::Absent("SEND_WINDOW_PASSED")],
            Status::Rejected,
            "0",
            "10",
            "",
        ),
        // Adopted: what was taken for absent turns up.
        (
            vec![News::Unknown, News::Absent("N"), state(Live, "0", &[])],
            Status::Open,
            "1001",
            "10",
            "ORDER_ADOPTED",
        ),
        (
            vec![News::Unknown, News::Absent("N"), state(Live, "4", &[(1, "100", "4")])],
            Status::PartiallyFilled,
            "600.6",
            "14",
            "ORDER_ADOPTED",
        ),
        (
            vec![
                News::Unknown,
                News::Absent("N"),
                state(Cancelled, "4", &[(1, "100", "4")]),
            ],
            Status::Cancelled,
            "0",
            "14",
            "ORDER_ADOPTED",
        ),
        (
            vec![News::Absent("N"), News::Absent("N")],
            Status::Rejected,
            "0",
            "10",
            "",
        ),
        // What cannot be.
        (
            vec![state(Live, "0", &[]), News::Absent("N")],
            Status::Open,
            "1001",
            "10",
            "ORDER_MISSING",
        ),
        (
            vec![state(Live, "11", &[(1, "100", "11")])],
            Status::PendingNew,
            "1001",
            "10",
            "FILL_IMPOSSIBLE",
        ),
        (
            vec![state(Live, "0", &[]), News::Rejected("LATE".into())],
            Status::Open,
            "1001",
            "10",
            "",
        ),
    ];
    for (reports, status, reserved, held, last) in table {
        let mut desk = Desk::new();
        let order = desk.accepted(Side::Buy, "10", "100");
        let mut answer = Answer::Done;
        for report in &reports {
            answer = desk.news(order, report.clone());
        }
        let found = (desk.status(order), desk.reserved("USDT"), desk.balance("BTC"));
        assert_eq!(found, (status, reserved.to_owned(), held.to_owned()), "{reports:?}");
        assert_eq!(reason(&answer), last, "{reports:?}");
        assert_eq!(desk.replayed(), desk.decider.state, "{reports:?}");
    }
}

#[test]
fn what_is_unsure_is_asked_for() {
    let mut desk = Desk::new();
    let order = desk.accepted(Side::Sell, "2", "100");
    for news in [
        News::Unknown,
        News::CancelUnsure,
        News::State(state_of(Filled, "2", &[])),
    ] {
        assert_eq!(desk.news(order, news), Answer::Ask(order));
    }
    assert_eq!(desk.reserved("BTC"), "2");
    desk.news(order, News::Found(state_of(Live, "1", &[(1, "100", "1")])));
    assert_eq!(desk.reserved("BTC"), "1");
    assert_eq!(
        (desk.balance("BTC"), desk.balance("USDT")),
        ("9".into(), "10099.99".into())
    );
}

#[test]
fn a_lost_cancel_is_sent_again_a_few_times() {
    let mut desk = Desk::new();
    let order = desk.accepted(Side::Buy, "1", "100");
    desk.news(order, News::State(state_of(Live, "0", &[])));
    let all = CancelAll {
        account: account("one"),
        which: OrderMatch::default(),
        request_id: String::new(),
    };
    desk.tell(Command::CancelAll(all.clone()));
    let cancels = |desk: &Desk| desk.decider.state.order(order).unwrap().cancels;
    desk.news(order, News::State(state_of(Live, "0", &[])));
    assert_eq!(cancels(&desk), 1, "a report that crossed the cancel is no answer to it");
    for count in 2..=5 {
        desk.news(order, News::Found(state_of(Live, "0", &[])));
        assert_eq!(
            (cancels(&desk), desk.status(order)),
            (count, OrderStatus::PendingCancel)
        );
    }
    let answer = desk.news(order, News::Found(state_of(Live, "0", &[])));
    assert_eq!(
        (reason(&answer), desk.status(order)),
        ("CANCEL_REJECTED", OrderStatus::Open)
    );
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn a_wish_to_cancel_outlives_an_unknown_outcome() {
    let mut desk = Desk::new();
    let order = desk.accepted(Side::Sell, "2", "100");
    desk.tell(Command::CancelAll(CancelAll {
        account: account("one"),
        which: OrderMatch::default(),
        request_id: String::new(),
    }));
    assert_eq!(desk.news(order, News::Unknown), Answer::Ask(order));
    assert_eq!(desk.status(order), OrderStatus::Unknown);
    let told = desk.news(order, News::State(state_of(Live, "0", &[])));
    assert_eq!((told, desk.status(order)), (Answer::Ask(order), OrderStatus::Open));
    desk.news(order, News::Found(state_of(Live, "0", &[])));
    let entry = desk.decider.state.order(order).unwrap();
    assert_eq!((entry.order.status(), entry.cancels), (OrderStatus::PendingCancel, 2));
    assert_eq!(desk.replayed(), desk.decider.state);
}

/// What is known of a buy of 10 at 100 (0.1 % fee), live and after a replay: its status, what has traded of it, USDT set
/// aside, USDT and BTC held.
fn stands(desk: &Desk, order: u64, status: OrderStatus, filled: &str, [reserved, usdt, btc]: [&str; 3]) {
    for (how, state) in [("live", &desk.decider.state), ("replayed", &desk.replayed())] {
        let entry = state.order(order).unwrap();
        assert_eq!(
            (entry.order.status(), entry.order.filled()),
            (status, quantity(filled)),
            "{how}"
        );
        let account = state.account(&account("one")).unwrap();
        let asset = |name: &str| Asset::parse(name).unwrap();
        let set_aside = account.reserved.get(&asset("USDT")).copied().unwrap_or_default();
        assert_eq!((set_aside, entry.reserved), (money(reserved), money(reserved)), "{how}");
        let held = (account.balance(&asset("USDT")), account.balance(&asset("BTC")));
        assert_eq!(held, (money(usdt), money(btc)), "{how}");
    }
    assert_eq!(desk.replayed(), desk.decider.state);
}

fn cancel(desk: &mut Desk, order: u64) {
    let all = CancelAll {
        account: account("one"),
        which: OrderMatch::default(),
        request_id: String::new(),
    };
    assert_eq!(desk.tell(Command::CancelAll(all)), Answer::Orders(vec![order]));
}

fn rests(desk: &mut Desk) -> u64 {
    let order = desk.accepted(Side::Buy, "10", "100");
    desk.news(order, News::State(state_of(Live, "0", &[])));
    stands(desk, order, OrderStatus::Open, "0", ["1001", "10000", "10"]);
    order
}

#[test]
fn a_late_fill_after_a_cancel() {
    let mut desk = Desk::new();
    let order = rests(&mut desk);
    cancel(&mut desk, order);
    desk.news(order, News::State(state_of(Cancelled, "0", &[])));
    stands(&desk, order, OrderStatus::Cancelled, "0", ["0", "10000", "10"]);
    let late = || News::State(state_of(Cancelled, "4", &[(1, "100", "4")]));
    for _ in 0..2 {
        assert_eq!(desk.news(order, late()), Answer::Done);
        stands(&desk, order, OrderStatus::Cancelled, "4", ["0", "9599.99", "14"]);
    }
    // All of it was filled before the cancel: it never was cancelled.
    let all = News::State(state_of(Filled, "10", &[(2, "99", "6")]));
    assert_eq!(desk.news(order, all), Answer::Done);
    stands(&desk, order, OrderStatus::Filled, "10", ["0", "9005.98", "20"]);
}

#[test]
fn a_cancel_that_crosses_a_fill() {
    let mut desk = Desk::new();
    let order = rests(&mut desk);
    cancel(&mut desk, order);
    stands(&desk, order, OrderStatus::PendingCancel, "0", ["1001", "10000", "10"]);
    // A part was filled while the cancel was under way; then the cancel wins.
    desk.news(order, News::State(state_of(Live, "4", &[(1, "100", "4")])));
    stands(
        &desk,
        order,
        OrderStatus::PendingCancel,
        "4",
        ["600.6", "9599.99", "14"],
    );
    desk.news(order, News::State(state_of(Cancelled, "4", &[])));
    stands(&desk, order, OrderStatus::Cancelled, "4", ["0", "9599.99", "14"]);

    // The fill wins: the venue refuses the cancel, is asked, and tells of the fill.
    let mut desk = Desk::new();
    let order = rests(&mut desk);
    cancel(&mut desk, order);
    assert_eq!(desk.news(order, News::CancelUnsure), Answer::Ask(order));
    stands(&desk, order, OrderStatus::PendingCancel, "0", ["1001", "10000", "10"]);
    desk.news(order, News::Found(state_of(Filled, "10", &[(1, "100", "10")])));
    stands(&desk, order, OrderStatus::Filled, "10", ["0", "8999.99", "20"]);
    let told_again = News::State(state_of(Filled, "10", &[(1, "100", "10")]));
    assert_eq!(desk.news(order, told_again), Answer::Done);
    stands(&desk, order, OrderStatus::Filled, "10", ["0", "8999.99", "20"]);
}

#[test]
fn a_partial_fill_before_the_ack() {
    let mut desk = Desk::new();
    let order = desk.accepted(Side::Buy, "10", "100");
    stands(&desk, order, OrderStatus::PendingNew, "0", ["1001", "10000", "10"]);
    desk.news(order, News::State(state_of(Live, "4", &[(1, "100", "4")])));
    let filled = ["600.6", "9599.99", "14"];
    stands(&desk, order, OrderStatus::PartiallyFilled, "4", filled);
    // The acknowledgement knows nothing of the fill yet, and takes nothing back.
    assert_eq!(desk.news(order, News::State(state_of(Live, "0", &[]))), Answer::Done);
    stands(&desk, order, OrderStatus::PartiallyFilled, "4", filled);
}

#[test]
fn an_ack_after_a_timeout() {
    let mut desk = Desk::new();
    let order = desk.accepted(Side::Buy, "10", "100");
    assert_eq!(desk.news(order, News::Unknown), Answer::Ask(order));
    stands(&desk, order, OrderStatus::Unknown, "0", ["1001", "10000", "10"]);
    assert_eq!(desk.news(order, News::State(state_of(Live, "0", &[]))), Answer::Done);
    stands(&desk, order, OrderStatus::Open, "0", ["1001", "10000", "10"]);
    // What was asked meanwhile is answered late: nothing new.
    assert_eq!(desk.news(order, News::Found(state_of(Live, "0", &[]))), Answer::Done);
    stands(&desk, order, OrderStatus::Open, "0", ["1001", "10000", "10"]);
    desk.news(order, News::State(state_of(Filled, "10", &[(1, "100", "10")])));
    stands(&desk, order, OrderStatus::Filled, "10", ["0", "8999.99", "20"]);
}
