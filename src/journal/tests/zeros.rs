//! A segment that is grown ahead with zeros.

use super::*;

fn open_ahead(disk: &SimulatedDisk) -> Result<(FileJournal, Recovery)> {
    let options = FileJournalOptions {
        zeros_bytes: 1_500,
        ..options(disk)
    };
    FileJournal::open(Path::new(FOLDER), options)
}

async fn filled_ahead(last: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    fill(&mut open_ahead(&disk).unwrap().0, last).await;
    disk
}

/// Where the zeros at the end of a segment begin.
fn end_of(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1)
}

#[tokio::test]
async fn batches_overwrite_zeros_and_a_new_opening_goes_on_among_them() {
    let disk = filled_ahead(150).await;
    let paths = segments(&disk);
    assert!(paths.len() > 2);
    let (last, closed) = paths.split_last().unwrap();
    for path in closed {
        let bytes = disk.content(path);
        assert_eq!(end_of(&bytes), bytes.len(), "{}", path.display());
    }
    let before = disk.content(last);
    assert!(end_of(&before) < before.len());
    let (mut journal, recovery) = open_ahead(&disk).unwrap();
    assert_eq!((recovery.records, recovery.cut_bytes), (150, 0));
    journal.append(vec![record(151)]).await.unwrap();
    let after = disk.content(last);
    assert_eq!(after.len(), before.len());
    assert_eq!(read_all(&journal), 151);
    assert_eq!(journal.verify().await.unwrap().last_sequence, 151);
}

#[tokio::test]
async fn a_damaged_last_batch_before_zeros_is_never_taken_for_an_incomplete_one() {
    let disk = filled_ahead(9).await;
    let path = segments(&disk).pop().unwrap();
    let start = end_of(&disk.content(&path));
    {
        let (mut journal, _) = open_ahead(&disk).unwrap();
        journal.append((10..13).map(record).collect()).await.unwrap();
    }
    let whole = disk.content(&path);
    for bit in start * 8..end_of(&whole) * 8 {
        let disk = copy(&disk);
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        disk.set_content(&path, bytes);
        let error = open_ahead(&disk).err().unwrap();
        assert_eq!(error.reason(), "JOURNAL_DAMAGED", "bit {bit}");
    }
}

#[tokio::test]
async fn a_torn_last_batch_among_zeros_is_cut() {
    let disk = filled_ahead(9).await;
    let path = segments(&disk).pop().unwrap();
    let start = end_of(&disk.content(&path));
    {
        let (mut journal, _) = open_ahead(&disk).unwrap();
        journal.append(vec![vec![7; 1_300]]).await.unwrap();
    }
    let whole = disk.content(&path);
    let end = end_of(&whole);
    let (first, last) = (start / 512, (end - 1) / 512);
    assert!(last - first >= 2);
    // Any of its sectors may be missing, but not none.
    for lost in 1..1_u32 << (last - first + 1) {
        let disk = copy(&disk);
        let mut bytes = whole.clone();
        for sector in (first..=last).filter(|sector| lost & 1 << (sector - first) != 0) {
            let from = (sector * 512).max(start);
            bytes[from..((sector + 1) * 512).min(end)].fill(0);
        }
        disk.set_content(&path, bytes);
        let (mut journal, recovery) = open_ahead(&disk).unwrap();
        assert_eq!(recovery.records, 9, "{lost:b}");
        let is_all_lost = lost == (1 << (last - first + 1)) - 1;
        assert_eq!(recovery.cut_bytes == 0, is_all_lost, "{lost:b}");
        fill(&mut journal, 20).await;
        assert_eq!(read_all(&journal), 20);
    }
}

#[tokio::test]
async fn zeros_that_a_crash_left_in_a_closed_segment_are_trimmed() {
    let disk = filled_ahead(150).await;
    let path = segments(&disk).swap_remove(1);
    let mut bytes = disk.content(&path);
    let end = bytes.len();
    bytes.resize(end + 1_000, 0);
    disk.set_content(&path, bytes);
    let (journal, recovery) = open_ahead(&disk).unwrap();
    assert_eq!((recovery.records, recovery.cut_bytes), (150, 0));
    assert_eq!(disk.content(&path).len(), end);
    assert_eq!(read_all(&journal), 150);
}

#[tokio::test]
async fn a_full_disk_stops_the_zeros_and_not_the_batches() {
    let disk = SimulatedDisk::default();
    disk.set_free(Some(1 << 20));
    let (mut journal, _) = open_ahead(&disk).unwrap();
    fill(&mut journal, 5).await;
    disk.set_free(Some(0));
    for sequence in 6..12 {
        journal.append(vec![record(sequence)]).await.unwrap();
    }
    assert_eq!(read_all(&journal), 11);
}
