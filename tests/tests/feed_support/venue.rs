//! A tape of `exchange`'s own market: its crowd trades for a while, and every frame that its streams would carry is kept,
//! with the book that rested behind each. The same seed gives the same tape.

use super::{Tape, TimedFrame, Truth};
use domain::{Book, Price, Quantity, Side, Symbol};
use exchange::core::market::{Market, MarketEvent};
use exchange::core::venue::{Effects, Venue, ledger};
use exchange::wire::market::frame;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::time::Duration;

/// The market's clock at the start, in µs: a whole minute.
const START: i64 = 1_800_000_000_000_000;

/// The crowd acts in slices of this length, in µs; a depth report covers ten of them.
const SLICE: i64 = 10_000;
const SLICES_PER_REPORT: i64 = 10;

/// Lets the crowd of `seed` trade `symbols` symbols for `seconds` seconds.
pub fn venue_tape(seed: u64, symbols: usize, seconds: i64) -> Tape {
    let config = exchange::Config {
        symbols,
        seed,
        ..exchange::Config::default()
    };
    let mut effects = Effects::default();
    let mut venue = Venue::open(config.options(), ledger(&config.options()), START, &mut effects);
    let mut tape = Tape {
        frames: Vec::new(),
        truths: venue.markets().iter().map(first_sight).collect(),
    };
    // Between two reports a snapshot may show any state; one of the slices, by chance, is kept for that.
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut shown = 0;
    for slice in 1..=seconds * 1_000_000 / SLICE {
        if slice % SLICES_PER_REPORT == 1 {
            shown = slice + random.random_range(0..SLICES_PER_REPORT - 1);
        }
        effects.market.clear();
        venue.advance(START + slice * SLICE, &mut effects);
        let at = Duration::from_micros((slice * SLICE).unsigned_abs());
        for (symbol, time, event) in &effects.market {
            keep_frame(
                &mut tape,
                &venue.markets()[*symbol],
                at,
                frame(&venue.markets()[*symbol].listing, *time, event),
                event,
            );
        }
        if slice == shown || slice % SLICES_PER_REPORT == 0 {
            for (truth, market) in tape.truths.iter_mut().zip(venue.markets()) {
                keep_book(truth, market, at);
            }
        }
    }
    tape
}

fn first_sight(market: &Market) -> Truth {
    let id = id_of(market);
    Truth {
        symbol: Symbol::parse(&market.listing.symbol).unwrap(),
        books: BTreeMap::from([(id, book_of(market))]),
        reached: vec![(Duration::ZERO, id)],
    }
}

fn id_of(market: &Market) -> i64 {
    i64::try_from(market.update_id()).unwrap()
}

fn keep_book(truth: &mut Truth, market: &Market, at: Duration) {
    let id = id_of(market);
    if truth.reached.last().is_some_and(|(_, last)| *last < id) {
        truth.books.insert(id, book_of(market));
        truth.reached.push((at, id));
    }
}

fn keep_frame(tape: &mut Tape, market: &Market, at: Duration, text: String, event: &MarketEvent) {
    let stream = match event {
        MarketEvent::Depth { .. } => "depth@100ms",
        MarketEvent::Trade(_) => "trade",
        _ => return,
    };
    let symbol = market.listing.symbol.to_ascii_lowercase();
    tape.frames.push(TimedFrame {
        at,
        text: format!("{{\"stream\":\"{symbol}@{stream}\",\"data\":{text}}}"),
    });
}

/// What rests on the venue's matching book: no diff is involved.
fn book_of(market: &Market) -> Book {
    let listing = &market.listing;
    let side = |side| {
        market.book().levels(side).map(|(ticks, lots)| {
            let price = decimal(ticks, listing.price_decimals);
            let quantity = decimal(lots, listing.lot_decimals);
            (Price::parse(&price).unwrap(), Quantity::parse(&quantity).unwrap())
        })
    };
    let mut book = Book::new();
    book.apply_snapshot(side(Side::Buy), side(Side::Sell), usize::MAX);
    book
}

fn decimal(units: i64, decimals: u32) -> String {
    let one = 10_i64.pow(decimals);
    let width = decimals as usize;
    if decimals == 0 {
        units.to_string()
    } else {
        format!("{}.{:0width$}", units / one, units % one)
    }
}
