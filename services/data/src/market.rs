//! Everything known of the followed symbols, shared between the feed that writes and the RPCs that read.

use crate::config::Config;
use crate::core::series::{BarSeries, INTERVALS, Taken, place};
use crate::core::sync::{BookState, BookSync, Counters, Diff, Input, Outputs, Request};
use crate::core::trades::TradeRing;
use crate::hub::Hub;
use domain::{Bar, BookLevel, Instrument, Interval, Price, Symbol, Timestamp, Trade};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The book of a symbol as readers get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookView {
    /// The symbol.
    pub symbol: Symbol,
    /// Whether it can be trusted.
    pub state: BookState,
    /// The venue's id of the last update in it; zero without a book.
    pub update_id: i64,
    /// When the venue sent that update, once one came over the stream.
    pub venue_time: Option<Timestamp>,
    /// How long ago the venue last confirmed the book.
    pub age: Duration,
    /// Bids, best first, within the range that is known completely.
    pub bids: Vec<BookLevel>,
    /// Asks, likewise.
    pub asks: Vec<BookLevel>,
    /// The price of the last trade.
    pub last_price: Option<Price>,
}

/// What changes of one symbol.
#[derive(Debug)]
pub struct SymbolState {
    /// Its book.
    pub sync: BookSync,
    /// Its running bars.
    pub series: BarSeries,
    /// Its latest trades.
    pub ring: TradeRing,
    /// Its latest closed bars, as in [`INTERVALS`].
    pub last_closed: [Option<Bar>; 4],
    /// The connection that feeds it: zero while there is none.
    pub connection: u64,
}

/// The followed symbols.
pub struct Market {
    instruments: Vec<Instrument>,
    places: BTreeMap<Symbol, usize>,
    states: Vec<Mutex<SymbolState>>,
    /// Readers of books and quotes, by symbol.
    pub books: Arc<Hub>,
    /// Readers of trades, by symbol.
    pub trades: Arc<Hub>,
    /// Readers of bars, by symbol and interval: see [`Market::bar_place`].
    pub bars: Arc<Hub>,
    /// Connections that are open.
    pub open_connections: AtomicUsize,
    /// Connections that there should be.
    pub wanted_connections: AtomicUsize,
    /// Times a connection was lost.
    pub reconnects: AtomicU64,
    /// Frames that could not be read.
    pub malformed: AtomicU64,
}

/// What the feed has to do after an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Todo {
    /// For the book.
    pub request: Option<Request>,
    /// The bars need a new boundary.
    pub refill: bool,
}

impl Market {
    /// Follows `instruments`, none of them known yet.
    pub fn new(mut instruments: Vec<Instrument>, config: &Config, now: Duration) -> Self {
        instruments.sort_by(|left, right| left.symbol.cmp(&right.symbol));
        let places: BTreeMap<Symbol, usize> = instruments
            .iter()
            .enumerate()
            .map(|(place, instrument)| (instrument.symbol.clone(), place))
            .collect();
        let state = |instrument: &Instrument| SymbolState {
            sync: BookSync::new(config.sync_limits(), now),
            series: BarSeries::new(instrument.symbol.clone(), config.kept_trades),
            ring: TradeRing::new(config.kept_trades),
            last_closed: Default::default(),
            connection: 0,
        };
        let count = instruments.len();
        Self {
            states: instruments
                .iter()
                .map(|instrument| Mutex::new(state(instrument)))
                .collect(),
            instruments,
            places,
            books: Hub::new(count),
            trades: Hub::new(count),
            bars: Hub::new(count * INTERVALS.len()),
            open_connections: AtomicUsize::new(0),
            wanted_connections: AtomicUsize::new(0),
            reconnects: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
        }
    }

    /// The instruments, by symbol.
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The place of a symbol among the instruments.
    pub fn place(&self, symbol: &str) -> Option<usize> {
        self.places.get(symbol).copied()
    }

    /// The place of a symbol's bars of one interval.
    pub fn bar_place(symbol: usize, interval: Interval) -> usize {
        symbol * INTERVALS.len() + place(interval)
    }

