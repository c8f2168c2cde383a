//! The options of the venue.

use crate::NAME;
use crate::core::venue::Options;
use crate::faults::{LONGEST_MS, Plan};
use crate::limits::Limits;
use mesh::config::{check_bounds, out_of_bounds};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How strict the published request limits are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Binance's own limits.
    #[default]
    Standard,
    /// High enough to load the venue from one address.
    Bench,
}

/// The options of the venue, each with its unit; [`Config::default`] holds the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address of the Binance surface.
    pub listen: String,
    /// Number of symbols, 1 to 1200.
    pub symbols: usize,
    /// Seed of the crowd: the same seed and no orders make the same tape.
    pub seed: u64,
    /// Multiplies the level changes and trades of the crowd, 0.01 to 20.
    pub scale: f64,
    /// How strict the request limits are.
    pub limits: Profile,
    /// Folder of the account files `<account>.json` with their keys; `accounts` in the data folder when empty.
    pub accounts_dir: PathBuf,
    /// USDT that a new account starts with.
    pub opening_quote: u32,
    /// Value in USDT of each base asset that a new account starts with.
    pub opening_base_value: u32,
    /// Commission of resting orders in hundredths of a per cent, at most 1000.
    pub maker_fee_bps: u32,
    /// Commission of taking orders in hundredths of a per cent, at most 1000.
    pub taker_fee_bps: u32,
    /// Open orders of an account in one symbol, at most 2000000.
    pub max_open_orders: usize,
    /// Closed orders, and fills, remembered of each account.
    pub history_per_account: usize,
    /// Requests that may wait for the venue; more are refused.
    pub mailbox: usize,
    /// Time between two turns of the crowd, in milliseconds, 1 to 1000.
    pub step_ms: u64,
    /// The least time from one append to the journal to the next, in milliseconds, at most 100: orders that come together
    /// share a sync.
    pub commit_interval_ms: u64,
    /// Records of the journal between two snapshots of the ledger: a start reads about so many at most.
    pub snapshot_records: u64,
    /// Frames that may wait for one stream reader; a slower one is disconnected.
    pub stream_queue_frames: usize,
    /// Streams of one connection.
    pub max_streams: usize,
    /// Stream connections at one time.
    pub max_connections: usize,
    /// Time between two pings to a stream reader, in seconds.
    pub ping_s: u64,
    /// A reader that has not answered a ping for so long is disconnected, in seconds.
    pub pong_s: u64,
    /// Age at which a stream connection is told to end and ended, in seconds; 0: never.
    pub max_connection_age_s: u64,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Faults that are injected from the start; none by default.
    pub faults: Plan,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7080".to_owned(),
            symbols: 120,
            seed: 1,
            scale: 1.0,
            limits: Profile::Standard,
            accounts_dir: PathBuf::new(),
            opening_quote: 1_000_000,
            opening_base_value: 10_000,
            maker_fee_bps: 10,
            taker_fee_bps: 10,
            max_open_orders: 200,
            history_per_account: 10_000,
            mailbox: 4_096,
            step_ms: 20,
            commit_interval_ms: 2,
            snapshot_records: 100_000,
            stream_queue_frames: 16_384,
            max_streams: 1_024,
            max_connections: 1_024,
            ping_s: 20,
            pong_s: 60,
            max_connection_age_s: 86_400,
            max_body_bytes: 16 * 1024,
            faults: Plan::default(),
        }
    }
}

