//! What a journal is: its random id, and the epoch of its last opening.
//!
//! `magic 8 "TMJMET01" · id 16 · epoch 8 · CRC-32C 4`, replaced as a whole.

use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::failure::damaged;
use super::segment::{read_whole, write_whole};
use crate::error::Result;

const MAGIC: [u8; 8] = *b"TMJMET01";
pub(super) const NAME: &str = "meta";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) id: [u8; 16],
    pub(super) epoch: u64,
}

impl Meta {
    pub(super) fn read(disk: &dyn Disk, folder: &Path) -> Result<Meta> {
        let path = path(folder);
        let bytes = read_whole(disk, &path)?;
        let whole: Option<&[u8; 36]> = bytes.as_slice().try_into().ok();
        let Some(bytes) = whole else {
            return Err(damaged(&path, 0, "the file has another size"));
        };
        let (body, crc) = bytes.split_at(32);
        if body[..8] != MAGIC || crc32c::crc32c(body).to_le_bytes() != *crc {
            return Err(damaged(&path, 0, "the checksum is wrong"));
        }
        let (mut id, mut epoch) = ([0; 16], [0; 8]);
        id.copy_from_slice(&body[8..24]);
        epoch.copy_from_slice(&body[24..]);
        Ok(Meta {
            id,
            epoch: u64::from_le_bytes(epoch),
        })
    }

    pub(super) fn write(&self, disk: &dyn Disk, folder: &Path) -> Result<()> {
        let mut bytes = Vec::with_capacity(36);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        write_whole(disk, folder, &path(folder), &bytes)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}
