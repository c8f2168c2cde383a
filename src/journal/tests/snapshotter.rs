//! Snapshots beside the work: what they hold, what a start makes of them, and who computes them.

use std::sync::mpsc;

use parking_lot::Mutex;
use rustix::process::getpriority_process;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::journal::aside::{Place, aside};
use crate::journal::snapshotter::Share;

/// The sum of the records' lengths, and who computed it.
#[derive(Clone)]
struct Lengths {
    sequence: u64,
    sum: u64,
    /// Writes only what can be written.
    is_sound: bool,
    levels: Levels,
    outcomes: Arc<Mutex<Vec<Result<()>>>>,
}

/// Applies records once it may.
#[derive(Clone)]
struct Slow {
    lengths: Lengths,
    asked: watch::Sender<bool>,
    may_go_on: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Fold for Slow {
    fn sequence(&self) -> u64 {
        self.lengths.sequence
    }

    fn apply(&mut self, sequence: u64, bytes: &[u8]) -> Result<()> {
        self.asked.send_replace(true);
        // Until there is nobody left who could say so.
        let _ = self.may_go_on.lock().recv();
        self.lengths.apply(sequence, bytes)
    }

    fn encode(&self) -> Result<Vec<u8>> {
        self.lengths.encode()
    }

    fn decode(&self, snapshot: &[u8]) -> Result<Slow> {
        let lengths = self.lengths.decode(snapshot)?;
        Ok(Slow {
            lengths,
            ..self.clone()
        })
    }

    fn snapshot_written(&self, outcome: &Result<()>) {
        self.lengths.snapshot_written(outcome);
    }
}

/// The `nice` levels of the threads that were here.
type Levels = Arc<Mutex<Vec<i32>>>;

fn note(levels: &Levels) {
    levels.lock().push(own_level());
}

fn own_level() -> i32 {
    getpriority_process(None).unwrap()
}

fn none() -> Lengths {
    Lengths {
        sequence: 0,
        sum: 0,
        is_sound: true,
        levels: Levels::default(),
        outcomes: Arc::default(),
    }
}

impl Fold for Lengths {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn apply(&mut self, sequence: u64, bytes: &[u8]) -> Result<()> {
        note(&self.levels);
        if bytes == b"no record" {
            return Err(Error::internal("UNREADABLE", "no record"));
        }
        assert_eq!((sequence, bytes), (self.sequence + 1, record(sequence).as_slice()));
        self.sequence = sequence;
        self.sum += bytes.len() as u64;
        Ok(())
    }

    fn encode(&self) -> Result<Vec<u8>> {
        note(&self.levels);
        let bytes = [self.sequence.to_be_bytes(), self.sum.to_be_bytes()].concat();
        self.is_sound
            .then_some(bytes)
            .ok_or_else(|| Error::internal("UNSOUND", "it has no form"))
    }

    fn decode(&self, snapshot: &[u8]) -> Result<Lengths> {
        note(&self.levels);
        let Some((sequence, sum)) = snapshot.split_first_chunk::<8>() else {
            return Err(Error::internal("UNUSABLE", "another form"));
        };
        Ok(Lengths {
            sequence: u64::from_be_bytes(*sequence),
            sum: u64::from_be_bytes(sum.try_into().unwrap()),
            ..self.clone()
        })
    }

    fn snapshot_written(&self, outcome: &Result<()>) {
        self.outcomes.lock().push(outcome.clone());
    }
}

/// Notes who reads and writes the journal.
struct Watched<T: ?Sized>(Arc<T>, Levels);

impl JournalReader for Watched<dyn JournalReader> {
    fn read(&self, from: u64, max: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        note(&self.1);
        self.0.read(from, max)
    }

    fn durable(&self) -> watch::Receiver<u64> {
        self.0.durable()
    }
}

impl Snapshots for Watched<dyn Snapshots> {
    fn write(&self, sequence: u64, state: &[u8]) -> Result<()> {
        note(&self.1);
        self.0.write(sequence, state)
    }

