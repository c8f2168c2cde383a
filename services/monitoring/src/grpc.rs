//! The RPCs of `monitoring`.

use std::sync::Arc;

use mesh::pb::Timestamp;
use mesh::pb::monitoring::monitoring_service_server::MonitoringService;
use mesh::pb::monitoring::{self as wire, ListServicesRequest, ListServicesResponse, ServiceHealth};
use parking_lot::RwLock;
use tonic::{Request, Response, Status};

use crate::core::{Board, Health, Known};

/// Answers from the board.
pub(crate) struct Monitoring {
    pub(crate) board: Arc<RwLock<Board>>,
}

#[tonic::async_trait]
impl MonitoringService for Monitoring {
    async fn list_services(&self, _: Request<ListServicesRequest>) -> Result<Response<ListServicesResponse>, Status> {
        let services = self
            .board
            .read()
            .services()
            .map(|(name, known)| encode(name, known))
            .collect();
        Ok(Response::new(ListServicesResponse { services }))
    }
}

fn encode(name: &str, known: &Known) -> ServiceHealth {
    let health = match known.health() {
        Health::Unknown => wire::Health::Unspecified,
        Health::Serving => wire::Health::Serving,
        Health::NotServing => wire::Health::NotServing,
        Health::Unreachable => wire::Health::Unreachable,
    };
    let last = known.last.as_ref();
    ServiceHealth {
        name: name.to_owned(),
        health: health.into(),
        latency_us: last.map_or(0, |check| i64::try_from(check.latency.as_micros()).unwrap_or(i64::MAX)),
        check_time: last.map(|check| Timestamp::from_micros(check.at_micros)),
        change_time: known.changed_at_micros.map(Timestamp::from_micros),
        detail: last.map(|check| check.detail.clone()).unwrap_or_default(),
    }
}
