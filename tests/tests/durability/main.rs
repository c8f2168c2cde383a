//! The disk fails, fills up, and forgets, under the real binary; the exchange's ledger says what is true.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod damage;
mod desk;
mod full_disk;
mod syncs;
