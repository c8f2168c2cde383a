mod bounds;

use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use http::Request;
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::Status;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::transport::Endpoint;

use super::Accepting;
use super::CallingService;
use super::PeerAddress;
use super::ServerConfig;
use super::accept;
use super::administered;
use super::layered;
use super::standard_services;
use crate::app::testing::Users;
use crate::deadline;
use crate::deadline::DeadlineConfig;
use crate::error::Error;
use crate::identity;
use crate::identity::Principal;
use crate::identity::ServiceIdentity;
use crate::identity::Verifier;
use crate::identity::VerifierConfig;
use crate::pb::risk::GetLimitsRequest;
use crate::pb::risk::GetLimitsResponse;
use crate::pb::risk::Limits as RiskLimits;
use crate::pb::risk::StreamLimitsRequest;
use crate::pb::risk::StreamLimitsResponse;
use crate::pb::risk::risk_service_client::RiskServiceClient;
use crate::pb::risk::risk_service_server::RiskService;
use crate::pb::risk::risk_service_server::RiskServiceServer;
use crate::telemetry;
use crate::time::Chance;
use crate::time::Clock;

/// Tells in its answers and notes what surrounds a call.
#[derive(Clone)]
struct Risk {
    notes: Arc<Mutex<Vec<String>>>,
    may_answer: Arc<Semaphore>,
}

fn surroundings() -> String {
    let caller = identity::current().map_or("nobody".to_owned(), |caller| caller.principal.subject.clone());
    let has_deadline = deadline::current().is_some();
    let request_id = telemetry::current().map_or("none".to_owned(), |context| context.request_id.to_string());
    format!("caller {caller}, deadline {has_deadline}, request {request_id}")
}

#[tonic::async_trait]
impl RiskService for Risk {
    async fn get_limits(
        &self,
        request: tonic::Request<GetLimitsRequest>,
    ) -> Result<tonic::Response<GetLimitsResponse>, Status> {
        let principal = request
            .extensions()
            .get::<Arc<Principal>>()
            .map(|principal| principal.subject.clone());
        let service = request
            .extensions()
            .get::<CallingService>()
            .map(|service| service.0.subject.clone());
        let has_address = request.extensions().get::<PeerAddress>().is_some();
        let note = format!(
            "{}, {principal:?} through {service:?}, address {has_address}",
            surroundings()
        );
        self.notes.lock().push(note);
        let _permit = self
            .may_answer
            .acquire()
            .await
            .map_err(|_| Status::from(Error::refused("HALTED", "halted")))?;
        let limits = RiskLimits {
            account_id: request.into_inner().account_id,
            ..RiskLimits::default()
        };
        Ok(tonic::Response::new(GetLimitsResponse { limits: Some(limits) }))
    }

    async fn stream_limits(
        &self,
        _: tonic::Request<StreamLimitsRequest>,
    ) -> Result<tonic::Response<BoxStream<StreamLimitsResponse>>, Status> {
        let notes = self.notes.clone();
        let first = stream::once(async move {
            notes.lock().push(format!("streaming {}", surroundings()));
            Ok(StreamLimitsResponse::default())
        });
        Ok(tonic::Response::new(Box::pin(first.chain(stream::pending()))))
    }
}

/// A risk service with all layers on a real port.
struct Bench {
    clock: Clock,
    users: Users,
    identity: ServiceIdentity,
    notes: Arc<Mutex<Vec<String>>>,
    may_answer: Arc<Semaphore>,
    draining: CancellationToken,
    pending: Arc<Mutex<Vec<String>>>,
    accepting: Accepting,
}

