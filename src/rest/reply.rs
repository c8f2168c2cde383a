//! What a handler answers: one JSON document, or a stream of them as server-sent events.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream::{self as streams, BoxStream, StreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::problem::{error_json, error_response};
use crate::error::{Error, Result};

/// An answer that is not an error.
pub enum Reply {
    /// One JSON document.
    Message(Bytes),
    /// JSON documents as they come.
    Stream(BoxStream<'static, Result<Event>>),
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Message(json) => formatter.debug_tuple("Message").field(json).finish(),
            Reply::Stream(_) => formatter.write_str("Stream"),
        }
    }
}

/// One message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its sequence, to resume after; not every stream has one.
    pub id: Option<i64>,
    /// Its JSON.
    pub data: Bytes,
}

/// How streams are answered.
#[derive(Debug, Clone, Copy)]
pub struct StreamOptions {
    /// A comment is sent when nothing else was for so long, so that proxies and clients see life.
    pub heartbeat: Duration,
}

/// Answers one message.
///
/// # Errors
/// `UNENCODABLE_ANSWER` when a message has no JSON, as a time beyond the year 9999.
pub fn unary<T: Serialize>(message: &T) -> Result<Reply> {
    json(message).map(Reply::Message)
}

/// Answers a stream of messages; `sequence` reads what a reader resumes from.
pub fn stream<T, S>(messages: S, sequence: fn(&T) -> Option<i64>) -> Reply
where
    T: Serialize + 'static,
    S: futures::Stream<Item = Result<T, tonic::Status>> + Send + 'static,
{
    let events = messages.map(move |message| {
        let message = message.map_err(Error::from)?;
        Ok(Event {
            id: sequence(&message),
            data: json(&message)?,
        })
    });
    Reply::Stream(events.boxed())
}

fn json<T: Serialize>(message: &T) -> Result<Bytes> {
    let encoded = serde_json::to_vec(message);
    encoded
        .map(Bytes::from)
        .map_err(|error| Error::internal("UNENCODABLE_ANSWER", error.to_string()))
}

/// The HTTP response of a call.
pub fn respond(answer: Result<Reply>, request_id: &str, options: StreamOptions) -> Response<Body> {
    match answer {
        Ok(Reply::Message(json)) => with_type(Body::from(json), HeaderValue::from_static("application/json")),
        Ok(Reply::Stream(events)) => {
            let body = Body::from_stream(server_sent(events, request_id.to_owned(), options.heartbeat));
            let mut response = with_type(body, HeaderValue::from_static("text/event-stream"));
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            // Proxies that buffer would hold events back.
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
            response
        }
        Err(error) => error_response(&error, request_id),
    }
}

fn with_type(body: Body, content_type: HeaderValue) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// Events as text; after an error event the stream ends.
fn server_sent(
    events: BoxStream<'static, Result<Event>>,
    request_id: String,
    heartbeat: Duration,
) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send {
    streams::unfold(Some(events), move |state| {
        let request_id = request_id.clone();
        async move {
            let mut events = state?;
            match tokio::time::timeout(heartbeat, events.next()).await {
                Err(_) => Some((Ok(Bytes::from_static(b": heartbeat\n\n")), Some(events))),
                Ok(Some(Ok(event))) => Some((Ok(event_text(&event)), Some(events))),
                Ok(Some(Err(error))) => {
                    let text = format!("event: error\ndata: {}\n\n", error_json(&error, &request_id));
                    Some((Ok(Bytes::from(text)), None))
                }
                Ok(None) => None,
            }
        }
    })
}

fn event_text(event: &Event) -> Bytes {
    let mut text = Vec::with_capacity(event.data.len() + 40);
    if let Some(id) = event.id {
        text.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    text.extend_from_slice(b"data: ");
    text.extend_from_slice(&event.data);
    text.extend_from_slice(b"\n\n");
    Bytes::from(text)
}
