//! One connection: HTTP/1 or HTTP/2, its age, and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;

use super::accept::AcceptConfig;
use super::linger::Lingering;
use super::{Closing, PeerAddress};
use crate::registry::LocalService;
use crate::time::Chance;

/// The time that streams have to end once they are told to.
const STREAMS_END_WITHIN: Duration = Duration::from_secs(1);

/// How the connections of a server are served.
pub(super) struct Connections {
    service: LocalService,
    config: AcceptConfig,
    chance: Chance,
    closing: CancellationToken,
    builder: auto::Builder<TokioExecutor>,
}

/// Why a connection is asked to end.
enum End {
    /// The server drains.
    Draining,
    /// It is old enough.
    Age,
    /// Its client has sent no request in time.
    Silent,
}

impl Connections {
    pub(super) fn new(
        service: LocalService,
        config: AcceptConfig,
        chance: Chance,
        closing: CancellationToken,
    ) -> Connections {
        let builder = builder(&config);
        Connections {
            service,
            config,
            chance,
            closing,
            builder,
        }
    }

    pub(super) async fn serve(&self, stream: TcpStream, address: SocketAddr) {
        // Small messages must not wait for an acknowledgement of the one before; a closed stream shows itself below.
        let _ = stream.set_nodelay(true);
        let streams_end = CancellationToken::new();
        let has_asked = Arc::new(AtomicBool::new(false));
        let answer = self.answer(address, streams_end.clone(), has_asked.clone());
        let mut connection = pin!(
            self.builder
                .serve_connection_with_upgrades(TokioIo::new(Lingering::new(stream)), service_fn(answer))
        );
        let end = tokio::select! {
            ended = connection.as_mut() => return report(address, ended),
            end = self.end(&has_asked) => end,
        };
        connection.as_mut().graceful_shutdown();
        match end {
            // How long the requests have is decided by whoever drains.
            End::Draining => report(address, connection.await),
            End::Age => self.age_out(address, connection, &streams_end).await,
            End::Silent => tracing::debug!(peer = %address, "connection without a request closed"),
        }
    }

    fn answer(
        &self,
        address: SocketAddr,
        streams_end: CancellationToken,
        has_asked: Arc<AtomicBool>,
    ) -> impl Fn(Request<Incoming>) -> Answer + use<> {
        let service = self.service.clone();
        move |request| {
            has_asked.store(true, Ordering::Relaxed);
            let mut request = request.map(|body| Body::new(body.map_err(|error| Status::cancelled(error.to_string()))));
            request.extensions_mut().insert(PeerAddress(address));
            request.extensions_mut().insert(Closing(streams_end.clone()));
            let answer = service.serve(request);
            Box::pin(async move { Ok(answer.await) })
        }
    }

    async fn end(&self, has_asked: &AtomicBool) -> End {
        tokio::select! {
            () = self.closing.cancelled() => End::Draining,
            () = self.silence(has_asked) => End::Silent,
            () = self.age() => End::Age,
        }
    }

    /// Ends only for a client that has not asked anything in time.
    async fn silence(&self, has_asked: &AtomicBool) {
        sleep(Duration::from_millis(self.config.header_timeout_ms)).await;
        if has_asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    async fn age(&self) {
        let age = Duration::from_secs(self.config.max_connection_age_s);
        if age.is_zero() {
            std::future::pending::<()>().await;
        }
        // Spread, so that connections that came together do not leave together.
        sleep(age + self.chance.jitter(age / 10)).await;
    }

    async fn age_out<C>(&self, address: SocketAddr, mut connection: Pin<&mut C>, streams_end: &CancellationToken)
    where
        C: Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>>,
    {
        let grace = Duration::from_secs(self.config.max_connection_age_grace_s);
        tokio::select! {
            ended = connection.as_mut() => return report(address, ended),
            () = sleep(grace) => streams_end.cancel(),
            () = self.closing.cancelled() => {}
        }
        tokio::select! {
            ended = connection => report(address, ended),
            () = sleep(STREAMS_END_WITHIN) => tracing::debug!(peer = %address, "old connection closed by force"),
        }
    }
}

type Answer = futures::future::BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

fn builder(config: &AcceptConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.header_timeout_ms))
        .max_buf_size((config.max_header_bytes as usize).max(8_192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_streams_per_connection)
        .max_header_list_size(config.max_header_bytes)
        .keep_alive_interval(Duration::from_millis(config.keepalive_interval_ms))
        .keep_alive_timeout(Duration::from_millis(config.keepalive_timeout_ms))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(1 << 22);
    builder
}

/// A client that breaks its connection is its own business.
fn report(address: SocketAddr, ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(peer = %address, error, "connection ended with an error");
    }
}
