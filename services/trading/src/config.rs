//! The options of the order path, each with its unit, default and bound.

use crate::core::{Kept, Limits};
use domain::{Money, Quantity, Rate};
use mesh::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Options of `trading`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many shards the accounts are spread over, 1 to 32; fixed once the journals exist.
    pub shards: u32,
    /// The folder of the venue keys, a `<account>.json` each. Empty: `accounts` in the service's own folder.
    pub accounts_dir: PathBuf,
    /// The venue's name in orders and fills.
    pub venue: String,
    /// Where the venue's REST API is.
    pub rest_url: String,
    /// Where the venue's WebSocket API is. Empty: `/ws-api/v3` on the REST API's host.
    pub ws_api_url: String,
    /// How long a signed request is good for at the venue, in milliseconds, at most 60000.
    pub recv_window_ms: u32,
    /// How long the venue may take to carry out a request that it received in time, in milliseconds. An order counts
    /// as absent only after its signed time, the receive window and this.
    pub processing_bound_ms: u32,
    /// How long an answer of the venue may take, in milliseconds.
    pub request_timeout_ms: u32,
    /// The longest wait between two attempts to reach the venue, in milliseconds.
    pub max_backoff_ms: u32,
    /// How often the venue's clock is asked for, in milliseconds.
    pub clock_interval_ms: u32,
    /// Requests in flight an account, 1 to 64.
    pub requests_per_account: usize,
    /// Orders whose state is being asked for at the same time, a shard.
    pub concurrent_queries: usize,
    /// The share of the venue's request limits that is kept for cancels and queries, in percent, at most 90.
    pub reserved_percent: u32,
    /// The share of the venue's request weight that routine reconciliation may take, in percent, 1 to 90. With more
    /// accounts than it suffices for, a round takes longer than its interval.
    pub reconcile_percent: u32,
    /// How often each account is compared with the venue, in milliseconds, 1 to 3600000.
    pub reconcile_interval_ms: u32,
    /// After so long since the venue was first reached the service is ready even if some accounts are not in step yet,
    /// in milliseconds: these take cancels, and refuse new orders (`ACCOUNT_NOT_READY`).
    pub ready_bound_ms: u32,
    /// Alerts kept to be listed.
    pub alerts_kept: usize,
    /// Accounts a user data connection, at most 1000.
    pub accounts_per_connection: usize,
    /// Connections to the venue's WebSocket API that new orders and cancels go over, at most 16. While none is open, and with 0,
    /// they go over REST.
    pub order_connections: usize,
    /// Commands that wait in front of a shard; beyond it new orders are refused as overload.
    pub mailbox: usize,
    /// Commands that one group commit covers at most.
    pub batch: usize,
    /// How long what the venue tells waits for company before it is committed, in milliseconds, at most 100: it then shares the
    /// sync of an order that comes meanwhile.
    pub news_patience_ms: u32,
    /// Orders that are decided and not yet sent, a shard; beyond it new orders are refused as overload.
    pub max_backlog: usize,
    /// Batches of events that a slow reader of an event stream may be behind.
    pub stream_buffer: usize,
    /// Closed orders kept, a shard, and with them the keys of idempotency.
    pub closed_orders_kept: usize,
    /// Refusals kept, an account, with their keys.
    pub refusals_kept: usize,
    /// Records of a shard's journal between two snapshots of its state: a start reads about so many at most.
    pub snapshot_records: u64,
    /// Room on the disk that a shard's journal keeps for cancels, halts, fills and the venue's answers, in bytes, at most
    /// 1 GiB. 0 keeps none: a full disk then ends the process.
    pub journal_reserve_bytes: u64,
    /// How often the instruments are read again, in milliseconds.
    pub instruments_interval_ms: u32,
    /// How often the prices and times that orders wait for are looked at, in milliseconds, 1 to 10000.
    pub trigger_interval_ms: u32,
    /// The risk limits of every account.
    pub limits: LimitOptions,
}

