//! Watches the mesh: asks every service for its health, by the standard gRPC health protocol, through the same channels
//! that services call each other with. What it reports is therefore what a caller would meet.
//!
//! Each service has its own loop, so that one that hangs delays nobody else's check. The fold of answers into what is
//! known ([`core`]) is pure.

mod clients;
mod config;
pub mod core;
mod grpc;
mod poller;

use std::sync::Arc;

use mesh::app::{Deps, Service};
use mesh::pb::guard;
use mesh::pb::monitoring::monitoring_service_server::MonitoringServiceServer;
use parking_lot::RwLock;
use tonic::service::Routes;

pub use config::Config;
use core::Board;
use grpc::Monitoring;
use poller::Poller;

/// The service's name.
pub const NAME: &str = "monitoring";

/// The services of the mesh.
pub const SERVICES: [&str; 12] = [
    "audit",
    "auth",
    "data",
    "exchange",
    "gateway",
    "ml",
    "monitoring",
    "notification",
    "portfolio",
    "risk",
    "strategy",
    "trading",
];

/// Builds the service and starts its checks.
///
/// # Errors
/// `Invalid` when an option is out of its bounds.
pub async fn build(config: Config, deps: Deps) -> mesh::Result<Service> {
    config.check()?;
    let board = Arc::new(RwLock::new(Board::new(SERVICES)));
    for name in SERVICES {
        Poller::new(name, &config, &deps, board.clone()).start(&deps.shutdown);
    }
    let server = MonitoringServiceServer::new(guard::monitoring_service(Monitoring { board }));
    Ok(Service::new(NAME, Routes::new(server)))
}
