//! The record of who did what.
//!
//! The service is registered, authorises and has its health; its RPCs are not built yet and answer UNIMPLEMENTED.

use mesh::app::{Deps, Service};
use mesh::pb::audit::audit_service_server::{AuditService, AuditServiceServer};
use mesh::pb::guard;
use serde::{Deserialize, Serialize};
use tonic::service::Routes;

/// The service's name.
pub const NAME: &str = "audit";

/// The options of the service; there are none yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {}

/// Answers UNIMPLEMENTED to every RPC, by the generated defaults.
struct NotBuiltYet;

impl AuditService for NotBuiltYet {}

/// Builds the service.
///
/// # Errors
/// None yet.
pub async fn build(_config: Config, _deps: Deps) -> mesh::Result<Service> {
    let server = AuditServiceServer::new(guard::audit_service(NotBuiltYet));
    Ok(Service::new(NAME, Routes::new(server)))
}
