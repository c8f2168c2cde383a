use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::testing::SimulatedDisk;
use super::*;
use crate::error::{Error, Kind};
use crate::time::Chance;

mod crash;
mod damage;
mod room;
mod snapshots;
mod snapshotter;
mod zeros;

const FOLDER: &str = "/journal";

fn options(disk: &SimulatedDisk) -> FileJournalOptions {
    FileJournalOptions {
        segment_bytes: 4096,
        tail_records: 4,
        reserve_bytes: 2048,
        zeros_bytes: 0,
        disk: Arc::new(disk.clone()),
        chance: Chance::seeded(1),
        ..FileJournalOptions::default()
    }
}

fn open(disk: &SimulatedDisk) -> Result<(FileJournal, Recovery)> {
    FileJournal::open(Path::new(FOLDER), options(disk))
}

/// A record that names its sequence, of some length.
fn record(sequence: u64) -> Vec<u8> {
    let mut bytes = sequence.to_be_bytes().to_vec();
    bytes.resize(8 + (sequence * 37 % 90) as usize, sequence as u8 | 1);
    bytes
}

/// Batches of one to four records until `last` is written.
async fn fill(journal: &mut FileJournal, last: u64) {
    while journal.next_sequence() <= last {
        let first = journal.next_sequence();
        let end = (first + first % 4).min(last);
        let records = (first..=end).map(record).collect();
        assert_eq!(journal.append(records).await.unwrap(), first);
    }
}

/// One batch a record up to `last`.
async fn singles(journal: &mut FileJournal, last: u64) {
    for next in journal.next_sequence()..=last {
        journal.append(vec![record(next)]).await.unwrap();
    }
}

fn read_all(journal: &FileJournal) -> u64 {
    let reader = journal.reader();
    let mut next = 1;
    loop {
        let page = reader.read(next, 7).unwrap();
        if page.is_empty() {
            return next - 1;
        }
        for (sequence, bytes) in page {
            assert_eq!((sequence, bytes), (next, record(next)));
            next += 1;
        }
    }
}

async fn filled(last: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    fill(&mut open(&disk).unwrap().0, last).await;
    disk
}

fn segments(disk: &SimulatedDisk) -> Vec<PathBuf> {
    let mut paths = disk.paths();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    paths
}

fn copy(disk: &SimulatedDisk) -> SimulatedDisk {
    let copy = SimulatedDisk::default();
    for path in disk.paths() {
        copy.set_content(&path, disk.content(&path));
    }
    copy
}

fn names_the_place(error: &Error, path: &Path) -> bool {
    error.reason() == "JOURNAL_DAMAGED"
        && error.context()["file"] == path.display().to_string()
        && error.context().contains_key("offset")
}

#[tokio::test]
async fn records_survive_reopening_and_each_opening_has_its_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let open = || FileJournal::open(folder.path(), FileJournalOptions::default());
    let (mut journal, recovery) = open().unwrap();
    assert_eq!(recovery, Recovery::default());
    assert_eq!((journal.epoch(), journal.next_sequence()), (1, 1));
    let (id, durable) = (journal.id(), journal.reader().durable());
    fill(&mut journal, 50).await;
    assert_eq!(*durable.borrow(), 50);
    assert_eq!(read_all(&journal), 50);
    drop(journal);
    let mut epoch = 1;
    for records in 50..53 {
        let (mut journal, recovery) = open().unwrap();
        assert_eq!(journal.id(), id);
        assert!(journal.epoch() > epoch);
        epoch = journal.epoch();
        assert_eq!(
            recovery,
            Recovery {
                records,
                ..Recovery::default()
            }
        );
        assert_eq!(read_all(&journal), records);
        journal.append(vec![record(records + 1)]).await.unwrap();
        let verified = journal.verify().await.unwrap();
        assert_eq!(verified.last_sequence, records + 1);
        assert!(verified.batches > 10 && verified.bytes > 1000);
    }
}

#[tokio::test]
async fn the_lock_is_exclusive() {
    let folder = tempfile::tempdir().unwrap();
    let open = || FileJournal::open(folder.path(), FileJournalOptions::default());
    let first = open().unwrap();
    let error = open().err().unwrap();
    assert_eq!((error.kind(), error.reason()), (Kind::Invalid, "JOURNAL_LOCKED"));
    drop(first);
    open().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = FileJournal::open(&file.join("x"), FileJournalOptions::default())
        .err()
        .unwrap();
    assert_eq!(error.reason(), "JOURNAL_IO");
}

