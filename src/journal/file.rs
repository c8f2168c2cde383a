//! The journal of one machine: a folder of segments.
//!
//! ```text
//! lock                          held while the journal is open
//! meta                          random id, epoch, lower bounds of how far the journal has come
//! 00000000000000000001.segment  batches, from sequence 1
//! 00000000000000004711.segment  …
//! 00000000000000004000.snapshot
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::batch;
use super::disk::{Disk, DiskFile, RealDisk, is_full};
use super::failure::{Explain, damaged};
use super::history::History;
use super::meta::{self, Meta};
use super::reader::{FileReader, SegmentIndex};
use super::recovery::{self, Expected, Recovery, Walk};
use super::snapshot::{self, FileSnapshots};
use super::tail::Tail;
use super::writer::{self, Writer, poisoned};
use super::{Journal, JournalReader, Snapshots, Verified, segment};
use crate::error::{Error, Result};
use crate::time::Chance;

/// Epochs grow by a random step up to this: a journal restored from an old copy goes on under other epochs than the life
/// that it has forgotten, and ids made of them are not made twice.
const MAX_EPOCH_STEP: u64 = 4_096;

/// The bounds of a [`FileJournal`], and what it stands on.
#[derive(Clone)]
pub struct FileJournalOptions {
    /// A segment is closed before it grows beyond this. Default 64 MiB.
    pub segment_bytes: u64,
    /// The largest batch. Default 16 MiB.
    pub max_batch_bytes: u64,
    /// The newest records kept in memory for readers, by number. Default 65,536.
    pub tail_records: usize,
    /// The newest records kept in memory for readers, by bytes. Default 16 MiB.
    pub tail_bytes: usize,
    /// Room that is kept for what must be written even when the disk is full; ordinary records are refused before they
    /// use it ([`Journal::has_room`]). Default 4 MiB; 0 keeps none.
    pub reserve_bytes: u64,
    /// The end of the open segment is written with zeros so far ahead, within the room that it owns: a batch then overwrites
    /// what is there, and its sync need not wait for the file system's own journal. The batch that comes to their end waits for
    /// the next ones, and whoever syncs beside it does: few at a time. Default 128 KiB; 0 writes none.
    pub zeros_bytes: u64,
    /// The owner has a thread of its own, and may block it: appending then needs no other thread. Default false.
    pub owner_may_block: bool,
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// Where a new journal's id comes from.
    pub chance: Chance,
}

impl Default for FileJournalOptions {
    fn default() -> Self {
        FileJournalOptions {
            segment_bytes: 64 * 1024 * 1024,
            max_batch_bytes: 16 * 1024 * 1024,
            tail_records: 65_536,
            tail_bytes: 16 * 1024 * 1024,
            reserve_bytes: 4 * 1024 * 1024,
            zeros_bytes: 128 * 1024,
            owner_may_block: false,
            disk: Arc::new(RealDisk),
            chance: Chance::from_entropy(),
        }
    }
}

/// A [`Journal`] of segment files.
pub struct FileJournal {
    shared: Arc<Shared>,
    snapshots: Arc<FileSnapshots>,
    unread: Vec<u64>,
    owner_may_block: bool,
}

/// What outlives a caller who stops waiting: a write that has begun ends, and then the lock may go.
struct Shared {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    expected: Expected,
    max_batch_bytes: u64,
    reader: Arc<FileReader>,
    writer: Mutex<Writer>,
    _lock: Box<dyn Send + Sync>,
}

