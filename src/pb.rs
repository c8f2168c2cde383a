//! Generated from `proto/`: messages with their ProtoJSON serde, clients, servers. Nothing is written here by hand.

pub use crate::protojson::Timestamp;

include!(concat!(env!("OUT_DIR"), "/pb.rs"));

/// The encoded descriptor set of every proto, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The OpenAPI 3.1 page of the REST API.
pub const OPENAPI_JSON: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));
