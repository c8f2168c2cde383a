//! A segment: a file of batches, named after its first sequence.
//!
//! ```text
//! magic     8  "TMJSEG01"
//! id       16  of the journal
//! first     8  sequence of the first record
//! previous 16  chain value of the batch before
//! crc       4  CRC-32C of all the bytes above
//! batches   …
//! ```

use std::path::{Path, PathBuf};

use super::batch::Chain;
use super::disk::{Disk, DiskFile};
use super::failure::{Explain, damaged};
use crate::error::Result;

pub(super) const HEADER: u64 = 52;
const MAGIC: [u8; 8] = *b"TMJSEG01";
const SUFFIX: &str = ".segment";
/// What is not finished has this suffix, and is removed at the next opening.
pub(super) const UNFINISHED: &str = ".tmp";

pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}{SUFFIX}"))
}

/// The first sequence in a segment's name.
pub(super) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    if digits.len() != 20 {
        return None;
    }
    digits.parse().ok()
}

/// Makes a segment, durable with its name. It appears whole or not at all.
pub(super) fn create(
    disk: &dyn Disk,
    folder: &Path,
    id: [u8; 16],
    first: u64,
    previous: Chain,
) -> Result<Box<dyn DiskFile>> {
    let mut header = Vec::with_capacity(HEADER as usize);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&id);
    header.extend_from_slice(&first.to_le_bytes());
    header.extend_from_slice(&previous);
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    let path = path(folder, first);
    write_whole(disk, folder, &path, &header)?;
    disk.open(&path).explain("open", &path)
}

/// Checks a segment's header against what must be in it.
pub(super) fn check_header(path: &Path, bytes: &[u8], id: [u8; 16], first: u64, previous: Chain) -> Result<()> {
    let Some(header) = bytes.get(..HEADER as usize) else {
        return Err(damaged(path, 0, "the file ends within its header"));
    };
    let (body, crc) = header.split_at(HEADER as usize - 4);
    if body[..8] != MAGIC || crc32c::crc32c(body).to_le_bytes() != *crc {
        return Err(damaged(path, 0, "the checksum of the segment header is wrong"));
    }
    if body[8..24] != id {
        return Err(damaged(path, 0, "the segment belongs to another journal"));
    }
    if body[24..32] != first.to_le_bytes() {
        return Err(damaged(path, 0, "the segment begins with another sequence"));
    }
    if body[32..48] != previous {
        return Err(damaged(path, 0, "the segment does not follow the one before"));
    }
    Ok(())
}

/// Replaces a file as a whole: written beside, synced, renamed, and the name synced.
pub(super) fn write_whole(disk: &dyn Disk, folder: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    let file = disk.create(&unfinished).explain("create", &unfinished)?;
    file.write_at(bytes, 0).explain("write", &unfinished)?;
    file.sync().explain("sync", &unfinished)?;
    disk.rename(&unfinished, path).explain("rename to", path)?;
    disk.sync_folder(folder).explain("sync", folder)
}

/// The whole content of a file.
pub(super) fn read_whole(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>> {
    let file = disk.open(path).explain("open", path)?;
    let size = file.size().explain("read", path)?;
    let mut bytes = vec![0; size as usize];
    file.read_at(&mut bytes, 0).explain("read", path)?;
    Ok(bytes)
}
