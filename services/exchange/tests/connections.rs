//! Stream connections: bounds, slow readers, pings.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{TestVenue, config};
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn connections_and_streams_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = exchange::Config {
        max_connections: 1,
        max_streams: 2,
        ..config()
    };
    let venue = TestVenue::start(bounds, folder.path()).await;
    let url = format!("ws://{}/ws", venue.address);
    let mut first = venue.socket("/ws/btcusdt@trade/ethusdt@trade").await;
    let more = first
        .ask(json!({"method": "SUBSCRIBE", "params": ["solusdt@trade"], "id": 1}))
        .await;
    assert_eq!(more["error"]["code"], 2);
    assert!(tokio_tungstenite::connect_async(&url).await.is_err());
    assert!(
        tokio_tungstenite::connect_async(format!("ws://{}/ws-api/v3", venue.address))
            .await
            .is_err()
    );
    assert!(
        tokio_tungstenite::connect_async(format!("{url}/btcusdt@trade/ethusdt@trade/solusdt@trade"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_disconnected() {
    let folder = tempfile::tempdir().unwrap();
    let small = exchange::Config {
        stream_queue_frames: 16,
        ..config()
    };
    let venue = TestVenue::start(small, folder.path()).await;
    let mut socket = venue
        .socket("/ws/btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms")
        .await;
    // more frames at once than the queue holds
    venue.advance(1_900_000);
    let mut frames = 0;
    loop {
        match socket.0.next().await {
            Some(Ok(Message::Text(_))) => frames += 1,
            Some(Ok(Message::Close(_))) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(frames <= 32, "{frames}");
}

#[tokio::test]
async fn readers_are_pinged_and_binary_frames_end_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let brisk = exchange::Config {
        ping_s: 1,
        pong_s: 30,
        ..config()
    };
    let venue = TestVenue::start(brisk, folder.path()).await;
    let mut socket = venue.socket("/stream").await;
    let bad = socket.ask(json!("not an object")).await;
    assert_eq!(bad["error"]["code"], 2);
    socket.0.send(Message::text("{")).await.unwrap();
    assert_eq!(socket.next().await["error"]["code"], 3);
    let message = socket.0.next().await.unwrap().unwrap();
    assert!(matches!(message, Message::Ping(_)), "{message:?}");
    socket.0.send(Message::binary(vec![1])).await.unwrap();
    loop {
        match socket.0.next().await {
            Some(Ok(Message::Close(_))) | None => break,
            Some(Ok(Message::Ping(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}
