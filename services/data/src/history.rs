//! Bars beyond the running ones: fetched from the venue's klines at the start and after a gap, and kept in the store.

use crate::config::Config;
use crate::core::series::{History, INTERVALS, NEEDED};
use crate::feed::Feed;
use crate::store;
use domain::{Bar, Interval, Symbol, Timestamp};
use futures::StreamExt;
use mesh::store::Store;
use mesh::time::Clock;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;

/// Bars written in one transaction.
const BATCH: usize = 1_024;

/// More unsaved bars than this stop the fetching of history; a store that fails for long loses the oldest ones.
const ROOM: usize = 4 * BATCH;
const MAX_UNSAVED: usize = 64 * BATCH;

/// Symbols whose history is fetched at the same time.
const FETCHES: usize = 4;

/// How often old bars are deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

type Key = (Symbol, Interval, Timestamp);

/// Closed bars on their way to the store; reads see them too.
pub struct BarWriter {
    store: Store,
    unsaved: Mutex<BTreeMap<Key, Bar>>,
    filled: Notify,
    saved: Notify,
}

impl BarWriter {
    /// A writer to `store`.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            unsaved: Mutex::default(),
            filled: Notify::new(),
            saved: Notify::new(),
        }
    }

    /// Takes the closed bars out of `bars`.
    pub fn push(&self, bars: &mut Vec<Bar>) {
        if bars.is_empty() {
            return;
        }
        let mut unsaved = self.unsaved.lock();
        for bar in bars.drain(..) {
            unsaved.insert((bar.symbol.clone(), bar.interval, bar.open_time), bar);
        }
        while unsaved.len() > MAX_UNSAVED {
            unsaved.pop_first();
            metrics::counter!("data_bars_lost_total").increment(1);
        }
        drop(unsaved);
        self.filled.notify_one();
    }

    /// Writes for ever, about once a second; failures are tried again.
    pub async fn run(&self, config: &Config, clock: &Clock) {
        let mut pruned_at: Option<Duration> = None;
        loop {
            self.filled.notified().await;
            if let Err(failure) = self.flush().await {
                tracing::warn!(reason = failure.reason(), "bars not saved yet: {}", failure.message());
            }
            let now = clock.monotonic();
            if pruned_at.is_none_or(|at| now.saturating_sub(at) >= PRUNE_EVERY) {
                pruned_at = Some(now);
                self.prune(config, clock).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Writes everything that waits.
    pub async fn flush(&self) -> mesh::Result<()> {
        loop {
            let batch: Vec<Bar> = self.unsaved.lock().values().take(BATCH).cloned().collect();
            if batch.is_empty() {
                return Ok(());
            }
            let written = store::save(&self.store, &batch).await;
            if written.is_err() {
                self.filled.notify_one();
                return written;
            }
            self.forget(&batch);
            self.saved.notify_waiters();
        }
    }

    /// Bars that were replaced while they were written stay.
    fn forget(&self, written: &[Bar]) {
        let mut unsaved = self.unsaved.lock();
        for bar in written {
            let key = (bar.symbol.clone(), bar.interval, bar.open_time);
            if unsaved.get(&key) == Some(bar) {
                unsaved.remove(&key);
            }
        }
    }

    async fn prune(&self, config: &Config, clock: &Clock) {
        let now = Timestamp::from_micros(clock.now_micros());
        let before = config.retention().map(|kept| {
            let micros = i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
            now.plus_micros(-micros)
        });
        if let Err(failure) = store::prune(&self.store, before).await {
            tracing::warn!(reason = failure.reason(), "old bars not deleted: {}", failure.message());
        }
    }

    /// Waits until there is room for more history.
    async fn room(&self) {
        loop {
            let saved = self.saved.notified();
            if self.unsaved.lock().len() < ROOM {
                return;
            }
            // Another look after a while covers a notice that came before this wait.
            let _ = tokio::time::timeout(Duration::from_secs(1), saved).await;
        }
    }

    /// Reads bars of a range, oldest first, saved or not.
    pub async fn load(&self, range: &store::Range) -> mesh::Result<Vec<Bar>> {
        // The unsaved ones first: a bar that is saved in between is then found twice, not never.
        let low = (range.symbol.clone(), range.interval, range.start);
        let high = (range.symbol.clone(), range.interval, range.end);
        let unsaved: Vec<Bar> = if range.start < range.end {
            self.unsaved
                .lock()
                .range(low..high)
                .map(|(_, bar)| bar.clone())
                .collect()
        } else {
            Vec::new()
        };
        let saved = store::load(&self.store, range).await?;
        let mut bars: BTreeMap<Timestamp, Bar> = saved.into_iter().map(|bar| (bar.open_time, bar)).collect();
        bars.extend(unsaved.into_iter().map(|bar| (bar.open_time, bar)));
        let skip = if range.latest {
            bars.len().saturating_sub(range.limit)
        } else {
            0
        };
        Ok(bars.into_values().skip(skip).take(range.limit).collect())
    }
}

impl Feed {
    /// Sets boundaries and fetches the klines before them, whenever a symbol needs it, for ever.
    pub async fn run_history(&self) {
        loop {
            // The ring of the bell may be for a symbol that already had its turn; a second's wait covers the others.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.refill.notified()).await;
            let places = self.waiting_for_history();
            if places.is_empty() {
                continue;
            }
            if let Err(failure) = self.refill(&places).await {
                metrics::counter!("data_history_failures_total").increment(1);
                tracing::warn!(reason = failure.reason(), "no history yet: {}", failure.message());
                let pause = self
                    .chance
                    .jitter(Duration::from_millis(self.config.backoff_max_ms.min(5_000)));
                tokio::time::sleep(pause).await;
            }
        }
    }

    fn waiting_for_history(&self) -> Vec<usize> {
        let places = 0..self.market.place_count();
        places
            .filter(|&place| {
                let state = self.market.state(place);
                state.connection != 0 && state.series.is_waiting()
            })
            .collect()
    }

    async fn refill(&self, places: &[usize]) -> mesh::Result<()> {
        let asked = self.clock.now_micros();
        let venue_now = self.rest.server_time().await?;
        let middle = asked + (self.clock.now_micros() - asked) / 2;
        self.venue_offset
            .store(venue_now.as_micros() - middle, Ordering::Relaxed);
        // Every trade from the next whole second on comes over streams that are open by now.
        let boundary = Interval::S1.open_time(venue_now).plus_micros(Interval::S1.micros());
        for &place in places {
            let mut state = self.market.state(place);
            if state.connection != 0 {
                state.series.set_boundary(boundary);
            }
        }
        let grace = Duration::from_millis(self.config.bar_grace_ms.max(100));
        let until_boundary = Duration::from_micros(boundary.micros_since(venue_now).unsigned_abs());
        tokio::time::sleep(until_boundary + grace).await;
        let fetches = places.iter().map(|&place| self.refill_one(place, boundary));
        futures::stream::iter(fetches)
            .for_each_concurrent(FETCHES, |fetch| fetch)
            .await;
        Ok(())
    }

    async fn refill_one(&self, place: usize, boundary: Timestamp) {
        self.bars.room().await;
        let symbol = &self.market.symbol(place);
        let history = match self.history(place, symbol, boundary).await {
            Ok(history) => history,
            Err(failure) => {
                metrics::counter!("data_history_failures_total").increment(1);
                tracing::warn!(symbol = %symbol, reason = failure.reason(), "klines failed: {}", failure.message());
                self.market.state(place).series.interrupt();
                return;
            }
        };
        let is_awaited = self.market.state(place).series.awaited() == Some(boundary);
        if !is_awaited {
            return;
        }
        let mut closed = Vec::new();
        if !self.market.fill_bars(place, &history, &mut closed) {
            tracing::debug!(symbol = %symbol, "klines do not reach the boundary yet");
            self.market.state(place).series.interrupt();
        }
        for bars in history {
            closed.extend(bars);
        }
        self.bars.push(&mut closed);
    }

    /// Closed klines before the boundary: what the running bars are made of, and what is not in the store.
    async fn history(&self, place: usize, symbol: &Symbol, boundary: Timestamp) -> mesh::Result<History> {
        let last_closed = self.market.state(place).last_closed.clone();
        let mut history = History::default();
        for (index, interval) in INTERVALS.into_iter().enumerate() {
            let missing = match &last_closed[index] {
                Some(bar) => boundary.micros_since(bar.open_time) / interval.micros() + 1,
                None if interval == Interval::S1 => 0,
                None => i64::MAX,
            };
            let wanted = usize::try_from(missing)
                .unwrap_or(0)
                .min(self.config.history_bars)
                .max(NEEDED[index]);
            history[index] = self.rest.klines(symbol, interval, boundary, wanted).await?;
        }
        Ok(history)
    }
}
