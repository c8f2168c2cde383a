//! Reads durable records: from memory if they are new, else from the segments.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::JournalReader;
use super::batch::{self, Chain, Header};
use super::disk::{Disk, DiskFile};
use super::failure::{Explain, damaged};
use super::segment;
use super::tail::Tail;
use crate::error::{Error, Result};

/// A segment's index has an entry about every so many bytes.
const INDEX_STRIDE: u64 = 64 * 1024;

/// One answer holds about so many bytes at most, whatever the number of records asked for.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Where the batches of one segment begin, sparsely.
#[derive(Debug, Clone)]
pub(super) struct SegmentIndex {
    pub(super) path: PathBuf,
    pub(super) first: u64,
    /// Where the next batch goes.
    pub(super) end: u64,
    /// Sequence and offset of some batches, ascending; the first batch is among them.
    entries: Vec<(u64, u64)>,
}

impl SegmentIndex {
    pub(super) fn new(path: PathBuf, first: u64) -> SegmentIndex {
        SegmentIndex {
            path,
            first,
            end: segment::HEADER,
            entries: Vec::new(),
        }
    }

    /// A segment that nobody has read yet: it is searched from its beginning until [`FileReader::indexed`].
    pub(super) fn unread(path: PathBuf, first: u64, end: u64) -> SegmentIndex {
        SegmentIndex {
            end,
            ..SegmentIndex::new(path, first)
        }
    }

    /// Notes that the batch with this first sequence begins at `offset`.
    pub(super) fn add(&mut self, first: u64, offset: u64) {
        let is_due = self
            .entries
            .last()
            .is_none_or(|(_, last)| offset - last >= INDEX_STRIDE);
        if is_due {
            self.entries.push((first, offset));
        }
    }

    /// Where to begin to look for a sequence.
    fn offset_before(&self, sequence: u64) -> u64 {
        let after = self.entries.partition_point(|(first, _)| *first <= sequence);
        after.checked_sub(1).map_or(segment::HEADER, |at| self.entries[at].1)
    }
}

/// The reading end of a [`super::FileJournal`].
pub(super) struct FileReader {
    disk: Arc<dyn Disk>,
    segments: RwLock<Vec<SegmentIndex>>,
    tail: Mutex<Tail>,
    durable: watch::Sender<u64>,
    open_files: Mutex<HashMap<u64, Arc<dyn DiskFile>>>,
}

impl FileReader {
    pub(super) fn new(disk: Arc<dyn Disk>, segments: Vec<SegmentIndex>, last: u64, tail: Tail) -> FileReader {
        FileReader {
            disk,
            segments: RwLock::new(segments),
            tail: Mutex::new(tail),
            durable: watch::Sender::new(last),
            open_files: Mutex::new(HashMap::new()),
        }
    }

    pub(super) fn last_durable(&self) -> u64 {
        *self.durable.borrow()
    }

    pub(super) fn segment_firsts(&self) -> Vec<u64> {
        self.segments.read().iter().map(|segment| segment.first).collect()
    }

    pub(super) fn began_segment(&self, segment: SegmentIndex) {
        self.segments.write().push(segment);
    }

    /// Publishes a batch that is durable now.
    pub(super) fn publish(&self, first: u64, offset: u64, end: u64, records: Vec<Vec<u8>>) {
        if let Some(segment) = self.segments.write().last_mut() {
            segment.add(first, offset);
            segment.end = end;
        }
        let last = first + records.len() as u64 - 1;
        self.tail.lock().push(records);
        self.durable.send_replace(last);
    }

    /// Takes over what reading a segment has found.
    pub(super) fn indexed(&self, index: SegmentIndex) {
        let mut segments = self.segments.write();
        if let Some(known) = segments.iter_mut().find(|known| known.first == index.first) {
            *known = index;
        }
    }

