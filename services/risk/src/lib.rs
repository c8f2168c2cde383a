//! Limits, kill switches and reconciliation.
//!
//! The service is registered, authorises and has its health; its RPCs are not built yet and answer UNIMPLEMENTED.

use mesh::app::{Deps, Service};
use mesh::pb::guard;
use mesh::pb::risk::risk_service_server::{RiskService, RiskServiceServer};
use serde::{Deserialize, Serialize};
use tonic::service::Routes;

/// The service's name.
pub const NAME: &str = "risk";

/// The options of the service; there are none yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// Answers UNIMPLEMENTED to every RPC, by the generated defaults.
struct NotBuiltYet;

impl RiskService for NotBuiltYet {}

/// Builds the service.
///
/// # Errors
/// None yet.
pub async fn build(_config: Config, _deps: Deps) -> mesh::Result<Service> {
    let server = RiskServiceServer::new(guard::risk_service(NotBuiltYet));
    Ok(Service::new(NAME, Routes::new(server)))
}
