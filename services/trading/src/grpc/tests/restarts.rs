//! From a snapshot or from every record: the service comes back the same.

use super::reconcile::alerts;
use super::*;
use crate::venue::fake::Fate;
use std::path::PathBuf;

fn snapshots(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for shard in 0..2 {
        let names = std::fs::read_dir(folder.join("trading").join(format!("shard-{shard}"))).unwrap();
        let paths = names.map(|name| name.unwrap().path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "snapshot")));
    }
    found
}

async fn order(bench: &Bench, order_id: &str) -> pb::Order {
    let request = pb::GetOrderRequest {
        account_id: "paper-1".into(),
        order_id: order_id.into(),
    };
    let answer = bench.client().get_order(bench.ask(request)).await;
    answer.unwrap().into_inner().order.unwrap()
}

#[tokio::test]
async fn a_start_from_a_snapshot_knows_what_one_from_every_record_knows() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let mut orders = Vec::new();
    for number in 0..5 {
        let placed = bench.place(&format!("o-{number}"), "1", "99").await;
        orders.push(bench.until(&placed.order_id, OrderStatus::Open).await);
    }
    let venue = bench.stop().await;
    assert!(!snapshots(folder.path()).is_empty(), "a clean end leaves one");

    for with_snapshots in [true, false] {
        if !with_snapshots {
            for path in snapshots(folder.path()) {
                std::fs::remove_file(path).unwrap();
            }
        }
        let bench = start(folder.path(), Some(venue.clone())).await;
        for (number, known) in orders.iter().enumerate() {
            assert_eq!(order(&bench, &known.order_id).await, *known);
            let repeated = bench.place(&format!("o-{number}"), "1", "99").await;
            assert_eq!(repeated.order_id, known.order_id);
        }
        bench.stop().await;
    }
}

#[tokio::test]
async fn what_was_under_way_is_asked_for_before_any_account_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    bench.venue.fail_queries(usize::MAX);
    bench.venue.on_place([Fate::AnswerLost]);
    let placed = bench.place("a", "1", "99").await;
    bench.until(&placed.order_id, OrderStatus::Unknown).await;
    let venue = bench.stop().await;
    venue.clear();
    let looks = venue.looks().len();
    let answers = venue.hold_looks();

    let bench = launch(folder.path(), Some(venue), config(), accounts()).await;
    let open = async || {
        let get = pb::GetOrderRequest {
            account_id: "paper-1".into(),
            order_id: placed.order_id.clone(),
        };
        // Refused while the journals are replayed.
        let order = bench
            .client()
            .get_order(bench.ask(get))
            .await
            .ok()?
            .into_inner()
            .order?;
        (order.status() == OrderStatus::Open).then_some(())
    };
    eventually(open).await;
    assert_eq!(bench.venue.looks().len(), looks, "no account was looked at yet");
    answers.add_permits(accounts().len());
    bench.readiness.ready().await;
    bench.stop().await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let placed = bench.place("one", "1", "99").await;
    let known = bench.until(&placed.order_id, OrderStatus::Open).await;
    let venue = bench.stop().await;
    for path in snapshots(folder.path()) {
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let bench = start(folder.path(), Some(venue)).await;
    assert_eq!(order(&bench, &known.order_id).await, known);
    bench.stop().await;
}

/// The newest segment of a shard's journal.
fn last_segment(folder: &Path, shard: &str) -> PathBuf {
    let names = std::fs::read_dir(folder.join("trading").join(format!("shard-{shard}"))).unwrap();
    let paths = names.map(|name| name.unwrap().path());
    let segments = paths.filter(|path| path.extension().is_some_and(|extension| extension == "segment"));
    segments.max().unwrap()
}

#[tokio::test]
async fn an_incomplete_last_batch_is_cut_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let placed = bench.place("one", "1", "99").await;
    bench.until(&placed.order_id, OrderStatus::Open).await;
    let venue = bench.stop().await;
    for path in snapshots(folder.path()) {
        std::fs::remove_file(path).unwrap();
    }
    let (shard, _) = placed.order_id.split_once('-').unwrap();
    let segment = last_segment(folder.path(), shard);
    let bytes = std::fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    std::fs::write(&segment, &bytes[..end]).unwrap();

    let bench = start(folder.path(), Some(venue)).await;
    let told = alerts(&bench).await;
    let cut = told.iter().find(|alert| alert.reason == "JOURNAL_CUT").unwrap();
    let expected = [format!("shard {shard}: "), format!(" from {} at ", segment.display())];
    assert!(
        expected.iter().all(|part| cut.message.contains(part)),
        "{}",
        cut.message
    );
    let (_, offset) = cut.message.rsplit_once(' ').unwrap();
    assert!((1..end).contains(&offset.parse().unwrap()), "{}", cut.message);
    // The venue has told again what was cut.
    bench.until(&placed.order_id, OrderStatus::Open).await;
    bench.stop().await;
}
