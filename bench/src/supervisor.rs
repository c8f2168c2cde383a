//! The services as processes of their own, on fixed ports that know each other as static peers. Whatever ends is started
//! again at once. Only children of this supervisor are ever signalled, by their id.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The services that a kill may hit; the exchange is a process beside them, and the others share one.
pub const MORTAL: [&str; 5] = ["trading", "portfolio", "data", "gateway", "auth"];
/// The services that share a process, which is killed only with all.
const OTHERS: [&str; 6] = ["ml", "strategy", "risk", "notification", "monitoring", "audit"];
/// The name of their process.
pub const REST: &str = "others";
/// The name of the process of `trademesh up`.
pub const WHOLE: &str = "up";
/// How long a process may take to be ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the children are looked at.
const LOOK: Duration = Duration::from_millis(2);
/// A child that ends by itself is started again no sooner than this after its last start.
const LEAST_LIFE: Duration = Duration::from_millis(100);
/// How many lines of a log are shown.
const SHOWN: usize = 15;
/// Ports are taken from below those that the kernel gives to outgoing connections: while a service is down, nobody else
/// may come to sit on its port.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// What the processes are started with, beside ports, peers and folders.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Paper accounts, `paper-1` onwards.
    pub accounts: u32,
    /// Symbols of the market.
    pub symbols: u32,
    /// More settings, `section.key=value`.
    pub more: Vec<String>,
}

/// One life of a process.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    /// When it was started.
    pub started: Instant,
    /// When it said that it is ready.
    pub ready: Option<Instant>,
}

/// A process that is kept running.
#[derive(Debug)]
struct Kept {
    arguments: Vec<String>,
    child: Child,
    /// It was told to end.
    is_killed: bool,
    lives: Arc<Mutex<Vec<Life>>>,
}

#[derive(Debug)]
struct State {
    binary: PathBuf,
    config: PathBuf,
    folder: PathBuf,
    more: Vec<String>,
    kept: Mutex<BTreeMap<String, Kept>>,
    /// Children that ended by themselves: which, and how.
    deaths: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

/// The processes of one mesh, killed when this is dropped.
#[derive(Debug)]
pub struct Supervisor {
    state: Arc<State>,
    watcher: Option<JoinHandle<()>>,
    addresses: BTreeMap<String, u16>,
}

impl Supervisor {
    /// Starts every service, the exchange first, and waits until all are ready.
    ///
    /// # Errors
    /// When one is not ready in time.
    pub fn serve(binary: &Path, folder: &Path, settings: &Settings) -> Result<Self, String> {
        let supervisor = Self::new(binary, folder, settings);
        supervisor.state.spawn("exchange", &["serve", "exchange"]);
        supervisor.wait_ready()?;
        for name in MORTAL {
            supervisor.state.spawn(name, &["serve", name]);
        }
        let others: Vec<&str> = ["serve"].into_iter().chain(OTHERS).collect();
        supervisor.state.spawn(REST, &others);
        supervisor.wait_ready()?;
        Ok(supervisor)
    }

    /// Starts everything in one process, and waits until it is ready.
    ///
    /// # Errors
    /// When it is not ready in time.
    pub fn up(binary: &Path, folder: &Path, settings: &Settings) -> Result<Self, String> {
        let supervisor = Self::new(binary, folder, settings);
        supervisor.state.spawn(WHOLE, &["up"]);
        supervisor.wait_ready()?;
        Ok(supervisor)
    }

    fn new(binary: &Path, folder: &Path, settings: &Settings) -> Self {
        let addresses = ports();
        let config = folder.join("config.toml");
        std::fs::write(&config, config_text(&addresses, folder, settings)).expect("the folder is writable");
        keys(&folder.join("data").join("accounts"), settings.accounts);
        let state = Arc::new(State {
            binary: binary.to_path_buf(),
            config,
            folder: folder.to_path_buf(),
            more: settings.more.clone(),
            kept: Mutex::default(),
            deaths: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let watched = state.clone();
        Self {
            state,
            watcher: Some(std::thread::spawn(move || watched.watch())),
            addresses,
        }
    }

    /// The URL of the gateway.
    pub fn gateway(&self) -> String {
        format!("http://127.0.0.1:{}", self.addresses["gateway-http"])
    }

    /// The URL of the exchange's Binance surface.
    pub fn exchange(&self) -> String {
        format!("http://127.0.0.1:{}", self.addresses["exchange-http"])
    }

    /// The admin's password.
    ///
    /// # Panics
    /// When it was not written.
    pub fn admin_password(&self) -> String {
        let path = self.state.folder.join("data").join("auth").join("admin-password");
        let text = std::fs::read_to_string(path).expect("the admin's password is in a file");
        text.trim().to_owned()
    }

    /// Kills processes with SIGKILL, all at the same moment; they are started again at once.
    ///
    /// # Panics
    /// When there is no process of that name, or it cannot be killed.
    pub fn kill(&self, names: &[&str]) {
        let mut kept = self.state.kept();
        for name in names {
            let kept = kept.get_mut(*name).expect("the process is kept");
            kept.is_killed = true;
            kept.child.kill().expect("a child can be killed");
        }
    }

    /// The id of a process.
    ///
    /// # Panics
    /// When there is no process of that name.
    pub fn id(&self, name: &str) -> u32 {
        self.state.kept()[name].child.id()
    }

    /// Stops a process where it is (SIGSTOP), or lets it go on (SIGCONT).
    ///
    /// # Panics
    /// When it does not take the signal.
    pub fn pause(&self, name: &str, is_paused: bool) {
        let signal = if is_paused { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &self.id(name).to_string()]).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{name} does not take {signal}"
        );
    }

