//! The options of market data.

use crate::core::sync::SyncLimits;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The options of the `data` section. Every number is checked by [`Config::check`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The venue's name, as instruments state it. Default `exchange`, the simulated market.
    pub venue: String,
    /// The venue's REST API. Default `http://127.0.0.1:7080`; Binance: `https://api.binance.com`.
    pub rest_url: String,
    /// The venue's streams. Default `ws://127.0.0.1:7080`; Binance: `wss://stream.binance.com:9443`.
    pub ws_url: String,
    /// The symbols to follow; none (default) means all that trade.
    pub symbols: Vec<String>,
    /// The most symbols followed from the start on, 1 to 5000. Default 1000.
    pub max_symbols: usize,
    /// Streams of one connection, 2 to 1024 (Binance's bound). Default 200.
    pub streams_per_connection: usize,
    /// The part of the venue's request weight that market data may use, above 0, at most 1. Default 0.6.
    pub weight_share: f64,
    /// Levels a side of a book's first snapshot, 5 to 5000. Default 100, which costs a tenth of 1000.
    pub first_snapshot_levels: usize,
    /// Levels a side of the snapshots that replace a book that runs thin or went quiet, 5 to 5000. Default 1000.
    pub snapshot_levels: usize,
    /// Snapshots fetched at the same time, 1 to 64. Default 8.
    pub snapshot_fetches: usize,
    /// A snapshot that did not come is asked for again after this, in ms, at least 100. Default 5000.
    pub snapshot_retry_ms: u64,
    /// A book without news for this long is stale, in ms, at least 100. Default 10000.
    pub quiet_ms: u64,
    /// A connection without data for this long is dead, in ms, at least 100. Default 15000.
    pub silence_ms: u64,
    /// Time to connect and to answer a request, in ms, at least 100. Default 10000.
    pub timeout_ms: u64,
    /// The ceiling of the first wait before connecting again, in ms, at least 1; it doubles. Default 250.
    pub backoff_base_ms: u64,
    /// The highest ceiling of that wait, in ms. Default 30000.
    pub backoff_max_ms: u64,
    /// Diffs kept for a symbol that waits for its snapshot, 10 to 100000. Default 1000.
    pub buffered_diffs: usize,
    /// With fewer known levels on a side a deeper snapshot is fetched, 1 to 1000. Default 20.
    pub known_levels: usize,
    /// Trades kept for each symbol, 10 to 100000. Default 1000.
    pub kept_trades: usize,
    /// Closed bars of each interval fetched from the venue at the start, 60 to 1000. Default 240.
    pub history_bars: usize,
    /// A bar closes this long after its end by the venue's clock, in ms, for trades on their way. Default 500.
    pub bar_grace_ms: u64,
    /// How long 1s bars are kept, in s. Default 900.
    pub keep_1s_bars_s: u64,
    /// How long 1m bars are kept, in s. Default 172800 (two days).
    pub keep_1m_bars_s: u64,
    /// How long 5m bars are kept, in s. Default 1209600 (two weeks).
    pub keep_5m_bars_s: u64,
    /// How long 1h bars are kept, in s. Default 31536000 (a year).
    pub keep_1h_bars_s: u64,
    /// How often the venue is asked what it lists, in ms, at least 100. Default 300000 (five minutes).
    pub instruments_every_ms: u64,
    /// Ready after this even if books are missing, in ms. Default 15000.
    pub ready_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            venue: "exchange".to_owned(),
            rest_url: "http://127.0.0.1:7080".to_owned(),
            ws_url: "ws://127.0.0.1:7080".to_owned(),
            symbols: Vec::new(),
            max_symbols: 1_000,
            streams_per_connection: 200,
            weight_share: 0.6,
            first_snapshot_levels: 100,
            snapshot_levels: 1_000,
            snapshot_fetches: 8,
            snapshot_retry_ms: 5_000,
            quiet_ms: 10_000,
            silence_ms: 15_000,
            timeout_ms: 10_000,
            backoff_base_ms: 250,
            backoff_max_ms: 30_000,
            buffered_diffs: 1_000,
            known_levels: 20,
            kept_trades: 1_000,
            history_bars: 240,
            bar_grace_ms: 500,
            keep_1s_bars_s: 900,
            keep_1m_bars_s: 172_800,
            keep_5m_bars_s: 1_209_600,
            keep_1h_bars_s: 31_536_000,
            instruments_every_ms: 300_000,
            ready_timeout_ms: 15_000,
        }
    }
}

