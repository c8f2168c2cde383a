//! Bars beyond the running ones, fetched from the venue's klines at the start and after a gap.

use crate::core::series::{History, INTERVALS, NEEDED};
use crate::feed::Feed;
use domain::{Interval, Symbol, Timestamp};
use futures::StreamExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Symbols whose history is fetched at the same time.
const FETCHES: usize = 4;

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
