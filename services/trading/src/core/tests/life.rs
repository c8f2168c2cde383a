//! Keys, cancels, and records that cannot be.

use super::*;
use VenueStatus::{Cancelled, Filled, Live};

#[test]
fn a_key_answers_again_and_refuses_another_body() {
    let mut desk = Desk::new();
    let submit = desk.order(Side::Buy, "1.0", "100.00");
    let Answer::Accepted(order) = desk.tell(Command::Submit(submit.clone())) else {
        panic!()
    };
    let sequence = desk.decider.state.sequence();
    desk.news(order, News::State(state_of(Live, "0", &[])));
    assert_eq!(desk.tell(Command::Submit(submit.clone())), Answer::Accepted(order));
    let same = Submit {
        quantity: quantity("1"),
        price: Some(price("100")),
        ..submit.clone()
    };
    assert_eq!(
        desk.tell(Command::Submit(same)),
        Answer::Accepted(order),
        "however the numbers are written"
    );
    for other in [
        Submit {
            quantity: quantity("2"),
            ..submit.clone()
        },
        Submit {
            price: Some(price("99")),
            ..submit.clone()
        },
        Submit {
            side: Side::Sell,
            ..submit.clone()
        },
        Submit {
            time_in_force: TimeInForce::Ioc,
            ..submit.clone()
        },
        Submit {
            symbol: Symbol::parse("ETHUSDT").unwrap(),
            ..submit.clone()
        },
        Submit {
            order_type: OrderType::LimitMaker,
            ..submit.clone()
        },
    ] {
        assert_eq!(reason(&desk.tell(Command::Submit(other))), "IDEMPOTENCY_CONFLICT");
    }
    assert_eq!(
        desk.decider.state.sequence(),
        sequence + 1,
        "only the venue's news was journalled"
    );

    desk.open("two");
    let elsewhere = Submit {
        account: account("two"),
        ..submit
    };
    assert!(
        matches!(desk.tell(Command::Submit(elsewhere)), Answer::Accepted(_)),
        "keys are an account's own"
    );
}

#[test]
fn a_risk_refusal_is_kept_and_a_transient_one_is_not() {
    let mut desk = Desk::new();
    let submit = desk.order(Side::Buy, "1", "120");
    assert_eq!(reason(&desk.tell(Command::Submit(submit.clone()))), "PRICE_COLLAR");
    desk.market.marks.insert(
        submit.symbol.clone(),
        Mark {
            price: price("120"),
            live: true,
        },
    );
    assert_eq!(
        reason(&desk.tell(Command::Submit(submit))),
        "PRICE_COLLAR",
        "the stored answer"
    );

    let submit = desk.order(Side::Buy, "1", "120");
    desk.tell(Command::Ready(account("one"), false));
    let sequence = desk.decider.state.sequence();
    assert_eq!(reason(&desk.tell(Command::Submit(submit.clone()))), "ACCOUNT_NOT_READY");
    desk.tell(Command::Ready(account("one"), true));
    let instruments = std::mem::take(&mut desk.market.instruments);
    assert_eq!(
        reason(&desk.tell(Command::Submit(submit.clone()))),
        "INSTRUMENTS_NOT_READY"
    );
    assert_eq!(desk.decider.state.sequence(), sequence);
    desk.market.instruments = instruments;
    assert!(matches!(desk.tell(Command::Submit(submit)), Answer::Accepted(_)));
}

#[test]
fn keys_and_closed_orders_are_kept_up_to_their_bounds() {
    let kept = Kept {
        closed_orders: 2,
        refusals: 1,
    };
    let mut desk = Desk::with(
        Limits {
            max_orders_per_second: 99,
            ..limits()
        },
        kept,
    );
    let refused: Vec<_> = (0..2).map(|_| desk.order(Side::Buy, "1", "120")).collect();
    for submit in &refused {
        desk.tell(Command::Submit(submit.clone()));
    }
    let keys = |desk: &Desk| desk.decider.state.account(&account("one")).unwrap().keys.len();
    assert_eq!(keys(&desk), 1);
    let orders: Vec<u64> = ["91", "92", "93"].map(|at| desk.accepted(Side::Buy, "1", at)).into();
    for order in &orders {
        desk.news(*order, News::Rejected("WHY".into()));
    }
    assert_eq!(keys(&desk), 3);
    assert!(desk.decider.state.order(orders[0]).is_none());
    assert_eq!(desk.decider.state.order(orders[1]).unwrap().reason, "WHY");
    // One that comes back to life is not forgotten.
    let alive = desk.news(orders[1], News::State(state_of(Live, "0", &[])));
    assert_eq!(reason(&alive), "ORDER_ADOPTED");
    let order = desk.accepted(Side::Buy, "1", "94");
    desk.news(order, News::Rejected(String::new()));
    assert_eq!(desk.status(orders[1]), OrderStatus::Open);
    assert_eq!(desk.decider.state.order(order).unwrap().reason, "VENUE_REJECTED");
    assert_eq!(
        desk.news(orders[0], News::Unknown),
        Answer::Done,
        "what is forgotten is no news"
    );
    assert_eq!(desk.replayed(), desk.decider.state);
}

