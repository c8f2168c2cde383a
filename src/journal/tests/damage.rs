//! Damage of every kind, and what of it is only an incomplete end.

use super::*;

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

/// What a journal with one flipped bit did.
#[derive(Debug, Default)]
struct Outcomes {
    refused: u32,
    refused_by_history: u32,
    recovered: u32,
    without_snapshot: u32,
}

#[tokio::test]
async fn ten_thousand_flipped_bits_are_refused_with_their_place_or_harm_nothing() {
    let complete = filled(120).await;
    let incomplete = copy(&complete);
    let last = segments(&complete).pop().unwrap();
    {
        let (mut journal, _) = open(&incomplete).unwrap();
        journal.append(vec![record(121), record(122)]).await.unwrap();
    }
    assert_eq!(segments(&incomplete).pop().unwrap(), last);
    let start_of_end = complete.content(&last).len();
    let mut bytes = incomplete.content(&last);
    bytes.truncate(bytes.len() - 5);
    incomplete.set_content(&last, bytes);
    let with_snapshots = copy(&complete);
    {
        let (mut journal, _) = open(&with_snapshots).unwrap();
        for _ in 0..2 {
            let end = journal.next_sequence() - 1;
            journal.snapshots().unwrap().write(end, &vec![7; 500]).unwrap();
            fill(&mut journal, end + 1).await;
        }
        assert!(segments(&with_snapshots).len() > 2);
    }

    let chance = Chance::seeded(42);
    let mut outcomes = Outcomes::default();
    for round in 0..10_000 {
        let original = [&complete, &incomplete, &with_snapshots][round % 3];
        let disk = copy(original);
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
        let place = format!("round {round}, bit {bit} of {}", path.display());
        match open(&disk) {
            Err(error) => {
                assert!(names_the_place(&error, path), "{place}: {error}");
                outcomes.refused += 1;
            }
            Ok((journal, recovery)) => {
                let history = journal
                    .history()
                    .map_or(Ok(Verified::default()), |past| past.verify(|| false));
                if let Err(error) = history {
                    assert!(names_the_place(&error, path), "{place}: {error}");
                    outcomes.refused_by_history += 1;
                    continue;
                }
                if path.extension().is_some_and(|extension| extension == "snapshot") {
                    let state = journal.snapshots().unwrap().newest(u64::MAX).unwrap().unwrap().state;
                    assert_eq!((recovery.records, state), (read_all(&journal), vec![7; 500]), "{place}");
                    outcomes.without_snapshot += 1;
                    continue;
                }
                assert!(round % 3 == 1 && *path == last && bit / 8 >= start_of_end, "{place}");
                assert!(recovery.cut_bytes > 0);
                assert_eq!(read_all(&journal), 120);
                outcomes.recovered += 1;
            }
        }
    }
    assert!(
        outcomes.refused > 6_000 && outcomes.refused_by_history > 100,
        "{outcomes:?}"
    );
    assert!(
        outcomes.recovered > 10 && outcomes.without_snapshot > 500,
        "{outcomes:?}"
    );
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

/// Two histories of one journal: what follows record 30 is not the same.
async fn fork(disk: &SimulatedDisk, record: Vec<u8>) -> SimulatedDisk {
    let fork = copy(disk);
    let (mut journal, _) = open(&fork).unwrap();
    journal.append(vec![record]).await.unwrap();
    journal.append(vec![b"after".to_vec()]).await.unwrap();
    fork
}

#[tokio::test]
async fn a_batch_of_another_history_or_epoch_is_damage() {
    let disk = filled(30).await;
    let path = segments(&disk).pop().unwrap();
    let (one, other) = (fork(&disk, vec![1; 9]).await, fork(&disk, vec![2; 9]).await);
    let (mut bytes, others) = (one.content(&path), other.content(&path));
    let last = bytes.len() - (52 + 4 + 5 + 4);
    bytes[last..].copy_from_slice(&others[last..]);
    let spliced = copy(&one);
    spliced.set_content(&path, bytes);
    let error = open(&spliced).err().unwrap();
    assert!(names_the_place(&error, &path), "{error}");
    assert!(error.message().contains("does not follow"), "{error}");

    // The meta file of a backup: batches carry an epoch that it has not reached.
    let meta = Path::new(FOLDER).join("meta");
    let rewound = copy(&one);
    rewound.set_content(&meta, disk.content(&meta));
    let error = open(&rewound).err().unwrap();
    assert!(error.message().contains("impossible epoch"), "{error}");
    rewound.set_content(&meta, vec![1]);
    assert!(names_the_place(&open(&rewound).err().unwrap(), &meta));
}

#[tokio::test]
async fn a_segment_of_another_history_is_damage() {
    let disk = filled(30).await;
    let long = |byte: u8| {
        let fork = copy(&disk);
        async move {
            let (mut journal, _) = open(&fork).unwrap();
            for _ in 0..3 {
                journal.append(vec![vec![byte; 3000]]).await.unwrap();
            }
            fork
        }
    };
    let (one, other) = (long(1).await, long(2).await);
    let path = segments(&one).pop().unwrap();
    one.set_content(&path, other.content(&path));
    let error = open(&one).err().unwrap();
    assert!(error.message().contains("does not follow the one before"), "{error}");
}
