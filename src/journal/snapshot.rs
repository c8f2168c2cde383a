//! Snapshots beside the segments: `magic 8 "TMJSNP01" · id 16 · sequence 8 · CRC-32C 4 of id, sequence and state · state`.

use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::failure::Explain;
use super::segment::{read_whole, write_whole};
use crate::error::Result;

const MAGIC: [u8; 8] = *b"TMJSNP01";
const SUFFIX: &str = ".snapshot";
const HEADER: usize = 36;
/// The newest, and the one before in case the newest is damaged.
const KEPT: usize = 2;

fn path(folder: &Path, sequence: u64) -> PathBuf {
    folder.join(format!("{sequence:020}{SUFFIX}"))
}

fn parse_name(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

/// The sequences of the snapshots, oldest first.
fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<u64>> {
    let names = disk.list(folder).explain("list", folder)?;
    Ok(names.iter().filter_map(|name| parse_name(name)).collect())
}

pub(super) fn write(disk: &dyn Disk, folder: &Path, id: [u8; 16], sequence: u64, state: &[u8]) -> Result<()> {
    let mut bytes = Vec::with_capacity(HEADER + state.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&id);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[8..]), state);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(state);
    write_whole(disk, folder, &path(folder, sequence), &bytes)?;
    let sequences = list(disk, folder)?;
    for old in &sequences[..sequences.len().saturating_sub(KEPT)] {
        let path = path(folder, *old);
        disk.remove(&path).explain("remove", &path)?;
    }
    Ok(())
}

/// The newest intact snapshot of this journal at or below `last`.
pub(super) fn latest(disk: &dyn Disk, folder: &Path, id: [u8; 16], last: u64) -> Result<Option<(u64, Vec<u8>)>> {
    for sequence in list(disk, folder)?.into_iter().rev() {
        let path = path(folder, sequence);
        let bytes = read_whole(disk, &path)?;
        match state(&bytes, id, sequence) {
            Some(state) if sequence <= last => return Ok(Some((sequence, state.to_vec()))),
            Some(_) => tracing::warn!(file = %path.display(), last, "snapshot is ahead of the journal and is not used"),
            None => tracing::warn!(file = %path.display(), "snapshot is damaged and is not used"),
        }
    }
    Ok(None)
}

fn state(bytes: &[u8], id: [u8; 16], sequence: u64) -> Option<&[u8]> {
    let (header, state) = bytes.split_at_checked(HEADER)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[8..32]), state);
    let intact = header[..8] == MAGIC
        && header[8..24] == id
        && header[24..32] == sequence.to_le_bytes()
        && header[32..] == crc.to_le_bytes();
    intact.then_some(state)
}
