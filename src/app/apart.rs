//! Threads of their own for services that nobody's answer waits for: they share a machine with those whose answers are
//! waited for, and the operating system, which can take a thread off a processor at any moment, shares it out. Tasks of one
//! runtime cannot be interrupted so: an answer would wait for whatever came before it.

use std::future::Future;

use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};

/// How much less of a busy processor these threads get: the difference of `nice` levels.
pub(super) const NICER: i32 = 5;

/// The threads; they end with it, wherever it is dropped.
pub(super) struct Apart {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Apart {
    /// As many threads as there are processors.
    pub(super) fn start() -> Result<Apart> {
        // Threads inherit the level of who starts them: it is counted from this one's.
        let level = getpriority_process(None).map_or(0, |level| level + NICER);
        let runtime = Builder::new_multi_thread()
            .thread_name("apart")
            .on_thread_start(move || yield_to_others(level))
            .enable_all()
            .build()
            .map_err(|error| Error::internal("NO_RUNTIME", format!("threads cannot be started: {error}")))?;
        Ok(Apart {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Runs a future there: its sockets, timers, tasks, and the threads that it starts, are with these threads. Dropped, it
    /// ends the future.
    ///
    /// # Errors
    /// Those of the future; `INTERNAL / TASK_FAILED` when it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let done = AbortOnDropHandle::new(self.handle.spawn(future)).await;
        done.map_err(|error| Error::internal("TASK_FAILED", error.to_string()))?
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn yield_to_others(level: i32) {
    // Where it is not permitted everybody is equal.
    if let Err(error) = setpriority_process(None, level) {
        tracing::debug!(%error, "threads keep their priority");
    }
}