impl FileJournal {
    /// Opens the journal in `folder`, made if absent: takes the lock, begins a new epoch, verifies what follows the newest
    /// intact snapshot ([`FileJournal::history`] the rest), and cuts an incomplete last batch. Reads files, so call it
    /// where blocking is allowed.
    ///
    /// # Errors
    /// `INVALID / JOURNAL_LOCKED` while another has it; `INTERNAL / JOURNAL_DAMAGED` naming file and offset;
    /// `INTERNAL / JOURNAL_IO`; `EXHAUSTED / DISK_FULL`.
    pub fn open(folder: &Path, options: FileJournalOptions) -> Result<(FileJournal, Recovery)> {
        let disk = Arc::clone(&options.disk);
        disk.create_folder(folder).explain("create", folder)?;
        let lock = take_lock(&*disk, folder)?;
        let firsts = tidy(&*disk, folder)?;
        let mut meta = begin_epoch(&*disk, folder, &options.chance, &firsts)?;
        let before = Expected {
            id: meta.id,
            epoch: meta.epoch - 1,
        };
        let (walk, start) = from_newest_snapshot(&*disk, folder, &firsts, before)?;
        check_bounds(&walk, folder, &meta)?;
        let recovery = cut(&*disk, &walk)?;
        trim(&*disk, &walk.segments[start..])?;
        let end = open_end(&*disk, folder, &meta, &walk, options.reserve_bytes)?;
        let known = meta;
        meta.floor = walk.next - 1;
        meta.segment = end.index.first;
        if meta != known {
            writer::note(&meta, &*disk, folder)?;
        }
        let mut segments = walk.segments;
        if segments.is_empty() {
            segments.push(end.index.clone());
        }
        let unread = match start {
            0 => Vec::new(),
            _ => firsts[..=start].to_vec(),
        };
        let tail = Tail::new(walk.next, options.tail_records, options.tail_bytes);
        let reader = Arc::new(FileReader::new(Arc::clone(&disk), segments, walk.next - 1, tail));
        let writer = Writer {
            disk: Arc::clone(&disk),
            folder: folder.to_path_buf(),
            reader: Arc::clone(&reader),
            meta,
            meta_sign: None,
            segment_bytes: options.segment_bytes,
            reserve_bytes: options.reserve_bytes,
            zeros_bytes: options.zeros_bytes,
            size: end.size,
            file: end.file,
            path: end.index.path,
            end: end.index.end,
            allocated: end.allocated,
            next: walk.next,
            chain: walk.chain,
            poisoned: false,
        };
        let snapshots = FileSnapshots {
            disk: Arc::clone(&disk),
            folder: folder.to_path_buf(),
            id: meta.id,
            epoch: meta.epoch,
            reader: Arc::clone(&reader),
            writing: Mutex::new(()),
        };
        let shared = Shared {
            folder: folder.to_path_buf(),
            disk,
            expected: Expected {
                id: meta.id,
                epoch: meta.epoch,
            },
            max_batch_bytes: options.max_batch_bytes.min(u64::from(u32::MAX)),
            reader,
            writer: Mutex::new(writer),
            _lock: lock,
        };
        let journal = FileJournal {
            shared: Arc::new(shared),
            snapshots: Arc::new(snapshots),
            unread,
            owner_may_block: options.owner_may_block,
        };
        Ok((journal, recovery))
    }

    /// What the opening has not read, since a snapshot stands for it; none when it has read everything.
    pub fn history(&self) -> Option<History> {
        let shared = &self.shared;
        (!self.unread.is_empty()).then(|| History {
            disk: Arc::clone(&shared.disk),
            folder: shared.folder.clone(),
            expected: shared.expected,
            firsts: self.unread.clone(),
            reader: Arc::clone(&shared.reader),
        })
    }
}

fn take_lock(disk: &dyn Disk, folder: &Path) -> Result<Box<dyn Send + Sync>> {
    let path = folder.join("lock");
    match disk.lock(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Err(Error::invalid(
            "JOURNAL_LOCKED",
            format!(
                "{} is in use by another process: stop the other process or set mesh.data_dir",
                folder.display()
            ),
        )
        .with("key", "mesh.data_dir")),
        other => other.explain("lock", &path),
    }
}

/// Removes what an interrupted opening or snapshot left unfinished, and lists the segments.
fn tidy(disk: &dyn Disk, folder: &Path) -> Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for name in disk.list(folder).explain("list", folder)? {
        if name.ends_with(segment::UNFINISHED) {
            let path = folder.join(&name);
            disk.remove(&path).explain("remove", &path)?;
        }
        firsts.extend(segment::parse_name(&name));
    }
    Ok(firsts)
}