    /// The chain value after the batch that ends with this sequence; none when no batch ends there.
    pub(super) fn chain_at(&self, sequence: u64) -> Result<Option<Chain>> {
        let Some(segment) = self.segment_of(sequence) else {
            return Ok(None);
        };
        let file = self.file(&segment)?;
        let mut offset = segment.offset_before(sequence);
        while offset < segment.end {
            let header = read_header(&*file, &segment, offset)?;
            if header.next() > sequence {
                let whole = read_batch(&*file, &segment, &header, offset)?;
                return Ok((header.next() == sequence + 1).then(|| batch::chain_of(&whole)));
            }
            offset += header.size();
        }
        Ok(None)
    }

    fn read_files(&self, from: u64, max: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut bytes = 0;
        while found.len() < max && bytes < MAX_ANSWER {
            let next = from + found.len() as u64;
            let Some(segment) = self.segment_of(next) else { break };
            let before = found.len();
            self.read_segment(&segment, next, max, &mut found, &mut bytes)?;
            if found.len() == before {
                break;
            }
        }
        Ok(found)
    }

    fn segment_of(&self, sequence: u64) -> Option<SegmentIndex> {
        let segments = self.segments.read();
        let after = segments.partition_point(|segment| segment.first <= sequence);
        after.checked_sub(1).map(|at| segments[at].clone())
    }

    fn read_segment(
        &self,
        segment: &SegmentIndex,
        from: u64,
        max: usize,
        found: &mut Vec<(u64, Vec<u8>)>,
        bytes: &mut usize,
    ) -> Result<()> {
        let file = self.file(segment)?;
        let mut offset = segment.offset_before(from);
        while offset < segment.end && found.len() < max && *bytes < MAX_ANSWER {
            let header = read_header(&*file, segment, offset)?;
            if header.next() > from {
                let whole = read_batch(&*file, segment, &header, offset)?;
                let wanted = batch::records(&header, &whole).filter(|(sequence, _)| *sequence >= from);
                for (sequence, record) in wanted.take(max - found.len()) {
                    *bytes += record.len();
                    found.push((sequence, record.to_vec()));
                }
            }
            offset += header.size();
        }
        Ok(())
    }

    fn file(&self, segment: &SegmentIndex) -> Result<Arc<dyn DiskFile>> {
        let mut files = self.open_files.lock();
        if let Some(file) = files.get(&segment.first) {
            return Ok(Arc::clone(file));
        }
        let file: Arc<dyn DiskFile> = Arc::from(self.disk.open(&segment.path).explain("open", &segment.path)?);
        // A reader moves forward: one file at a time is enough, two for a slower one beside it.
        if files.len() >= 2 {
            files.clear();
        }
        files.insert(segment.first, Arc::clone(&file));
        Ok(file)
    }
}

fn read_header(file: &dyn DiskFile, segment: &SegmentIndex, offset: u64) -> Result<Header> {
    let mut head = [0; batch::HEADER];
    if offset + batch::HEADER as u64 > segment.end {
        return Err(damaged(&segment.path, offset, "the file ends within a batch header"));
    }
    file.read_at(&mut head, offset).explain("read", &segment.path)?;
    Header::decode(&head).map_err(|why| damaged(&segment.path, offset, why))
}

fn read_batch(file: &dyn DiskFile, segment: &SegmentIndex, header: &Header, offset: u64) -> Result<Vec<u8>> {
    if offset + header.size() > segment.end {
        return Err(damaged(&segment.path, offset, "the file ends within a batch"));
    }
    let mut whole = vec![0; header.size() as usize];
    file.read_at(&mut whole, offset).explain("read", &segment.path)?;
    batch::check(header, &whole).map_err(|why| damaged(&segment.path, offset, why))?;
    Ok(whole)
}

impl JournalReader for FileReader {
    fn read(&self, from: u64, max: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        if from == 0 {
            return Err(Error::invalid("JOURNAL_SEQUENCE", "sequences begin at 1"));
        }
        if from > self.last_durable() {
            return Ok(Vec::new());
        }
        if let Some(records) = self.tail.lock().read(from, max) {
            return Ok(records);
        }
        self.read_files(from, max)
    }

    fn durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }
}
