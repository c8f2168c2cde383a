//! The options of `monitoring`.

use mesh::Result;
use mesh::config::check_bounds;
use serde::{Deserialize, Serialize};

/// The options of `monitoring`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The time between two checks of a service, in milliseconds; 10 to 3,600,000.
    pub interval_ms: u64,
    /// How long one check may take, in milliseconds; 1 to 60,000.
    pub timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            interval_ms: 2_000,
            timeout_ms: 1_000,
        }
    }
}

impl Config {
    /// Refuses values outside their bounds.
    ///
    /// # Errors
    /// `Invalid` naming the option.
    pub fn check(&self) -> Result<()> {
        let options = [
            ("interval_ms", self.interval_ms, 10, 3_600_000),
            ("timeout_ms", self.timeout_ms, 1, 60_000),
        ];
        check_bounds("monitoring", &options)
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn options_have_bounds() {
        assert!(Config::default().check().is_ok());
        for (interval_ms, timeout_ms, key) in [(9, 1, "interval_ms"), (10, 0, "timeout_ms"), (10, 60_001, "timeout_ms")]
        {
            let refusal = Config {
                interval_ms,
                timeout_ms,
            }
            .check()
            .unwrap_err();
            assert_eq!(refusal.context()["key"], format!("monitoring.{key}"));
        }
    }
}
