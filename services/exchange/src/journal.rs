//! The venue's records on disk.

use crate::actor::Disk;
use crate::config::Config;
use crate::core::ledger::Ledger;
use crate::surface;
use async_trait::async_trait;
use mesh::journal::{FileJournal, FileJournalOptions, Journal};
use std::path::Path;

/// Records read at a time.
const PAGE: usize = 8_192;
/// Bytes of one append: a request changes all that it changes or nothing, and one may cancel as many orders as an account may
/// have.
const MAX_BATCH: u64 = 1 << 30;

/// A journal as the actor uses it.
pub struct Journalled(FileJournal);

#[async_trait]
impl Disk for Journalled {
    async fn append(&mut self, records: Vec<Vec<u8>>) -> Result<(), String> {
        self.0
            .append(records)
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

/// Opens the journal in `folder`, and folds what it holds. Blocks on the disk.
///
/// # Errors
/// Those of the journal, and `INTERNAL / EXCHANGE_RECORD` for a record that this version cannot read.
pub fn open(folder: &Path, config: &Config) -> mesh::Result<(Journalled, Ledger)> {
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
    let reader = journal.reader();
    let mut ledger = surface::replay(config, []).map_err(unreadable)?;
    let mut next = 1;
    while next < journal.next_sequence() {
        let records = reader.read(next, PAGE)?;
        let Some((last, _)) = records.last() else { break };
        next = last + 1;
        surface::fold(&mut ledger, records.into_iter().map(|(_, bytes)| bytes)).map_err(unreadable)?;
    }
    Ok((Journalled(journal), ledger))
}

fn unreadable(reason: String) -> mesh::Error {
    mesh::Error::internal("EXCHANGE_RECORD", reason)
}

#[cfg(test)]
mod tests {
    use super::open;
    use crate::actor::Disk;
    use crate::config::Config;
    use mesh::journal::Journal;

    #[tokio::test]
    async fn what_one_request_changes_is_one_append_however_much_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path(), &Config::default()).unwrap();
        journal.append(vec![vec![7; 1 << 20]; 40]).await.unwrap();
        assert_eq!(journal.0.verify().await.unwrap().batches, 1);
    }
}
