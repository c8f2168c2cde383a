//! A journal of decisions: records in one dense sequence, durable before anybody is told.
//!
//! A journal is a trait of few verbs, so that one machine keeps it in files ([`FileJournal`]) and a cluster elsewhere.
//! It has one writer, fenced by its epoch: opening a journal takes its lock and begins a new epoch. Group commit belongs
//! to the caller: one [`Journal::append`] is one batch, one write and one sync.

mod batch;
mod disk;
mod failure;
mod file;
mod meta;
mod reader;
mod recovery;
mod segment;
mod snapshot;
mod tail;
#[doc(hidden)]
pub mod testing;

pub use disk::{Disk, DiskFile, RealDisk};
pub use file::{FileJournal, FileJournalOptions};
pub use recovery::Recovery;

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
    /// `INVALID / JOURNAL_BATCH` for an empty or oversized batch, of which nothing is written.
    async fn append(&mut self, records: Vec<Vec<u8>>) -> Result<u64>;

    /// Random, made with the journal; it never changes.
    fn id(&self) -> [u8; 16];

    /// The writer's epoch: each opening has a greater one.
    fn epoch(&self) -> u64;

    /// The sequence of the next record, from 1.
    fn next_sequence(&self) -> u64;

    /// The reading end: durable records only.
    fn reader(&self) -> Arc<dyn JournalReader>;

    /// Keeps `state` as what the records up to and including `sequence` add up to. The last two snapshots are kept.
    async fn snapshot(&mut self, sequence: u64, state: Vec<u8>) -> Result<()>;

    /// The newest snapshot that is intact.
    fn latest_snapshot(&self) -> Result<Option<(u64, Vec<u8>)>>;

    /// Reads everything and checks every checksum and the chain.
    async fn verify(&self) -> Result<Verified>;
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
