//! The venue over a folder: killed, it starts again from its snapshot and what follows it.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{START, TestVenue};
use exchange::{Config, journal};
use http::Method;
use mesh::app::Shutdown;
use serde_json::Value;
use std::path::Path;
use tokio::task::JoinHandle;

const EVERY: u64 = 10;

struct Life {
    venue: TestVenue,
    /// Where the start began to read.
    from: u64,
    snapshots: JoinHandle<mesh::Result<()>>,
}

async fn start(folder: &Path) -> Life {
    let config = Config {
        snapshot_records: EVERY,
        ..common::config()
    };
    let (journal, ledger) = journal::open(&folder.join("journal"), &config).unwrap();
    let from = journal.snapshot();
    let snapshotter = journal.snapshotter(&config).unwrap();
    let snapshots = tokio::spawn(snapshotter.run(Shutdown::new().0.token()));
    let venue = TestVenue::on(config, &folder.join("keys"), (Box::new(journal), ledger), START).await;
    Life { venue, from, snapshots }
}

impl Life {
    /// Ends without an end: nothing is written any more.
    async fn kill(self) {
        for task in [self.snapshots.abort_handle(), self.venue.actor.abort_handle()] {
            task.abort();
        }
        assert!(self.snapshots.await.unwrap_err().is_cancelled());
        assert!(self.venue.actor.await.unwrap_err().is_cancelled());
    }

    async fn order(&self, terms: &str) -> Value {
        let query = format!("symbol=BTCUSDT&{terms}");
        let path = "/api/v3/order";
        self.venue.signed(Method::POST, path, "alice", &query).await.ok()
    }

    /// All that alice is shown of what is hers.
    async fn shown(&self) -> Vec<Value> {
        let mut shown = Vec::new();
        for path in ["account", "openOrders", "allOrders", "myTrades"] {
            let query = if path == "account" { "" } else { "symbol=BTCUSDT" };
            let path = format!("/api/v3/{path}");
            shown.push(self.venue.signed(Method::GET, &path, "alice", query).await.ok());
        }
        shown
    }
}

/// The sequence of the newest snapshot; 0 for none.
fn newest(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder.join("journal")).unwrap();
    let sequences = files.filter_map(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".snapshot")?.parse().ok()
    });
    sequences.max().unwrap_or_default()
}

#[tokio::test]
async fn a_killed_venue_starts_from_its_snapshot_and_has_forgotten_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("keys")).unwrap();
    common::accounts(&folder.join("keys"));
    let life = start(folder).await;
    assert_eq!(life.from, 0);
    let (bid, _) = life.venue.best("BTCUSDT").await;
    let far = bid.split('.').next().unwrap().parse::<i64>().unwrap() * 8 / 10;
    for number in 0..12 {
        life.order("side=BUY&type=MARKET&quantity=0.001").await;
        let resting = format!("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={far}");
        let resting = life.order(&resting).await;
        if number % 3 == 0 {
            let query = format!("symbol=BTCUSDT&orderId={}", resting["orderId"]);
            let cancelled = life.venue.signed(Method::DELETE, "/api/v3/order", "alice", &query);
            cancelled.await.ok();
        }
    }
    while newest(folder) < 2 * EVERY {
        tokio::task::yield_now().await;
    }
    let before = life.shown().await;
    let counts: Vec<usize> = before[1..].iter().map(|page| page.as_array().unwrap().len()).collect();
    assert_eq!(counts[..2], [8, 24]);
    assert!(counts[2] >= 12, "{counts:?}");
    life.kill().await;

    let life = start(folder).await;
    assert!(life.from >= 2 * EVERY, "it began to read at {}", life.from);
    assert_eq!(life.shown().await, before);
    life.kill().await;
}
