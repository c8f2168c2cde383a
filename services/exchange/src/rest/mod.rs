//! The REST surface under `/api/v3`, and the one route under `/sapi/v1` that an account's fees need.

mod endpoint;
mod market_data;
mod order_entry;
mod order_lists;
pub mod params;
mod perform;
mod trade;

pub use endpoint::{Api, Halt, router};
pub(crate) use endpoint::{Route, route};
pub(crate) use perform::{Caller, perform};
