//! From a journal back to the state, and the snapshots that shorten the way.

use crate::core::State;
use crate::{codec, metrics, snapshot};
use mesh::journal::Fold;
use mesh::{Error, Result};

pub(crate) use mesh::journal::{from_snapshot, replay};

/// Takes the snapshots of one shard.
pub(crate) type Snapshotter = mesh::journal::Snapshotter<State>;

impl Fold for State {
    fn sequence(&self) -> u64 {
        State::sequence(self)
    }

    /// # Errors
    /// `INTERNAL / JOURNAL_RECORD` or `INTERNAL / JOURNAL_INCONSISTENT`, naming the sequence.
    fn apply(&mut self, sequence: u64, record: &[u8]) -> Result<()> {
        let record = codec::decode(record).map_err(|error| error.with("sequence", sequence))?;
        State::apply(self, sequence, record.time, &record.event).map_err(|error| {
            Error::internal("JOURNAL_INCONSISTENT", format!("record {sequence}: {error}")).with("sequence", sequence)
        })
    }

    fn encode(&self) -> Result<Vec<u8>> {
        snapshot::encode(self)
    }

    fn decode(&self, bytes: &[u8]) -> Result<State> {
        snapshot::decode(bytes, self.shard(), self.kept())
    }

    fn snapshot_written(&self, outcome: &Result<()>) {
        let (shard, sequence) = (self.shard(), State::sequence(self));
        match outcome {
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
}
