//! Snapshots beside the work: taken by a task of their own, which restarts from the last one as a new process would.
//!
//! The owner of the journal gives nothing for it, neither a copy of its state nor time between two batches. The task holds a
//! state only while it works: the last snapshot, and the records since.
//!
//! What computes (decoding, applying, encoding) runs on a thread that gets what others leave of the processors. What
//! reads and writes files does not: there the journal's locks are held, and the file system's, and an append waits for
//! whoever holds one, interrupted or not. It costs little.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::aside::{Place, aside};
use super::fold::{Fold, apply_all, chunk, usable};
use super::{JournalReader, Snapshots};
use crate::error::Result;

/// Records read at once: the newest are in memory, behind a lock that an append waits for.
const CHUNK: usize = 1_024;

/// Takes the snapshots of one journal.
pub struct Snapshotter<F> {
    /// The journal's reading end.
    pub reader: Arc<dyn JournalReader>,
    /// Where snapshots are kept.
    pub snapshots: Arc<dyn Snapshots>,
    /// What no record has been applied to.
    pub empty: F,
    /// Records between two snapshots.
    pub every: u64,
}

/// Which part of the processors the taking of a snapshot gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// What others leave.
    Rest,
    /// As much as anybody.
    Equal,
}

impl Share {
    /// For the next one: when it is due already as the last one ends, the rest is too little. A start would read ever more.
    pub(super) fn next(last: u64, every: u64, durable: u64) -> Share {
        match durable < last + every {
            true => Share::Rest,
            false => Share::Equal,
        }
    }
}

impl<F: Fold> Snapshotter<F> {
    /// Takes a snapshot after every so many records, until told to stop: then at once, with whatever is half done.
    ///
    /// # Errors
    /// The journal's when it cannot be read, and those of [`Fold::apply`]: it is damaged, and the process must end.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let mut durable = self.reader.durable();
        let snapshots = Arc::clone(&self.snapshots);
        let newest = self.files(move || snapshots.newest(u64::MAX)).await?;
        let mut last = newest.map_or(0, |newest| newest.sequence);
        let mut share = Share::Rest;
        loop {
            let due = last + self.every;
            tokio::select! {
                biased;
                reached = durable.wait_for(|sequence| *sequence >= due) => if reached.is_err() { return Ok(()) },
                () = stop.cancelled() => return Ok(()),
            }
            last = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                taken = self.take_with(share) => taken?,
            };
            share = Share::next(last, self.every, *durable.borrow());
        }
    }

    /// Takes one at the end of what is durable, and answers where that is.
    ///
    /// # Errors
    /// As [`Snapshotter::run`]. That it cannot be written is told to [`Fold::snapshot_written`].
    pub async fn take(&self) -> Result<u64> {
        self.take_with(Share::Rest).await
    }

    pub(super) async fn take_with(&self, share: Share) -> Result<u64> {
        let last = *self.reader.durable().borrow();
        let place = match share {
            _ if !self.snapshots.blocks() => Place::Here,
            Share::Rest => Place::behind()?,
            Share::Equal => Place::Among,
        };
        let mut state = self.last_snapshot(&place).await?;
        while state.sequence() < last {
            let (reader, from) = (Arc::clone(&self.reader), state.sequence());
            let records = self.files(move || chunk(&*reader, from, last, CHUNK)).await?;
            let applied = move || apply_all(&mut state, records).map(|()| state);
            state = place.compute(applied).await??;
        }
        self.write(&place, state).await?;
        Ok(last)
    }

    /// As [`super::from_snapshot`].
    async fn last_snapshot(&self, place: &Place) -> Result<F> {
        let mut at_most = u64::MAX;
        loop {
            let snapshots = Arc::clone(&self.snapshots);
            let Some(found) = self.files(move || snapshots.newest(at_most)).await? else {
                return Ok(self.empty.clone());
            };
            at_most = found.sequence.saturating_sub(1);
            let empty = self.empty.clone();
            if let Some(state) = place.compute(move || usable(&found, &empty)).await? {
                return Ok(state);
            }
        }
    }

    /// As [`write_snapshot`].
    async fn write(&self, place: &Place, state: F) -> Result<()> {
        let encode = move || {
            let encoded = state.encode();
            (state, encoded)
        };
        let (state, encoded) = place.compute(encode).await?;
        let (snapshots, sequence) = (Arc::clone(&self.snapshots), state.sequence());
        let write = move || Ok(encoded.and_then(|bytes| snapshots.write(sequence, &bytes)));
        let outcome = self.files(write).await?;
        // The state ends there: that takes time as well.
        place.compute(move || state.snapshot_written(&outcome)).await
    }

    async fn files<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        aside(self.snapshots.blocks(), work).await
    }
}

/// Writes a snapshot. Without it the next start reads more, and nothing else is lost. Writes files: call it where blocking is
/// allowed.
pub fn write_snapshot<F: Fold>(snapshots: &dyn Snapshots, state: &F) {
    let encoded = state.encode();
    let outcome = encoded.and_then(|bytes| snapshots.write(state.sequence(), &bytes));
    state.snapshot_written(&outcome);
}
