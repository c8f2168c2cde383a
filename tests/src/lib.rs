//! What only shows when services run together, and the rules of the house that no single crate can check.

pub mod client;
pub mod fire;
pub mod layering;
pub mod market;
pub mod process;
