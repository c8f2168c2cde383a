use super::*;
use crate::{Money, Quantity};
use proptest::prelude::*;

fn symbol() -> Symbol {
    Symbol::parse("BTCUSDT").unwrap()
}

fn trade(id: u64, millis: i64, price: &str, quantity: &str, taker_side: Side) -> Trade {
    Trade {
        symbol: symbol(),
        trade_id: TradeId::new(id),
        price: price.parse().unwrap(),
        quantity: quantity.parse().unwrap(),
        taker_side,
        time: Timestamp::from_millis(millis),
    }
}

/// open, high, low, close, volume, quote volume, trades, taker buy volume, taker buy quote volume, closed
fn figures(bar: &Bar) -> String {
    format!(
        "{}ms {} {} {} {} | {} {} {} | {} {} | {}",
        bar.open_time.as_millis(),
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.quote_volume,
        bar.trades,
        bar.taker_buy_volume,
        bar.taker_buy_quote_volume,
        bar.closed
    )
}

#[test]
fn intervals() {
    for (interval, open, close) in [
        (Interval::S1, 3_723_000, 3_723_999),
        (Interval::M1, 3_720_000, 3_779_999),
        (Interval::M5, 3_600_000, 3_899_999),
        (Interval::H1, 3_600_000, 7_199_999),
    ] {
        let open_time = interval.open_time(Timestamp::from_millis(3_723_004));
        assert_eq!(open_time.as_millis(), open);
        assert_eq!(interval.close_time(open_time).as_millis(), close);
    }
    assert_eq!(
        Interval::S1.open_time(Timestamp::from_micros(-1)).as_micros(),
        -1_000_000
    );
}

#[test]
fn trades_become_bars_and_silence_becomes_empty_ones() {
    let mut builder = BarBuilder::new(symbol(), Interval::S1);
    let mut closed = Vec::new();
    builder.advance(Timestamp::from_millis(500), &mut closed).unwrap();
    assert!(builder.current().is_none() && closed.is_empty());
    builder
        .apply(&trade(1, 1_000, "10", "1", Side::Buy), &mut closed)
        .unwrap();
    builder
        .apply(&trade(2, 1_500, "12", "2", Side::Sell), &mut closed)
        .unwrap();
    builder
        .apply(&trade(3, 1_999, "9", "1", Side::Buy), &mut closed)
        .unwrap();
    builder.advance(Timestamp::from_millis(1_999), &mut closed).unwrap();
    assert!(closed.is_empty());
    builder
        .apply(&trade(7, 4_000, "11", "1", Side::Sell), &mut closed)
        .unwrap();
    assert_eq!(
        closed.iter().map(figures).collect::<Vec<_>>(),
        [
            "1000ms 10 12 9 9 | 4 43 3 | 2 19 | true",
            "2000ms 9 9 9 9 | 0 0 0 | 0 0 | true",
            "3000ms 9 9 9 9 | 0 0 0 | 0 0 | true",
        ]
    );
    closed.clear();
    builder.advance(Timestamp::from_millis(6_001), &mut closed).unwrap();
    assert_eq!(
        closed.iter().map(figures).collect::<Vec<_>>(),
        [
            "4000ms 11 11 11 11 | 1 11 1 | 0 0 | true",
            "5000ms 11 11 11 11 | 0 0 0 | 0 0 | true"
        ]
    );
    assert_eq!(
        figures(builder.current().unwrap()),
        "6000ms 11 11 11 11 | 0 0 0 | 0 0 | false"
    );
    builder
        .apply(&trade(8, 6_500, "13", "1", Side::Buy), &mut closed)
        .unwrap();
    assert_eq!(
        figures(builder.current().unwrap()),
        "6000ms 13 13 13 13 | 1 13 1 | 1 13 | false"
    );
    assert_eq!(builder.last_trade(), Some(TradeId::new(8)));

    let resumed = BarBuilder::resume(builder.current().unwrap().clone(), builder.last_trade());
    assert_eq!(
        (resumed.current(), resumed.last_trade()),
        (builder.current(), builder.last_trade())
    );
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut builder = BarBuilder::new(symbol(), Interval::S1);
    let mut closed = Vec::new();
    builder
        .apply(&trade(5, 10_000, "10", "1", Side::Buy), &mut closed)
        .unwrap();
    let before = builder.current().cloned();
    let mut foreign = trade(6, 10_000, "10", "1", Side::Buy);
    foreign.symbol = Symbol::parse("ETHUSDT").unwrap();
    for (trade, reason) in [
        (foreign, "BAR_WRONG_SYMBOL"),
        (trade(5, 10_001, "10", "1", Side::Buy), "BAR_TRADE_REPEATED"),
        (trade(6, 9_999, "10", "1", Side::Buy), "BAR_TRADE_LATE"),
        (trade(6, 10_000 + 86_402_000, "10", "1", Side::Buy), "BAR_GAP_TOO_LONG"),
        (
            trade(6, 10_000, "0.0000000001", "0.0000000001", Side::Buy),
            "NUMBER_INEXACT",
        ),
    ] {
        let error = builder.apply(&trade, &mut closed).unwrap_err();
        assert_eq!(error.reason(), reason);
        assert!(!error.to_string().is_empty());
    }
    let late = builder.advance(Timestamp::EPOCH, &mut closed).unwrap_err();
    assert_eq!(late.reason(), "BAR_TRADE_LATE");
    assert_eq!(builder.current().cloned(), before);
    assert!(closed.is_empty());
    builder
        .advance(Timestamp::from_millis(10_000 + 86_400_000), &mut closed)
        .unwrap();
    assert_eq!(closed.len(), 86_400);
}

