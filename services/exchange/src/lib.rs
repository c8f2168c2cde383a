//! A simulated spot market that speaks Binance's REST and WebSocket formats on its own port.
//!
//! The platform trades on it through the very adapters that it uses for a live venue. Inside, `core` is a pure state
//! machine: markets, a crowd of seeded agents, accounts. One task ([`actor`]) owns it, makes every decision about API
//! accounts durable before anyone hears of it, and publishes what changed through the [`hub`]. [`rest`] and [`ws`] are the
//! Binance surface; [`faults`] can be told to stand between it and its clients. Books and candles are made anew at each start; accounts, orders, fills and the reach of
//! all ids come back from the journal.

pub mod accounts;
pub mod actor;
pub mod codec;
pub mod config;
pub mod core;
pub mod error;
pub mod faults;
pub mod grpc;
pub mod hub;
pub mod journal;
pub mod keys;
pub mod limits;
pub mod rest;
pub mod snapshot;
pub mod surface;
pub mod wire;
pub mod ws;

pub use config::Config;

/// The service's name.
pub const NAME: &str = "exchange";

use mesh::app::{Deps, HttpSurface, Service};
use mesh::pb::exchange::exchange_service_server::ExchangeServiceServer;
use mesh::time::Clock;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Builds the venue: replays its journal, opens the accounts of the folder, and returns its gRPC and Binance surfaces.
///
/// # Errors
/// `INVALID / CONFIG_OUT_OF_BOUNDS` for an option beyond its bounds; those of the journal; `INVALID / EXCHANGE_ACCOUNTS`
/// for an account file that cannot be understood.
pub async fn build(config: Config, deps: Deps) -> mesh::Result<Service> {
    let ready = deps.readiness.guard("exchange replay");
    config.check()?;
    let address: SocketAddr = config.listen.parse().map_err(|_| {
        let must = format!("must be an address and port, not {}", config.listen);
        mesh::config::out_of_bounds("exchange.listen", &must)
    })?;
    let folder = deps.data_dir.join("journal");
    let replayed = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || journal::open(&folder, &config)).await
    };
    let (journal, ledger) = replayed.map_err(|error| mesh::Error::internal("EXCHANGE_REPLAY", error.to_string()))??;
    tend(&config, &deps, &journal);
    let now = never_back(deps.clock.clone());
    let opened = surface::open(&config, ledger, Box::new(journal), accounts_dir(&config, &deps), now).await;
    let surface = opened.map_err(|reason| mesh::Error::internal("EXCHANGE_JOURNAL", reason))?;
    let stop = deps.shutdown.token();
    let clients = surface.api.clients.clone();
    deps.shutdown.spawn("exchange.venue", async move {
        let stopping = async move {
            stop.cancelled().await;
            clients.close();
        };
        let served = surface.actor.run(stopping).await;
        served.map_err(|reason| mesh::Error::internal("EXCHANGE_JOURNAL", reason))
    });
    let scanned = surface.api.accounts.scan().await;
    scanned.map_err(|reason| mesh::Error::invalid("EXCHANGE_ACCOUNTS", reason))?;
    let service = mesh::pb::guard::exchange_service(grpc::Grpc::new(surface.api));
    let routes = tonic::service::Routes::new(ExchangeServiceServer::new(service));
    drop(ready);
    Ok(Service::new(NAME, routes).with_http(HttpSurface::new(surface.router, address, "exchange.listen")))
}

/// Starts what goes on beside the venue with its journal: snapshots, and the verification of what the opening has not read.
fn tend(config: &Config, deps: &Deps, journal: &journal::Journalled) {
    let stop = deps.shutdown.token();
    if let Some(history) = journal.history() {
        let stop = stop.clone();
        deps.shutdown.spawn("exchange.history", async move {
            let verified = mesh::journal::aside(true, move || history.verify(|| stop.is_cancelled())).await?;
            tracing::info!(last = verified.last_sequence, "the journal's past is verified");
            Ok(())
        });
    }
    if let Some(snapshotter) = journal.snapshotter(config) {
        deps.shutdown.spawn("exchange.snapshots", snapshotter.run(stop));
    }
}

/// The venue's time: the wall clock's, but it never goes back and never stands still. When the wall clock is set back, it
/// goes on from where it was at the pace of the monotonic one, until the wall clock has overtaken it.
fn never_back(clock: Clock) -> actor::Now {
    let last = Mutex::new((i64::MIN, clock.monotonic()));
    Arc::new(move || {
        let mut last = last.lock();
        let (wall, monotonic) = (clock.now_micros(), clock.monotonic());
        let passed = i64::try_from(monotonic.saturating_sub(last.1).as_micros()).unwrap_or(i64::MAX);
        *last = (wall.max(last.0.saturating_add(passed)), monotonic);
        last.0
    })
}

fn accounts_dir(config: &Config, deps: &Deps) -> PathBuf {
    if config.accounts_dir.as_os_str().is_empty() {
        deps.data_dir.join("accounts")
    } else {
        config.accounts_dir.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::never_back;
    use mesh::time::Clock;
    use std::time::Duration;

    #[test]
    fn the_venues_time_never_goes_back_and_never_stands_still() {
        const HOUR: i64 = 3_600_000_000;
        let (clock, hands) = Clock::manual(10 * HOUR);
        let now = never_back(clock.clone());
        assert_eq!(now(), 10 * HOUR);
        hands.set(9 * HOUR);
        assert_eq!(now(), 10 * HOUR);
        hands.advance(Duration::from_secs(5));
        assert_eq!(now(), 10 * HOUR + 5_000_000);
        hands.set(12 * HOUR);
        assert_eq!(now(), 12 * HOUR, "it follows forwards");
        hands.advance(Duration::from_micros(1));
        assert_eq!(now(), clock.now_micros());
    }
}