    fn newest(&self, at_most: u64) -> Result<Option<Snapshot>> {
        note(&self.1);
        self.0.newest(at_most)
    }
}

fn snapshotter(journal: &FileJournal, empty: &Lengths) -> Snapshotter<Lengths> {
    Snapshotter {
        reader: journal.reader(),
        snapshots: journal.snapshots().unwrap(),
        empty: empty.clone(),
        every: 10,
    }
}

/// Where a start begins, and what it comes to.
fn started(journal: &FileJournal) -> (u64, u64) {
    let mut state = from_snapshot(journal.snapshots().as_deref(), none()).unwrap();
    let from = state.sequence;
    replay(&mut state, &*journal.reader()).unwrap();
    assert_eq!(state.sequence + 1, journal.next_sequence());
    (from, state.sum)
}

fn sum(last: u64) -> u64 {
    (1..=last).map(|sequence| record(sequence).len() as u64).sum()
}

#[tokio::test]
async fn snapshots_follow_the_journal_until_told_to_stop() {
    let disk = SimulatedDisk::default();
    let (mut journal, _) = open(&disk).unwrap();
    let (empty, stop) = (none(), CancellationToken::new());
    let mut task = tokio::spawn(snapshotter(&journal, &empty).run(stop.clone()));
    let mut taken = Vec::new();
    for last in [9, 10, 25, 34, 35] {
        fill(&mut journal, last).await;
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        taken.push(empty.outcomes.lock().len());
    }
    assert_eq!(taken, [0, 1, 2, 2, 3], "every ten records");
    assert_eq!(started(&journal), (35, sum(35)));
    stop.cancel();
    (&mut task).await.unwrap().unwrap();
    // The next life goes on counting from there, and ends with the journal.
    drop(journal);
    let (mut journal, _) = open(&disk).unwrap();
    let next = none();
    let task = tokio::spawn(snapshotter(&journal, &next).run(CancellationToken::new()));
    fill(&mut journal, 44).await;
    tokio::task::yield_now().await;
    assert_eq!(next.outcomes.lock().len(), 0);
    fill(&mut journal, 45).await;
    task.abort();
    assert_eq!(started(&journal), (35, sum(45)));
}

#[tokio::test]
async fn what_cannot_be_used_sends_a_start_further_back() {
    let disk = SimulatedDisk::default();
    let (mut journal, _) = open(&disk).unwrap();
    singles(&mut journal, 30).await;
    let mut early = none();
    replay_until(&mut early, &*journal.reader(), 10).unwrap();
    let snapshots = journal.snapshots().unwrap();
    write_snapshot(&*snapshots, &early);
    assert_eq!(started(&journal), (10, sum(30)));
    // The next says another record than it holds.
    snapshots.write(20, &early.encode().unwrap()).unwrap();
    assert_eq!(started(&journal), (10, sum(30)));
    // The task goes back as far as a start does.
    let taker = snapshotter(&journal, &none());
    taker.take().await.unwrap();
    assert_eq!(started(&journal), (30, sum(30)));
    singles(&mut journal, 32).await;
    for sequence in [31, 32] {
        snapshots.write(sequence, b"other").unwrap();
    }
    assert_eq!(started(&journal), (0, sum(32)), "two are kept, and neither can be used");
}

#[tokio::test]
async fn what_cannot_be_written_is_told_and_the_next_may_be() {
    let disk = SimulatedDisk::default();
    let (mut journal, _) = open(&disk).unwrap();
    fill(&mut journal, 12).await;
    let empty = none();
    let unsound = Lengths {
        is_sound: false,
        ..empty.clone()
    };
    assert_eq!(snapshotter(&journal, &unsound).take().await.unwrap(), 12);
    disk.set_free(Some(0));
    let taker = snapshotter(&journal, &empty);
    assert_eq!(taker.take().await.unwrap(), 12);
    assert_eq!(started(&journal), (0, sum(12)));
    disk.set_free(None);
    taker.take().await.unwrap();
    assert_eq!(started(&journal), (12, sum(12)));
    let outcomes = std::mem::take(&mut *empty.outcomes.lock());
    let reasons = outcomes.iter().map(|outcome| outcome.as_ref().map_err(Error::reason));
    let reasons: Vec<std::result::Result<&(), &str>> = reasons.collect();
    assert_eq!(reasons, [Err("UNSOUND"), Err("DISK_FULL"), Ok(&())]);
}

#[tokio::test]
async fn a_journal_that_cannot_be_replayed_ends_the_task() {
    let disk = SimulatedDisk::default();
    let (mut journal, _) = open(&disk).unwrap();
    journal.append(vec![b"no record".to_vec()]).await.unwrap();
    singles(&mut journal, 12).await;
    let ended = snapshotter(&journal, &none()).run(CancellationToken::new()).await;
    assert_eq!(ended.unwrap_err().reason(), "UNREADABLE");
    let missing = replay_until(&mut none(), &Short, 1).unwrap_err();
    assert_eq!(missing.reason(), "JOURNAL_INCONSISTENT");
}

/// Says that it has records, and has none.
struct Short;

impl JournalReader for Short {
    fn read(&self, _: u64, _: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        Ok(Vec::new())
    }

