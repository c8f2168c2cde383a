//! The gateway's options.

use mesh::Result;
use mesh::config::check_bounds;
use serde::{Deserialize, Serialize};

/// The gateway's options, each with its unit, default and bound.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where REST, gRPC and the WebSocket are served. Default `127.0.0.1:8080`; port 0 picks a free one.
    pub address: String,
    /// The largest body of a REST request, in bytes. Default 1 MiB; 256 bytes to 64 MiB.
    pub max_body_bytes: usize,
    /// How long a unary call may take, in milliseconds. Default 10,000; 1 to 3,600,000.
    pub request_timeout_ms: u64,
    /// The time between two signs of life of a quiet stream of server-sent events, in milliseconds. Default 15,000; 10 to
    /// 3,600,000.
    pub stream_heartbeat_ms: u64,
    /// Requests a second that one principal may make. Default 1,000; 1 to 10,000,000.
    pub requests_per_second: u32,
    /// Requests that one principal may make at once before the rate counts. Default 2,000; 1 to 10,000,000.
    pub request_burst: u32,
    /// Requests a second that one address may make without a token. Default 20; 1 to 10,000,000.
    pub anonymous_requests_per_second: u32,
    /// Requests that one address may make at once without a token. Default 40; 1 to 10,000,000.
    pub anonymous_request_burst: u32,
    /// WebSockets open at once. Default 1,000; 1 to 1,048,576.
    pub max_web_sockets: usize,
    /// Subscriptions of one WebSocket. Default 100; 1 to 100,000.
    pub max_subscriptions: usize,
    /// The largest frame that a WebSocket's client may send, in bytes. Default 64 KiB; 64 bytes to 64 MiB.
    pub max_frame_bytes: usize,
    /// Origins besides the gateway's own whose pages may open a WebSocket, for example `https://desk.example.com`.
    pub allowed_origins: Vec<String>,
    /// Tickets that wait to open a WebSocket. Default 10,000; 1 to 1,000,000.
    pub max_tickets: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:8080".to_owned(),
            max_body_bytes: 1 << 20,
            request_timeout_ms: 10_000,
            stream_heartbeat_ms: 15_000,
            requests_per_second: 1_000,
            request_burst: 2_000,
            anonymous_requests_per_second: 20,
            anonymous_request_burst: 40,
            max_web_sockets: 1_000,
            max_subscriptions: 100,
            max_frame_bytes: 64 << 10,
            allowed_origins: Vec::new(),
            max_tickets: 10_000,
        }
    }
}

/// Greater rates than any machine serves.
const MAX_RATE: u64 = 10_000_000;

/// More WebSockets than any machine holds.
const MAX_WEB_SOCKETS: u64 = 1 << 20;

impl Config {
    /// Refuses values outside their bounds.
    ///
    /// # Errors
    /// `INVALID / CONFIG_OUT_OF_BOUNDS` naming the option and its bounds.
    pub fn check(&self) -> Result<()> {
        let rate = |key, value: u32| (key, u64::from(value), 1, MAX_RATE);
        let options = [
            ("max_body_bytes", self.max_body_bytes as u64, 256, 64 << 20),
            ("request_timeout_ms", self.request_timeout_ms, 1, 3_600_000),
            ("stream_heartbeat_ms", self.stream_heartbeat_ms, 10, 3_600_000),
            rate("requests_per_second", self.requests_per_second),
            rate("request_burst", self.request_burst),
            rate("anonymous_requests_per_second", self.anonymous_requests_per_second),
            rate("anonymous_request_burst", self.anonymous_request_burst),
            ("max_web_sockets", self.max_web_sockets as u64, 1, MAX_WEB_SOCKETS),
            ("max_subscriptions", self.max_subscriptions as u64, 1, 100_000),
            ("max_frame_bytes", self.max_frame_bytes as u64, 64, 64 << 20),
            ("max_tickets", self.max_tickets as u64, 1, 1_000_000),
        ];
        check_bounds("gateway", &options)
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn options_have_bounds() {
        Config::default().check().unwrap();
        type Edit = fn(&mut Config);
        let table: [(Edit, &str); 11] = [
            (|config| config.max_body_bytes = 255, "max_body_bytes"),
            (|config| config.request_timeout_ms = 0, "request_timeout_ms"),
            (|config| config.stream_heartbeat_ms = 9, "stream_heartbeat_ms"),
            (|config| config.requests_per_second = 0, "requests_per_second"),
            (|config| config.request_burst = 0, "request_burst"),
            (
                |config| config.anonymous_requests_per_second = 10_000_001,
                "anonymous_requests_per_second",
            ),
            (|config| config.anonymous_request_burst = 0, "anonymous_request_burst"),
            (|config| config.max_web_sockets = (1 << 20) + 1, "max_web_sockets"),
            (|config| config.max_subscriptions = 0, "max_subscriptions"),
            (|config| config.max_frame_bytes = 65 << 20, "max_frame_bytes"),
            (|config| config.max_tickets = 0, "max_tickets"),
        ];
        for (edit, key) in table {
            let mut config = Config::default();
            edit(&mut config);
            let error = config.check().unwrap_err();
            assert_eq!(error.context()["key"], format!("gateway.{key}"));
        }
    }
}
