//! A book that follows its stream, and the diffs kept for the next one.

use super::known;
use super::types::{Counters, Diff, Snapshot};
use domain::Book;
use domain::{Side, Timestamp};
use std::collections::VecDeque;
use std::time::Duration;

/// Diffs without a hole that wait for a snapshot.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    diffs: VecDeque<Diff>,
}

impl Buffer {
    /// Keeps `diff`. A hole makes what came before it useless, as does an overflow.
    pub(super) fn push(&mut self, diff: Diff, bound: usize) {
        if let Some(last) = self.diffs.back() {
            if diff.last_id <= last.last_id {
                return;
            }
            if diff.first_id != last.last_id + 1 || self.diffs.len() >= bound {
                self.diffs.clear();
            }
        }
        self.diffs.push_back(diff);
    }
}

#[derive(Debug)]
pub(super) struct Following {
    pub(super) book: Book,
    pub(super) last_id: i64,
    /// The id of the snapshot below the book.
    pub(super) base_id: i64,
    /// No diff was applied on the snapshot yet: the next one bridges.
    pub(super) fresh: bool,
    pub(super) venue_time: Timestamp,
    /// Quiet beyond the bound.
    pub(super) stale: bool,
    /// A snapshot showed updates that the stream did not bring.
    pub(super) behind_since: Option<Duration>,
    /// Diffs since a snapshot was asked for, so that it can replace the book without a pause.
    pub(super) renewal: Option<Buffer>,
}

/// Why a diff cannot be applied.
pub(super) enum Fault {
    Gap,
    Crossed,
    Exhausted,
}

impl Following {
    /// A book from a snapshot and the diffs kept since.
    pub(super) fn bridge(snapshot: &Snapshot, buffer: &Buffer, counters: &mut Counters) -> Result<Self, Fault> {
        let mut following = Following {
            last_id: snapshot.last_id,
            base_id: snapshot.last_id,
            fresh: true,
            venue_time: Timestamp::EPOCH,
            stale: false,
            behind_since: None,
            renewal: None,
            book: known::book_of(snapshot),
        };
        following.check()?;
        let (mut stale, mut applied) = (0, 0);
        for diff in &buffer.diffs {
            if diff.last_id <= following.last_id {
                stale += 1;
                continue;
            }
            following.advance(diff)?;
            applied += 1;
        }
        counters.stale += stale;
        counters.applied += applied;
        Ok(following)
    }

    /// Applies a diff that is newer than the book.
    pub(super) fn advance(&mut self, diff: &Diff) -> Result<(), Fault> {
        let next = self.last_id + 1;
        let follows = if self.fresh {
            diff.first_id <= next
        } else {
            diff.first_id == next
        };
        if !follows {
            return Err(Fault::Gap);
        }
        for &(price, quantity) in &diff.bids {
            self.book.apply_level(Side::Buy, price, quantity);
        }
        for &(price, quantity) in &diff.asks {
            self.book.apply_level(Side::Sell, price, quantity);
        }
        self.last_id = diff.last_id;
        self.venue_time = diff.venue_time;
        self.fresh = false;
        self.check()
    }

    fn check(&self) -> Result<(), Fault> {
        if self.book.is_crossed() {
            return Err(Fault::Crossed);
        }
        if known::is_exhausted(&self.book) {
            return Err(Fault::Exhausted);
        }
        Ok(())
    }
}
