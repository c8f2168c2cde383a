//! Snapshots while the shard works: taken by a task of their own, which restarts from the last one as a new process would.
//!
//! The shard gives nothing for it, neither a copy of its state nor time between two batches. The task holds a state only
//! while it works: the last snapshot, and the records since.

use super::replay::{from_snapshot, replay_until};
use crate::core::State;
use crate::{metrics, snapshot};
use mesh::journal::{JournalReader, Snapshots};
use mesh::{Error, Result};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Takes the snapshots of one shard.
pub(crate) struct Snapshotter {
    pub(crate) reader: Arc<dyn JournalReader>,
    pub(crate) snapshots: Arc<dyn Snapshots>,
    /// A state of nothing, of this shard and its bounds.
    pub(crate) empty: State,
    /// Records between two snapshots.
    pub(crate) every: u64,
}

impl Snapshotter {
    /// Takes a snapshot after every so many records, until told to stop.
    ///
    /// # Errors
    /// The journal's when it cannot be read: it is damaged, and the process must end.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<()> {
        let this = Arc::new(self);
        let mut durable = this.reader.durable();
        let mut last = this.snapshots.newest(u64::MAX)?.map_or(0, |newest| newest.sequence);
        loop {
            let due = last + this.every;
            tokio::select! {
                biased;
                reached = durable.wait_for(|sequence| *sequence >= due) => if reached.is_err() { return Ok(()) },
                () = stop.cancelled() => return Ok(()),
            }
            let (taker, stop) = (Arc::clone(&this), stop.clone());
            last = aside(this.snapshots.blocks(), move || taker.take(&stop)).await?;
        }
    }

    /// Takes one at the end of what is durable, and answers where that is.
    pub(super) fn take(&self, stop: &CancellationToken) -> Result<u64> {
        let last = *self.reader.durable().borrow();
        let mut state = from_snapshot(Some(&*self.snapshots), self.empty.clone())?;
        replay_until(&mut state, &*self.reader, last, || stop.is_cancelled())?;
        if !stop.is_cancelled() {
            write(&*self.snapshots, &state);
        }
        Ok(last)
    }
}

/// Runs what may block outside the async threads, and what does not in its place.
pub(super) async fn aside<T: Send + 'static>(
    blocks: bool,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if !blocks {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal("TASK_FAILED", error.to_string()))?
}

/// Writes a snapshot. Without it the next start reads more, and nothing else is lost.
pub(super) fn write(snapshots: &dyn Snapshots, state: &State) {
    let (shard, sequence) = (state.shard(), state.sequence());
    match snapshot::encode(state).and_then(|bytes| snapshots.write(sequence, &bytes)) {
        Ok(()) => {
            metrics::snapshot();
            tracing::info!(shard, sequence, "snapshot taken");
        }
        Err(error) => {
            metrics::alert("SNAPSHOT_FAILED");
            tracing::error!(shard, sequence, %error, "a snapshot could not be taken");
        }
    }
}
