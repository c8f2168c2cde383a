//! The real binary in a process of its own, on ports of its own choice, in a folder that goes away with it.

use crate::metrics::Metrics;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to be ready: with a million open orders it reads long journals.
const PATIENCE: Duration = Duration::from_secs(300);
/// How many lines of its log are shown.
const SHOWN: usize = 12;
/// How many characters of a line.
const WIDTH: usize = 300;

/// A running `trademesh up`, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Platform {
    child: Child,
    started: Value,
    folder: Arc<TempDir>,
    http: reqwest::Client,
    /// From the start of the process to the line that says it is ready.
    pub(crate) ready_after: Duration,
}

impl Platform {
    /// Starts `binary up` in a fresh folder with these settings, and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started, or is not ready in time; its log is in the message.
    pub(crate) fn up(binary: &Path, settings: &[String]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Self::up_in(binary, Arc::new(tempfile::tempdir()?), settings)
    }

    /// Starts it in a folder that it may have been in before.
    ///
    /// # Errors
    /// As [`Platform::up`].
    pub(crate) fn up_in(
        binary: &Path,
        folder: Arc<TempDir>,
        settings: &[String],
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let log = File::create(folder.path().join("log"))?;
        let mut command = Command::new(binary);
        command.args(["up", "--json", "--any-port", "--set"]);
        command.arg(format!("mesh.data_dir={}", folder.path().join("data").display()));
        for setting in settings {
            command.args(["--set", setting]);
        }
        let begun = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| {
                format!(
                    "{} does not start: {error}; build it first, or name it with --binary",
                    binary.display()
                )
            })?;
        let stdout = child.stdout.take().ok_or("stdout is piped")?;
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Only the first line is waited for.
                let _ = sender.send((begun.elapsed(), line));
            }
        });
        let mut platform = Self {
            child,
            started: Value::Null,
            folder,
            http: reqwest::Client::new(),
            ready_after: Duration::ZERO,
        };
        let Ok((ready_after, line)) = receiver.recv_timeout(PATIENCE) else {
            return Err(format!("the platform is not ready:\n{}", platform.log()).into());
        };
        platform.ready_after = ready_after;
        platform.started = serde_json::from_str(&line)?;
        Ok(platform)
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it in good order, as Ctrl-C does.
    ///
    /// # Errors
    /// When it cannot be told, or waited for.
    pub(crate) fn interrupt(mut self) -> std::io::Result<()> {
        Command::new("kill").args(["-INT", &self.id().to_string()]).status()?;
        self.child.wait().map(drop)
    }

    /// The folder that everything of it is in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a service or surface listens, as a URL.
    pub(crate) fn url(&self, name: &str) -> String {
        format!(
            "http://{}",
            self.started["addresses"][name].as_str().unwrap_or_default()
        )
    }

    /// What a service has measured.
    pub(crate) async fn metrics(&self, service: &str) -> Metrics {
        Metrics::read(&self.http, &self.url(service)).await
    }

    /// The admin's password.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn admin_password(&self) -> std::io::Result<String> {
        let path = self.started["admin_password_file"].as_str().unwrap_or_default();
        Ok(std::fs::read_to_string(path)?.trim().to_owned())
    }

    /// Warnings and errors in its log: how many, and the last few.
    pub(crate) fn complaints(&self) -> String {
        let log = self.log();
        let complaints: Vec<String> = log
            .lines()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"))
            .map(|line| line.chars().take(WIDTH).collect())
            .collect();
        let last = &complaints[complaints.len().saturating_sub(SHOWN)..];
        format!(
            "warnings and errors in the platform's log: {}\n{}",
            complaints.len(),
            last.join("\n")
        )
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
