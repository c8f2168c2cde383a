//! Snapshots beside the segments.
//!
//! ```text
//! magic     8  "TMJSNP02"
//! id       16  of the journal
//! sequence  8  of the last record in it
//! chain    16  chain value of the batch that ends there: a snapshot of another history is not used
//! crc       4  CRC-32C of all the bytes above but the magic, and of the state
//! state     …
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::batch::Chain;
use super::disk::{Disk, DiskFile};
use super::failure::Explain;
use super::meta::Meta;
use super::reader::FileReader;
use super::segment::{read_whole, write_whole};
use super::{Snapshot, Snapshots, batch};
use crate::error::{Error, Result};

const MAGIC: [u8; 8] = *b"TMJSNP02";
const SUFFIX: &str = ".snapshot";
const HEADER: usize = 52;
/// The newest, and the one before in case the newest is damaged.
const KEPT: usize = 2;
/// So much is written and synced at once: a sync of the journal waits for no more of a snapshot than this.
const PIECE: usize = 128 * 1024;

/// The snapshots of a [`super::FileJournal`].
pub(super) struct FileSnapshots {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) id: [u8; 16],
    pub(super) epoch: u64,
    pub(super) reader: Arc<FileReader>,
    /// One at a time.
    pub(super) writing: Mutex<()>,
}

impl Snapshots for FileSnapshots {
    fn write(&self, sequence: u64, state: &[u8]) -> Result<()> {
        let _one_at_a_time = self.writing.lock();
        let last = self.reader.last_durable();
        let chain = match sequence <= last {
            true => self.reader.chain_at(sequence)?,
            false => None,
        };
        let Some(chain) = chain else {
            let message = format!("a snapshot at {sequence}, where no durable batch of {last} records ends");
            return Err(Error::invalid("JOURNAL_SEQUENCE", message));
        };
        Meta::check_epoch(&*self.disk, &self.folder, self.epoch)?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&self.id);
        header.extend_from_slice(&sequence.to_le_bytes());
        header.extend_from_slice(&chain);
        let crc = crc32c::crc32c_append(crc32c::crc32c(&header[8..]), state);
        header.extend_from_slice(&crc.to_le_bytes());
        let path = path(&self.folder, sequence);
        write_whole(&*self.disk, &self.folder, &path, |file| {
            write_in_pieces(file, &header, state)
        })
        .explain("write", &path)?;
        let sequences = list(&*self.disk, &self.folder)?;
        for old in &sequences[..sequences.len().saturating_sub(KEPT)] {
            let path = self::path(&self.folder, *old);
            self.disk.remove(&path).explain("remove", &path)?;
        }
        Ok(())
    }

    fn newest(&self, at_most: u64) -> Result<Option<Snapshot>> {
        let last = at_most.min(self.reader.last_durable());
        for sequence in list(&*self.disk, &self.folder)?.into_iter().rev() {
            if sequence > last {
                continue;
            }
            let Some((chain, state)) = read(&*self.disk, &self.folder, self.id, sequence)? else {
                continue;
            };
            if self.reader.chain_at(sequence)? == Some(chain) {
                return Ok(Some(Snapshot { sequence, state }));
            }
            tracing::warn!(sequence, "snapshot is of another history and is not used");
        }
        Ok(None)
    }

    fn blocks(&self) -> bool {
        self.disk.blocks()
    }
}

fn write_in_pieces(file: &dyn DiskFile, header: &[u8], state: &[u8]) -> std::io::Result<()> {
    file.write_at(header, 0)?;
    let mut offset = header.len() as u64;
    for piece in state.chunks(PIECE) {
        file.write_at(piece, offset)?;
        file.sync()?;
        offset += piece.len() as u64;
    }
    file.sync()
}

fn path(folder: &Path, sequence: u64) -> PathBuf {
    folder.join(format!("{sequence:020}{SUFFIX}"))
}

fn parse_name(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX)?.parse().ok()
}

/// The sequences of the snapshots, oldest first.
pub(super) fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<u64>> {
    let names = disk.list(folder).explain("list", folder)?;
    Ok(names.iter().filter_map(|name| parse_name(name)).collect())
}

/// The chain value and the state of a snapshot; none when it is damaged.
pub(super) fn read(disk: &dyn Disk, folder: &Path, id: [u8; 16], sequence: u64) -> Result<Option<(Chain, Vec<u8>)>> {
    let path = path(folder, sequence);
    let mut bytes = read_whole(disk, &path)?;
    let Some(chain) = check(&bytes, id, sequence) else {
        tracing::warn!(file = %path.display(), "snapshot is damaged and is not used");
        return Ok(None);
    };
    Ok(Some((chain, bytes.split_off(HEADER))))
}

fn check(bytes: &[u8], id: [u8; 16], sequence: u64) -> Option<Chain> {
    let (header, state) = bytes.split_at_checked(HEADER)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[8..48]), state);
    let intact = header[..8] == MAGIC
        && header[8..24] == id
        && header[24..32] == sequence.to_le_bytes()
        && header[48..] == crc.to_le_bytes();
    let mut chain = batch::GENESIS;
    chain.copy_from_slice(&header[32..48]);
    intact.then_some(chain)
}
