//! The client commands: each connects, calls, prints, and is done.

mod bench;
mod halt;
mod login;
mod order;
mod orders;
mod positions;
mod quote;
mod status;
mod terms;
mod watch;

pub(crate) use bench::bench;
pub(crate) use halt::{alerts, halt, halts, resume};
pub(crate) use login::login;
pub(crate) use order::order;
pub(crate) use orders::orders;
pub(crate) use positions::positions;
pub(crate) use quote::quote;
pub(crate) use status::status;
pub(crate) use watch::watch;
