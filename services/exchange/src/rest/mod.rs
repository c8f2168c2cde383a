//! The REST surface under `/api/v3`.

mod endpoint;
mod market_data;
pub mod params;
mod trade;

pub use endpoint::{Api, Halt, router};
