//! What every trademesh service stands on. A row imports only the rows printed above it:
//!
//! ```text
//! pb  protojson                        generated: types, clients, servers, tables; the strict JSON that they call
//! error  config  time  ids  page       closed error kinds, layered config, injected clock, ids, paged lists
//! wire                                 pb ⇄ domain, the only place that knows both
//! telemetry  identity                  logs, metrics, traces; tokens, principals
//! policy                               what the protos state of each rpc, and the check that every service makes
//! deadline  retry  breaker  budget     resilience
//! registry  balance  channel  server  rest   who is where; pick one; call it; be called; REST to messages
//! store  journal  events               SQL; order decisions; event streams
//! app                                  boot, readiness, drain: the life of a process
//! ```

pub mod pb;
pub mod protojson;

pub mod config;
pub mod error;
pub mod ids;
pub mod page;
pub mod time;

pub mod wire;

pub mod identity;
pub mod policy;
pub mod telemetry;

pub mod breaker;
pub mod budget;
pub mod deadline;
pub mod retry;

pub mod balance;
pub mod channel;
pub mod registry;
pub mod rest;
pub mod server;

pub mod events;
pub mod journal;
pub mod store;

pub mod app;

pub use error::{Error, Result};
