mod endpoints;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use http::HeaderMap;
use http::Request;
use http::Response;
use http_body::Frame;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tonic::Code;
use tonic::Status;
use tonic::body::Body;
use tower::ServiceExt;

use super::Channel;
use super::ChannelConfig;
use super::Channels;
use crate::breaker::BreakerConfig;
use crate::budget::BudgetConfig;
use crate::deadline;
use crate::error::Error;
use crate::identity;
use crate::identity::Caller;
use crate::identity::Grants;
use crate::identity::Principal;
use crate::identity::ServiceIdentity;
use crate::registry::LocalService;
use crate::registry::Static;
use crate::retry::RetryConfig;
use crate::server::AcceptConfig;
use crate::server::Accepting;
use crate::server::accept;
use crate::telemetry;
use crate::time::Chance;
use crate::time::Clock;

/// Has no side effects.
const READ: &str = "/trademesh.auth.v1.AuthService/GetKeys";
/// May not be repeated.
const WRITE: &str = "/trademesh.auth.v1.AuthService/Login";

fn config() -> ChannelConfig {
    ChannelConfig {
        retry: RetryConfig {
            attempts: 3,
            backoff_ms: 1,
            backoff_max_ms: 1,
            ..RetryConfig::default()
        },
        breaker: BreakerConfig {
            failures: 1_000,
            eject_ms: 10_000,
            eject_max_ms: 10_000,
        },
        ..ChannelConfig::default()
    }
}

/// A server on a real port, and what arrived there.
struct Server {
    accepting: Accepting,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

impl Server {
    /// Answers each request by its number, from 0.
    async fn start(answer: impl Fn(usize) -> Response<Body> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server::on(listener, answer)
    }

    fn on(listener: TcpListener, answer: impl Fn(usize) -> Response<Body> + Send + Sync + 'static) -> Server {
        let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
        let bodies: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let (answer, number) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let (seen_there, bodies_there) = (seen.clone(), bodies.clone());
        let service = LocalService::new(move |request: Request<Body>| {
            let (answer, number) = (answer.clone(), number.clone());
            let (seen, bodies) = (seen_there.clone(), bodies_there.clone());
            async move {
                seen.lock().push(request.headers().clone());
                let body = request
                    .into_body()
                    .collect()
                    .await
                    .map(|body| body.to_bytes())
                    .unwrap_or_default();
                bodies.lock().push(body);
                answer(number.fetch_add(1, Ordering::SeqCst))
            }
        });
        let accepting = accept(listener, service, AcceptConfig::default(), Chance::seeded(1)).unwrap();
        Server {
            accepting,
            seen,
            bodies,
        }
    }

    fn address(&self) -> SocketAddr {
        self.accepting.address()
    }

