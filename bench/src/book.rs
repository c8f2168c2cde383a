//! Book updates a second on one core: frames of a depth stream through the live feed's reader and state machine, and the
//! levels alone.

use crate::Outcome;
use crate::report::{self, count, per_second, verdict};
use data::core::sync::{PricedQuantity, Snapshot};
use data::replay::replay;
use domain::{Book, Price, Quantity, Side};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::error::Error;
use std::fmt::Write;
use std::time::Instant;

const FRAMES: usize = 100_000;
/// Level changes of a frame: at most as many on each side.
const CHANGES: usize = 6;
const LEVELS: i64 = 400;
const MIDDLE: i64 = 6_500_000;
const ROUNDS: usize = 5;
const LIMIT: f64 = 1_000_000.0;

struct Tape {
    snapshot: Snapshot,
    frames: Vec<String>,
    changes: Vec<(Side, Price, Quantity)>,
}

/// Measures and prints.
///
/// # Errors
/// When the tape is not one that follows itself.
pub(crate) fn run() -> Outcome {
    let tape = record()?;
    let (mut framed, mut single, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let snapshot = tape.snapshot.clone();
        let begun = Instant::now();
        let replayed = replay(snapshot, tape.frames.iter().map(String::as_str));
        let span = begun.elapsed();
        if replayed.counters.applied != FRAMES as u64 || replayed.malformed > 0 {
            return Err(format!("the tape was not applied whole: {replayed:?}").into());
        }
        framed.push(per_second(tape.frames.len(), span));
        single.push(per_second(tape.changes.len(), span));
        let mut book = Book::new();
        book.apply_snapshot(
            tape.snapshot.bids.clone(),
            tape.snapshot.asks.clone(),
            tape.snapshot.limit,
        );
        let begun = Instant::now();
        for (side, price, quantity) in &tape.changes {
            std::hint::black_box(book.apply_level(*side, *price, *quantity));
        }
        alone.push(per_second(tape.changes.len(), begun.elapsed()));
    }
    let row = |what: &str, rates: Vec<f64>, is_limited: bool| {
        let (median, best) = report::median_and_worst(rates);
        let limit = if is_limited {
            format!(">= {}", count(LIMIT as u64))
        } else {
            String::new()
        };
        let verdict = if is_limited {
            verdict(median >= LIMIT)
        } else {
            String::new()
        };
        [
            what.to_owned(),
            count(median as u64),
            count(best as u64),
            limit,
            verdict,
        ]
    };
    report::print(
        &format!(
            "book: one core, {} frames of {:.1} level changes, {:.0} bytes each, median of {ROUNDS} rounds",
            count(FRAMES as u64),
            tape.changes.len() as f64 / FRAMES as f64,
            tape.frames.iter().map(String::len).sum::<usize>() as f64 / FRAMES as f64,
        ),
        ["what", "a second", "best", "limit", "verdict"],
        vec![
            row("level changes, JSON text to checked book", single, true),
            row("frames, JSON text to checked book", framed, false),
            row("level changes, `Book::apply_level` alone", alone, true),
        ],
    );
    Ok(())
}

/// A tape whose bids stay below the middle and whose asks stay above it.
fn record() -> Result<Tape, Box<dyn Error + Send + Sync>> {
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let side = |sign: i64| -> Result<Vec<PricedQuantity>, Box<dyn Error + Send + Sync>> {
        (1..=LEVELS)
            .map(|away| Ok((price_text(MIDDLE + sign * away).parse()?, "1.5".parse()?)))
            .collect()
    };
    let snapshot = Snapshot {
        last_id: 1,
        limit: 1_000,
        bids: side(-1)?,
        asks: side(1)?,
    };
    let (mut frames, mut changes, mut id) = (Vec::with_capacity(FRAMES), Vec::new(), 1_i64);
    for _ in 0..FRAMES {
        let (first, mut sides) = (id + 1, [String::new(), String::new()]);
        for (text, side, sign) in [(0, Side::Buy, -1), (1, Side::Sell, 1)] {
            for _ in 0..chance.random_range(1..=CHANGES) {
                // The best two stay, so that no side is ever empty.
                let price = price_text(MIDDLE + sign * chance.random_range(3..=LEVELS));
                let lots = if chance.random_range(0..4) == 0 {
                    0
                } else {
                    chance.random_range(1..5_000_000)
                };
                let quantity = format!("{}.{:05}000", lots / 100_000, lots % 100_000);
                let text = &mut sides[text];
                write!(
                    text,
                    "{}[\"{price}\",\"{quantity}\"]",
                    if text.is_empty() { "" } else { "," }
                )?;
                changes.push((side, price.parse()?, quantity.parse()?));
                id += 1;
            }
        }
        let [bids, asks] = sides;
        frames.push(format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT","U":{first},"u":{id},"b":[{bids}],"a":[{asks}]}}}}"#
        ));
    }
    Ok(Tape {
        snapshot,
        frames,
        changes,
    })
}

fn price_text(cents: i64) -> String {
    format!("{}.{:02}000000", cents / 100, cents % 100)
}
