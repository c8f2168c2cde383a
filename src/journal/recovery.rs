//! Reads a journal from its first byte to its last, and tells an incomplete end from damage.
//!
//! A batch is one write, and only the last one can be without its sync. What of it never reached the disk is missing
//! from the file or reads as zeros, a sector at a time. So the end of the last segment is an *incomplete batch*, which
//! was never acknowledged and may be cut, when the file ends within it, or when one of its sectors is all zeros; and no
//! valid batch follows. Everything else that does not check is damage, and nothing is cut. Zeros up to the end of a segment
//! are none of it: the writer grows its file ahead. Batches that should be there instead are missed by what follows them,
//! or by the lower bounds.

use std::path::{Path, PathBuf};

use super::batch::{self, Chain, Header};
use super::disk::Disk;
use super::failure::damaged;
use super::reader::SegmentIndex;
use super::segment;
use crate::error::{Error, Result};

/// The unit that a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// What opening a journal found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Bytes of an incomplete last batch that were cut; 0 after a clean end. More than 0 is worth an alert.
    pub cut_bytes: u64,
    /// Where they were cut.
    pub cut_from: Option<(PathBuf, u64)>,
    /// Intact records.
    pub records: u64,
}

/// All of a journal's batches, checked.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) segments: Vec<SegmentIndex>,
    pub(super) next: u64,
    pub(super) chain: Chain,
    pub(super) batches: u64,
    pub(super) bytes: u64,
    /// Where the incomplete last batch begins in the last segment, and its bytes.
    pub(super) incomplete: Option<(u64, u64)>,
    /// The chain value at the mark, once a batch has ended there.
    pub(super) marked: Option<Chain>,
    mark: Option<u64>,
    epoch: u64,
}

/// What a walk holds the segments against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) id: [u8; 16],
    /// The highest epoch that a batch may carry.
    pub(super) epoch: u64,
}

/// Reads and checks the segments from the nth on; of those before it only that they are there. The chain value that the
/// nth one follows is taken from its header: [`super::History`] checks the rest.
///
/// With a `mark`, notes the chain value after the batch that ends with this sequence.
pub(super) fn walk(
    disk: &dyn Disk,
    folder: &Path,
    firsts: &[u64],
    expected: Expected,
    start: usize,
    mark: Option<u64>,
) -> Result<Walk> {
    let mut walk = Walk::new(mark);
    for (index, &first) in firsts.iter().enumerate().take(start) {
        let path = segment::path(folder, first);
        let (header, size) = segment::read_header(disk, &path)?;
        segment::check_header(&path, &header, expected.id, first, None)?;
        walk.next = firsts.get(index + 1).copied().unwrap_or(first);
        walk.segments.push(SegmentIndex::unread(path, first, size));
    }
    if start > 0 && firsts.first() != Some(&1) {
        return Err(missing(folder, firsts, 1));
    }
    for (index, &first) in firsts.iter().enumerate().skip(start) {
        let previous = (start == 0 || index > start).then_some(walk.chain);
        let is_last = index + 1 == firsts.len();
        walk.follow(disk, folder, first, expected, previous, is_last)?;
    }
    Ok(walk)
}

fn missing(folder: &Path, firsts: &[u64], from: u64) -> Error {
    let path = segment::path(folder, firsts.first().copied().unwrap_or(from));
    damaged(
        &path,
        0,
        &format!("records from sequence {from} on are missing before it"),
    )
}

impl Walk {
    pub(super) fn new(mark: Option<u64>) -> Walk {
        Walk {
            segments: Vec::new(),
            next: 1,
            chain: batch::GENESIS,
            batches: 0,
            bytes: 0,
            incomplete: None,
            marked: None,
            mark,
            epoch: 0,
        }
    }

    /// Reads and checks one more segment.
    pub(super) fn follow(
        &mut self,
        disk: &dyn Disk,
        folder: &Path,
        first: u64,
        expected: Expected,
        previous: Option<Chain>,
        is_last: bool,
    ) -> Result<()> {
        let path = segment::path(folder, first);
        if first != self.next {
            return Err(missing(folder, &[first], self.next));
        }
        let bytes = segment::read_whole(disk, &path)?;
        self.chain = segment::check_header(&path, &bytes, expected.id, first, previous)?;
        self.segment(path, &bytes, expected.epoch, is_last)
    }

