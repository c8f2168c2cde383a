//! Snapshots, openings that begin at one, and what lies before.

use super::*;

fn path(sequence: u64) -> PathBuf {
    Path::new(FOLDER).join(format!("{sequence:020}.snapshot"))
}

fn flip(disk: &SimulatedDisk, path: &Path, byte: usize) {
    let mut bytes = disk.content(path);
    bytes[byte] ^= 1;
    disk.set_content(path, bytes);
}

fn newest(journal: &FileJournal) -> Option<(u64, Vec<u8>)> {
    let newest = journal.snapshots().unwrap().newest(u64::MAX).unwrap();
    newest.map(|snapshot| (snapshot.sequence, snapshot.state))
}

#[tokio::test]
async fn the_newest_intact_snapshot_of_two_is_used() {
    let disk = SimulatedDisk::default();
    let (mut journal, _) = open(&disk).unwrap();
    singles(&mut journal, 40).await;
    let snapshots = journal.snapshots().unwrap();
    assert_eq!(newest(&journal), None);
    for sequence in [10, 20, 30] {
        snapshots.write(sequence, &vec![sequence as u8; 2000]).unwrap();
    }
    for nowhere in [0, 41] {
        let error = snapshots.write(nowhere, &[]).unwrap_err();
        assert_eq!(error.reason(), "JOURNAL_SEQUENCE");
    }
    assert_eq!(newest(&journal), Some((30, vec![30; 2000])));
    assert_eq!(snapshots.newest(29).unwrap().map(|older| older.sequence), Some(20));
    assert!(!disk.paths().contains(&path(10)));
    flip(&disk, &path(30), 1000);
    assert_eq!(newest(&journal), Some((20, vec![20; 2000])));
    disk.set_content(&path(20), vec![1, 2, 3]);
    assert_eq!(newest(&journal), None);
    disk.fail_sync_after(0);
    assert_eq!(snapshots.write(40, &[1]).unwrap_err().reason(), "JOURNAL_IO");
    assert!(
        !disk
            .paths()
            .iter()
            .any(|path| path.extension().is_some_and(|end| end == "tmp"))
    );
    singles(&mut journal, 41).await;
    snapshots.write(41, &[7]).unwrap();
    assert_eq!(newest(&journal), Some((41, vec![7])));
}

#[tokio::test]
async fn a_snapshot_is_where_a_batch_ends() {
    let disk = SimulatedDisk::default();
    let (mut journal, _) = open(&disk).unwrap();
    journal.append((1..4).map(record).collect()).await.unwrap();
    let error = journal.snapshots().unwrap().write(2, &[]).unwrap_err();
    assert_eq!(error.reason(), "JOURNAL_SEQUENCE");
    journal.snapshots().unwrap().write(3, &[]).unwrap();
}

/// A journal of many segments with a snapshot at 350.
async fn with_snapshot() -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let (mut journal, _) = open(&disk).unwrap();
    singles(&mut journal, 400).await;
    journal.snapshots().unwrap().write(350, b"sum").unwrap();
    disk
}

#[tokio::test]
async fn an_opening_reads_from_the_snapshot_on_and_history_the_rest() {
    let disk = with_snapshot().await;
    let (mut journal, recovery) = open(&disk).unwrap();
    assert_eq!(recovery.records, 400);
    let history = journal.history().expect("segments lie before the snapshot");
    // Nothing waits for it: what was not read yet is found all the same.
    assert_eq!(read_all(&journal), 400);
    let verified = history.verify(|| false).unwrap();
    assert!(
        verified.last_sequence > 300 && verified.last_sequence < 350,
        "{verified:?}"
    );
    assert_eq!(verified.batches, verified.last_sequence);
    assert_eq!(read_all(&journal), 400);
    singles(&mut journal, 410).await;
    assert_eq!(journal.verify().await.unwrap().last_sequence, 410);
    let none = history.verify(|| true).unwrap();
    assert_eq!(none.batches, 0, "told to stop, it stops");
    drop(journal);
    disk.set_content(&path(350), vec![]);
    let (journal, _) = open(&disk).unwrap();
    assert!(journal.history().is_none(), "without a snapshot everything is read");
}

