//! Where work is done that must not hold up the async threads.

use std::sync::mpsc;

use rustix::process::setpriority_process;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// The `nice` level of who takes what nobody else wants of the processors.
const LOWEST: i32 = 19;

/// Runs what may block outside the async threads, and what does not in its place.
///
/// # Errors
/// Those of `work`; `INTERNAL / TASK_FAILED` when it panicked.
pub async fn aside<T: Send + 'static>(blocks: bool, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    if !blocks {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal("TASK_FAILED", error.to_string()))?
}

type Job = Box<dyn FnOnce() + Send>;

/// A place where to compute at length.
pub(super) enum Place {
    /// Where the caller is.
    Here,
    /// The runtime's threads for what blocks: with the same right to a processor as everybody.
    Among,
    /// A thread of its own, which gets what others leave. It ends with this.
    Behind(mpsc::Sender<Job>),
}

impl Place {
    /// Starts a thread of its own.
    pub(super) fn behind() -> Result<Place> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let work = move || {
            // Where it is not permitted everybody is equal.
            if let Err(error) = setpriority_process(None, LOWEST) {
                tracing::debug!(%error, "a thread keeps its priority");
            }
            queue.into_iter().for_each(|job| job());
        };
        let started = std::thread::Builder::new().name("behind".to_owned()).spawn(work);
        started.map_err(|error| Error::internal("NO_THREAD", format!("a thread cannot be started: {error}")))?;
        Ok(Place::Behind(jobs))
    }

    /// Runs `work` there.
    ///
    /// It takes no lock that others wait for: behind, it may be interrupted for long.
    pub(super) async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let Place::Behind(jobs) = self else {
            return aside(matches!(self, Place::Among), move || Ok(work())).await;
        };
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            // Whoever asked may have gone.
            let _ = answer.send(work());
        });
        // Without its thread the job is dropped, and the answer with it.
        let _ = jobs.send(job);
        answered
            .await
            .map_err(|_| Error::internal("TASK_FAILED", "a computation has ended without an answer"))
    }
}
