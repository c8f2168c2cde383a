//! What every account holds, and what it earned: positions, cash, realised and unrealised profit and loss.
//!
//! The portfolio follows the journal of each of trading's shards and folds what it finds into positions and a double-entry
//! ledger. The cursor moves in the transaction that stores the effect, so every fill counts once, however often either side
//! restarts. Values are marked to data's quotes, each with its source and age; what has no mark is named, not guessed.

mod books;
mod clients;
mod codec;
mod config;
pub mod core;
mod follow;
mod grpc;
mod store;

pub use config::Config;

use books::Books;
use clients::Clients;
use follow::Follower;
use grpc::PortfolioGrpc;
use mesh::app::{Deps, Service};
use mesh::error::{Error, Result};
use mesh::pb::guard;
use mesh::pb::portfolio::portfolio_service_server::PortfolioServiceServer;
use mesh::store::Store;
use std::time::Duration;

/// The service's name.
pub const NAME: &str = "portfolio";

/// Builds the service: loads what is stored, and follows trading from there.
///
/// # Errors
/// When the store cannot be opened or read, an option is out of its bounds, or the configuration names no asset.
pub async fn build(config: Config, deps: Deps) -> Result<Service> {
    config.check()?;
    let reporting = domain::Asset::parse(&config.reporting_asset)
        .map_err(|error| Error::invalid("CONFIG_INVALID", format!("portfolio.reporting_asset: {error}")))?;
    // All of it is the fold of trading's events: what a power cut takes back is folded again.
    let store = Store::open_rebuildable(&deps.store, NAME, store::MIGRATIONS).await?;
    let books = Books::new(store::load(&store).await?);
    let grpc = PortfolioGrpc {
        books: books.clone(),
        store: store.clone(),
        clock: deps.clock.clone(),
        reporting,
        stream_interval: Duration::from_millis(config.stream_interval_ms),
    };
    let follower = Follower {
        books,
        store,
        clients: Clients::new(deps.channels.clone()),
        clock: deps.clock.clone(),
        chance: deps.chance.clone(),
        config,
    };
    follower.start(&deps.shutdown, deps.readiness.guard("portfolio replay"));
    let server = PortfolioServiceServer::new(guard::portfolio_service(grpc));
    Ok(Service::new(NAME, tonic::service::Routes::new(server)))
}
