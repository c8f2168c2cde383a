//! What the gate refuses, and that refusals change nothing.

use super::*;
use domain::StrategyId;

#[test]
fn refusals_of_one_order() {
    use Side::{Buy, Sell};
    // Mark 100, tick 0.01, lot 0.001, collar 10 %.
    let table: &[(Side, &str, &str, &str)] = &[
        (Buy, "1", "100", ""),
        (Buy, "1", "", ""),
        (Sell, "1", "100", ""),
        (Sell, "1", "", ""),
        (Buy, "1", "100.001", "PRICE_OFF_TICK"),
        (Buy, "1", "100000.01", "PRICE_TOO_HIGH"),
        (Buy, "0.0001", "100", "QUANTITY_TOO_SMALL"),
        (Buy, "1.0001", "100", "QUANTITY_OFF_LOT"),
        (Buy, "1001", "100", "QUANTITY_TOO_LARGE"),
        (Buy, "0.001", "100", "NOTIONAL_TOO_SMALL"),
        (Buy, "0.001", "", "NOTIONAL_TOO_SMALL"),
        (Buy, "50.001", "1", "MAX_ORDER_QUANTITY"),
        (Buy, "40", "100", ""),
        (Buy, "40.001", "100", "MAX_ORDER_NOTIONAL"),
        (Buy, "40.001", "", "MAX_ORDER_NOTIONAL"),
        (Buy, "1", "110", ""),
        (Buy, "1", "110.01", "PRICE_COLLAR"),
        (Buy, "1", "50", ""),
        (Sell, "1", "90", ""),
        (Sell, "1", "89.99", "PRICE_COLLAR"),
        (Sell, "1", "500", ""),
        (Sell, "10.001", "100", "BUYING_POWER"),
    ];
    for (side, size, at, expected) in table {
        let mut desk = Desk::new();
        let before = desk.decider.state.clone();
        let answer = desk.limit(*side, size, at);
        assert_eq!(reason(&answer), *expected, "{side} {size} at '{at}'");
        if expected.is_empty() {
            assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
        } else {
            let account = desk.decider.state.account(&account("one")).unwrap();
            assert_eq!(
                account.reserved,
                before.account(&super::account("one")).unwrap().reserved
            );
            assert_eq!(
                desk.decider.state.sequence(),
                before.sequence() + 1,
                "a risk refusal is journalled"
            );
        }
    }
}

#[test]
fn an_unknown_symbol_and_a_stale_mark() {
    let mut desk = Desk::new();
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    let submit = Submit {
        symbol: Symbol::parse("NOPE").unwrap(),
        ..desk.order(Side::Buy, "1", "100")
    };
    assert_eq!(reason(&desk.tell(Command::Submit(submit))), "UNKNOWN_SYMBOL");
    desk.now += 1_000_001;
    assert_eq!(reason(&desk.limit(Side::Buy, "1", "100")), "MARKET_STALE");
    desk.market.heard = Timestamp::from_micros(desk.now);
    desk.market.marks.insert(
        symbol.clone(),
        Mark {
            price: price("100"),
            live: false,
        },
    );
    assert_eq!(reason(&desk.limit(Side::Buy, "1", "")), "MARKET_STALE");
    desk.market.marks.remove(&symbol);
    assert_eq!(reason(&desk.limit(Side::Sell, "1", "100")), "MARKET_STALE");
    desk.market.marks.insert(
        symbol.clone(),
        Mark {
            price: price("100"),
            live: true,
        },
    );
    desk.accepted(Side::Buy, "1", "100");
    desk.market.instruments.get_mut(&symbol).unwrap().status = InstrumentStatus::Halted;
    assert_eq!(reason(&desk.limit(Side::Buy, "1", "100")), "INSTRUMENT_HALTED");
}

