//! What goes into a book's state machine, and what comes out.

use domain::{Price, Quantity, Timestamp};
use std::time::Duration;

/// A price and what rests there.
pub type PricedQuantity = (Price, Quantity);

/// Changes of levels, as the venue numbered them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The first update in it: Binance's `U`.
    pub first_id: i64,
    /// The last update in it: Binance's `u`.
    pub last_id: i64,
    /// When the venue sent it.
    pub venue_time: Timestamp,
    /// New quantities of bids; zero removes the level.
    pub bids: Vec<PricedQuantity>,
    /// New quantities of asks; zero removes the level.
    pub asks: Vec<PricedQuantity>,
}

/// The levels of a symbol at one update id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last update that it contains: Binance's `lastUpdateId`.
    pub last_id: i64,
    /// How many levels a side were asked for: a side with as many may go on.
    pub limit: usize,
    /// Bids, best first.
    pub bids: Vec<PricedQuantity>,
    /// Asks, best first.
    pub asks: Vec<PricedQuantity>,
}

/// What happens to a book.
#[derive(Debug, Clone)]
pub enum Input {
    /// A diff came over the stream.
    Diff(Diff),
    /// A snapshot was fetched.
    Snapshot(Snapshot),
    /// The stream is open: from now on diffs come, and a snapshot is worth asking for.
    Opened,
    /// Something of the stream was lost: a malformed frame, or the connection itself.
    Damaged,
    /// Time passed.
    Tick,
}

/// What the feed has to do for a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Fetch a snapshot.
    Snapshot,
    /// The subscription is dead although the connection looks alive: connect again.
    Reconnect,
}

/// What came of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outputs {
    /// The book or its state changed: tell the readers.
    pub publish: bool,
    /// What to do.
    pub request: Option<Request>,
}

/// Whether the book can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookState {
    /// In step with the venue.
    Live,
    /// Quiet beyond its bound.
    Stale,
    /// Discarded; a snapshot is on its way.
    Resyncing,
}

/// Bounds of a [`BookSync`].
#[derive(Debug, Clone, Copy)]
pub struct SyncLimits {
    /// A book without news for so long is STALE.
    pub quiet: Duration,
    /// A snapshot that was asked for and did not come is asked for again after this.
    pub snapshot_retry: Duration,
    /// How many diffs are kept while waiting for a snapshot.
    pub buffered_diffs: usize,
    /// With fewer known levels than this on a cut-off side, a deeper snapshot is fetched.
    pub known_levels: usize,
}

impl Default for SyncLimits {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(10),
            snapshot_retry: Duration::from_secs(5),
            buffered_diffs: 1_000,
            known_levels: 20,
        }
    }
}

/// What happened to a book since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Diffs applied.
    pub applied: u64,
    /// Diffs dropped because their snapshot already had them.
    pub stale: u64,
    /// Diffs dropped because they had been applied before.
    pub repeated: u64,
    /// Diffs that did not follow the one before.
    pub gaps: u64,
    /// Books discarded because bids and asks crossed.
    pub crossed: u64,
    /// Books that differed from a snapshot with the same id.
    pub mismatches: u64,
    /// Books whose known levels ran out.
    pub exhausted: u64,
    /// Snapshots taken as the base of a book.
    pub snapshots: u64,
}

impl Counters {
    /// Adds what happened to another book.
    pub fn add(&mut self, other: &Counters) {
        self.applied += other.applied;
        self.stale += other.stale;
        self.repeated += other.repeated;
        self.gaps += other.gaps;
        self.crossed += other.crossed;
        self.mismatches += other.mismatches;
        self.exhausted += other.exhausted;
        self.snapshots += other.snapshots;
    }
}
