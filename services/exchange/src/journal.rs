//! The venue's records on disk, and snapshots of what they add up to.

use crate::actor::Disk;
use crate::config::Config;
use crate::core::ledger::Ledger;
use crate::core::venue;
use crate::snapshot::{self, Folded};
use crate::surface;
use async_trait::async_trait;
use mesh::journal::{
    FileJournal, FileJournalOptions, Fold, History, Journal, Snapshotter, aside, from_snapshot, replay, write_snapshot,
};
use mesh::{Error, Result};
use std::path::Path;

/// Bytes of one append: a request changes all that it changes or nothing, and one may cancel as many orders as an account may
/// have.
const MAX_BATCH: u64 = 1 << 30;

/// A journal as the actor uses it.
pub struct Journalled {
    journal: FileJournal,
    snapshot: u64,
}

impl Journalled {
    /// The sequence of the snapshot that the ledger was opened from; 0 when all records were read.
    pub fn snapshot(&self) -> u64 {
        self.snapshot
    }

    /// What the opening has not read of the journal, since a snapshot stands for it.
    pub fn history(&self) -> Option<History> {
        self.journal.history()
    }

    /// What takes snapshots beside the venue.
    pub fn snapshotter(&self, config: &Config) -> Option<Snapshotter<Folded>> {
        self.journal.snapshots().map(|snapshots| Snapshotter {
            reader: self.journal.reader(),
            snapshots,
            empty: empty(config),
            every: config.snapshot_records,
        })
    }

    /// A clean end leaves a snapshot: the next start reads nothing else.
    fn close(self, ledger: Ledger) -> Result<()> {
        let Some(snapshots) = self.journal.snapshots() else {
            return Ok(());
        };
        let newest = snapshots.newest(u64::MAX)?.map_or(0, |newest| newest.sequence);
        let sequence = self.journal.next_sequence() - 1;
        if sequence > newest {
            write_snapshot(&*snapshots, &Folded { sequence, ledger });
        }
        // The journal's lock is held until the snapshot is whole.
        drop(self);
        Ok(())
    }
}

#[async_trait]
impl Disk for Journalled {
    async fn append(&mut self, records: Vec<Vec<u8>>) -> std::result::Result<(), String> {
        self.journal
            .append(records)
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    async fn end(self: Box<Self>, ledger: Ledger) {
        if let Err(error) = aside(true, move || self.close(ledger)).await {
            tracing::error!(%error, "no snapshot at the end: the next start reads more");
        }
    }
}

impl Fold for Folded {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    /// # Errors
    /// `INTERNAL / EXCHANGE_RECORD`, naming the sequence.
    fn apply(&mut self, sequence: u64, record: &[u8]) -> Result<()> {
        surface::fold(&mut self.ledger, record)
            .map_err(|reason| Error::internal("EXCHANGE_RECORD", reason).with("sequence", sequence))?;
        self.sequence = sequence;
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>> {
        snapshot::encode(self)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Folded> {
        snapshot::decode(bytes, &self.ledger)
    }

    fn snapshot_written(&self, outcome: &Result<()>) {
        let sequence = self.sequence;
        match outcome {
            Ok(()) => {
                metrics::counter!("exchange_snapshots_total").increment(1);
                tracing::info!(sequence, "snapshot taken");
            }
            Err(error) => {
                metrics::counter!("exchange_snapshot_failures_total").increment(1);
                tracing::error!(sequence, %error, "a snapshot could not be taken");
            }
        }
    }
}

/// Opens the journal in `folder`, and folds what it holds: the newest snapshot that can be used, and the records after it.
/// Blocks on the disk.
///
/// # Errors
/// Those of the journal, and `INTERNAL / EXCHANGE_RECORD` for a record that this version cannot read.
pub fn open(folder: &Path, config: &Config) -> Result<(Journalled, Ledger)> {
    let options = FileJournalOptions {
        max_batch_bytes: MAX_BATCH,
        ..FileJournalOptions::default()
    };
    let (journal, recovery) = FileJournal::open(folder, options)?;
    if recovery.cut_bytes > 0 {
        tracing::warn!(
            bytes = recovery.cut_bytes,
            "an incomplete last batch was cut from the journal"
        );
    }
    let mut folded = from_snapshot(journal.snapshots().as_deref(), empty(config))?;
    let snapshot = folded.sequence;
    replay(&mut folded, &*journal.reader())?;
    tracing::info!(from = snapshot, to = folded.sequence, "journal replayed");
    Ok((Journalled { journal, snapshot }, folded.ledger))
}

fn empty(config: &Config) -> Folded {
    Folded {
        sequence: 0,
        ledger: venue::ledger(&config.options()),
    }
}

#[cfg(test)]
mod tests;