#[test]
fn limits_over_many_orders() {
    let mut desk = Desk::new();
    desk.accepted(Side::Buy, "1", "99");
    assert_eq!(reason(&desk.limit(Side::Buy, "1", "99")), "DUPLICATE_ORDER");
    desk.now += 100_000;
    desk.accepted(Side::Buy, "1", "99");
    desk.accepted(Side::Buy, "1", "98");
    assert_eq!(reason(&desk.limit(Side::Buy, "1", "97")), "OPEN_ORDER_LIMIT");

    let mut desk = Desk::with(
        Limits {
            max_open_orders: 9,
            ..limits()
        },
        Kept {
            closed_orders: 9,
            refusals: 9,
        },
    );
    for at in ["91", "92", "93", "94"] {
        desk.accepted(Side::Buy, "1", at);
    }
    assert_eq!(reason(&desk.limit(Side::Buy, "1", "95")), "ORDER_RATE");
    desk.now += 999_999;
    desk.market.heard = Timestamp::from_micros(desk.now);
    assert_eq!(reason(&desk.limit(Side::Buy, "1", "96")), "ORDER_RATE");
    desk.now += 1;
    desk.accepted(Side::Buy, "1", "97");
}

#[test]
fn what_was_decided_before_the_clock_was_set_back_is_over() {
    let mut desk = Desk::with(
        Limits {
            max_open_orders: 9,
            ..limits()
        },
        Kept {
            closed_orders: 9,
            refusals: 9,
        },
    );
    for at in ["91", "92", "93", "94"] {
        desk.accepted(Side::Buy, "1", at);
    }
    desk.now -= 3_600_000_000;
    assert_eq!(reason(&desk.limit(Side::Buy, "1", "94")), "MARKET_STALE");
    desk.market.heard = Timestamp::from_micros(desk.now);
    // Neither the rate of the other hour nor its terms count.
    desk.accepted(Side::Buy, "1", "94");
}

#[test]
fn positions_and_buying_power_count_what_is_under_way() {
    // 10 BTC held; the limit is 6,000 at a mark of 100.
    let mut desk = Desk::new();
    desk.accepted(Side::Buy, "30", "100");
    assert_eq!(reason(&desk.limit(Side::Buy, "20.001", "100")), "POSITION_LIMIT");
    let order = desk.accepted(Side::Buy, "20", "100");
    assert_eq!(desk.reserved("USDT"), "5005");
    desk.news(order, News::State(state_of(VenueStatus::Cancelled, "0", &[])));
    assert_eq!(desk.reserved("USDT"), "3003");

    let mut desk = Desk::with(
        Limits {
            max_position_notional: money("99999"),
            ..limits()
        },
        Kept {
            closed_orders: 9,
            refusals: 9,
        },
    );
    desk.accepted(Side::Buy, "40", "100");
    desk.accepted(Side::Buy, "40", "99");
    // 10,000 less 4,004 less 3,963.96 leaves 2,032.04; with its fee the order needs 2,032.03.
    assert_eq!(reason(&desk.limit(Side::Buy, "20.31", "100")), "BUYING_POWER");
    desk.accepted(Side::Buy, "20.3", "100");

    let mut desk = Desk::new();
    desk.accepted(Side::Sell, "6", "100");
    assert_eq!(reason(&desk.limit(Side::Sell, "4.001", "100")), "BUYING_POWER");
    desk.accepted(Side::Sell, "4", "100");
    assert_eq!(desk.reserved("BTC"), "10");
}

#[test]
fn a_market_order_reserves_up_to_its_collar() {
    let mut desk = Desk::new();
    let order = desk.accepted(Side::Buy, "1", "");
    let entry = desk.decider.state.order(order).unwrap();
    assert_eq!(entry.order.terms().collar, Some(price("110")));
    assert_eq!(desk.reserved("USDT"), "110.11");
    let order = desk.accepted(Side::Sell, "1", "");
    assert_eq!(
        desk.decider.state.order(order).unwrap().order.terms().collar,
        Some(price("90"))
    );
}

