//! The WebSocket: who opens it, what it carries, and how it ends.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod common;

use common::{ORDERS, Platform, QUOTES, Socket, answer, config};
use futures::{SinkExt, StreamExt};
use gateway::Config;
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// What a refusal says, for which frame.
fn failed(frame: &Value) -> (&str, &str) {
    let text = |value: &'_ Value| value.as_str().map(str::to_owned).unwrap_or_default().leak() as &str;
    (text(&frame["id"]), text(&frame["error"]["reason"]))
}

/// The message within a frame.
fn message(frame: &Value) -> Value {
    let text = frame["messageJson"].as_str();
    serde_json::from_str(text.unwrap_or_else(|| panic!("no message: {frame}"))).unwrap()
}

async fn ticket(platform: &Platform) -> String {
    let request = platform
        .request(Method::POST, "/v1/webSocketTickets", Some(&platform.ada()))
        .header("content-type", "application/json")
        .body("{}");
    let made = answer(request).await.json();
    assert_eq!(made["expiresInS"], "30");
    format!("/ws?from=here&ticket={}", made["ticket"].as_str().unwrap())
}

async fn opened(platform: &Platform) -> Socket {
    platform.socket(&platform.ada()).await
}

#[tokio::test]
async fn a_topic_is_followed_until_it_is_left() {
    let platform = Platform::start(config()).await;
    let mut socket = opened(&platform).await;
    let request = json!({"accountId": "paper-1", "fromSequence": "5"});
    assert_eq!(
        socket.subscribe(ORDERS, request).await,
        json!({"id": "1", "subscriptionId": "1", "subscribed": {}})
    );
    let first = socket.next().await;
    assert_eq!(first["subscriptionId"], "1");
    assert_eq!(message(&first)["sequence"], "5");
    assert_eq!(message(&first)["order"]["orderId"], "ada");
    assert_eq!(message(&socket.next().await)["sequence"], "6");
    let left = socket
        .ask(json!({"id": 2, "unsubscribe": {"subscriptionId": "1"}}))
        .await;
    assert_eq!(left, json!({"id": "2", "subscriptionId": "1", "unsubscribed": {}}));
    let again = socket
        .ask(json!({"id": 3, "unsubscribe": {"subscriptionId": "1"}}))
        .await;
    assert_eq!(failed(&again), ("3", "UNKNOWN_SUBSCRIPTION"));
}

#[tokio::test]
async fn a_topic_tells_how_it_ended() {
    let platform = Platform::start(config()).await;
    let mut socket = opened(&platform).await;
    socket.subscribe(QUOTES, json!({"symbols": ["ONE"]})).await;
    assert_eq!(message(&socket.next().await)["quote"]["symbol"], "ONE");
    assert_eq!(socket.next().await, json!({"subscriptionId": "1", "unsubscribed": {}}));
    socket.subscribe(QUOTES, json!({"symbols": ["LOST"]})).await;
    socket.next().await;
    let lost = socket.next().await;
    assert_eq!(lost["subscriptionId"], "2");
    assert_eq!(lost["error"]["status"], "UNAVAILABLE");
    assert_eq!(lost["error"]["reason"], "FEED_LOST");
    socket.subscribe(QUOTES, json!({"symbols": ["REFUSED"]})).await;
    assert_eq!(failed(&socket.next().await), ("", "FEED_CLOSED"));
}

#[tokio::test]
async fn what_is_not_understood_or_not_allowed_is_refused_and_the_socket_goes_on() {
    let platform = Platform::start(config()).await;
    let mut socket = opened(&platform).await;
    socket.send("{").await;
    assert_eq!(failed(&socket.next().await), ("", "INVALID_JSON"));
    assert_eq!(failed(&socket.ask(json!({"id": 7})).await), ("7", "NO_ACTION"));
    assert_eq!(
        failed(&socket.subscribe("nothing", json!({})).await),
        ("1", "UNKNOWN_TOPIC")
    );
    assert_eq!(
        failed(&socket.subscribe(QUOTES, json!({"symbol": 1})).await),
        ("1", "INVALID_JSON")
    );
    assert_eq!(
        failed(&socket.subscribe(ORDERS, json!({"accountId": "paper-2"})).await),
        ("1", "ACCOUNT_NOT_GRANTED")
    );
    socket.0.send(Message::Ping("still there?".into())).await.unwrap();
    assert_eq!(socket.subscribe(QUOTES, json!({})).await["subscribed"], json!({}));
}

#[tokio::test]
async fn subscriptions_are_bounded_and_those_that_ended_make_room() {
    let platform = Platform::start(Config {
        max_subscriptions: 1,
        ..config()
    })
    .await;
    let mut socket = opened(&platform).await;
    socket.subscribe(QUOTES, json!({"symbols": ["LIVE"]})).await;
    socket.next().await;
    let refused = socket.subscribe(QUOTES, json!({})).await;
    assert_eq!(failed(&refused), ("1", "TOO_MANY_SUBSCRIPTIONS"));
    socket
        .ask(json!({"id": 2, "unsubscribe": {"subscriptionId": "1"}}))
        .await;
    assert_eq!(socket.subscribe(QUOTES, json!({})).await["subscribed"], json!({}));
}

