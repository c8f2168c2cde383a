//! The end of a process: a graceful phase, a deadline, then force. Every task is kept by its handle.
//!
//! ```text
//! running --drain()--> draining: no new work comes, what runs is finished
//!         --stop()---> stopping: background tasks end, they have until a deadline, then they are aborted
//! ```

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// Tasks that are kept before it is looked whether they have ended.
const FEW: usize = 64;

/// Runs a task. One that is none of the runtime's has no handle: nobody waits for it.
pub type Spawner = Arc<dyn Fn(BoxFuture<'static, ()>) -> Option<JoinHandle<()>> + Send + Sync>;

/// Tells a service when to end, and keeps its tasks. Cheap to clone.
#[derive(Clone)]
pub struct Shutdown(Arc<Inner>);

struct Inner {
    draining: CancellationToken,
    stopping: CancellationToken,
    tasks: Mutex<Tasks>,
    failures: mpsc::UnboundedSender<Error>,
    spawner: Spawner,
    /// Where threads are to be had.
    threads: Option<Handle>,
}

struct Task {
    name: String,
    handle: JoinHandle<()>,
}

/// The tasks that may still run.
#[derive(Default)]
struct Tasks {
    kept: Vec<Task>,
    /// With so many those that have ended are dropped: half of them had come since the last time, so that each costs the
    /// same however many there are.
    crowded: usize,
}

impl Tasks {
    fn keep(&mut self, task: Task) {
        if self.kept.len() >= self.crowded {
            self.kept.retain(|task| !task.handle.is_finished());
            self.crowded = 2 * self.kept.len().max(FEW);
        }
        self.kept.push(task);
    }
}

/// Receives the first failure of a task; a process whose task has failed must end.
pub struct Failures(mpsc::UnboundedReceiver<Error>);

impl Failures {
    /// Waits until a task fails; for ever when none does.
    pub async fn next(&mut self) -> Error {
        match self.0.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }
}

impl Shutdown {
    /// A new life, and the place where the failures of its tasks arrive.
    pub fn new() -> (Shutdown, Failures) {
        let is_threaded = |handle: &Handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread;
        let threads = Handle::try_current().ok().filter(is_threaded);
        Shutdown::build(Arc::new(|task| Some(tokio::spawn(task))), threads)
    }

    /// A new life whose tasks run elsewhere than in the runtime: a simulation pauses, reorders and drops them.
    pub fn with_spawner(spawner: Spawner) -> (Shutdown, Failures) {
        Shutdown::build(spawner, None)
    }

    fn build(spawner: Spawner, threads: Option<Handle>) -> (Shutdown, Failures) {
        let (failures, receiver) = mpsc::unbounded_channel();
        let inner = Inner {
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            tasks: Mutex::default(),
            failures,
            spawner,
            threads,
        };
        (Shutdown(Arc::new(inner)), Failures(receiver))
    }

    /// Cancelled when background tasks shall end. No call is served any more by then.
    pub fn token(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    /// Cancelled as soon as the process begins to end: finish what runs, take nothing new.
    pub fn draining(&self) -> CancellationToken {
        self.0.draining.clone()
    }

    /// Runs a task that the end waits for. A task that ends with an error ends the process.
    pub fn spawn<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let name = name.into();
        let failures = self.0.failures.clone();
        let task_name = name.clone();
        let handle = (self.0.spawner)(Box::pin(async move {
            if let Some(error) = failure(AssertUnwindSafe(task).catch_unwind().await) {
                tracing::error!(task = task_name, reason = error.reason(), error = %error.message(), "task failed");
                // Nobody listens once the process is ending, and then it need not be told.
                let _ = failures.send(error.with("task", task_name));
            }
        }));
        let Some(handle) = handle else { return };
        self.0.tasks.lock().keep(Task { name, handle });
    }

    /// Whether [`Shutdown::spawn_on_thread`] has threads to give: a runtime of one thread, or a simulation, has none.
    pub fn gives_threads(&self) -> bool {
        self.0.threads.is_some()
    }

    /// Runs a task as [`Shutdown::spawn`] does, on a thread of its own where there are threads to give. There it may block, and
    /// waits in no runtime's queue, and it comes before what runs apart: somebody waits for its answers. What it spawns is the
    /// caller's runtime's. It is to end when it is told: a thread cannot be forced.
    pub fn spawn_on_thread<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let Some(threads) = self.0.threads.clone() else {
            return self.spawn(name, task);
        };
        let runtime = Handle::try_current().unwrap_or_else(|_| threads.clone());
        self.spawn(name, async move {
            // A thread inherits the priority of the one that starts it: it is started there, and not here.
            let begun = threads.spawn(async { tokio::task::spawn_blocking(move || runtime.block_on(task)).await });
            match begun.await.and_then(|ended| ended) {
                Ok(ended) => ended,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime ends.
                Err(_) => Ok(()),
            }
        });
    }

    /// Runs a task that ends by itself, or with [`Shutdown::token`], and that nobody waits for.
    pub fn detach(&self, task: impl Future<Output = ()> + Send + 'static) {
        let _ = (self.0.spawner)(Box::pin(task));
    }

    /// Begins the graceful phase.
    pub fn drain(&self) {
        self.0.draining.cancel();
    }

    /// Ends the tasks, by force once `within` is over. Returns the names of those that had to be forced.
    pub async fn stop(&self, within: Duration) -> Vec<String> {
        self.0.draining.cancel();
        self.0.stopping.cancel();
        let deadline = Instant::now() + within;
        let mut forced = Vec::new();
        while let Some(mut task) = self.take_task() {
            if timeout_at(deadline, &mut task.handle).await.is_err() {
                task.handle.abort();
                forced.push(task.name);
            }
        }
        forced
    }

    fn take_task(&self) -> Option<Task> {
        self.0.tasks.lock().kept.pop()
    }
}