/// Risk limits, revision 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitOptions {
    /// The largest quantity of an order, a decimal in its base asset.
    pub max_order_quantity: String,
    /// The largest price × quantity of an order, a decimal in its quote asset.
    pub max_order_notional: String,
    /// How far from the mark a price may be, in basis points, 1 to 9999.
    pub collar_basis_points: u32,
    /// How long the quotes may be silent, in milliseconds.
    pub mark_max_age_ms: u32,
    /// The largest holding of a base asset, open buys included, a decimal in its quote asset.
    pub max_position_notional: String,
    /// Live orders an account.
    pub max_open_orders: usize,
    /// New orders an account and second.
    pub max_orders_per_second: usize,
    /// Within this time the same terms under another id are refused, in milliseconds; 0 allows them.
    pub duplicate_window_ms: u32,
    /// The fee that a buy reserves beside its notional, a decimal ratio.
    pub taker_fee: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            shards: 2,
            accounts_dir: PathBuf::new(),
            venue: "exchange".to_owned(),
            rest_url: "http://127.0.0.1:7080".to_owned(),
            ws_api_url: String::new(),
            recv_window_ms: 5_000,
            processing_bound_ms: 2_000,
            request_timeout_ms: 3_000,
            max_backoff_ms: 5_000,
            clock_interval_ms: 30_000,
            requests_per_account: 16,
            concurrent_queries: 64,
            reserved_percent: 20,
            reconcile_percent: 25,
            reconcile_interval_ms: 60_000,
            ready_bound_ms: 10_000,
            alerts_kept: 1_000,
            accounts_per_connection: 100,
            order_connections: 2,
            mailbox: 4_096,
            batch: 512,
            news_patience_ms: 2,
            max_backlog: 8_192,
            stream_buffer: 4_096,
            closed_orders_kept: 50_000,
            refusals_kept: 1_000,
            snapshot_records: 50_000,
            journal_reserve_bytes: 4 * 1024 * 1024,
            instruments_interval_ms: 60_000,
            trigger_interval_ms: 50,
            limits: LimitOptions::default(),
        }
    }
}

impl Default for LimitOptions {
    fn default() -> Self {
        LimitOptions {
            max_order_quantity: "100000000".to_owned(),
            max_order_notional: "250000".to_owned(),
            collar_basis_points: 500,
            mark_max_age_ms: 5_000,
            max_position_notional: "2000000".to_owned(),
            max_open_orders: 500,
            max_orders_per_second: 200,
            duplicate_window_ms: 200,
            taker_fee: "0.001".to_owned(),
        }
    }
}

impl Config {
    /// Checks every bound.
    ///
    /// # Errors
    /// `INVALID / CONFIG_VALUE`, naming the key.
    pub fn validate(&self) -> Result<()> {
        let bounds: &[(&str, u64, u64, u64)] = &[
            ("shards", u64::from(self.shards), 1, 32),
            ("recv_window_ms", u64::from(self.recv_window_ms), 1, 60_000),
            ("processing_bound_ms", u64::from(self.processing_bound_ms), 1, 600_000),
            ("request_timeout_ms", u64::from(self.request_timeout_ms), 1, 60_000),
            ("max_backoff_ms", u64::from(self.max_backoff_ms), 1, 600_000),
            ("clock_interval_ms", u64::from(self.clock_interval_ms), 1, 3_600_000),
            ("requests_per_account", self.requests_per_account as u64, 1, 64),
            ("concurrent_queries", self.concurrent_queries as u64, 1, 1_024),
            ("reserved_percent", u64::from(self.reserved_percent), 0, 90),
            ("reconcile_percent", u64::from(self.reconcile_percent), 1, 90),
            (
                "reconcile_interval_ms",
                u64::from(self.reconcile_interval_ms),
                1,
                3_600_000,
            ),
            ("ready_bound_ms", u64::from(self.ready_bound_ms), 1, 3_600_000),
            ("alerts_kept", self.alerts_kept as u64, 1, 100_000),
            ("accounts_per_connection", self.accounts_per_connection as u64, 1, 1_000),
            ("order_connections", self.order_connections as u64, 0, 16),
            ("mailbox", self.mailbox as u64, 1, 1_000_000),
            ("batch", self.batch as u64, 1, 10_000),
            ("news_patience_ms", u64::from(self.news_patience_ms), 0, 100),
            ("max_backlog", self.max_backlog as u64, 1, 1_000_000),
            ("stream_buffer", self.stream_buffer as u64, 1, 1_000_000),
            ("closed_orders_kept", self.closed_orders_kept as u64, 1, 100_000_000),
            ("trigger_interval_ms", u64::from(self.trigger_interval_ms), 1, 10_000),
            ("refusals_kept", self.refusals_kept as u64, 1, 1_000_000),
            ("snapshot_records", self.snapshot_records, 1, 1_000_000_000),
            ("journal_reserve_bytes", self.journal_reserve_bytes, 0, 1 << 30),
            (
                "instruments_interval_ms",
                u64::from(self.instruments_interval_ms),
                1,
                86_400_000,
            ),
            (
                "limits.collar_basis_points",
                u64::from(self.limits.collar_basis_points),
                1,
                9_999,
            ),
        ];
        for &(key, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(bad(key, format!("{value} is not within {least} to {most}")));
            }
        }
        self.risk_limits()?;
        parse::<domain::Venue>("venue", &self.venue).map(|_| ())
    }

    /// The risk limits, parsed.
    ///
    /// # Errors
    /// `INVALID / CONFIG_VALUE`, naming the key.
    pub fn risk_limits(&self) -> Result<Limits> {
        let limits = &self.limits;
        Ok(Limits {
            revision: 1,
            max_order_quantity: parse::<Quantity>("limits.max_order_quantity", &limits.max_order_quantity)?,
            max_order_notional: parse::<Money>("limits.max_order_notional", &limits.max_order_notional)?,
            collar_basis_points: limits.collar_basis_points,
            mark_max_age_micros: micros(limits.mark_max_age_ms),
            max_position_notional: parse::<Money>("limits.max_position_notional", &limits.max_position_notional)?,
            max_open_orders: limits.max_open_orders,
            max_orders_per_second: limits.max_orders_per_second,
            duplicate_window_micros: micros(limits.duplicate_window_ms),
            taker_fee: parse::<Rate>("limits.taker_fee", &limits.taker_fee)?,
        })
    }

    /// How much of the past the shards keep in memory.
    pub fn kept(&self) -> Kept {
        Kept {
            closed_orders: self.closed_orders_kept,
            refusals: self.refusals_kept,
        }
    }

    /// Where the WebSocket API is.
    pub fn ws_api(&self) -> String {
        if !self.ws_api_url.is_empty() {
            return self.ws_api_url.clone();
        }
        let host = self.rest_url.replacen("http", "ws", 1);
        format!("{}/ws-api/v3", host.trim_end_matches('/'))
    }

    /// An option in milliseconds as a duration.
    pub fn millis(value: u32) -> Duration {
        Duration::from_millis(u64::from(value))
    }

    /// How long after its signed time an order that the venue does not know is certain to be absent.
    pub fn absence_bound_micros(&self) -> i64 {
        micros(self.recv_window_ms) + micros(self.processing_bound_ms)
    }
}

