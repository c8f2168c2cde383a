//! All that a journal asks of a disk, so that a simulated one may lose, tear and refuse.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::FallocateFlags;

/// Folders and names.
pub trait Disk: Send + Sync {
    /// Makes the folder and its parents.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// The names in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Opens a file to read and write.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Makes an empty file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Gives a file another name, replacing what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Takes the exclusive lock of a file, made if absent, until the answer is dropped; `WouldBlock` while another has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
    /// A sign of the file that has this name now, which another file put in its place does not have. `None`: there is none
    /// that costs less than reading the file.
    fn sign(&self, path: &Path) -> io::Result<Option<FileSign>> {
        let _ = path;
        Ok(None)
    }
    /// Whether a call may take long, so that it is made outside the async threads. A disk in memory says no, and then the
    /// order of everything is the caller's.
    fn blocks(&self) -> bool {
        true
    }
}

/// Device, inode, and when that inode last changed, in seconds and nanoseconds.
pub type FileSign = (u64, u64, i64, i64);

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Bytes in the file.
    fn size(&self) -> io::Result<u64>;
    /// Fills `bytes` from `offset` on; `UnexpectedEof` when the file ends before.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts the file, and gives back whatever room was set aside beyond.
    fn truncate(&self, size: u64) -> io::Result<()>;
    /// Sets room aside for the bytes `from` to `end`, so that writing them cannot fail for want of it. The size stays.
    ///
    /// # Errors
    /// One that [`is_full`]; `Unsupported` where the file system sets nothing aside.
    fn allocate(&self, from: u64, end: u64) -> io::Result<()>;
    /// Makes the content and the size durable.
    fn sync(&self) -> io::Result<()>;
}

/// Whether an error says that there is no room: nothing is broken, and there may be room later.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn sign(&self, path: &Path) -> io::Result<Option<FileSign>> {
        let of = std::fs::metadata(path)?;
        Ok(Some((of.dev(), of.ino(), of.ctime(), of.ctime_nsec())))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn allocate(&self, from: u64, end: u64) -> io::Result<()> {
        let length = end.saturating_sub(from);
        let deed = || rustix::fs::fallocate(self, FallocateFlags::KEEP_SIZE, from, length);
        Ok(rustix::io::retry_on_intr(deed)?)
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync: it also makes a changed size durable.
        self.sync_data()
    }
}
