//! The order path: shards, risk gate, journal, venue.
//!
//! An order is decided by its account's shard ([`mod@core`], pure), journalled, acknowledged, and only then sent to the venue.
//! `shard` is the single writer around the core, `sender` carries journalled intents out and asks for what is not known,
//! `reconcile` brings home what the venue says. Replaying a journal through the same `apply` gives the same state, so a
//! restart loses nothing that was acknowledged and doubles nothing that was filled.

mod alerts;
pub mod binance;
mod clients;
pub mod codec;
pub mod config;
pub mod core;
mod early;
mod error;
mod grpc;
mod metrics;
mod reconcile;
mod sender;
mod sessions;
mod shard;
pub mod snapshot;
mod start;
mod ticker;
pub mod venue;

pub use alerts::Alerts;
pub use config::{Config, LimitOptions};
pub use reconcile::Home;
pub use sessions::{Held, Sessions, ShardOf};
pub use shard::{AccountView, Ask, Holdings, KnownOrder, OrderFilter, Reply, ShardHandle};
pub use start::{Ground, build, build_on, reconcile, restore, start_shard};

/// The service's name.
pub const NAME: &str = "trading";
