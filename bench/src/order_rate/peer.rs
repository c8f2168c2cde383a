//! The bare server in a process of its own, under the load of the platform.

use super::run::{Run, warm_up};
use crate::Orders;
use crate::session::Session;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A run of it is so much shorter than one of the platform, and there are two.
const SHARE: u32 = 3;
/// The shortest run, in seconds.
const LEAST_S: u32 = 5;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long each of its runs is.
pub(super) fn span(options: &Orders) -> Duration {
    Duration::from_secs((options.seconds / SHARE).max(LEAST_S).into())
}

/// Starts a bare server, sends it the same load over REST, and ends it.
///
/// # Errors
/// When it does not start, or does not answer.
pub(super) async fn measure(options: &Orders) -> Result<Run, Failure> {
    let peer = Peer::start()?;
    let session = Session::with_bare(&peer.url, options.accounts, options.connections).await?;
    let load = session.load(options.rate, options.connections, options.seed, "bench-");
    warm_up(&load, options).await?;
    Run::of(&load, span(options), async |_, _| {}).await
}

/// A running server, killed when it is dropped. It ends with this process too: its stdin is then closed.
struct Peer {
    child: Child,
    url: String,
    /// Beside that of the platform: on the same disk.
    _folder: TempDir,
}

impl Peer {
    fn start() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let child = Command::new(std::env::current_exe()?)
            .arg("bare")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut peer = Self {
            child,
            url: String::new(),
            _folder: folder,
        };
        let stdout = peer.child.stdout.take().ok_or("stdout is piped")?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        peer.url = format!("http://{}", address.trim());
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
