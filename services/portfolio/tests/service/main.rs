//! The service with trading and data faked around it.

mod following;
mod rpcs;
mod support;
