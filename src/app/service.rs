//! What a service gets, and what it gives.

use std::net::SocketAddr;
use std::path::PathBuf;

use tonic::service::Routes;

use super::readiness::Readiness;
use super::shutdown::Shutdown;
use crate::channel::Channels;
use crate::identity::{ServiceIdentity, Verifier};
use crate::ids::Ids;
use crate::server::AcceptConfig;
use crate::store::StoreConfig;
use crate::time::{Chance, Clock};

/// What a service is built from.
#[derive(Clone)]
pub struct Deps {
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub chance: Chance,
    /// Makes ids.
    pub ids: Ids,
    /// The ways to other services.
    pub channels: Channels,
    /// This service's own folder; it exists.
    pub data_dir: PathBuf,
    /// This service's database.
    pub store: StoreConfig,
    /// Take a guard for everything that must be done before the service is ready.
    pub readiness: Readiness,
    /// Tells when to end, and keeps the service's tasks.
    pub shutdown: Shutdown,
    /// Who this service is.
    pub identity: ServiceIdentity,
    /// Verifies tokens.
    pub verifier: Verifier,
}

/// A built service.
pub struct Service {
    /// The name that it is called by.
    pub name: &'static str,
    /// Its gRPC services.
    pub routes: Routes,
    /// Its HTTP surface, if it has one.
    pub http: Option<HttpSurface>,
}

impl Service {
    /// A service without an HTTP surface.
    pub fn new(name: &'static str, routes: Routes) -> Service {
        Service {
            name,
            routes,
            http: None,
        }
    }

    /// The service with an HTTP surface.
    #[must_use]
    pub fn with_http(self, http: HttpSurface) -> Service {
        Service {
            http: Some(http),
            ..self
        }
    }
}

/// HTTP on a port of its own: HTTP/1 with upgrades, and HTTP/2.
pub struct HttpSurface {
    /// What is served.
    pub router: axum::Router,
    /// Where; port 0 is any free one.
    pub address: SocketAddr,
    /// The config key of the address, for whoever has to change it.
    pub address_key: &'static str,
    /// The bounds of its connections.
    pub accept: AcceptConfig,
}

impl HttpSurface {
    /// A surface with default bounds. `address_key` is the config key that the address comes from.
    pub fn new(router: axum::Router, address: SocketAddr, address_key: &'static str) -> HttpSurface {
        HttpSurface {
            router,
            address,
            address_key,
            accept: AcceptConfig::default(),
        }
    }

    /// The surface with other bounds.
    #[must_use]
    pub fn with_accept(self, accept: AcceptConfig) -> HttpSurface {
        HttpSurface { accept, ..self }
    }
}
