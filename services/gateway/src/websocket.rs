//! The WebSocket at `/ws`: ProtoJSON of `ClientFrame` in, of `ServerFrame` out. A client subscribes to topics (see
//! `topics.rs`); each is one stream from a service, held back while this client is slow, so that it gets the newest state
//! where the stream conflates, and never a backlog here.

use crate::codec::{Action, Content, decode, encode};
use crate::{Gateway, expiry};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use http::HeaderMap;
use http::request::Parts;
use mesh::error::{Error, Result};
use mesh::identity::{self, Caller};
use mesh::telemetry;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Frames that wait for a slow client before its streams are held back.
const OUTBOUND_FRAMES: usize = 256;
/// How often a quiet connection is pinged.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A client that neither sends nor answers pings for this long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A frame that cannot be written within this time ends the connection.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Who opens the WebSocket: by token in the header, or by a ticket in the query.
///
/// # Errors
/// `Exhausted` after too many requests, `Denied` for a page of another origin, `Unauthenticated` without a token or a good
/// ticket.
pub(crate) async fn caller_of(gateway: &Gateway, request: &Parts, peer: IpAddr) -> Result<Caller> {
    let caller = gateway.access.caller(&request.headers).await;
    gateway.access.count(&caller, peer).1?;
    check_origin(&request.headers, &gateway.config.allowed_origins)?;
    if let Some(caller) = caller? {
        return Ok(caller);
    }
    let ticket = request
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("ticket="));
    let ticket = ticket.ok_or_else(|| Error::unauthenticated("UNAUTHENTICATED", "a token or a ticket is needed"))?;
    gateway.tickets.take(ticket)
}

/// A browser names the page's origin; it must be the gateway's own, or an allowed one. Programs send none.
fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<()> {
    let Some(origin) = headers.get(http::header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let is_own = origin
        .split_once("://")
        .is_some_and(|(_, authority)| !host.is_empty() && authority == host);
    if is_own || allowed.iter().any(|one| one == origin) {
        return Ok(());
    }
    Err(Error::denied("ORIGIN_DENIED", "pages of this origin may not open a WebSocket").with("origin", origin))
}

/// Serves one connection until either side ends it.
pub(crate) async fn serve(gateway: Arc<Gateway>, caller: Caller, socket: WebSocket) {
    let (sink, stream) = socket.split();
    let (frames, waiting) = mpsc::channel(OUTBOUND_FRAMES);
    let mut writer = tokio::spawn(write(sink, waiting));
    let mut connection = Connection {
        gateway,
        caller,
        frames,
        streams: BTreeMap::new(),
        next_subscription: 1,
    };
    tokio::select! {
        () = connection.read(stream) => {}
        _ = &mut writer => {}
    }
    connection.end();
    drop(connection);
    writer.abort();
}

/// Ends when the gateway goes away and every WebSocket has said so to its client.
///
/// # Errors
/// None.
pub(crate) async fn all_closed(gateway: Arc<Gateway>, places: usize) -> Result<()> {
    gateway.shutdown.cancelled().await;
    // Nobody closes the semaphore, so it is only waited for.
    let _ = gateway
        .sockets
        .acquire_many(u32::try_from(places).unwrap_or(u32::MAX))
        .await;
    Ok(())
}

/// Writes what waits, and pings in between.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut waiting: mpsc::Receiver<Message>) {
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        let message = tokio::select! {
            message = waiting.recv() => message,
            _ = ping.tick() => Some(Message::Ping(bytes::Bytes::new())),
        };
        let Some(message) = message else { return };
        let is_last = matches!(message, Message::Close(_));
        let written = tokio::time::timeout(WRITE_TIMEOUT, sink.send(message)).await;
        if is_last || !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

struct Connection {
    gateway: Arc<Gateway>,
    caller: Caller,
    frames: mpsc::Sender<Message>,
    streams: BTreeMap<i64, JoinHandle<()>>,
    next_subscription: i64,
}

impl Connection {
    async fn read(&mut self, mut stream: SplitStream<WebSocket>) {
        loop {
            let left = expiry::left(&self.caller, &self.gateway.clock);
            let message = tokio::select! {
                message = tokio::time::timeout(SILENCE, stream.next()) => message,
                () = tokio::time::sleep(left) => return self.close(close_code::POLICY, "the token has expired").await,
                () = self.gateway.shutdown.cancelled() => return self.close(close_code::AWAY, "the gateway is going away").await,
            };
            match message {
                Ok(Some(Ok(Message::Text(text)))) => self.handle(text.as_str()).await,
                Ok(Some(Ok(Message::Binary(_)))) => {
                    return self.close(close_code::UNSUPPORTED, "frames are text").await;
                }
                // After a close frame the stream answers it and ends.
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)))) => {}
                Ok(Some(Err(_)) | None) | Err(_) => return,
            }
        }
    }

    async fn handle(&mut self, text: &str) {
        match decode(text) {
            (id, Ok(Action::Subscribe { topic, request_json })) => self.subscribe(id, &topic, &request_json).await,
            (id, Ok(Action::Unsubscribe(subscription))) => self.unsubscribe(id, subscription).await,
            (id, Err(error)) => self.answer(id, 0, Content::Failed(error)).await,
        }
    }

    async fn subscribe(&mut self, id: i64, topic: &str, request_json: &str) {
        let opened = match self.open(topic, request_json) {
            Ok(opened) => opened,
            Err(error) => return self.answer(id, 0, Content::Failed(error)).await,
        };
        let subscription = self.next_subscription;
        self.next_subscription += 1;
        let subscribed = Content::Subscribed;
        self.answer(id, subscription, subscribed).await;
        let follow = follow(opened, self.gateway.clone(), subscription, self.frames.clone());
        self.streams.insert(
            subscription,
            tokio::spawn(telemetry::with(
                telemetry::current(),
                identity::with(Some(self.caller.clone()), follow),
            )),
        );
    }

    fn open(&mut self, topic: &str, request_json: &str) -> Result<crate::topics::Subscription> {
        self.gateway.access.count_caller(&self.caller).1?;
        self.streams.retain(|_, stream| !stream.is_finished());
        let bound = self.gateway.config.max_subscriptions;
        if self.streams.len() >= bound {
            return Err(Error::exhausted("TOO_MANY_SUBSCRIPTIONS", "too many subscriptions").with("limit", bound));
        }
        let subscription = self.gateway.topics.subscription(topic, request_json)?;
        self.gateway
            .access
            .allow(subscription.method, Some(&self.caller), subscription.account.as_deref())?;
        Ok(subscription)
    }

    async fn unsubscribe(&mut self, id: i64, subscription: i64) {
        let content = match self.streams.remove(&subscription) {
            Some(stream) => {
                stream.abort();
                Content::Unsubscribed
            }
            None => Content::Failed(Error::not_found("UNKNOWN_SUBSCRIPTION", "no such subscription")),
        };
        self.answer(id, subscription, content).await;
    }

    async fn answer(&self, id: i64, subscription_id: i64, content: Content) {
        send(&self.frames, id, subscription_id, content).await;
    }

    async fn close(&self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        // A client that reads nothing is cut off without the courtesy.
        let _ = self
            .frames
            .send_timeout(Message::Close(Some(frame)), WRITE_TIMEOUT)
            .await;
        let _ = tokio::time::timeout(WRITE_TIMEOUT, self.frames.closed()).await;
    }

    fn end(&mut self) {
        for stream in self.streams.values() {
            stream.abort();
        }
    }
}

