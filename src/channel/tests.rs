use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::ServiceExt;

use super::{AuthKeys, Channel, ChannelConfig, Channels};
use crate::breaker::BreakerConfig;
use crate::budget::BudgetConfig;
use crate::deadline;
use crate::error::Error;
use crate::identity::{self, Caller, Grants, KeySource, Principal, ServiceIdentity};
use crate::registry::{InProcess, LocalService, Static};
use crate::retry::RetryConfig;
use crate::server::{AcceptConfig, Accepting, accept};
use crate::telemetry;
use crate::time::{Chance, Clock};

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

#[tokio::test]
async fn failures_at_the_trailers_count_against_the_endpoint() {
    let breaker = BreakerConfig {
        failures: 2,
        eject_ms: 60_000,
        eject_max_ms: 60_000,
    };
    for frames in [
        || vec![Ok(trailers(14))],
        || vec![Err(Status::internal("broken"))],
        Vec::new,
    ] {
        let server = Server::start(move |_| answer(frames())).await;
        let channel = channel_to(
            ChannelConfig {
                breaker: breaker.clone(),
                ..config()
            },
            &[server.address()],
        );
        assert_ne!(call(&channel, WRITE).await.0, Code::Ok);
        assert_ne!(call(&channel, WRITE).await.0, Code::Ok);
        let ejected = call(&channel, WRITE).await;
        assert_eq!(ejected.0, Code::Unavailable);
        assert_eq!(server.calls(), 2, "{ejected:?}");
    }
}

#[tokio::test]
async fn a_plain_http_failure_is_the_endpoints_failure() {
    let server = Server::start(|_| Response::builder().status(502).body(Body::empty()).unwrap()).await;
    let breaker = BreakerConfig {
        failures: 1,
        eject_ms: 60_000,
        eject_max_ms: 60_000,
    };
    let channel = channel_to(ChannelConfig { breaker, ..config() }, &[server.address()]);
    assert_eq!(send(&channel, request(WRITE)).await.status(), 502);
    assert_eq!(call(&channel, WRITE).await.1, "ALL_ENDPOINTS_EJECTED");
}

#[tokio::test]
async fn a_stream_is_pending_until_it_ends() {
    let server = Server::start(|_| {
        streamed(stream::iter([Ok(Frame::data(Bytes::from_static(&[0; 5])))]).chain(stream::pending()))
    })
    .await;
    let channel = channel_to(
        ChannelConfig {
            max_in_flight: 1,
            ..config()
        },
        &[server.address()],
    );
    let mut open = send(&channel, request("/grpc.health.v1.Health/Watch")).await;
    assert!(open.body_mut().frame().await.unwrap().is_ok());
    assert_eq!(
        call(&channel, READ).await,
        (Code::ResourceExhausted, "TOO_MANY_IN_FLIGHT".to_owned())
    );
    drop(open);
    let mut next = send(&channel, request("/grpc.health.v1.Health/Watch")).await;
    assert!(next.body_mut().frame().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let first = Server::start(|_| ok()).await;
    let address = first.address();
    let breaker = BreakerConfig {
        failures: 1_000,
        eject_ms: 1,
        eject_max_ms: 1,
    };
    let channel = channel_to(ChannelConfig { breaker, ..config() }, &[address]);
    assert_eq!(call(&channel, WRITE).await.0, Code::Ok);
    first.accepting.drain(Duration::from_secs(5)).await;
    assert_eq!(call(&channel, WRITE).await.0, Code::Unavailable);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    let _second = Server::on(socket.listen(16).unwrap(), |_| ok());
    let again = async {
        while call(&channel, WRITE).await.0 != Code::Ok {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), again).await.unwrap();
}

fn local_channel(local: LocalService) -> (Channel, InProcess) {
    let registry = InProcess::default();
    registry.register("auth", local);
    let registries = vec![Arc::new(registry.clone()) as _];
    (
        Channels::new(config(), registries, identity(), Chance::seeded(1)).to("auth"),
        registry,
    )
}

#[tokio::test]
async fn a_service_of_this_process_is_called_without_sockets() {
    let (channel, registry) = local_channel(LocalService::new(|request: Request<Body>| async move {
        assert!(request.headers().contains_key("x-trademesh-service"));
        let is_stream = request.uri().path().ends_with("/Watch");
        assert_ne!(request.headers().contains_key("grpc-timeout"), is_stream);
        ok()
    }));
    assert_eq!(call(&channel, READ).await.0, Code::Ok);
    let stream = send(&channel, request("/grpc.health.v1.Health/Watch"));
    assert_eq!(deadline::with(None, stream).await.status(), 200);
    registry.deregister("auth");
    assert_eq!(call(&channel, READ).await.1, "NO_ENDPOINT");
}

#[tokio::test(start_paused = true)]
async fn a_service_of_this_process_is_held_to_the_deadline_too() {
    let (channel, _registry) = local_channel(LocalService::new(|_| std::future::pending()));
    let started = Instant::now();
    assert_eq!(
        call(&channel, READ).await,
        (Code::DeadlineExceeded, "DEADLINE_PASSED".to_owned())
    );
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    let (channel, _registry) = local_channel(LocalService::new(|_| async { streamed(stream::pending()) }));
    assert_eq!(call(&channel, READ).await.0, Code::DeadlineExceeded);
}

#[tokio::test]
async fn keys_come_from_auth() {
    use crate::pb::auth::auth_service_server::{AuthService, AuthServiceServer};
    use crate::pb::auth::{GetKeysRequest, GetKeysResponse, JsonWebKey};

    struct Auth(&'static str);

    #[tonic::async_trait]
    impl AuthService for Auth {
        async fn get_keys(
            &self,
            _: tonic::Request<GetKeysRequest>,
        ) -> Result<tonic::Response<GetKeysResponse>, Status> {
            let key = JsonWebKey {
                owner: "users".to_owned(),
                x: self.0.to_owned(),
                ..JsonWebKey::default()
            };
            let revoked_token_ids = vec!["t-1".to_owned()];
            Ok(tonic::Response::new(GetKeysResponse {
                keys: vec![key],
                revoked_token_ids,
                time: None,
            }))
        }
    }

    let fetch = async |x: &'static str| {
        let routes = tonic::service::Routes::new(AuthServiceServer::new(Auth(x))).prepare();
        let registry = InProcess::default();
        registry.register(
            "auth",
            LocalService::new(move |request| {
                let routes = routes.clone();
                async move { routes.oneshot(request).await.unwrap() }
            }),
        );
        let channels = Channels::new(config(), vec![Arc::new(registry)], identity(), Chance::seeded(1));
        AuthKeys::new(channels).fetch().await
    };
    let keys = fetch("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").await.unwrap();
    assert_eq!(keys.keys[0].kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert!(keys.revoked_token_ids.contains("t-1"));
    assert_eq!(fetch("no key").await.unwrap_err().reason(), "KEY_INVALID");
}