#[test]
fn a_number_that_cannot_be_held_is_a_refusal() {
    let mut desk = Desk::with(
        Limits {
            max_order_quantity: quantity("9999999999"),
            collar_basis_points: 9_999,
            ..limits()
        },
        Kept {
            closed_orders: 9,
            refusals: 9,
        },
    );
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    let instrument = desk.market.instruments.get_mut(&symbol).unwrap();
    instrument.max_quantity = quantity("9999999999");
    instrument.lot_size = quantity("0.000000000000000001");
    instrument.tick_size = price("0.000000000000000001");
    let answer = desk.limit(Side::Buy, "1.000000000000000001", "1.000000000000000001");
    assert_eq!(reason(&answer), "NOTIONAL_UNREPRESENTABLE");
}

#[test]
fn halts_stop_orders_and_let_cancels_pass() {
    for (scope, target) in [
        (HaltScope::Global, ""),
        (HaltScope::Account, "one"),
        (HaltScope::Symbol, "BTCUSDT"),
        (HaltScope::Venue, "fake"),
        (HaltScope::Strategy, "mean"),
    ] {
        let mut desk = Desk::new();
        let place = |desk: &mut Desk, side| {
            let submit = Submit {
                strategy: Some(StrategyId::parse("mean").unwrap()),
                ..desk.order(side, "1", "100")
            };
            desk.tell(Command::Submit(submit))
        };
        let Answer::Accepted(order) = place(&mut desk, Side::Buy) else {
            panic!()
        };
        let halt = SetHalt {
            scope,
            target: target.into(),
            reason: "drill".into(),
            subject: "ada".into(),
            cancel_orders: false,
        };
        let Answer::Halt(first) = desk.tell(Command::Halt(halt.clone())) else {
            panic!()
        };
        desk.now += 1;
        let again = desk.tell(Command::Halt(SetHalt {
            reason: "again".into(),
            ..halt
        }));
        assert_eq!(again, Answer::Halt(first), "a halt repeats safely");
        assert_eq!(reason(&place(&mut desk, Side::Sell)), "TRADING_HALTED");
        let order_id = desk.decider.state.order(order).unwrap().order.terms().order_id.clone();
        let cancel = Cancel {
            account: account("one"),
            order_id,
            request_id: String::new(),
        };
        assert_eq!(desk.tell(Command::Cancel(cancel)), Answer::Order(order));
        assert_eq!(desk.replayed(), desk.decider.state, "a halt survives a restart");
        let lift = LiftHalt {
            scope,
            target: target.into(),
            subject: "ada".into(),
        };
        assert_eq!(desk.tell(Command::Resume(lift.clone())), Answer::Done);
        assert_eq!(desk.tell(Command::Resume(lift)), Answer::Done);
        assert_eq!(desk.decider.state.halts().count(), 0);
        assert!(matches!(place(&mut desk, Side::Sell), Answer::Accepted(_)));
    }
    let mut desk = Desk::new();
    for (scope, target) in [(HaltScope::Symbol, "ETHUSDT"), (HaltScope::Strategy, "mean")] {
        desk.tell(Command::Halt(SetHalt {
            scope,
            target: target.into(),
            reason: "drill".into(),
            subject: "ada".into(),
            cancel_orders: false,
        }));
    }
    desk.accepted(Side::Buy, "1", "100");
}

#[test]
fn lost_decisions_halt_everything_until_an_operator_resumes() {
    let mut desk = Desk::new();
    assert_eq!(reason(&desk.tell(Command::DecisionsLost("x".into()))), "DECISIONS_LOST");
    assert_eq!(reason(&desk.limit(Side::Buy, "1", "100")), "TRADING_HALTED");
    let lift = LiftHalt {
        scope: HaltScope::Global,
        target: String::new(),
        subject: "ada".into(),
    };
    desk.tell(Command::Resume(lift));
    desk.accepted(Side::Buy, "1", "100");
}