impl Bench {
    async fn start(config: ServerConfig) -> Bench {
        telemetry::metrics();
        let (clock, _) = Clock::manual(1_000_000_000_000_000);
        let chance = Chance::seeded(1);
        let folder = tempfile::tempdir().unwrap();
        let identity = ServiceIdentity::load_or_create(folder.path(), "gateway", &clock, &chance).unwrap();
        let verifier = Verifier::new(VerifierConfig::default(), clock.clone());
        let users = Users::seeded(1);
        verifier.trust(users.public_key());
        verifier.trust(identity.public_key().clone());
        let risk = Risk {
            notes: Arc::default(),
            may_answer: Arc::new(Semaphore::new(1_000)),
        };
        let (notes, may_answer) = (risk.notes.clone(), risk.may_answer.clone());
        let routes = Routes::new(RiskServiceServer::new(risk));
        let (routes, health) = standard_services("risk", routes).await.unwrap();
        health.set(true).await;
        let draining = CancellationToken::new();
        let local = layered("risk", routes, &config, &verifier, &chance, &draining);
        let pending: Arc<Mutex<Vec<String>>> = Arc::default();
        let waits = pending.clone();
        let service = administered(local, Arc::new(move || waits.lock().clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let accepting = accept(listener, service, config.accept, chance).unwrap();
        Bench {
            clock,
            users,
            identity,
            notes,
            may_answer,
            draining,
            pending,
            accepting,
        }
    }

    async fn client(&self) -> RiskServiceClient<tonic::transport::Channel> {
        RiskServiceClient::new(self.endpoint().connect().await.unwrap())
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.accepting.address())).unwrap()
    }

    fn token(&self) -> String {
        self.users.token(&self.clock, "ada", &["trader"], &["paper-1"])
    }

    fn asked<T>(&self, message: T) -> tonic::Request<T> {
        with(
            tonic::Request::new(message),
            &[("authorization", &format!("Bearer {}", self.token()))],
        )
    }

    fn last_note(&self) -> String {
        self.notes.lock().last().cloned().unwrap_or_default()
    }

