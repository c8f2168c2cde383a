use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::testing::SimulatedDisk;
use super::*;
use crate::error::{Error, Kind};
use crate::time::Chance;

const FOLDER: &str = "/journal";

fn options(disk: &SimulatedDisk) -> FileJournalOptions {
    FileJournalOptions {
        segment_bytes: 4096,
        tail_records: 4,
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
    for epoch in 2..5 {
        let (mut journal, recovery) = open().unwrap();
        assert_eq!((journal.epoch(), journal.id()), (epoch, id));
        assert_eq!(
            recovery,
            Recovery {
                records: 48 + epoch,
                ..Recovery::default()
            }
        );
        assert_eq!(read_all(&journal), 48 + epoch);
        journal.append(vec![record(49 + epoch)]).await.unwrap();
        let verified = journal.verify().await.unwrap();
        assert_eq!(verified.last_sequence, 49 + epoch);
        assert!(verified.batches > 10 && verified.bytes > 1000);
    }
}

#[tokio::test]
async fn the_lock_is_exclusive() {
    let folder = tempfile::tempdir().unwrap();
    let open = || FileJournal::open(folder.path(), FileJournalOptions::default());
    let first = open().unwrap();
    let error = open().err().unwrap();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "JOURNAL_LOCKED"));
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
async fn a_last_batch_cut_at_any_byte_goes_and_nothing_else() {
    let disk = filled(9).await;
    let path = segments(&disk).pop().unwrap();
    let before = disk.content(&path).len();
    {
        let (mut journal, _) = open(&disk).unwrap();
        journal.append((10..14).map(record).collect()).await.unwrap();
    }
    let whole = disk.content(&path);
    for length in before..=whole.len() {
        let disk = copy(&disk);
        disk.set_content(&path, whole[..length].to_vec());
        let (mut journal, recovery) = open(&disk).unwrap();
        let (records, cut) = if length == whole.len() {
            (13, 0)
        } else {
            (9, length - before)
        };
        assert_eq!(
            (recovery.records, recovery.cut_bytes),
            (records, cut as u64),
            "{length}"
        );
        assert_eq!(recovery.cut_from.is_some(), cut > 0);
        fill(&mut journal, 20).await;
        assert_eq!(read_all(&journal), 20);
        assert_eq!(journal.verify().await.unwrap().last_sequence, 20);
    }
}

#[tokio::test]
async fn a_flipped_bit_is_refused_with_its_place_or_was_in_the_incomplete_end() {
    let complete = filled(120).await;
    let incomplete = copy(&complete);
    let last = segments(&complete).pop().unwrap();
    {
        let (mut journal, _) = open(&incomplete).unwrap();
        journal.append(vec![record(121), record(122)]).await.unwrap();
    }
    let end = segments(&incomplete).pop().unwrap();
    assert_eq!(end, last);
    let start_of_end = complete.content(&last).len();
    let mut bytes = incomplete.content(&last);
    bytes.truncate(bytes.len() - 5);
    incomplete.set_content(&last, bytes);

    let chance = Chance::seeded(42);
    let (mut refused, mut recovered) = (0, 0);
    for round in 0..2000 {
        let disk = copy(if round % 2 == 0 { &complete } else { &incomplete });
        let paths: Vec<_> = disk
            .paths()
            .into_iter()
            .filter(|path| !disk.content(path).is_empty())
            .collect();
        let path = &paths[chance.below(paths.len() as u64) as usize];
        let mut bytes = disk.content(path);
        let bit = chance.below(bytes.len() as u64 * 8) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        disk.set_content(path, bytes);
        match open(&disk) {
            Err(error) => {
                assert!(names_the_place(&error, path), "{error} for {}", path.display());
                refused += 1;
            }
            Ok((journal, recovery)) => {
                assert!(
                    round % 2 == 1 && *path == last && bit / 8 >= start_of_end,
                    "bit {bit} of {}",
                    path.display()
                );
                assert!(recovery.cut_bytes > 0);
                assert_eq!(read_all(&journal), 120);
                recovered += 1;
            }
        }
    }
    assert!(refused > 1500 && recovered > 0, "{refused} {recovered}");
}

#[tokio::test]
async fn what_never_reached_the_disk_at_the_end_is_cut_and_in_the_middle_is_damage() {
    let disk = filled(30).await;
    let path = segments(&disk).pop().unwrap();
    let whole = disk.content(&path);
    let last_batch = {
        let copied = copy(&disk);
        let (mut journal, _) = open(&copied).unwrap();
        journal.append(vec![vec![1; 1500]]).await.unwrap();
        copied.content(&path)[whole.len()..].to_vec()
    };
    let zeroed = |from: usize, to: usize, after: &[u8]| {
        let disk = copy(&disk);
        let mut bytes = [whole.as_slice(), &last_batch, after].concat();
        bytes[from..to].fill(0);
        disk.set_content(&path, bytes);
        open(&disk).map(|(_, recovery)| recovery.records)
    };
    let end = whole.len() + last_batch.len();
    let sector = (whole.len() / 512 + 1) * 512;
    assert_eq!(zeroed(whole.len(), end, &[]).unwrap(), 30);
    assert_eq!(zeroed(sector, sector + 512, &[]).unwrap(), 30);
    let followed = zeroed(sector, sector + 512, &last_batch).unwrap_err();
    assert!(names_the_place(&followed, &path), "{followed}");
    assert!(zeroed(sector, sector + 500, &[]).is_err());
}

