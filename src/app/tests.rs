mod endings;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tonic::Code;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::App;
use super::AppConfig;
use super::Deps;
use super::HttpSurface;
use super::Running;
use super::Service;
use super::exit_code;
use super::testing::Users;
use crate::channel::Channels;
use crate::error::Error;
use crate::pb::guard;
use crate::pb::monitoring::ListServicesRequest;
use crate::pb::monitoring::ListServicesResponse;
use crate::pb::monitoring::ServiceHealth;
use crate::pb::monitoring::monitoring_service_client::MonitoringServiceClient;
use crate::pb::monitoring::monitoring_service_server::MonitoringService;
use crate::pb::monitoring::monitoring_service_server::MonitoringServiceServer;
use crate::pb::risk::GetLimitsRequest;
use crate::pb::risk::GetLimitsResponse;
use crate::pb::risk::risk_service_client::RiskServiceClient;
use crate::pb::risk::risk_service_server::RiskService;
use crate::pb::risk::risk_service_server::RiskServiceServer;
use crate::time::Chance;
use crate::time::Clock;

/// Knows one service by name.
struct Monitoring;

#[tonic::async_trait]
impl MonitoringService for Monitoring {
    async fn list_services(
        &self,
        _: Request<ListServicesRequest>,
    ) -> std::result::Result<Response<ListServicesResponse>, Status> {
        let service = ServiceHealth {
            name: "risk".to_owned(),
            ..ServiceHealth::default()
        };
        Ok(Response::new(ListServicesResponse {
            services: vec![service],
        }))
    }
}

/// Answers only what monitoring answers: a call that calls.
struct Risk(Channels);

#[tonic::async_trait]
impl RiskService for Risk {
    async fn get_limits(
        &self,
        _: Request<GetLimitsRequest>,
    ) -> std::result::Result<Response<GetLimitsResponse>, Status> {
        let mut monitoring = MonitoringServiceClient::new(self.0.to("monitoring"));
        let listed = monitoring.list_services(ListServicesRequest {}).await?.into_inner();
        match listed.services.as_slice() {
            [service] if service.name == "risk" => Ok(Response::new(GetLimitsResponse::default())),
            _ => Err(Error::internal("NOT_LISTED", "monitoring does not list risk").into()),
        }
    }
}

fn monitoring() -> Routes {
    Routes::new(MonitoringServiceServer::new(guard::monitoring_service(Monitoring)))
}

fn risk(deps: &Deps) -> Routes {
    Routes::new(RiskServiceServer::new(guard::risk_service(Risk(deps.channels.clone()))))
}

fn config(folder: &Path) -> AppConfig {
    AppConfig {
        data_dir: folder.to_owned(),
        drain_ms: 5_000,
        stop_ms: 1_000,
        ..AppConfig::default()
    }
}

fn app(config: AppConfig) -> App {
    App::new(config, Clock::system(), Chance::seeded(1))
}

fn add_monitoring(app: &mut App) {
    app.add("monitoring", |_| async { Ok(Service::new("monitoring", monitoring())) });
}

fn add_risk(app: &mut App) {
    app.add("risk", |deps| async move { Ok(Service::new("risk", risk(&deps))) });
}

async fn connect(running: &Running, service: &str) -> tonic::transport::Channel {
    let address = format!("http://{}", running.address(service).unwrap());
    tonic::transport::Endpoint::from_shared(address)
        .unwrap()
        .connect()
        .await
        .unwrap()
}

async fn get_limits(running: &Running, roles: &[&str]) -> std::result::Result<(), Status> {
    let users = Users::seeded(1);
    running.verifier().trust(users.public_key());
    let token = users.token(&Clock::system(), "ada", roles, &["paper-1"]);
    let mut client = RiskServiceClient::new(connect(running, "risk").await);
    let mut request = Request::new(GetLimitsRequest {
        account_id: "paper-1".to_owned(),
    });
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    client.get_limits(request).await.map(|_| ())
}

async fn is_serving(running: &Running, service: &str) -> bool {
    let mut health = HealthClient::new(connect(running, service).await);
    let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    answer.status == tonic_health::pb::health_check_response::ServingStatus::Serving as i32
}

