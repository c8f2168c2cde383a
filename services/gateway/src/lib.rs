//! The one door from outside: REST, native gRPC, server-sent events, one WebSocket, and the pages about them, on one port.
//!
//! The gateway says who calls (a verified token), how often they may, and whether; the services behind it check the same
//! again. REST handlers and the OpenAPI page are generated from the protos; native gRPC is forwarded frame by frame. The
//! gateway holds no session and no state that a restart would lose, but for WebSocket tickets that live 30 seconds.

mod access;
mod audit;
mod codec;
mod config;
mod edge;
mod expiry;
mod forward;
mod grpc;
mod limits;
mod pages;
mod request_id;
mod rest;
mod tickets;
mod topics;
mod websocket;

pub use config::Config;

use access::Access;
use grpc::GatewayGrpc;
use limits::Limits;
use mesh::app::{Deps, HttpSurface, Service};
use mesh::channel::Channels;
use mesh::error::{Error, Result};
use mesh::ids::Ids;
use mesh::pb::gateway::gateway_service_server::GatewayServiceServer;
use mesh::pb::{self, guard};
use mesh::time::{Chance, Clock};
use std::sync::Arc;
use tickets::Tickets;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use topics::Topics;

/// The service's name.
pub const NAME: &str = "gateway";

/// The OpenAPI page.
pub(crate) const OPENAPI_JSON: &str = pb::OPENAPI_JSON;

/// Everything that a request may need.
pub(crate) struct Gateway {
    config: Config,
    access: Access,
    routes: mesh::rest::Router,
    topics: Topics,
    tickets: Tickets,
    /// Places for WebSockets.
    sockets: Arc<Semaphore>,
    channels: Channels,
    clock: Clock,
    ids: Ids,
    chance: Chance,
    /// Cancelled when the gateway is to go away.
    shutdown: CancellationToken,
}

/// Builds the service.
///
/// # Errors
/// When an option is out of its bounds, the address is not one, two REST routes are the same, or the compiled descriptors are damaged.
pub async fn build(config: Config, deps: Deps) -> Result<Service> {
    config.check()?;
    let address = config.address.parse().map_err(|error| {
        Error::invalid("CONFIG_INVALID", format!("gateway.address is not an address: {error}"))
            .with("key", "gateway.address")
    })?;
    let places = config.max_web_sockets;
    let gateway = Arc::new(Gateway {
        access: Access::new(deps.verifier.clone(), Limits::new(&config)),
        routes: mesh::rest::Router::new(pb::rest::routes())?,
        topics: Topics::new(pb::FILE_DESCRIPTOR_SET)?,
        tickets: Tickets::new(config.max_tickets, deps.clock.clone(), deps.chance.clone()),
        sockets: Arc::new(Semaphore::new(places)),
        channels: deps.channels.clone(),
        clock: deps.clock.clone(),
        ids: deps.ids.clone(),
        chance: deps.chance.clone(),
        shutdown: deps.shutdown.draining(),
        config,
    });
    deps.shutdown
        .spawn("web sockets", websocket::all_closed(gateway.clone(), places));
    let server = GatewayServiceServer::new(guard::gateway_service(GatewayGrpc(gateway.clone())));
    let router = edge::router(gateway);
    Ok(
        Service::new(NAME, tonic::service::Routes::new(server)).with_http(HttpSurface::new(
            router,
            address,
            "gateway.address",
        )),
    )
}
