//! The streams by name: what there is to listen to.

use crate::core::interval::Interval;
use crate::core::listing::Listing;
use crate::core::market::MarketEvent;
use std::collections::BTreeMap;

/// How often a depth stream speaks, as its name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// `@100ms`
    Fast,
    /// Each second, which the name leaves out.
    Slow,
    /// `@1000ms`
    SlowNamed,
}

impl Pace {
    const ALL: [Pace; 3] = [Pace::Fast, Pace::Slow, Pace::SlowNamed];

    fn name(self) -> &'static str {
        match self {
            Pace::Fast => "@100ms",
            Pace::Slow => "",
            Pace::SlowNamed => "@1000ms",
        }
    }
}

/// The span of a rolling window stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// One hour.
    Hour,
    /// Four hours.
    FourHours,
    /// One day.
    Day,
}

impl Window {
    /// All of them.
    pub const ALL: [Window; 3] = [Window::Hour, Window::FourHours, Window::Day];

    /// As the wire names it.
    pub fn name(self) -> &'static str {
        match self {
            Window::Hour => "1h",
            Window::FourHours => "4h",
            Window::Day => "1d",
        }
    }

    /// Its length in minutes.
    pub fn minutes(self) -> i64 {
        match self {
            Window::Hour => 60,
            Window::FourHours => 240,
            Window::Day => 1_440,
        }
    }
}

/// Levels of a partial book.
const PARTIAL: [usize; 3] = [5, 10, 20];

/// The kinds of market streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `@trade`
    Trade,
    /// `@aggTrade`
    Aggregate,
    /// `@bookTicker`
    Best,
    /// `@avgPrice`
    Average,
    /// `@ticker`
    Ticker,
    /// `@miniTicker`
    MiniTicker,
    /// `@ticker_<window>`
    Rolling(Window),
    /// `@depth…`: what changed.
    Depth(Pace),
    /// `@depth<levels>…`: the best levels.
    Partial(usize, Pace),
    /// `@kline_<interval>`
    Kline(Interval),
}

/// Streams of a symbol.
pub(super) const KINDS: usize = 6 + 3 + 3 + 9 + Interval::ALL.len();

impl Kind {
    /// All of them, in the order of their numbers.
    fn all() -> impl Iterator<Item = Kind> {
        let plain = [
            Kind::Trade,
            Kind::Aggregate,
            Kind::Best,
            Kind::Average,
            Kind::Ticker,
            Kind::MiniTicker,
        ];
        let partial = PARTIAL
            .into_iter()
            .flat_map(|levels| Pace::ALL.map(|pace| Kind::Partial(levels, pace)));
        plain
            .into_iter()
            .chain(Window::ALL.map(Kind::Rolling))
            .chain(Pace::ALL.map(Kind::Depth))
            .chain(partial)
            .chain(Interval::ALL.map(Kind::Kline))
    }

    /// Its number among the streams of a symbol.
    pub(super) fn index(self) -> usize {
        match self {
            Kind::Trade => 0,
            Kind::Aggregate => 1,
            Kind::Best => 2,
            Kind::Average => 3,
            Kind::Ticker => 4,
            Kind::MiniTicker => 5,
            Kind::Rolling(window) => 6 + window as usize,
            Kind::Depth(pace) => 9 + pace as usize,
            Kind::Partial(levels, pace) => {
                let row = PARTIAL.iter().position(|each| *each == levels).unwrap_or_default();
                12 + 3 * row + pace as usize
            }
            Kind::Kline(interval) => 21 + interval as usize,
        }
    }

    /// The stream on which an event of the market is told.
    pub(super) fn of(event: &MarketEvent) -> Self {
        match event {
            MarketEvent::Trade(_) => Kind::Trade,
            MarketEvent::Aggregate(_) => Kind::Aggregate,
            MarketEvent::Depth { .. } => Kind::Depth(Pace::Fast),
            MarketEvent::Best { .. } => Kind::Best,
            MarketEvent::Kline { interval, .. } => Kind::Kline(*interval),
        }
    }

    /// Whether it tells differences of the book.
    pub(super) fn is_depth(self) -> bool {
        matches!(self, Kind::Depth(_))
    }

