//! The bars of one symbol, equal to the venue's klines from the first one on.
//!
//! A kline of the running interval does not say which trades it holds, so that it cannot be continued. Closed klines
//! can: at a **boundary**, a whole second after the trade stream opened, every trade before it is in a closed 1s
//! kline, and every trade from it on comes over the stream. The running minute is the sum of its closed seconds, the
//! running five minutes of their closed minutes, the running hour of its closed five minutes; trades held since the
//! boundary follow. A hole in the trade ids ends that certainty, and a new boundary is needed.

use domain::{Bar, BarBuilder, Interval, Trade};
use domain::{NumberError, Price, Symbol, Timestamp, TradeId};
use std::collections::VecDeque;

/// All intervals, each a whole number of the one before.
pub const INTERVALS: [Interval; 4] = [Interval::S1, Interval::M1, Interval::M5, Interval::H1];

/// How many klines before a boundary the running bars are made of, by interval as in [`INTERVALS`].
pub const NEEDED: [usize; 4] = [60, 5, 12, 1];

/// The place of an interval in [`INTERVALS`].
pub fn place(interval: Interval) -> usize {
    match interval {
        Interval::S1 => 0,
        Interval::M1 => 1,
        Interval::M5 => 2,
        Interval::H1 => 3,
    }
}

/// What became of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is in the running bars, or held for them.
    Folded,
    /// It was seen before, or there is no boundary yet.
    Skipped,
    /// Trades before it were lost, or it cannot be folded: a new boundary is needed.
    Gap,
}

/// Closed klines of each interval, oldest first, as in [`INTERVALS`].
pub type History = [Vec<Bar>; 4];

#[derive(Debug)]
enum Phase {
    /// Nothing is certain; a boundary has to be set.
    Waiting,
    /// Trades from the boundary on are held until history up to it comes.
    Filling { boundary: Timestamp, held: VecDeque<Trade> },
    /// Every trade since the boundary is folded.
    Live {
        boundary: Timestamp,
        builders: Box<[BarBuilder; 4]>,
    },
}

/// The running bars of one symbol.
#[derive(Debug)]
pub struct BarSeries {
    symbol: Symbol,
    phase: Phase,
    last_trade: Option<TradeId>,
    bound: usize,
}

impl BarSeries {
    /// A series without a boundary, which will hold at most `bound` trades while it waits for history.
    pub fn new(symbol: Symbol, bound: usize) -> Self {
        Self {
            symbol,
            phase: Phase::Waiting,
            last_trade: None,
            bound,
        }
    }

    /// Starts anew at a boundary: a whole second that the venue's clock had not reached when the stream was open.
    pub fn set_boundary(&mut self, boundary: Timestamp) {
        self.phase = Phase::Filling {
            boundary,
            held: VecDeque::new(),
        };
        self.last_trade = None;
    }

    /// The boundary, while its history is awaited.
    pub fn awaited(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Filling { boundary, .. } => Some(*boundary),
            _ => None,
        }
    }

    /// Whether a boundary has to be set.
    pub fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting)
    }

    /// The running bar of an interval.
    pub fn current(&self, interval: Interval) -> Option<&Bar> {
        match &self.phase {
            Phase::Live { builders, .. } => builders[place(interval)].current(),
            _ => None,
        }
    }

    /// Gives up certainty: the connection was lost.
    pub fn interrupt(&mut self) {
        self.phase = Phase::Waiting;
        self.last_trade = None;
    }

    /// Takes a trade of the stream; bars that it closes are appended to `closed`.
    pub fn trade(&mut self, trade: &Trade, closed: &mut Vec<Bar>) -> Taken {
        if let Some(last) = self.last_trade {
            if trade.trade_id <= last {
                return Taken::Skipped;
            }
            if trade.trade_id.get() != last.get() + 1 {
                self.interrupt();
                return Taken::Gap;
            }
        }
        let folded = match &mut self.phase {
            Phase::Waiting => return Taken::Skipped,
            Phase::Filling { boundary, held } => {
                if trade.time >= *boundary {
                    held.push_back(trade.clone());
                }
                held.len() <= self.bound
            }
            // A late one that the klines have already.
            Phase::Live { boundary, .. } if trade.time < *boundary => true,
            Phase::Live { builders, .. } => fold(builders, trade, closed),
        };
        self.last_trade = Some(trade.trade_id);
        if folded {
            return Taken::Folded;
        }
        self.interrupt();
        Taken::Gap
    }

    /// Takes the venue's klines up to the awaited boundary and goes live; bars that the held trades close are appended
    /// to `closed`. `false` when they do not reach to the boundary, or no boundary is awaited.
    pub fn fill(&mut self, history: &History, closed: &mut Vec<Bar>) -> bool {
        let Phase::Filling { boundary, held } = &mut self.phase else {
            return false;
        };
        let Some(mut builders) = builders_at(&self.symbol, *boundary, history) else {
            return false;
        };
        let boundary = *boundary;
        let folded = held.iter().all(|trade| fold(&mut builders, trade, closed));
        self.phase = if folded {
            Phase::Live {
                boundary,
                builders: Box::new(builders),
            }
        } else {
            Phase::Waiting
        };
        folded
    }

    /// Closes every bar that is over at `now` by the venue's clock; call it once no earlier trade can still come.
    pub fn advance(&mut self, now: Timestamp, closed: &mut Vec<Bar>) {
        let Phase::Live { builders, .. } = &mut self.phase else {
            return;
        };
        for builder in builders.iter_mut() {
            // A silence longer than the builder fills is a gap for history to fill; a `now` of the past changes nothing.
            let behind = builder.current().is_some_and(|bar| bar.open_time > now);
            if !behind && builder.advance(now, closed).is_err() {
                self.phase = Phase::Waiting;
                return;
            }
        }
    }
}