#[tokio::test]
async fn missing_and_foreign_segments_are_damage() {
    let disk = filled(300).await;
    let paths = segments(&disk);
    let remove = |path: &Path| {
        let disk = copy(&disk);
        disk.remove(path).unwrap();
        open(&disk).err().unwrap()
    };
    assert!(names_the_place(&remove(&paths[0]), &paths[1]));
    assert!(names_the_place(&remove(&paths[2]), &paths[3]));
    assert_eq!(remove(&Path::new(FOLDER).join("meta")).reason(), "JOURNAL_IO");

    let swapped = copy(&disk);
    let other = SimulatedDisk::default();
    let other_options = FileJournalOptions {
        chance: Chance::seeded(2),
        ..options(&other)
    };
    fill(&mut FileJournal::open(Path::new(FOLDER), other_options).unwrap().0, 300).await;
    swapped.set_content(&paths[1], other.content(&paths[1]));
    assert!(names_the_place(&open(&swapped).err().unwrap(), &paths[1]));

    // A batch that was written once more, and a segment of the same journal under another name.
    let doubled = copy(&disk);
    let content = disk.content(&paths[0]);
    doubled.set_content(&paths[0], [&content[..], &content[52..]].concat());
    assert!(names_the_place(&open(&doubled).err().unwrap(), &paths[0]));
    let renamed = copy(&disk);
    renamed.set_content(&paths[1], content.clone());
    assert!(names_the_place(&open(&renamed).err().unwrap(), &paths[1]));
    let short = copy(&disk);
    short.set_content(&paths[0], content[..20].to_vec());
    assert!(names_the_place(&open(&short).err().unwrap(), &paths[0]));
    // An older epoch than the journal's batches: the meta file of a backup.
    let rewound = copy(&disk);
    open(&rewound)
        .map(|(mut journal, _)| futures::executor::block_on(async move { fill(&mut journal, 301).await }))
        .ok();
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
    let disk = filled(3).await;
    let (mut journal, _) = open(&disk).unwrap();
    let mut durable = journal.reader().durable();
    drop(futures::FutureExt::now_or_never(journal.append(vec![record(4)])));
    durable.wait_for(|&last| last == 4).await.unwrap();
    fill(&mut journal, 6).await;
    assert_eq!(read_all(&journal), 6);
}

#[tokio::test]
async fn the_newest_intact_snapshot_of_two_is_used() {
    let disk = filled(40).await;
    let (mut journal, _) = open(&disk).unwrap();
    assert_eq!(journal.latest_snapshot().unwrap(), None);
    for sequence in [10, 20, 30] {
        journal.snapshot(sequence, vec![sequence as u8; 2000]).await.unwrap();
    }
    assert_eq!(
        journal.snapshot(41, vec![]).await.unwrap_err().reason(),
        "JOURNAL_SEQUENCE"
    );
    assert_eq!(journal.latest_snapshot().unwrap(), Some((30, vec![30; 2000])));
    let snapshot = |sequence: u64| Path::new(FOLDER).join(format!("{sequence:020}.snapshot"));
    assert!(!disk.paths().contains(&snapshot(10)));
    let mut bytes = disk.content(&snapshot(30));
    bytes[1000] ^= 1;
    disk.set_content(&snapshot(30), bytes);
    assert_eq!(journal.latest_snapshot().unwrap(), Some((20, vec![20; 2000])));
    disk.set_content(&snapshot(20), vec![1, 2, 3]);
    assert_eq!(journal.latest_snapshot().unwrap(), None);
    disk.fail_sync_after(0);
    assert_eq!(journal.snapshot(40, vec![]).await.unwrap_err().reason(), "JOURNAL_IO");
    fill(&mut journal, 41).await;
    journal.snapshot(41, vec![7]).await.unwrap();
    // The end of the journal is lost: a snapshot beyond it is not used.
    drop(journal);
    let last = segments(&disk).pop().unwrap();
    let mut bytes = disk.content(&last);
    bytes.truncate(bytes.len() - 1);
    disk.set_content(&last, bytes);
    let (journal, _) = open(&disk).unwrap();
    assert_eq!(journal.latest_snapshot().unwrap(), None);
}

#[tokio::test]
async fn damage_while_running_is_found_by_reading_and_by_verifying() {
    let disk = filled(40).await;
    let (journal, _) = open(&disk).unwrap();
    let first = segments(&disk).remove(0);
    let whole = disk.content(&first);
    let mut bytes = whole.clone();
    bytes[60] ^= 1;
    disk.set_content(&first, bytes);
    let error = journal.verify().await.unwrap_err();
    assert!(names_the_place(&error, &first), "{error}");
    assert!(names_the_place(&journal.reader().read(1, 5).unwrap_err(), &first));
    disk.set_content(&first, whole);
    let last = segments(&disk).pop().unwrap();
    let mut bytes = disk.content(&last);
    bytes.truncate(bytes.len() - 1);
    disk.set_content(&last, bytes);
    let error = journal.verify().await.unwrap_err();
    assert!(
        error.message().contains("records that were durable are missing"),
        "{error}"
    );
}
