//! The simulated market itself, without wire, clock or disk.
//!
//! [`venue::Venue`] is the state; time, chance and orders go in, [`venue::Effects`] come out. [`ledger::Ledger`] is the part
//! that survives a restart, as a fold of journalled records; books, candles and the crowd are made anew.

pub mod account;
pub mod amend;
pub mod bars;
pub mod book;
pub mod contingent;
pub mod crowd;
pub mod dice;
pub mod effects;
pub mod fees;
pub mod filters;
mod iceberg;
pub mod interval;
pub mod ledger;
pub mod listing;
pub mod market;
pub mod order;
pub mod order_list;
pub mod past;
mod prevention;
pub mod reach;
pub mod record;
pub mod request;
mod span;
pub mod stops;
pub mod terms;
mod trading;
pub mod units;
pub mod value;
pub mod venue;

#[cfg(test)]
mod tests;