    fn name(self) -> String {
        match self {
            Kind::Trade => "trade".to_owned(),
            Kind::Aggregate => "aggTrade".to_owned(),
            Kind::Best => "bookTicker".to_owned(),
            Kind::Average => "avgPrice".to_owned(),
            Kind::Ticker => "ticker".to_owned(),
            Kind::MiniTicker => "miniTicker".to_owned(),
            Kind::Rolling(window) => format!("ticker_{}", window.name()),
            Kind::Depth(pace) => format!("depth{}", pace.name()),
            Kind::Partial(levels, pace) => format!("depth{levels}{}", pace.name()),
            Kind::Kline(interval) => format!("kline_{}", interval.name()),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Kind::all().find(|kind| kind.name() == name)
    }

    /// Whether there is a stream of it for all symbols together.
    fn has_array(self) -> bool {
        matches!(self, Kind::Ticker | Kind::MiniTicker | Kind::Rolling(_))
    }
}

/// One stream: what of which symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic {
    /// Index of the symbol; none for all symbols together.
    pub symbol: Option<usize>,
    /// What of it.
    pub kind: Kind,
}

impl Topic {
    /// Its number among all streams.
    pub(super) fn index(self, symbols: usize) -> usize {
        self.symbol.unwrap_or(symbols) * KINDS + self.kind.index()
    }

    /// The topic of a stream's name, such as `btcusdt@depth@100ms`.
    pub(super) fn parse(name: &str, places: &BTreeMap<String, usize>) -> Option<Self> {
        if let Some(kind) = name.strip_prefix('!').and_then(|name| name.strip_suffix("@arr")) {
            let kind = Kind::parse(kind).filter(|kind| kind.has_array())?;
            return Some(Topic { symbol: None, kind });
        }
        let (symbol, kind) = name.split_once('@')?;
        if symbol.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let symbol = places.get(&symbol.to_ascii_uppercase())?;
        Some(Topic {
            symbol: Some(*symbol),
            kind: Kind::parse(kind)?,
        })
    }

    /// Its stream's name.
    pub(super) fn name(self, listings: &[Listing]) -> String {
        match self.symbol {
            Some(symbol) => format!("{}@{}", listings[symbol].symbol.to_ascii_lowercase(), self.kind.name()),
            None => format!("!{}@arr", self.kind.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::listing::{catalogue, places};
    use std::collections::BTreeSet;

    #[test]
    fn every_stream_has_a_name_and_a_number_of_its_own() {
        let listings = catalogue(2);
        let mut numbers = BTreeSet::new();
        for symbol in [Some(0), Some(1), None] {
            for kind in Kind::all().filter(|kind| symbol.is_some() || kind.has_array()) {
                let topic = Topic { symbol, kind };
                assert_eq!(Topic::parse(&topic.name(&listings), &places(&listings)), Some(topic));
                assert!(numbers.insert(topic.index(listings.len())), "{topic:?}");
            }
        }
        assert_eq!(Kind::all().count(), KINDS);
        assert!(numbers.last().is_some_and(|last| *last < 3 * KINDS));
    }

    #[test]
    fn names_are_the_documented_ones() {
        let listings = catalogue(3);
        let places = places(&listings);
        for name in [
            "btcusdt@trade",
            "ethusdt@aggTrade",
            "solusdt@depth@100ms",
            "btcusdt@depth",
            "btcusdt@depth@1000ms",
            "btcusdt@depth5",
            "btcusdt@depth20@100ms",
            "btcusdt@bookTicker",
            "btcusdt@kline_1m",
            "btcusdt@kline_1M",
            "btcusdt@avgPrice",
            "btcusdt@ticker",
            "btcusdt@miniTicker",
            "btcusdt@ticker_4h",
            "!ticker@arr",
            "!miniTicker@arr",
            "!ticker_1d@arr",
        ] {
            let topic = Topic::parse(name, &places).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(topic.name(&listings), name);
        }
        for name in [
            "btcusdt",
            "BTCUSDT@trade",
            "btcusdt@depth7",
            "btcusdt@depth@250ms",
            "btcusdt@kline_2d",
            "nosuch@trade",
            "!trade@arr",
            "!ticker",
            "",
        ] {
            assert_eq!(Topic::parse(name, &places), None, "{name}");
        }
    }
}
