//! Order entry over the WebSocket API: a few kept connections, on each of which many requests are under way.
//!
//! ```text
//! closed --connected--> open --the venue or we leave--> leaving --last answer--> closed
//!                        `-----------cut, silent, or no answer at all----------> closed
//! ```
//!
//! A request is written on an open connection or not at all: the caller learns which, and has REST for it. What was written
//! and is not answered when its connection ends may have been carried out: its outcome is unknown.
//! Source: Binance, "WebSocket API", general information, and request and response format.

use super::user_data::SILENCE;
use super::wire::{EventName, Head};
use crate::metrics;
use crate::sender::FIRST_BACKOFF;
use crate::venue::VenueError;
use futures::{SinkExt, StreamExt};
use mesh::app::Shutdown;
use mesh::retry::Backoff;
use mesh::time::Chance;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

/// Requests of a connection that wait to be written, and again as many that wait for their answer.
const MOST: usize = 1_024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The connections.
pub(super) struct OrderEntry {
    lines: Vec<Arc<Line>>,
    next: AtomicUsize,
}

/// One connection.
#[derive(Default)]
struct Line {
    /// Where requests go while it is open.
    open: Mutex<Option<mpsc::Sender<Request>>>,
}

/// A request as it waits to be written.
struct Request {
    method: &'static str,
    params: String,
    answer: oneshot::Sender<Outcome>,
}

/// What becomes of a request.
enum Outcome {
    /// It was answered with this frame.
    Answered(Utf8Bytes),
    /// It was not written.
    NotSent,
    /// It may or may not have been carried out.
    Unknown(String),
}

/// How connections are made and kept.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) url: String,
    /// How long connecting, and an answer, may take.
    pub(super) timeout: Duration,
    /// The longest wait before another attempt to connect. One that has lived as long begins the waits anew: a venue counts
    /// the attempts too.
    pub(super) max_backoff: Duration,
    pub(super) chance: Chance,
}

