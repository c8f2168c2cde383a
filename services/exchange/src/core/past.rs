//! Candles from before the market opened, so that a chart is not empty on the first day.
//!
//! They are a walk of the same value model, drawn from the seed and read backwards, so that it ends at the opening price.
//! No order made them: they are decoration, the same for the same seed, and carry no trade ids.

use super::bars::{Bar, Interval};
use super::dice::Dice;
use super::listing::Listing;
use super::value::Values;

/// How many minutes are made.
pub const MINUTES: usize = 500;

/// Steps of the walk in a minute.
const STEPS: usize = 3;

/// One-minute candles of every listing up to the minute of `now`, oldest first.
pub fn minutes(listings: &[Listing], opening: &[f64], now: i64, dice: &mut Dice) -> Vec<Vec<Bar>> {
    let mut values = Values::new(listings, opening);
    let mut walks: Vec<Vec<f64>> = opening.iter().map(|value| vec![*value]).collect();
    for _ in 0..MINUTES * STEPS {
        values.advance(60.0 / STEPS as f64, dice);
        for (symbol, walk) in walks.iter_mut().enumerate() {
            walk.push(values.get(symbol));
        }
    }
    let length = Interval::M1.micros();
    let end = now - now.rem_euclid(length);
    let start = end - MINUTES as i64 * length;
    let series = |(listing, walk): (&Listing, Vec<f64>)| {
        let ticks: Vec<i64> = walk.iter().rev().map(|value| listing.ticks_of(*value)).collect();
        (0..MINUTES)
            .map(|minute| {
                bar(
                    listing,
                    start + minute as i64 * length,
                    &ticks[minute * STEPS..=(minute + 1) * STEPS],
                    dice,
                )
            })
            .collect()
    };
    listings.iter().zip(walks).map(series).collect()
}

fn bar(listing: &Listing, open_time: i64, ticks: &[i64], dice: &mut Dice) -> Bar {
    let (open, close) = (ticks[0], ticks[ticks.len() - 1]);
    let highest = ticks.iter().copied().max().unwrap_or(open);
    let lowest = ticks.iter().copied().min().unwrap_or(open);
    let wick = (listing.half_spread * open as f64 * dice.wait(0.8)) as i64;
    let price = listing.price_of(close);
    let trades = (listing.activity * 150.0 * dice.between(0.6, 1.6)) as u32;
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
        let past = minutes(&listings, &opening, now, &mut Dice::new(1));
        assert_eq!(past, minutes(&listings, &opening, now, &mut Dice::new(1)));
        for (listing, bars) in listings.iter().zip(&past) {
            assert_eq!(bars.len(), MINUTES);
            assert_eq!(bars[MINUTES - 1].close, listing.ticks_of(listing.start_price));
            assert!(bars[MINUTES - 1].open_time + 60_000_000 <= now);
            for pair in bars.windows(2) {
                assert_eq!(pair[0].close, pair[1].open);
                assert_eq!(pair[0].open_time + 60_000_000, pair[1].open_time);
            }
            for bar in bars {
                assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close));
                assert!(bar.taker_volume <= bar.volume && bar.taker_volume >= 0);
            }
        }
    }
}
