//! Establishing HTTP/2 connections.

use std::future::Future;
use std::time::Duration;

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::body::Body;

use super::ChannelConfig;
use crate::balance::{Connect, Connection};
use crate::error::{Error, Result};

/// How much a peer may send of one stream, and of all streams of a connection, before it is read, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 1 << 22;

/// Connects by TCP with HTTP/2 prior knowledge.
pub(super) struct Http2Connector {
    connect_timeout: Duration,
    keepalive_interval: Duration,
    keepalive_timeout: Duration,
}

/// An HTTP/2 connection.
#[derive(Clone)]
pub(super) struct Http2(pub(super) SendRequest<Body>);

impl Connection for Http2 {
    fn is_open(&self) -> bool {
        !self.0.is_closed()
    }
}

impl Http2Connector {
    pub(super) fn new(config: &ChannelConfig) -> Http2Connector {
        Http2Connector {
            connect_timeout: Duration::from_millis(config.connect_timeout_ms),
            keepalive_interval: Duration::from_millis(config.keepalive_interval_ms),
            keepalive_timeout: Duration::from_millis(config.keepalive_timeout_ms),
        }
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(self.keepalive_interval)
            .keep_alive_timeout(self.keepalive_timeout)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        builder
    }
}

impl Connect for Http2Connector {
    type Connection = Http2;

    fn connect(&self, address: &str) -> impl Future<Output = Result<Http2>> + Send + 'static {
        let (builder, limit, address) = (self.builder(), self.connect_timeout, address.to_owned());
        async move {
            let connected = timeout(limit, establish(builder, &address)).await;
            connected.unwrap_or_else(|_| Err(unreachable(&address, &"no connection in time")))
        }
    }
}

async fn establish(builder: Builder<TokioExecutor>, address: &str) -> Result<Http2> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| unreachable(address, &error))?;
    // Small messages must not wait for an acknowledgement of the one before.
    stream.set_nodelay(true).map_err(|error| unreachable(address, &error))?;
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| unreachable(address, &error))?;
    let peer = address.to_owned();
    tokio::spawn(async move {
        // Calls on the connection see the failure themselves; this is for whoever reads the log.
        if let Err(error) = connection.await {
            tracing::debug!(peer, error = %error, "connection ended");
        }
    });
    Ok(Http2(sender))
}

fn unreachable(address: &str, error: &dyn std::fmt::Display) -> Error {
    Error::unavailable("ENDPOINT_UNREACHABLE", format!("{address}: {error}")).with("address", address)
}
