//! The life of one WebSocket: frames out from a bounded queue, requests in, pings, and an end for those too slow.

use super::Bounds;
use crate::hub::{Frames, Reader};
use crate::rest::Api;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// Largest request frame, in bytes.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// What a connection does with its requests.
pub(super) trait Session: Send {
    /// Answers one text frame; `None` ends the connection.
    fn request(&mut self, text: &str) -> impl Future<Output = Option<String>> + Send;
    /// Undoes the subscriptions.
    fn leave(&mut self);
}

/// A place among the connections; dropping it frees the place.
pub(super) struct Place(Arc<Api>);

impl Place {
    /// A place, unless all are taken.
    pub(super) fn take(api: &Arc<Api>) -> Option<Self> {
        let most = api.streams.max_connections;
        let taken = api
            .connections
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                (now < most).then_some(now + 1)
            });
        taken.is_ok().then(|| Self(api.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(
    socket: WebSocket,
    bounds: Bounds,
    reader: Arc<Reader>,
    mut frames: Frames,
    mut session: impl Session,
) {
    let (mut sink, mut stream) = socket.split();
    let writing = async {
        tokio::select! {
            () = write(&mut sink, &mut frames, bounds) => {}
            () = reader.fell_behind() => {
                metrics::counter!("exchange_slow_readers_total").increment(1);
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = read(&mut stream, &reader, &mut session, bounds) => {}
    }
    session.leave();
    // a reader that is behind may never take the farewell either
    let farewell = Message::Close(Some(CloseFrame {
        code: 1008,
        reason: "disconnected".into(),
    }));
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), sink.send(farewell)).await;
}

/// Writes what waits, flushing when nothing more does.
async fn write(sink: &mut SplitSink<WebSocket, Message>, frames: &mut Frames, bounds: Bounds) {
    let mut ping = tokio::time::interval_at(Instant::now() + bounds.ping, bounds.ping);
    loop {
        let message = tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => Message::Text(frame),
                None => return,
            },
            _ = ping.tick() => Message::Ping(axum::body::Bytes::from_static(b"exchange")),
        };
        if sink.feed(message).await.is_err() {
            return;
        }
        while let Ok(frame) = frames.try_recv() {
            if sink.feed(Message::Text(frame)).await.is_err() {
                return;
            }
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
}

/// Reads requests; anything that arrives, a pong too, shows that the reader lives.
async fn read(stream: &mut SplitStream<WebSocket>, reader: &Reader, session: &mut impl Session, bounds: Bounds) {
    loop {
        let Ok(Some(Ok(message))) = tokio::time::timeout(bounds.pong, stream.next()).await else {
            return;
        };
        let answer = match message {
            Message::Text(text) => session.request(&text).await,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Binary(_) | Message::Close(_) => None,
        };
        if !answer.is_some_and(|answer| reader.answer(answer)) {
            return;
        }
    }
}
