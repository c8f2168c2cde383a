//! SIGINT and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// The exit code of a process that a second signal ended: what a shell says of an interrupted one.
const INTERRUPTED: i32 = 130;

/// Waits for SIGINT and SIGTERM from when it is made until it is dropped. The first one is the wish to end in good order; a
/// second one ends the process at once.
#[derive(Debug)]
pub struct SignalWatch {
    stop: CancellationToken,
    watching: JoinHandle<()>,
}

impl SignalWatch {
    /// Begins to watch; from now on no signal of the two ends the process by itself.
    ///
    /// # Errors
    /// `INTERNAL / SIGNALS_UNAVAILABLE` when the system does not deliver them.
    pub fn new() -> Result<SignalWatch> {
        let failed = |error| Error::internal("SIGNALS_UNAVAILABLE", format!("signals cannot be received: {error}"));
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let stop = CancellationToken::new();
        let watching = tokio::spawn(watch(interrupt, terminate, stop.clone()));
        Ok(SignalWatch { stop, watching })
    }

    /// Waits for the first signal; at once when it has come already.
    pub fn signalled(&self) -> impl Future<Output = ()> + use<> {
        self.stop.clone().cancelled_owned()
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn watch(mut interrupt: Signal, mut terminate: Signal, stop: CancellationToken) {
    next(&mut interrupt, &mut terminate).await;
    stop.cancel();
    next(&mut interrupt, &mut terminate).await;
    std::process::exit(INTERRUPTED);
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
