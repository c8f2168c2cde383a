//! From a journal back to what its records add up to.

use super::{JournalReader, Snapshot, Snapshots};
use crate::error::{Error, Result};

/// Records read at once.
const CHUNK: usize = 4_096;

/// What the records of a journal add up to: a state that changes by one record after the other, and by nothing else.
pub trait Fold: Clone + Send + Sync + 'static {
    /// The sequence of the last record applied; 0 before the first.
    fn sequence(&self) -> u64;

    /// Applies the record that follows.
    ///
    /// # Errors
    /// It cannot be read, or cannot follow what came before. It is durable, so nothing can go on.
    fn apply(&mut self, sequence: u64, record: &[u8]) -> Result<()>;

    /// It as the bytes of a snapshot.
    ///
    /// # Errors
    /// It has a part without a form in the encoding.
    fn encode(&self) -> Result<Vec<u8>>;

    /// What [`Fold::encode`] has written, read by an empty one of the same kind.
    ///
    /// # Errors
    /// The bytes are not exactly what this version would have written of one of this kind.
    fn decode(&self, snapshot: &[u8]) -> Result<Self>;

    /// Is told what became of writing a snapshot of it, for whoever counts and logs.
    fn snapshot_written(&self, outcome: &Result<()>);
}

/// What the newest snapshot that can be used holds, or `empty`. Reads files: call it where blocking is allowed.
///
/// # Errors
/// The journal's, when snapshots cannot be looked for.
pub fn from_snapshot<F: Fold>(snapshots: Option<&dyn Snapshots>, empty: F) -> Result<F> {
    let mut at_most = u64::MAX;
    while let Some(found) = snapshots.map(|all| all.newest(at_most)).transpose()?.flatten() {
        if let Some(state) = usable(&found, &empty) {
            return Ok(state);
        }
        at_most = found.sequence.saturating_sub(1);
    }
    Ok(empty)
}

/// What a snapshot holds, when it can be used.
pub(super) fn usable<F: Fold>(found: &Snapshot, empty: &F) -> Option<F> {
    match empty.decode(&found.state) {
        Ok(state) if state.sequence() == found.sequence => return Some(state),
        Ok(state) => tracing::warn!(
            sequence = found.sequence,
            inside = state.sequence(),
            "snapshot of another record"
        ),
        Err(error) => tracing::warn!(sequence = found.sequence, %error, "an older snapshot, or the records"),
    }
    None
}

/// Applies every durable record that follows. Reads files: call it where blocking is allowed.
///
/// # Errors
/// As [`replay_until`].
pub fn replay<F: Fold>(state: &mut F, reader: &dyn JournalReader) -> Result<()> {
    let last = *reader.durable().borrow();
    replay_until(state, reader, last)
}

/// Applies the records that follow, up to `last`. Reads files: call it where blocking is allowed.
///
/// # Errors
/// Those of the journal and of [`Fold::apply`]; `INTERNAL / JOURNAL_INCONSISTENT` when the records end before `last`.
pub fn replay_until<F: Fold>(state: &mut F, reader: &dyn JournalReader, last: u64) -> Result<()> {
    while state.sequence() < last {
        let records = chunk(reader, state.sequence(), last, CHUNK)?;
        apply_all(state, records)?;
    }
    Ok(())
}

/// The first records, `most` at most, of those after `from` up to `last`.
pub(super) fn chunk(reader: &dyn JournalReader, from: u64, last: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>> {
    let wanted = most.min(usize::try_from(last - from).unwrap_or(most));
    let records = reader.read(from + 1, wanted)?;
    if records.is_empty() {
        let message = format!("the journal ends at {from} and says that it ends at {last}");
        return Err(Error::internal("JOURNAL_INCONSISTENT", message));
    }
    Ok(records)
}

/// Applies these records, one after the other.
pub(super) fn apply_all<F: Fold>(state: &mut F, records: Vec<(u64, Vec<u8>)>) -> Result<()> {
    records
        .into_iter()
        .try_for_each(|(sequence, record)| state.apply(sequence, &record))
}
