//! One combined stream of the venue.

use domain::Symbol;
use futures::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Frames longer than this end the connection.
const MAX_FRAME: usize = 4 << 20;

/// The streams followed for each symbol.
pub const STREAMS_PER_SYMBOL: usize = 2;

/// An open combined stream.
pub struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// Why a stream ended.
#[derive(Debug)]
pub enum Ended {
    /// The venue closed it, or the connection broke.
    Closed(String),
    /// Nothing came for the time given.
    Silent,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Closed(reason) => write!(formatter, "closed: {reason}"),
            Ended::Silent => formatter.write_str("silent"),
        }
    }
}

/// The address of the combined stream of books and trades of `symbols`.
pub fn stream_url(base: &str, symbols: &[Symbol]) -> String {
    let streams: Vec<String> = symbols
        .iter()
        .map(|symbol| symbol.as_str().to_ascii_lowercase())
        .map(|name| format!("{name}@depth@100ms/{name}@trade"))
        .collect();
    format!("{}/stream?streams={}", base.trim_end_matches('/'), streams.join("/"))
}

impl Socket {
    /// Opens the stream at `url` within `timeout`.
    pub async fn open(url: &str, timeout: Duration) -> Result<Self, Ended> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_FRAME))
            .max_frame_size(Some(MAX_FRAME));
        let connecting = connect_async_with_config(url, Some(config), true);
        match tokio::time::timeout(timeout, connecting).await {
            Ok(Ok((inner, _))) => Ok(Self { inner }),
            Ok(Err(failure)) => Err(Ended::Closed(failure.to_string())),
            Err(_) => Err(Ended::Closed("connecting took too long".to_owned())),
        }
    }

    /// The next text frame, or why there is none within `silence`. Pings are answered on the way.
    pub async fn next_text(&mut self, silence: Duration) -> Result<Utf8Bytes, Ended> {
        let deadline = tokio::time::Instant::now() + silence;
        loop {
            let message = match tokio::time::timeout_at(deadline, self.inner.next()).await {
                Err(_) => return Err(Ended::Silent),
                Ok(None) => return Err(Ended::Closed("end of stream".to_owned())),
                Ok(Some(Err(failure))) => return Err(Ended::Closed(failure.to_string())),
                Ok(Some(Ok(message))) => message,
            };
            match message {
                Message::Text(text) => return Ok(text),
                // Neither pings nor pongs are data: they do not move the deadline.
                Message::Ping(_) => self
                    .inner
                    .flush()
                    .await
                    .map_err(|failure| Ended::Closed(failure.to_string()))?,
                Message::Close(frame) => {
                    let reason = frame.map_or_else(|| "without a reason".to_owned(), |frame| frame.reason.to_string());
                    return Err(Ended::Closed(reason));
                }
                _ => {}
            }
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_millis(200), self.inner.close(None)).await;
    }
}
