//! Server-sent events through the gateway.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod common;

use common::{Platform, config};
use gateway::Config;
use http::Method;

/// Reads a stream until it holds `until`, or to its end.
async fn read(request: reqwest::RequestBuilder, until: &str) -> String {
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while let Some(part) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&part).unwrap());
        if !until.is_empty() && text.contains(until) {
            return text;
        }
    }
    text
}

fn quotes(platform: &Platform, symbol: &str) -> reqwest::RequestBuilder {
    let path = format!("/v1/quotes:stream?symbols={symbol}");
    platform.request(Method::GET, &path, Some(&platform.ada()))
}

#[tokio::test]
async fn events_have_their_sequence_to_resume_after() {
    let platform = Platform::start(config()).await;
    let events = |last: &'static str| {
        let path = "/v1/accounts/paper-1/orderEvents:stream";
        let request = platform.request(Method::GET, path, Some(&platform.ada()));
        // Nobody compresses a stream of small events: it would be held back.
        request.header("last-event-id", last).header("accept-encoding", "gzip")
    };
    let text = read(events("6"), "id: 8\n").await;
    assert!(text.starts_with("id: 7\ndata: {\"sequence\":\"7\""), "{text}");
    assert!(text.contains("\"orderId\":\"ada\""), "{text}");
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives() {
    let platform = Platform::start(Config {
        stream_heartbeat_ms: 20,
        request_timeout_ms: 10,
        ..config()
    })
    .await;
    let text = read(quotes(&platform, "LIVE"), ": heartbeat\n\n: heartbeat\n\n").await;
    assert!(text.starts_with("data: {\"quote\""), "{text}");
}

#[tokio::test]
async fn a_stream_ends_well_or_with_its_error() {
    let platform = Platform::start(config()).await;
    let text = read(quotes(&platform, "ONE"), "").await;
    assert_eq!(text, "data: {\"quote\":{\"symbol\":\"ONE\"}}\n\n");
    let text = read(quotes(&platform, "LOST"), "").await;
    let (_, error) = text.split_once("event: error\ndata: ").unwrap();
    assert!(error.contains("FEED_LOST"), "{text}");
    let refused = common::answer(quotes(&platform, "REFUSED")).await;
    assert_eq!(refused.refusal(), (422, "FEED_CLOSED".to_owned()));
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let platform = Platform::start(config()).await;
    let request = platform.request(Method::GET, "/v1/quotes:stream", Some(&platform.expiring()));
    let text = read(request, "").await;
    assert!(
        text.contains("event: error") && text.contains("TOKEN_EXPIRED"),
        "{text}"
    );
}

#[tokio::test]
async fn a_stream_ends_when_the_gateway_goes_away() {
    let platform = Platform::start(config()).await;
    let mut response = quotes(&platform, "LIVE").send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    let shutdown = platform.running.shutdown();
    let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
    tokio::join!(shutdown, rest);
}