impl Config {
    /// Refuses values outside their bounds.
    ///
    /// # Errors
    /// `INVALID / CONFIG_OUT_OF_BOUNDS` naming the option and its bounds.
    pub fn check(&self) -> mesh::Result<()> {
        let options = [
            ("symbols", self.symbols as u64, 1, 1_200),
            ("maker_fee_bps", u64::from(self.maker_fee_bps), 0, 1_000),
            ("taker_fee_bps", u64::from(self.taker_fee_bps), 0, 1_000),
            ("max_open_orders", self.max_open_orders as u64, 1, 2_000_000),
            ("history_per_account", self.history_per_account as u64, 1, 1_000_000),
            ("mailbox", self.mailbox as u64, 1, 1_000_000),
            ("step_ms", self.step_ms, 1, 1_000),
            ("commit_interval_ms", self.commit_interval_ms, 0, 100),
            ("snapshot_records", self.snapshot_records, 1, 1_000_000_000),
            ("stream_queue_frames", self.stream_queue_frames as u64, 16, 1_000_000),
            ("max_streams", self.max_streams as u64, 1, 10_000),
            ("max_connections", self.max_connections as u64, 1, 100_000),
            ("ping_s", self.ping_s, 1, 3_600),
            // A pong has the time between two pings at least.
            ("pong_s", self.pong_s, self.ping_s, 86_400),
            ("max_connection_age_s", self.max_connection_age_s, 0, 31_536_000),
            ("max_body_bytes", self.max_body_bytes as u64, 256, 1_048_576),
        ];
        check_bounds(NAME, &options)?;
        if !(0.01..=20.0).contains(&self.scale) {
            let must = format!("must be 0.01 to 20, not {}", self.scale);
            return Err(out_of_bounds("exchange.scale", &must));
        }
        match self.faults.invalid() {
            None => Ok(()),
            Some(fault) => {
                let must = format!(
                    "must be a probability of 0 to 1, and its times 0 to {LONGEST_MS} ms, the least not above the most"
                );
                Err(out_of_bounds(&format!("exchange.faults.{}", fault.name()), &must))
            }
        }
    }

    /// What the venue itself needs to know.
    pub fn options(&self) -> Options {
        Options {
            symbols: self.symbols,
            seed: self.seed,
            scale: self.scale,
            maker_fee_bps: self.maker_fee_bps,
            taker_fee_bps: self.taker_fee_bps,
            max_open_orders: self.max_open_orders,
            kept: self.history_per_account,
        }
    }

    /// The request limits of the chosen profile.
    pub fn request_limits(&self) -> Limits {
        match self.limits {
            Profile::Standard => Limits {
                weight_a_minute: 6_000,
                orders_ten_seconds: 100,
                orders_a_day: 200_000,
                refusals_before_ban: 20,
            },
            Profile::Bench => Limits {
                weight_a_minute: 10_000_000,
                orders_ten_seconds: 1_000_000,
                orders_a_day: 1_000_000_000,
                refusals_before_ban: u32::MAX,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_hold_and_bounds_are_checked() {
        Config::default().check().unwrap();
        type Edit = fn(&mut Config);
        let table: [(Edit, &str); 5] = [
            (|config| config.symbols = 0, "exchange.symbols must be 1 to 1200, not 0"),
            (
                |config| config.scale = f64::NAN,
                "exchange.scale must be 0.01 to 20, not NaN",
            ),
            (
                |config| config.snapshot_records = 0,
                "exchange.snapshot_records must be 1 to 1000000000, not 0",
            ),
            (|config| config.pong_s = 1, "exchange.pong_s must be 20 to 86400, not 1"),
            (
                |config| config.faults.stale = 2.0,
                "exchange.faults.stale must be a probability of 0 to 1, and its times 0 to 60000 ms, the least not above \
                 the most",
            ),
        ];
        for (edit, message) in table {
            let mut config = Config::default();
            edit(&mut config);
            let error = config.check().unwrap_err();
            assert_eq!((error.reason(), error.message()), ("CONFIG_OUT_OF_BOUNDS", message));
        }
        assert!(serde_json::from_str::<Config>(r#"{"simbols":1}"#).is_err());
        let bench = Config {
            limits: Profile::Bench,
            ..Config::default()
        };
        assert!(bench.request_limits().weight_a_minute > Config::default().request_limits().weight_a_minute);
    }
}
