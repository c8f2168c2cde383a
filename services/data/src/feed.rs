//! The feed: connections that bring frames to the market, workers that fetch the snapshots it asks for, and the tick
//! that notices silence. A frame is applied where it is read; nothing queues between the socket and the book.

use crate::bar_writer::BarWriter;
use crate::binance;
use crate::binance::frame::{self, Frame, Malformed};
use crate::binance::rest::Rest;
use crate::binance::socket::{Ended, STREAMS_PER_SYMBOL, Socket, stream_url};
use crate::config::Config;
use crate::core::backoff::Backoff;
use crate::core::sync::{BookState, Input, Request};
use crate::market::{Market, Todo};
use crate::queue::PlaceQueue;
use domain::{Bar, Symbol, Timestamp, Trade, TradeId};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use mesh::time::{Chance, Clock};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// The parts of a running feed.
pub struct Feed {
    /// Where frames go.
    pub market: Arc<Market>,
    /// The venue's REST API.
    pub rest: Rest,
    /// The options.
    pub config: Config,
    /// Time.
    pub clock: Clock,
    /// Chance, for jitter.
    pub chance: Chance,
    /// Where closed bars go.
    pub bars: Arc<BarWriter>,
    /// Symbols that wait for a snapshot.
    pub snapshots: PlaceQueue,
    /// Rung when bars need a new boundary.
    pub refill: Notify,
    /// The venue's clock minus ours, in µs.
    pub venue_offset: AtomicI64,
    links: RwLock<Links>,
    /// Rung when there is a new link.
    linked: Notify,
    connections: AtomicU64,
}

/// The symbols that share a connection.
struct Link {
    index: usize,
    places: Vec<usize>,
    reconnect: Notify,
}

#[derive(Default)]
struct Links {
    all: Vec<Arc<Link>>,
    /// By place.
    of: BTreeMap<usize, Arc<Link>>,
}

impl Feed {
    /// A feed for the market's symbols.
    pub fn new(
        market: Arc<Market>,
        rest: Rest,
        config: Config,
        clock: Clock,
        chance: Chance,
        bars: Arc<BarWriter>,
    ) -> Self {
        let places: Vec<usize> = (0..market.place_count()).collect();
        let feed = Self {
            links: RwLock::default(),
            linked: Notify::new(),
            market,
            rest,
            config,
            clock,
            chance,
            bars,
            snapshots: PlaceQueue::default(),
            refill: Notify::new(),
            venue_offset: AtomicI64::new(0),
            connections: AtomicU64::new(0),
        };
        feed.link(&places);
        feed
    }

    /// Connects what the venue lists anew: symbols that had a connection use it again, others get one of their own.
    fn link(&self, added: &[usize]) {
        let chunk = (self.config.streams_per_connection / STREAMS_PER_SYMBOL).max(1);
        let mut links = self.links.write();
        let (known, new): (Vec<usize>, Vec<usize>) =
            added.iter().copied().partition(|place| links.of.contains_key(place));
        for place in known {
            links.of[&place].reconnect.notify_one();
        }
        for places in new.chunks(chunk) {
            let link = Arc::new(Link {
                index: links.all.len(),
                places: places.to_vec(),
                reconnect: Notify::new(),
            });
            links.of.extend(places.iter().map(|&place| (place, link.clone())));
            links.all.push(link);
        }
        let is_wanted = |link: &&Arc<Link>| link.places.iter().any(|&place| self.market.is_listed(place));
        let wanted = links.all.iter().filter(is_wanted).count();
        self.market.wanted_connections.store(wanted, Ordering::Relaxed);
        self.linked.notify_one();
    }

    /// Keeps every connection open for ever, and opens those of new symbols.
    pub async fn run_connections(&self) {
        let mut running = FuturesUnordered::new();
        loop {
            let links: Vec<Arc<Link>> = self.links.read().all[running.len()..].to_vec();
            running.extend(links.into_iter().map(|link| self.run_connection(link)));
            tokio::select! {
                () = self.linked.notified() => {}
                Some(()) = running.next() => {}
            }
        }
    }

