//! Whether a book can be trusted. One [`BookSync`] per symbol bridges a snapshot and the diffs of the stream:
//!
//! - RESYNCING: diffs are kept (bounded) until a snapshot comes that they bridge;
//! - LIVE: every diff followed the one before it;
//! - STALE: quiet beyond the bound; LIVE again once data goes on properly, or a snapshot equals the book.
//!
//! The first diff applied on a snapshot has `U <= lastUpdateId + 1 <= u`, every later one `U == previous u + 1`.
//! Diffs with `u` at or below the book's id are repeats and change nothing; anything else is a gap, which discards the
//! book. (Binance's page says "lastUpdateId within [U, u]", which fails whenever the snapshot falls between two diffs.)

mod following;
pub mod known;
mod types;

pub use types::{BookState, Counters, Diff, Input, Outputs, PricedQuantity, Request, Snapshot, SyncLimits};

use domain::Book;
use domain::Timestamp;
use following::{Buffer, Fault, Following};
use std::time::Duration;

#[derive(Debug)]
enum Phase {
    Resyncing(Buffer),
    Following(Following),
}

/// The state machine of one book.
#[derive(Debug)]
pub struct BookSync {
    limits: SyncLimits,
    phase: Phase,
    requested_at: Option<Duration>,
    confirmed_at: Duration,
    counters: Counters,
}

impl BookSync {
    /// A book that waits for its first snapshot; the first tick asks for it.
    pub fn new(limits: SyncLimits, now: Duration) -> Self {
        Self {
            limits,
            phase: Phase::Resyncing(Buffer::default()),
            requested_at: None,
            confirmed_at: now,
            counters: Counters::default(),
        }
    }

    /// Takes one input at `now`.
    pub fn apply(&mut self, input: Input, now: Duration) -> Outputs {
        match input {
            Input::Diff(diff) => self.diff(diff, now),
            Input::Snapshot(snapshot) => self.snapshot(snapshot, now),
            Input::Opened => {
                self.requested_at = None;
                self.discard(now)
            }
            Input::Damaged => self.discard(now),
            Input::Tick => self.tick(now),
        }
    }

    /// Whether the book can be trusted.
    pub fn state(&self) -> BookState {
        match &self.phase {
            Phase::Resyncing(_) => BookState::Resyncing,
            Phase::Following(following) if following.stale => BookState::Stale,
            Phase::Following(_) => BookState::Live,
        }
    }

    /// The levels, unless they were discarded.
    pub fn book(&self) -> Option<&Book> {
        match &self.phase {
            Phase::Resyncing(_) => None,
            Phase::Following(following) => Some(&following.book),
        }
    }

    /// The venue's id of the last update in the book; zero without a book.
    pub fn update_id(&self) -> i64 {
        match &self.phase {
            Phase::Resyncing(_) => 0,
            Phase::Following(following) => following.last_id,
        }
    }