fn fold(builders: &mut [BarBuilder; 4], trade: &Trade, closed: &mut Vec<Bar>) -> bool {
    builders.iter_mut().all(|builder| builder.apply(trade, closed).is_ok())
}

/// Builders that hold exactly the trades before `boundary`, or `None` when the history does not reach it.
fn builders_at(symbol: &Symbol, boundary: Timestamp, history: &History) -> Option<[BarBuilder; 4]> {
    let mut previous_close = None;
    let mut parts: Vec<&Bar> = Vec::new();
    let reaches = match history[0].last() {
        Some(bar) => bar.open_time.plus_micros(Interval::S1.micros()) >= boundary,
        None => history.iter().all(Vec::is_empty),
    };
    if !reaches {
        return None;
    }
    for bars in history {
        let before = bars.iter().rev().find(|bar| bar.open_time < boundary);
        previous_close = previous_close.or(before.map(|bar| bar.close));
    }
    let mut builders = Vec::with_capacity(INTERVALS.len());
    for (interval, bars) in INTERVALS.into_iter().zip(history) {
        let open_time = interval.open_time(boundary);
        // The running bar is made of closed shorter bars; those of this interval make the next longer one.
        let running = running_bar(symbol, interval, open_time, &parts, previous_close).ok()?;
        builders.push(match running {
            Some(bar) => BarBuilder::resume(bar, None),
            None => BarBuilder::new(symbol.clone(), interval),
        });
        let next = INTERVALS.get(builders.len()).copied().unwrap_or(Interval::H1);
        let next_open = next.open_time(boundary);
        parts.retain(|part| part.open_time >= open_time);
        let mut closed: Vec<&Bar> = bars
            .iter()
            .filter(|bar| (next_open..open_time).contains(&bar.open_time))
            .collect();
        closed.append(&mut parts);
        parts = closed;
    }
    builders.try_into().ok()
}

fn running_bar(
    symbol: &Symbol,
    interval: Interval,
    open_time: Timestamp,
    parts: &[&Bar],
    previous_close: Option<Price>,
) -> Result<Option<Bar>, NumberError> {
    let Some(start) = parts.first().map(|part| part.open).or(previous_close) else {
        return Ok(None);
    };
    let mut running = Bar::empty(symbol.clone(), interval, open_time, start);
    for part in parts {
        absorb(&mut running, part)?;
    }
    Ok(Some(running))
}

/// Adds a shorter bar that follows.
fn absorb(bar: &mut Bar, later: &Bar) -> Result<(), NumberError> {
    if later.trades == 0 {
        return Ok(());
    }
    if bar.trades == 0 {
        (bar.open, bar.high, bar.low) = (later.open, later.high, later.low);
    }
    bar.high = bar.high.max(later.high);
    bar.low = bar.low.min(later.low);
    bar.close = later.close;
    bar.volume = bar.volume.checked_add(later.volume)?;
    bar.quote_volume = bar.quote_volume.checked_add(later.quote_volume)?;
    bar.trades += later.trades;
    bar.taker_buy_volume = bar.taker_buy_volume.checked_add(later.taker_buy_volume)?;
    bar.taker_buy_quote_volume = bar.taker_buy_quote_volume.checked_add(later.taker_buy_quote_volume)?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
