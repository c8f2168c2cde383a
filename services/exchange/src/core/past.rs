//! Candles from before the market opened, so that a chart is not empty on the first day.
//!
//! They are a walk of the same value model, drawn from the seed and read backwards, so that it ends at the opening price: at
//! last some hundred minutes, before them hours, and before these days. No order made them: they are decoration, the same
//! for the same seed, and carry no trade ids.

use super::bars::Bar;
use super::dice::Dice;
use super::interval::Interval;
use super::listing::Listing;
use super::value::Values;

/// How many minutes are made.
pub const MINUTES: usize = 500;

/// How many hours are made before the minutes.
pub const HOURS: usize = 240;

/// How many days are made before the hours.
pub const DAYS: usize = 180;

/// Steps of the walk in a candle.
const STEPS: usize = 3;

/// The candles of one listing, each kind oldest first; one kind ends where the next begins, or a little before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// Days.
    pub days: Vec<Bar>,
    /// Hours.
    pub hours: Vec<Bar>,
    /// Minutes, up to the running one.
    pub minutes: Vec<Bar>,
}

impl Past {
    /// Those that candles of an interval are made of, oldest first.
    pub fn of(&self, interval: Interval) -> impl Iterator<Item = &Bar> {
        let days = if interval >= Interval::D1 { &self.days[..] } else { &[] };
        let hours = if interval >= Interval::H1 { &self.hours[..] } else { &[] };
        let minutes = if interval >= Interval::M1 {
            &self.minutes[..]
        } else {
            &[]
        };
        days.iter().chain(hours).chain(minutes)
    }
}

/// The candles of every listing up to the minute of `now`.
pub fn candles(listings: &[Listing], opening: &[f64], now: i64, dice: &mut Dice) -> Vec<Past> {
    let mut pasts = vec![Past::default(); listings.len()];
    let mut values = Values::new(listings, opening);
    let mut end = now;
    for (interval, count) in [(Interval::M1, MINUTES), (Interval::H1, HOURS), (Interval::D1, DAYS)] {
        end = interval.open(end, 0);
        for (past, bars) in pasts
            .iter_mut()
            .zip(backwards(listings, &mut values, interval, count, end, dice))
        {
            match interval {
                Interval::M1 => past.minutes = bars,
                Interval::H1 => past.hours = bars,
                _ => past.days = bars,
            }
        }
        end -= interval.micros() * count as i64;
    }
    pasts
}

/// The last `count` candles before `end`; the values walk on to where these begin.
fn backwards(
    listings: &[Listing],
    values: &mut Values,
    interval: Interval,
    count: usize,
    end: i64,
    dice: &mut Dice,
) -> Vec<Vec<Bar>> {
    let length = interval.micros();
    let mut walks: Vec<Vec<f64>> = (0..listings.len()).map(|symbol| vec![values.get(symbol)]).collect();
    for _ in 0..count * STEPS {
        let seconds = length as f64 / 1_000_000.0 / STEPS as f64;
        if interval == Interval::M1 {
            values.advance(seconds, dice);
        } else {
            values.stride(seconds, dice);
        }
        for (symbol, walk) in walks.iter_mut().enumerate() {
            walk.push(values.get(symbol));
        }
    }
    let start = end - count as i64 * length;
    let series = |(listing, walk): (&Listing, Vec<f64>)| {
        let ticks: Vec<i64> = walk.iter().rev().map(|value| listing.ticks_of(*value)).collect();
        let one = |n: usize| {
            let steps = &ticks[n * STEPS..=(n + 1) * STEPS];
            (start + n as i64 * length, steps.to_vec())
        };
        let minutes = length as f64 / Interval::M1.micros() as f64;
        (0..count)
            .map(one)
            .map(|(open_time, steps)| bar(listing, open_time, &steps, minutes, dice))
            .collect()
    };
    listings.iter().zip(walks).map(series).collect()
}

fn bar(listing: &Listing, open_time: i64, ticks: &[i64], minutes: f64, dice: &mut Dice) -> Bar {
    let (open, close) = (ticks[0], ticks[ticks.len() - 1]);
    let highest = ticks.iter().copied().max().unwrap_or(open);
    let lowest = ticks.iter().copied().min().unwrap_or(open);
    let wick = (listing.half_spread * open as f64 * dice.wait(0.8)) as i64;
    let price = listing.price_of(close);
    let trades = (listing.activity * 150.0 * minutes * dice.between(0.6, 1.6)) as u32;
    let volume = listing.lots_worth(f64::from(trades) * listing.typical_value * 0.35, price);
    let taken = (volume as f64 * (0.5 + 0.2 * f64::from((close - open).signum() as i32) * dice.unit())) as i64;
    let turnover = |lots: i64| i128::from(lots) * i128::from((open + close) / 2);
    Bar {
        open_time,
        open,
        high: highest + wick,
        low: (lowest - wick).max(1),
        close,
        volume,
        turnover: turnover(volume),
        trades,
        taker_volume: taken,
        taker_turnover: turnover(taken),
        trade_ids: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::listing::catalogue;

    #[test]
    fn the_past_is_a_function_of_the_seed_and_meets_the_present() {
        let listings = catalogue(4);
        let opening: Vec<f64> = listings.iter().map(|listing| listing.start_price).collect();
        let now = 1_700_000_012_345_678;
        let past = candles(&listings, &opening, now, &mut Dice::new(1));
        assert_eq!(past, candles(&listings, &opening, now, &mut Dice::new(1)));
        for (listing, past) in listings.iter().zip(&past) {
            assert_eq!(
                (past.days.len(), past.hours.len(), past.minutes.len()),
                (DAYS, HOURS, MINUTES)
            );
            assert_eq!(past.minutes[MINUTES - 1].close, listing.ticks_of(listing.start_price));
            assert!(past.minutes[MINUTES - 1].open_time + 60_000_000 <= now);
            for (interval, bars) in [
                (Interval::M1, &past.minutes),
                (Interval::H1, &past.hours),
                (Interval::D1, &past.days),
            ] {
                for pair in bars.windows(2) {
                    assert_eq!(pair[0].close, pair[1].open);
                    assert_eq!(interval.end(pair[0].open_time, 0), pair[1].open_time);
                }
                for bar in bars {
                    assert_eq!(interval.open(bar.open_time, 0), bar.open_time);
                    assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close));
                    assert!(bar.taker_volume <= bar.volume && bar.taker_volume >= 0);
                }
            }
            let joins = [(&past.days, &past.hours), (&past.hours, &past.minutes)];
            for (earlier, later) in joins {
                let last = earlier[earlier.len() - 1];
                assert_eq!(last.close, later[0].open, "the price goes on");
                assert!(last.open_time < later[0].open_time, "and so does the time");
            }
            assert_eq!(past.of(Interval::S1).count(), 0);
            assert_eq!(past.of(Interval::M30).count(), MINUTES);
            assert_eq!(past.of(Interval::Month).count(), DAYS + HOURS + MINUTES);
        }
    }
}
