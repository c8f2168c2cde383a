//! Closed bars on their way to the store, which keeps them for as long as the options say.

use crate::config::Config;
use crate::store;
use domain::{Bar, Interval, Symbol, Timestamp};
use mesh::store::Store;
use mesh::time::Clock;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Notify;

/// Bars written in one transaction.
const BATCH: usize = 1_024;

/// More unsaved bars than this stop the fetching of history; a store that fails for long loses the oldest ones.
const ROOM: usize = 4 * BATCH;
const MAX_UNSAVED: usize = 64 * BATCH;

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
    pub async fn room(&self) {
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