    fn calls(&self) -> usize {
        self.seen.lock().len()
    }
}

fn ok() -> Response<Body> {
    answer(vec![Ok(Frame::data(Bytes::from_static(&[0; 5]))), Ok(trailers(0))])
}

fn trailers(code: i32) -> Frame<Bytes> {
    Frame::trailers(HeaderMap::from_iter([(
        "grpc-status".parse().unwrap(),
        code.to_string().parse().unwrap(),
    )]))
}

fn answer(frames: Vec<Result<Frame<Bytes>, Status>>) -> Response<Body> {
    streamed(stream::iter(frames))
}

fn streamed(frames: impl futures::Stream<Item = Result<Frame<Bytes>, Status>> + Send + 'static) -> Response<Body> {
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response
        .headers_mut()
        .insert("content-type", "application/grpc".parse().unwrap());
    response
}

fn unavailable() -> Response<Body> {
    Status::from(Error::unavailable("SHARD_MOVING", "not here")).into_http()
}

fn identity() -> ServiceIdentity {
    let folder = tempfile::tempdir().unwrap();
    let (clock, _) = Clock::manual(1_000_000_000_000_000);
    ServiceIdentity::load_or_create(folder.path(), "gateway", &clock, &Chance::seeded(1)).unwrap()
}

fn channel_to(config: ChannelConfig, addresses: &[SocketAddr]) -> Channel {
    let addresses = addresses.iter().map(ToString::to_string).collect();
    let registry = Static::new(&BTreeMap::from([("auth".to_owned(), addresses)])).unwrap();
    Channels::new(config, vec![Arc::new(registry)], identity(), Chance::seeded(1)).to("auth")
}

fn request(path: &str) -> Request<Body> {
    let frame = Frame::data(Bytes::from_static(b"\0\0\0\0\0"));
    let body = StreamBody::new(stream::iter([Ok::<_, Status>(frame)]));
    Request::post(path).body(Body::new(body)).unwrap()
}

async fn send(channel: &Channel, request: Request<Body>) -> Response<Body> {
    match channel.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The outcome of a call, wherever it is told.
async fn outcome(response: Response<Body>) -> (Code, String) {
    let mut headers = response.headers().clone();
    match response.into_body().collect().await {
        Ok(body) => headers.extend(body.trailers().cloned().unwrap_or_default()),
        Err(status) => return (status.code(), Error::from(status).reason().to_owned()),
    }
    match Status::from_header_map(&headers) {
        Some(status) if status.code() != Code::Ok => (status.code(), Error::from(status).reason().to_owned()),
        Some(_) => (Code::Ok, String::new()),
        None => (Code::Unknown, "no status".to_owned()),
    }
}

async fn call(channel: &Channel, path: &str) -> (Code, String) {
    outcome(send(channel, request(path)).await).await
}

#[tokio::test]
async fn a_call_over_tcp_carries_identity_trace_and_deadline() {
    let server = Server::start(|_| ok()).await;
    let channel = channel_to(config(), &[server.address()]);
    let caller = Caller {
        principal: Arc::new(Principal {
            subject: "ada".to_owned(),
            roles: [].into(),
            grants: Grants::All,
            token_id: "1".to_owned(),
            expires_at_micros: 0,
        }),
        token: "users-token".into(),
    };
    let trace = telemetry::TraceContext::root(&Chance::seeded(3));
    let deadline = Instant::now() + Duration::from_secs(5);
    let calling = identity::with(Some(caller), deadline::with(Some(deadline), call(&channel, READ)));
    assert_eq!(telemetry::with(Some(trace.clone()), calling).await.0, Code::Ok);
    let headers = server.seen.lock()[0].clone();
    assert_eq!(headers["authorization"], "Bearer users-token");
    assert_eq!(headers["x-trademesh-service"].to_str().unwrap().split('.').count(), 3);
    assert_eq!(headers["x-request-id"], &*trace.request_id);
    assert_eq!(headers["traceparent"], trace.to_string());
    let left = deadline::parse(headers["grpc-timeout"].to_str().unwrap()).unwrap();
    assert!(
        left <= Duration::from_secs(5) && left > Duration::from_secs(3),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_call_of_nobody_has_a_default_deadline_and_a_new_trace() {
    let server = Server::start(|_| ok()).await;
    let channel = channel_to(config(), &[server.address()]);
    let mut own = request(READ);
    own.headers_mut().insert("authorization", "Bearer own".parse().unwrap());
    own.headers_mut()
        .insert("x-trademesh-service", "forged".parse().unwrap());
    assert_eq!(outcome(send(&channel, own).await).await.0, Code::Ok);
    assert_eq!(
        outcome(send(&channel, request("/grpc.health.v1.Health/Watch")).await)
            .await
            .0,
        Code::Ok
    );
    let headers = server.seen.lock().clone();
    assert_eq!(headers[0]["authorization"], "Bearer own");
    assert_ne!(headers[0]["x-trademesh-service"], "forged");
    assert!(headers[0].contains_key("grpc-timeout") && headers[0].contains_key("traceparent"));
    assert!(
        !headers[1].contains_key("grpc-timeout"),
        "a stream has no default deadline"
    );
}

#[tokio::test]
async fn reads_are_repeated_when_the_peer_is_unavailable() {
    let server = Server::start(|number| if number < 2 { unavailable() } else { ok() }).await;
    let channel = channel_to(config(), &[server.address()]);
    assert_eq!(call(&channel, READ).await.0, Code::Ok);
    assert_eq!(server.calls(), 3);
    let bodies = server.bodies.lock().clone();
    assert!(
        bodies.iter().all(|body| body == &bodies[0] && body.len() == 5),
        "the same request each time"
    );
}

#[tokio::test]
async fn repetition_has_its_bounds() {
    let server = Server::start(|_| unavailable()).await;
    let attempts = channel_to(config(), &[server.address()]);
    assert_eq!(
        call(&attempts, READ).await,
        (Code::Unavailable, "SHARD_MOVING".to_owned())
    );
    assert_eq!(server.calls(), 3, "attempts");
    assert_eq!(call(&attempts, WRITE).await.0, Code::Unavailable);
    assert_eq!(server.calls(), 4, "a write is sent once");
    let budget = BudgetConfig {
        retries_per_100_requests: 0,
        retries_per_s: 0,
        most_saved: 0,
    };
    let poor = channel_to(ChannelConfig { budget, ..config() }, &[server.address()]);
    assert_eq!(call(&poor, READ).await.0, Code::Unavailable);
    assert_eq!(server.calls(), 5, "budget");
    let retry = RetryConfig {
        replay_bytes: 4,
        ..config().retry
    };
    let forgetful = channel_to(ChannelConfig { retry, ..config() }, &[server.address()]);
    assert_eq!(call(&forgetful, READ).await.0, Code::Unavailable);
    assert_eq!(server.calls(), 6, "a request that is too long to keep");
}

#[tokio::test]
async fn other_failures_are_answers() {
    let server = Server::start(|_| Status::from(Error::refused("HALTED", "halted")).into_http()).await;
    let channel = channel_to(config(), &[server.address()]);
    assert_eq!(
        call(&channel, READ).await,
        (Code::FailedPrecondition, "HALTED".to_owned())
    );
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let channel = channel_to(config(), &[address]);
    assert_eq!(
        call(&channel, WRITE).await,
        (Code::Unavailable, "ENDPOINT_UNREACHABLE".to_owned())
    );
    assert_eq!(
        call(&channel, WRITE).await,
        (Code::Unavailable, "ALL_ENDPOINTS_EJECTED".to_owned())
    );
    assert_eq!(
        call(&channel_to(config(), &[]), WRITE).await,
        (Code::Unavailable, "NO_ENDPOINT".to_owned())
    );
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = channel_to(config(), &[silent.local_addr().unwrap()]);
    let mut hurried = request(WRITE);
    hurried.headers_mut().insert("grpc-timeout", "50m".parse().unwrap());
    assert_eq!(
        outcome(send(&channel, hurried).await).await,
        (Code::DeadlineExceeded, "DEADLINE_PASSED".to_owned())
    );
    let mut late = request(WRITE);
    late.headers_mut().insert("grpc-timeout", "0n".parse().unwrap());
    assert_eq!(outcome(send(&channel, late).await).await.0, Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_peer_that_does_not_finish_its_answer_times_out_too() {
    let server = Server::start(|_| {
        streamed(stream::iter([Ok(Frame::data(Bytes::from_static(&[0; 5])))]).chain(stream::pending()))
    })
    .await;
    let channel = channel_to(config(), &[server.address()]);
    let mut hurried = request(READ);
    hurried.headers_mut().insert("grpc-timeout", "100m".parse().unwrap());
    assert_eq!(
        outcome(send(&channel, hurried).await).await,
        (Code::DeadlineExceeded, "DEADLINE_PASSED".to_owned())
    );
}
