//! A disk that fills up, and what still works then.

use super::*;

const RESERVE: u64 = 64 * 1024;
const MIB: u64 = 1024 * 1024;

fn open_with(disk: &SimulatedDisk, segment_bytes: u64, reserve_bytes: u64) -> Result<FileJournal> {
    let options = FileJournalOptions {
        segment_bytes,
        reserve_bytes,
        ..options(disk)
    };
    FileJournal::open(Path::new(FOLDER), options).map(|(journal, _)| journal)
}

/// Appends while there is room; how many records went.
async fn fill_up(journal: &mut FileJournal) -> u64 {
    let before = journal.next_sequence();
    while journal.has_room(4096).await.unwrap() {
        let next = journal.next_sequence();
        journal.append(vec![vec![next as u8; 4000]]).await.unwrap();
    }
    journal.next_sequence() - before
}

#[tokio::test]
async fn a_full_disk_refuses_ordinary_records_and_the_reserve_takes_the_rest() {
    let disk = SimulatedDisk::default();
    disk.set_free(Some(4 * MIB));
    let mut journal = open_with(&disk, u64::MAX, RESERVE).unwrap();
    assert!(fill_up(&mut journal).await > 900);
    assert!(!journal.has_room(4096).await.unwrap());
    // What must be written goes on, until the reserve is used up as well.
    let mut vital = 0;
    let full = loop {
        let next = journal.next_sequence();
        match journal.append(vec![vec![next as u8; 1000]]).await {
            Ok(_) => vital += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((full.kind(), full.reason()), (Kind::Exhausted, DISK_FULL));
    assert!(vital >= RESERVE / 1100, "{vital}");
    // Nothing was written of it, and nothing is poisoned: with room again it goes on, and the reserve is whole again.
    let last = journal.next_sequence() - 1;
    disk.set_free(Some(8 * MIB));
    assert!(journal.has_room(4096).await.unwrap());
    journal.append(vec![vec![1; 10]]).await.unwrap();
    assert_eq!(journal.verify().await.unwrap().last_sequence, last + 1);
    disk.set_free(Some(0));
    fill_up(&mut journal).await;
    for _ in 0..RESERVE / 1100 {
        journal.append(vec![vec![2; 1000]]).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_makes_no_new_segment_and_the_old_one_goes_on() {
    let disk = SimulatedDisk::default();
    disk.set_free(Some(5 * MIB));
    let mut journal = open_with(&disk, 2 * MIB, RESERVE).unwrap();
    fill_up(&mut journal).await;
    let before = segments(&disk);
    assert!(before.len() > 1, "{before:?}");
    for _ in 0..RESERVE / 2100 {
        journal.append(vec![vec![3; 2000]]).await.unwrap();
    }
    assert_eq!(segments(&disk), before);
    assert!(
        !disk
            .paths()
            .iter()
            .any(|path| path.extension().is_some_and(|end| end == "tmp"))
    );
    disk.set_free(Some(9 * MIB));
    fill_up(&mut journal).await;
    assert!(segments(&disk).len() > before.len());
    let last = journal.next_sequence() - 1;
    assert_eq!(journal.verify().await.unwrap().last_sequence, last);
    drop(journal);
    assert_eq!(open_with(&disk, 2 * MIB, RESERVE).unwrap().next_sequence(), last + 1);
}

#[tokio::test]
async fn a_journal_opens_on_a_full_disk_in_what_was_set_aside() {
    for zeros_bytes in [0, 4 * RESERVE] {
        opens_on_a_full_disk(zeros_bytes).await;
    }
}

async fn opens_on_a_full_disk(zeros_bytes: u64) {
    let disk = SimulatedDisk::default();
    let open = || {
        let options = FileJournalOptions {
            segment_bytes: u64::MAX,
            reserve_bytes: RESERVE,
            zeros_bytes,
            ..options(&disk)
        };
        FileJournal::open(Path::new(FOLDER), options).unwrap().0
    };
    disk.set_free(Some(3 * MIB));
    let mut journal = open();
    fill_up(&mut journal).await;
    let written = journal.next_sequence();
    drop(journal);
    disk.set_free(Some(0));
    let mut journal = open();
    assert!(journal.epoch() > 1);
    assert!(!journal.has_room(4096).await.unwrap());
    journal.append(vec![vec![1; 20_000]]).await.unwrap();
    assert_eq!(journal.next_sequence(), written + 1);
    let error = journal
        .snapshots()
        .unwrap()
        .write(written, &vec![0; 100_000])
        .unwrap_err();
    assert_eq!(error.reason(), DISK_FULL);
    assert!(
        !disk
            .paths()
            .iter()
            .any(|path| path.extension().is_some_and(|end| end == "tmp"))
    );
}

#[tokio::test]
async fn a_new_journal_without_room_says_so() {
    let disk = SimulatedDisk::default();
    disk.set_free(Some(RESERVE));
    let error = open_with(&disk, u64::MAX, RESERVE).err().unwrap();
    assert_eq!((error.kind(), error.reason()), (Kind::Exhausted, DISK_FULL));
    disk.set_free(Some(MIB));
    open_with(&disk, u64::MAX, RESERVE).unwrap();
}

#[tokio::test]
async fn without_a_reserve_a_full_disk_poisons() {
    let disk = SimulatedDisk::default();
    let mut journal = open_with(&disk, u64::MAX, 0).unwrap();
    disk.set_free(Some(10));
    assert!(journal.has_room(4096).await.unwrap(), "it does not look");
    let error = journal.append(vec![vec![0; 100]]).await.unwrap_err();
    assert_eq!(error.reason(), "JOURNAL_POISONED");
}

#[tokio::test]
async fn a_disk_that_fails_when_asked_for_room_is_no_full_disk() {
    let disk = SimulatedDisk::default();
    let mut journal = open_with(&disk, u64::MAX, RESERVE).unwrap();
    disk.cut_power_after(0);
    assert_eq!(journal.has_room(MIB).await.unwrap_err().reason(), "JOURNAL_IO");
    assert!(disk.is_off());
}

#[tokio::test]
async fn what_no_longer_fits_a_segment_gives_its_room_back() {
    let disk = SimulatedDisk::default();
    disk.set_free(Some(100 * MIB));
    let mut journal = open_with(&disk, 256 * 1024, RESERVE).unwrap();
    let mut written = 0;
    while segments(&disk).len() < 20 {
        journal.append(vec![vec![5; 30_000]]).await.unwrap();
        written += 30_000;
    }
    let used = 100 * MIB - disk.free().unwrap();
    assert!(used < written + 2 * MIB + 4 * RESERVE, "{used} for {written}");
}

#[tokio::test]
async fn a_real_disk_sets_room_aside_beyond_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let without_zeros = FileJournalOptions {
        zeros_bytes: 0,
        ..FileJournalOptions::default()
    };
    let (mut journal, _) = FileJournal::open(folder.path(), without_zeros).unwrap();
    assert!(journal.has_room(1000).await.unwrap());
    fill(&mut journal, 20).await;
    let path = segment::path(folder.path(), 1);
    let meta = std::fs::metadata(&path).unwrap();
    assert!(meta.len() < 5000, "the size is what was written");
    drop(journal);
    let (journal, recovery) = FileJournal::open(folder.path(), FileJournalOptions::default()).unwrap();
    assert_eq!((recovery.cut_bytes, read_all(&journal)), (0, 20));
}

/// A disk of a file system that sets nothing aside.
struct Simple(RealDisk);
struct SimpleFile(Box<dyn DiskFile>);

impl DiskFile for SimpleFile {
    fn size(&self) -> std::io::Result<u64> {
        self.0.size()
    }
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.0.read_at(bytes, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        self.0.write_at(bytes, offset)
    }
    fn truncate(&self, size: u64) -> std::io::Result<()> {
        self.0.truncate(size)
    }
    fn allocate(&self, _: u64, _: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn sync(&self) -> std::io::Result<()> {
        self.0.sync()
    }
}

impl Disk for Simple {
    fn create_folder(&self, folder: &Path) -> std::io::Result<()> {
        self.0.create_folder(folder)
    }
    fn list(&self, folder: &Path) -> std::io::Result<Vec<String>> {
        self.0.list(folder)
    }
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SimpleFile(self.0.open(path)?)))
    }
    fn create(&self, path: &Path) -> std::io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SimpleFile(self.0.create(path)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.0.remove(path)
    }
    fn sync_folder(&self, folder: &Path) -> std::io::Result<()> {
        self.0.sync_folder(folder)
    }
    fn lock(&self, path: &Path) -> std::io::Result<Box<dyn Send + Sync>> {
        self.0.lock(path)
    }
}

#[tokio::test]
async fn a_file_system_that_sets_nothing_aside_still_keeps_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let options = FileJournalOptions {
            segment_bytes: 1000,
            disk: Arc::new(Simple(RealDisk)),
            ..FileJournalOptions::default()
        };
        FileJournal::open(folder.path(), options).unwrap().0
    };
    let mut journal = open();
    fill(&mut journal, 50).await;
    assert!(journal.has_room(MIB).await.unwrap());
    drop(journal);
    let mut journal = open();
    fill(&mut journal, 60).await;
    assert_eq!(read_all(&journal), 60);
}
