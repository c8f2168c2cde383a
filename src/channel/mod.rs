//! Calling other services. A [`Channel`] fits every generated client; each call finds the service anew: in this
//! process if it runs here, else over TCP at the endpoints that the registries know.

mod answer;
mod call;
mod connect;
mod keys;
mod method;
mod peer;
mod replay;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tonic::body::Body;

pub use keys::AuthKeys;
pub(crate) use method::{is_standard, method};

use crate::breaker::BreakerConfig;
use crate::budget::BudgetConfig;
use crate::deadline::DeadlineConfig;
use crate::identity::ServiceIdentity;
use crate::registry::Registry;
use crate::retry::RetryConfig;
use crate::time::Chance;
use peer::Peer;

/// The bounds of calls to other services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelConfig {
    /// The time to establish a connection, in milliseconds.
    pub connect_timeout_ms: u64,
    /// The time between two HTTP/2 pings, in milliseconds.
    pub keepalive_interval_ms: u64,
    /// The time that a ping may take, in milliseconds.
    pub keepalive_timeout_ms: u64,
    /// The most calls in flight to one endpoint.
    pub max_in_flight: usize,
    /// How long calls may take.
    pub deadline: DeadlineConfig,
    /// How calls are repeated.
    pub retry: RetryConfig,
    /// How many repetitions are affordable.
    pub budget: BudgetConfig,
    /// When an endpoint is left alone.
    pub breaker: BreakerConfig,
}

impl Default for ChannelConfig {
    fn default() -> Self {
        ChannelConfig {
            connect_timeout_ms: 2_000,
            keepalive_interval_ms: 10_000,
            keepalive_timeout_ms: 5_000,
            max_in_flight: 1_000,
            deadline: DeadlineConfig::default(),
            retry: RetryConfig::default(),
            budget: BudgetConfig::default(),
            breaker: BreakerConfig::default(),
        }
    }
}

/// The ways from one service to all others. Cheap to clone.
#[derive(Clone)]
pub struct Channels(Arc<Shared>);

struct Shared {
    config: ChannelConfig,
    registries: Vec<Arc<dyn Registry>>,
    identity: ServiceIdentity,
    chance: Chance,
    peers: Mutex<HashMap<String, Arc<Peer>>>,
}

impl Channels {
    /// The channels of the service that `identity` names. The first registry that knows a service decides.
    pub fn new(
        config: ChannelConfig,
        registries: Vec<Arc<dyn Registry>>,
        identity: ServiceIdentity,
        chance: Chance,
    ) -> Channels {
        Channels(Arc::new(Shared {
            config,
            registries,
            identity,
            chance,
            peers: Mutex::default(),
        }))
    }

    /// The channel to a service. It exists even while the service does not.
    pub fn to(&self, service: &str) -> Channel {
        let mut peers = self.0.peers.lock();
        let peer = peers
            .entry(service.to_owned())
            .or_insert_with(|| Arc::new(self.peer(service)));
        Channel { peer: peer.clone() }
    }

    fn peer(&self, service: &str) -> Peer {
        let shared = &self.0;
        let watches = shared
            .registries
            .iter()
            .map(|registry| registry.watch(service))
            .collect();
        Peer::new(
            service,
            &shared.config,
            watches,
            shared.identity.clone(),
            shared.chance.clone(),
        )
    }
}

/// The way to one service, for a generated client: `TradingServiceClient::new(channel)`. Cheap to clone.
#[derive(Clone)]
pub struct Channel {
    peer: Arc<Peer>,
}

impl tower::Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    /// Every failure is a gRPC response, so that reason and context reach the caller.
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let peer = self.peer.clone();
        Box::pin(async move { Ok(call::call(&peer, request).await) })
    }
}

#[cfg(test)]
mod tests;