fn failure(outcome: std::result::Result<Result<()>, Box<dyn Any + Send>>) -> Option<Error> {
    match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error),
        Err(_) => Some(Error::internal("TASK_PANICKED", "a task panicked")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FEW, Shutdown};
    use crate::error::Error;

    #[tokio::test(start_paused = true)]
    async fn tasks_end_when_they_are_told() {
        let (shutdown, _failures) = Shutdown::new();
        let (draining, token) = (shutdown.draining(), shutdown.token());
        shutdown.spawn("replay", async move {
            token.cancelled().await;
            Ok(())
        });
        shutdown.drain();
        assert!(draining.is_cancelled());
        assert!(!shutdown.token().is_cancelled());
        assert!(shutdown.stop(Duration::from_secs(1)).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_forced_at_the_deadline() {
        let (shutdown, _failures) = Shutdown::new();
        shutdown.spawn("stubborn", std::future::pending());
        shutdown.spawn("obedient", async { Ok(()) });
        let started = tokio::time::Instant::now();
        assert_eq!(shutdown.stop(Duration::from_secs(3)).await, ["stubborn"]);
        assert_eq!(started.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test]
    async fn a_failed_task_is_reported_by_its_name() {
        let (shutdown, mut failures) = Shutdown::new();
        shutdown.spawn("journal", async { Err(Error::internal("DISK", "the disk is gone")) });
        let error = failures.next().await;
        assert_eq!(error.reason(), "DISK");
        assert_eq!(error.context()["task"], "journal");
    }

    #[tokio::test]
    async fn tasks_that_have_ended_are_not_kept() {
        let (shutdown, _failures) = Shutdown::new();
        shutdown.spawn("long", std::future::pending());
        for _ in 0..10 * FEW {
            shutdown.spawn("short", async { Ok(()) });
            tokio::task::yield_now().await;
        }
        let kept = shutdown.0.tasks.lock().kept.len();
        assert!((1..=2 * FEW).contains(&kept), "{kept}");
        assert_eq!(shutdown.stop(Duration::ZERO).await, ["long"]);
    }

    #[tokio::test]
    async fn tasks_run_where_the_spawner_puts_them() {
        let elsewhere = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
        let (shutdown, mut failures) = Shutdown::with_spawner({
            let elsewhere = elsewhere.clone();
            std::sync::Arc::new(move |task| {
                elsewhere.lock().push(task);
                None
            })
        });
        shutdown.spawn("journal", async { Err(Error::internal("DISK", "the disk is gone")) });
        shutdown.detach(async {});
        let tasks = std::mem::take(&mut *elsewhere.lock());
        assert_eq!(tasks.len(), 2);
        for task in tasks {
            task.await;
        }
        assert_eq!(failures.next().await.reason(), "DISK");
        assert!(shutdown.stop(Duration::from_secs(1)).await.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_may_have_a_thread_of_its_own() {
        let (shutdown, mut failures) = Shutdown::new();
        assert!(shutdown.gives_threads());
        let token = shutdown.token();
        let (sender, told) = tokio::sync::oneshot::channel();
        shutdown.spawn_on_thread("shard", async move {
            // What it spawns runs with the others, also while it blocks.
            let (send, receive) = std::sync::mpsc::channel();
            tokio::spawn(async move { send.send(std::thread::current().id()) });
            let other = receive.recv().unwrap();
            let _ = sender.send((std::thread::current().id(), other));
            token.cancelled().await;
            Ok(())
        });
        let (own, other) = told.await.unwrap();
        assert_ne!(own, other);
        shutdown.spawn_on_thread("journal", async { Err(Error::internal("DISK", "the disk is gone")) });
        assert_eq!(failures.next().await.reason(), "DISK");
        shutdown.spawn_on_thread("broken", async { panic!("a bug") });
        assert_eq!(failures.next().await.reason(), "TASK_PANICKED");
        assert!(shutdown.stop(Duration::from_secs(10)).await.is_empty());
    }

    #[tokio::test]
    async fn without_threads_it_is_a_task_like_others() {
        let (shutdown, mut failures) = Shutdown::new();
        assert!(!shutdown.gives_threads());
        shutdown.spawn_on_thread("journal", async { Err(Error::internal("DISK", "the disk is gone")) });
        assert_eq!(failures.next().await.reason(), "DISK");
    }

    #[tokio::test]
    async fn a_panicked_task_is_reported() {
        let (shutdown, mut failures) = Shutdown::new();
        shutdown.spawn("journal", async { panic!("a bug") });
        assert_eq!(failures.next().await.reason(), "TASK_PANICKED");
    }
}