/// Hands on one topic until it ends; how it ended is its last frame.
async fn follow(
    subscription: crate::topics::Subscription,
    gateway: Arc<Gateway>,
    subscription_id: i64,
    frames: mpsc::Sender<Message>,
) {
    let mut messages = match subscription.open(&gateway.channels).await {
        Ok(messages) => messages.boxed(),
        Err(error) => return send(&frames, 0, subscription_id, Content::Failed(error)).await,
    };
    while let Some(message) = messages.next().await {
        match message {
            Ok(json) => send(&frames, 0, subscription_id, Content::Message(json)).await,
            Err(error) => return send(&frames, 0, subscription_id, Content::Failed(error)).await,
        }
    }
    send(&frames, 0, subscription_id, Content::Unsubscribed).await;
}

async fn send(frames: &mpsc::Sender<Message>, id: i64, subscription_id: i64, content: Content) {
    // The connection is ending when nobody takes the frame.
    let _ = frames
        .send(Message::Text(encode(id, subscription_id, content).into()))
        .await;
}

#[cfg(test)]
mod tests {
    use super::check_origin;
    use http::HeaderMap;

    #[test]
    fn only_own_and_allowed_origins_open_a_socket() {
        let allowed = ["https://desk.example.com".to_owned()];
        let table = [
            (None, "127.0.0.1:8080", true),
            (Some("http://127.0.0.1:8080"), "127.0.0.1:8080", true),
            (Some("https://desk.example.com"), "127.0.0.1:8080", true),
            (Some("https://evil.example.com"), "127.0.0.1:8080", false),
            (Some("null"), "127.0.0.1:8080", false),
            (Some("http://"), "", false),
        ];
        for (origin, host, is_allowed) in table {
            let mut headers = HeaderMap::new();
            headers.insert("host", host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert("origin", origin.parse().unwrap());
            }
            assert_eq!(
                check_origin(&headers, &allowed).is_ok(),
                is_allowed,
                "{origin:?} at {host}"
            );
        }
    }
}