    /// Waits until every process is ready.
    ///
    /// # Errors
    /// When one is not in time; the ends of the logs are in the message.
    pub fn wait_ready(&self) -> Result<(), String> {
        let begun = Instant::now();
        while let Some(name) = self.not_ready() {
            if begun.elapsed() > PATIENCE {
                return Err(format!(
                    "{name} is not ready after {PATIENCE:?}:\n{}",
                    self.complaints()
                ));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn not_ready(&self) -> Option<String> {
        let kept = self.state.kept();
        let is_ready = |kept: &Kept| {
            !kept.is_killed
                && kept
                    .lives
                    .lock()
                    .expect("no holder panics")
                    .last()
                    .is_some_and(|life| life.ready.is_some())
        };
        kept.iter()
            .find(|(_, kept)| !is_ready(kept))
            .map(|(name, _)| name.clone())
    }

    /// The lives of a process so far, oldest first.
    ///
    /// # Panics
    /// When there is no process of that name.
    pub fn lives(&self, name: &str) -> Vec<Life> {
        self.state.kept()[name].lives.lock().expect("no holder panics").clone()
    }

    /// The processes that ended without having been killed, and how.
    ///
    /// # Panics
    /// Never: no holder panics.
    pub fn deaths(&self) -> Vec<String> {
        self.state.deaths.lock().expect("no holder panics").clone()
    }

    /// The last warnings and errors of every log.
    pub fn complaints(&self) -> String {
        let names: Vec<String> = self.state.kept().keys().cloned().collect();
        let shown = names.iter().map(|name| {
            let text = std::fs::read_to_string(self.state.log(name)).unwrap_or_default();
            let lines: Vec<&str> = text
                .lines()
                .filter(|line| {
                    ["WARN", "ERROR", "panicked", "trademesh:"]
                        .iter()
                        .any(|mark| line.contains(mark))
                })
                .collect();
            let last = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
            format!("== {name}: {} warnings and errors\n{last}", lines.len())
        });
        shown.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        if let Some(watcher) = self.watcher.take() {
            // A watcher that panicked has nothing left to do.
            let _ = watcher.join();
        }
        for kept in self.state.kept().values_mut() {
            // It may have ended already.
            let _ = kept.child.kill();
            let _ = kept.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.complaints());
        }
    }
}

impl State {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.kept.lock().expect("no holder panics")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    fn spawn(&self, name: &str, arguments: &[&str]) {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let lives = Arc::default();
        let child = self.start(name, &arguments, &lives);
        let kept = Kept {
            arguments,
            child,
            is_killed: false,
            lives,
        };
        self.kept().insert(name.to_owned(), kept);
    }

    fn start(&self, name: &str, arguments: &[String], lives: &Arc<Mutex<Vec<Life>>>) -> Child {
        let log = OpenOptions::new().create(true).append(true).open(self.log(name));
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--json").arg("--config").arg(&self.config);
        for setting in &self.more {
            command.args(["--set", setting]);
        }
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("the folder is writable"))
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let life = {
            let mut lives = lives.lock().expect("no holder panics");
            lives.push(Life { started, ready: None });
            lives.len() - 1
        };
        let lives = lives.clone();
        std::thread::spawn(move || {
            // Its first line says that it is ready; the rest is read so that it is never held up.
            for (number, line) in BufReader::new(stdout).lines().map_while(Result::ok).enumerate() {
                if number == 0 && serde_json::from_str::<Value>(&line).is_ok() {
                    lives.lock().expect("no holder panics")[life].ready = Some(Instant::now());
                }
            }
        });
        child
    }

    fn watch(&self) {
        while !self.is_over.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK);
            for (name, kept) in self.kept().iter_mut() {
                let Some(status) = kept.child.try_wait().expect("a child can be waited for") else {
                    continue;
                };
                if !kept.is_killed {
                    let last = kept
                        .lives
                        .lock()
                        .expect("no holder panics")
                        .last()
                        .map(|life| life.started);
                    if last.is_some_and(|started| started.elapsed() < LEAST_LIFE) {
                        continue;
                    }
                    let death = format!("{name} ended by itself: {status}");
                    self.deaths.lock().expect("no holder panics").push(death);
                }
                kept.child = self.start(name, &kept.arguments, &kept.lives);
                kept.is_killed = false;
            }
        }
    }
}

