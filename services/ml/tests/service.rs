//! An RPC that is not built yet says so, to those who may call it; and the service has its health.

#![allow(clippy::unwrap_used, reason = "the helpers of tests unwrap like tests")]

use mesh::app::testing::Bed;
use mesh::app::{App, AppConfig};
use mesh::pb::ml::ListModelsRequest;
use mesh::pb::ml::prediction_service_client::PredictionServiceClient;
use mesh::time::{Chance, Clock};
use ml::{Config, NAME, build};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

async fn code(bed: &Bed, clock: &Clock, roles: &[&str]) -> Code {
    let mut client = PredictionServiceClient::new(bed.channels("gateway").to(NAME));
    let mut request = Request::new(ListModelsRequest::default());
    let token = bed.users.token(clock, "ada", roles, &["*"]);
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    client.list_models(request).await.unwrap_err().code()
}

#[tokio::test]
async fn what_is_not_built_yet_is_authorised_first() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let bed = Bed::new(folder.path(), clock.clone(), Chance::seeded(1));
    let service = build(Config::default(), bed.deps(NAME)).await.unwrap();
    bed.register(NAME, service.routes);
    assert_eq!(code(&bed, &clock, &["viewer"]).await, Code::Unimplemented);
    assert_eq!(code(&bed, &clock, &[]).await, Code::PermissionDenied);
}

#[tokio::test]
async fn the_service_serves() {
    let folder = tempfile::tempdir().unwrap();
    let config = AppConfig {
        data_dir: folder.path().to_owned(),
        ..AppConfig::default()
    };
    let mut app = App::new(config, Clock::system(), Chance::seeded(1));
    app.add(NAME, |deps| build(Config::default(), deps));
    let running = app.start().await.unwrap();
    running.ready().await;
    let endpoint =
        tonic::transport::Endpoint::from_shared(format!("http://{}", running.address(NAME).unwrap())).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let answer = health
        .check(HealthCheckRequest { service: String::new() })
        .await
        .unwrap();
    assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    running.shutdown().await;
}
