//! The service with trading and data faked around it.

#![allow(clippy::unwrap_used, reason = "the helpers of tests unwrap like tests")]

mod following;
mod rpcs;
mod support;
