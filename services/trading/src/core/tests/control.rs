//! Halts that cancel, orders of somebody else, holdings that differ, sessions.

use super::super::external::set_aside;
use super::*;
use VenueStatus::{Cancelled, Live};
use domain::StrategyId;

fn halt(scope: HaltScope, target: &str, cancel_orders: bool) -> Command {
    Command::Halt(SetHalt {
        scope,
        target: target.into(),
        reason: "drill".into(),
        subject: "ada".into(),
        cancel_orders,
    })
}

pub(super) fn open(desk: &mut Desk) -> u64 {
    let order = desk.accepted(Side::Buy, "1", "100");
    desk.news(order, News::State(state_of(Live, "0", &[])));
    order
}

#[test]
fn a_halt_learns_to_cancel_and_never_unlearns_it() {
    let mut desk = Desk::new();
    for (cancel, stands) in [(false, false), (true, true), (false, true)] {
        let Answer::Halt(found) = desk.tell(halt(HaltScope::Global, "", cancel)) else {
            panic!()
        };
        assert_eq!((found.cancel_orders, found.subject.as_str()), (stands, "ada"));
    }
    assert_eq!(desk.journal.len(), 3, "opening, set, widened");
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn a_halt_of_another_shard_is_taken_over_once() {
    let mut desk = Desk::new();
    let theirs = Halt {
        scope: HaltScope::Venue,
        target: "fake".into(),
        reason: "drill".into(),
        subject: "bob".into(),
        time: Timestamp::from_micros(3),
        cancel_orders: false,
    };
    for _ in 0..2 {
        desk.tell(Command::AdoptHalt(theirs.clone()));
        assert_eq!(
            desk.decider.state.halts().cloned().collect::<Vec<_>>(),
            std::slice::from_ref(&theirs)
        );
        assert_eq!(desk.journal.len(), 2);
    }
}

#[test]
fn an_account_that_comes_in_step_loses_what_a_halt_wants_cancelled() {
    for (scope, target, cancels, status) in [
        (HaltScope::Global, "", true, OrderStatus::PendingCancel),
        (HaltScope::Venue, "fake", true, OrderStatus::PendingCancel),
        (HaltScope::Account, "one", true, OrderStatus::PendingCancel),
        (HaltScope::Symbol, "BTCUSDT", true, OrderStatus::PendingCancel),
        (HaltScope::Global, "", false, OrderStatus::Open),
        (HaltScope::Venue, "other", true, OrderStatus::Open),
        (HaltScope::Account, "two", true, OrderStatus::Open),
        (HaltScope::Symbol, "ETHUSDT", true, OrderStatus::Open),
    ] {
        let mut desk = Desk::new();
        let order = open(&mut desk);
        desk.tell(halt(scope, target, cancels));
        desk.tell(Command::Ready(account("one"), false));
        assert_eq!(desk.status(order), OrderStatus::Open);
        desk.tell(Command::Ready(account("one"), true));
        assert_eq!(desk.status(order), status, "{scope:?} {target}");
    }
}

#[test]
fn a_strategy_is_cancelled_and_halted_by_its_label() {
    let generous = Limits {
        max_open_orders: 9,
        max_orders_per_second: 9,
        ..limits()
    };
    let kept = Kept {
        closed_orders: 9,
        refusals: 9,
    };
    let mut desk = Desk::with(generous, kept);
    let label = |text: &str| StrategyId::parse(text).unwrap();
    let place = |desk: &mut Desk, strategy: Option<&str>, at: &str| {
        let submit = Submit {
            strategy: strategy.map(label),
            ..desk.order(Side::Buy, "1", at)
        };
        desk.tell(Command::Submit(submit))
    };
    let Answer::Accepted(mean) = place(&mut desk, Some("mean"), "91") else {
        panic!()
    };
    let Answer::Accepted(trend) = place(&mut desk, Some("trend"), "92") else {
        panic!()
    };
    let which = |strategy: &str| OrderMatch {
        symbol: None,
        strategy: Some(label(strategy)),
    };
    for (strategy, cancelled) in [("none", vec![]), ("mean", vec![mean])] {
        let all = CancelAll {
            account: account("one"),
            which: which(strategy),
            request_id: String::new(),
        };
        assert_eq!(desk.tell(Command::CancelAll(all)), Answer::Orders(cancelled));
    }
    assert_eq!(desk.status(trend), OrderStatus::PendingNew);
    desk.tell(halt(HaltScope::Strategy, "trend", true));
    assert_eq!(reason(&place(&mut desk, Some("trend"), "93")), "TRADING_HALTED");
    for other in [Some("mean"), None] {
        assert!(
            matches!(place(&mut desk, other, "94"), Answer::Accepted(_)),
            "{other:?}"
        );
        desk.now += 200_000;
    }
    desk.tell(Command::Ready(account("one"), true));
    assert_eq!(desk.status(trend), OrderStatus::PendingCancel);
    assert_eq!(desk.replayed(), desk.decider.state);
}

pub(super) fn listed(number: &str, side: Side, at: Option<&str>, executed: &str) -> ListedOrder {
    ListedOrder {
        venue_order: number.into(),
        client_id: "by-hand".into(),
        accepted: None,
        terms: ListedTerms {
            symbol: Symbol::parse("BTCUSDT").unwrap(),
            side,
            price: at.map(price),
            quantity: quantity("2"),
        },
        executed: quantity(executed),
    }
}

pub(super) fn external(desk: &mut Desk, symbols: Option<&[&str]>, orders: &[ListedOrder]) -> Vec<&'static str> {
    let symbols = symbols.map(|names| names.iter().map(|name| Symbol::parse(name).unwrap()).collect());
    let answer = desk.tell(Command::External(External {
        account: account("one"),
        symbols,
        orders: orders.to_vec(),
    }));
    let Answer::Alerts(alerts) = answer else {
        panic!("{answer:?}")
    };
    alerts.iter().map(|alert| alert.reason).collect()
}