    /// Asks the venue again and again what it lists, and follows that.
    pub async fn run_listing(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(self.config.instruments_every_ms)).await;
            if let Err(failure) = self.relist().await {
                metrics::counter!("data_listing_failures_total").increment(1);
                tracing::warn!(
                    reason = failure.reason(),
                    "instruments not read again: {}",
                    failure.message()
                );
            }
        }
    }

    async fn relist(&self) -> mesh::Result<()> {
        let is_followed = |symbol: &str| self.market.place(symbol).is_some();
        let instruments = binance::instruments(&self.rest, &self.config, is_followed).await?;
        let relisted = self.market.relist(instruments, self.clock.monotonic());
        if relisted.left_out > 0 {
            tracing::warn!(
                symbols = relisted.left_out,
                max = self.market.capacity(),
                "no room for new symbols"
            );
        }
        if relisted.added.is_empty() && relisted.removed.is_empty() && relisted.changed == 0 {
            return Ok(());
        }
        self.link(&relisted.added);
        let (added, removed) = (relisted.added.len(), relisted.removed.len());
        tracing::info!(
            added,
            removed,
            changed = relisted.changed,
            "the venue lists something else"
        );
        Ok(())
    }

    /// Keeps one connection open for ever.
    async fn run_connection(&self, link: Arc<Link>) {
        let index = link.index;
        let millis = Duration::from_millis;
        let mut backoff = Backoff::new(millis(self.config.backoff_base_ms), millis(self.config.backoff_max_ms));
        loop {
            let places: Vec<usize> = (link.places.iter().copied())
                .filter(|&place| self.market.is_listed(place))
                .collect();
            if places.is_empty() {
                link.reconnect.notified().await;
                continue;
            }
            let symbols: Vec<Symbol> = places.iter().map(|&place| self.market.symbol(place)).collect();
            let url = stream_url(&self.config.ws_url, &symbols);
            let ended = match Socket::open(&url, millis(self.config.timeout_ms)).await {
                Ok(socket) => self.follow(socket, &link, &places, &mut backoff).await,
                Err(ended) => ended,
            };
            let wait = self.chance.jitter(backoff.next_ceiling());
            tracing::warn!(connection = index, reason = %ended, wait_ms = wait.as_millis() as u64, "feed connection lost");
            metrics::counter!("data_feed_reconnects_total").increment(1);
            self.market.reconnects.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(wait).await;
        }
    }

    async fn follow(&self, mut socket: Socket, link: &Link, places: &[usize], backoff: &mut Backoff) -> Ended {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.market.open_connections.fetch_add(1, Ordering::Relaxed);
        for &place in places {
            let todo = self.market.open(place, connection, self.clock.monotonic());
            self.act(place, todo);
        }
        self.refill.notify_one();
        tracing::info!(connection = link.index, symbols = places.len(), "feed connection open");
        let silence = Duration::from_millis(self.config.silence_ms);
        let mut closed = Vec::new();
        let ended = loop {
            tokio::select! {
                text = socket.next_text(silence) => match text {
                    Ok(text) => match self.frame(&text, &mut closed) {
                        Ok(()) => backoff.reset(),
                        Err(malformed) => self.damaged(places, &malformed),
                    },
                    Err(ended) => break ended,
                },
                () = link.reconnect.notified() => break Ended::Silent,
            }
        };
        for &place in places {
            self.market.close(place, self.clock.monotonic());
        }
        self.market.open_connections.fetch_sub(1, Ordering::Relaxed);
        socket.close().await;
        ended
    }

    /// Takes one text frame of a stream.
    fn frame(&self, text: &str, closed: &mut Vec<Bar>) -> Result<(), Malformed> {
        match frame::parse(text)? {
            Frame::Depth { symbol, diff } => {
                if let Some(place) = self.market.place(symbol) {
                    let todo = self.market.diff(place, diff, self.clock.monotonic());
                    self.act(place, todo);
                }
            }
            Frame::Trade {
                symbol,
                trade_id,
                price,
                quantity,
                taker_side,
                time,
                ..
            } => {
                if let Some(place) = self.market.place(symbol) {
                    let symbol = self.market.symbol(place);
                    let trade = Trade {
                        symbol,
                        trade_id: TradeId::new(trade_id),
                        price,
                        quantity,
                        taker_side,
                        time,
                    };
                    let todo = self.market.trade(place, trade, closed);
                    self.bars.push(closed);
                    self.act(place, todo);
                }
            }
            Frame::Other => {}
        }
        Ok(())
    }

    /// A frame of the connection was lost, and nothing says whose it was: every book of it starts anew.
    fn damaged(&self, places: &[usize], malformed: &Malformed) {
        tracing::warn!(reason = %malformed, "feed frame lost; its symbols resync");
        metrics::counter!("data_malformed_frames_total").increment(1);
        self.market.malformed.fetch_add(1, Ordering::Relaxed);
        for &place in places {
            let todo = self.market.input(place, Input::Damaged, self.clock.monotonic());
            self.act(place, todo);
        }
    }

    fn act(&self, place: usize, todo: Todo) {
        match todo.request {
            Some(Request::Snapshot) => self.snapshots.push(place),
            Some(Request::Reconnect) => {
                if let Some(link) = self.links.read().of.get(&place) {
                    link.reconnect.notify_one();
                }
            }
            None => {}
        }
        if todo.refill {
            self.refill.notify_one();
        }
    }

    /// Fetches snapshots for ever, one at a time.
    pub async fn run_snapshots(&self) {
        loop {
            let place = self.snapshots.next().await;
            let (connection, limit) = self.snapshot_terms(place);
            if connection == 0 {
                self.snapshots.done(place);
                continue;
            }
            let symbol = self.market.symbol(place);
            let fetched = self.rest.depth(&symbol, limit).await;
            self.snapshots.done(place);
            match fetched {
                Ok(snapshot) => {
                    metrics::counter!("data_snapshots_total").increment(1);
                    let now = self.clock.monotonic();
                    let todo = self.market.snapshot(place, connection, Input::Snapshot(snapshot), now);
                    self.act(place, todo);
                }
                Err(failure) => {
                    metrics::counter!("data_snapshot_failures_total").increment(1);
                    tracing::warn!(symbol = %symbol, reason = failure.reason(), "snapshot failed: {}", failure.message());
                }
            }
        }
    }

    /// For which connection, and how deep: a book that ran out of known levels needs more of them.
    fn snapshot_terms(&self, place: usize) -> (u64, usize) {
        let state = self.market.state(place);
        let runs_out = state.sync.counters().exhausted > 0 || state.sync.is_thin();
        let limit = if runs_out {
            self.config.snapshot_levels
        } else {
            self.config.first_snapshot_levels
        };
        (state.connection, limit)
    }

    /// Tells books and bars that time passes, for ever.
    pub async fn run_ticks(&self) {
        let period = Duration::from_millis((self.config.quiet_ms / 4).clamp(25, 250));
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tick();
        }
    }

    fn tick(&self) {
        let now = self.clock.monotonic();
        let grace = i64::try_from(self.config.bar_grace_ms).unwrap_or(0) * 1_000;
        let bars_until = self.venue_now().plus_micros(-grace);
        let mut closed = Vec::new();
        for place in 0..self.market.place_count() {
            let is_connected = self.market.state(place).connection != 0;
            if is_connected {
                let todo = self.market.input(place, Input::Tick, now);
                self.act(place, todo);
                self.market.advance_bars(place, bars_until, &mut closed);
            }
        }
        self.bars.push(&mut closed);
        self.gauge();
    }

    /// The venue's clock.
    pub fn venue_now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros() + self.venue_offset.load(Ordering::Relaxed))
    }

    fn gauge(&self) {
        let totals = self.market.totals();
        for (state, count) in [
            ("live", totals.live),
            ("stale", totals.stale),
            ("resyncing", totals.resyncing),
        ] {
            metrics::gauge!("data_books", "state" => state).set(count as f64);
        }
        metrics::counter!("data_updates_applied_total").absolute(totals.counters.applied);
        metrics::counter!("data_updates_dropped_total").absolute(totals.counters.stale + totals.counters.repeated);
        metrics::counter!("data_gaps_total").absolute(totals.counters.gaps);
        metrics::counter!("data_resyncs_total").absolute(totals.counters.snapshots);
        metrics::gauge!("data_feed_oldest_book_seconds").set(self.oldest_book().as_secs_f64());
        metrics::gauge!("data_weight_budget_level").set(self.rest.budget_level());
    }

    fn oldest_book(&self) -> Duration {
        let now = self.clock.monotonic();
        let listed = self.market.listed();
        listed
            .into_iter()
            .map(|(place, _)| self.market.state(place).sync.age(now))
            .max()
            .unwrap_or_default()
    }

    /// Waits until every book has been LIVE or STALE once, or `bound` is over; how many were not.
    pub async fn books_followed(&self, bound: Duration) -> usize {
        let deadline = tokio::time::Instant::now() + bound;
        let places: Vec<usize> = (0..self.market.place_count()).collect();
        let mut missing: std::collections::BTreeSet<usize> = places.iter().copied().collect();
        let mut changes = self.market.books.subscribe(places);
        while !missing.is_empty() {
            let Ok(place) = tokio::time::timeout_at(deadline, changes.next()).await else {
                break;
            };
            if self.market.state(place).sync.state() != BookState::Resyncing {
                missing.remove(&place);
            }
        }
        missing.len()
    }
}
