//! What is told at fixed times: partial books, depth differences of a second, averages, tickers.

use super::topics::{Kind, Pace, Window};
use crate::core::market::{Market, MarketEvent};
use crate::core::venue::Venue;
use crate::wire::{market as wire, ticker};
use std::collections::BTreeMap;

/// A tenth of a second, µs.
const TENTH: i64 = 100_000;

/// One second, µs.
const SECOND: i64 = 1_000_000;

/// What the time has come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// What is told ten times a second.
    pub(super) tenth: bool,
    /// What is told each second.
    pub(super) second: bool,
}

/// The levels of a book that changed in this second.
#[derive(Debug)]
struct Changes {
    first: u64,
    last: u64,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

/// What was told of a symbol already.
#[derive(Debug, Default)]
struct Told {
    changes: Option<Changes>,
    tenth_update: u64,
    second_update: u64,
    trades: u64,
}

/// What was told, and when.
#[derive(Debug)]
pub(super) struct Digest {
    tenth: i64,
    second: i64,
    told: Vec<Told>,
}

impl Digest {
    pub(super) fn new(symbols: usize) -> Self {
        Self {
            tenth: 0,
            second: 0,
            told: (0..symbols).map(|_| Told::default()).collect(),
        }
    }

    /// What the time has come for; asked again within the same tenth, nothing.
    pub(super) fn due(&mut self, now: i64) -> Due {
        let (tenth, second) = (now.div_euclid(TENTH), now.div_euclid(SECOND));
        let due = Due {
            tenth: tenth > self.tenth,
            second: second > self.second,
        };
        (self.tenth, self.second) = (tenth.max(self.tenth), second.max(self.second));
        due
    }

    /// Adds a depth event to those of the running second.
    pub(super) fn note(&mut self, symbol: usize, event: &MarketEvent) {
        let MarketEvent::Depth {
            first,
            last,
            bids,
            asks,
        } = event
        else {
            return;
        };
        let changes = self.told[symbol].changes.get_or_insert_with(|| Changes {
            first: *first,
            last: *last,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
        });
        changes.last = *last;
        changes.bids.extend(bids.iter().copied());
        changes.asks.extend(asks.iter().copied());
    }

    /// The frames of one symbol that somebody wants.
    pub(super) fn frames(
        &mut self,
        symbol: usize,
        market: &Market,
        now: i64,
        due: Due,
        wanted: impl Fn(Kind) -> bool,
    ) -> Vec<(Kind, String)> {
        let told = &mut self.told[symbol];
        let update = market.update_id();
        let mut frames = Vec::new();
        if update > told.tenth_update {
            partial(market, &[Pace::Fast], &wanted, &mut frames);
            told.tenth_update = update;
        }
        if !due.second {
            return frames;
        }
        if update > told.second_update {
            partial(market, &[Pace::Slow, Pace::SlowNamed], &wanted, &mut frames);
            told.second_update = update;
        }
        if let Some(changes) = told.changes.take() {
            let event = MarketEvent::Depth {
                first: changes.first,
                last: changes.last,
                bids: changes.bids.into_iter().rev().collect(),
                asks: changes.asks.into_iter().collect(),
            };
            for pace in [Pace::Slow, Pace::SlowNamed] {
                if wanted(Kind::Depth(pace)) {
                    frames.push((Kind::Depth(pace), wire::frame(&market.listing, now, &event)));
                }
            }
        }
        let tickers = kinds().filter(|kind| wanted(*kind));
        frames.extend(tickers.map(|kind| (kind, frame(market, kind, now))));
        if wanted(Kind::Average) {
            frames.push((Kind::Average, ticker::average_frame(market, now)));
        }
        frames
    }

    /// The frames of all symbols together that somebody wants: of those in which something traded since the last.
    pub(super) fn arrays(&mut self, venue: &Venue, now: i64, wanted: impl Fn(Kind) -> bool) -> Vec<(Kind, String)> {
        let mut changed = Vec::new();
        for (told, market) in self.told.iter_mut().zip(venue.markets()) {
            if market.trades > told.trades {
                told.trades = market.trades;
                changed.push(market);
            }
        }
        if changed.is_empty() {
            return Vec::new();
        }
        let array = |kind: Kind| {
            let entries: Vec<String> = changed.iter().map(|market| frame(market, kind, now)).collect();
            (kind, format!("[{}]", entries.join(",")))
        };
        kinds().filter(|kind| wanted(*kind)).map(array).collect()
    }
}

/// The kinds of tickers.
fn kinds() -> impl Iterator<Item = Kind> {
    [Kind::Ticker, Kind::MiniTicker]
        .into_iter()
        .chain(Window::ALL.map(Kind::Rolling))
}

fn frame(market: &Market, kind: Kind, now: i64) -> String {
    match kind {
        Kind::MiniTicker => ticker::mini_frame(market, now),
        Kind::Rolling(window) => ticker::rolling_frame(market, now, window.name(), window.minutes()),
        _ => ticker::day_frame(market, now),
    }
}

fn partial(market: &Market, paces: &[Pace], wanted: &impl Fn(Kind) -> bool, frames: &mut Vec<(Kind, String)>) {
    for levels in [5, 10, 20] {
        for pace in paces {
            let kind = Kind::Partial(levels, *pace);
            if wanted(kind) {
                frames.push((kind, wire::depth(market, levels)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_the_last_state_of_each_level() {
        let mut digest = Digest::new(1);
        let depth = |first: u64, last: u64, bids: Vec<(i64, i64)>| MarketEvent::Depth {
            first,
            last,
            bids,
            asks: vec![(200, 1)],
        };
        digest.note(0, &depth(1, 4, vec![(100, 5), (99, 1)]));
        digest.note(0, &depth(5, 9, vec![(100, 0)]));
        let changes = digest.told[0].changes.take().unwrap();
        assert_eq!((changes.first, changes.last), (1, 9));
        assert_eq!(changes.bids.into_iter().rev().collect::<Vec<_>>(), [(100, 0), (99, 1)]);
        assert_eq!(changes.asks.len(), 1);
    }

    #[test]
    fn each_tenth_and_second_comes_once() {
        let mut digest = Digest::new(0);
        let table = [
            (SECOND, true, true),
            (SECOND + 50_000, false, false),
            (SECOND + TENTH, true, false),
            (3 * SECOND, true, true),
            (2 * SECOND, false, false),
        ];
        for (now, tenth, second) in table {
            assert_eq!(digest.due(now), Due { tenth, second }, "{now}");
        }
    }
}
