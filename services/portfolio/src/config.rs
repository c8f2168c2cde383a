//! The portfolio's options.

use serde::{Deserialize, Serialize};

/// The portfolio's options, each with its unit, default and bound.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The asset that values are in. Default `USDT`.
    pub reporting_asset: String,
    /// Events applied in one transaction at most. Default 500.
    pub batch_events: usize,
    /// How long a transaction waits after the one before, in milliseconds, so that a steady flow of events shares them.
    /// Default 25.
    pub batch_interval_ms: u64,
    /// How often a followed portfolio is valued anew, in milliseconds. Default 250.
    pub stream_interval_ms: u64,
    /// The longest wait before a broken stream is opened again, in milliseconds. Default 5,000.
    pub retry_max_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reporting_asset: "USDT".to_owned(),
            batch_events: 500,
            batch_interval_ms: 25,
            stream_interval_ms: 250,
            retry_max_ms: 5_000,
        }
    }
}
