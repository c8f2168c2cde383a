//! Who listens to what. The venue publishes here; readers have bounded queues, and one that does not keep up is cut off.

use crate::core::bars::Interval;
use crate::core::effects::UserEvent;
use crate::core::listing::Listing;
use crate::core::market::MarketEvent;
use crate::faults::{Class, Frame};
use crate::wire;
use axum::extract::ws::Utf8Bytes;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Notify, mpsc};

/// The kinds of market streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `@trade`
    Trade,
    /// `@aggTrade`
    Aggregate,
    /// `@depth@100ms`
    Depth,
    /// `@bookTicker`
    Best,
    /// `@kline_<interval>`
    Kline(Interval),
}

/// Streams of a symbol.
const KINDS: usize = 8;

impl Kind {
    fn index(self) -> usize {
        match self {
            Kind::Trade => 0,
            Kind::Aggregate => 1,
            Kind::Depth => 2,
            Kind::Best => 3,
            Kind::Kline(interval) => 4 + interval as usize,
        }
    }

    fn of(event: &MarketEvent) -> Self {
        match event {
            MarketEvent::Trade(_) => Kind::Trade,
            MarketEvent::Aggregate(_) => Kind::Aggregate,
            MarketEvent::Depth { .. } => Kind::Depth,
            MarketEvent::Best { .. } => Kind::Best,
            MarketEvent::Kline { interval, .. } => Kind::Kline(*interval),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            "trade" => Some(Kind::Trade),
            "aggTrade" => Some(Kind::Aggregate),
            "depth@100ms" => Some(Kind::Depth),
            "bookTicker" => Some(Kind::Best),
            _ => name.strip_prefix("kline_").and_then(Interval::parse).map(Kind::Kline),
        }
    }

    fn name(self) -> String {
        match self {
            Kind::Trade => "trade".to_owned(),
            Kind::Aggregate => "aggTrade".to_owned(),
            Kind::Depth => "depth@100ms".to_owned(),
            Kind::Best => "bookTicker".to_owned(),
            Kind::Kline(interval) => format!("kline_{}", interval.name()),
        }
    }
}

/// One stream: a symbol's index and what of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic {
    /// Index of the symbol.
    pub symbol: usize,
    /// What of it.
    pub kind: Kind,
}

/// One connection's end of the hub.
#[derive(Debug)]
pub struct Reader {
    id: u64,
    combined: bool,
    queue: mpsc::Sender<Frame>,
    behind: Notify,
}

impl Reader {
    /// Resolves when the reader did not keep up.
    pub async fn fell_behind(&self) {
        self.behind.notified().await;
    }

    /// Queues a frame that is the answer to a request; false when the queue is full.
    pub fn answer(&self, text: impl Into<Utf8Bytes>) -> bool {
        let frame = Frame {
            class: Class::Answer,
            text: text.into(),
        };
        self.queue.try_send(frame).is_ok()
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
    topics: Mutex<Vec<Vec<Arc<Reader>>>>,
    accounts: Mutex<BTreeMap<String, Vec<Listener>>>,
    next_reader: AtomicU64,
    queue_frames: usize,
}

impl Hub {
    /// A hub that nobody listens to.
    pub fn new(listings: Vec<Listing>, queue_frames: usize) -> Self {
        let topics = (0..listings.len() * KINDS).map(|_| Vec::new()).collect();
        Self {
            listings,
            topics: Mutex::new(topics),
            accounts: Mutex::default(),
            next_reader: AtomicU64::new(0),
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
                combined,
                queue,
                behind: Notify::new(),
            }),
            frames,
        )
    }

    /// The topic of a stream's name, such as `btcusdt@depth@100ms`.
    pub fn topic(&self, name: &str) -> Option<Topic> {
        let (symbol, rest) = name.split_once('@')?;
        if symbol.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let symbol = self
            .listings
            .iter()
            .position(|listing| listing.symbol.eq_ignore_ascii_case(symbol))?;
        Some(Topic {
            symbol,
            kind: Kind::parse(rest)?,
        })
    }

    /// The stream's name of a topic.
    pub fn name(&self, topic: Topic) -> String {
        format!(
            "{}@{}",
            self.listings[topic.symbol].symbol.to_ascii_lowercase(),
            topic.kind.name()
        )
    }

    /// Begins to listen.
    pub fn subscribe(&self, topic: Topic, reader: &Arc<Reader>) {
        let mut topics = self.topics.lock();
        let readers = &mut topics[topic.symbol * KINDS + topic.kind.index()];
        if readers.iter().all(|other| other.id != reader.id) {
            readers.push(reader.clone());
        }
    }

    /// Stops listening.
    pub fn unsubscribe(&self, topic: Topic, reader: &Reader) {
        self.topics.lock()[topic.symbol * KINDS + topic.kind.index()].retain(|other| other.id != reader.id);
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

    /// Sends market events to those who listen.
    pub fn publish_market(&self, events: &[(usize, i64, MarketEvent)]) {
        let mut topics = self.topics.lock();
        for (symbol, time, event) in events {
            let topic = Topic {
                symbol: *symbol,
                kind: Kind::of(event),
            };
            let stream = topic.symbol * KINDS + topic.kind.index();
            let readers = &mut topics[stream];
            if readers.is_empty() {
                continue;
            }
            let class = Class::Market {
                stream: stream as u64,
                depth: topic.kind == Kind::Depth,
            };
            let plain = wire::market::frame(&self.listings[*symbol], *time, event);
            let combined = readers
                .iter()
                .any(|reader| reader.combined)
                .then(|| Utf8Bytes::from(format!("{{\"stream\":\"{}\",\"data\":{plain}}}", self.name(topic))));
            let plain = Utf8Bytes::from(plain);
            readers.retain(|reader| {
                let frame = if reader.combined { combined.clone() } else { None };
                deliver(reader, class, frame.unwrap_or_else(|| plain.clone()))
            });
        }
    }

    /// Sends private events to those who listen to the account.
    pub fn publish_user(&self, events: &[UserEvent]) {
        let mut accounts = self.accounts.lock();
        for event in events {
            let Some(listeners) = accounts.get_mut(&event.account) else {
                continue;
            };
            let body = wire::private::event(event).to_string();
            listeners.retain(|listener| {
                let frame = format!("{{\"subscriptionId\":{},\"event\":{body}}}", listener.subscription);
                deliver(&listener.reader, Class::User, frame.into())
            });
        }
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
    use crate::core::listing::catalogue;
    use crate::core::market::Best;

    #[test]
    fn names_and_topics_agree() {
        let hub = Hub::new(catalogue(3), 16);
        for name in [
            "btcusdt@trade",
            "ethusdt@aggTrade",
            "solusdt@depth@100ms",
            "btcusdt@bookTicker",
            "btcusdt@kline_1m",
        ] {
            let topic = hub.topic(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(hub.name(topic), name);
        }
        for name in [
            "btcusdt",
            "BTCUSDT@trade",
            "btcusdt@depth",
            "btcusdt@kline_1d",
            "nosuch@trade",
            "",
        ] {
            assert_eq!(hub.topic(name), None, "{name}");
        }
    }

    #[tokio::test]
    async fn a_slow_reader_is_cut_off() {
        let hub = Hub::new(catalogue(1), 2);
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
        assert!(!slow.answer("full") || frames.len() == 2);
        hub.unsubscribe(topic, &quick);
        hub.publish_market(&event(4));
        assert!(quick_frames.try_recv().is_err());
    }
}