impl OrderEntry {
    /// So many connections, none of them open.
    pub(super) fn new(connections: usize) -> OrderEntry {
        OrderEntry {
            lines: (0..connections).map(|_| Arc::default()).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// Keeps the connections open until the end; what is under way then is waited for.
    pub(super) fn start(&self, terms: &Terms, shutdown: &Shutdown) {
        for line in &self.lines {
            let (line, terms, stop) = (Arc::clone(line), terms.clone(), shutdown.token());
            shutdown.detach(async move { line.keep(&terms, &stop).await });
        }
    }

    /// Whether any connection is open.
    pub(super) fn is_open(&self) -> bool {
        self.lines.iter().any(|line| line.open.lock().is_some())
    }

    /// Asks for something over one of the connections: the frame of the answer. None, when the request was not written.
    ///
    /// # Errors
    /// [`VenueError::Unknown`] when the answer did not come.
    pub(super) async fn ask(
        &self,
        method: &'static str,
        params: impl FnOnce() -> String,
    ) -> Option<Result<Utf8Bytes, VenueError>> {
        if !self.is_open() {
            return None;
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let lines = (0..self.lines.len()).map(|step| &self.lines[first.wrapping_add(step) % self.lines.len()]);
        let (answer, outcome) = oneshot::channel();
        let mut request = Request {
            method,
            params: params(),
            answer,
        };
        for line in lines {
            let Some(open) = line.open.lock().clone() else {
                continue;
            };
            match open.try_send(request) {
                Ok(()) => {
                    return match outcome.await {
                        Ok(Outcome::Answered(frame)) => Some(Ok(frame)),
                        Ok(Outcome::NotSent) => None,
                        Ok(Outcome::Unknown(why)) => Some(Err(VenueError::Unknown(why))),
                        Err(_) => Some(Err(VenueError::Unknown("the connection was given up".to_owned()))),
                    };
                }
                Err(mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back)) => request = back,
            }
        }
        None
    }
}

impl Line {
    async fn keep(&self, terms: &Terms, stop: &CancellationToken) {
        let backoff = Backoff::new(FIRST_BACKOFF, terms.max_backoff);
        let mut round = 0;
        while !stop.is_cancelled() {
            let began = Instant::now();
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                connected = connect(terms) => match connected {
                    Ok(socket) => self.carry(socket, terms, stop).await,
                    Err(why) => why,
                },
            };
            tracing::info!(why = ended, "a connection for order entry ended");
            round = if began.elapsed() < terms.max_backoff {
                round + 1
            } else {
                0
            };
            tokio::select! {
                () = tokio::time::sleep(backoff.half_jitter(round, &terms.chance)) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Carries requests until the connection ends, and says why it did.
    async fn carry(&self, socket: Socket, terms: &Terms, stop: &CancellationToken) -> String {
        metrics::order_entry_connected();
        let (open, requests) = mpsc::channel(MOST);
        *self.open.lock() = Some(open);
        let mut carrying = Carrying {
            line: self,
            socket,
            requests,
            under_way: BTreeMap::new(),
            next: 0,
            heard: Instant::now(),
            is_leaving: false,
            timeout: terms.timeout,
        };
        let ended = carrying.run(stop).await;
        carrying.end(&ended);
        ended
    }
}

async fn connect(terms: &Terms) -> Result<Socket, String> {
    // Without Nagle's algorithm: an order does not wait until the one before it is acknowledged.
    let connecting = tokio_tungstenite::connect_async_with_config(terms.url.as_str(), None, true);
    match timeout(terms.timeout, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no connection in time".to_owned()),
    }
}

/// An open connection, and what is under way on it.
struct Carrying<'a> {
    line: &'a Line,
    socket: Socket,
    requests: mpsc::Receiver<Request>,
    /// By their ids, which rise: the oldest comes first.
    under_way: BTreeMap<u64, UnderWay>,
    next: u64,
    /// When the venue said anything last.
    heard: Instant,
    /// No more requests come.
    is_leaving: bool,
    timeout: Duration,
}

struct UnderWay {
    answer: oneshot::Sender<Outcome>,
    since: Instant,
}

impl Carrying<'_> {
    async fn run(&mut self, stop: &CancellationToken) -> String {
        loop {
            if self.is_leaving && self.requests.is_empty() && self.under_way.is_empty() {
                let _ = timeout(self.timeout, self.socket.close(None)).await;
                return "it is left".to_owned();
            }
            let oldest = self.under_way.first_key_value().map(|(_, request)| request.since);
            let due = oldest.map_or_else(|| self.heard + SILENCE, |since| since + self.timeout);
            let step = tokio::select! {
                message = timeout_at(self.heard + SILENCE, self.socket.next()) => match message {
                    Ok(Some(Ok(message))) => self.hear(message),
                    Ok(Some(Err(error))) => Err(error.to_string()),
                    Ok(None) => Err("closed by the venue".to_owned()),
                    Err(_) => Err("silent for too long".to_owned()),
                },
                Some(request) = self.requests.recv(), if self.under_way.len() < MOST => self.write(request).await,
                () = sleep_until(due), if oldest.is_some() => self.give_up(),
                () = stop.cancelled(), if !self.is_leaving => {
                    self.leave();
                    Ok(())
                }
            };
            if let Err(why) = step {
                return why;
            }
        }
    }

    /// Takes no more requests.
    fn leave(&mut self) {
        self.is_leaving = true;
        *self.line.open.lock() = None;
        self.requests.close();
    }

    /// Writes a request, and those that wait behind it, as one.
    async fn write(&mut self, request: Request) -> Result<(), String> {
        let since = Instant::now();
        let mut next = Some(request);
        while let Some(request) = next {
            let id = self.next;
            self.next += 1;
            let text = format!(
                "{{\"id\":{id},\"method\":\"{}\",\"params\":{}}}",
                request.method, request.params
            );
            let answer = request.answer;
            // From here on it may have been sent.
            self.under_way.insert(id, UnderWay { answer, since });
            let feeding = timeout(self.timeout, self.socket.feed(Message::text(text))).await;
            written(feeding)?;
            next = if self.under_way.len() < MOST {
                self.requests.try_recv().ok()
            } else {
                None
            };
        }
        written(timeout(self.timeout, self.socket.flush()).await)
    }

    fn hear(&mut self, message: Message) -> Result<(), String> {
        self.heard = Instant::now();
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err("closed by the venue".to_owned()),
            // tungstenite answers pings by itself when it is polled again.
            _ => return Ok(()),
        };
        let unreadable = |error: serde_json::Error| format!("unreadable frame: {error}");
        let head: Head = serde_json::from_str(&text).map_err(unreadable)?;
        if let Some(event) = head.event {
            let EventName { name } = serde_json::from_str(event.get()).map_err(unreadable)?;
            if name == Some("serverShutdown") && !self.is_leaving {
                self.leave();
            }
            return Ok(());
        }
        // An answer that comes twice, or after it was given up, is nobody's.
        if let Some(request) = head.id.and_then(|id| self.under_way.remove(&id)) {
            let _ = request.answer.send(Outcome::Answered(text));
        }
        Ok(())
    }

    /// The oldest request has no answer in time. Where nothing else was heard since either, there is no connection any more.
    fn give_up(&mut self) -> Result<(), String> {
        let Some((_, request)) = self.under_way.pop_first() else {
            return Ok(());
        };
        let _ = request.answer.send(Outcome::Unknown("no answer in time".to_owned()));
        if self.heard < request.since {
            return Err("nothing was heard since a request".to_owned());
        }
        Ok(())
    }

    fn end(&mut self, why: &str) {
        self.leave();
        while let Ok(request) = self.requests.try_recv() {
            let _ = request.answer.send(Outcome::NotSent);
        }
        for (_, request) in std::mem::take(&mut self.under_way) {
            let _ = request.answer.send(Outcome::Unknown(why.to_owned()));
        }
    }
}

type Written = Result<Result<(), tokio_tungstenite::tungstenite::Error>, tokio::time::error::Elapsed>;

fn written(outcome: Written) -> Result<(), String> {
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the venue takes nothing any more".to_owned()),
    }
}
