//! Candles: one running bar for each interval, and a bounded past of those that the others are put together from.

use super::interval::Interval;
use std::collections::VecDeque;

/// One candle, in ticks and lots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// First microsecond of the bar.
    pub open_time: i64,
    /// Ticks.
    pub open: i64,
    /// Ticks.
    pub high: i64,
    /// Ticks.
    pub low: i64,
    /// Ticks.
    pub close: i64,
    /// Lots.
    pub volume: i64,
    /// Ticks × lots.
    pub turnover: i128,
    /// How many trades.
    pub trades: u32,
    /// Lots bought by takers.
    pub taker_volume: i64,
    /// Ticks × lots bought by takers.
    pub taker_turnover: i128,
    /// Trade ids of the first and last trade, when there was one.
    pub trade_ids: Option<(u64, u64)>,
}

impl Bar {
    /// A bar in which nothing has traded yet.
    pub fn empty(open_time: i64, price: i64) -> Self {
        Self {
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0,
            turnover: 0,
            trades: 0,
            taker_volume: 0,
            taker_turnover: 0,
            trade_ids: None,
        }
    }

    /// Adds a trade.
    pub fn trade(&mut self, id: u64, ticks: i64, lots: i64, buyer_took: bool) {
        let turnover = i128::from(ticks) * i128::from(lots);
        if self.trades == 0 {
            (self.open, self.high, self.low) = (ticks, ticks, ticks);
        }
        self.high = self.high.max(ticks);
        self.low = self.low.min(ticks);
        self.close = ticks;
        self.volume += lots;
        self.turnover += turnover;
        self.trades += 1;
        if buyer_took {
            self.taker_volume += lots;
            self.taker_turnover += turnover;
        }
        self.trade_ids = Some((self.trade_ids.map_or(id, |ids| ids.0), id));
    }

    /// Adds a whole shorter bar that follows.
    pub fn absorb(&mut self, later: &Bar) {
        if self.trades == 0 {
            (self.open, self.high, self.low) = (later.open, later.high, later.low);
        }
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume += later.volume;
        self.turnover += later.turnover;
        self.trades += later.trades;
        self.taker_volume += later.taker_volume;
        self.taker_turnover += later.taker_turnover;
        self.trade_ids = match (self.trade_ids, later.trade_ids) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (one, other) => one.or(other),
        };
    }
}

/// Puts shorter bars together, in the order in which they come, to bars of `interval` in a zone `offset` µs east of UTC.
pub fn longer<'a>(interval: Interval, offset: i64, bars: impl Iterator<Item = &'a Bar>) -> Vec<Bar> {
    let mut longer: Vec<Bar> = Vec::new();
    for bar in bars {
        let open_time = interval.open(bar.open_time, offset);
        match longer.last_mut() {
            Some(last) if last.open_time == open_time => last.absorb(bar),
            _ => longer.push(Bar { open_time, ..*bar }),
        }
    }
    longer
}

/// The bars of one symbol and interval.
#[derive(Clone, Debug)]
pub struct Series {
    interval: Interval,
    closed: VecDeque<Bar>,
    running: Bar,
    touched: bool,
}

impl Series {
    /// A series whose running bar holds `now`.
    pub fn new(interval: Interval, now: i64, price: i64) -> Self {
        Self {
            interval,
            closed: VecDeque::new(),
            running: Bar::empty(interval.open(now, 0), price),
            touched: false,
        }
    }

    /// Its interval.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// Closes every bar that ended at or before `now`, and calls `closed` with each.
    pub fn roll(&mut self, now: i64, mut closed: impl FnMut(&Bar)) {
        // after a long silence only the bars that would be kept are made
        let kept = self.interval.micros() * self.interval.kept() as i64;
        let earliest = self.interval.open(now - kept, 0);
        while self.interval.end(self.running.open_time, 0) <= now {
            let bar = self.running;
            closed(&bar);
            self.keep(bar);
            let next = self.interval.end(bar.open_time, 0);
            self.running = Bar::empty(next.max(earliest), bar.close);
        }
    }

    /// Adds a trade to the running bar.
    pub fn trade(&mut self, id: u64, ticks: i64, lots: i64, buyer_took: bool) {
        self.running.trade(id, ticks, lots, buyer_took);
        self.touched = true;
    }

    /// Adds a shorter bar of the past, oldest first; only before the series is live.
    pub fn absorb(&mut self, bar: &Bar) {
        if bar.open_time < self.running.open_time {
            self.running = Bar::empty(self.interval.open(bar.open_time, 0), bar.open);
        }
        self.roll(bar.open_time, |_| ());
        self.running.absorb(bar);
    }