#[test]
fn orders_of_somebody_else_are_reserved_alerted_once_and_released() {
    let mut desk = Desk::new();
    let free = |desk: &Desk, asset: &str| {
        let account = desk.decider.state.account(&account("one")).unwrap();
        account.free(&Asset::parse(asset).unwrap()).unwrap().to_string()
    };
    let buy = listed("1", Side::Buy, Some("100"), "0");
    let sell = listed("2", Side::Sell, Some("110"), "0.5");
    assert_eq!(
        external(&mut desk, None, &[buy.clone(), sell.clone()]),
        ["EXTERNAL_ORDER", "EXTERNAL_ORDER"]
    );
    assert_eq!((free(&desk, "USDT"), free(&desk, "BTC")), ("9800".into(), "8.5".into()));
    let sequence = desk.decider.state.sequence();
    assert!(external(&mut desk, None, &[buy.clone(), sell]).is_empty(), "known");
    assert_eq!(desk.decider.state.sequence(), sequence);
    // It trades on: no news for people, and less is set aside.
    let more = listed("2", Side::Sell, Some("110"), "1");
    assert!(external(&mut desk, None, &[buy.clone(), more]).is_empty());
    assert_eq!(free(&desk, "BTC"), "9");
    // A list of other symbols says nothing of it; a list of its own, or of all, does.
    assert!(external(&mut desk, Some(&["ETHUSDT"]), &[]).is_empty());
    assert_eq!(free(&desk, "BTC"), "9");
    assert!(external(&mut desk, Some(&["BTCUSDT"]), &[buy]).is_empty());
    assert_eq!(free(&desk, "BTC"), "10");
    assert!(external(&mut desk, None, &[]).is_empty());
    assert_eq!(free(&desk, "USDT"), "10000");
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn what_an_order_of_somebody_else_sets_aside_is_told_where_it_can_be() {
    let desk = Desk::new();
    let other = |mut order: ListedOrder| {
        order.terms.symbol = Symbol::parse("XYZUSDT").unwrap();
        order
    };
    for (order, expected) in [
        (listed("1", Side::Buy, Some("100"), "0.5"), Some("150 USDT")),
        (listed("1", Side::Sell, None, "0.5"), Some("1.5 BTC")),
        (listed("1", Side::Buy, None, "0"), None),
        (listed("1", Side::Sell, None, "3"), None),
        (other(listed("1", Side::Sell, None, "0")), None),
    ] {
        let found = set_aside(&order, &desk.market).map(|(asset, amount)| format!("{amount} {asset}"));
        assert_eq!(found.as_deref(), expected, "{order:?}");
    }
}

#[test]
fn holdings_are_adjusted_where_they_are_still_what_was_compared() {
    for (ours, venue, alerts, after) in [
        ("10", "11", 1, "11"),
        ("10", "0", 1, "0"),
        ("10", "10", 0, "10"),
        ("9", "11", 0, "10"),
    ] {
        let mut desk = Desk::new();
        let difference = Difference {
            asset: Asset::parse("BTC").unwrap(),
            ours: money(ours),
            venue: money(venue),
        };
        let adjust = |name: &str| {
            Command::Adjust(Adjust {
                account: account(name),
                differences: vec![difference.clone()],
            })
        };
        assert_eq!(desk.tell(adjust("nobody")), Answer::Done);
        let found = match desk.tell(adjust("one")) {
            Answer::Alerts(found) => found.iter().map(|alert| alert.reason).collect(),
            _ => Vec::new(),
        };
        assert_eq!(found, vec!["BALANCE_ADJUSTED"; alerts], "{ours} {venue}");
        assert_eq!(
            (desk.balance("BTC").as_str(), desk.balance("USDT").as_str()),
            (after, "10000")
        );
        assert_eq!(desk.replayed(), desk.decider.state);
    }
}

#[test]
fn an_order_that_is_over_here_and_lives_at_the_venue_is_cancelled_there() {
    let mut desk = Desk::new();
    let order = open(&mut desk);
    assert_eq!(desk.tell(Command::StillOpen(order)), Answer::Done, "it is live");
    desk.news(order, News::State(state_of(Cancelled, "0", &[])));
    assert_eq!(desk.tell(Command::StillOpen(order)), Answer::Ask(order));
    let found = || News::Found(state_of(Live, "0", &[]));
    assert_eq!(desk.news(order, found()), Answer::Done, "an answer that was under way");
    desk.now += 6_000_000;
    assert_eq!(reason(&desk.news(order, found())), "ORDER_STILL_OPEN");
    let (_, last) = desk.journal.last().unwrap();
    assert!(matches!(last, Event::Intent(intent) if intent.cancel && intent.order == order));
    assert_eq!(desk.status(order), OrderStatus::Cancelled);
    assert_eq!(
        desk.news(order, News::State(state_of(Cancelled, "0", &[]))),
        Answer::Done
    );
    assert_eq!(desk.replayed(), desk.decider.state);
}

fn session(name: &str, symbol: Option<&str>) -> SessionOpened {
    SessionOpened {
        account: account("one"),
        session: SessionId::parse(name).unwrap(),
        grace_micros: 1_000,
        covers: OrderMatch {
            symbol: symbol.map(|symbol| Symbol::parse(symbol).unwrap()),
            strategy: None,
        },
    }
}

fn close(name: &str, lost: bool) -> Command {
    Command::CloseSession(SessionClosed {
        account: account("one"),
        session: SessionId::parse(name).unwrap(),
        lost,
    })
}

#[test]
fn a_lost_session_takes_its_orders_along() {
    for (symbol, lost, status) in [
        (None, true, OrderStatus::PendingCancel),
        (Some("BTCUSDT"), true, OrderStatus::PendingCancel),
        (Some("ETHUSDT"), true, OrderStatus::Open),
        (None, false, OrderStatus::Open),
    ] {
        let mut desk = Desk::new();
        let order = open(&mut desk);
        assert_eq!(desk.tell(Command::OpenSession(session("s", symbol))), Answer::Done);
        assert_eq!(desk.tell(close("other", true)), Answer::Done);
        assert_eq!(desk.status(order), OrderStatus::Open);
        assert_eq!(desk.tell(close("s", lost)), Answer::Done);
        assert_eq!(desk.status(order), status, "{symbol:?} {lost}");
        let sequence = desk.decider.state.sequence();
        assert_eq!(desk.tell(close("s", true)), Answer::Done, "it is over");
        assert_eq!(desk.decider.state.sequence(), sequence);
        assert_eq!(desk.replayed(), desk.decider.state);
    }
}

#[test]
fn sessions_are_bounded_and_take_new_terms() {
    let mut desk = Desk::new();
    for number in 0..16 {
        assert_eq!(
            desk.tell(Command::OpenSession(session(&format!("s-{number}"), None))),
            Answer::Done
        );
    }
    let sequence = desk.decider.state.sequence();
    assert_eq!(
        reason(&desk.tell(Command::OpenSession(session("one-more", None)))),
        "SESSION_LIMIT"
    );
    desk.tell(Command::OpenSession(session("s-3", None)));
    assert_eq!(desk.decider.state.sequence(), sequence, "it is open already");
    desk.tell(Command::OpenSession(session("s-3", Some("BTCUSDT"))));
    let sessions = &desk.decider.state.account(&account("one")).unwrap().sessions;
    assert_eq!((sessions.len(), desk.decider.state.sequence()), (16, sequence + 1));
}
