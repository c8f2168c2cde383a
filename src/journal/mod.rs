//! A journal of decisions: records in one dense sequence, durable before anybody is told.
//!
//! A journal is a trait of few verbs, so that one machine keeps it in files ([`FileJournal`]) and a cluster elsewhere.
//! It has one writer, fenced by its epoch: opening a journal takes its lock and begins a new epoch. Group commit belongs
//! to the caller: one [`Journal::append`] is one batch, one write and one sync.

mod aside;
mod batch;
mod disk;
mod failure;
mod file;
mod fold;
mod history;
mod meta;
mod reader;
mod recovery;
mod segment;
mod snapshot;
mod snapshotter;
mod tail;
#[doc(hidden)]
pub mod testing;
mod writer;

pub use aside::aside;
pub use disk::{Disk, DiskFile, FileSign, RealDisk};
pub use failure::DISK_FULL;
pub use file::{FileJournal, FileJournalOptions};
pub use fold::{Fold, from_snapshot, replay, replay_until};
pub use history::History;
pub use recovery::Recovery;
pub use snapshotter::{Snapshotter, write_snapshot};

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::error::Result;

/// What [`Journal::verify`] read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// The last sequence, or 0 when nothing was ever written.
    pub last_sequence: u64,
    /// Batches whose checksum and chain agree: all of them.
    pub batches: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// The writing end of a journal: one owner, records in order.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends the records as one batch and returns the sequence of the first; durable on return.
    ///
    /// # Errors
    /// `INTERNAL / JOURNAL_POISONED` once a write or a sync has failed: what the disk holds is then unknown, and every
    /// later append fails the same way. The owner ends and recovers by opening the journal again.
    /// `INTERNAL / JOURNAL_SUPERSEDED` when somebody else has opened the journal since: nothing is acknowledged.
    /// `INVALID / JOURNAL_BATCH` for an empty or oversized batch, and `EXHAUSTED / DISK_FULL` when even the reserve is used
    /// up: nothing of it is written.
    async fn append(&mut self, records: Vec<Vec<u8>>) -> Result<u64>;

    /// Whether `bytes` of ordinary records may be appended next. Asks the disk for room, and keeps the reserve out of it:
    /// that is for what must be written even when the disk is full. Whoever appends ordinary records asks first, before
    /// anything is decided.
    ///
    /// # Errors
    /// As [`Journal::append`], when the disk fails otherwise.
    async fn has_room(&mut self, _bytes: u64) -> Result<bool> {
        Ok(true)
    }

    /// Random, made with the journal; it never changes.
    fn id(&self) -> [u8; 16];

    /// The writer's epoch: each opening has a greater one.
    fn epoch(&self) -> u64;

    /// The sequence of the next record, from 1.
    fn next_sequence(&self) -> u64;

    /// The reading end: durable records only.
    fn reader(&self) -> Arc<dyn JournalReader>;

    /// Where snapshots are kept; none where it keeps none.
    fn snapshots(&self) -> Option<Arc<dyn Snapshots>> {
        None
    }

    /// Reads everything and checks every checksum and the chain.
    async fn verify(&self) -> Result<Verified>;
}

/// What the records up to a sequence add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The sequence of the last record in it.
    pub sequence: u64,
    /// The state, in the owner's own encoding.
    pub state: Vec<u8>,
}

/// The snapshots of a journal. They save reading, and nothing depends on them: the records stay. Both verbs read or write
/// files: call them where blocking is allowed.
pub trait Snapshots: Send + Sync {
    /// Keeps `state` as what the records up to and including `sequence` add up to. The last two snapshots are kept.
    ///
    /// # Errors
    /// `INVALID / JOURNAL_SEQUENCE` where no durable batch ends; `INTERNAL / JOURNAL_SUPERSEDED`; `EXHAUSTED / DISK_FULL`; `INTERNAL / JOURNAL_IO`. The
    /// journal itself is none the worse.
    fn write(&self, sequence: u64, state: &[u8]) -> Result<()>;

    /// The newest snapshot, at or before a sequence, that is intact and of this journal's history.
    fn newest(&self, at_most: u64) -> Result<Option<Snapshot>>;

    /// Whether a call may take long, so that it is made outside the async threads: see [`Disk::blocks`].
    fn blocks(&self) -> bool {
        true
    }
}

/// The reading end of a journal: durable records only, from any number of tasks.
pub trait JournalReader: Send + Sync {
    /// Up to `max` records from sequence `from` on, in order; none when `from` is beyond the last durable one.
    ///
    /// Reads files when the records are no longer in memory: call it where blocking is allowed, or through
    /// [`crate::events::JournalSource`].
    ///
    /// # Errors
    /// `INVALID / JOURNAL_SEQUENCE` for sequence 0; `INTERNAL / JOURNAL_DAMAGED` naming file and offset.
    fn read(&self, from: u64, max: usize) -> Result<Vec<(u64, Vec<u8>)>>;

    /// Follows the last durable sequence; 0 before the first record.
    fn durable(&self) -> watch::Receiver<u64>;
}

#[cfg(test)]
mod tests;