    /// Asks over HTTP/1 and returns all that comes back.
    async fn http1(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.accepting.address()).await.unwrap();
        stream
            .write_all(format!("{head}\r\nhost: risk\r\nconnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

fn with<T>(mut request: tonic::Request<T>, headers: &[(&'static str, &str)]) -> tonic::Request<T> {
    for (name, value) in headers {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

fn limits_of(account: &str) -> GetLimitsRequest {
    GetLimitsRequest {
        account_id: account.to_owned(),
    }
}

fn reason(status: Status) -> (Code, String) {
    (status.code(), Error::from(status).reason().to_owned())
}

#[tokio::test]
async fn a_call_knows_its_caller_deadline_and_request() {
    let bench = Bench::start(ServerConfig::default()).await;
    let mut client = bench.client().await;
    let service = bench.identity.token().unwrap();
    let request = with(
        bench.asked(limits_of("paper-1")),
        &[("x-trademesh-service", &service), ("x-request-id", "r-1")],
    );
    let answer = client.get_limits(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "r-1");
    assert_eq!(answer.into_inner().limits.unwrap().account_id, "paper-1");
    let expected = r#"caller ada, deadline true, request r-1, Some("ada") through Some("gateway"), address true"#;
    assert_eq!(bench.last_note(), expected);
}

#[tokio::test]
async fn a_service_that_calls_for_nobody_is_the_principal_itself() {
    let bench = Bench::start(ServerConfig::default()).await;
    let service = bench.identity.token().unwrap();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = with(
        tonic::Request::new(limits_of("paper-1")),
        &[
            ("x-trademesh-service", &service),
            ("traceparent", trace),
            ("x-request-id", "not one word"),
        ],
    );
    bench.client().await.get_limits(request).await.unwrap();
    let note = bench.last_note();
    assert!(note.contains("request 4bf92f3577b34da6a3ce929d0e0e4736"), "{note}");
    assert!(
        note.contains(r#"caller nobody"#) && note.contains(r#"Some("gateway") through Some("gateway")"#),
        "{note}"
    );
}

#[tokio::test]
async fn who_proves_nothing_is_refused() {
    let bench = Bench::start(ServerConfig::default()).await;
    let mut client = bench.client().await;
    let user = bench.token();
    let service = bench.identity.token().unwrap();
    let cases: [(&[(&'static str, &str)], &str); 7] = [
        (&[], "TOKEN_ABSENT"),
        (&[("authorization", &user)], "TOKEN_MALFORMED"),
        (&[("authorization", "Basic YTpi")], "TOKEN_MALFORMED"),
        (&[("authorization", "Bearer nothing")], "TOKEN_MALFORMED"),
        (&[("authorization", &format!("Bearer {service}"))], "TOKEN_TYPE"),
        (&[("x-trademesh-service", &user)], "TOKEN_TYPE"),
        (&[("x-trademesh-service", "nothing")], "TOKEN_MALFORMED"),
    ];
    for (headers, expected) in cases {
        let refused = client
            .get_limits(with(tonic::Request::new(limits_of("a")), headers))
            .await
            .unwrap_err();
        assert!(
            refused.metadata().contains_key("x-request-id"),
            "a refusal names its request"
        );
        assert_eq!(
            reason(refused),
            (Code::Unauthenticated, expected.to_owned()),
            "{headers:?}"
        );
    }
    assert!(bench.notes.lock().is_empty());
}

#[tokio::test]
async fn health_and_reflection_are_open() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

    let bench = Bench::start(ServerConfig::default()).await;
    let transport = bench.endpoint().connect().await.unwrap();
    let mut health = tonic_health::pb::health_client::HealthClient::new(transport.clone());
    let asked = tonic_health::pb::HealthCheckRequest {
        service: "trademesh.risk.v1.RiskService".to_owned(),
    };
    let bad = with(tonic::Request::new(asked), &[("authorization", "Bearer nothing")]);
    let serving = tonic_health::pb::health_check_response::ServingStatus::Serving as i32;
    assert_eq!(health.check(bad).await.unwrap().into_inner().status, serving);
    let list = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let answer = ServerReflectionClient::new(transport)
        .server_reflection_info(stream::iter([list]))
        .await
        .unwrap();
    let first: ServerReflectionResponse = answer.into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(services)) = first.message_response else {
        panic!("no list")
    };
    let names: Vec<String> = services.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"trademesh.risk.v1.RiskService".to_owned()), "{names:?}");
    assert!(
        !names.contains(&"trademesh.trading.v1.TradingService".to_owned()),
        "{names:?}"
    );
}

#[tokio::test]
async fn deadlines_hold() {
    let config = ServerConfig {
        deadline: DeadlineConfig {
            default_ms: 50,
            max_ms: 100,
        },
        ..ServerConfig::default()
    };
    let bench = Bench::start(config).await;
    bench.may_answer.forget_permits(1_000);
    let mut client = bench.client().await;
    let passed = || (Code::DeadlineExceeded, "DEADLINE_PASSED".to_owned());
    assert_eq!(
        reason(client.get_limits(bench.asked(limits_of("a"))).await.unwrap_err()),
        passed(),
        "the default"
    );
    for timeout in ["1H", "0n"] {
        let asked = with(bench.asked(limits_of("a")), &[("grpc-timeout", timeout)]);
        assert_eq!(reason(raw(&bench, asked).await), passed(), "{timeout}");
    }
    let malformed = with(bench.asked(limits_of("a")), &[("grpc-timeout", "soon")]);
    assert_eq!(
        reason(raw(&bench, malformed).await),
        (Code::InvalidArgument, "TIMEOUT_MALFORMED".to_owned())
    );
    assert_eq!(bench.notes.lock().len(), 2, "what came too late was not begun");
}

/// Calls without the client's own reading of `grpc-timeout`.
async fn raw(bench: &Bench, request: tonic::Request<GetLimitsRequest>) -> Status {
    let stream = TcpStream::connect(bench.accepting.address()).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let mut head = Request::post(format!(
        "http://{}/trademesh.risk.v1.RiskService/GetLimits",
        bench.accepting.address()
    ))
    .body(http_body_util::Full::new(bytes::Bytes::from_static(b"\0\0\0\0\0")))
    .unwrap();
    *head.headers_mut() = request.metadata().clone().into_headers();
    head.headers_mut()
        .insert("content-type", "application/grpc".parse().unwrap());
    let answer = sender.send_request(head).await.unwrap();
    Status::from_header_map(answer.headers()).unwrap()
}