/// What HTTP/1 answers at an address.
async fn http1(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn services_of_one_process_call_each_other_for_their_caller() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = app(config(folder.path()));
    add_monitoring(&mut app);
    add_risk(&mut app);
    let running = app.start().await.unwrap();
    running.ready().await;
    get_limits(&running, &["trader"]).await.unwrap();
    let names: Vec<&str> = running.addresses().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["monitoring", "risk"]);
    assert!(folder.path().join("risk").is_dir());
    assert!(folder.path().join("keys/risk.pub").is_file());
    running.shutdown().await;
}

#[tokio::test]
async fn services_of_two_processes_form_one_mesh() {
    let folder = tempfile::tempdir().unwrap();
    // Both processes know each other's keys, as they would through `auth`, because they share the folder.
    let keys_dir = folder.path().join("keys");
    let mut there = app(AppConfig {
        keys_dir: keys_dir.clone(),
        ..config(&folder.path().join("there"))
    });
    add_monitoring(&mut there);
    let here_identity = AppConfig {
        keys_dir: keys_dir.clone(),
        ..config(&folder.path().join("here"))
    };
    let (clock, chance) = (Clock::system(), Chance::seeded(1));
    std::fs::create_dir_all(&keys_dir).unwrap();
    crate::identity::ServiceIdentity::load_or_create(&keys_dir, "risk", &clock, &chance).unwrap();
    let there = there.start().await.unwrap();
    there.verifier().trust(Users::seeded(1).public_key());
    let peers = BTreeMap::from([(
        "monitoring".to_owned(),
        vec![there.address("monitoring").unwrap().to_string()],
    )]);
    let mut here = app(AppConfig { peers, ..here_identity });
    add_risk(&mut here);
    let here = here.start().await.unwrap();
    get_limits(&here, &["trader"]).await.unwrap();
    there.shutdown().await;
    assert_eq!(
        get_limits(&here, &["trader"]).await.unwrap_err().code(),
        Code::Unavailable
    );
    here.shutdown().await;
}

#[tokio::test]
async fn who_may_not_is_denied() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = app(config(folder.path()));
    add_risk(&mut app);
    let running = app.start().await.unwrap();
    assert_eq!(
        get_limits(&running, &[]).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    running.shutdown().await;
}

