//! The gateway's options.

use serde::{Deserialize, Serialize};

/// The gateway's options, each with its unit, default and bound.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where REST, gRPC and the WebSocket are served. Default `127.0.0.1:8080`; port 0 picks a free one.
    pub address: String,
    /// The largest body of a REST request, in bytes. Default 1 MiB.
    pub max_body_bytes: usize,
    /// How long a unary call may take, in milliseconds. Default 10,000.
    pub request_timeout_ms: u64,
    /// The time between two signs of life of a quiet stream of server-sent events, in milliseconds. Default 15,000.
    pub stream_heartbeat_ms: u64,
    /// Requests a second that one principal may make. Default 1,000.
    pub requests_per_second: u32,
    /// Requests that one principal may make at once before the rate counts. Default 2,000.
    pub request_burst: u32,
    /// Requests a second that one address may make without a token. Default 20.
    pub anonymous_requests_per_second: u32,
    /// Requests that one address may make at once without a token. Default 40.
    pub anonymous_request_burst: u32,
    /// WebSockets open at once. Default 1,000.
    pub max_web_sockets: usize,
    /// Subscriptions of one WebSocket. Default 100.
    pub max_subscriptions: usize,
    /// The largest frame that a WebSocket's client may send, in bytes. Default 64 KiB.
    pub max_frame_bytes: usize,
    /// Origins besides the gateway's own whose pages may open a WebSocket, for example `https://desk.example.com`.
    pub allowed_origins: Vec<String>,
    /// Tickets that wait to open a WebSocket. Default 10,000.
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
