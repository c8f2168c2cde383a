//! From a journal back to the state.

use crate::codec;
use crate::core::State;
use mesh::journal::JournalReader;
use mesh::{Error, Result};

/// Records read at once.
const CHUNK: usize = 4_096;

/// Applies every durable record to the state.
///
/// # Errors
/// `INTERNAL / JOURNAL_RECORD` or `INTERNAL / JOURNAL_INCONSISTENT`, naming the sequence.
pub(crate) fn replay(state: &mut State, reader: &dyn JournalReader) -> Result<()> {
    let last = *reader.durable().borrow();
    while state.sequence() < last {
        let records = reader.read(state.sequence() + 1, CHUNK)?;
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