#[tokio::test]
async fn subscribing_counts_as_a_request() {
    let platform = Platform::start(Config {
        request_burst: 2,
        requests_per_second: 1,
        ..config()
    })
    .await;
    let mut socket = opened(&platform).await;
    socket.subscribe(QUOTES, json!({"symbols": ["LIVE"]})).await;
    socket.next().await;
    let refused = socket.subscribe(QUOTES, json!({})).await;
    assert_eq!(failed(&refused), ("1", "RATE_LIMITED"));
}

#[tokio::test]
async fn a_browser_opens_it_with_a_ticket_once() {
    let platform = Platform::start(Config {
        allowed_origins: vec!["https://desk.example.com".to_owned()],
        ..config()
    })
    .await;
    let path = ticket(&platform).await;
    let evil = platform.open(&path, &[("origin", "https://evil.example.com")]).await;
    assert_eq!(evil.err(), Some(403), "and the ticket is not used up");
    let mut socket = platform
        .open(&path, &[("origin", "https://desk.example.com")])
        .await
        .unwrap();
    socket.subscribe(ORDERS, json!({"accountId": "paper-1"})).await;
    assert_eq!(message(&socket.next().await)["order"]["orderId"], "ada");
    assert_eq!(platform.open(&path, &[]).await.err(), Some(401));
    let late = ticket(&platform).await;
    platform.hand.advance(std::time::Duration::from_secs(31));
    assert_eq!(platform.open(&late, &[]).await.err(), Some(401));
}

#[tokio::test]
async fn nobody_else_opens_it() {
    let platform = Platform::start(Config {
        max_web_sockets: 1,
        ..config()
    })
    .await;
    assert_eq!(platform.open("/ws", &[]).await.err(), Some(401));
    let forged = [("authorization", "Bearer forged")];
    assert_eq!(platform.open("/ws", &forged).await.err(), Some(401));
    let plain = platform.get("/ws").await;
    assert_eq!(plain.refusal(), (400, "NOT_A_WEBSOCKET".to_owned()));
    let first = opened(&platform).await;
    let bearer = format!("Bearer {}", platform.ada());
    assert_eq!(
        platform.open("/ws", &[("authorization", &bearer)]).await.err(),
        Some(429)
    );
    drop(first);
    while platform.open("/ws", &[("authorization", &bearer)]).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_frame_that_is_no_text_closes_it() {
    let platform = Platform::start(config()).await;
    let mut socket = opened(&platform).await;
    socket.0.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(socket.closed().await, (1003, "frames are text".to_owned()));
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_it() {
    let platform = Platform::start(Config {
        max_frame_bytes: 100,
        ..config()
    })
    .await;
    let mut socket = opened(&platform).await;
    socket.send(&"x".repeat(101)).await;
    while let Some(Ok(frame)) = socket.0.next().await {
        assert!(!frame.is_text(), "{frame}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_answered() {
    let platform = Platform::start(config()).await;
    let mut socket = opened(&platform).await;
    socket.subscribe(QUOTES, json!({})).await;
    socket.0.close(None).await.unwrap();
    let mut last = None;
    while let Some(frame) = socket.0.next().await {
        last = Some(frame.unwrap());
    }
    assert!(matches!(last, Some(Message::Close(_))), "{last:?}");
}

#[tokio::test]
async fn it_ends_with_its_token() {
    let platform = Platform::start(config()).await;
    let mut socket = platform.socket(&platform.expiring()).await;
    socket.subscribe(QUOTES, json!({})).await;
    assert_eq!(socket.closed().await, (1008, "the token has expired".to_owned()));
}

#[tokio::test]
async fn it_says_so_when_the_gateway_goes_away() {
    let platform = Platform::start(config()).await;
    let mut socket = opened(&platform).await;
    socket.subscribe(QUOTES, json!({})).await;
    let (closed, ()) = tokio::join!(socket.closed(), platform.running.shutdown());
    assert_eq!(closed, (1001, "the gateway is going away".to_owned()));
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody_else() {
    let platform = Platform::start(config()).await;
    let mut slow = opened(&platform).await;
    slow.subscribe(QUOTES, json!({"symbols": ["FLOOD"]})).await;
    let mut other = opened(&platform).await;
    other.subscribe(QUOTES, json!({"symbols": ["ONE"]})).await;
    assert_eq!(message(&other.next().await)["quote"]["symbol"], "ONE");
    for _ in 0..50 {
        message(&slow.next().await);
    }
}