#[test]
fn cancels() {
    let mut desk = Desk::new();
    let order = desk.accepted(Side::Buy, "1", "100");
    let order_id = desk.decider.state.order(order).unwrap().order.terms().order_id.clone();
    let cancel = |name: &str, id: &str| {
        let order_id = domain::OrderId::parse(id).unwrap();
        Command::Cancel(Cancel {
            account: account(name),
            order_id,
            request_id: "r".into(),
        })
    };
    for (name, id) in [
        ("two", order_id.as_str()),
        ("one", "0-zz"),
        ("one", "1-2"),
        ("one", "x"),
    ] {
        assert_eq!(reason(&desk.tell(cancel(name, id))), "ORDER_NOT_FOUND", "{name} {id}");
    }
    assert_eq!(desk.tell(cancel("one", order_id.as_str())), Answer::Order(order));
    assert_eq!(desk.status(order), OrderStatus::PendingCancel);
    let sequence = desk.decider.state.sequence();
    assert_eq!(
        desk.tell(cancel("one", order_id.as_str())),
        Answer::Order(order),
        "a cancel repeats safely"
    );
    assert_eq!(desk.decider.state.sequence(), sequence);
    assert_eq!(desk.reserved("USDT"), "100.1", "held until the venue says so");
    desk.news(order, News::State(state_of(Cancelled, "0", &[])));
    assert_eq!(
        (desk.status(order), desk.reserved("USDT").as_str()),
        (OrderStatus::Cancelled, "0")
    );
    assert_eq!(desk.tell(cancel("one", order_id.as_str())), Answer::Order(order));

    let order = desk.accepted(Side::Buy, "1", "99");
    let order_id = desk.decider.state.order(order).unwrap().order.terms().order_id.clone();
    desk.news(order, News::State(state_of(Filled, "1", &[(1, "99", "1")])));
    assert_eq!(reason(&desk.tell(cancel("one", order_id.as_str()))), "ORDER_CLOSED");
}

#[test]
fn cancel_all_takes_the_live_orders_of_a_symbol() {
    let mut desk = Desk::new();
    let btc = desk.accepted(Side::Buy, "1", "100");
    let submit = Submit {
        symbol: Symbol::parse("ETHUSDT").unwrap(),
        ..desk.order(Side::Buy, "1", "99")
    };
    let Answer::Accepted(eth) = desk.tell(Command::Submit(submit)) else {
        panic!()
    };
    let all = |symbol: Option<&str>, name: &str| {
        let symbol = symbol.map(|symbol| Symbol::parse(symbol).unwrap());
        Command::CancelAll(CancelAll {
            account: account(name),
            which: OrderMatch {
                symbol,
                ..OrderMatch::default()
            },
            request_id: String::new(),
        })
    };
    assert_eq!(desk.tell(all(None, "nobody")), Answer::Orders(vec![]));
    assert_eq!(desk.tell(all(Some("ETHUSDT"), "one")), Answer::Orders(vec![eth]));
    assert_eq!(
        (desk.status(btc), desk.status(eth)),
        (OrderStatus::PendingNew, OrderStatus::PendingCancel)
    );
    assert_eq!(desk.tell(all(None, "one")), Answer::Orders(vec![btc, eth]));
    assert_eq!(desk.decider.state.order(eth).unwrap().cancels, 1);
}

#[test]
fn balances_are_adopted_once() {
    let mut desk = Desk::new();
    let balances = Balances {
        account: account("one"),
        balances: vec![],
    };
    assert_eq!(desk.tell(Command::Balances(balances)), Answer::Done);
    assert_eq!(desk.balance("USDT"), "10000");
    assert_eq!(desk.decider.state.accounts().count(), 1);
}

#[test]
fn records_that_cannot_follow_are_refused() {
    let mut desk = Desk::new();
    let order = desk.accepted(Side::Buy, "1", "100");
    let time = Timestamp::from_micros(START);
    let next = desk.decider.state.sequence() + 1;
    let accepted = desk.journal[1].1.clone();
    let changed = |order, status| {
        Event::Changed(Changed {
            order,
            status,
            reason: String::new(),
            reserved: money("0"),
        })
    };
    for (sequence, event, expected) in [
        (next + 1, accepted.clone(), "expected sequence 4, found 5"),
        (next, accepted, "order 4 is not known"),
        (next, changed(99, OrderStatus::Open), "order 99 is not known"),
        (
            next,
            changed(order, OrderStatus::PartiallyFilled),
            "order 2 is OPEN where the journal says PARTIALLY_FILLED",
        ),
        (next, changed(order, OrderStatus::PendingCancel), ""),
    ] {
        let mut state = desk.decider.state.clone();
        let error = state.apply(sequence, time, &event).err().map(|error| error.to_string());
        assert_eq!(error.unwrap_or_default(), expected);
    }
}
