//! What a market did over a time: candles of any interval, and the sum of a span.

use super::bars::{self, Bar};
use super::interval::Interval;
use super::market::Market;

/// The longest span that minutes are kept for, µs.
const MINUTES_REACH: i64 = 1_440 * 60_000_000;

impl Market {
    /// Candles of any interval in a zone `offset` µs east of UTC, oldest first, the running one last.
    pub fn candles(&self, interval: Interval, offset: i64) -> Vec<Bar> {
        bars::longer(interval, offset, self.bars(interval.base(offset)))
    }

    /// All that traded from `from` until `now`, as one bar that begins at `from`: by the minute, beyond a day by the hour.
    pub fn span(&self, from: i64, now: i64) -> Bar {
        let interval = if now - from > MINUTES_REACH {
            Interval::H1
        } else {
            Interval::M1
        };
        let begun = interval.open(from, 0);
        let mut bars = self.bars(interval).filter(|bar| bar.open_time >= begun);
        let Some(first) = bars.next() else {
            return Bar::empty(from, self.last_ticks());
        };
        let mut sum = Bar {
            open_time: from,
            ..*first
        };
        bars.for_each(|bar| sum.absorb(bar));
        sum
    }
}
