//! The disk and the journal as a process sees them: the kit's simulated disk with a watcher between, and the real file
//! journal with time before and after its work, so that a crash finds it there.

use super::states::State;
use super::world::{Planted, World};
use async_trait::async_trait;
use mesh::Result;
use mesh::journal::testing::SimulatedDisk;
use mesh::journal::{Disk, DiskFile, FileJournal, Journal, JournalReader, Snapshot, Snapshots, Verified};
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use trading::core::Event;

/// Where the journal stands in an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Nothing is being written.
    #[default]
    Idle,
    /// A batch waits to be written.
    Before,
    /// A batch is durable, and the shard does not know it yet.
    Synced,
}

/// The disk as one process sees it.
pub(crate) struct ProcessDisk {
    pub(crate) disk: SimulatedDisk,
    pub(crate) world: World,
    /// What `meta` held when this process opened the journal: a process without an epoch check sees nothing else.
    pub(crate) first_meta: Mutex<Option<Vec<u8>>>,
}

impl ProcessDisk {
    /// Traces a deed, and notes when the power goes in it.
    fn watch<T>(&self, deed: &str, path: &Path, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        watch(&self.world, &self.disk, deed, path, run)
    }
}

fn watch<T>(
    world: &World,
    disk: &SimulatedDisk,
    deed: &str,
    path: &Path,
    run: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let was_off = disk.is_off();
    let done = run();
    if disk.is_off() && !was_off {
        let is_batch = deed == "sync" && path.extension().is_some_and(|extension| extension == "segment");
        world.note(if is_batch {
            State::CrashWriteSync
        } else {
            State::CrashElsewhere
        });
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    world.trace.line(format_args!(
        "disk {deed} {} {}",
        name.unwrap_or_default(),
        if done.is_ok() { "done" } else { "failed" }
    ));
    done
}

impl Disk for ProcessDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_folder(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(path)?;
        let is_meta = path.file_name().is_some_and(|name| name == "meta");
        if is_meta && self.world.planted == Some(Planted::NoEpochCheck) {
            let mut first = self.first_meta.lock();
            return match &*first {
                Some(bytes) => Ok(Box::new(Remembered(bytes.clone()))),
                None => {
                    // The journal reads it once to begin its epoch, and writes it; from then on it is its own.
                    *first = Some(Vec::new());
                    Ok(file)
                }
            };
        }
        Ok(Box::new(ProcessFile {
            file,
            path: path.to_path_buf(),
            disk: self.disk.clone(),
            world: self.world.clone(),
        }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.watch("create", path, || self.disk.create(path))?;
        Ok(Box::new(ProcessFile {
            file,
            path: path.to_path_buf(),
            disk: self.disk.clone(),
            world: self.world.clone(),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.watch("rename", to, || self.disk.rename(from, to))?;
        if to.file_name().is_some_and(|name| name == "meta") {
            *self.first_meta.lock() = Some(self.disk.content(to));
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.watch("remove", path, || self.disk.remove(path))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.watch("sync folder", folder, || self.disk.sync_folder(folder))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.disk.lock(path)
    }

    fn blocks(&self) -> bool {
        false
    }
}

struct ProcessFile {
    file: Box<dyn DiskFile>,
    path: std::path::PathBuf,
    disk: SimulatedDisk,
    world: World,
}

impl ProcessFile {
    fn watch<T>(&self, deed: &str, run: impl FnOnce(&dyn DiskFile) -> io::Result<T>) -> io::Result<T> {
        watch(&self.world, &self.disk, deed, &self.path, || run(&*self.file))
    }
}

impl DiskFile for ProcessFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.watch("write", |file| file.write_at(bytes, offset))
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.watch("cut", |file| file.truncate(size))
    }

    fn allocate(&self, from: u64, end: u64) -> io::Result<()> {
        self.file.allocate(from, end)
    }

    fn sync(&self) -> io::Result<()> {
        self.watch("sync", |file| file.sync())
    }
}

/// A file as it was once.
struct Remembered(Vec<u8>);

impl DiskFile for Remembered {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let start = offset as usize;
        let found = self.0.get(start..start + bytes.len());
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The file journal, with time before and after each append.
pub(crate) struct SlowJournal {
    pub(crate) journal: FileJournal,
    pub(crate) world: World,
    /// A batch that was called durable and is not written yet: only with a bug planted.
    pub(crate) owed: Option<Vec<Vec<u8>>>,
}

impl SlowJournal {
    async fn write(&mut self, records: Vec<Vec<u8>>) -> Result<u64> {
        let mut events = records.iter().filter_map(|record| trading::codec::decode(record).ok());
        let fires = events.any(|record| matches!(record.event, Event::Triggered(_)));
        self.world.fires.store(fires, Ordering::Relaxed);
        *self.world.phase.lock() = Phase::Before;
        self.world.clock.sleep(self.world.span(1_500)).await;
        let copy = records.clone();
        let first = self.journal.append(records).await?;
        self.durable(&copy);
        *self.world.phase.lock() = Phase::Synced;
        self.world.clock.sleep(self.world.span(1_000)).await;
        *self.world.phase.lock() = Phase::Idle;
        Ok(first)
    }

    /// Remembers which intents may be acted on.
    fn durable(&self, records: &[Vec<u8>]) {
        let mut flight = self.world.flight.lock();
        let events = records.iter().filter_map(|record| trading::codec::decode(record).ok());
        for record in events {
            if let Event::Intent(intent) = record.event
                && !intent.cancel
            {
                flight.intended.insert(intent.venue_id);
            }
        }
    }
}

#[async_trait]
impl Journal for SlowJournal {
    async fn append(&mut self, records: Vec<Vec<u8>>) -> Result<u64> {
        if self.world.planted != Some(Planted::AcknowledgeBeforeSync) {
            return self.write(records).await;
        }
        let mut first = self.journal.next_sequence();
        if let Some(owed) = self.owed.take() {
            first += owed.len() as u64;
            self.write(owed).await?;
        }
        self.owed = Some(records);
        Ok(first)
    }

    fn id(&self) -> [u8; 16] {
        self.journal.id()
    }

    fn epoch(&self) -> u64 {
        self.journal.epoch()
    }

    fn next_sequence(&self) -> u64 {
        self.journal.next_sequence()
    }

    fn reader(&self) -> Arc<dyn JournalReader> {
        self.journal.reader()
    }

    async fn has_room(&mut self, bytes: u64) -> Result<bool> {
        self.journal.has_room(bytes).await
    }

    fn snapshots(&self) -> Option<Arc<dyn Snapshots>> {
        let snapshots = self.journal.snapshots()?;
        let world = self.world.clone();
        Some(Arc::new(CountedSnapshots { snapshots, world }))
    }

    async fn verify(&self) -> Result<Verified> {
        self.journal.verify().await
    }
}

/// The journal's snapshots, counted.
struct CountedSnapshots {
    snapshots: Arc<dyn Snapshots>,
    world: World,
}

impl Snapshots for CountedSnapshots {
    fn write(&self, sequence: u64, state: &[u8]) -> Result<()> {
        self.snapshots.write(sequence, state)?;
        self.world.note(State::SnapshotTaken);
        Ok(())
    }

    fn newest(&self, at_most: u64) -> Result<Option<Snapshot>> {
        self.snapshots.newest(at_most)
    }

    fn blocks(&self) -> bool {
        self.snapshots.blocks()
    }
}
