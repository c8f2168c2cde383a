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

use std::io;
use std::path::{Path, PathBuf};

use super::batch::{self, Chain};
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

/// Makes a segment with `room` set aside in it, durable with its name. It appears whole or not at all. Answers up to where
/// it owns its room.
pub(super) fn create(
    disk: &dyn Disk,
    folder: &Path,
    id: [u8; 16],
    first: u64,
    previous: Chain,
    room: u64,
) -> io::Result<(Box<dyn DiskFile>, u64)> {
    let mut header = Vec::with_capacity(HEADER as usize);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&id);
    header.extend_from_slice(&first.to_le_bytes());
    header.extend_from_slice(&previous);
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    let path = path(folder, first);
    let mut allocated = HEADER;
    write_whole(disk, folder, &path, |file| {
        if room > 0 {
            allocated = set_aside(file, 0, HEADER + room)?;
        }
        file.write_at(&header, 0)?;
        file.sync()
    })?;
    Ok((disk.open(&path)?, allocated))
}

/// Sets room aside and answers up to where it reaches: without end where the file system sets nothing aside, since there
/// is no use in asking again.
pub(super) fn set_aside(file: &dyn DiskFile, from: u64, end: u64) -> io::Result<u64> {
    match file.allocate(from, end) {
        Ok(()) => Ok(end),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            tracing::warn!("the file system sets no room aside: a full disk will end this journal");
            Ok(u64::MAX)
        }
        Err(error) => Err(error),
    }
}

/// The header of a segment, as it stands in the file.
pub(super) fn read_header(disk: &dyn Disk, path: &Path) -> Result<(Vec<u8>, u64)> {
    let file = disk.open(path).explain("open", path)?;
    let size = file.size().explain("read", path)?;
    let mut bytes = vec![0; size.min(HEADER) as usize];
    file.read_at(&mut bytes, 0).explain("read", path)?;
    Ok((bytes, size))
}

/// Checks a segment's header against what must be in it.
///
/// Answers the chain value that it follows; with `previous` given, it has to be that one.
pub(super) fn check_header(
    path: &Path,
    bytes: &[u8],
    id: [u8; 16],
    first: u64,
    previous: Option<Chain>,
) -> Result<Chain> {
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
    let mut follows = batch::GENESIS;
    follows.copy_from_slice(&body[32..48]);
    if previous.is_some_and(|previous| previous != follows) {
        return Err(damaged(path, 0, "the segment does not follow the one before"));
    }
    Ok(follows)
}

/// Replaces a file as a whole: written beside by `write`, which syncs it, then renamed, and the name synced. Leaves nothing
/// behind when there is no room.
pub(super) fn write_whole(
    disk: &dyn Disk,
    folder: &Path,
    path: &Path,
    write: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    let renamed = disk
        .create(&unfinished)
        .and_then(|file| write(&*file))
        .and_then(|()| disk.rename(&unfinished, path));
    if let Err(error) = renamed {
        // What is left is removed at the next opening; here it would only keep room that others need.
        let _ = disk.remove(&unfinished);
        return Err(error);
    }
    disk.sync_folder(folder)
}

/// The whole content of a file.
pub(super) fn read_whole(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>> {
    let file = disk.open(path).explain("open", path)?;
    let size = file.size().explain("read", path)?;
    let mut bytes = vec![0; size as usize];
    file.read_at(&mut bytes, 0).explain("read", path)?;
    Ok(bytes)
}
