//! A disk in memory that loses what was not synced, tears writes at sectors, forgets names, fills up, and fails when told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile};
use crate::time::Chance;

const SECTOR: usize = 512;

/// The disk; clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    contents: Vec<Content>,
    /// Who holds a lock: a lost one is not given back by its old holder.
    locks: BTreeMap<PathBuf, u64>,
    next_lock: u64,
    /// Counts crashes: what was open before one is useless after it.
    life: u32,
    writes_until_failure: Option<u32>,
    syncs_until_failure: Option<u32>,
    changes_until_cut: Option<u32>,
    is_off: bool,
    /// Bytes that are free; none is a disk without end.
    free: Option<u64>,
}

#[derive(Debug, Default, Clone)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes that it owns, its content included.
    allocated: u64,
}

impl State {
    /// Gives a file room up to `end`.
    fn take(&mut self, id: usize, end: u64) -> io::Result<()> {
        let more = end.saturating_sub(self.contents[id].allocated);
        if let Some(free) = &mut self.free {
            *free = free.checked_sub(more).ok_or(io::ErrorKind::StorageFull)?;
        }
        self.contents[id].allocated += more;
        Ok(())
    }

    /// Takes back what a file owns beyond `end`.
    fn give_back(&mut self, id: usize, end: u64) {
        let less = self.contents[id].allocated.saturating_sub(end);
        self.contents[id].allocated -= less;
        self.free = self.free.map(|free| free + less);
    }

    fn forget(&mut self, id: usize) {
        if !self.names.values().any(|&named| named == id) {
            self.give_back(id, 0);
        }
    }
}

impl SimulatedDisk {
    /// From now on so many bytes are free.
    pub fn set_free(&self, bytes: Option<u64>) {
        self.state.lock().free = bytes;
    }

    /// The bytes that are free, where that is bounded.
    pub fn free(&self) -> Option<u64> {
        self.state.lock().free
    }

    /// After so many further writes, one fails halfway.
    pub fn fail_write_after(&self, writes: u32) {
        self.state.lock().writes_until_failure = Some(writes);
    }

    /// After so many further syncs of files or folders, one fails.
    pub fn fail_sync_after(&self, syncs: u32) {
        self.state.lock().syncs_until_failure = Some(syncs);
    }

    /// After so many further changes and syncs the power goes in the middle of one; then nothing works until
    /// [`SimulatedDisk::crash`] says what is left.
    pub fn cut_power_after(&self, changes: u32) {
        self.state.lock().changes_until_cut = Some(changes);
    }

    /// Forgets what was to fail.
    pub fn spare(&self) {
        let mut state = self.state.lock();
        state.writes_until_failure = None;
        state.syncs_until_failure = None;
        state.changes_until_cut = None;
    }

    /// Whether the power has gone.
    pub fn is_off(&self) -> bool {
        self.state.lock().is_off
    }

    /// Frees every lock while its holder goes on working, as a lock does that is a lease, or whose file was removed.
    pub fn lose_locks(&self) {
        self.state.lock().locks.clear();
    }

    /// Cuts the power: of what was not synced, each sector and each name may survive or not. Locks are free again.
    pub fn crash(&self, chance: &Chance) {
        let mut state = self.state.lock();
        state.life += 1;
        state.is_off = false;
        state.changes_until_cut = None;
        state.locks.clear();
        for content in &mut state.contents {
            content.now = torn(content, chance);
            content.durable = content.now.clone();
        }
        let (old, new) = (state.durable_names.clone(), state.names.clone());
        let paths: BTreeSet<&PathBuf> = old.keys().chain(new.keys()).collect();
        let mut names = BTreeMap::new();
        for path in paths {
            let side = if chance.below(2) == 0 { &old } else { &new };
            names.extend(side.get(path).map(|&id| (path.clone(), id)));
        }
        state.durable_names.clone_from(&names);
        state.names = names;
    }

    /// What a file holds.
    pub fn content(&self, path: &Path) -> Vec<u8> {
        let state = self.state.lock();
        state
            .names
            .get(path)
            .map_or_else(Vec::new, |&id| state.contents[id].now.clone())
    }

    /// Replaces what a file holds, durably.
    pub fn set_content(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state.lock();
        let id = state.contents.len();
        let allocated = bytes.len() as u64;
        state.contents.push(Content {
            now: bytes.clone(),
            durable: bytes,
            allocated,
        });
        state.names.insert(path.to_path_buf(), id);
        state.durable_names.insert(path.to_path_buf(), id);
    }

    /// Every file.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state.lock().names.keys().cloned().collect()
    }
}

