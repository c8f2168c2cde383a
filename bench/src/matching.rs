//! The matching book beside `orderbook-rs`: the same operations, made before, in one thread, in turns.

use crate::report::{self, count, per_second};
use crate::{Outcome, machine};
use domain::matching::{Effects, MatchingBook, NewOrder};
use domain::{Side, TimeInForce};
use orderbook_rs::{DefaultOrderBook, Id};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};

const OPERATIONS: usize = 500_000;
const ROUNDS: usize = 5;
/// Orders of the memory measurement.
const RESTING: u64 = 1_000_000;
const MIDDLE: i64 = 100_000;
/// How far from the middle limits go; those beyond it trade.
const DEEP: i64 = 200;
const CROSSING: i64 = 5;

#[derive(Debug, Clone, Copy)]
enum Operation {
    Limit { id: u64, side: Side, tick: i64, lots: u64 },
    Market { id: u64, side: Side, lots: u64 },
    Cancel { id: u64 },
}

/// Where a book ended: equal books matched alike.
#[derive(Debug, PartialEq, Eq)]
struct End {
    bid: Option<i64>,
    ask: Option<i64>,
    /// Cancels that found their order.
    cancelled: u64,
    /// Market orders that traded whole or in part.
    traded: u64,
}

/// Measures and prints.
///
/// # Errors
/// When the two books end differently.
pub(crate) fn run() -> Outcome {
    let operations = record();
    let (mut ours, mut theirs, mut end) = (Vec::new(), Vec::new(), None);
    for _ in 0..ROUNDS {
        let (span, mine) = measure_ours(&operations);
        ours.push(per_second(OPERATIONS, span));
        let (span, yours) = measure_theirs(&operations);
        theirs.push(per_second(OPERATIONS, span));
        if mine != yours {
            return Err(format!("the books differ at the end: {mine:?}, orderbook-rs {yours:?}").into());
        }
        end = Some(mine);
    }
    let ((ours, our_best), (theirs, their_best)) = (report::median_and_worst(ours), report::median_and_worst(theirs));
    let row = |what: &str, median: f64, best: f64, ratio: f64| {
        [
            what.to_owned(),
            count(median as u64),
            count(best as u64),
            format!("{ratio:.2}"),
        ]
    };
    report::print(
        &format!(
            "matching: {} operations (50 % limits, 10 % market orders, 40 % cancels), one thread, median of {ROUNDS} rounds in turns",
            count(OPERATIONS as u64)
        ),
        ["book", "operations a second", "best", "ratio"],
        vec![
            row("domain::matching::MatchingBook", ours, our_best, ours / theirs),
            row("orderbook-rs 0.15", theirs, their_best, 1.0),
        ],
    );
    println!(
        "Both ended alike: {end:?}. orderbook-rs takes calls from many threads at once and pays for that here; \
         MatchingBook has one owner.\n"
    );
    print_memory();
    Ok(())
}

/// What a resting order costs, from the growth of this process; the books stay, so that none reuses another's memory.
fn print_memory() {
    let (ours, _book) = grown(|| {
        let (mut book, mut effects) = (MatchingBook::new(), Effects::new());
        for id in 1..=RESTING {
            effects.clear();
            let (side, tick) = place(id);
            let _ = book.submit(NewOrder::limit(id, side, TimeInForce::Gtc, tick, 1), &mut effects);
        }
        book
    });
    let (peer, _peer_book) = grown(|| {
        let book = DefaultOrderBook::new("BENCH");
        for id in 1..=RESTING {
            let (side, tick) = place(id);
            let (price, term) = (tick.unsigned_abs().into(), orderbook_rs::TimeInForce::Gtc);
            let _ = book.add_limit_order(Id::from_u64(id), price, 1, theirs(side), term, None);
        }
        book
    });
    let row = |what: &str, bytes: u64| [what.to_owned(), count(bytes / RESTING), count(bytes / (1 << 20))];
    report::print(
        &format!(
            "memory: {} resting orders on {} prices a side",
            count(RESTING),
            count(DEEP.unsigned_abs())
        ),
        ["book", "bytes an order", "MiB"],
        vec![
            row("domain::matching::MatchingBook", ours),
            row("orderbook-rs 0.15", peer),
        ],
    );
}

