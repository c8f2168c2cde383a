//! WebSockets: market streams under `/ws` and `/stream`, and the WebSocket API under `/ws-api/v3`.

mod api;
pub mod clients;
mod connection;
mod methods;
mod request;
mod streams;

use crate::rest::Api;
use axum::Router;
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;

/// How stream connections are kept.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Streams of one connection.
    pub max_streams: usize,
    /// Time between pings.
    pub ping: Duration,
    /// Frames that faults may hold back for one reader.
    pub max_frames: usize,
    /// A reader silent for so long is disconnected.
    pub pong: Duration,
    /// Age at which a connection ends.
    pub age: Option<Duration>,
}

/// Routes of the WebSockets.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/ws", get(streams::plain))
        .route("/ws/{*streams}", get(streams::plain))
        .route("/stream", get(streams::combined))
        .route("/ws-api/v3", get(api::open))
        .with_state(api)
}
