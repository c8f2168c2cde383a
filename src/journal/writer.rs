//! The open end of a journal: where the next batch goes, and the room that is set aside for it.
//!
//! The open segment owns its room on the disk ahead of its end: the reserve, and a step beyond it that ordinary records use
//! up. When the disk has no more to give, ordinary records are refused before anything is written, and what must go on
//! (cancels, halts, fills, what the venue answers) is written into the reserve. Nobody else can take that room: it belongs
//! to the file already.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::{self, Chain};
use super::disk::{Disk, DiskFile, FileSign, is_full};
use super::failure::{DISK_FULL, Explain};
use super::meta::{self, Meta};
use super::reader::{FileReader, SegmentIndex};
use super::segment;
use crate::error::{Error, Result};

/// Room is asked for in steps of so many bytes beyond what is needed now. Each step is a change that the file system has to
/// journal, and one sync has to wait for.
pub(super) const STEP: u64 = 1024 * 1024;
/// Zeros are written in pieces of so many bytes.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

pub(super) struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) reader: Arc<FileReader>,
    pub(super) meta: Meta,
    /// Of the file that said this writer's epoch when it was read last.
    pub(super) meta_sign: Option<FileSign>,
    pub(super) segment_bytes: u64,
    /// 0: no room is set aside.
    pub(super) reserve_bytes: u64,
    /// How far ahead zeros are written.
    pub(super) zeros_bytes: u64,
    /// Of the file: what is beyond `end` is zeros.
    pub(super) size: u64,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) path: PathBuf,
    pub(super) end: u64,
    /// Up to here the open segment owns its room.
    pub(super) allocated: u64,
    pub(super) next: u64,
    pub(super) chain: Chain,
    pub(super) poisoned: bool,
}

impl Writer {
    /// Whether the open segment owns room for `bytes` of ordinary records beside the reserve.
    pub(super) fn owns(&self, bytes: u64) -> bool {
        self.reserve_bytes == 0 || self.end + bytes + self.reserve_bytes <= self.allocated
    }

    /// Whether `bytes` of ordinary records find room beside the reserve; asks the disk for it.
    pub(super) fn has_room(&mut self, bytes: u64) -> Result<bool> {
        if self.owns(bytes) {
            return Ok(true);
        }
        let needed = self.end + bytes + self.reserve_bytes;
        Ok(self.allocate(needed + STEP)? || self.allocate(needed)?)
    }

    /// Appends a batch: one write and one sync; a new segment before it if this one is full.
    pub(super) fn append(&mut self, records: Vec<Vec<u8>>, size: u64) -> Result<u64> {
        if self.poisoned {
            return Err(poisoned("an earlier write or sync failed"));
        }
        // Whatever happens between here and the end leaves the disk in doubt.
        self.poisoned = true;
        self.check_epoch()?;
        self.prepare(size).map_err(|error| poisoned(error.message()))?;
        let is_owned = self.reserve_bytes == 0 || self.end + size <= self.allocated;
        if !is_owned
            && !self
                .allocate(self.end + size)
                .map_err(|error| poisoned(error.message()))?
        {
            self.poisoned = false;
            let message = "the disk is full, and the journal's reserve is used up";
            return Err(Error::exhausted(DISK_FULL, message).with("file", self.path.display()));
        }
        self.write_zeros(size).map_err(|error| poisoned(error.message()))?;
        let first = self.next;
        let (bytes, chain) = batch::encode(&records, first, self.meta.epoch, self.chain);
        self.write(&bytes).map_err(|error| poisoned(error.message()))?;
        // An owner who began since has not read this batch: it must not be acknowledged.
        self.check_epoch()?;
        let offset = self.end;
        self.end += size;
        self.size = self.size.max(self.end);
        self.next += records.len() as u64;
        self.chain = chain;
        self.poisoned = false;
        self.reader.publish(first, offset, self.end, records);
        Ok(first)
    }

