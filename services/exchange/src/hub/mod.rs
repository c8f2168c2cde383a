//! Who listens to what. The venue publishes here; readers have bounded queues, and one that does not keep up is cut off.

mod digest;
mod topics;

pub use topics::{Kind, Pace, Topic, Window};

use crate::core::effects::{Execution, UserEvent, UserEventKind};
use crate::core::listing::{Listing, places};
use crate::core::market::MarketEvent;
use crate::core::venue::Venue;
use crate::faults::{Class, Frame, Framing};
use crate::limits::Meter;
use crate::wire;
use axum::extract::ws::Utf8Bytes;
use digest::Digest;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{Notify, mpsc};
use topics::KINDS;

/// One connection's end of the hub.
#[derive(Debug)]
pub struct Reader {
    id: u64,
    combined: AtomicBool,
    queue: mpsc::Sender<Frame>,
    behind: Notify,
}

impl Reader {
    /// Resolves when the reader did not keep up.
    pub async fn fell_behind(&self) {
        self.behind.notified().await;
    }

    /// Queues a frame that is the answer to a request; false when the queue is full.
    pub fn answer(&self, text: impl Into<Utf8Bytes>, framing: Framing) -> bool {
        let frame = Frame {
            class: Class::Reply(framing),
            text: text.into(),
        };
        self.queue.try_send(frame).is_ok()
    }

    /// Whether each frame is wrapped with its stream's name.
    pub fn is_combined(&self) -> bool {
        self.combined.load(Ordering::Relaxed)
    }

    /// Wraps each frame with its stream's name from now on, or no more.
    pub fn set_combined(&self, combined: bool) {
        self.combined.store(combined, Ordering::Relaxed);
    }
}

/// The frames of a reader.
pub type Frames = mpsc::Receiver<Frame>;

struct Listener {
    reader: Arc<Reader>,
    subscription: u64,
}

/// All readers by what they listen to.
pub struct Hub {
    listings: Vec<Listing>,
    places: BTreeMap<String, usize>,
    topics: Mutex<Vec<Vec<Arc<Reader>>>>,
    digest: Mutex<Digest>,
    accounts: Mutex<BTreeMap<String, Vec<Listener>>>,
    meter: Arc<Mutex<Meter>>,
    next_reader: AtomicU64,
    /// How many subscriptions the venue has ended.
    ended: AtomicU64,
    queue_frames: usize,
}

impl Hub {
    /// A hub that nobody listens to; fills are noted in the meter.
    pub fn new(listings: Vec<Listing>, queue_frames: usize, meter: Arc<Mutex<Meter>>) -> Self {
        let topics = (0..(listings.len() + 1) * KINDS).map(|_| Vec::new()).collect();
        Self {
            digest: Mutex::new(Digest::new(listings.len())),
            places: places(&listings),
            listings,
            topics: Mutex::new(topics),
            accounts: Mutex::default(),
            meter,
            next_reader: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            queue_frames,
        }
    }

    /// A new reader; `combined` wraps each frame with its stream's name.
    pub fn reader(&self, combined: bool) -> (Arc<Reader>, Frames) {
        let (queue, frames) = mpsc::channel(self.queue_frames);
        let id = self.next_reader.fetch_add(1, Ordering::Relaxed);
        (
            Arc::new(Reader {
                id,
                combined: AtomicBool::new(combined),
                queue,
                behind: Notify::new(),
            }),
            frames,
        )
    }

    /// The topic of a stream's name, such as `btcusdt@depth@100ms`.
    pub fn topic(&self, name: &str) -> Option<Topic> {
        Topic::parse(name, &self.places)
    }

    /// The stream's name of a topic.
    pub fn name(&self, topic: Topic) -> String {
        topic.name(&self.listings)
    }

    /// Begins to listen.
    pub fn subscribe(&self, topic: Topic, reader: &Arc<Reader>) {
        let mut topics = self.topics.lock();
        let readers = &mut topics[topic.index(self.listings.len())];
        if readers.iter().all(|other| other.id != reader.id) {
            readers.push(reader.clone());
        }
    }

