//! One file with group commit: a thread writes all records that wait, syncs once, and then tells all who wait.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Zeros are written in pieces of so many bytes.
const PIECE: usize = 1024 * 1024;
/// Pieces that are written before the first record. A file that grows is a change that the file system journals, and a sync
/// waits for it; the platform's journals write zeros ahead for the same reason.
const PIECES: usize = 32;

/// A record that waits to be durable.
#[derive(Debug)]
struct Append {
    record: String,
    /// Dropped without a word when it is not durable.
    durable: oneshot::Sender<()>,
}

/// The way to the thread that writes. It ends when this is dropped, or the file takes no more.
#[derive(Debug)]
pub(super) struct Log {
    appends: mpsc::Sender<Append>,
}

impl Log {
    /// A log in a new file, with room for the records.
    ///
    /// # Errors
    /// When the file cannot be made or written.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        let mut file = File::create(path)?;
        for _ in 0..PIECES {
            file.write_all(&vec![0; PIECE])?;
        }
        file.sync_all()?;
        file.rewind()?;
        Ok(Self::over(file))
    }

    /// A log that is written from where the file stands.
    pub(super) fn over(mut file: File) -> Self {
        let (appends, waiting) = mpsc::channel();
        std::thread::spawn(move || {
            if let Err(error) = write_groups(&mut file, &waiting) {
                eprintln!("bare: the log takes no more records: {error}");
            }
        });
        Self { appends }
    }

    /// Appends a record. Returns whether it is durable.
    pub(super) async fn append(&self, record: String) -> bool {
        let (durable, is_durable) = oneshot::channel();
        self.appends.send(Append { record, durable }).is_ok() && is_durable.await.is_ok()
    }
}

fn write_groups(file: &mut File, waiting: &mpsc::Receiver<Append>) -> std::io::Result<()> {
    while let Ok(first) = waiting.recv() {
        let group: Vec<Append> = std::iter::once(first).chain(waiting.try_iter()).collect();
        let bytes: Vec<u8> = group.iter().flat_map(|append| append.record.bytes()).collect();
        file.write_all(&bytes)?;
        file.sync_data()?;
        for append in group {
            // Whoever asked may have gone.
            let _ = append.durable.send(());
        }
    }
    Ok(())
}