    /// What is known of a symbol. Held for as long as a copy takes, never over an await.
    pub fn state(&self, place: usize) -> MutexGuard<'_, SymbolState> {
        self.states[place].lock()
    }

    /// The book of a symbol, at most `depth` levels a side.
    pub fn book(&self, place: usize, depth: usize, now: Duration) -> BookView {
        let state = self.state(place);
        let (bids, asks) = state.sync.book().map(|book| book.top(depth)).unwrap_or_default();
        BookView {
            symbol: self.instruments[place].symbol.clone(),
            state: state.sync.state(),
            update_id: state.sync.update_id(),
            venue_time: state.sync.venue_time(),
            age: state.sync.age(now),
            bids,
            asks,
            last_price: state.ring.newest().map(|trade| trade.price),
        }
    }

    /// The connection `connection` feeds the symbol from now on.
    pub fn open(&self, place: usize, connection: u64, now: Duration) -> Todo {
        let outputs = {
            let mut state = self.state(place);
            state.connection = connection;
            state.series.interrupt();
            state.sync.apply(Input::Opened, now)
        };
        self.after(place, outputs)
    }

    /// Nothing feeds the symbol any more.
    pub fn close(&self, place: usize, now: Duration) {
        let outputs = {
            let mut state = self.state(place);
            state.connection = 0;
            state.series.interrupt();
            state.sync.apply(Input::Damaged, now)
        };
        self.after(place, outputs);
    }

    /// Takes a diff of the stream.
    pub fn diff(&self, place: usize, diff: Diff, now: Duration) -> Todo {
        self.input(place, Input::Diff(diff), now)
    }

    /// Takes anything that happens to a book.
    pub fn input(&self, place: usize, input: Input, now: Duration) -> Todo {
        let outputs = self.state(place).sync.apply(input, now);
        self.after(place, outputs)
    }

    /// Takes a snapshot that was fetched for the connection `connection`; one of another connection says nothing about
    /// what this one missed, and is dropped.
    pub fn snapshot(&self, place: usize, connection: u64, input: Input, now: Duration) -> Todo {
        let outputs = {
            let mut state = self.state(place);
            if connection == 0 || state.connection != connection {
                return Todo::default();
            }
            state.sync.apply(input, now)
        };
        self.after(place, outputs)
    }

    fn after(&self, place: usize, outputs: Outputs) -> Todo {
        if outputs.publish {
            self.books.publish(place);
        }
        Todo {
            request: outputs.request,
            refill: false,
        }
    }

    /// Takes a trade of the stream; bars that it closes are appended to `closed`.
    pub fn trade(&self, place: usize, trade: Trade, closed: &mut Vec<Bar>) -> Todo {
        let before = closed.len();
        let taken = {
            let mut state = self.state(place);
            let taken = state.series.trade(&trade, closed);
            remember(&mut state, &closed[before..]);
            let is_new = state
                .ring
                .newest()
                .is_none_or(|newest| trade.trade_id > newest.trade_id);
            if is_new {
                state.ring.push(trade);
            }
            taken
        };
        self.trades.publish(place);
        self.books.publish(place);
        if taken == Taken::Folded {
            self.publish_bars(place);
        }
        Todo {
            request: None,
            refill: taken == Taken::Gap,
        }
    }

    /// Closes the bars that are over at `now` by the venue's clock.
    pub fn advance_bars(&self, place: usize, now: Timestamp, closed: &mut Vec<Bar>) {
        let before = closed.len();
        let mut state = self.state(place);
        state.series.advance(now, closed);
        remember(&mut state, &closed[before..]);
        drop(state);
        for bar in &closed[before..] {
            self.bars.publish(Self::bar_place(place, bar.interval));
        }
    }

    /// Takes the klines before the awaited boundary; `false` when they do not reach it.
    pub fn fill_bars(&self, place: usize, history: &[Vec<Bar>; 4], closed: &mut Vec<Bar>) -> bool {
        let before = closed.len();
        let mut state = self.state(place);
        let live = state.series.fill(history, closed);
        for bars in history {
            remember(&mut state, bars);
        }
        remember(&mut state, &closed[before..]);
        drop(state);
        self.publish_bars(place);
        live
    }

    fn publish_bars(&self, place: usize) {
        for interval in INTERVALS {
            self.bars.publish(Self::bar_place(place, interval));
        }
    }

    /// How many books are in each state, and what happened to all of them since the start.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for state in &self.states {
            let state = state.lock();
            match state.sync.state() {
                BookState::Live => totals.live += 1,
                BookState::Stale => totals.stale += 1,
                BookState::Resyncing => totals.resyncing += 1,
            }
            totals.counters.add(&state.sync.counters());
        }
        totals.reconnects = self.reconnects.load(Ordering::Relaxed);
        let open = self.open_connections.load(Ordering::Relaxed);
        totals.connected = open > 0 && open >= self.wanted_connections.load(Ordering::Relaxed);
        totals
    }
}

/// The state of all books together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Books in step.
    pub live: usize,
    /// Quiet books.
    pub stale: usize,
    /// Books without a snapshot.
    pub resyncing: usize,
    /// What happened since the start.
    pub counters: Counters,
    /// Times a connection was lost.
    pub reconnects: u64,
    /// Whether every connection is open.
    pub connected: bool,
}

fn remember(state: &mut SymbolState, closed: &[Bar]) {
    for bar in closed {
        let last = &mut state.last_closed[place(bar.interval)];
        if last.as_ref().is_none_or(|last| last.open_time <= bar.open_time) {
            *last = Some(bar.clone());
        }
    }
}