/// What is on the platter when the power goes: each changed sector is the old one or the new one.
fn torn(content: &Content, chance: &Chance) -> Vec<u8> {
    let (old, new) = (content.durable.len(), content.now.len());
    let between = old.min(new) + chance.below(old.abs_diff(new) as u64 + 1) as usize;
    let size = [old, new, between / SECTOR * SECTOR][chance.below(3) as usize].clamp(old.min(new), old.max(new));
    let mut bytes = content.durable.clone();
    bytes.resize(size, 0);
    for (index, sector) in bytes.chunks_mut(SECTOR).enumerate() {
        let start = index * SECTOR;
        let new = content
            .now
            .get(start..(start + sector.len()).min(content.now.len()))
            .unwrap_or_default();
        if new.len() == sector.len() && chance.below(2) == 0 {
            sector.copy_from_slice(new);
        }
    }
    bytes
}

fn due(countdown: &mut Option<u32>) -> bool {
    match countdown {
        Some(0) => {
            *countdown = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

struct SimulatedFile {
    state: Arc<Mutex<State>>,
    id: usize,
    life: u32,
}

impl SimulatedFile {
    fn with<T>(&self, deed: impl FnOnce(&mut State, usize) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        if state.life != self.life {
            return Err(off());
        }
        state.check_power()?;
        deed(&mut state, self.id)
    }
}

fn off() -> io::Error {
    io::Error::other("the machine that had this file open is off")
}

impl State {
    fn check_power(&self) -> io::Result<()> {
        if self.is_off { Err(off()) } else { Ok(()) }
    }

    /// Counts a change or a sync; an error when the power goes at it.
    fn change(&mut self) -> io::Result<()> {
        self.check_power()?;
        self.is_off = due(&mut self.changes_until_cut);
        self.check_power()
    }
}

struct Lock {
    state: Arc<Mutex<State>>,
    path: PathBuf,
    life: u32,
    number: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if state.life == self.life && state.locks.get(&self.path) == Some(&self.number) {
            state.locks.remove(&self.path);
        }
    }
}

impl SimulatedDisk {
    fn file(&self, state: &State, id: usize) -> Box<dyn DiskFile> {
        Box::new(SimulatedFile {
            state: Arc::clone(&self.state),
            id,
            life: state.life,
        })
    }
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        state.check_power()?;
        let here = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(here
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.state.lock();
        state.check_power()?;
        let id = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(&state, id))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        state.change()?;
        let old = state.names.remove(path);
        old.into_iter().for_each(|id| state.forget(id));
        let id = state.contents.len();
        state.contents.push(Content::default());
        state.names.insert(path.to_path_buf(), id);
        Ok(self.file(&state, id))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change()?;
        let id = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        let old = state.names.insert(to.to_path_buf(), id);
        old.into_iter().for_each(|id| state.forget(id));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change()?;
        let id = state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.forget(id);
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change()?;
        if due(&mut state.syncs_until_failure) {
            return Err(io::Error::other("simulated: sync failed"));
        }
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.state.lock();
        state.check_power()?;
        if state.locks.contains_key(path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.next_lock += 1;
        let number = state.next_lock;
        state.locks.insert(path.to_path_buf(), number);
        Ok(Box::new(Lock {
            state: Arc::clone(&self.state),
            path: path.to_path_buf(),
            life: state.life,
            number,
        }))
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl DiskFile for SimulatedFile {
    fn size(&self) -> io::Result<u64> {
        self.with(|state, id| Ok(state.contents[id].now.len() as u64))
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.with(|state, id| {
            let start = offset as usize;
            let found = state.contents[id].now.get(start..start + bytes.len());
            bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with(|state, id| {
            let fails = due(&mut state.writes_until_failure);
            let bytes = if fails { &bytes[..bytes.len() / 2] } else { bytes };
            let start = offset as usize;
            state.take(id, offset + bytes.len() as u64)?;
            let content = &mut state.contents[id].now;
            content.resize(content.len().max(start + bytes.len()), 0);
            content[start..start + bytes.len()].copy_from_slice(bytes);
            if fails {
                return Err(io::Error::other("simulated: write failed"));
            }
            // The power goes after the write: how much of it is left is for the crash to say.
            state.change()
        })
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.with(|state, id| {
            state.change()?;
            state.contents[id].now.resize(size as usize, 0);
            state.give_back(id, size);
            Ok(())
        })
    }

    fn allocate(&self, _from: u64, end: u64) -> io::Result<()> {
        self.with(|state, id| {
            state.change()?;
            state.take(id, end)
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|state, id| {
            state.change()?;
            if due(&mut state.syncs_until_failure) {
                return Err(io::Error::other("simulated: sync failed"));
            }
            let content = &mut state.contents[id];
            content.durable.clone_from(&content.now);
            Ok(())
        })
    }
}