    fn durable(&self) -> watch::Receiver<u64> {
        watch::channel(1).1
    }
}

#[tokio::test]
async fn who_computes_a_snapshot_yields_and_who_holds_the_journals_locks_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = FileJournal::open(folder.path(), FileJournalOptions::default()).unwrap();
    fill(&mut journal, 3_000).await;
    write_snapshot(&*journal.snapshots().unwrap(), &{
        let mut early = none();
        replay_until(&mut early, &*journal.reader(), 7).unwrap();
        early
    });
    let own = own_level();
    for (share, expected) in [(Share::Rest, 19), (Share::Equal, own)] {
        let (empty, files) = (none(), Levels::default());
        let taker = Snapshotter {
            reader: Arc::new(Watched(journal.reader(), files.clone())),
            snapshots: Arc::new(Watched(journal.snapshots().unwrap(), files.clone())),
            empty: empty.clone(),
            every: 10,
        };
        let last = taker.take_with(share).await.unwrap();
        assert_eq!((last, started(&journal)), (3_000, (3_000, sum(3_000))));
        let (levels, files) = (empty.levels.lock().clone(), files.lock().clone());
        assert!(levels.iter().all(|level| *level == expected), "{share:?}: {levels:?}");
        assert!(files.iter().all(|level| *level == own), "{share:?}: {files:?}");
        assert!(!levels.is_empty() && !files.is_empty());
    }
}

#[tokio::test]
async fn who_is_told_to_stop_waits_for_no_computation() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = FileJournal::open(folder.path(), FileJournalOptions::default()).unwrap();
    fill(&mut journal, 10).await;
    let (asked, mut is_asked) = watch::channel(false);
    let (held, may_go_on) = mpsc::channel();
    let slow = Slow {
        lengths: none(),
        asked,
        may_go_on: Arc::new(Mutex::new(may_go_on)),
    };
    let outcomes = Arc::clone(&slow.lengths.outcomes);
    let taker = Snapshotter {
        reader: journal.reader(),
        snapshots: journal.snapshots().unwrap(),
        empty: slow,
        every: 10,
    };
    let stop = CancellationToken::new();
    let task = tokio::spawn(taker.run(stop.clone()));
    is_asked.wait_for(|asked| *asked).await.unwrap();
    stop.cancel();
    task.await.unwrap().unwrap();
    drop(held);
    // The thread ends with what it was doing, and lets go of all that it had.
    assert!(is_asked.wait_for(|asked| !*asked).await.is_err());
    assert_eq!((outcomes.lock().len(), started(&journal)), (0, (0, sum(10))));
}

#[test]
fn who_does_not_keep_up_with_the_rest_gets_an_equal_share() {
    let table = [
        (100, Share::Rest),
        (109, Share::Rest),
        (110, Share::Equal),
        (200, Share::Equal),
    ];
    for (durable, expected) in table {
        assert_eq!(Share::next(100, 10, durable), expected, "{durable}");
    }
}

#[tokio::test]
async fn what_panics_aside_is_an_error() {
    let among = aside(true, || -> Result<()> { panic!("planted") }).await;
    let behind = Place::behind().unwrap();
    let first = behind.compute(|| panic!("planted")).await;
    let second = behind.compute(|| ()).await;
    for ended in [among, first, second] {
        assert_eq!(ended.unwrap_err().reason(), "TASK_FAILED");
    }
}
