//! Being called: the layers of a service, and the connections that reach it.

mod accept;
mod admin;
mod body;
mod connection;
mod health;
mod http;
mod layers;
mod linger;

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tonic::service::Routes;
use tower::ServiceBuilder;

pub use self::http::http_service;
pub use accept::{AcceptConfig, Accepting, accept};
pub use admin::{ReadyCheck, administered};
pub use health::{Health, standard_services};
pub use layers::{CallingService, Limits, SERVER_LEAVING};

use crate::deadline::DeadlineConfig;
use crate::identity::Verifier;
use crate::registry::LocalService;
use crate::time::Chance;
use tokio_util::sync::CancellationToken;

/// The bounds of a gRPC server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Connections.
    pub accept: AcceptConfig,
    /// Calls at the same time.
    pub limits: Limits,
    /// How long calls may take.
    pub deadline: DeadlineConfig,
}

/// Where a request's connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// Cancelled when the streams of a request's connection must end, so that their readers come back elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Closing(pub(crate) CancellationToken);

/// Puts every layer around the routes of a service.
pub fn layered(
    name: &str,
    routes: Routes,
    config: &ServerConfig,
    verifier: &Verifier,
    chance: &Chance,
    draining: &CancellationToken,
) -> LocalService {
    let name: Arc<str> = name.into();
    ServiceBuilder::new()
        // Outermost, so that whatever the other layers log or refuse carries the trace and the request's id.
        .layer(layers::trace(name.clone(), chance.clone()))
        // Above every layer that may refuse, so that refusals are measured too.
        .layer(layers::metrics(name.clone()))
        // Above the limits, so that nobody waits longer than the caller does; ends streams when the server drains.
        .layer(layers::deadline(config.deadline.clone(), draining.clone()))
        // Above authentication, because checking signatures is work that an overloaded server must not begin.
        .layer(layers::limits(name, config.limits.clone()))
        // Innermost: the service sees nothing but verified principals.
        .layer(layers::authentication(verifier.clone()))
        .service(layers::routes(routes))
}

#[cfg(test)]
mod tests;
