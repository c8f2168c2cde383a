//! The WebSocket at `/ws`: ProtoJSON of `ClientFrame` in, of `ServerFrame` out. A client subscribes to topics (see
//! `topics.rs`); each is one stream from a service, held back while this client is slow, so that it gets the newest state
//! where the stream conflates, and never a backlog here.

use crate::Gateway;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, Uri};
use mesh::error::{Error, Result};
use mesh::identity::{self, Caller};
use mesh::pb::gateway as pb;
use std::collections::BTreeMap;
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
/// `Denied` for a page of another origin, `Unauthenticated` without a token or a good ticket.
pub(crate) fn caller_of(gateway: &Gateway, headers: &HeaderMap, uri: &Uri) -> Result<Caller> {
    check_origin(headers, &gateway.config.allowed_origins)?;
    if let Some(caller) = gateway.access.caller(headers)? {
        return Ok(caller);
    }
    let ticket = uri
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
            let expires_in = self.caller.principal.expires_at_micros - self.gateway.clock.now_micros();
            let until_expiry = Duration::from_micros(expires_in.max(0).unsigned_abs());
            let message = tokio::select! {
                message = tokio::time::timeout(SILENCE, stream.next()) => message,
                () = tokio::time::sleep(until_expiry) => return self.close("the token has expired").await,
                () = self.gateway.shutdown.cancelled() => return self.close("the gateway is going away").await,
            };
            match message {
                Ok(Some(Ok(Message::Text(text)))) => self.handle(text.as_str()).await,
                Ok(Some(Ok(Message::Binary(_)))) => return self.close("frames are text").await,
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return,
            }
        }
    }

    async fn handle(&mut self, text: &str) {
        let frame: pb::ClientFrame = match serde_json::from_str(text) {
            Ok(frame) => frame,
            Err(error) => {
                let error = Error::invalid("INVALID_JSON", format!("not a ClientFrame: {error}"));
                return self.answer(0, 0, failure(&error)).await;
            }
        };
        use pb::client_frame::Action;
        match frame.action {
            Some(Action::Subscribe(subscribe)) => self.subscribe(frame.id, &subscribe).await,
            Some(Action::Unsubscribe(unsubscribe)) => self.unsubscribe(frame.id, unsubscribe.subscription_id).await,
            None => {
                let error = Error::invalid("NO_ACTION", "the frame names no action");
                self.answer(frame.id, 0, failure(&error)).await;
            }
        }
    }

    async fn subscribe(&mut self, id: i64, subscribe: &pb::Subscribe) {
        let opened = match self.open(subscribe) {
            Ok(opened) => opened,
            Err(error) => return self.answer(id, 0, failure(&error)).await,
        };
        let subscription = self.next_subscription;
        self.next_subscription += 1;
        let subscribed = pb::server_frame::Content::Subscribed(pb::Subscribed {});
        self.answer(id, subscription, subscribed).await;
        let follow = follow(opened, self.gateway.clone(), subscription, self.frames.clone());
        self.streams.insert(
            subscription,
            tokio::spawn(identity::with(Some(self.caller.clone()), follow)),
        );
    }

    fn open(&mut self, subscribe: &pb::Subscribe) -> Result<crate::topics::Subscription> {
        self.streams.retain(|_, stream| !stream.is_finished());
        let bound = self.gateway.config.max_subscriptions;
        if self.streams.len() >= bound {
            return Err(Error::exhausted("TOO_MANY_SUBSCRIPTIONS", "too many subscriptions").with("limit", bound));
        }
        let subscription = self
            .gateway
            .topics
            .subscription(&subscribe.topic, &subscribe.request_json)?;
        self.gateway.access.allow(subscription.method, Some(&self.caller), subscription.account.as_deref())?;
        Ok(subscription)
    }

    async fn unsubscribe(&mut self, id: i64, subscription: i64) {
        let content = match self.streams.remove(&subscription) {
            Some(stream) => {
                stream.abort();
                pb::server_frame::Content::Unsubscribed(pb::Unsubscribed {})
            }
            None => failure(&Error::not_found("UNKNOWN_SUBSCRIPTION", "no such subscription")),
        };
        self.answer(id, subscription, content).await;
    }

    async fn answer(&self, id: i64, subscription_id: i64, content: pb::server_frame::Content) {
        send(&self.frames, id, subscription_id, content).await;
    }

    async fn close(&self, reason: &'static str) {
        let frame = CloseFrame {
            code: close_code::AWAY,
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
        Err(error) => return send(&frames, 0, subscription_id, failure(&error)).await,
    };
    while let Some(message) = messages.next().await {
        match message {
            Ok(json) => {
                send(
                    &frames,
                    0,
                    subscription_id,
                    pb::server_frame::Content::MessageJson(json),
                )
                .await
            }
            Err(error) => return send(&frames, 0, subscription_id, failure(&error)).await,
        }
    }
    send(
        &frames,
        0,
        subscription_id,
        pb::server_frame::Content::Unsubscribed(pb::Unsubscribed {}),
    )
    .await;
}

async fn send(frames: &mpsc::Sender<Message>, id: i64, subscription_id: i64, content: pb::server_frame::Content) {
    let frame = pb::ServerFrame {
        id,
        subscription_id,
        content: Some(content),
    };
    let text = serde_json::to_string(&frame).expect("a frame holds only integers and strings");
    // The connection is ending when nobody takes the frame.
    let _ = frames.send(Message::Text(text.into())).await;
}

fn failure(error: &Error) -> pb::server_frame::Content {
    pb::server_frame::Content::Error(pb::FrameError {
        status: mesh::rest::status_word(error.kind()).to_owned(),
        reason: error.reason().to_owned(),
        message: error.message().to_owned(),
    })
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
