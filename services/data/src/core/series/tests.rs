use super::testing::trade;
use super::*;
use proptest::prelude::*;

const MINUTE: i64 = 60_000;

fn symbol() -> Symbol {
    Symbol::parse("BTCUSDT").unwrap()
}

/// The venue's own klines of a tape until `end`, by a builder that saw every trade.
fn klines(trades: &[Trade], end: Timestamp) -> History {
    let mut history = History::default();
    for (interval, bars) in INTERVALS.into_iter().zip(history.iter_mut()) {
        let mut builder = BarBuilder::new(symbol(), interval);
        for trade in trades.iter().filter(|trade| trade.time < end) {
            builder.apply(trade, bars).unwrap();
        }
        builder.advance(end, bars).unwrap();
    }
    history
}

fn closed_of(bars: &[Bar], interval: Interval) -> Vec<Bar> {
    bars.iter().filter(|bar| bar.interval == interval).cloned().collect()
}

#[test]
fn places_are_those_of_the_list() {
    for (index, interval) in INTERVALS.into_iter().enumerate() {
        assert_eq!(place(interval), index);
    }
}

#[test]
fn trades_before_a_boundary_are_not_certain() {
    let mut series = BarSeries::new(symbol(), 10);
    let mut closed = Vec::new();
    assert!(series.is_waiting());
    assert_eq!(series.trade(&trade(1, 0, "1", "1", true), &mut closed), Taken::Skipped);
    assert!(!series.fill(&History::default(), &mut closed));
    series.set_boundary(Timestamp::from_millis(2_000));
    assert_eq!(series.awaited(), Some(Timestamp::from_millis(2_000)));
    assert_eq!(
        series.trade(&trade(4, 1_500, "1", "1", true), &mut closed),
        Taken::Folded
    );
    assert_eq!(
        series.trade(&trade(5, 2_000, "2", "1", true), &mut closed),
        Taken::Folded
    );
    assert_eq!(
        series.trade(&trade(5, 2_000, "2", "1", true), &mut closed),
        Taken::Skipped
    );
    assert!(series.current(Interval::S1).is_none());
    assert!(series.fill(&History::default(), &mut closed));
    assert!(series.awaited().is_none());
    assert_eq!(
        series.current(Interval::H1).map(|bar| bar.trades),
        Some(1),
        "the one from the boundary on"
    );
}

#[test]
fn a_hole_or_an_overflow_needs_a_new_boundary() {
    let mut closed = Vec::new();
    let mut series = BarSeries::new(symbol(), 2);
    series.set_boundary(Timestamp::EPOCH);
    assert_eq!(series.trade(&trade(1, 0, "1", "1", true), &mut closed), Taken::Folded);
    assert_eq!(series.trade(&trade(3, 0, "1", "1", true), &mut closed), Taken::Gap);
    assert!(series.is_waiting());
    series.set_boundary(Timestamp::EPOCH);
    for id in 4..6 {
        assert_eq!(series.trade(&trade(id, 0, "1", "1", true), &mut closed), Taken::Folded);
    }
    assert_eq!(series.trade(&trade(6, 0, "1", "1", true), &mut closed), Taken::Gap);
    series.set_boundary(Timestamp::from_millis(5_000));
    assert!(series.fill(&History::default(), &mut closed));
    series.trade(&trade(7, 6_000, "1", "1", true), &mut closed);
    assert_eq!(
        series.trade(&trade(8, 5_500, "1", "1", true), &mut closed),
        Taken::Gap,
        "a trade of the past"
    );
    assert!(series.is_waiting());
}

#[test]
fn history_that_ends_before_the_boundary_is_not_enough() {
    let trades = [trade(1, 10, "5", "1", true)];
    let mut series = BarSeries::new(symbol(), 10);
    series.set_boundary(Timestamp::from_millis(3_000));
    let mut closed = Vec::new();
    assert!(!series.fill(&klines(&trades, Timestamp::from_millis(2_000)), &mut closed));
    assert!(series.fill(&klines(&trades, Timestamp::from_millis(3_000)), &mut closed));
    assert_eq!(
        series
            .current(Interval::M1)
            .map(|bar| (bar.trades, bar.volume.to_string())),
        Some((1, "1".into()))
    );
    assert_eq!(
        series
            .current(Interval::S1)
            .map(|bar| (bar.trades, bar.close.to_string())),
        Some((0, "5".into()))
    );
}

#[test]
fn a_silence_that_is_too_long_needs_history() {
    let mut closed = Vec::new();
    let mut series = BarSeries::new(symbol(), 10);
    series.advance(Timestamp::from_millis(1), &mut closed);
    series.set_boundary(Timestamp::EPOCH);
    series.fill(&History::default(), &mut closed);
    series.trade(&trade(1, 60_000, "1", "1", true), &mut closed);
    series.advance(Timestamp::from_millis(10), &mut closed);
    assert!(closed.is_empty(), "the past changes nothing");
    series.advance(Timestamp::from_millis(1_000 * 1_000_000), &mut closed);
    assert!(series.is_waiting());
}

proptest! {
    /// Whatever the tape, the boundary and the moment history comes: bars are those of the venue.
    #[test]
    fn bars_equal_the_venues_klines(
        steps in prop::collection::vec((0i64..40_000, 1u32..50, 1u32..9, any::<bool>()), 2..120),
        boundary_share in 0usize..100,
        fill_share in 0usize..100,
        start in 0i64..7_200,
    ) {
        let mut time = start * 1_000;
        let trades: Vec<Trade> = steps
            .iter()
            .enumerate()
            .map(|(index, (step, price, quantity, bought))| {
                time += step;
                trade(index as u64 + 1, time, &price.to_string(), &format!("0.{quantity}"), *bought)
            })
            .collect();
        let at = &trades[trades.len() * boundary_share / 100];
        let boundary = Interval::S1.open_time(at.time).plus_micros(1_000_000);
        let mut series = BarSeries::new(symbol(), 1_000);
        series.set_boundary(boundary);
        let fill_after = trades.len() * fill_share / 100;
        let mut closed = Vec::new();
        let history = klines(&trades, boundary);
        for (index, trade) in trades.iter().enumerate() {
            if index == fill_after {
                prop_assert!(series.fill(&history, &mut closed));
            }
            prop_assert_eq!(series.trade(trade, &mut closed), Taken::Folded);
        }
        let end = Timestamp::from_millis(time + 2 * 60 * MINUTE);
        series.advance(end, &mut closed);
        let expected = klines(&trades, end);
        for (interval, expected) in INTERVALS.into_iter().zip(expected) {
            let ours = closed_of(&closed, interval);
            let theirs: Vec<Bar> = expected
                .into_iter()
                .filter(|bar| bar.close_time >= boundary)
                .collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
