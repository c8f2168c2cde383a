//! Tapes of a venue's streams, recorded or made by `exchange`'s own market, with the true book at every update id.
#![allow(dead_code)]

mod venue;

pub use venue::venue_tape;

use data::binance::frame::{self, Frame};
use data::core::sync::{Diff, PricedQuantity, Snapshot};
use domain::{Book, Side, Symbol};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The recorded traffic, or `None` with a line that says why not.
pub fn recorded_folder() -> Option<PathBuf> {
    match std::env::var_os("TRADEMESH_FEEDS") {
        Some(folder) => Some(PathBuf::from(folder).join("binance")),
        None => {
            println!("skipped: TRADEMESH_FEEDS does not name the folder of recorded exchange traffic");
            None
        }
    }
}

/// One frame of a stream.
#[derive(Debug, Clone)]
pub struct TimedFrame {
    /// When the venue sent it, from the start of the tape.
    pub at: Duration,
    /// Its text.
    pub text: String,
}

/// What one symbol's book truly was.
#[derive(Debug)]
pub struct Truth {
    /// The symbol.
    pub symbol: Symbol,
    /// The book at every update id at which someone could see it.
    pub books: BTreeMap<i64, Book>,
    /// When each of these ids was reached.
    pub reached: Vec<(Duration, i64)>,
}

impl Truth {
    /// What the venue would answer to a depth request at `at`.
    pub fn snapshot(&self, at: Duration, limit: usize) -> Snapshot {
        let known = self.reached.partition_point(|(reached, _)| *reached <= at);
        let last_id = self.reached[known.max(1) - 1].1;
        let book = &self.books[&last_id];
        let side = |side| -> Vec<PricedQuantity> {
            book.levels(side)
                .take(limit)
                .map(|level| (level.price, level.quantity))
                .collect()
        };
        Snapshot {
            last_id,
            limit,
            bids: side(Side::Buy),
            asks: side(Side::Sell),
        }
    }
}

/// Frames in order, and the truth behind them.
#[derive(Debug)]
pub struct Tape {
    /// The frames.
    pub frames: Vec<TimedFrame>,
    /// The symbols.
    pub truths: Vec<Truth>,
}

impl Tape {
    /// When the last frame was sent.
    pub fn end(&self) -> Duration {
        self.frames.last().map(|frame| frame.at).unwrap_or_default()
    }
}

/// The raw answers of the recorded depth requests, by symbol.
pub fn recorded_snapshots(folder: &std::path::Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join("rest-depth.log")).unwrap();
    let mut answers = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (url, answer) = line.split_once(" -> ").unwrap();
        let symbol = url.split("symbol=").nth(1).unwrap().split('&').next().unwrap();
        let (_, json) = answer.split_once(": ").unwrap();
        answers.insert(symbol.to_owned(), json.to_owned());
    }
    answers
}

/// The recorded frames.
pub fn recorded_frames(folder: &std::path::Path) -> Vec<TimedFrame> {
    let text = std::fs::read_to_string(folder.join("stream.log")).unwrap();
    let mut first = None;
    let lines = text
        .lines()
        .filter(|line| line.starts_with(|start: char| start.is_ascii_digit()));
    lines
        .map(|line| {
            let (time, json) = line.split_once(": ").unwrap();
            let seconds: f64 = time.parse().unwrap();
            let at = Duration::from_secs_f64(seconds - *first.get_or_insert(seconds));
            TimedFrame {
                at,
                text: json.to_owned(),
            }
        })
        .collect()
}

/// The recorded tape, with the replay of its undamaged frames as the truth.
pub fn recorded_tape(folder: &std::path::Path) -> Tape {
    let frames = recorded_frames(folder);
    let truths = recorded_snapshots(folder)
        .iter()
        .map(|(symbol, json)| {
            let answer: data::binance::messages::DepthAnswer = serde_json::from_str(json).unwrap();
            let snapshot = answer.snapshot(usize::MAX);
            truth_of(Symbol::parse(symbol).unwrap(), &snapshot, &frames)
        })
        .collect();
    Tape { frames, truths }
}

/// Applies every frame of a symbol to its snapshot, by the rule on paper: no state machine involved.
fn truth_of(symbol: Symbol, snapshot: &Snapshot, frames: &[TimedFrame]) -> Truth {
    let mut book = Book::new();
    book.apply_snapshot(snapshot.bids.clone(), snapshot.asks.clone(), snapshot.limit);
    let mut last_id = snapshot.last_id;
    let mut truth = Truth {
        symbol,
        books: BTreeMap::from([(last_id, book.clone())]),
        reached: vec![(Duration::ZERO, last_id)],
    };
    for frame in frames {
        let Ok(Frame::Depth { symbol, diff }) = frame::parse(&frame.text) else {
            continue;
        };
        if symbol != truth.symbol.as_str() || diff.last_id <= last_id {
            continue;
        }
        assert!(diff.first_id <= last_id + 1, "the recording has no gap");
        apply(&mut book, &diff);
        last_id = diff.last_id;
        truth.books.insert(last_id, book.clone());
        truth.reached.push((frame.at, last_id));
    }
    truth
}

fn apply(book: &mut Book, diff: &Diff) {
    for (price, quantity) in &diff.bids {
        book.apply_level(Side::Buy, *price, *quantity);
    }
    for (price, quantity) in &diff.asks {
        book.apply_level(Side::Sell, *price, *quantity);
    }
}
