//! The service through its RPCs, on every engine.

#![allow(clippy::unwrap_used, reason = "the helpers of tests unwrap like tests")]

mod bounds;
mod forgeries;
mod people;
mod replicas;
mod sessions;
mod support;