    /// Stops listening.
    pub fn unsubscribe(&self, topic: Topic, reader: &Reader) {
        self.topics.lock()[topic.index(self.listings.len())].retain(|other| other.id != reader.id);
    }

    /// Begins to listen to an account.
    pub fn subscribe_account(&self, account: &str, subscription: u64, reader: &Arc<Reader>) {
        let listener = Listener {
            reader: reader.clone(),
            subscription,
        };
        self.accounts
            .lock()
            .entry(account.to_owned())
            .or_default()
            .push(listener);
    }

    /// Stops listening to an account.
    pub fn unsubscribe_account(&self, account: &str, reader: &Reader) {
        let mut accounts = self.accounts.lock();
        if let Some(listeners) = accounts.get_mut(account) {
            listeners.retain(|listener| listener.reader.id != reader.id);
            if listeners.is_empty() {
                accounts.remove(account);
            }
        }
    }

    /// Whether a reader's subscription of an account goes on.
    pub fn listens(&self, account: &str, subscription: u64, reader: &Reader) -> bool {
        let accounts = self.accounts.lock();
        let mut listeners = accounts.get(account).into_iter().flatten();
        listeners.any(|listener| listener.reader.id == reader.id && listener.subscription == subscription)
    }

    /// Ends the subscriptions of an account, or of all, and tells each that it has ended; returns how many.
    pub fn end_streams(&self, account: Option<&str>, millis: i64) -> usize {
        let mut accounts = self.accounts.lock();
        let ended: Vec<Listener> = match account {
            Some(account) => accounts.remove(account).unwrap_or_default(),
            None => std::mem::take(&mut *accounts).into_values().flatten().collect(),
        };
        // Before anybody is told: who then asks is answered without them.
        self.ended.fetch_add(ended.len() as u64, Ordering::Release);
        for listener in &ended {
            self.end_subscription(listener.subscription, &listener.reader, millis);
        }
        ended.len()
    }

    /// How many subscriptions [`Hub::end_streams`] has ended: as long as it is the same, all go on.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// Sends market events to those who listen.
    pub fn publish_market(&self, events: &[(usize, i64, MarketEvent)]) {
        let mut topics = self.topics.lock();
        let mut digest = self.digest.lock();
        for (symbol, time, event) in events {
            let wanted = |pace| {
                let kind = Kind::Depth(pace);
                let topic = Topic {
                    symbol: Some(*symbol),
                    kind,
                };
                !topics[topic.index(self.listings.len())].is_empty()
            };
            if matches!(event, MarketEvent::Depth { .. }) && (wanted(Pace::Slow) || wanted(Pace::SlowNamed)) {
                digest.note(*symbol, event);
            }
            let topic = Topic {
                symbol: Some(*symbol),
                kind: Kind::of(event),
            };
            self.send(&mut topics, topic, || {
                wire::market::frame(&self.listings[*symbol], *time, event)
            });
        }
    }

    /// Sends what is told at fixed times rather than when it happens: tickers, partial books, depth each second.
    pub fn publish_digest(&self, venue: &Venue) {
        let now = venue.now();
        let mut digest = self.digest.lock();
        let due = digest.due(now);
        if !due.tenth {
            return;
        }
        let mut topics = self.topics.lock();
        for (symbol, market) in venue.markets().iter().enumerate() {
            let row = symbol * KINDS;
            if topics[row..row + KINDS].iter().all(Vec::is_empty) {
                continue;
            }
            for (kind, frame) in digest.frames(symbol, market, now, due, |kind| !topics[row + kind.index()].is_empty())
            {
                let topic = Topic {
                    symbol: Some(symbol),
                    kind,
                };
                self.send(&mut topics, topic, || frame);
            }
        }
        if due.second {
            let row = self.listings.len() * KINDS;
            for (kind, frame) in digest.arrays(venue, now, |kind: Kind| !topics[row + kind.index()].is_empty()) {
                self.send(&mut topics, Topic { symbol: None, kind }, || frame);
            }
        }
    }