fn micros(millis: u32) -> i64 {
    i64::from(millis) * 1_000
}

fn parse<T: FromStr<Err: Display>>(key: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error| bad(key, format!("'{text}' is {error}")))
}

fn bad(key: &str, why: String) -> Error {
    Error::invalid("CONFIG_VALUE", format!("trading.{key}: {why}")).with("key", format!("trading.{key}"))
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn the_defaults_are_valid() {
        let config = Config::default();
        config.validate().unwrap();
        assert_eq!(config.ws_api(), "ws://127.0.0.1:7080/ws-api/v3");
        assert_eq!(config.absence_bound_micros(), 7_000_000);
        assert_eq!(config.risk_limits().unwrap().revision, 1);
        let live = Config {
            rest_url: "https://api.binance.com/".to_owned(),
            ..Config::default()
        };
        assert_eq!(live.ws_api(), "wss://api.binance.com/ws-api/v3");
        let other = Config {
            ws_api_url: "wss://ws-api.binance.com/ws-api/v3".to_owned(),
            ..Config::default()
        };
        assert_eq!(other.ws_api(), "wss://ws-api.binance.com/ws-api/v3");
    }

    #[test]
    fn a_value_out_of_bounds_names_its_key() {
        type Edit = fn(&mut Config);
        let cases: [(Edit, &str); 6] = [
            (|config| config.shards = 0, "trading.shards"),
            (|config| config.recv_window_ms = 60_001, "trading.recv_window_ms"),
            (
                |config| config.limits.collar_basis_points = 10_000,
                "trading.limits.collar_basis_points",
            ),
            (
                |config| config.limits.max_order_notional = "1e3".to_owned(),
                "trading.limits.max_order_notional",
            ),
            (
                |config| config.limits.taker_fee = "2".to_owned(),
                "trading.limits.taker_fee",
            ),
            (|config| config.venue = "The Exchange".to_owned(), "trading.venue"),
        ];
        for (edit, key) in cases {
            let mut config = Config::default();
            edit(&mut config);
            let error = config.validate().unwrap_err();
            assert_eq!((error.reason(), error.context()["key"].as_str()), ("CONFIG_VALUE", key));
        }
    }
}