proptest! {
    /// Minutes folded from trades equal minutes summed from seconds; every bar follows the one before it.
    #[test]
    fn bars_of_all_lengths_agree(steps in prop::collection::vec((0i64..40_000, 1u32..50, 1u32..9, any::<bool>()), 1..60)) {
        let (mut seconds, mut minutes) = (Vec::new(), Vec::new());
        let mut by_second = BarBuilder::new(symbol(), Interval::S1);
        let mut by_minute = BarBuilder::new(symbol(), Interval::M1);
        let mut time = 60_000;
        for (id, (step, price, quantity, buys)) in steps.into_iter().enumerate() {
            time += step;
            let side = if buys { Side::Buy } else { Side::Sell };
            let trade = trade(id as u64 + 1, time, &price.to_string(), &quantity.to_string(), side);
            by_second.apply(&trade, &mut seconds).unwrap();
            by_minute.apply(&trade, &mut minutes).unwrap();
        }
        let end = Timestamp::from_millis(time + 60_000);
        by_second.advance(Interval::M1.open_time(end), &mut seconds).unwrap();
        by_minute.advance(end, &mut minutes).unwrap();
        for pair in seconds.windows(2) {
            prop_assert_eq!(pair[1].open_time.micros_since(pair[0].open_time), 1_000_000);
            prop_assert!(pair[1].trades > 0 || pair[1].open == pair[0].close);
        }
        for minute in &minutes {
            let parts: Vec<&Bar> = seconds.iter().filter(|bar| Interval::M1.open_time(bar.open_time) == minute.open_time).collect();
            let traded: Vec<&&Bar> = parts.iter().filter(|bar| bar.trades > 0).collect();
            let volume = parts.iter().fold(Quantity::ZERO, |sum, bar| sum.checked_add(bar.volume).unwrap());
            let quote = parts.iter().fold(Money::ZERO, |sum, bar| sum.checked_add(bar.quote_volume).unwrap());
            let taken = parts.iter().fold(Money::ZERO, |sum, bar| sum.checked_add(bar.taker_buy_quote_volume).unwrap());
            prop_assert_eq!((minute.volume, minute.quote_volume, minute.taker_buy_quote_volume), (volume, quote, taken));
            prop_assert_eq!(minute.trades, parts.iter().map(|bar| bar.trades).sum::<u64>());
            if let (Some(first), Some(last)) = (traded.first(), traded.last()) {
                prop_assert_eq!((minute.open, minute.close), (first.open, last.close));
                prop_assert_eq!(Some(minute.high), traded.iter().map(|bar| bar.high).max());
                prop_assert_eq!(Some(minute.low), traded.iter().map(|bar| bar.low).min());
            }
        }
    }
}
