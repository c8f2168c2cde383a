//! The portfolio's options.

use mesh::Result;
use mesh::config::check_bounds;
use serde::{Deserialize, Serialize};

/// The portfolio's options, each with its unit, default and bound.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The asset that values are in. Default `USDT`.
    pub reporting_asset: String,
    /// Events applied in one transaction at most. Default 500; 1 to 100,000.
    pub batch_events: usize,
    /// How long a transaction waits after the one before, in milliseconds, so that a steady flow of events shares them.
    /// Default 25; at most 10,000.
    pub batch_interval_ms: u64,
    /// How often a followed portfolio is valued anew, in milliseconds. Default 250; 1 to 3,600,000.
    pub stream_interval_ms: u64,
    /// The longest wait before a broken stream is opened again, in milliseconds. Default 5,000; 1 to 600,000.
    pub retry_max_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reporting_asset: "USDT".to_owned(),
            batch_events: 500,
            batch_interval_ms: 100,
            stream_interval_ms: 250,
            retry_max_ms: 5_000,
        }
    }
}

impl Config {
    /// Refuses values outside their bounds.
    ///
    /// # Errors
    /// `INVALID / CONFIG_OUT_OF_BOUNDS` naming the option and its bounds.
    pub fn check(&self) -> Result<()> {
        let options = [
            ("batch_events", self.batch_events as u64, 1, 100_000),
            ("batch_interval_ms", self.batch_interval_ms, 0, 10_000),
            ("stream_interval_ms", self.stream_interval_ms, 1, 3_600_000),
            ("retry_max_ms", self.retry_max_ms, 1, 600_000),
        ];
        check_bounds("portfolio", &options)
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn options_have_bounds() {
        Config::default().check().unwrap();
        type Edit = fn(&mut Config);
        let table: [(Edit, &str); 4] = [
            (|config| config.batch_events = 0, "batch_events"),
            (|config| config.batch_interval_ms = 10_001, "batch_interval_ms"),
            (|config| config.stream_interval_ms = 0, "stream_interval_ms"),
            (|config| config.retry_max_ms = 0, "retry_max_ms"),
        ];
        for (edit, key) in table {
            let mut config = Config::default();
            edit(&mut config);
            let error = config.check().unwrap_err();
            assert_eq!(error.context()["key"], format!("portfolio.{key}"));
        }
    }
}