/// The side and tick of a resting order: no two sides meet.
fn place(id: u64) -> (Side, i64) {
    let away = 1 + (id / 2 % DEEP.unsigned_abs()) as i64;
    if id.is_multiple_of(2) {
        (Side::Buy, MIDDLE - away)
    } else {
        (Side::Sell, MIDDLE + away)
    }
}

fn grown<T>(make: impl FnOnce() -> T) -> (u64, T) {
    let before = machine::resident_bytes();
    let made = make();
    (machine::resident_bytes().saturating_sub(before), made)
}

fn record() -> Vec<Operation> {
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let mut made: Vec<u64> = Vec::new();
    (1..=OPERATIONS as u64)
        .map(|id| {
            let side = if chance.random_range(0..2) == 0 {
                Side::Buy
            } else {
                Side::Sell
            };
            match chance.random_range(0..10) {
                0..4 if !made.is_empty() => Operation::Cancel {
                    id: made.swap_remove(chance.random_range(0..made.len())),
                },
                4 => Operation::Market {
                    id,
                    side,
                    lots: chance.random_range(1..=20),
                },
                _ => {
                    made.push(id);
                    let away = chance.random_range(-CROSSING..=DEEP);
                    let tick = if side == Side::Buy {
                        MIDDLE - away
                    } else {
                        MIDDLE + away
                    };
                    Operation::Limit {
                        id,
                        side,
                        tick,
                        lots: chance.random_range(1..=50),
                    }
                }
            }
        })
        .collect()
}

fn measure_ours(operations: &[Operation]) -> (Duration, End) {
    let (mut book, mut effects) = (MatchingBook::new(), Effects::new());
    let (mut cancelled, mut traded) = (0, 0);
    let begun = Instant::now();
    for operation in operations {
        effects.clear();
        match *operation {
            Operation::Limit { id, side, tick, lots } => {
                let order = NewOrder::limit(id, side, TimeInForce::Gtc, tick, lots);
                let _ = std::hint::black_box(book.submit(order, &mut effects));
            }
            Operation::Market { id, side, lots } => {
                let submitted = book.submit(NewOrder::market(id, side, lots), &mut effects);
                traded += u64::from(submitted.is_ok_and(|submitted| submitted.filled > 0));
            }
            Operation::Cancel { id } => cancelled += u64::from(book.cancel(id, &mut effects).is_some()),
        }
        std::hint::black_box(&effects);
    }
    let span = begun.elapsed();
    let best = |side| book.best(side).map(|level| level.tick);
    (
        span,
        End {
            bid: best(Side::Buy),
            ask: best(Side::Sell),
            cancelled,
            traded,
        },
    )
}

fn measure_theirs(operations: &[Operation]) -> (Duration, End) {
    let book = DefaultOrderBook::new("BENCH");
    let (mut cancelled, mut traded) = (0, 0);
    let begun = Instant::now();
    for operation in operations {
        match *operation {
            Operation::Limit { id, side, tick, lots } => {
                let (price, term) = (tick.unsigned_abs().into(), orderbook_rs::TimeInForce::Gtc);
                let _ =
                    std::hint::black_box(book.add_limit_order(Id::from_u64(id), price, lots, theirs(side), term, None));
            }
            Operation::Market { id, side, lots } => {
                let matched = book.submit_market_order(Id::from_u64(id), lots, theirs(side));
                traded += u64::from(matched.is_ok());
            }
            Operation::Cancel { id } => {
                cancelled += u64::from(book.cancel_order(Id::from_u64(id)).is_ok_and(|order| order.is_some()));
            }
        }
    }
    let span = begun.elapsed();
    let tick = |price: Option<u128>| price.and_then(|price| i64::try_from(price).ok());
    (
        span,
        End {
            bid: tick(book.best_bid()),
            ask: tick(book.best_ask()),
            cancelled,
            traded,
        },
    )
}

fn theirs(side: Side) -> orderbook_rs::Side {
    match side {
        Side::Buy => orderbook_rs::Side::Buy,
        Side::Sell => orderbook_rs::Side::Sell,
    }
}