#[tokio::test]
async fn many_segments_read_back_from_any_sequence() {
    let disk = filled(400).await;
    assert!(segments(&disk).len() > 5);
    let (journal, recovery) = open(&disk).unwrap();
    assert_eq!(recovery.records, 400);
    let reader = journal.reader();
    for from in 1..=400 {
        let page = reader.read(from, 3).unwrap();
        let expected: Vec<_> = (from..(from + 3).min(401))
            .map(|sequence| (sequence, record(sequence)))
            .collect();
        assert_eq!(page, expected);
    }
    assert_eq!(reader.read(401, 3).unwrap(), vec![]);
    assert_eq!(reader.read(0, 3).unwrap_err().reason(), "JOURNAL_SEQUENCE");
    assert_eq!(reader.read(1, 1000).unwrap().len(), 400);
}

#[tokio::test]
async fn a_large_segment_is_read_through_its_index() {
    let disk = SimulatedDisk::default();
    let options = FileJournalOptions {
        segment_bytes: u64::MAX,
        ..options(&disk)
    };
    let (mut journal, _) = FileJournal::open(Path::new(FOLDER), options).unwrap();
    for number in 1..=60_u64 {
        let mut bytes = vec![7; 10_000];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        journal.append(vec![bytes]).await.unwrap();
    }
    let reader = journal.reader();
    for from in [1, 2, 30, 56, 60] {
        let page = reader.read(from, 2).unwrap();
        assert_eq!(page[0].0, from);
        assert_eq!(page[0].1[..8], from.to_be_bytes());
    }
}

#[tokio::test]
async fn empty_and_oversized_batches_are_refused_and_harm_nothing() {
    let disk = SimulatedDisk::default();
    let options = FileJournalOptions {
        max_batch_bytes: 1000,
        ..options(&disk)
    };
    let (mut journal, _) = FileJournal::open(Path::new(FOLDER), options).unwrap();
    for records in [vec![], vec![vec![0; 1000]]] {
        assert_eq!(journal.append(records).await.unwrap_err().reason(), "JOURNAL_BATCH");
    }
    fill(&mut journal, 5).await;
    assert_eq!(read_all(&journal), 5);
}

#[tokio::test]
async fn a_failed_sync_or_write_poisons_for_good() {
    for fail in [SimulatedDisk::fail_sync_after, SimulatedDisk::fail_write_after] {
        let disk = filled(10).await;
        let (mut journal, _) = open(&disk).unwrap();
        fill(&mut journal, 12).await;
        fail(&disk, 0);
        for _ in 0..3 {
            let error = journal.append(vec![record(13)]).await.unwrap_err();
            assert_eq!((error.kind(), error.reason()), (Kind::Internal, "JOURNAL_POISONED"));
        }
        assert_eq!((journal.next_sequence(), read_all(&journal)), (13, 12));
        drop(journal);
        let (journal, recovery) = open(&disk).unwrap();
        assert!(recovery.records == 12 || recovery.records == 13);
        assert_eq!(read_all(&journal), recovery.records);
    }
}

#[tokio::test]
async fn an_opening_that_fails_at_any_sync_can_be_repeated() {
    for syncs in 0..12 {
        let disk = SimulatedDisk::default();
        disk.fail_sync_after(syncs);
        let mut written = 0;
        for _ in 0..3 {
            let Ok((mut journal, recovery)) = open(&disk) else {
                continue;
            };
            assert!(recovery.records >= written);
            while journal.next_sequence() < recovery.records + 60 {
                let next = journal.next_sequence();
                if journal.append(vec![record(next)]).await.is_err() {
                    break;
                }
                written = next;
            }
        }
        let (journal, _) = open(&disk).unwrap();
        assert!(read_all(&journal) >= written, "{syncs}");
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let mut cuts = 0;
    for seed in 0..300 {
        let chance = Chance::seeded(seed);
        let disk = SimulatedDisk::default();
        let (mut acknowledged, mut epoch) = (0, 0);
        for _ in 0..4 {
            disk.fail_sync_after(chance.below(25) as u32);
            if let Ok((mut journal, recovery)) = open(&disk) {
                assert!(
                    recovery.records >= acknowledged,
                    "seed {seed}: {recovery:?} {acknowledged}"
                );
                assert!(journal.epoch() > epoch);
                epoch = journal.epoch();
                cuts += u64::from(recovery.cut_bytes > 0);
                assert_eq!(read_all(&journal), recovery.records);
                loop {
                    let first = journal.next_sequence();
                    let last = first + chance.below(30);
                    if journal.append((first..=last).map(record).collect()).await.is_err() {
                        break;
                    }
                    acknowledged = last;
                }
            }
            disk.crash(&chance);
        }
    }
    assert!(cuts > 10, "{cuts}");
}

#[tokio::test]
async fn an_append_that_nobody_waits_for_still_ends_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = FileJournal::open(folder.path(), FileJournalOptions::default()).unwrap();
    fill(&mut journal, 3).await;
    let mut durable = journal.reader().durable();
    drop(futures::FutureExt::now_or_never(journal.append(vec![record(4)])));
    durable.wait_for(|&last| last == 4).await.unwrap();
    fill(&mut journal, 6).await;
    assert_eq!(read_all(&journal), 6);
}

