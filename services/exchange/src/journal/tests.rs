use super::{Journalled, open};
use crate::actor::Disk;
use crate::codec;
use crate::config::Config;
use crate::core::ledger::{Ledger, Record};
use mesh::journal::{Fold, Journal};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn config() -> Config {
    Config {
        symbols: 3,
        ..Config::default()
    }
}

#[tokio::test]
async fn what_one_request_changes_is_one_append_however_much_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), &config()).unwrap();
    journal.append(vec![vec![7; 1 << 20]; 40]).await.unwrap();
    assert_eq!(journal.journal.verify().await.unwrap().batches, 1);
}

/// Accounts opened one by one, up to the `last` record.
async fn fill(journal: &mut Journalled, last: u64) {
    for number in journal.journal.next_sequence()..=last {
        let opened = Record::Opened {
            account: format!("paper-{number}"),
            balances: BTreeMap::from([("USDT".to_owned(), i128::from(number))]),
        };
        journal.append(vec![codec::encode(&opened)]).await.unwrap();
    }
}

async fn take(journal: &Journalled, config: &Config) {
    let snapshotter = journal.snapshotter(config).unwrap();
    snapshotter.take().await.unwrap();
}

fn snapshots(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut found: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|end| end == "snapshot"))
        .collect();
    found.sort();
    found
}

/// Where a start begins to read, and what it comes to.
fn started(folder: &Path, config: &Config) -> (u64, Ledger) {
    let (journal, ledger) = open(folder, config).unwrap();
    (journal.snapshot(), ledger)
}

#[tokio::test]
async fn a_start_reads_what_follows_the_newest_snapshot_that_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut journal, empty) = open(folder, &config()).unwrap();
    for last in [10, 20] {
        fill(&mut journal, last).await;
        take(&journal, &config()).await;
    }
    fill(&mut journal, 25).await;
    drop(journal);
    let (from, whole) = started(folder, &config());
    assert_eq!((from, whole.accounts().count()), (20, 25));
    let mut folded = empty;
    for number in 1..=25_u64 {
        let balances = BTreeMap::from([("USDT".to_owned(), i128::from(number))]);
        let account = format!("paper-{number}");
        folded.fold(&Record::Opened { account, balances });
    }
    assert_eq!(whole, folded, "as from all records");

    // Another history of this journal's records keeps none of its snapshots.
    let other = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(other.path(), &config()).unwrap();
    fill(&mut journal, 25).await;
    drop(journal);
    for path in snapshots(folder) {
        std::fs::copy(&path, other.path().join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(started(other.path(), &config()), (0, whole.clone()));

    // Of other bounds, or damaged: the one before, and then the records.
    let longer = Config {
        history_per_account: 20_000,
        ..config()
    };
    assert_eq!(started(folder, &longer).0, 0);
    for (newest_good, newest_first) in [(10, 1), (0, 0)] {
        let path = &snapshots(folder)[newest_first];
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
        assert_eq!(started(folder, &config()), (newest_good, whole.clone()));
    }
}

#[tokio::test]
async fn a_clean_end_leaves_a_snapshot_unless_the_last_one_holds_all() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path(), &config()).unwrap();
    fill(&mut journal, 12).await;
    drop(journal);
    let (journal, ledger) = open(folder.path(), &config()).unwrap();
    Box::new(journal).end(ledger.clone()).await;
    for _ in 0..2 {
        let (journal, found) = open(folder.path(), &config()).unwrap();
        assert_eq!((journal.snapshot(), &found), (12, &ledger));
        Box::new(journal).end(found).await;
        assert_eq!(snapshots(folder.path()).len(), 1);
    }
}

#[tokio::test]
async fn what_goes_wrong_at_the_end_costs_the_snapshot_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("journal");
    for breaks in [0, 1] {
        let (mut journal, _) = open(&inner, &config()).unwrap();
        fill(&mut journal, 3 + breaks).await;
        drop(journal);
        let (journal, ledger) = open(&inner, &config()).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::rename(&inner, &elsewhere).unwrap();
        if breaks == 1 {
            // The folder can be listed, and has nothing in it.
            std::fs::create_dir(&inner).unwrap();
        }
        Box::new(journal).end(ledger).await;
        if breaks == 1 {
            std::fs::remove_dir(&inner).unwrap();
        }
        std::fs::rename(&elsewhere, &inner).unwrap();
        assert_eq!(snapshots(&inner), Vec::<PathBuf>::new());
        assert_eq!(started(&inner, &config()).1.accounts().count() as u64, 3 + breaks);
    }
}

#[test]
fn a_record_that_cannot_be_read_is_named() {
    let mut folded = super::empty(&config());
    let error = folded.apply(7, b"?").unwrap_err();
    assert_eq!(
        (error.reason(), error.context()["sequence"].as_str()),
        ("EXCHANGE_RECORD", "7")
    );
    assert_eq!(folded.sequence(), 0);
}
