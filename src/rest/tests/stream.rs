//! Server streaming as server-sent events, and as topics.

use std::time::Duration;

use ::http::Method;
use futures::StreamExt;
use http_body_util::BodyExt;

use super::fixture::rest::routes;
use super::service::{Direct, get, send};
use crate::rest::{Input, Reply, Router, StreamOptions, respond};

#[tokio::test]
async fn messages_are_events_with_their_sequence_and_a_failure_ends_them() {
    let answer = get("/v1/shapes:watch?fromSequence=7").await;
    assert_eq!(
        (answer.status, answer.headers["content-type"].to_str().unwrap()),
        (200, "text/event-stream")
    );
    assert_eq!(answer.headers["cache-control"], "no-store");
    let (events, failure) = answer.text.split_once("event: error\ndata: ").unwrap();
    assert_eq!(
        events,
        "id: 7\ndata: {\"sequence\":\"7\"}\n\nid: 8\ndata: {\"sequence\":\"8\"}\n\n"
    );
    let failure: serde_json::Value = serde_json::from_str(failure).unwrap();
    assert_eq!(failure["error"]["details"][0]["reason"], "FEED_LOST");
    assert_eq!(failure["error"]["details"][1]["requestId"], "request-1");
    let answer = get("/v1/shapes:watchBare").await;
    assert_eq!(answer.text, "data: {\"name\":\"only\"}\n\n");
}

#[tokio::test]
async fn a_stream_that_is_refused_is_an_ordinary_error() {
    let answer = get("/v1/shapes:watch?fromSequence=-1").await;
    assert_eq!((answer.status, answer.reason().as_str()), (400, "SEQUENCE_NEGATIVE"));
}

#[tokio::test]
async fn a_reader_that_reconnects_continues_after_the_last_event() {
    let resumed = [("last-event-id", "41")];
    let answer = send(Method::GET, "/v1/shapes:watch", &resumed, "").await;
    assert!(answer.text.starts_with("id: 42\n"), "{answer:?}");
    // What the query says wins.
    let answer = send(Method::GET, "/v1/shapes:watch?fromSequence=7", &resumed, "").await;
    assert!(answer.text.starts_with("id: 7\n"), "{answer:?}");
    let answer = send(Method::GET, "/v1/shapes:watch", &[("last-event-id", "x")], "").await;
    assert_eq!(answer.reason(), "INVALID_PARAMETER");
    assert_eq!(send(Method::GET, "/v1/shapes", &resumed, "").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_sends_heartbeats() {
    let matched = Router::new(routes())
        .unwrap()
        .find(&Method::GET, "/v1/shapes:watchBare")
        .unwrap();
    let input = Input {
        query: Some("fromSequence=1".into()),
        ..Default::default()
    };
    let answer = matched.call(input, &Direct).await;
    let mut body = respond(
        answer,
        "r",
        StreamOptions {
            heartbeat: Duration::from_secs(15),
        },
    )
    .into_body();
    let mut next = async || body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(next().await, "data: {\"name\":\"only\"}\n\n");
    assert_eq!(next().await, ": heartbeat\n\n");
    assert_eq!(next().await, ": heartbeat\n\n");
}

#[test]
fn a_reply_shows_its_json_and_not_its_stream() {
    assert_eq!(format!("{:?}", Reply::Message("{}".into())), "Message(b\"{}\")");
    assert_eq!(
        format!("{:?}", Reply::Stream(futures::stream::empty().boxed())),
        "Stream"
    );
}
