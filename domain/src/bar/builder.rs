//! Trades folded into bars.

use super::{Bar, Interval, Trade};
use crate::{NumberError, Price, Side, Symbol, Timestamp, TradeId};

/// The most empty bars that one call emits: a day of seconds. A longer silence is a gap to be filled from history.
pub const MAX_EMPTY_BARS: i64 = 86_400;

/// Why a trade was not folded; the builder is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BarError {
    /// A trade of another market.
    #[error("a trade of {trade} in the bars of {bars}")]
    WrongSymbol {
        /// The trade's market.
        trade: Symbol,
        /// The builder's market.
        bars: Symbol,
    },
    /// A trade that was folded before, or came out of order.
    #[error("trade {trade_id} is not after trade {last}")]
    Repeated {
        /// The trade.
        trade_id: TradeId,
        /// The last one folded.
        last: TradeId,
    },
    /// A time before the bar that is being built.
    #[error("{time} is before the current bar, which opened at {open_time}")]
    Late {
        /// The time given.
        time: Timestamp,
        /// When the current bar opened.
        open_time: Timestamp,
    },
    /// More than [`MAX_EMPTY_BARS`] intervals without a trade: start anew from the venue's history.
    #[error("{intervals} intervals have passed since the last bar")]
    GapTooLong {
        /// How many.
        intervals: i64,
    },
    /// A sum cannot be held exactly.
    #[error("bar: {0}")]
    Number(#[from] NumberError),
}

impl BarError {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            BarError::WrongSymbol { .. } => "BAR_WRONG_SYMBOL",
            BarError::Repeated { .. } => "BAR_TRADE_REPEATED",
            BarError::Late { .. } => "BAR_TRADE_LATE",
            BarError::GapTooLong { .. } => "BAR_GAP_TOO_LONG",
            BarError::Number(number) => number.reason(),
        }
    }
}

/// Folds the trades of one market into bars of one interval.
///
/// Bars start at the first trade (or where [`BarBuilder::resume`] says). An interval without a trade still has its
/// bar: the previous close, and no volume.
#[derive(Debug, Clone)]
pub struct BarBuilder {
    symbol: Symbol,
    interval: Interval,
    current: Option<Bar>,
    last_trade: Option<TradeId>,
}

impl BarBuilder {
    /// A builder that has seen nothing.
    pub fn new(symbol: Symbol, interval: Interval) -> Self {
        BarBuilder {
            symbol,
            interval,
            current: None,
            last_trade: None,
        }
    }

    /// A builder that goes on after a bar from history. `last_trade` is the last trade that the bar contains.
    pub fn resume(bar: Bar, last_trade: Option<TradeId>) -> Self {
        BarBuilder {
            symbol: bar.symbol.clone(),
            interval: bar.interval,
            current: Some(bar),
            last_trade,
        }
    }

    /// The bar of the interval that is not over yet.
    pub fn current(&self) -> Option<&Bar> {
        self.current.as_ref()
    }

    /// The last trade folded.
    pub fn last_trade(&self) -> Option<TradeId> {
        self.last_trade
    }

    /// Folds one trade; bars that it closes are appended to `closed`, oldest first.
    pub fn apply(&mut self, trade: &Trade, closed: &mut Vec<Bar>) -> Result<(), BarError> {
        if trade.symbol != self.symbol {
            return Err(BarError::WrongSymbol {
                trade: trade.symbol.clone(),
                bars: self.symbol.clone(),
            });
        }
        if let Some(last) = self.last_trade.filter(|&last| trade.trade_id <= last) {
            return Err(BarError::Repeated {
                trade_id: trade.trade_id,
                last,
            });
        }
        let open_time = self.interval.open_time(trade.time);
        let next = match &self.current {
            Some(bar) if open_time == bar.open_time => self.with_trade(bar, trade)?,
            Some(bar) => {
                self.check_distance(bar, open_time, trade.time)?;
                self.first_trade(open_time, trade)?
            }
            None => self.first_trade(open_time, trade)?,
        };
        self.close_before(open_time, closed);
        self.current = Some(next);
        self.last_trade = Some(trade.trade_id);
        Ok(())
    }

    /// Closes every bar whose interval is over at `now`; they are appended to `closed`, oldest first.
    ///
    /// The bar of the interval that `now` falls in becomes current, empty until a trade comes. Call it only once no
    /// earlier trade can still arrive. Before the first trade there is nothing to close.
    pub fn advance(&mut self, now: Timestamp, closed: &mut Vec<Bar>) -> Result<(), BarError> {
        let open_time = self.interval.open_time(now);
        let Some(bar) = &self.current else {
            return Ok(());
        };
        if open_time == bar.open_time {
            return Ok(());
        }
        self.check_distance(bar, open_time, now)?;
        if let Some(close) = self.close_before(open_time, closed) {
            self.current = Some(self.empty(open_time, close));
        }
        Ok(())
    }

    fn check_distance(&self, bar: &Bar, open_time: Timestamp, time: Timestamp) -> Result<(), BarError> {
        let intervals = open_time.micros_since(bar.open_time) / self.interval.micros();
        if open_time < bar.open_time {
            return Err(BarError::Late {
                time,
                open_time: bar.open_time,
            });
        }
        if intervals > MAX_EMPTY_BARS {
            return Err(BarError::GapTooLong { intervals });
        }
        Ok(())
    }

    /// Closes the current bar if it opened before `open_time`, and emits the empty ones between; the last close.
    fn close_before(&mut self, open_time: Timestamp, closed: &mut Vec<Bar>) -> Option<Price> {
        let mut bar = self.current.take_if(|bar| bar.open_time < open_time)?;
        let close = bar.close;
        let mut next = bar.open_time.plus_micros(self.interval.micros());
        bar.closed = true;
        closed.push(bar);
        while next < open_time {
            let mut empty = self.empty(next, close);
            empty.closed = true;
            closed.push(empty);
            next = next.plus_micros(self.interval.micros());
        }
        Some(close)
    }

    fn empty(&self, open_time: Timestamp, previous_close: Price) -> Bar {
        Bar::empty(self.symbol.clone(), self.interval, open_time, previous_close)
    }

    fn first_trade(&self, open_time: Timestamp, trade: &Trade) -> Result<Bar, BarError> {
        self.with_trade(&self.empty(open_time, trade.price), trade)
    }

    fn with_trade(&self, bar: &Bar, trade: &Trade) -> Result<Bar, BarError> {
        let notional = trade.price.notional(trade.quantity)?;
        let mut next = bar.clone();
        if bar.trades == 0 {
            // What was carried over from the bar before gives way to the first real price.
            (next.open, next.high, next.low) = (trade.price, trade.price, trade.price);
        }
        next.high = next.high.max(trade.price);
        next.low = next.low.min(trade.price);
        next.close = trade.price;
        next.volume = bar.volume.checked_add(trade.quantity)?;
        next.quote_volume = bar.quote_volume.checked_add(notional)?;
        next.trades = bar.trades.saturating_add(1);
        next.closed = false;
        if trade.taker_side == Side::Buy {
            next.taker_buy_volume = bar.taker_buy_volume.checked_add(trade.quantity)?;
            next.taker_buy_quote_volume = bar.taker_buy_quote_volume.checked_add(notional)?;
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests;
