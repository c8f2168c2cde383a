//! The real binary in a process of its own, on ports that it picks itself, in a folder that goes away with it.

use crate::market::LATE_QUOTES;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a process may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A tool that a test needs, named by an environment variable; `make test` sets it. Without it the test says so and is
/// skipped, unless `TRADEMESH_REQUIRE_TOOLS` is set.
///
/// # Panics
/// When the tool is absent and tools are required.
pub fn tool(variable: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(PathBuf::from(path));
    }
    assert!(
        std::env::var_os("TRADEMESH_REQUIRE_TOOLS").is_none(),
        "{variable} is not set"
    );
    eprintln!("skipped: {variable} is not set; `make test` sets it");
    None
}

/// A running `trademesh`, killed when it is dropped.
#[derive(Debug)]
pub struct Platform {
    child: Child,
    /// Where each service and surface listens, by name.
    pub addresses: BTreeMap<String, String>,
    /// The lines of stderr so far.
    log: std::sync::Arc<std::sync::Mutex<String>>,
    folder: PathBuf,
}

impl Platform {
    /// Starts `trademesh up` in `folder` on ports of its own choice, with more arguments, and waits until it is ready.
    ///
    /// # Panics
    /// When it is not ready in time; its log is in the message.
    pub fn up(binary: &Path, folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(["up", "--json", "--any-port", "--set"]);
        command
            .arg(format!("mesh.data_dir={}", folder.display()))
            .args(LATE_QUOTES)
            .args(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = collect(child.stderr.take().expect("stderr is piped"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The receiver is gone once the first line was read.
                let _ = sender.send(line);
            }
        });
        let line = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            child.kill().expect("it can be killed");
            panic!(
                "`trademesh up` is not ready:\n{}",
                log.lock().expect("no reader panics")
            )
        });
        let started: Value = serde_json::from_str(&line).expect("its first line is JSON");
        let addresses = started["addresses"].as_object().expect("it names its addresses");
        let addresses = addresses
            .iter()
            .map(|(name, address)| (name.clone(), address.as_str().expect("an address is text").to_owned()))
            .collect();
        Self {
            child,
            addresses,
            log,
            folder: folder.to_path_buf(),
        }
    }

    /// The URL of the gateway.
    pub fn gateway(&self) -> String {
        format!("http://{}", self.addresses["gateway-http"])
    }

    /// A service's page of metrics.
    pub fn metrics(&self, service: &str) -> String {
        format!("http://{}/metrics", self.addresses[service])
    }

    /// The URL of the exchange's Binance surface.
    pub fn exchange(&self) -> String {
        format!("http://{}", self.addresses["exchange-http"])
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The admin's password.
    ///
    /// # Panics
    /// When it was not written.
    pub fn admin_password(&self) -> String {
        let path = self.admin_password_file();
        std::fs::read_to_string(path)
            .expect("the admin's password is in a file")
            .trim()
            .to_owned()
    }

    /// The file with the admin's password.
    pub fn admin_password_file(&self) -> PathBuf {
        self.folder.join("auth").join("admin-password")
    }

    /// What it has written to stderr.
    ///
    /// # Panics
    /// Never: no reader of the log panics.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader panics").clone()
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn interrupt(mut self) -> ExitStatus {
        signal(self.child.id(), "INT");
        wait(&mut self.child)
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// Kills it with SIGKILL and waits for the end.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the platform's log:\n{}", self.log());
        }
    }
}

/// Runs the binary to its end: its exit code, stdout and stderr.
///
/// # Panics
/// When it does not end in time.
pub fn run(command: &mut Command) -> (Option<i32>, String, String) {
    run_within(PATIENCE, command)
}

/// The same for a program that may take longer.
///
/// # Panics
/// When it does not end in time.
pub fn run_within(patience: Duration, command: &mut Command) -> (Option<i32>, String, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let out = collect(child.stdout.take().expect("stdout is piped"));
    let err = collect(child.stderr.take().expect("stderr is piped"));
    let status = wait_within(patience, &mut child);
    // The readers end with the pipes; they end with the process.
    let text = |log: std::sync::Arc<std::sync::Mutex<String>>| {
        let begun = Instant::now();
        while std::sync::Arc::strong_count(&log) > 1 && begun.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        log.lock().expect("no reader panics").clone()
    };
    (status.code(), text(out), text(err))
}

/// A folder for one test.
///
/// # Panics
/// When the machine has no room for temporary files.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

fn collect(mut pipe: impl Read + Send + 'static) -> std::sync::Arc<std::sync::Mutex<String>> {
    let log = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let sink = log.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            sink.lock()
                .expect("no reader panics")
                .push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    });
    log
}

/// Sends a signal such as `TERM` to a process.
///
/// # Panics
/// When the process does not take it.
pub fn signal(id: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &id.to_string()])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "process {id} takes signal {name}"
    );
}

fn wait(child: &mut Child) -> ExitStatus {
    wait_within(PATIENCE, child)
}

fn wait_within(patience: Duration, child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if begun.elapsed() > patience {
            child.kill().expect("it can be killed");
            panic!("the process did not end within {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
