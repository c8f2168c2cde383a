//! A simulated spot market that speaks Binance's REST and WebSocket formats on its own port.
//!
//! The platform trades on it through the very adapters that it uses for a live venue. Inside, `core` is a pure state
//! machine: markets, a crowd of seeded agents, accounts. One task ([`actor`]) owns it, makes every decision about API
//! accounts durable before anyone hears of it, and publishes what changed through the [`hub`]. [`rest`] and [`ws`] are the
//! Binance surface. Books and candles are made anew at each start; accounts, orders, fills and the reach of
//! all ids come back from the journal.

pub mod accounts;
pub mod actor;
pub mod codec;
pub mod config;
pub mod core;
pub mod error;
pub mod hub;
pub mod keys;
pub mod limits;
pub mod rest;
pub mod surface;
pub mod wire;
pub mod ws;

pub use config::Config;

/// The service's name.
pub const NAME: &str = "exchange";
