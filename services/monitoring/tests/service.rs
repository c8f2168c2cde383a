//! Services that serve, do not, hang, fall and recover, as monitoring sees them through real channels.

#![allow(clippy::unwrap_used, reason = "the helpers of tests unwrap like tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use mesh::app::testing::Bed;
use mesh::app::{App, AppConfig};
use mesh::pb::monitoring::monitoring_service_client::MonitoringServiceClient;
use mesh::pb::monitoring::{Health, ListServicesRequest, ServiceHealth};
use mesh::time::{Chance, Clock};
use monitoring::{Config, NAME, SERVICES, build};
use tokio::sync::Notify;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthService, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

const SERVES: u8 = 0;
const DOES_NOT_SERVE: u8 = 1;
const HANGS: u8 = 2;
const FAILS: u8 = 3;

/// A service whose health a test decides.
#[derive(Clone, Default)]
struct Fake {
    mode: Arc<AtomicU8>,
    checked: Arc<Notify>,
}

#[tonic::async_trait]
impl HealthService for Fake {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.checked.notify_one();
        let status = match self.mode.load(Ordering::SeqCst) {
            SERVES => ServingStatus::Serving,
            DOES_NOT_SERVE => ServingStatus::NotServing,
            HANGS => std::future::pending().await,
            _ => return Err(Status::unavailable("on fire")),
        };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }

    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

struct Mesh {
    bed: Bed,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Mesh {
    async fn new() -> Mesh {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let bed = Bed::new(folder.path(), clock.clone(), Chance::seeded(1));
        let config = Config {
            interval_ms: 10,
            timeout_ms: 200,
        };
        let service = build(config, bed.deps(NAME)).await.unwrap();
        bed.register(NAME, service.routes);
        Mesh {
            bed,
            clock,
            _folder: folder,
        }
    }

    async fn list(&self, roles: &[&str]) -> Result<Vec<ServiceHealth>, Status> {
        let mut client = MonitoringServiceClient::new(self.bed.channels("gateway").to(NAME));
        let mut request = Request::new(ListServicesRequest {});
        let token = self.bed.users.token(&self.clock, "ada", roles, &[]);
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        Ok(client.list_services(request).await?.into_inner().services)
    }

    /// Lists until a service is as expected.
    async fn until(&self, name: &str, health: Health) -> ServiceHealth {
        loop {
            let services = self.list(&["viewer"]).await.unwrap();
            let service = services.into_iter().find(|service| service.name == name).unwrap();
            if service.health == i32::from(health) {
                return service;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn every_service_is_listed_with_its_health() {
    let mesh = Mesh::new().await;
    let fake = Fake::default();
    mesh.bed.register("risk", Routes::new(HealthServer::new(fake.clone())));
    let up = mesh.until("risk", Health::Serving).await;
    assert!(up.detail.is_empty() && up.check_time.is_some() && up.change_time.is_some());

    fake.mode.store(DOES_NOT_SERVE, Ordering::SeqCst);
    assert_eq!(
        mesh.until("risk", Health::NotServing).await.detail,
        "it says NOT_SERVING"
    );

    fake.mode.store(SERVES, Ordering::SeqCst);
    mesh.until("risk", Health::Serving).await;

    fake.mode.store(HANGS, Ordering::SeqCst);
    let hanging = mesh.until("risk", Health::Unreachable).await;
    assert_eq!(hanging.detail, "no answer within 200 ms");
    assert!(hanging.latency_us >= 200_000);

    fake.mode.store(FAILS, Ordering::SeqCst);
    while mesh
        .until("risk", Health::Unreachable)
        .await
        .detail
        .contains("no answer")
    {
        fake.checked.notified().await;
    }

    fake.mode.store(SERVES, Ordering::SeqCst);
    mesh.until("risk", Health::Serving).await;

    let down = mesh.until("ml", Health::Unreachable).await;
    assert!(!down.detail.is_empty());
    let names: Vec<String> = mesh
        .list(&["viewer"])
        .await
        .unwrap()
        .into_iter()
        .map(|service| service.name)
        .collect();
    assert_eq!(names, SERVICES);
}

#[tokio::test]
async fn only_those_who_may_see_it() {
    let mesh = Mesh::new().await;
    assert_eq!(mesh.list(&[]).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_real_process_finds_itself_serving_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let config = AppConfig {
        data_dir: folder.path().to_owned(),
        ..AppConfig::default()
    };
    let mut app = App::new(config, Clock::system(), Chance::seeded(1));
    app.add(NAME, |deps| build(Config::default(), deps));
    let running = app.start().await.unwrap();
    running.ready().await;
    running.shutdown().await;
}

#[tokio::test]
async fn options_out_of_bounds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::new(folder.path(), Clock::system(), Chance::seeded(1));
    let config = Config {
        timeout_ms: 0,
        ..Config::default()
    };
    let refusal = build(config, bed.deps(NAME)).await.err().unwrap();
    assert_eq!(refusal.reason(), "CONFIG_OUT_OF_BOUNDS");
}
