//! The life of one WebSocket: frames out from a bounded queue, requests in, pings, and an end for those too slow.
//!
//! Requests are begun in the order in which they came, and those that wait for the venue go on beside the ones that follow:
//! answers come in the order in which they are ready, each with its request's id.

use super::Bounds;
use super::clients::Place;
use crate::faults::{Framing, Line};
use crate::hub::{Frames, Reader};
use crate::rest::Api;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use std::sync::Arc;
use tokio::time::Instant;

/// Largest request frame, in bytes.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// Requests of one connection that go on at the same time; those that follow wait to be read.
const MOST_AT_ONCE: usize = 256;

/// What a session makes of one request.
pub(super) enum Work {
    /// It is done.
    Done(Reply),
    /// It goes on beside the requests that follow.
    Beside(BoxFuture<'static, Reply>),
}

/// What a session says to one request.
pub(super) enum Reply {
    /// An answer, and how it is sent.
    Answer(String, Framing),
    /// An answer, with which the connection ends.
    Last(String),
    /// Nothing: the connection is cut.
    Cut,
}

/// What a connection does with its requests.
pub(super) trait Session: Send {
    /// Takes one text frame.
    fn request(&mut self, text: &str) -> impl Future<Output = Work> + Send;
    /// What it says before the venue ends the connection.
    fn shutdown(&self) -> String;
    /// Undoes the subscriptions.
    fn leave(&mut self);
}

/// How a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    /// With a close frame.
    Farewell,
    /// With a last text, and a close frame.
    Last(String),
    /// Because the venue or the age of the connection asks for it.
    Planned,
    /// Without a word.
    Cut,
}

/// Serves a connection until either side ends it.
pub(super) async fn serve(
    socket: WebSocket,
    api: &Api,
    place: Place,
    reader: Arc<Reader>,
    mut frames: Frames,
    mut session: impl Session,
) {
    let (mut sink, mut stream) = socket.split();
    let bounds = api.streams;
    let line = Line::new(api.faults.clone(), place.number);
    let writing = async {
        tokio::select! {
            () = write(&mut sink, &mut frames, line, bounds) => {}
            () = reader.fell_behind() => {
                metrics::counter!("exchange_slow_readers_total").increment(1);
            }
        }
        Ending::Farewell
    };
    let ending = tokio::select! {
        ending = writing => ending,
        ending = read(&mut stream, &reader, &mut session, bounds) => ending,
        () = place.cut() => Ending::Cut,
        () = api.faults.cut(place.number) => Ending::Cut,
        () = place.closing() => Ending::Planned,
        () = grown_old(bounds) => Ending::Planned,
    };
    let last = match ending {
        Ending::Cut => {
            session.leave();
            return;
        }
        Ending::Last(text) => Some(text),
        Ending::Planned => Some(session.shutdown()),
        Ending::Farewell => None,
    };
    session.leave();
    // a reader that is behind may never take the farewell either
    let farewell = Message::Close(Some(CloseFrame {
        code: 1008,
        reason: "disconnected".into(),
    }));
    let parting = async {
        if let Some(text) = last {
            sink.feed(Message::Text(text.into())).await?;
        }
        sink.send(farewell).await
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), parting).await;
}

/// Resolves at the age at which a connection ends.
async fn grown_old(bounds: Bounds) {
    match bounds.age {
        Some(age) => tokio::time::sleep(age).await,
        None => std::future::pending().await,
    }
}

/// Writes what waits, flushing when nothing more does.
async fn write(sink: &mut SplitSink<WebSocket, Message>, frames: &mut Frames, mut line: Line, bounds: Bounds) {
    let mut ping = tokio::time::interval_at(Instant::now() + bounds.ping, bounds.ping);
    loop {
        let mut next = tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => Some(frame),
                None => return,
            },
            () = line.due() => None,
            _ = ping.tick() => {
                if sink.feed(Message::Ping(axum::body::Bytes::from_static(b"exchange"))).await.is_err() {
                    return;
                }
                None
            }
        };
        loop {
            let now = Instant::now();
            if let Some(frame) = next {
                line.push(frame, now);
            }
            while let Some(text) = line.pop(now) {
                if sink.feed(Message::Text(text)).await.is_err() {
                    return;
                }
            }
            next = frames.try_recv().ok();
            if next.is_none() {
                break;
            }
        }
        if line.held() > bounds.max_frames || sink.flush().await.is_err() {
            return;
        }
    }
}

/// Reads requests; anything that arrives, a pong too, shows that the reader lives.
async fn read(
    stream: &mut SplitStream<WebSocket>,
    reader: &Reader,
    session: &mut impl Session,
    bounds: Bounds,
) -> Ending {
    let mut beside = FuturesUnordered::new();
    let mut silent_at = Instant::now() + bounds.pong;
    loop {
        // What was begun goes first: the venue meets requests in the order in which they came.
        let reply = tokio::select! {
            biased;
            Some(reply) = beside.next() => reply,
            message = tokio::time::timeout_at(silent_at, stream.next()), if beside.len() < MOST_AT_ONCE => {
                let Ok(Some(Ok(message))) = message else {
                    return Ending::Farewell;
                };
                silent_at = Instant::now() + bounds.pong;
                let work = match message {
                    Message::Text(text) => session.request(&text).await,
                    Message::Ping(_) | Message::Pong(_) => continue,
                    Message::Binary(_) | Message::Close(_) => return Ending::Farewell,
                };
                match work {
                    Work::Done(reply) => reply,
                    Work::Beside(work) => {
                        beside.push(work);
                        continue;
                    }
                }
            }
        };
        match reply {
            Reply::Answer(answer, framing) => {
                if !reader.answer(answer, framing) {
                    return Ending::Farewell;
                }
            }
            Reply::Last(answer) => return Ending::Last(answer),
            Reply::Cut => return Ending::Cut,
        }
    }
}
