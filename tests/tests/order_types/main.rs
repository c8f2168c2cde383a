//! Every type and instruction of an order, through the real binary against its real exchange. What trading says became of an
//! order is held against the exchange's own ledger; prices are met because somebody really moved the market.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs,
    reason = "a test may panic, and shares its support modules"
)]

mod desk;
mod groups;
mod instructions;
mod user_data;
mod venue;
mod waiting;