fn begin_epoch(disk: &dyn Disk, folder: &Path, chance: &Chance, firsts: &[u64]) -> Result<Meta> {
    let names = disk.list(folder).explain("list", folder)?;
    let is_new = firsts.is_empty() && !names.iter().any(|name| name == meta::NAME);
    let meta = if is_new {
        let mut id = [0; 16];
        chance.fill(&mut id);
        Meta {
            id,
            epoch: 1,
            segment: 0,
            floor: 0,
        }
    } else {
        let last = Meta::read(disk, folder)?;
        Meta {
            epoch: last.epoch + 1 + chance.below(MAX_EPOCH_STEP),
            ..last
        }
    };
    let written = match (meta.write(disk, folder), firsts.last()) {
        (Err(error), Some(&last)) if is_full(&error) => {
            give_back(disk, &segment::path(folder, last))?;
            meta.write(disk, folder)
        }
        (written, _) => written,
    };
    written.explain("write", &meta::path(folder))?;
    Ok(meta)
}

/// Gives the room of the last owner back to the disk: its reserve beyond the end of the segment, and the zeros that it wrote
/// ahead. No batch ends with a zero, so that none is cut. The room is asked for again once there is an owner.
fn give_back(disk: &dyn Disk, path: &Path) -> Result<()> {
    let bytes = segment::read_whole(disk, path)?;
    let written = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last as u64 + 1);
    let end = written.max(segment::HEADER).min(bytes.len() as u64);
    let file = disk.open(path).explain("open", path)?;
    file.truncate(end).explain("trim", path)
}

/// Reads the segments from the newest snapshot on that is intact and of this history; all of them without one. Answers also
/// the number of segments that were not read.
fn from_newest_snapshot(disk: &dyn Disk, folder: &Path, firsts: &[u64], expected: Expected) -> Result<(Walk, usize)> {
    for sequence in snapshot::list(disk, folder)?.into_iter().rev() {
        let Some((chain, _)) = snapshot::read(disk, folder, expected.id, sequence)? else {
            continue;
        };
        let start = firsts.partition_point(|&first| first <= sequence).saturating_sub(1);
        let walk = recovery::walk(disk, folder, firsts, expected, start, Some(sequence))?;
        // Only what was durable is in a snapshot.
        check_durable(&walk, folder, sequence)?;
        if walk.marked == Some(chain) {
            return Ok((walk, start));
        }
        tracing::warn!(sequence, "snapshot is of another history and is not used");
    }
    Ok((recovery::walk(disk, folder, firsts, expected, 0, None)?, 0))
}

/// Refuses a journal that ends before what is known to have been durable: its end is lost, and what is left looks intact.
fn check_bounds(walk: &Walk, folder: &Path, meta: &Meta) -> Result<()> {
    let last = walk.segments.last().map_or(0, |segment| segment.first);
    if last < meta.segment {
        return Err(damaged(
            &segment::path(folder, meta.segment),
            0,
            "the segment is missing",
        ));
    }
    check_durable(walk, folder, meta.floor)
}

fn check_durable(walk: &Walk, folder: &Path, sequence: u64) -> Result<()> {
    if walk.next > sequence {
        return Ok(());
    }
    let (path, end) = walk.end(folder);
    let why = format!(
        "records up to {sequence} were durable, and those from {} on are missing",
        walk.next
    );
    Err(damaged(&path, end, &why))
}

fn cut(disk: &dyn Disk, walk: &Walk) -> Result<Recovery> {
    let mut recovery = Recovery {
        records: walk.next - 1,
        ..Recovery::default()
    };
    if let (Some((offset, bytes)), Some(last)) = (walk.incomplete, walk.segments.last()) {
        tracing::warn!(file = %last.path.display(), offset, bytes, "incomplete last batch is cut from the journal");
        let file = disk.open(&last.path).explain("open", &last.path)?;
        file.truncate(offset).explain("cut", &last.path)?;
        recovery.cut_bytes = bytes;
        recovery.cut_from = Some((last.path.clone(), offset));
    }
    Ok(recovery)
}

/// Takes the zeros off segments that are not the last one: an owner that crashed while it began the next left them.
fn trim(disk: &dyn Disk, segments: &[SegmentIndex]) -> Result<()> {
    let Some((_, closed)) = segments.split_last() else {
        return Ok(());
    };
    for segment in closed {
        let file = disk.open(&segment.path).explain("open", &segment.path)?;
        if file.size().explain("read", &segment.path)? > segment.end {
            file.truncate(segment.end).explain("trim", &segment.path)?;
            file.sync().explain("sync", &segment.path)?;
        }
    }
    Ok(())
}

/// Where appending goes on.
struct End {
    file: Box<dyn DiskFile>,
    index: SegmentIndex,
    /// Of the file, zeros after the last batch included.
    size: u64,
    allocated: u64,
}

