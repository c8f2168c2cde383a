//! The segments before the snapshot that a journal was opened at.
//!
//! Opening reads what follows the newest snapshot and no more, so that a start does not grow with the past. What lies before
//! is read afterwards, beside the work: every checksum and the chain, as at a full opening.

use std::path::PathBuf;
use std::sync::Arc;

use super::disk::Disk;
use super::failure::damaged;
use super::reader::FileReader;
use super::recovery::{Expected, Walk};
use super::{Verified, segment};
use crate::error::Result;

/// What an opening has not read.
pub struct History {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) expected: Expected,
    /// The first sequences of the segments that were not read, and of the one after them.
    pub(super) firsts: Vec<u64>,
    pub(super) reader: Arc<FileReader>,
}

impl History {
    /// Reads and checks it, a segment at a time, until `is_over`. Call it where blocking is allowed.
    ///
    /// # Errors
    /// `INTERNAL / JOURNAL_DAMAGED` naming file and offset; `INTERNAL / JOURNAL_IO`.
    pub fn verify(&self, is_over: impl Fn() -> bool) -> Result<Verified> {
        let mut walk = Walk::new(None);
        if let Some((after, unread)) = self.firsts.split_last() {
            for &first in unread {
                if is_over() {
                    return Ok(verified(&walk));
                }
                let previous = Some(walk.chain);
                walk.follow(&*self.disk, &self.folder, first, self.expected, previous, false)?;
                walk.segments.drain(..).for_each(|index| self.reader.indexed(index));
            }
            let path = segment::path(&self.folder, *after);
            if walk.next != *after {
                let why = format!("records from sequence {} on are missing before it", walk.next);
                return Err(damaged(&path, 0, &why));
            }
            let (header, _) = segment::read_header(&*self.disk, &path)?;
            segment::check_header(&path, &header, self.expected.id, *after, Some(walk.chain))?;
        }
        Ok(verified(&walk))
    }
}

fn verified(walk: &Walk) -> Verified {
    Verified {
        last_sequence: walk.next - 1,
        batches: walk.batches,
        bytes: walk.bytes,
    }
}
