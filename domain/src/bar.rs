//! Bars: what traded in an interval, as Binance's klines say it.

mod builder;

pub use builder::{BarBuilder, BarError, MAX_EMPTY_BARS};

use crate::order::words;
use crate::{Money, ParseTermError, Price, Quantity, Side, Symbol, Timestamp, TradeId};
use serde::{Deserialize, Serialize};

/// A trade on the public tape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// In which market.
    pub symbol: Symbol,
    /// The venue's number.
    pub trade_id: TradeId,
    /// At which price.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// Which side came to the book.
    pub taker_side: Side,
    /// When, by the venue's clock.
    pub time: Timestamp,
}

/// The length of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Interval {
    /// One second.
    #[serde(rename = "1s")]
    S1,
    /// One minute.
    #[serde(rename = "1m")]
    M1,
    /// Five minutes.
    #[serde(rename = "5m")]
    M5,
    /// One hour.
    #[serde(rename = "1h")]
    H1,
}

words!(Interval, "interval", S1 = "1s", M1 = "1m", M5 = "5m", H1 = "1h");

impl Interval {
    /// Its length in microseconds.
    pub const fn micros(self) -> i64 {
        match self {
            Interval::S1 => 1_000_000,
            Interval::M1 => 60_000_000,
            Interval::M5 => 300_000_000,
            Interval::H1 => 3_600_000_000,
        }
    }

    /// Start of the interval that `time` falls in; intervals are counted from the Unix epoch.
    pub const fn open_time(self, time: Timestamp) -> Timestamp {
        let micros = time.as_micros();
        Timestamp::from_micros(micros - micros.rem_euclid(self.micros()))
    }

    /// The last millisecond of the interval that opens at `open_time`, as klines state it.
    pub const fn close_time(self, open_time: Timestamp) -> Timestamp {
        open_time.plus_micros(self.micros() - 1_000)
    }
}

/// What traded in one interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// In which market.
    pub symbol: Symbol,
    /// The length.
    pub interval: Interval,
    /// Start of the interval.
    pub open_time: Timestamp,
    /// The interval's last millisecond.
    pub close_time: Timestamp,
    /// The first price, or the previous close when nothing traded.
    pub open: Price,
    /// The highest price.
    pub high: Price,
    /// The lowest price.
    pub low: Price,
    /// The last price.
    pub close: Price,
    /// How much base traded.
    pub volume: Quantity,
    /// How much quote that was.
    pub quote_volume: Money,
    /// How many trades.
    pub trades: u64,
    /// The part of `volume` that buyers took.
    pub taker_buy_volume: Quantity,
    /// The part of `quote_volume` that buyers took.
    pub taker_buy_quote_volume: Money,
    /// Whether the interval is over.
    pub closed: bool,
}

impl Bar {
    /// The bar of an interval in which nothing has traded: it carries the previous close.
    pub fn empty(symbol: Symbol, interval: Interval, open_time: Timestamp, previous_close: Price) -> Bar {
        Bar {
            symbol,
            interval,
            open_time,
            close_time: interval.close_time(open_time),
            open: previous_close,
            high: previous_close,
            low: previous_close,
            close: previous_close,
            volume: Quantity::ZERO,
            quote_volume: Money::ZERO,
            trades: 0,
            taker_buy_volume: Quantity::ZERO,
            taker_buy_quote_volume: Money::ZERO,
            closed: false,
        }
    }
}
