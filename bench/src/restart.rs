//! How long the platform takes to be ready again, and how that grows with its past.

use crate::history::{self, Written};
use crate::platform::Platform;
use crate::report::{self, verdict};
use crate::{Outcome, Restart};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const LIMIT_S: f64 = 5.0;
/// A process that is killed has this many of trading's records after its last snapshot, or nearly: `trading.snapshot_records`.
const BEHIND: u64 = 47_500;

/// Measures and prints.
///
/// # Errors
/// When the platform does not start.
pub(crate) fn run(binary: &Path, options: &Restart) -> Outcome {
    let mut rows = Vec::new();
    let mut behind = Written::default();
    for &records in &options.records {
        let (row, after) = measure(binary, records)?;
        rows.push(row);
        behind = after;
    }
    report::print(
        &format!(
            "restart: seconds until `trademesh up`, one shard, is ready, by the orders of its past: accepted, and then filled or \
             cancelled.\nThe kill comes {} of trading's records and {} of the exchange's after the last snapshots. Limit {LIMIT_S} s \
             with snapshots.",
            report::count(behind.trading),
            report::count(behind.exchange)
        ),
        [
            "orders",
            "trading's records",
            "exchange's records",
            "fresh folder",
            "every record",
            "after a clean end",
            "after a kill",
            "verdict",
        ],
        rows,
    );
    Ok(())
}

/// A row, and how much follows the last snapshots at the kill.
fn measure(binary: &Path, records: u64) -> Result<([String; 8], Written), Failure> {
    let settings = ["trading.shards=1".to_owned(), "paper.accounts=1".to_owned()];
    let folder = Arc::new(tempfile::tempdir()?);
    let data = folder.path().join("data");
    let start = || Platform::up_in(binary, Arc::clone(&folder), &settings);
    let fresh = start()?;
    let empty = fresh.ready_after.as_secs_f64();
    fresh.interrupt()?;
    let past = extend(&data, records)?;
    for journal in [history::of_trading(&data), history::of_exchange(&data)] {
        forget_snapshots(&journal)?;
    }
    let whole = start()?;
    let replayed = whole.ready_after.as_secs_f64();
    whole.interrupt()?;
    let clean = start()?;
    let from_snapshot = clean.ready_after.as_secs_f64();
    drop(clean);
    let behind = extend(&data, BEHIND)?;
    let last = start()?;
    let killed = last.ready_after.as_secs_f64();
    // Where the journals are in step, nothing had to be adopted or asked for.
    println!("{}\n", last.complaints());
    let row = [
        report::count(past.orders),
        report::count(past.trading),
        report::count(past.exchange),
        format!("{empty:.2} s"),
        format!("{replayed:.2} s"),
        format!("{from_snapshot:.2} s"),
        format!("{killed:.2} s"),
        verdict(from_snapshot.max(killed) <= LIMIT_S),
    ];
    Ok((row, behind))
}

fn extend(data: &Path, records: u64) -> Result<Written, Failure> {
    let begun = Instant::now();
    let written = history::extend(data, records)?;
    println!(
        "wrote {} orders in {:.1} s",
        report::count(written.orders),
        begun.elapsed().as_secs_f64()
    );
    Ok(written)
}

fn forget_snapshots(journal: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(journal)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "snapshot") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}