/// Opens the last segment for appending, or makes the first. What was read is durable from here on: a killed process may
/// have left its last batch in the page cache only.
fn open_end(disk: &dyn Disk, folder: &Path, meta: &Meta, walk: &Walk, reserve: u64) -> Result<End> {
    let Some(last) = walk.segments.last() else {
        let path = segment::path(folder, walk.next);
        let made = segment::create(disk, folder, meta.id, walk.next, walk.chain, reserve);
        let (file, allocated) = made.explain("create", &path)?;
        return Ok(End {
            file,
            index: SegmentIndex::new(path, walk.next),
            size: segment::HEADER,
            allocated,
        });
    };
    let file = disk.open(&last.path).explain("open", &last.path)?;
    file.sync().explain("sync", &last.path)?;
    disk.sync_folder(folder).explain("sync", folder)?;
    // As much of the reserve as there is room for: on a full disk, what its last owner had of it.
    let mut allocated = last.end;
    let mut wanted = reserve;
    while wanted > 0 {
        match segment::set_aside(&*file, last.end, last.end + wanted) {
            Ok(reached) => {
                allocated = reached;
                break;
            }
            Err(error) if is_full(&error) => wanted /= 2,
            Err(error) => return Err(error).explain("set room aside in", &last.path),
        }
    }
    Ok(End {
        size: file.size().explain("read", &last.path)?,
        file,
        index: last.clone(),
        allocated,
    })
}

impl Shared {
    fn append(&self, records: Vec<Vec<u8>>) -> Result<u64> {
        let size = batch::size_of(&records);
        if records.is_empty() || size > self.max_batch_bytes {
            let message = format!("a batch of {} records and {size} bytes", records.len());
            return Err(Error::invalid("JOURNAL_BATCH", message).with("max_bytes", self.max_batch_bytes));
        }
        self.writer.lock().append(records, size)
    }

    fn verify(&self) -> Result<Verified> {
        // Nothing is written meanwhile.
        let writer = self.writer.lock();
        let firsts = self.reader.segment_firsts();
        let walk = recovery::walk(&*self.disk, &self.folder, &firsts, self.expected, 0, None)?;
        if walk.next < writer.next {
            let (path, end) = walk.end(&self.folder);
            return Err(damaged(&path, end, "records that were durable are missing"));
        }
        Ok(Verified {
            last_sequence: walk.next - 1,
            batches: walk.batches,
            bytes: walk.bytes,
        })
    }
}

impl FileJournal {
    /// Runs what blocks outside the async threads.
    async fn blocking<T: Send + 'static>(&self, deed: impl FnOnce(&Shared) -> Result<T> + Send + 'static) -> Result<T> {
        if self.owner_may_block || !self.shared.disk.blocks() {
            return deed(&self.shared);
        }
        let shared = Arc::clone(&self.shared);
        match tokio::task::spawn_blocking(move || deed(&shared)).await {
            Ok(result) => result,
            Err(error) => Err(poisoned(&error.to_string())),
        }
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn append(&mut self, records: Vec<Vec<u8>>) -> Result<u64> {
        self.blocking(move |shared| shared.append(records)).await
    }

    async fn has_room(&mut self, bytes: u64) -> Result<bool> {
        // Most often the room is there already, and nobody has to wait for a thread.
        let known = self.shared.writer.try_lock().map(|writer| writer.owns(bytes));
        match known {
            Some(true) => Ok(true),
            Some(false) | None => self.blocking(move |shared| shared.writer.lock().has_room(bytes)).await,
        }
    }

    fn id(&self) -> [u8; 16] {
        self.shared.expected.id
    }

    fn epoch(&self) -> u64 {
        self.shared.expected.epoch
    }

    fn next_sequence(&self) -> u64 {
        self.shared.reader.last_durable() + 1
    }

    fn reader(&self) -> Arc<dyn JournalReader> {
        Arc::clone(&self.shared.reader) as Arc<dyn JournalReader>
    }

    fn snapshots(&self) -> Option<Arc<dyn Snapshots>> {
        Some(Arc::clone(&self.snapshots) as Arc<dyn Snapshots>)
    }

    async fn verify(&self) -> Result<Verified> {
        self.blocking(Shared::verify).await
    }
}