#[tokio::test]
async fn a_service_serves_when_no_guard_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let replayed = Arc::new(Notify::new());
    let mut app = app(config(folder.path()));
    app.add("monitoring", {
        let replayed = replayed.clone();
        |deps| async move {
            let guard = deps.readiness.guard("replay");
            deps.shutdown.spawn("replay", async move {
                replayed.notified().await;
                drop(guard);
                Ok(())
            });
            Ok(Service::new("monitoring", monitoring()))
        }
    });
    let running = app.start().await.unwrap();
    let address = running.address("monitoring").unwrap();
    assert_eq!(running.pending(), ["monitoring: replay"]);
    assert!(!is_serving(&running, "monitoring").await);
    assert!(http1(address, "/readyz").await.contains("not ready: replay"));
    replayed.notify_one();
    running.ready().await;
    assert!(http1(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    while !is_serving(&running, "monitoring").await {
        tokio::task::yield_now().await;
    }
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_run_apart_on_threads_of_their_own() {
    fn here() -> (Option<String>, i32) {
        let level = rustix::process::getpriority_process(None).unwrap();
        (std::thread::current().name().map(str::to_owned), level)
    }
    let folder = tempfile::tempdir().unwrap();
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut app = app(config(folder.path()));
    add_risk(&mut app);
    app.add("monitoring", |deps| async move {
        let [building, task, own] = [sender.clone(), sender.clone(), sender];
        let started = std::thread::spawn(here).join().unwrap();
        let _ = building.send(("a thread that the build has started", started));
        deps.shutdown.spawn("task", async move {
            // Its timers and sockets belong there too.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let _ = task.send(("a task", here()));
            Ok(())
        });
        deps.shutdown.spawn_on_thread("own", async move {
            let _ = own.send(("a task on a thread of its own", here()));
            let spawned = tokio::spawn(async { here() }).await.unwrap();
            let _ = own.send(("what it spawns", spawned));
            Ok(())
        });
        Ok(Service::new("monitoring", monitoring()))
    });
    app.run_apart(&["monitoring"]);
    let running = app.start().await.unwrap();
    running.ready().await;
    let mut seen = BTreeMap::new();
    for _ in 0..4 {
        let (who, (thread, level)) = told.recv().await.unwrap();
        seen.insert(who, (thread, level - here().1));
    }
    let apart = Some("apart".to_owned());
    assert_eq!(seen["a task"], (apart.clone(), super::apart::NICER));
    assert_eq!(seen["what it spawns"], (apart, super::apart::NICER));
    assert_eq!(seen["a thread that the build has started"].1, super::apart::NICER);
    assert_eq!(seen["a task on a thread of its own"].1, 0);
    // Each is called where it is, over its port and within the process.
    while !is_serving(&running, "monitoring").await {
        tokio::task::yield_now().await;
    }
    get_limits(&running, &["trader"]).await.unwrap();
    running.shutdown().await;
}

#[tokio::test]
async fn a_build_that_panics_apart_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = app(config(folder.path()));
    app.add("monitoring", |_| async move { panic!("no luck") });
    app.run_apart(&["monitoring"]);
    let error = app.start().await.err().unwrap();
    assert_eq!(error.reason(), "TASK_FAILED");
    assert!(error.message().contains("no luck"), "{error}");
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut grpc = app(AppConfig {
        ports: [("risk".to_owned(), port)].into(),
        ..config(folder.path())
    });
    add_risk(&mut grpc);
    let error = grpc.start().await.err().unwrap();
    assert_eq!((error.reason(), exit_code(&error)), ("PORT_IN_USE", 2));
    assert_eq!(error.context()["key"], "mesh.ports.risk");
    let mut http = app(config(folder.path()));
    let address = taken.local_addr().unwrap();
    http.add("risk", move |deps| async move {
        let surface = HttpSurface::new(axum::Router::new(), address, "gateway.address");
        Ok(Service::new("risk", risk(&deps)).with_http(surface))
    });
    let error = http.start().await.err().unwrap();
    assert_eq!(error.context()["key"], "gateway.address");
}

#[tokio::test]
async fn what_does_not_fit_is_named_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    // The system's folder exists, and takes no files, not even root's.
    for unusable in [file.join("data"), std::path::PathBuf::from("/sys")] {
        let error = app(config(&unusable)).start().await.err().unwrap();
        assert_eq!(
            (error.reason(), error.context()["key"].as_str()),
            ("FOLDER_UNUSABLE", "mesh.data_dir"),
            "{error}"
        );
        assert!(error.message().contains("set mesh.data_dir to a folder"), "{error}");
    }
    let peers = BTreeMap::from([("risk".to_owned(), vec!["nowhere".to_owned()])]);
    let error = app(AppConfig {
        peers,
        ..config(folder.path())
    })
    .start()
    .await
    .err()
    .unwrap();
    assert_eq!(error.context()["key"], "mesh.peers.risk");
    let mut refusing = app(config(folder.path()));
    add_monitoring(&mut refusing);
    refusing.add("risk", |_| async {
        Err(Error::internal("REPLAY_FAILED", "the journal is damaged"))
    });
    let error = refusing.start().await.err().unwrap();
    assert_eq!((error.reason(), exit_code(&error)), ("REPLAY_FAILED", 1));
}

#[tokio::test]
async fn an_http_surface_has_its_own_port_and_its_streams_end_with_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = app(config(folder.path()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let handed_over = listener.local_addr().unwrap();
    app.listen("monitoring", listener);
    app.add("monitoring", |_| async {
        let endless = || async {
            let frames = futures::stream::iter([Ok::<_, std::io::Error>("data: 1\n\n")]);
            axum::body::Body::from_stream(futures::StreamExt::chain(frames, futures::stream::pending()))
        };
        let router = axum::Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/stream", get(endless));
        let surface = HttpSurface::new(router, "127.0.0.1:0".parse().unwrap(), "gateway.address").with_accept(
            crate::server::AcceptConfig {
                header_timeout_ms: 5_000,
                ..Default::default()
            },
        );
        Ok(Service::new("monitoring", monitoring()).with_http(surface))
    });
    let running = app.start().await.unwrap();
    assert_eq!(running.address("monitoring"), Some(handed_over));
    assert_eq!(running.address("risk"), None);
    assert_eq!(running.http_address("risk"), None);
    let address = running.http_address("monitoring").unwrap();
    assert!(http1(address, "/").await.ends_with("hello"));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 16];
    stream.read_exact(&mut first).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.map(|_| rest)
    });
    running.shutdown().await;
    assert!(reading.await.unwrap().unwrap().contains("data: 1"));
}