    /// When the venue sent the last diff that was applied.
    pub fn venue_time(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Following(following) if following.venue_time > Timestamp::EPOCH => Some(following.venue_time),
            _ => None,
        }
    }

    /// Whether a side that goes on beyond its snapshot has few known levels left.
    pub fn is_thin(&self) -> bool {
        self.book()
            .is_some_and(|book| known::is_thin(book, self.limits.known_levels))
    }

    /// How long ago the venue last confirmed the book.
    pub fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.confirmed_at)
    }

    /// What happened since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn diff(&mut self, diff: Diff, now: Duration) -> Outputs {
        let limits = self.limits;
        let following = match &mut self.phase {
            Phase::Resyncing(buffer) => {
                buffer.push(diff, limits.buffered_diffs);
                return self.ask_once(now);
            }
            Phase::Following(following) => following,
        };
        if diff.last_id <= following.last_id {
            if diff.last_id <= following.base_id {
                self.counters.stale += 1;
            } else {
                self.counters.repeated += 1;
            }
            return Outputs::default();
        }
        match following.advance(&diff) {
            Ok(()) => {
                self.counters.applied += 1;
                self.confirmed_at = now;
                following.stale = false;
                following.behind_since = None;
                if let Some(renewal) = &mut following.renewal {
                    renewal.push(diff, limits.buffered_diffs);
                }
                Outputs {
                    publish: true,
                    request: None,
                }
            }
            Err(fault) => {
                self.count(&fault);
                // After a gap this diff may still follow the next snapshot; a damaged book's may not be kept.
                let keep = matches!(fault, Fault::Gap);
                let outputs = self.discard(now);
                if let (true, Phase::Resyncing(buffer)) = (keep, &mut self.phase) {
                    buffer.push(diff, limits.buffered_diffs);
                }
                outputs
            }
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot, now: Duration) -> Outputs {
        self.requested_at = None;
        match &mut self.phase {
            Phase::Resyncing(buffer) => {
                let buffer = std::mem::take(buffer);
                self.rebuild(&snapshot, buffer, now)
            }
            Phase::Following(following) if snapshot.last_id > following.last_id => self.rebase_ahead(&snapshot, now),
            Phase::Following(following) if snapshot.last_id == following.last_id => self.confirm(&snapshot, now),
            Phase::Following(following) => match following.renewal.take() {
                Some(renewal) => self.renew(&snapshot, renewal, now),
                None => Outputs::default(),
            },
        }
    }

    /// The snapshot has the book's own id: its levels are the truth about ours.
    fn confirm(&mut self, snapshot: &Snapshot, now: Duration) -> Outputs {
        let Phase::Following(following) = &mut self.phase else {
            return Outputs::default();
        };
        let shown = known::book_of(snapshot);
        if !known::agree(&following.book, &shown) {
            self.counters.mismatches += 1;
            self.discard(now);
            return self.rebuild(snapshot, Buffer::default(), now);
        }
        if known::reaches_as_far(&shown, &following.book) {
            following.book = known::united(shown, &following.book);
        }
        // While the stream is behind, agreeing with a snapshot taken over from the venue proves nothing about it.
        following.stale &= following.behind_since.is_some();
        following.renewal = None;
        self.confirmed_at = now;
        Outputs {
            publish: true,
            request: None,
        }
    }

    /// The venue is further than the stream has come: take its word, but a stale book waits for data to be LIVE.
    fn rebase_ahead(&mut self, snapshot: &Snapshot, now: Duration) -> Outputs {
        let Phase::Following(following) = &mut self.phase else {
            return Outputs::default();
        };
        let stale = following.stale;
        let behind_since = following.behind_since;
        let venue_time = following.venue_time;
        let outputs = self.rebuild(snapshot, Buffer::default(), now);
        if let Phase::Following(following) = &mut self.phase {
            following.venue_time = venue_time;
            following.stale = stale;
            following.behind_since = if stale { behind_since.or(Some(now)) } else { None };
        }
        outputs
    }

    /// The snapshot is older than the book: it replaces it when the diffs since lead to the same update.
    fn renew(&mut self, snapshot: &Snapshot, renewal: Buffer, now: Duration) -> Outputs {
        let Phase::Following(following) = &mut self.phase else {
            return Outputs::default();
        };
        match Following::bridge(snapshot, &renewal, &mut Counters::default()) {
            Ok(renewed) if renewed.last_id == following.last_id => {
                *following = Following {
                    stale: following.stale,
                    venue_time: following.venue_time,
                    ..renewed
                };
                self.counters.snapshots += 1;
                Outputs {
                    publish: true,
                    request: None,
                }
            }
            _ => {
                following.renewal = Some(renewal);
                self.ask_once(now)
            }
        }
    }

    fn rebuild(&mut self, snapshot: &Snapshot, buffer: Buffer, now: Duration) -> Outputs {
        match Following::bridge(snapshot, &buffer, &mut self.counters) {
            Ok(following) => {
                self.counters.snapshots += 1;
                self.confirmed_at = now;
                self.phase = Phase::Following(following);
                Outputs {
                    publish: true,
                    request: None,
                }
            }
            Err(fault) => {
                // A snapshot older than the first kept diff is no damage: the next one will be newer.
                let keep = matches!(fault, Fault::Gap);
                self.count_unless_gap(&fault);
                self.phase = Phase::Resyncing(if keep { buffer } else { Buffer::default() });
                self.ask_once(now)
            }
        }
    }

    fn tick(&mut self, now: Duration) -> Outputs {
        let limits = self.limits;
        let quiet = self.age(now) >= limits.quiet;
        let Phase::Following(following) = &mut self.phase else {
            return self.ask_once(now);
        };
        let dead = following
            .behind_since
            .is_some_and(|since| now.saturating_sub(since) >= limits.quiet);
        if dead {
            following.behind_since = Some(now);
            return Outputs {
                publish: false,
                request: Some(Request::Reconnect),
            };
        }
        if following.behind_since.is_some() {
            return Outputs::default();
        }
        let publish = quiet && !following.stale;
        following.stale |= quiet;
        let thin = known::is_thin(&following.book, limits.known_levels);
        if !(following.stale || thin || following.renewal.is_some()) {
            return Outputs::default();
        }
        following.renewal.get_or_insert_default();
        Outputs {
            publish,
            ..self.ask_once(now)
        }
    }

    fn discard(&mut self, now: Duration) -> Outputs {
        let was_followed = matches!(self.phase, Phase::Following(_));
        self.phase = Phase::Resyncing(Buffer::default());
        Outputs {
            publish: was_followed,
            ..self.ask_once(now)
        }
    }

    /// Asks for a snapshot, unless one is on its way and not overdue.
    fn ask_once(&mut self, now: Duration) -> Outputs {
        let waiting = self
            .requested_at
            .is_some_and(|asked| now.saturating_sub(asked) < self.limits.snapshot_retry);
        if waiting {
            return Outputs::default();
        }
        self.requested_at = Some(now);
        Outputs {
            publish: false,
            request: Some(Request::Snapshot),
        }
    }

    fn count(&mut self, fault: &Fault) {
        match fault {
            Fault::Gap => self.counters.gaps += 1,
            Fault::Crossed => self.counters.crossed += 1,
            Fault::Exhausted => self.counters.exhausted += 1,
        }
    }

    fn count_unless_gap(&mut self, fault: &Fault) {
        if !matches!(fault, Fault::Gap) {
            self.count(fault);
        }
    }
}

#[cfg(test)]
mod tests;
