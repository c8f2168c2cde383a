//! The ledger as a snapshot, and back.
//!
//! A snapshot saves reading the journal and is nothing else: the journal keeps every record, and whatever in a snapshot is
//! not exactly what this version would have written sends the start back to the records. So the encoding is the ledger's own
//! fields by name: a field that came or went, another version, other symbols or bounds of what is kept, and it is not used.

use crate::core::ledger::Ledger;
use mesh::{Error, Result};

/// Raise it when a record means something else to [`Ledger::fold`] than before, or a field something else. The fields of what
/// is journalled have defaults, so that old records can be read; a snapshot without a new one of them would read as well, and
/// say that the records before it had none: a test reminds whoever adds one.
const VERSION: u32 = 1;

/// A ledger, and how far it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// The sequence of the last record in it; 0 before the first.
    pub sequence: u64,
    /// What the records add up to.
    pub ledger: Ledger,
}

/// The ledger as bytes: version and sequence, 4 and 8 bytes little-endian, and JSON.
///
/// # Errors
/// `INTERNAL / SNAPSHOT_ENCODE`: a field that has no form in JSON, which a test would have shown.
pub fn encode(folded: &Folded) -> Result<Vec<u8>> {
    let mut bytes = VERSION.to_le_bytes().to_vec();
    bytes.extend_from_slice(&folded.sequence.to_le_bytes());
    serde_json::to_writer(&mut bytes, &folded.ledger)
        .map_err(|error| Error::internal("SNAPSHOT_ENCODE", error.to_string()))?;
    Ok(bytes)
}

/// The ledger that bytes hold, when it is over the symbols of `empty` and remembers as much.
///
/// # Errors
/// `INTERNAL / SNAPSHOT_UNUSABLE`: of another version, other symbols, other bounds, or no ledger at all.
pub fn decode(bytes: &[u8], empty: &Ledger) -> Result<Folded> {
    let unusable = |why: String| Error::internal("SNAPSHOT_UNUSABLE", format!("the snapshot is not used: {why}"));
    let parts = bytes.split_first_chunk::<4>();
    let parts = parts.and_then(|(version, rest)| Some((version, rest.split_first_chunk::<8>()?)));
    let (version, (sequence, json)) = parts.ok_or_else(|| unusable("it has no beginning".to_owned()))?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(unusable(format!("it is of version {version}, and this is {VERSION}")));
    }
    let ledger: Ledger = serde_json::from_slice(json).map_err(|error| unusable(error.to_string()))?;
    if !ledger.is_like(empty) {
        return Err(unusable(
            "the symbols, or the bounds of what is kept, have changed".to_owned(),
        ));
    }
    Ok(Folded {
        sequence: u64::from_le_bytes(*sequence),
        ledger,
    })
}

#[cfg(test)]
mod tests;
