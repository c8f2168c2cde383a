//! What the venue tells of orders stops when an operator ends the stream, and comes again by itself.

use super::desk::{Desk, PATIENCE, at, has_status, limit};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_user_data_stream_that_the_venue_ends_is_subscribed_again() {
    let Some(desk) = Desk::open().await else { return };
    for (name, which) in [("of-the-account", json!({"account": "paper-1"})), ("of-all", json!({}))] {
        let begun = desk.market.price().await;
        let rests = desk.accepted(&limit(name, "BUY", "0.5", at(begun, -50))).await;
        let rests = desk.until(&rests, has_status("OPEN")).await;
        // Trading may still be on its way back from the last time.
        let begun_at = Instant::now();
        loop {
            let ended = desk.admin.post("/v1/exchange/userDataStreams:end", &which).await;
            assert_eq!(ended.status, 200, "{}", ended.body);
            if ended.body["ended"] == 1 {
                break;
            }
            assert!(begun_at.elapsed() < PATIENCE, "{name}: nobody listens to the account");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let filled = desk.until_at(at(begun, -60), &rests, has_status("FILLED")).await;
        desk.at_the_venue(&filled, "FILLED").await;
    }
}
