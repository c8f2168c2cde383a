//! What a process needs to know before it builds its first service.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::channel::ChannelConfig;
use crate::identity::{RefreshConfig, VerifierConfig};
use crate::server::ServerConfig;
use crate::store::StoreConfig;

/// Where a process keeps its data, where it listens, whom it calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppConfig {
    /// The folder of all data; each service has its own in it.
    pub data_dir: PathBuf,
    /// The folder of the services' keys; empty: `keys` in the data folder.
    pub keys_dir: PathBuf,
    /// The address that gRPC ports are bound to.
    pub host: String,
    /// The gRPC port of each service; 0 or absent: any free one.
    pub ports: BTreeMap<String, u16>,
    /// Where services are that do not run in this process: `host:port`, several for replicas.
    pub peers: BTreeMap<String, Vec<String>>,
    /// The database; without a `url` each service has a SQLite file in its folder.
    pub store: StoreConfig,
    /// The bounds of being called.
    pub server: ServerConfig,
    /// The bounds of calling.
    pub channel: ChannelConfig,
    /// The bounds of verifying tokens.
    pub verifier: VerifierConfig,
    /// How keys are kept fresh.
    pub refresh: RefreshConfig,
    /// The time that running calls have when the process ends, in milliseconds.
    pub drain_ms: u64,
    /// The time that background tasks have after that, in milliseconds.
    pub stop_ms: u64,
}

impl Default for AppConfig {
    fn default() -> Self {
        AppConfig {
            data_dir: PathBuf::from("data"),
            keys_dir: PathBuf::new(),
            host: "127.0.0.1".to_owned(),
            ports: BTreeMap::new(),
            peers: BTreeMap::new(),
            store: StoreConfig::default(),
            server: ServerConfig::default(),
            channel: ChannelConfig::default(),
            verifier: VerifierConfig::default(),
            refresh: RefreshConfig::default(),
            drain_ms: 10_000,
            stop_ms: 5_000,
        }
    }
}

impl AppConfig {
    /// The folder of the services' keys.
    pub fn keys_folder(&self) -> PathBuf {
        if self.keys_dir.as_os_str().is_empty() {
            self.data_dir.join("keys")
        } else {
            self.keys_dir.clone()
        }
    }

    /// The gRPC port of a service.
    pub fn port(&self, service: &str) -> u16 {
        self.ports.get(service).copied().unwrap_or_default()
    }
}
