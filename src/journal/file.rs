//! The journal of one machine: a folder of segments.
//!
//! ```text
//! lock                          held while the journal is open
//! meta                          random id, epoch
//! 00000000000000000001.segment  batches, from sequence 1
//! 00000000000000004711.segment  …
//! 00000000000000004000.snapshot
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::batch::{self, Chain};
use super::disk::{Disk, DiskFile, RealDisk};
use super::failure::Explain;
use super::meta::{self, Meta};
use super::reader::{FileReader, SegmentIndex};
use super::recovery::{self, Recovery, Walk};
use super::tail::Tail;
use super::{Journal, JournalReader, Verified, segment, snapshot};
use crate::error::{Error, Result};
use crate::time::Chance;

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
            disk: Arc::new(RealDisk),
            chance: Chance::from_entropy(),
        }
    }
}

/// A [`Journal`] of segment files.
pub struct FileJournal {
    shared: Arc<Shared>,
}

/// What outlives a caller who stops waiting: a write that has begun ends, and then the lock may go.
struct Shared {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    meta: Meta,
    max_batch_bytes: u64,
    reader: Arc<FileReader>,
    writer: Mutex<Writer>,
    _lock: Box<dyn Send + Sync>,
}

struct Writer {
    segment_bytes: u64,
    /// The open segment; none before the first record.
    file: Option<Box<dyn DiskFile>>,
    path: PathBuf,
    end: u64,
    next: u64,
    chain: Chain,
    poisoned: bool,
}

impl FileJournal {
    /// Opens the journal in `folder`, made if absent: takes the lock, begins a new epoch, verifies everything, and cuts
    /// an incomplete last batch. Reads every segment, so call it where blocking is allowed.
    ///
    /// # Errors
    /// `UNAVAILABLE / JOURNAL_LOCKED` while another has it; `INTERNAL / JOURNAL_DAMAGED` naming file and offset;
    /// `INTERNAL / JOURNAL_IO`.
    pub fn open(folder: &Path, options: FileJournalOptions) -> Result<(FileJournal, Recovery)> {
        let disk = Arc::clone(&options.disk);
        disk.create_folder(folder).explain("create", folder)?;
        let lock = take_lock(&*disk, folder)?;
        let firsts = tidy(&*disk, folder)?;
        let meta = begin_epoch(&*disk, folder, &options.chance, &firsts)?;
        let walk = recovery::walk(&*disk, folder, &firsts, meta.id, meta.epoch - 1)?;
        let recovery = cut(&*disk, &walk)?;
        let (file, path, end) = match walk.segments.last() {
            Some(last) => (Some(open_end(&*disk, folder, last)?), last.path.clone(), last.end),
            None => (None, folder.to_path_buf(), 0),
        };
        let tail = Tail::new(walk.next, options.tail_records, options.tail_bytes);
        let reader = FileReader::new(Arc::clone(&disk), walk.segments, walk.next - 1, tail);
        let writer = Writer {
            segment_bytes: options.segment_bytes,
            file,
            path,
            end,
            next: walk.next,
            chain: walk.chain,
            poisoned: false,
        };
        let shared = Arc::new(Shared {
            folder: folder.to_path_buf(),
            disk,
            meta,
            max_batch_bytes: options.max_batch_bytes.min(u64::from(u32::MAX)),
            reader: Arc::new(reader),
            writer: Mutex::new(writer),
            _lock: lock,
        });
        Ok((FileJournal { shared }, recovery))
    }
}

