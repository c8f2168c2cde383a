//! Threads of their own for services that nobody's answer waits for: they share a machine with those whose answers are
//! waited for, and the operating system, which can take a thread off a processor at any moment, shares it out. Tasks of one
//! runtime cannot be interrupted so: an answer would wait for whatever came before it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result};

/// How much less of a busy processor these threads get: the difference of `nice` levels.
const NICER: i32 = 5;

/// The threads; they end with it, wherever it is dropped.
pub(super) struct Apart(Option<Runtime>);

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
        Ok(Apart(Some(runtime)))
    }

    /// Runs a future here whose sockets, timers and tasks belong to these threads.
    pub(super) fn inside<F: Future>(&self, future: F) -> Inside<F> {
        Inside {
            handle: self.0.as_ref().map(|runtime| runtime.handle().clone()),
            future: Box::pin(future),
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
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

/// See [`Apart::inside`].
pub(super) struct Inside<F> {
    handle: Option<Handle>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _entered = this.handle.as_ref().map(Handle::enter);
        this.future.as_mut().poll(context)
    }
}