    /// Where the last segment ends, for whoever names a place.
    pub(super) fn end(&self, folder: &Path) -> (PathBuf, u64) {
        match self.segments.last() {
            Some(last) => (last.path.clone(), last.end),
            None => (segment::path(folder, 1), 0),
        }
    }

    fn segment(&mut self, path: PathBuf, bytes: &[u8], max_epoch: u64, is_last: bool) -> Result<()> {
        let mut index = SegmentIndex::new(path, self.next);
        let mut offset = segment::HEADER;
        while offset < bytes.len() as u64 {
            match self.batch(&bytes[offset as usize..], max_epoch) {
                Ok(size) => {
                    index.add(self.next - u64::from(size.count), offset);
                    offset += size.bytes;
                }
                Err(_) if bytes[offset as usize..].iter().all(|&byte| byte == 0) => break,
                Err(_) if is_last && is_incomplete(bytes, offset) => {
                    self.incomplete = Some((offset, bytes.len() as u64 - offset));
                    break;
                }
                Err(why) => return Err(damaged(&index.path, offset, why)),
            }
        }
        self.bytes += offset;
        index.end = offset;
        self.segments.push(index);
        Ok(())
    }

    /// Checks one batch and moves past it.
    fn batch(&mut self, rest: &[u8], max_epoch: u64) -> Result<BatchSize, &'static str> {
        let header = rest.first_chunk().ok_or("the file ends within a batch header")?;
        let header = Header::decode(header)?;
        let whole = usize::try_from(header.size())
            .ok()
            .and_then(|size| rest.get(..size))
            .ok_or("the file ends within a batch")?;
        batch::check(&header, whole)?;
        if header.first != self.next || header.count == 0 {
            return Err("a batch has the wrong sequence");
        }
        if header.previous != self.chain {
            return Err("a batch does not follow the one before");
        }
        if header.epoch < self.epoch || header.epoch > max_epoch {
            return Err("a batch has an impossible epoch");
        }
        self.next = header.next();
        self.chain = batch::chain_of(whole);
        if self.mark == Some(self.next - 1) {
            self.marked = Some(self.chain);
        }
        self.epoch = header.epoch;
        self.batches += 1;
        Ok(BatchSize {
            bytes: header.size(),
            count: header.count,
        })
    }
}

struct BatchSize {
    bytes: u64,
    count: u32,
}

/// Whether what begins at `offset` of the last segment is a batch that was never written completely.
fn is_incomplete(bytes: &[u8], offset: u64) -> bool {
    let rest = &bytes[offset as usize..];
    let Some(header) = rest.first_chunk() else {
        return true;
    };
    // Only the batch's own sectors tell: zeros after a whole one are the writer's, and a damaged one is no incomplete one.
    let is_unwritten = match Header::decode(header) {
        Ok(header) => header.size() > rest.len() as u64 || has_zero_sector(bytes, offset, header.size()),
        Err(_) => has_zero_sector(bytes, offset, batch::HEADER as u64),
    };
    is_unwritten && !has_header(&rest[1..])
}

/// Whether the `length` bytes from `offset` on have nothing but zeros in one of their sectors.
fn has_zero_sector(bytes: &[u8], offset: u64, length: u64) -> bool {
    let mut start = offset;
    while start < offset + length {
        let end = ((start / SECTOR + 1) * SECTOR).min(offset + length);
        if bytes[start as usize..end as usize].iter().all(|&byte| byte == 0) {
            return true;
        }
        start = end;
    }
    false
}

/// Whether a valid batch header is anywhere in these bytes.
fn has_header(bytes: &[u8]) -> bool {
    let mut windows = bytes.windows(batch::HEADER);
    windows.any(|window| {
        window
            .first_chunk()
            .is_some_and(|header| Header::decode(header).is_ok())
    })
}
