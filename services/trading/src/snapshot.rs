//! A shard's state as a snapshot, and back.
//!
//! A snapshot saves reading the journal and is nothing else: the journal keeps every record, and whatever in a snapshot is
//! not exactly what this version would have written sends the start back to the records. So the encoding is the state's own
//! fields by name: a field that came or went, another version or other bounds of what is kept, and it is not used.

use crate::core::{Kept, State};
use mesh::{Error, Result};

/// Raise it when a record means something else to [`State::apply`] than before, or a field something else.
const VERSION: u32 = 1;

/// The state as bytes: the version, 4 bytes little-endian, and JSON.
///
/// # Errors
/// `INTERNAL / SNAPSHOT_ENCODE`: a field that has no form in JSON, which a test would have shown.
pub fn encode(state: &State) -> Result<Vec<u8>> {
    let mut bytes = VERSION.to_le_bytes().to_vec();
    serde_json::to_writer(&mut bytes, state).map_err(|error| Error::internal("SNAPSHOT_ENCODE", error.to_string()))?;
    Ok(bytes)
}

/// The state of a shard that keeps this much of the past.
///
/// # Errors
/// `INTERNAL / SNAPSHOT_UNUSABLE`: of another version, another shard, other bounds, or no state at all.
pub fn decode(bytes: &[u8], shard: u32, kept: Kept) -> Result<State> {
    let unusable = |why: String| Error::internal("SNAPSHOT_UNUSABLE", format!("the snapshot is not used: {why}"));
    let (version, json) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| unusable("it is empty".to_owned()))?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(unusable(format!("it is of version {version}, and this is {VERSION}")));
    }
    let state: State = serde_json::from_slice(json).map_err(|error| unusable(error.to_string()))?;
    if state.shard() != shard {
        return Err(unusable(format!("it is of shard {}", state.shard())));
    }
    if state.kept() != kept {
        return Err(unusable("the bounds of what is kept have changed".to_owned()));
    }
    Ok(state)
}

#[cfg(test)]
mod tests;