fn take_lock(disk: &dyn Disk, folder: &Path) -> Result<Box<dyn Send + Sync>> {
    let path = folder.join("lock");
    match disk.lock(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Err(Error::unavailable(
            "JOURNAL_LOCKED",
            format!("{} is in use by another process", folder.display()),
        )),
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
        Meta { id, epoch: 1 }
    } else {
        let last = Meta::read(disk, folder)?;
        Meta {
            epoch: last.epoch + 1,
            ..last
        }
    };
    meta.write(disk, folder)?;
    Ok(meta)
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

/// Opens the last segment for appending. What was read is durable from here on: a killed process may have left its last
/// batch in the page cache only.
fn open_end(disk: &dyn Disk, folder: &Path, last: &SegmentIndex) -> Result<Box<dyn DiskFile>> {
    let file = disk.open(&last.path).explain("open", &last.path)?;
    file.sync().explain("sync", &last.path)?;
    disk.sync_folder(folder).explain("sync", folder)?;
    Ok(file)
}

impl Shared {
    fn append(&self, records: Vec<Vec<u8>>) -> Result<u64> {
        let size = batch::size_of(&records);
        if records.is_empty() || size > self.max_batch_bytes {
            let message = format!("a batch of {} records and {size} bytes", records.len());
            return Err(Error::invalid("JOURNAL_BATCH", message).with("max_bytes", self.max_batch_bytes));
        }
        let mut writer = self.writer.lock();
        if writer.poisoned {
            return Err(poisoned("an earlier write or sync failed"));
        }
        // Whatever happens between here and the end leaves the disk in doubt.
        writer.poisoned = true;
        let first = writer.next;
        let (bytes, chain) = batch::encode(&records, first, self.meta.epoch, writer.chain);
        let offset = self.write(&mut writer, &bytes).map_err(|error| match error.reason() {
            "JOURNAL_SUPERSEDED" => error,
            _ => poisoned(error.message()),
        })?;
        writer.end = offset + size;
        writer.next += records.len() as u64;
        writer.chain = chain;
        writer.poisoned = false;
        self.reader.publish(first, offset, writer.end, records);
        Ok(first)
    }

    /// Refuses a writer whose lock was lost and whose journal somebody else has opened since.
    ///
    /// The lock is the fence: while it is held nobody opens the journal. This notices a lock that did not hold, because its
    /// file was removed or the folder is shared between machines.
    fn check_epoch(&self) -> Result<()> {
        let epoch = Meta::read(&*self.disk, &self.folder)?.epoch;
        if epoch == self.meta.epoch {
            return Ok(());
        }
        let message = format!(
            "the journal was opened under epoch {epoch}, this writer's is {}",
            self.meta.epoch
        );
        Err(Error::internal("JOURNAL_SUPERSEDED", message))
    }

    /// One write and one sync; a new segment before it if this one is full. Answers where the batch begins.
    fn write(&self, writer: &mut Writer, bytes: &[u8]) -> Result<u64> {
        self.check_epoch()?;
        let is_full = writer.end > segment::HEADER && writer.end + bytes.len() as u64 > writer.segment_bytes;
        let open = if is_full { None } else { writer.file.take() };
        let file = match open {
            Some(file) => file,
            None => {
                let first = writer.next;
                let file = segment::create(&*self.disk, &self.folder, self.meta.id, first, writer.chain)?;
                writer.path = segment::path(&self.folder, first);
                writer.end = segment::HEADER;
                self.reader.began_segment(SegmentIndex::new(writer.path.clone(), first));
                file
            }
        };
        file.write_at(bytes, writer.end).explain("write", &writer.path)?;
        file.sync().explain("sync", &writer.path)?;
        // An owner who began since has not read this batch: it must not be acknowledged.
        self.check_epoch()?;
        writer.file = Some(file);
        Ok(writer.end)
    }

    fn snapshot(&self, sequence: u64, state: &[u8]) -> Result<()> {
        let last = self.reader.last_durable();
        if sequence > last {
            let message = format!("a snapshot at {sequence} of a journal that ends at {last}");
            return Err(Error::invalid("JOURNAL_SEQUENCE", message));
        }
        self.check_epoch()?;
        snapshot::write(&*self.disk, &self.folder, self.meta.id, sequence, state)
    }

    fn verify(&self) -> Result<Verified> {
        // Nothing is written meanwhile.
        let writer = self.writer.lock();
        let firsts = self.reader.segment_firsts();
        let walk = recovery::walk(&*self.disk, &self.folder, &firsts, self.meta.id, self.meta.epoch)?;
        if walk.next < writer.next {
            let path = walk.segments.last().map_or(&self.folder, |segment| &segment.path);
            let end = walk.incomplete.map_or(0, |(offset, _)| offset);
            return Err(super::failure::damaged(
                path,
                end,
                "records that were durable are missing",
            ));
        }
        Ok(Verified {
            last_sequence: walk.next - 1,
            batches: walk.batches,
            bytes: walk.bytes,
        })
    }
}

fn poisoned(why: &str) -> Error {
    Error::internal("JOURNAL_POISONED", format!("the journal takes no more records: {why}"))
}

/// Runs what blocks outside the async threads.
async fn blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    deed: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
) -> Result<T> {
    if !shared.disk.blocks() {
        return deed(shared);
    }
    let shared = Arc::clone(shared);
    match tokio::task::spawn_blocking(move || deed(&shared)).await {
        Ok(result) => result,
        Err(error) => Err(poisoned(&error.to_string())),
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn append(&mut self, records: Vec<Vec<u8>>) -> Result<u64> {
        blocking(&self.shared, move |shared| shared.append(records)).await
    }

    fn id(&self) -> [u8; 16] {
        self.shared.meta.id
    }

    fn epoch(&self) -> u64 {
        self.shared.meta.epoch
    }

    fn next_sequence(&self) -> u64 {
        self.shared.reader.last_durable() + 1
    }

    fn reader(&self) -> Arc<dyn JournalReader> {
        Arc::clone(&self.shared.reader) as Arc<dyn JournalReader>
    }

    async fn snapshot(&mut self, sequence: u64, state: Vec<u8>) -> Result<()> {
        blocking(&self.shared, move |shared| shared.snapshot(sequence, &state)).await
    }

    fn latest_snapshot(&self) -> Result<Option<(u64, Vec<u8>)>> {
        let shared = &self.shared;
        let last = shared.reader.last_durable();
        snapshot::latest(&*shared.disk, &shared.folder, shared.meta.id, last)
    }

    async fn verify(&self) -> Result<Verified> {
        blocking(&self.shared, Shared::verify).await
    }
}