#[tokio::test]
async fn damage_before_the_snapshot_is_found_by_history() {
    let disk = with_snapshot().await;
    let paths = segments(&disk);
    let damaged = |edit: &dyn Fn(&SimulatedDisk)| {
        let disk = copy(&disk);
        edit(&disk);
        match open(&disk) {
            Ok((journal, _)) => journal.history().unwrap().verify(|| false).unwrap_err(),
            Err(error) => error,
        }
    };
    type Damage<'a> = &'a dyn Fn(&SimulatedDisk);
    let cases: [(Damage<'_>, &PathBuf); 6] = [
        (&|disk| flip(disk, &paths[1], 100), &paths[1]),
        (&|disk| flip(disk, &paths[1], 9), &paths[1]),
        (&|disk| disk.remove(&paths[0]).unwrap(), &paths[1]),
        (&|disk| disk.remove(&paths[1]).unwrap(), &paths[2]),
        (
            &|disk| {
                let mut bytes = disk.content(&paths[1]);
                bytes.truncate(bytes.len() - 30);
                disk.set_content(&paths[1], bytes);
            },
            &paths[1],
        ),
        (
            // All of the last batch before the boundary.
            &|disk| {
                let bytes = disk.content(&paths[2]);
                disk.set_content(&paths[2], bytes[..52].to_vec());
            },
            &paths[3],
        ),
    ];
    for (number, (edit, path)) in cases.into_iter().enumerate() {
        let error = damaged(edit);
        assert!(names_the_place(&error, path), "case {number}: {error}");
    }
}

#[tokio::test]
async fn the_segment_after_the_unread_ones_follows_them() {
    let disk = with_snapshot().await;
    let (journal, _) = open(&disk).unwrap();
    let mut firsts = journal.history().unwrap().firsts;
    let boundary = firsts.pop().unwrap();
    let last = firsts.pop().unwrap();
    drop(journal);
    // Another batch of the same length in the place of the last one before the boundary: whole, and of another history.
    let path = segment::path(Path::new(FOLDER), last);
    let bytes = disk.content(&path);
    let kept = batch_starts(&bytes);
    let start = *kept.last().unwrap();
    let header = batch::Header::decode(bytes[start..].first_chunk().unwrap()).unwrap();
    let mut forged = record(header.first);
    forged[7] ^= 1;
    let (forged, _) = batch::encode(&[forged], header.first, header.epoch, header.previous);
    disk.set_content(&path, [&bytes[..start], &forged].concat());
    let (journal, _) = open(&disk).unwrap();
    let error = journal.history().unwrap().verify(|| false).unwrap_err();
    assert!(
        names_the_place(&error, &segment::path(Path::new(FOLDER), boundary)),
        "{error}"
    );
    assert!(error.message().contains("does not follow"), "{error}");
}

/// Where the batches of a whole segment begin.
fn batch_starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut offset = segment::HEADER as usize;
    while offset < bytes.len() {
        starts.push(offset);
        let header = batch::Header::decode(bytes[offset..].first_chunk().unwrap()).unwrap();
        offset += header.size() as usize;
    }
    starts
}

#[tokio::test]
async fn an_end_that_was_durable_and_is_gone_is_noticed() {
    // A snapshot knows it.
    let disk = SimulatedDisk::default();
    let (mut journal, _) = open(&disk).unwrap();
    singles(&mut journal, 20).await;
    journal.snapshots().unwrap().write(20, b"sum").unwrap();
    singles(&mut journal, 22).await;
    drop(journal);
    let path = segments(&disk).pop().unwrap();
    let whole = disk.content(&path);
    let starts = batch_starts(&whole);
    let cut_to = |length: usize| {
        let disk = copy(&disk);
        disk.set_content(&path, whole[..length].to_vec());
        open(&disk).map(|(_, recovery)| recovery.records)
    };
    assert_eq!(cut_to(starts[starts.len() - 2]).unwrap(), 20, "nobody knows better");
    for length in [starts[starts.len() - 3], starts[starts.len() - 2] - 1] {
        let error = cut_to(length).unwrap_err();
        assert!(names_the_place(&error, &path), "{error}");
        assert!(error.message().contains("records up to 20 were durable"), "{error}");
    }

    // So does the last opening, and the making of a segment.
    let disk = filled(200).await;
    drop(open(&disk).unwrap());
    let path = segments(&disk).pop().unwrap();
    let whole = disk.content(&path);
    let last = *batch_starts(&whole).last().unwrap();
    let shorter = copy(&disk);
    shorter.set_content(&path, whole[..last].to_vec());
    let error = open(&shorter).err().unwrap();
    assert!(names_the_place(&error, &path), "{error}");
    disk.remove(&path).unwrap();
    let error = open(&disk).err().unwrap();
    assert!(names_the_place(&error, &path), "{error}");
    assert!(error.message().contains("the segment is missing"), "{error}");
}

#[tokio::test]
async fn a_snapshot_of_another_history_is_not_used() {
    let disk = SimulatedDisk::default();
    {
        let (mut journal, _) = open(&disk).unwrap();
        singles(&mut journal, 20).await;
    }
    let fork = |byte: u8| {
        let disk = copy(&disk);
        async move {
            let (mut journal, _) = open(&disk).unwrap();
            journal.append(vec![vec![byte; 9]]).await.unwrap();
            journal.snapshots().unwrap().write(21, &[byte]).unwrap();
            disk
        }
    };
    let (one, other) = (fork(1).await, fork(2).await);
    one.set_content(&path(21), other.content(&path(21)));
    let (journal, recovery) = open(&one).unwrap();
    assert_eq!((recovery.records, newest(&journal)), (21, None));
}

#[tokio::test]
async fn a_meta_file_of_the_first_version_is_read() {
    let disk = filled(30).await;
    let path = Path::new(FOLDER).join("meta");
    let meta = meta::Meta::read(&disk, Path::new(FOLDER)).unwrap();
    let mut first = b"TMJMET01".to_vec();
    first.extend_from_slice(&meta.id);
    first.extend_from_slice(&meta.epoch.to_le_bytes());
    first.extend_from_slice(&crc32c::crc32c(&first).to_le_bytes());
    disk.set_content(&path, first);
    let (journal, _) = open(&disk).unwrap();
    assert_eq!((journal.id(), read_all(&journal)), (meta.id, 30));
    assert!(journal.epoch() > meta.epoch);
    let now = meta::Meta::read(&disk, Path::new(FOLDER)).unwrap();
    assert_eq!((now.floor, now.segment), (30, segment_firsts(&disk).pop().unwrap()));
}

fn segment_firsts(disk: &SimulatedDisk) -> Vec<u64> {
    let names = disk.list(Path::new(FOLDER)).unwrap();
    names.iter().filter_map(|name| segment::parse_name(name)).collect()
}