    fn keep(&mut self, bar: Bar) {
        self.closed.push_back(bar);
        if self.closed.len() > self.interval.kept() {
            self.closed.pop_front();
        }
    }

    /// The running bar.
    pub fn running(&self) -> &Bar {
        &self.running
    }

    /// The running bar, when it changed since the last call.
    pub fn take_touched(&mut self) -> Option<Bar> {
        std::mem::take(&mut self.touched).then_some(self.running)
    }

    /// Closed bars and the running one, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Bar> {
        self.closed.iter().chain(std::iter::once(&self.running))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_bar_repeats_the_close() {
        let mut series = Series::new(Interval::S1, 1_500_000, 100);
        assert_eq!(series.interval(), Interval::S1);
        series.trade(5, 102, 3, true);
        series.trade(6, 99, 1, false);
        assert_eq!(series.take_touched().map(|bar| bar.close), Some(99));
        assert_eq!(series.take_touched(), None);
        let mut closed = Vec::new();
        series.roll(3_000_000, |bar| closed.push(*bar));
        assert_eq!(closed.len(), 2);
        let first = closed[0];
        assert_eq!((first.open, first.high, first.low, first.close), (102, 102, 99, 99));
        assert_eq!(
            (first.volume, first.turnover, first.taker_volume, first.trades),
            (4, 102 * 3 + 99, 3, 2)
        );
        assert_eq!(first.trade_ids, Some((5, 6)));
        assert_eq!((closed[1].open, closed[1].trades), (99, 0));
        assert_eq!(series.running().open_time, 3_000_000);
        assert_eq!(series.all().count(), 3);
    }

    #[test]
    fn the_past_is_bounded() {
        let mut series = Series::new(Interval::S1, 0, 100);
        series.trade(1, 100, 1, true);
        series.roll(10_000 * 1_000_000, |_| ());
        assert_eq!(series.all().count(), 601);
        assert_eq!(series.running().open_time, 10_000 * 1_000_000);
    }

    #[test]
    fn minutes_add_up_to_longer_bars() {
        let mut hours = Series::new(Interval::H1, 0, 1);
        let mut total = 0;
        for minute in 0..130 {
            let mut bar = Bar::empty(minute * 60_000_000, 100 + minute);
            bar.trade(minute as u64, 100 + minute, 2, minute % 2 == 0);
            total += bar.volume;
            hours.absorb(&bar);
        }
        let bars: Vec<Bar> = hours.all().copied().collect();
        assert_eq!(bars.len(), 3);
        assert_eq!(bars.iter().map(|bar| bar.volume).sum::<i64>(), total);
        assert_eq!(
            (bars[1].open, bars[1].close, bars[1].high, bars[1].low),
            (160, 219, 219, 160)
        );
        assert_eq!(bars[1].trade_ids, Some((60, 119)));
        assert_eq!((bars[1].taker_volume, bars[1].open_time), (60, 3_600_000_000));
    }
    #[test]
    fn longer_bars_are_put_together_and_need_not_be_kept() {
        let minute = 60_000_000;
        let (mut minutes, mut weeks) = (Vec::new(), Series::new(Interval::W1, 0, 1));
        for n in 0..12 {
            let mut bar = Bar::empty(n * minute, 100 + n);
            bar.trade(n as u64, 100 + n, 2, true);
            weeks.absorb(&bar);
            minutes.push(bar);
        }
        let threes = longer(Interval::M3, 0, minutes.iter());
        let shape = |bar: &Bar| (bar.open_time / minute, bar.open, bar.close, bar.volume, bar.trades);
        assert_eq!(
            threes.iter().map(shape).collect::<Vec<_>>()[..2],
            [(0, 100, 102, 6, 3), (3, 103, 105, 6, 3)]
        );
        assert_eq!(threes.len(), 4);
        let shifted = longer(Interval::M3, minute, minutes.iter());
        assert_eq!(
            shifted.iter().map(|bar| bar.open_time / minute).collect::<Vec<_>>(),
            [-1, 2, 5, 8, 11]
        );
        assert_eq!(weeks.running().volume, 24);
        let mut closed = 0;
        weeks.roll(20 * 86_400_000_000, |_| closed += 1);
        assert_eq!(
            (closed, weeks.all().count()),
            (1, 1),
            "a week that ended is told and not kept"
        );
    }
}
