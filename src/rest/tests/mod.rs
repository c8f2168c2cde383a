//! The generated handlers of the generator's own protos, in front of a real server of the same protos.

mod bind;
mod guard;
mod http;
mod router;
mod service;
mod stream;

/// The fixture API.
#[allow(
    clippy::wildcard_imports,
    unreachable_pub,
    dead_code,
    reason = "generated for all users; these tests use a part"
)]
pub(crate) mod fixture {
    include!(concat!(env!("OUT_DIR"), "/fixtures/pb.rs"));
    pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fixtures/descriptors.bin"));
}
