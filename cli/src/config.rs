//! The whole configuration: the process's own section, and one for each service.

use crate::args::Settings;
use mesh::app::AppConfig;
use mesh::config::{Loaded, load};
use mesh::error::{Error, Result};
use mesh::telemetry::TelemetryConfig;
use serde::{Deserialize, Serialize};

/// Every service with its default gRPC port, in the order in which people read them.
pub const PORTS: [(&str, u16); 12] = [
    (exchange::NAME, 7101),
    (data::NAME, 7102),
    (ml::NAME, 7103),
    (strategy::NAME, 7104),
    (risk::NAME, 7105),
    (trading::NAME, 7106),
    (portfolio::NAME, 7107),
    (notification::NAME, 7108),
    (monitoring::NAME, 7109),
    (auth::NAME, 7110),
    (audit::NAME, 7111),
    (gateway::NAME, 7112),
];

/// The configuration of a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where data is kept, where services listen, where the others are.
    pub mesh: AppConfig,
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// What `up` provides for paper trading.
    pub paper: Paper,
    /// The simulated venue.
    pub exchange: exchange::Config,
    /// Market data.
    pub data: data::Config,
    /// Predictions.
    pub ml: ml::Config,
    /// Strategies.
    pub strategy: strategy::Config,
    /// Limits.
    pub risk: risk::Config,
    /// The order path.
    pub trading: trading::Config,
    /// Positions.
    pub portfolio: portfolio::Config,
    /// Notices.
    pub notification: notification::Config,
    /// Health.
    pub monitoring: monitoring::Config,
    /// Users and tokens.
    pub auth: auth::Config,
    /// Records.
    pub audit: audit::Config,
    /// The door from outside.
    pub gateway: gateway::Config,
}

/// What `up` provides for paper trading.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paper {
    /// Accounts, `paper-1` onwards. Default 10; at most 10,000.
    pub accounts: u32,
}

impl Default for Paper {
    fn default() -> Self {
        Self { accounts: 10 }
    }
}

impl Default for Config {
    fn default() -> Self {
        let ports = PORTS.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        Self {
            mesh: AppConfig {
                data_dir: "trademesh-data".into(),
                ports,
                ..AppConfig::default()
            },
            telemetry: TelemetryConfig::default(),
            paper: Paper::default(),
            exchange: exchange::Config::default(),
            data: data::Config::default(),
            ml: ml::Config::default(),
            strategy: strategy::Config::default(),
            risk: risk::Config::default(),
            trading: trading::Config::default(),
            portfolio: portfolio::Config::default(),
            notification: notification::Config::default(),
            monitoring: monitoring::Config::default(),
            auth: auth::Config::default(),
            audit: audit::Config::default(),
            gateway: gateway::Config::default(),
        }
    }
}

/// Reads the configuration: the file, then `TRADEMESH_*` variables, then `--set`.
///
/// # Errors
/// What is wrong, with its key, and the nearest known key.
pub fn read(options: &Settings) -> Result<Loaded<Config>> {
    let mut overrides = Vec::new();
    for setting in &options.overrides {
        let (key, value) = setting.split_once('=').ok_or_else(|| {
            Error::invalid(
                "CONFIG_NO_VALUE",
                format!("'--set {setting}' has no value: write --set KEY=VALUE"),
            )
        })?;
        overrides.push((key.to_owned(), value.to_owned()));
    }
    load(options.config.as_deref(), environment(), &overrides)
}

/// The environment, less the variables of the client commands.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars().filter(|(name, _)| name.contains("__"))
}