/// A port for every service, and for the two surfaces.
fn ports() -> BTreeMap<String, u16> {
    // Tests of one process take turns; processes begin apart.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    let begin = (std::process::id() % u32::from(span)) as u16;
    let names = MORTAL
        .into_iter()
        .chain(OTHERS)
        .chain(["exchange", "exchange-http", "gateway-http"]);
    names
        .map(|name| {
            let free = (0..span).find_map(|_| {
                let turn = NEXT.fetch_add(1, Ordering::SeqCst);
                let port = PORTS.start + (begin + turn % span) % span;
                TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
            });
            (name.to_owned(), free.expect("the machine has free ports"))
        })
        .collect()
}

/// The configuration of every process: data in `folder/data`, and limits that do not stop a load.
fn config_text(ports: &BTreeMap<String, u16>, folder: &Path, settings: &Settings) -> String {
    let services = ports.iter().filter(|(name, _)| !name.ends_with("-http"));
    let own: serde_json::Map<String, Value> = services
        .clone()
        .map(|(name, port)| (name.clone(), json!(port)))
        .collect();
    let peers: serde_json::Map<String, Value> = services
        .map(|(name, port)| (name.clone(), json!([format!("127.0.0.1:{port}")])))
        .collect();
    let venue = ports["exchange-http"];
    let config = json!({
        "mesh": {"data_dir": folder.join("data"), "ports": own, "peers": peers},
        "telemetry": {"log": "warn"},
        "paper": {"accounts": settings.accounts},
        "exchange": {
            "listen": format!("127.0.0.1:{venue}"), "symbols": settings.symbols, "limits": "bench",
            "max_open_orders": 100_000, "history_per_account": 1_000_000,
        },
        "data": {"rest_url": format!("http://127.0.0.1:{venue}"), "ws_url": format!("ws://127.0.0.1:{venue}")},
        "trading": {
            "rest_url": format!("http://127.0.0.1:{venue}"), "closed_orders_kept": 1_000_000,
            "max_backoff_ms": 500,
            "limits": {"duplicate_window_ms": 0, "max_orders_per_second": 100_000, "max_open_orders": 100_000},
        },
        "gateway": {
            "address": format!("127.0.0.1:{}", ports["gateway-http"]),
            "requests_per_second": 1_000_000, "request_burst": 1_000_000,
            // A gateway that has just started cannot tell one token from none.
            "anonymous_requests_per_second": 1_000_000, "anonymous_request_burst": 1_000_000,
        },
        "auth": {"require_password_change": false, "access_token_s": 3_600},
    });
    toml::to_string(&config).expect("a table of tables is TOML")
}

/// The key of an account: what the exchange checks and trading signs with.
pub fn key_of(account: u32) -> (String, String) {
    (format!("key-of-paper-{account}"), format!("secret-of-paper-{account}"))
}

fn keys(folder: &Path, accounts: u32) {
    std::fs::create_dir_all(folder).expect("the folder is writable");
    for number in 1..=accounts {
        let (api_key, secret) = key_of(number);
        let text = json!({"account": format!("paper-{number}"), "api_key": api_key, "secret": secret}).to_string();
        let mut options = OpenOptions::new();
        let path = folder.join(format!("paper-{number}.json"));
        let file: File = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .expect("the folder is writable");
        (&file).write_all(text.as_bytes()).expect("the disk has room");
    }
}

#[cfg(test)]
mod tests {
    use super::{Settings, config_text, ports};
    use std::path::Path;

    #[test]
    fn every_service_has_a_port_of_its_own_and_knows_the_others() {
        let ports = ports();
        let numbers: std::collections::BTreeSet<u16> = ports.values().copied().collect();
        assert_eq!((ports.len(), numbers.len()), (14, 14));
        let settings = Settings {
            accounts: 2,
            symbols: 3,
            more: Vec::new(),
        };
        let text = config_text(&ports, Path::new("/data"), &settings);
        let config: toml::Table = text.parse().unwrap();
        assert_eq!(config["mesh"]["peers"].as_table().unwrap().len(), 12);
        assert_eq!(
            config["mesh"]["ports"]["trading"].as_integer(),
            Some(ports["trading"].into())
        );
    }
}
