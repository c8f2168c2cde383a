//! `trademesh status`: every service and its health.

use crate::args::Client;
use crate::client::{authorised, unary};
use crate::output::{Format, or_dash, print, short, table};
use mesh::error::{Error, Result};
use mesh::pb::monitoring as pb;
use mesh::pb::monitoring::monitoring_service_client::MonitoringServiceClient;

/// Lists the services; fails when one of them does not serve.
///
/// # Errors
/// When the gateway refuses or does not answer, or a service is not well.
pub(crate) async fn status(options: &Client) -> Result<()> {
    let mut client = MonitoringServiceClient::new(authorised(options).await?);
    let answer = client
        .list_services(unary(pb::ListServicesRequest {}))
        .await?
        .into_inner();
    print(Format::from_flag(options.json), &answer, |answer| {
        table(
            &["service", "health", "latency us", "detail"],
            answer.services.iter().map(row).collect(),
        )
    })?;
    let unwell: Vec<&str> = answer
        .services
        .iter()
        .filter(|service| service.health() != pb::Health::Serving)
        .map(|service| service.name.as_str())
        .collect();
    if unwell.is_empty() {
        return Ok(());
    }
    Err(Error::internal(
        "SERVICES_UNWELL",
        format!("not serving: {}", unwell.join(", ")),
    ))
}

fn row(service: &pb::ServiceHealth) -> Vec<String> {
    vec![
        service.name.clone(),
        short(service.health().as_str_name(), "HEALTH_"),
        service.latency_us.to_string(),
        or_dash(&service.detail),
    ]
}