impl Config {
    /// Refuses values outside their bounds, by name.
    pub fn check(&self) -> mesh::Result<()> {
        let bounds = [
            ("max_symbols", self.max_symbols as u64, 1, 5_000),
            ("streams_per_connection", self.streams_per_connection as u64, 2, 1_024),
            ("first_snapshot_levels", self.first_snapshot_levels as u64, 5, 5_000),
            ("snapshot_levels", self.snapshot_levels as u64, 5, 5_000),
            ("snapshot_fetches", self.snapshot_fetches as u64, 1, 64),
            ("snapshot_retry_ms", self.snapshot_retry_ms, 100, 600_000),
            ("quiet_ms", self.quiet_ms, 100, 3_600_000),
            ("silence_ms", self.silence_ms, 100, 3_600_000),
            ("timeout_ms", self.timeout_ms, 100, 600_000),
            ("backoff_base_ms", self.backoff_base_ms, 1, 600_000),
            ("backoff_max_ms", self.backoff_max_ms, self.backoff_base_ms, 3_600_000),
            ("buffered_diffs", self.buffered_diffs as u64, 10, 100_000),
            ("known_levels", self.known_levels as u64, 1, 1_000),
            ("kept_trades", self.kept_trades as u64, 10, 100_000),
            ("history_bars", self.history_bars as u64, 60, 1_000),
            ("bar_grace_ms", self.bar_grace_ms, 0, 60_000),
            ("keep_1s_bars_s", self.keep_1s_bars_s, 60, 31_536_000),
            ("keep_1m_bars_s", self.keep_1m_bars_s, 60, 315_360_000),
            ("keep_5m_bars_s", self.keep_5m_bars_s, 300, 315_360_000),
            ("keep_1h_bars_s", self.keep_1h_bars_s, 3_600, 3_153_600_000),
            ("instruments_every_ms", self.instruments_every_ms, 100, 86_400_000),
            ("ready_timeout_ms", self.ready_timeout_ms, 0, 3_600_000),
        ];
        for (key, value, low, high) in bounds {
            if !(low..=high).contains(&value) {
                let message = format!("data.{key} must be {low} to {high}, not {value}");
                return Err(mesh::Error::invalid("CONFIG_VALUE", message).with("key", key));
            }
        }
        if !(self.weight_share > 0.0 && self.weight_share <= 1.0) {
            let message = format!(
                "data.weight_share must be above 0 and at most 1, not {}",
                self.weight_share
            );
            return Err(mesh::Error::invalid("CONFIG_VALUE", message).with("key", "weight_share"));
        }
        Ok(())
    }

    /// The bounds of every book.
    pub fn sync_limits(&self) -> SyncLimits {
        SyncLimits {
            quiet: Duration::from_millis(self.quiet_ms),
            snapshot_retry: Duration::from_millis(self.snapshot_retry_ms),
            buffered_diffs: self.buffered_diffs,
            known_levels: self.known_levels,
        }
    }

    /// How long bars are kept, by interval as in [`crate::core::series::INTERVALS`].
    pub fn retention(&self) -> [Duration; 4] {
        [
            self.keep_1s_bars_s,
            self.keep_1m_bars_s,
            self.keep_5m_bars_s,
            self.keep_1h_bars_s,
        ]
        .map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_within_bounds_and_other_values_are_refused_by_name() {
        Config::default().check().unwrap();
        let broken = [
            Config {
                streams_per_connection: 1,
                ..Config::default()
            },
            Config {
                backoff_max_ms: 1,
                ..Config::default()
            },
            Config {
                weight_share: 0.0,
                ..Config::default()
            },
            Config {
                weight_share: f64::NAN,
                ..Config::default()
            },
            Config {
                history_bars: 5_000,
                ..Config::default()
            },
        ];
        let keys = [
            "streams_per_connection",
            "backoff_max_ms",
            "weight_share",
            "weight_share",
            "history_bars",
        ];
        for (config, key) in broken.iter().zip(keys) {
            let error = config.check().unwrap_err();
            assert_eq!(error.reason(), "CONFIG_VALUE");
            assert!(error.message().contains(&format!("data.{key} ")), "{}", error.message());
        }
    }
}
