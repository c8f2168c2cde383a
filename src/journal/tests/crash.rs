//! The power goes at every step of a journal's life; whatever had been told to somebody is there afterwards.

use super::*;

/// What somebody was told.
#[derive(Debug, Default, Clone)]
struct Told {
    acknowledged: u64,
    epoch: u64,
    snapshot: u64,
}

/// Small segments, so that they are often begun; every second disk grows its segments ahead.
fn tight(disk: &SimulatedDisk) -> FileJournalOptions {
    FileJournalOptions {
        segment_bytes: 700,
        reserve_bytes: 300,
        zeros_bytes: if disk.content(Path::new(GROWS_AHEAD)).is_empty() {
            0
        } else {
            200
        },
        ..options(disk)
    }
}

/// A file that says of a disk that its journal grows ahead.
const GROWS_AHEAD: &str = "/grows-ahead";

fn disk_of(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    if seed.is_multiple_of(2) {
        disk.set_content(Path::new(GROWS_AHEAD), vec![1]);
    }
    disk
}

/// Opens, appends over several segments, takes snapshots until the oldest is removed, closes and opens again.
async fn script(disk: &SimulatedDisk, told: &mut Told) -> Result<()> {
    for round in 0..2 {
        let (mut journal, recovery) = FileJournal::open(Path::new(FOLDER), tight(disk))?;
        assert!(recovery.records >= told.acknowledged, "{recovery:?} {told:?}");
        assert!(journal.epoch() > told.epoch);
        told.epoch = journal.epoch();
        for step in 0..6 {
            let first = journal.next_sequence();
            let last = first + step % 3;
            journal.append((first..=last).map(record).collect()).await?;
            told.acknowledged = last;
            if step % 2 == round {
                journal.snapshots().unwrap().write(last, &vec![last as u8; 1500])?;
                told.snapshot = last;
            }
        }
    }
    Ok(())
}

/// Everything that was told is there: records, the epoch, and a snapshot where none was half written.
fn audit(disk: &SimulatedDisk, told: &Told, place: &str) -> u64 {
    let opened = FileJournal::open(Path::new(FOLDER), tight(disk));
    let (journal, recovery) = opened.unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(recovery.records >= told.acknowledged, "{place}: {recovery:?} {told:?}");
    assert!(journal.epoch() > told.epoch, "{place}");
    assert_eq!(read_all(&journal), recovery.records, "{place}");
    if let Some(history) = journal.history() {
        history
            .verify(|| false)
            .unwrap_or_else(|error| panic!("{place}: {error}"));
    }
    let newest = journal.snapshots().unwrap().newest(u64::MAX).unwrap();
    assert!(
        newest.as_ref().map_or(0, |newest| newest.sequence) >= told.snapshot,
        "{place}"
    );
    if let Some(newest) = newest {
        assert_eq!(newest.state, vec![newest.sequence as u8; 1500], "{place}");
    }
    recovery.cut_bytes
}

#[tokio::test]
async fn a_crash_at_any_step_loses_nothing_that_was_acknowledged() {
    let (mut steps, mut cuts) = (0, 0);
    loop {
        let mut whole = false;
        for seed in 0..16 {
            let chance = Chance::seeded(u64::from(steps) * 1_000 + seed);
            let disk = disk_of(seed);
            let mut told = Told::default();
            disk.cut_power_after(steps);
            whole = script(&disk, &mut told).await.is_ok();
            disk.crash(&chance);
            // And once more while it recovers.
            disk.cut_power_after(chance.below(30) as u32);
            let again = script(&disk, &mut told).await;
            assert!(again.is_ok() || disk.is_off(), "step {steps}, seed {seed}: {again:?}");
            disk.crash(&chance);
            cuts += u64::from(audit(&disk, &told, &format!("step {steps}, seed {seed}")) > 0);
        }
        if whole {
            break;
        }
        steps += 1;
    }
    assert!(steps > 100, "{steps} steps");
    assert!(cuts > 20, "{cuts} cuts");
}

#[tokio::test]
async fn a_disk_that_fills_at_any_byte_loses_nothing_either() {
    let mut full = 0;
    for seed in 0..400 {
        let chance = Chance::seeded(seed);
        let disk = disk_of(seed);
        let mut told = Told::default();
        disk.set_free(Some(500 + chance.below(20_000)));
        full += u32::from(script(&disk, &mut told).await.is_err());
        disk.crash(&chance);
        disk.set_free(None);
        audit(&disk, &told, &format!("seed {seed}"));
    }
    assert!(full > 100, "{full}");
}
