//! Market data: a venue's feed becomes books, trades and bars, each with its state and age.
//!
//! Frames of the venue's WebSocket go straight into one [`market::Market`]: a pure state machine for each book
//! ([`core::sync`]) decides whether it can be trusted, another one folds trades into bars equal to the venue's klines
//! ([`core::series`]). Readers get the newest state whenever they have time ([`hub`]), never a backlog, and the feed never
//! waits for one. Everything asked of the venue's REST API stays within a part of its weight limit
//! ([`core::budget`]): snapshots for books that lost their place, klines for bars.
//!
//! The default venue is the simulated market; Binance differs by two URLs.

pub mod bar_writer;
pub mod binance;
pub mod codec;
pub mod config;
pub mod core;
pub mod error;
pub mod feed;
pub mod grpc;
pub mod history;
pub mod hub;
pub mod market;
pub mod queue;
pub mod replay;
pub mod store;

pub use config::Config;

use crate::core::backoff::Backoff;
use crate::core::budget::{DEFAULT_LIMIT, WeightBudget};
use bar_writer::BarWriter;
use binance::rest::Rest;
use domain::Instrument;
use feed::Feed;
use grpc::MarketData;
use market::Market;
use mesh::app::{Deps, ReadinessGuard, Service};
use mesh::pb::data::market_data_service_server::MarketDataServiceServer;
use mesh::store::Store;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The service's name.
pub const NAME: &str = "data";

/// Builds the service and starts its feed. It is ready once every book has been in step with the venue, or
/// `ready_timeout_ms` after the instruments are known.
///
/// # Errors
/// A configuration out of bounds, or a store that cannot be opened.
pub async fn build(config: Config, deps: Deps) -> mesh::Result<Service> {
    config.check()?;
    let store = Store::open(&deps.store, NAME, store::MIGRATIONS).await?;
    let bars = Arc::new(BarWriter::new(store));
    let market = Arc::new(OnceLock::new());
    let service = MarketData {
        market: market.clone(),
        bars: bars.clone(),
        clock: deps.clock.clone(),
        venue: config.venue.clone(),
    };
    let budget = WeightBudget::new(DEFAULT_LIMIT, config.weight_share, deps.clock.monotonic());
    let rest = Rest::new(
        &config.rest_url,
        Duration::from_millis(config.timeout_ms),
        budget,
        deps.clock.clone(),
    )?;
    let ready = deps.readiness.guard("market data");
    let starter = Starter {
        config,
        rest,
        market,
        bars: bars.clone(),
        ready,
    };
    let token = deps.shutdown.token();
    let shutdown = deps.shutdown.clone();
    shutdown.spawn("data feed", async move {
        tokio::select! {
            () = starter.run(deps) => {}
            () = token.cancelled() => {}
        }
        bars.flush().await
    });
    let server = MarketDataServiceServer::new(mesh::pb::guard::market_data_service(service));
    Ok(Service {
        name: NAME,
        routes: tonic::service::Routes::new(server),
        http: None,
    })
}

struct Starter {
    config: Config,
    rest: Rest,
    market: Arc<OnceLock<Arc<Market>>>,
    bars: Arc<BarWriter>,
    ready: ReadinessGuard,
}

impl Starter {
    /// Loads the instruments, then runs the feed for ever.
    async fn run(self, deps: Deps) {
        let instruments = self.instruments(&deps).await;
        let market = Arc::new(Market::new(instruments, &self.config, deps.clock.monotonic()));
        tracing::info!(symbols = market.listed_count(), venue = %self.config.venue, "instruments loaded");
        let _ = self.market.set(market.clone());
        let (config, clock) = (self.config.clone(), deps.clock.clone());
        let writer = self.bars.clone();
        let feed = Arc::new(Feed::new(
            market,
            self.rest,
            self.config,
            deps.clock,
            deps.chance,
            self.bars,
        ));
        let bound = Duration::from_millis(config.ready_timeout_ms);
        let snapshots = (0..config.snapshot_fetches).map(|_| feed.run_snapshots());
        tokio::join!(
            feed.run_connections(),
            feed.run_listing(),
            futures::future::join_all(snapshots),
            feed.run_ticks(),
            feed.run_history(),
            writer.run(&config, &clock),
            announce(&feed, bound, self.ready),
        );
    }

    async fn instruments(&self, deps: &Deps) -> Vec<Instrument> {
        let millis = Duration::from_millis;
        let mut backoff = Backoff::new(millis(self.config.backoff_base_ms), millis(self.config.backoff_max_ms));
        loop {
            match binance::instruments(&self.rest, &self.config, |_| false).await {
                Ok(instruments) => return instruments,
                Err(failure) => {
                    let wait = deps.chance.jitter(backoff.next_ceiling());
                    tracing::warn!(reason = failure.reason(), "no instruments yet: {}", failure.message());
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
}

async fn announce(feed: &Feed, bound: Duration, ready: ReadinessGuard) {
    let missing = feed.books_followed(bound).await;
    let symbols = feed.market.listed_count();
    if missing > 0 {
        tracing::warn!(
            missing,
            symbols,
            "ready although books are missing: the bound of waiting is over"
        );
    } else {
        tracing::info!(symbols, "every book is in step");
    }
    drop(ready);
}
