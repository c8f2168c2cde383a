//! Recorded traffic of Binance, served over a real WebSocket and REST server, through the whole service.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod support;

use data::binance::frame::{self, Frame};
use domain::{Book, Price, Quantity, Side};
use mesh::pb::data as api;
use serde::Deserialize;
use std::collections::BTreeMap;
use support::{Venue, exchange_info, run};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Depth {
    last_update_id: i64,
    bids: Vec<(Price, Quantity)>,
    asks: Vec<(Price, Quantity)>,
}

/// The recorded frames applied to a recorded snapshot by hand.
fn replay(symbol: &str, snapshot: &str, frames: &[String]) -> (i64, Book) {
    let depth: Depth = serde_json::from_str(snapshot).unwrap();
    let mut book = Book::new();
    book.apply_snapshot(depth.bids, depth.asks, 1_000);
    let mut last_id = depth.last_update_id;
    for text in frames {
        let Ok(Frame::Depth { symbol: named, diff }) = frame::parse(text) else {
            continue;
        };
        if named != symbol || diff.last_id <= last_id {
            continue;
        }
        for (side, levels) in [(Side::Buy, &diff.bids), (Side::Sell, &diff.asks)] {
            for (price, quantity) in levels {
                book.apply_level(side, *price, *quantity);
            }
        }
        last_id = diff.last_id;
        assert!(!book.is_crossed());
    }
    (last_id, book)
}

fn levels(book: &Book, side: Side) -> Vec<api::Level> {
    let level = |level: domain::BookLevel| api::Level {
        price: level.price.to_string(),
        quantity: level.quantity.to_string(),
    };
    book.known_levels(side).take(1_000).map(level).collect()
}

#[tokio::test]
async fn every_recorded_snapshot_bridges_and_no_book_is_ever_crossed() {
    let Some(folder) = std::env::var_os("TRADEMESH_FEEDS") else {
        println!("skipped: TRADEMESH_FEEDS does not name the folder of recorded exchange traffic");
        return;
    };
    let folder = std::path::PathBuf::from(folder).join("binance");
    let stream = std::fs::read_to_string(folder.join("stream.log")).unwrap();
    let lines = stream
        .lines()
        .filter(|line| line.starts_with(|start: char| start.is_ascii_digit()));
    let frames: Vec<String> = lines.map(|line| line.split_once(": ").unwrap().1.to_owned()).collect();
    let answers = std::fs::read_to_string(folder.join("rest-depth.log")).unwrap();
    let mut snapshots = BTreeMap::new();
    for line in answers.lines().filter(|line| !line.is_empty()) {
        let symbol = line.split("symbol=").nth(1).unwrap().split('&').next().unwrap();
        let json = line.split_once(" -> ").unwrap().1.split_once(": ").unwrap().1;
        snapshots.insert(symbol.to_owned(), json.to_owned());
    }
    let symbols: Vec<&str> = snapshots.keys().map(String::as_str).collect();
    let venue = Venue::start(&symbols).await;
    *venue.script.exchange_info.lock().unwrap() = exchange_info(&symbols);
    *venue.script.depth.lock().unwrap() = snapshots.clone();
    *venue.script.on_connect.lock().unwrap() = frames.clone();

    let mut running = run(data::Config {
        first_snapshot_levels: 1_000,
        ..venue.config()
    })
    .await;
    running.readiness.ready().await;
    let mut truths: BTreeMap<String, (i64, Book)> = snapshots
        .iter()
        .map(|(symbol, snapshot)| (symbol.clone(), replay(symbol, snapshot, &frames)))
        .collect();
    let request = api::StreamBooksRequest {
        symbols: snapshots.keys().cloned().collect(),
        depth: 1_000,
    };
    let mut books = running.client.stream_books(request).await.unwrap().into_inner();
    while !truths.is_empty() {
        let book = books.message().await.unwrap().unwrap().book.unwrap();
        let at_the_end = truths
            .get(&book.symbol)
            .is_some_and(|(last_id, _)| *last_id == book.update_id);
        if !at_the_end {
            continue;
        }
        let (_, truth) = truths.remove(&book.symbol).unwrap();
        assert_eq!(book.state(), api::BookState::Live);
        assert_eq!(book.bids, levels(&truth, Side::Buy), "{}", book.symbol);
        assert_eq!(book.asks, levels(&truth, Side::Sell), "{}", book.symbol);
    }
    let feed = running
        .client
        .get_feed(api::GetFeedRequest {})
        .await
        .unwrap()
        .into_inner();
    println!("recorded traffic: {feed:?}");
    assert_eq!((feed.live_books, feed.stale_books, feed.resyncing_books), (4, 0, 0));
    assert_eq!((feed.dropped_updates, feed.applied_updates, feed.gaps), (5, 172, 0));
    assert!(feed.connected);
    assert_eq!(feed.reconnects, 0);
}