    fn send(&self, topics: &mut [Vec<Arc<Reader>>], topic: Topic, frame: impl FnOnce() -> String) {
        let stream = topic.index(self.listings.len());
        let readers = &mut topics[stream];
        if readers.is_empty() {
            return;
        }
        let class = Class::Market {
            stream: stream as u64,
            depth: topic.kind.is_depth(),
        };
        let plain = frame();
        let combined = readers
            .iter()
            .any(|reader| reader.is_combined())
            .then(|| Utf8Bytes::from(format!("{{\"stream\":\"{}\",\"data\":{plain}}}", self.name(topic))));
        let plain = Utf8Bytes::from(plain);
        readers.retain(|reader| {
            let frame = if reader.is_combined() { combined.clone() } else { None };
            deliver(reader, class, frame.unwrap_or_else(|| plain.clone()))
        });
    }

    /// Sends private events to those who listen to the account.
    pub fn publish_user(&self, events: &[UserEvent]) {
        let mut accounts = self.accounts.lock();
        for event in events {
            self.note_first_fill(event);
            let Some(listeners) = accounts.get_mut(&event.account) else {
                continue;
            };
            let body = wire::events::event(event);
            listeners.retain(|listener| {
                let frame = format!("{{\"subscriptionId\":{},\"event\":{body}}}", listener.subscription);
                deliver(&listener.reader, Class::User, frame.into())
            });
        }
    }

    /// An order that begins to fill no longer counts among the unfilled ones.
    fn note_first_fill(&self, event: &UserEvent) {
        if let UserEventKind::Execution { order, execution } = &event.kind
            && let Execution::Trade(fill) = execution
            && order.executed == fill.quantity
        {
            self.meter.lock().first_fill(&event.account, fill.maker, event.time);
        }
    }

    /// Tells a reader that its subscription of an account has ended.
    pub fn end_subscription(&self, subscription: u64, reader: &Reader, millis: i64) {
        let frame = format!(
            "{{\"subscriptionId\":{subscription},\"event\":{{\"e\":\"eventStreamTerminated\",\"E\":{millis}}}}}"
        );
        deliver(reader, Class::Answer, frame.into());
    }
}

/// Queues a frame; a reader whose queue is full is told to leave, and dropped.
fn deliver(reader: &Reader, class: Class, text: Utf8Bytes) -> bool {
    let queued = reader.queue.try_send(Frame { class, text }).is_ok();
    if !queued {
        reader.behind.notify_one();
    }
    queued
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::core::listing::catalogue;
    use crate::core::market::Best;

    #[tokio::test]
    async fn a_slow_reader_is_cut_off() {
        let meter = Meter::new(Config::default().request_limits());
        let hub = Hub::new(catalogue(1), 2, Arc::new(Mutex::new(meter)));
        let (slow, mut frames) = hub.reader(true);
        let (quick, mut quick_frames) = hub.reader(false);
        let topic = hub.topic("btcusdt@bookTicker").unwrap();
        hub.subscribe(topic, &slow);
        hub.subscribe(topic, &slow);
        hub.subscribe(topic, &quick);
        let event = |update| {
            vec![(
                0,
                1_000,
                MarketEvent::Best {
                    update,
                    best: Best::default(),
                },
            )]
        };
        for update in 1..=3 {
            hub.publish_market(&event(update));
            let frame = quick_frames.recv().await.unwrap().text;
            assert!(frame.starts_with(&format!("{{\"u\":{update},")), "{frame}");
        }
        slow.fell_behind().await;
        let frame = frames.recv().await.unwrap().text;
        assert!(
            frame.starts_with("{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":1,"),
            "{frame}"
        );
        assert!(!slow.answer("full", Framing::default()) || frames.len() == 2);
        hub.unsubscribe(topic, &quick);
        hub.publish_market(&event(4));
        assert!(quick_frames.try_recv().is_err());
    }
}
