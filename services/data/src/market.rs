//! Everything known of the followed symbols, shared between the feed that writes and the RPCs that read.

use crate::config::Config;
use crate::core::series::{BarSeries, INTERVALS, Taken, place};
use crate::core::sync::{BookState, BookSync, Counters, Diff, Input, Outputs, Request, SyncLimits};
use crate::core::trades::TradeRing;
use crate::hub::Hub;
use domain::{Bar, BookLevel, Instrument, Interval, Price, Symbol, Timestamp, Trade};
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
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

/// Which symbols there are. A place is given to a symbol once and for ever, so that whoever holds one is never misled.
#[derive(Default)]
struct Listing {
    /// By place, as the venue last stated them.
    instruments: Vec<Arc<Instrument>>,
    /// Every symbol that ever had a place.
    places: BTreeMap<Symbol, usize>,
    /// The places of symbols that the venue lists now.
    listed: BTreeSet<usize>,
}

/// What the venue's list has changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relisted {
    /// Places of symbols that were not listed before.
    pub added: Vec<usize>,
    /// Places of symbols that are no longer listed.
    pub removed: Vec<usize>,
    /// Symbols whose rules or status are others now.
    pub changed: usize,
    /// Symbols for which there is no place.
    pub left_out: usize,
}

/// The followed symbols.
pub struct Market {
    listing: RwLock<Listing>,
    /// By place; those that are not given out yet are empty.
    states: Vec<OnceLock<Mutex<SymbolState>>>,
    sync_limits: SyncLimits,
    kept_trades: usize,
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
    pub fn new(instruments: Vec<Instrument>, config: &Config, now: Duration) -> Self {
        let count = config.max_symbols;
        let market = Self {
            listing: RwLock::default(),
            states: (0..count).map(|_| OnceLock::new()).collect(),
            sync_limits: config.sync_limits(),
            kept_trades: config.kept_trades,
            books: Hub::new(count),
            trades: Hub::new(count),
            bars: Hub::new(count * INTERVALS.len()),
            open_connections: AtomicUsize::new(0),
            wanted_connections: AtomicUsize::new(0),
            reconnects: AtomicU64::new(0),
            malformed: AtomicU64::new(0),
        };
        market.relist(instruments, now);
        market
    }

    /// Takes over what the venue lists now. The books of symbols that are gone are discarded.
    pub fn relist(&self, mut instruments: Vec<Instrument>, now: Duration) -> Relisted {
        instruments.sort_by(|left, right| left.symbol.cmp(&right.symbol));
        let mut relisted = Relisted::default();
        let mut listing = self.listing.write();
        let mut gone = listing.listed.clone();
        for instrument in instruments {
            match listing.places.get(&instrument.symbol).copied() {
                Some(place) => {
                    gone.remove(&place);
                    if listing.listed.insert(place) {
                        relisted.added.push(place);
                    }
                    if *listing.instruments[place] != instrument {
                        relisted.changed += 1;
                        listing.instruments[place] = Arc::new(instrument);
                    }
                }
                None if listing.instruments.len() == self.states.len() => relisted.left_out += 1,
                None => relisted.added.push(self.give_place(&mut listing, instrument, now)),
            }
        }
        listing.listed.retain(|place| !gone.contains(place));
        drop(listing);
        for &place in &gone {
            self.close(place, now);
        }
        relisted.removed = gone.into_iter().collect();
        relisted
    }

    fn give_place(&self, listing: &mut Listing, instrument: Instrument, now: Duration) -> usize {
        let place = listing.instruments.len();
        self.states[place].get_or_init(|| {
            Mutex::new(SymbolState {
                sync: BookSync::new(self.sync_limits, now),
                series: BarSeries::new(instrument.symbol.clone(), self.kept_trades),
                ring: TradeRing::new(self.kept_trades),
                last_closed: Default::default(),
                connection: 0,
            })
        });
        listing.places.insert(instrument.symbol.clone(), place);
        listing.listed.insert(place);
        listing.instruments.push(Arc::new(instrument));
        place
    }

    /// What the venue lists, with its places, ordered by symbol.
    pub fn listed(&self) -> Vec<(usize, Arc<Instrument>)> {
        let listing = self.listing.read();
        let places = listing.places.values().filter(|place| listing.listed.contains(place));
        places
            .map(|&place| (place, listing.instruments[place].clone()))
            .collect()
    }

    /// How many symbols the venue lists.
    pub fn listed_count(&self) -> usize {
        self.listing.read().listed.len()
    }

    /// Whether the venue lists the symbol of a place.
    pub fn is_listed(&self, place: usize) -> bool {
        self.listing.read().listed.contains(&place)
    }

    /// How many places were given out: every one below has its state.
    pub fn place_count(&self) -> usize {
        self.listing.read().instruments.len()
    }

    /// How many places there can be.
    pub fn capacity(&self) -> usize {
        self.states.len()
    }

    /// The instrument of a place, as the venue last stated it.
    pub fn instrument(&self, place: usize) -> Arc<Instrument> {
        self.listing.read().instruments[place].clone()
    }

    /// The symbol of a place.
    pub fn symbol(&self, place: usize) -> Symbol {
        self.instrument(place).symbol.clone()
    }

    /// The place of a symbol that the venue lists.
    pub fn place(&self, symbol: &str) -> Option<usize> {
        let listing = self.listing.read();
        let place = listing.places.get(symbol).copied();
        place.filter(|place| listing.listed.contains(place))
    }

    /// The place of a symbol's bars of one interval.
    pub fn bar_place(symbol: usize, interval: Interval) -> usize {
        symbol * INTERVALS.len() + place(interval)
    }

    /// What is known of a symbol. Held for as long as a copy takes, never over an await.
    pub fn state(&self, place: usize) -> MutexGuard<'_, SymbolState> {
        let state = self.states[place].get();
        state.expect("a place that was given out has its state").lock()
    }

    /// The book of a symbol, at most `depth` levels a side.
    pub fn book(&self, place: usize, depth: usize, now: Duration) -> BookView {
        let symbol = self.symbol(place);
        let state = self.state(place);
        let (bids, asks) = state.sync.book().map(|book| book.top(depth)).unwrap_or_default();
        BookView {
            symbol,
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
        let places = self.listing.read().listed.clone();
        for place in places {
            let state = self.state(place);
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
