//! What a journal is: its random id, the epoch of its last opening, and how far it has certainly come.
//!
//! `magic 8 "TMJMET02" · id 16 · epoch 8 · segment 8 · floor 8 · CRC-32C 4`, replaced as a whole. The first version,
//! `"TMJMET01" · id · epoch · CRC-32C`, is still read.
//!
//! `segment` and `floor` are lower bounds: a journal whose files end before them has lost what was durable once, however
//! intact the rest looks.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::failure::damaged;
use super::segment::{read_whole, write_whole};
use crate::error::{Error, Result};

const MAGIC: [u8; 8] = *b"TMJMET02";
const FIRST_MAGIC: [u8; 8] = *b"TMJMET01";
pub(super) const NAME: &str = "meta";
/// The reason of an error that says: somebody else has opened the journal since.
pub(super) const SUPERSEDED: &str = "JOURNAL_SUPERSEDED";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) id: [u8; 16],
    pub(super) epoch: u64,
    /// The first sequence of the last segment that was made; 0 before the first.
    pub(super) segment: u64,
    /// The last sequence that was durable at the last opening.
    pub(super) floor: u64,
}

impl Meta {
    pub(super) fn read(disk: &dyn Disk, folder: &Path) -> Result<Meta> {
        let path = path(folder);
        let bytes = read_whole(disk, &path)?;
        let numbers = match bytes.get(..8) {
            Some(magic) if magic == MAGIC => 3,
            Some(magic) if magic == FIRST_MAGIC => 1,
            _ => return Err(damaged(&path, 0, "it does not begin as it must")),
        };
        let body = 24 + 8 * numbers;
        if bytes.len() != body + 4 {
            return Err(damaged(&path, 0, "the file has another size"));
        }
        let (body, crc) = bytes.split_at(body);
        if crc32c::crc32c(body).to_le_bytes() != *crc {
            return Err(damaged(&path, 0, "the checksum is wrong"));
        }
        let mut id = [0; 16];
        id.copy_from_slice(&body[8..24]);
        let mut read = body[24..].chunks_exact(8).map(|chunk| {
            let mut number = [0; 8];
            number.copy_from_slice(chunk);
            u64::from_le_bytes(number)
        });
        let mut next = || read.next().unwrap_or_default();
        Ok(Meta {
            id,
            epoch: next(),
            segment: next(),
            floor: next(),
        })
    }

    /// Refuses a writer whose lock was lost and whose journal somebody else has opened since.
    ///
    /// The lock is the fence: while it is held nobody opens the journal. This notices a lock that did not hold, because its
    /// file was removed or the folder is shared between machines.
    pub(super) fn check_epoch(disk: &dyn Disk, folder: &Path, own: u64) -> Result<()> {
        let epoch = Meta::read(disk, folder)?.epoch;
        if epoch == own {
            return Ok(());
        }
        let message = format!("the journal was opened under epoch {epoch}, this writer's is {own}");
        Err(Error::internal(SUPERSEDED, message))
    }

    pub(super) fn write(&self, disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(52);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.id);
        for number in [self.epoch, self.segment, self.floor] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        write_whole(disk, folder, &path(folder), |file| {
            file.write_at(&bytes, 0)?;
            file.sync()
        })
    }
}

pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}