#[tokio::test]
async fn a_journal_on_a_machine_that_is_off_takes_nothing() {
    let disk = filled(3).await;
    let (mut journal, _) = open(&disk).unwrap();
    disk.crash(&Chance::seeded(1));
    let error = journal.append(vec![record(4)]).await.unwrap_err();
    assert_eq!(error.reason(), "JOURNAL_POISONED");
    let (next, _) = open(&disk).unwrap();
    drop(journal);
    assert_eq!(open(&disk).err().unwrap().reason(), "JOURNAL_LOCKED");
    assert_eq!(read_all(&next), 3);
}

#[tokio::test]
async fn a_writer_whose_lock_was_lost_is_refused_by_the_epoch() {
    let disk = SimulatedDisk::default();
    let mut old = open(&disk).unwrap().0;
    fill(&mut old, 10).await;
    old.snapshots().unwrap().write(10, b"ten").unwrap();
    disk.lose_locks();
    let mut new = open(&disk).unwrap().0;
    let before = disk.content(&segments(&disk)[0]);
    assert_eq!(
        old.append(vec![record(11)]).await.unwrap_err().reason(),
        "JOURNAL_SUPERSEDED"
    );
    assert_eq!(disk.content(&segments(&disk)[0]), before, "nothing was written");
    assert_eq!(
        old.append(vec![record(11)]).await.unwrap_err().reason(),
        "JOURNAL_POISONED"
    );
    assert_eq!(
        old.snapshots().unwrap().write(10, &[]).unwrap_err().reason(),
        "JOURNAL_SUPERSEDED"
    );
    drop(old);
    assert_eq!(
        open(&disk).err().unwrap().reason(),
        "JOURNAL_LOCKED",
        "a lost lock is not given back"
    );
    fill(&mut new, 20).await;
    drop(new);
    assert_eq!(read_all(&open(&disk).unwrap().0), 20);
}

#[tokio::test]
async fn on_a_real_disk_too_a_writer_notices_who_opened_its_journal_since() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        FileJournal::open(folder.path(), FileJournalOptions::default())
            .unwrap()
            .0
    };
    let mut old = open();
    fill(&mut old, 10).await;
    std::fs::remove_file(folder.path().join("lock")).unwrap();
    let mut new = open();
    let refused = old.append(vec![record(11)]).await.unwrap_err();
    assert_eq!(refused.reason(), "JOURNAL_SUPERSEDED");
    fill(&mut new, 20).await;
    std::fs::remove_file(folder.path().join("meta")).unwrap();
    let refused = new.append(vec![record(21)]).await.unwrap_err();
    assert_eq!(refused.reason(), "JOURNAL_POISONED");
    assert!(refused.message().contains("meta"), "{refused}");
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_at_whichever_change_the_power_goes() {
    for seed in 0..40 {
        let (disk, chance) = (SimulatedDisk::default(), Chance::seeded(seed));
        let mut acknowledged = 0;
        for life in 0..6 {
            disk.cut_power_after(chance.below(30) as u32);
            if let Ok((mut journal, _)) = open(&disk) {
                assert!(read_all(&journal) >= acknowledged, "seed {seed}, life {life}");
                let first = journal.next_sequence();
                for next in first.. {
                    if journal.append(vec![record(next)]).await.is_err() {
                        break;
                    }
                    acknowledged = next;
                }
            }
            assert!(disk.is_off());
            disk.crash(&chance);
        }
        disk.cut_power_after(0);
        disk.spare();
        assert!(read_all(&open(&disk).unwrap().0) >= acknowledged);
    }
}