    /// Reads the epoch again, unless the file is the one that was read last.
    fn check_epoch(&mut self) -> Result<()> {
        let path = meta::path(&self.folder);
        let signed = self.disk.sign(&path).explain("look at", &path);
        let sign = signed.map_err(|error| poisoned(error.message()))?;
        if sign.is_some() && sign == self.meta_sign {
            return Ok(());
        }
        let checked = Meta::check_epoch(&*self.disk, &self.folder, self.meta.epoch);
        checked.map_err(|error| match error.reason() {
            meta::SUPERSEDED => error,
            _ => poisoned(error.message()),
        })?;
        self.meta_sign = sign;
        Ok(())
    }

    /// Begins a new segment when this one is full, and keeps the reserve whole as long as the disk lets it.
    fn prepare(&mut self, size: u64) -> Result<()> {
        if self.end > segment::HEADER && self.end + size > self.segment_bytes {
            self.roll()?;
        }
        self.has_room(size)?;
        Ok(())
    }

    /// Grows the file ahead of a batch that would grow it, within its own room. A file that grows, and room that is written
    /// for the first time, are changes which the file system journals: one sync pays for many.
    fn write_zeros(&mut self, batch: u64) -> Result<()> {
        let is_room_known = self.reserve_bytes > 0 && self.allocated < u64::MAX;
        if self.end + batch <= self.size || !is_room_known {
            return Ok(());
        }
        let target = self.allocated.min(self.end + batch + self.zeros_bytes);
        while self.size < target {
            let piece = (target - self.size).min(ZEROS.len() as u64);
            self.file
                .write_at(&ZEROS[..piece as usize], self.size)
                .explain("write", &self.path)?;
            self.size += piece;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_at(bytes, self.end).explain("write", &self.path)?;
        self.file.sync().explain("sync", &self.path)
    }

    /// Sets room aside in the open segment up to `end`; `false` when the disk has none.
    fn allocate(&mut self, end: u64) -> Result<bool> {
        match segment::set_aside(&*self.file, self.allocated.max(self.end), end) {
            Ok(allocated) => {
                self.allocated = allocated;
                Ok(true)
            }
            Err(error) if is_full(&error) => Ok(false),
            Err(error) => Err(error).explain("set room aside in", &self.path),
        }
    }

    /// Begins a new segment. While the disk has no room for one, the old one goes on in its own.
    fn roll(&mut self) -> Result<()> {
        let room = match self.reserve_bytes {
            0 => 0,
            reserve => reserve + STEP,
        };
        let (first, path) = (self.next, segment::path(&self.folder, self.next));
        let made = segment::create(&*self.disk, &self.folder, self.meta.id, first, self.chain, room);
        let (file, allocated) = match made {
            Ok(made) => made,
            Err(error) if is_full(&error) => return Ok(()),
            Err(error) => return Err(error).explain("create", &path),
        };
        // Room that was set aside and not used goes back to the disk, before a snapshot can stand for this segment.
        self.file.truncate(self.end).explain("trim", &self.path)?;
        self.file.sync().explain("sync", &self.path)?;
        self.file = file;
        self.path.clone_from(&path);
        self.end = segment::HEADER;
        self.size = segment::HEADER;
        self.allocated = allocated;
        self.reader.began_segment(SegmentIndex::new(path, first));
        self.meta.segment = first;
        note(&self.meta, &*self.disk, &self.folder)
    }
}

/// Writes lower bounds down. Without room for them the journal is as good as before, and a loss is noticed less surely.
pub(super) fn note(meta: &Meta, disk: &dyn Disk, folder: &Path) -> Result<()> {
    match meta.write(disk, folder) {
        Err(error) if is_full(&error) => {
            tracing::warn!(folder = %folder.display(), "no room to note how far the journal has come");
            Ok(())
        }
        other => other.explain("write", &meta::path(folder)),
    }
}

pub(super) fn poisoned(why: &str) -> Error {
    Error::internal("JOURNAL_POISONED", format!("the journal takes no more records: {why}"))
}
