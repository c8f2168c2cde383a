//! A full disk, and snapshots beside the shard.

use super::*;
use crate::codec;
use crate::core::{CancelAll, Halt, HaltScope, SetHalt};
use crate::snapshot;
use mesh::error::Kind;
use mesh::journal::testing::SimulatedDisk;
use mesh::journal::{FileJournal, FileJournalOptions, Snapshots};
use std::path::Path;

#[tokio::test]
async fn a_full_disk_refuses_new_orders_and_nothing_else() {
    let rig = rig(64, 64).await;
    rig.gate.add_permits(100);
    let Reply::Order(first) = rig.handle.submit(submit("a")).await.unwrap() else {
        panic!("an order")
    };
    rig.venue.wait_placed(1).await;
    rig.disk.full.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let refused = rig.handle.submit(submit("b")).await.unwrap_err();
        assert_eq!((refused.kind(), refused.reason()), (Kind::Exhausted, "DISK_FULL"));
        assert!(refused.is_retryable() && refused.retry_delay().is_some());
    }
    let Reply::Order(again) = rig.handle.submit(submit("a")).await.unwrap() else {
        panic!("an order")
    };
    assert_eq!(again, first, "a repeated key writes nothing");
    let all = CancelAll {
        account: account(),
        which: crate::core::OrderMatch::default(),
        request_id: String::new(),
    };
    assert!(matches!(
        rig.handle.urgent(Command::CancelAll(all)).await.unwrap(),
        Reply::Orders(_)
    ));
    let halt = SetHalt {
        scope: HaltScope::Symbol,
        target: "ETHUSDT".to_owned(),
        reason: "drill".to_owned(),
        subject: "ada".to_owned(),
        cancel_orders: false,
    };
    assert!(matches!(
        rig.handle.urgent(Command::Halt(halt)).await.unwrap(),
        Reply::Halts(_)
    ));

    rig.disk.full.store(false, Ordering::SeqCst);
    let Reply::Order(second) = rig.handle.submit(submit("b")).await.unwrap() else {
        panic!("an order")
    };
    assert_ne!(
        second.order_id, first.order_id,
        "the refusal was not kept under its key"
    );
    rig.venue.wait_placed(2).await;
}

const KEPT: Kept = Kept {
    closed_orders: 100,
    refusals: 10,
};

fn open(disk: &SimulatedDisk) -> FileJournal {
    let options = FileJournalOptions {
        segment_bytes: 2_000,
        reserve_bytes: 1_000,
        disk: Arc::new(disk.clone()),
        chance: Chance::seeded(1),
        ..FileJournalOptions::default()
    };
    FileJournal::open(Path::new("/journal"), options).unwrap().0
}

/// One more record.
async fn halt(journal: &mut FileJournal) {
    let sequence = journal.next_sequence();
    let time = Timestamp::from_micros(sequence as i64);
    let halt = Halt {
        scope: HaltScope::Symbol,
        target: format!("S{}", sequence % 7),
        reason: "drill".to_owned(),
        subject: "ada".to_owned(),
        time,
        cancel_orders: false,
    };
    let record = codec::Record {
        sequence,
        time,
        event: crate::core::Event::HaltSet(halt),
    };
    journal.append(vec![codec::encode(0, &record)]).await.unwrap();
}

fn snapshotter(journal: &FileJournal) -> Snapshotter {
    Snapshotter {
        reader: journal.reader(),
        snapshots: journal.snapshots().unwrap(),
        empty: State::new(0, KEPT),
        every: 10,
    }
}

async fn newest(snapshots: &Arc<dyn Snapshots>, at_least: u64) -> u64 {
    loop {
        let newest = snapshots.newest(u64::MAX).unwrap().map_or(0, |newest| newest.sequence);
        if newest >= at_least {
            return newest;
        }
        tokio::task::yield_now().await;
    }
}

fn replayed(journal: &FileJournal) -> State {
    let mut state = State::new(0, KEPT);
    replay(&mut state, &*journal.reader()).unwrap();
    state
}

fn restored(journal: &FileJournal) -> (u64, State) {
    let mut state = from_snapshot(journal.snapshots().as_deref(), State::new(0, KEPT)).unwrap();
    let from = state.sequence();
    replay(&mut state, &*journal.reader()).unwrap();
    (from, state)
}

#[tokio::test]
async fn snapshots_follow_the_journal_and_restore_what_it_holds() {
    let disk = SimulatedDisk::default();
    let mut journal = open(&disk);
    let snapshots = journal.snapshots().unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(snapshotter(&journal).run(stop.clone()));
    for _ in 0..35 {
        halt(&mut journal).await;
    }
    let at = newest(&snapshots, 20).await;
    let (from, state) = restored(&journal);
    assert!(from >= at);
    assert_eq!(state, replayed(&journal));
    stop.cancel();
    task.await.unwrap().unwrap();
    drop(journal);
    let journal = open(&disk);
    assert_eq!(restored(&journal).1, replayed(&journal));
}

#[tokio::test]
async fn what_cannot_be_used_sends_the_start_further_back() {
    let disk = SimulatedDisk::default();
    let mut journal = open(&disk);
    for _ in 0..30 {
        halt(&mut journal).await;
    }
    let snapshots = journal.snapshots().unwrap();
    let mut early = State::new(0, KEPT);
    mesh::journal::replay_until(&mut early, &*journal.reader(), 10).unwrap();
    let bytes = snapshot::encode(&early).unwrap();
    snapshots.write(10, &bytes).unwrap();
    assert_eq!(restored(&journal).0, 10);
    // The next says another record than it holds.
    snapshots.write(20, &bytes).unwrap();
    assert_eq!(restored(&journal), (10, replayed(&journal)));
    snapshots.write(25, b"of another version").unwrap();
    assert_eq!(
        restored(&journal),
        (0, replayed(&journal)),
        "two are kept, and neither can be used"
    );
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_written_waits_for_the_next() {
    let disk = SimulatedDisk::default();
    let mut journal = open(&disk);
    for _ in 0..12 {
        halt(&mut journal).await;
    }
    disk.set_free(Some(0));
    let taker = snapshotter(&journal);
    assert_eq!(taker.take().await.unwrap(), 12);
    assert_eq!(journal.snapshots().unwrap().newest(u64::MAX).unwrap(), None);
    disk.set_free(None);
    taker.take().await.unwrap();
    assert_eq!(restored(&journal).0, 12);
}

#[tokio::test]
async fn a_damaged_record_ends_the_task() {
    let disk = SimulatedDisk::default();
    let mut journal = open(&disk);
    journal.append(vec![b"no decision".to_vec()]).await.unwrap();
    for _ in 0..10 {
        halt(&mut journal).await;
    }
    let ended = snapshotter(&journal).run(CancellationToken::new()).await;
    assert_eq!(ended.unwrap_err().reason(), "JOURNAL_RECORD");
}
