use super::*;
use crate::testing::{btc_usdt, fill};
use proptest::prelude::*;

fn fold(fills: &[Fill]) -> Position {
    let mut position = Position::new();
    for fill in fills {
        position.apply(fill, &btc_usdt()).unwrap();
    }
    position
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

#[test]
fn two_methods_side_by_side() {
    let position = fold(&[
        fill(Side::Buy, "100", "1", "0 USDT"),
        fill(Side::Buy, "110", "1", "0 USDT"),
        fill(Side::Sell, "120", "1", "0.12 USDT"),
    ]);
    let usdt = "USDT".parse().unwrap();
    assert_eq!(position.quantity(), money("1"));
    assert_eq!(
        (position.realised_average(), position.realised_fifo()),
        (money("15"), money("20"))
    );
    assert_eq!(
        (position.cost(), position.cost_fifo().unwrap()),
        (money("105"), money("110"))
    );
    assert_eq!(position.realised_net_average(&usdt).unwrap(), money("14.88"));
    assert_eq!(position.realised_net_fifo(&usdt).unwrap(), money("19.88"));
    let mark = "130".parse().unwrap();
    assert_eq!(position.unrealised_average(mark).unwrap(), money("25"));
    assert_eq!(position.unrealised_fifo(mark).unwrap(), money("20"));
    assert_eq!(position.average_cost().unwrap().to_string(), "105");
    assert_eq!((position.fills(), position.lots().len()), (3, 1));
    let json = serde_json::to_string(&position).unwrap();
    assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
}

#[test]
fn a_fee_in_base_is_part_of_the_cost() {
    let position = fold(&[fill(Side::Buy, "100", "1", "0.001 BTC")]);
    assert_eq!((position.quantity(), position.cost()), (money("0.999"), money("100")));
    assert_eq!(position.average_cost().unwrap().to_string(), "100.1001001001");
    assert_eq!(position.fee(&"BTC".parse().unwrap()), money("0.001"));
    let position = fold(&[
        fill(Side::Buy, "100", "1", "0.001 BTC"),
        fill(Side::Sell, "200", "0.999", "0.1998 USDT"),
    ]);
    assert_eq!((position.quantity(), position.cost()), (Money::ZERO, Money::ZERO));
    assert_eq!(
        (position.realised_average(), position.realised_fifo()),
        (money("99.8"), money("99.8"))
    );
    assert_eq!(position.fees().len(), 2);
    assert_eq!(position.average_cost(), None);
}

#[test]
fn selling_with_a_fee_or_rebate_in_base() {
    let position = fold(&[
        fill(Side::Buy, "100", "1", "0 BTC"),
        fill(Side::Sell, "100", "0.5", "0.1 BTC"),
    ]);
    assert_eq!(position.quantity(), money("0.4"));
    assert_eq!(
        position.realised_average(),
        money("-10"),
        "50 came in for 0.6 that had cost 60"
    );
    let position = fold(&[
        fill(Side::Buy, "100", "1", "0 BTC"),
        fill(Side::Sell, "100", "0.5", "-0.1 BTC"),
    ]);
    assert_eq!(
        (position.quantity(), position.realised_average()),
        (money("0.6"), money("10"))
    );
}

#[test]
fn through_zero_and_back() {
    let position = fold(&[
        fill(Side::Buy, "100", "1", "0 USDT"),
        fill(Side::Sell, "110", "3", "0 USDT"),
    ]);
    assert_eq!((position.quantity(), position.cost()), (money("-2"), money("-220")));
    assert_eq!(
        (position.realised_average(), position.realised_fifo()),
        (money("10"), money("10"))
    );
    assert_eq!(
        position.unrealised_average("100".parse().unwrap()).unwrap(),
        money("20")
    );
    assert_eq!(position.average_cost().unwrap().to_string(), "110");
    let position = fold(&[
        fill(Side::Sell, "110", "3", "0 USDT"),
        fill(Side::Buy, "100", "1", "0 USDT"),
        fill(Side::Buy, "90", "3", "0 USDT"),
    ]);
    assert_eq!((position.quantity(), position.cost()), (money("1"), money("90")));
    assert_eq!(
        (position.realised_average(), position.realised_fifo()),
        (money("50"), money("50"))
    );
}

#[test]
fn a_partial_close_never_shows_a_profit_too_early() {
    let position = fold(&[
        fill(Side::Buy, "100", "0.00003", "0 USDT"),
        fill(Side::Sell, "100", "0.00001", "0 USDT"),
    ]);
    assert_eq!(position.realised_average(), Money::ZERO);
    let position = fold(&[
        fill(Side::Buy, "33.33", "3", "2 BTC"),
        fill(Side::Sell, "99.99", "0.7", "0 USDT"),
    ]);
    assert_eq!(
        (position.cost(), position.realised_average()),
        (money("29.997"), money("0"))
    );
    let position = fold(&[
        fill(Side::Buy, "100", "1", "0.7 BTC"),
        fill(Side::Sell, "400", "0.1", "0 USDT"),
    ]);
    assert_eq!(
        (position.cost(), position.realised_average()),
        (money("66.66666666"), money("6.66666666"))
    );
}

#[test]
fn what_cannot_be_folded_changes_nothing() {
    let mut position = fold(&[fill(Side::Buy, "100", "1", "0 USDT")]);
    let before = position.clone();
    for (bad, reason) in [
        (fill(Side::Buy, "100", "1", "1 BTC"), "POSITION_FEE_EXCEEDS_FILL"),
        (fill(Side::Sell, "100", "1", "-1 BTC"), "POSITION_FEE_EXCEEDS_FILL"),
        (fill(Side::Sell, "100", "0", "0 USDT"), "POSITION_FEE_EXCEEDS_FILL"),
        (
            fill(Side::Buy, "0.0000000001", "0.0000000001", "0 USDT"),
            "NUMBER_INEXACT",
        ),
        (
            fill(Side::Buy, "9999999999999999999999999999", "1", "0 USDT"),
            "NUMBER_OUT_OF_RANGE",
        ),
    ] {
        let error = position.apply(&bad, &btc_usdt()).unwrap_err();
        assert_eq!(error.reason(), reason);
        assert!(!error.to_string().is_empty());
        assert_eq!(position, before);
    }
}

fn any_fill() -> impl Strategy<Value = Fill> {
    let fee = prop_oneof![Just("USDT"), Just("BTC"), Just("BNB")];
    (any::<bool>(), 1u32..100_000, 100u32..50_000, -3i32..20, fee).prop_map(|(buys, cents, lots, fee, fee_asset)| {
        let side = if buys { Side::Buy } else { Side::Sell };
        let price = Price::from_ticks(i64::from(cents), "0.01".parse().unwrap()).unwrap();
        let quantity = Quantity::from_lots(u64::from(lots), "0.00001".parse().unwrap()).unwrap();
        let fee = rust_decimal::Decimal::new(i64::from(fee), 6);
        fill(
            side,
            &price.to_string(),
            &quantity.to_string(),
            &format!("{fee} {fee_asset}"),
        )
    })
}

/// The fold written the long way: every fill of history kept, sums by hand.
fn replay(fills: &[Fill]) -> (Money, Money) {
    let (mut held, mut cash) = (Money::ZERO, Money::ZERO);
    for fill in fills {
        let (base, quote) = (fill.quantity.amount(), fill.notional().unwrap());
        let (base, quote) = if fill.side == Side::Buy {
            (base, quote.negated())
        } else {
            (base.negated(), quote)
        };
        held = held.checked_add(base).unwrap();
        cash = cash.checked_add(quote).unwrap();
        if fill.fee_asset.as_str() == "BTC" {
            held = held.checked_sub(fill.fee).unwrap();
        }
    }
    (held, cash)
}

proptest! {
    /// Profit less what is still invested is the cash that flowed, to the last unit, after every fill.
    #[test]
    fn the_fold_equals_the_replay(fills in prop::collection::vec(any_fill(), 1..60)) {
        let mut position = Position::new();
        for (index, fill) in fills.iter().enumerate() {
            position.apply(fill, &btc_usdt()).unwrap();
            let (held, cash) = replay(&fills[..=index]);
            prop_assert_eq!(position.quantity(), held);
            prop_assert_eq!(position.realised_average().checked_sub(position.cost()).unwrap(), cash);
            prop_assert_eq!(position.realised_fifo().checked_sub(position.cost_fifo().unwrap()).unwrap(), cash);
            let lots = position.lots().fold(Money::ZERO, |sum, lot| sum.checked_add(lot.quantity).unwrap());
            prop_assert_eq!(lots, held);
            prop_assert!(position.lots().all(|lot| lot.quantity.is_negative() == held.is_negative()));
        }
        prop_assert_eq!(position.fills(), fills.len() as u64);
    }
}
