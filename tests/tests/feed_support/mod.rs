//! Tapes of a venue's book streams, recorded or generated, with the true book at every update id.
#![allow(dead_code)]

use data::binance::frame::{self, Frame};
use data::core::sync::{Diff, PricedQuantity, Snapshot};
use domain::{Book, Price, Quantity, Side, Symbol};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
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

/// A long tape of random books: a frame of one to five updates every 100 ms a symbol, about a middle that wanders.
pub fn generated_tape(seed: u64, symbols: usize, frames: usize) -> Tape {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut tape = Tape {
        frames: Vec::new(),
        truths: Vec::new(),
    };
    for index in 0..symbols {
        generate(
            &mut tape,
            Symbol::parse(&format!("SYM{index}USDT")).unwrap(),
            frames,
            &mut random,
        );
    }
    tape.frames.sort_by_key(|frame| frame.at);
    tape
}

fn price(ticks: i64) -> Price {
    format!("{}.{:02}", ticks / 100, ticks % 100).parse().unwrap()
}

fn generate(tape: &mut Tape, symbol: Symbol, frames: usize, random: &mut ChaCha8Rng) {
    let mut middle: i64 = 10_000;
    let mut id: i64 = random.random_range(1..1_000_000_000);
    let mut book = Book::new();
    let side =
        |away: i64| (0..40).map(move |level| (price(10_000 + away * (1 + level * 2)), Quantity::parse("1").unwrap()));
    book.apply_snapshot(side(-1), side(1), usize::MAX);
    let mut truth = Truth {
        symbol: symbol.clone(),
        books: BTreeMap::from([(id, book.clone())]),
        reached: vec![(Duration::ZERO, id)],
    };
    for frame in 0..frames {
        let at = Duration::from_millis(50 + 100 * frame as u64 + random.random_range(0..90));
        let first_id = id + 1;
        let mut touched: BTreeMap<(bool, i64), Quantity> = BTreeMap::new();
        for step in 0..random.random_range(1..=5u64) {
            for (is_bid, ticks, quantity) in update(&book, &mut middle, random) {
                let side = if is_bid { Side::Buy } else { Side::Sell };
                book.apply_level(side, price(ticks), quantity);
                touched.insert((is_bid, ticks), quantity);
                id += 1;
            }
            truth.books.insert(id, book.clone());
            truth
                .reached
                .push((at - Duration::from_millis(10) + Duration::from_millis(step), id));
        }
        let levels = |bid: bool| {
            let side = touched.iter().filter(|((is_bid, _), _)| *is_bid == bid);
            let rows = side.map(|((_, ticks), quantity)| format!("[\"{}\",\"{quantity}\"]", price(*ticks)));
            rows.collect::<Vec<_>>().join(",")
        };
        let text = format!(
            "{{\"stream\":\"{}@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{},\"s\":\"{symbol}\",\"U\":{first_id},\
             \"u\":{id},\"b\":[{}],\"a\":[{}]}}}}",
            symbol.as_str().to_ascii_lowercase(),
            at.as_millis(),
            levels(true),
            levels(false),
        );
        tape.frames.push(TimedFrame {
            at: at + Duration::from_millis(10),
            text,
        });
    }
    tape.truths.push(truth);
}

/// One step of the market: a level comes, changes or goes; now and then the middle moves and what it meets is taken.
fn update(book: &Book, middle: &mut i64, random: &mut ChaCha8Rng) -> Vec<(bool, i64, Quantity)> {
    if random.random_range(0..4) == 0 {
        *middle = (*middle + random.random_range(-3..=3i64)).clamp(5_000, 15_000);
        let bound = price(*middle);
        let ticks = |price: Price| price.ticks("0.01".parse().unwrap()).unwrap();
        let bids = book
            .levels(Side::Buy)
            .take_while(|level| level.price >= bound)
            .map(|level| (true, ticks(level.price)));
        let asks = book
            .levels(Side::Sell)
            .take_while(|level| level.price <= bound)
            .map(|level| (false, ticks(level.price)));
        return bids
            .chain(asks)
            .map(|(is_bid, ticks)| (is_bid, ticks, Quantity::ZERO))
            .collect();
    }
    let is_bid = random.random_bool(0.5);
    let distance = random.random_range(1..60i64);
    let ticks = if is_bid { *middle - distance } else { *middle + distance };
    let quantity = if random.random_range(0..5) < 2 {
        0
    } else {
        random.random_range(1..500u32)
    };
    vec![(is_bid, ticks, quantity.to_string().parse().unwrap())]
}
