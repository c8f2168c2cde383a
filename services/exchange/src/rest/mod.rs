//! The REST surface under `/api/v3`, and the one route under `/sapi/v1` that an account's fees need.

mod endpoint;
mod market_data;
mod order_entry;
mod order_lists;
mod page;
pub mod params;
mod perform;
mod serve;
mod trade;

pub use endpoint::{Api, Halt};
pub(crate) use endpoint::{Route, route};
pub(crate) use perform::{Caller, perform};
pub use serve::router;
