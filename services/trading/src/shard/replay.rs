//! From a journal back to the state.

use crate::core::State;
use crate::{codec, snapshot};
use mesh::journal::{JournalReader, Snapshots};
use mesh::{Error, Result};

/// Records read at once.
const CHUNK: usize = 4_096;

/// The state of the newest snapshot that can be used, or `empty`.
///
/// # Errors
/// The journal's, when snapshots cannot be looked for.
pub(crate) fn from_snapshot(snapshots: Option<&dyn Snapshots>, empty: State) -> Result<State> {
    let mut at_most = u64::MAX;
    while let Some(found) = snapshots.map(|all| all.newest(at_most)).transpose()?.flatten() {
        match snapshot::decode(&found.state, empty.shard(), empty.kept()) {
            Ok(state) if state.sequence() == found.sequence => return Ok(state),
            Ok(state) => tracing::warn!(
                sequence = found.sequence,
                inside = state.sequence(),
                "snapshot of another record"
            ),
            Err(error) => tracing::warn!(sequence = found.sequence, %error, "an older snapshot, or the records"),
        }
        at_most = found.sequence.saturating_sub(1);
    }
    Ok(empty)
}

/// Applies every durable record to the state.
///
/// # Errors
/// As [`replay_until`].
pub(crate) fn replay(state: &mut State, reader: &dyn JournalReader) -> Result<()> {
    let last = *reader.durable().borrow();
    replay_until(state, reader, last, || false)
}

/// Applies the records up to `last` to the state, unless it is over before.
///
/// # Errors
/// `INTERNAL / JOURNAL_RECORD` or `INTERNAL / JOURNAL_INCONSISTENT`, naming the sequence.
pub(super) fn replay_until(
    state: &mut State,
    reader: &dyn JournalReader,
    last: u64,
    is_over: impl Fn() -> bool,
) -> Result<()> {
    while state.sequence() < last && !is_over() {
        let wanted = CHUNK.min(usize::try_from(last - state.sequence()).unwrap_or(CHUNK));
        let records = reader.read(state.sequence() + 1, wanted)?;
        if records.is_empty() {
            let message = format!(
                "the journal ends at {} and says that it ends at {last}",
                state.sequence()
            );
            return Err(Error::internal("JOURNAL_INCONSISTENT", message));
        }
        for (sequence, bytes) in records {
            let record = codec::decode(&bytes).map_err(|error| error.with("sequence", sequence))?;
            state.apply(sequence, record.time, &record.event).map_err(|error| {
                Error::internal("JOURNAL_INCONSISTENT", format!("record {sequence}: {error}"))
                    .with("sequence", sequence)
            })?;
        }
    }
    Ok(())
}
