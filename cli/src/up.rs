//! `trademesh up` and `trademesh serve`: run services until Ctrl-C.

use crate::args::Serve;
use crate::config::{self, Config};
use crate::{paper, platform};
use mesh::app::{App, Running, SignalWatch};
use mesh::config::Source;
use mesh::error::{Error, Result};
use mesh::telemetry::{self, Telemetry};
use mesh::time::{Chance, Clock};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;

/// The name of the exchange's Binance surface among the addresses.
const EXCHANGE_HTTP: &str = "exchange-http";
/// The name of the gateway's surface among the addresses.
const GATEWAY_HTTP: &str = "gateway-http";

/// Those of `up` that nobody's order waits for: the venue is somebody else's elsewhere, and the others read. An order waits for
/// `trading`'s shards, which have threads of their own, and not for what trading has to do with the venue.
const BEHIND: [&str; 10] = [
    exchange::NAME,
    data::NAME,
    trading::NAME,
    portfolio::NAME,
    ml::NAME,
    strategy::NAME,
    risk::NAME,
    notification::NAME,
    monitoring::NAME,
    audit::NAME,
];

/// A process whose services are built and listen.
pub struct Process {
    running: Running,
    config: Config,
    is_paper: bool,
    _telemetry: Telemetry,
}

/// Runs everything in one process, against the simulated exchange.
///
/// # Errors
/// As [`Process::up`]; or a service fails.
pub async fn up(options: &Serve) -> Result<()> {
    run(Process::up(options), options.settings.json).await
}

/// Runs some services.
///
/// # Errors
/// As [`Process::serve`]; or a service fails.
pub async fn serve(services: &[String], options: &Serve) -> Result<()> {
    run(Process::serve(services, options), options.settings.json).await
}

/// Runs until SIGINT or SIGTERM, whenever it comes.
async fn run(starting: impl Future<Output = Result<Process>>, json: bool) -> Result<()> {
    let signals = SignalWatch::new()?;
    let process = tokio::select! {
        process = starting => process?,
        // Nobody was told of anything yet: there is nothing to drain.
        () = signals.signalled() => return Ok(()),
    };
    match process.ready(json, signals.signalled()).await? {
        Some(ready) => ready.run_until(signals.signalled()).await,
        None => Ok(()),
    }
}

impl Process {
    /// Starts everything, against the simulated exchange.
    ///
    /// # Errors
    /// When the configuration is wrong, a port is taken, or a folder cannot be written.
    pub async fn up(options: &Serve) -> Result<Self> {
        let loaded = config::read(&options.settings)?;
        let mut config = loaded.value;
        // Paper money on loopback: the first five minutes need no change of password, unless the configuration asks for
        // it.
        let is_default = |key: &str| matches!(loaded.provenance.get(key), None | Some(Source::Default));
        if is_default("auth.require_password_change") {
            config.auth.require_password_change = false;
        }
        // A person reads this terminal: the greeting, and what went wrong.
        if is_default("telemetry.log") {
            config.telemetry.log = "warn".to_owned();
        }
        if options.any_port {
            use_any_port(&mut config);
        }
        let chance = Chance::from_entropy();
        // Bound here, since data and trading must know the exchange's address before they are built.
        let venue = mesh::app::bind(&config.exchange.listen, "exchange.listen").await?;
        let venue_address = venue
            .local_addr()
            .map_err(|error| Error::internal("LISTENER_LOST", error.to_string()))?;
        let accounts = config.mesh.data_dir.join("accounts");
        paper::provide(&accounts, config.paper.accounts, &chance)?;
        point_at(&mut config, &accounts, &venue_address.to_string());
        let telemetry = telemetry::init(&config.telemetry)?;
        let mut app = App::new(config.mesh.clone(), Clock::system(), chance);
        app.listen_http(exchange::NAME, venue).run_apart(&BEHIND);
        Self::start(app, &platform::all(), config, telemetry, true).await
    }

    /// Starts some services.
    ///
    /// # Errors
    /// As [`Process::up`], or when there is no such service.
    pub async fn serve(services: &[String], options: &Serve) -> Result<Self> {
        let names = services
            .iter()
            .map(|name| platform::known(name))
            .collect::<Result<Vec<_>>>()?;
        let mut config = config::read(&options.settings)?.value;
        if options.any_port {
            use_any_port(&mut config);
        }
        let accounts = config.mesh.data_dir.join("accounts");
        point_at(&mut config, &accounts, "");
        let telemetry = telemetry::init(&config.telemetry)?;
        let app = App::new(config.mesh.clone(), Clock::system(), Chance::from_entropy());
        Self::start(app, &names, config, telemetry, false).await
    }

    async fn start(mut app: App, names: &[&str], config: Config, telemetry: Telemetry, is_paper: bool) -> Result<Self> {
        for name in names {
            platform::add(&mut app, name, &config)?;
        }
        let running = app.start().await?;
        Ok(Self {
            running,
            config,
            is_paper,
            _telemetry: telemetry,
        })
    }

    /// Where services listen before all of them are ready.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Waits until every service is ready, and says so on stdout. None when `stop` was over before: all is ended then.
    ///
    /// # Errors
    /// When a service fails before.
    pub async fn ready(mut self, json: bool, stop: impl Future<Output = ()>) -> Result<Option<Ready>> {
        let ready = self.running.ready();
        tokio::select! {
            () = ready => {}
            failure = self.running.failed() => {
                self.running.shutdown().await;
                return Err(failure);
            }
            () = stop => {
                self.running.shutdown().await;
                return Ok(None);
            }
        }
        let started = started(&self.running, &self.config);
        let text = if json {
            started.to_string()
        } else {
            welcome(&started, self.is_paper)
        };
        let mut out = std::io::stdout().lock();
        // Nobody reads: the services run all the same.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        drop(out);
        Ok(Some(Ready {
            running: self.running,
            _telemetry: self._telemetry,
        }))
    }
}

/// A process whose services are ready.
pub struct Ready {
    running: Running,
    _telemetry: Telemetry,
}

impl Ready {
    /// The services.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Serves until `stop` is over, or until a service fails.
    ///
    /// # Errors
    /// The service's failure.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<()> {
        self.running.run_until(stop).await
    }
}

/// Free ports instead of the configured ones.
fn use_any_port(config: &mut Config) {
    config.mesh.ports.clear();
    for address in [&mut config.exchange.listen, &mut config.gateway.address] {
        *address = "127.0.0.1:0".to_owned();
    }
}

/// Fills in what the configuration leaves open: one folder of accounts, and where the simulated venue is.
fn point_at(config: &mut Config, accounts: &std::path::Path, venue: &str) {
    for folder in [&mut config.exchange.accounts_dir, &mut config.trading.accounts_dir] {
        if folder == &PathBuf::new() {
            *folder = accounts.to_path_buf();
        }
    }
    if !venue.is_empty() {
        config.data.rest_url = format!("http://{venue}");
        config.data.ws_url = format!("ws://{venue}");
        config.trading.rest_url = format!("http://{venue}");
    }
}

fn started(running: &Running, config: &Config) -> Value {
    let mut addresses: serde_json::Map<String, Value> = running
        .addresses()
        .into_iter()
        .map(|(name, address)| (name.to_owned(), json!(address.to_string())))
        .collect();
    for (name, surface) in [(exchange::NAME, EXCHANGE_HTTP), (gateway::NAME, GATEWAY_HTTP)] {
        if let Some(address) = running.http_address(name) {
            addresses.insert(surface.to_owned(), json!(address.to_string()));
        }
    }
    let password = config.mesh.data_dir.join(auth::NAME).join("admin-password");
    json!({"addresses": addresses, "data_dir": config.mesh.data_dir, "admin_password_file": password})
}

fn welcome(started: &Value, is_paper: bool) -> String {
    let address = |name: &str| started["addresses"][name].as_str().unwrap_or("-").to_owned();
    if !is_paper {
        let lines: Vec<String> = started["addresses"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, address)| format!("  {name:14} {}", address.as_str().unwrap_or("-")))
            .collect();
        return format!("ready\n{}", lines.join("\n"));
    }
    let gateway = address(GATEWAY_HTTP);
    let password = started["admin_password_file"].as_str().unwrap_or("-");
    format!(
        "trademesh is ready: PAPER trading on a simulated exchange

  API          http://{gateway}/docs/ (OpenAPI at /openapi.json)
  gRPC         {gateway} (grpcurl -plaintext {gateway} list)
  exchange     http://{} (Binance's REST and WebSocket formats)
  admin        user 'admin', password in {password}
  data         {}

try:
  trademesh login --password-file {password}
  trademesh order buy BTCUSDT 0.01
  trademesh positions

Ctrl-C ends it; the data stays.",
        address(EXCHANGE_HTTP),
        started["data_dir"].as_str().unwrap_or("-"),
    )
}
