//! A running process, and its end.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;

use super::apart::Apart;
use super::readiness::Readiness;
use super::shutdown::{Failures, Shutdown};
use super::signals::SignalWatch;
use crate::error::{Error, Kind, Result};
use crate::identity::Verifier;
use crate::registry::InProcess;
use crate::server::Accepting;

/// One service that is served.
pub(super) struct Serving {
    pub(super) name: String,
    pub(super) readiness: Readiness,
    pub(super) grpc: Accepting,
    pub(super) http: Option<Accepting>,
}

/// A process that serves.
pub struct Running {
    services: Vec<Serving>,
    in_process: InProcess,
    verifier: Verifier,
    shutdown: Shutdown,
    failures: Failures,
    /// Ends last.
    _apart: Option<Apart>,
    drain: Duration,
    stop: Duration,
}

impl Running {
    pub(super) fn new(
        services: Vec<Serving>,
        in_process: InProcess,
        verifier: Verifier,
        shutdown: Shutdown,
        failures: Failures,
        apart: Option<Apart>,
        (drain, stop): (Duration, Duration),
    ) -> Running {
        Running {
            services,
            in_process,
            verifier,
            shutdown,
            failures,
            _apart: apart,
            drain,
            stop,
        }
    }

    /// Where a service listens for gRPC.
    pub fn address(&self, service: &str) -> Option<SocketAddr> {
        self.service(service).map(|serving| serving.grpc.address())
    }

    /// Where a service listens for HTTP, if it does.
    pub fn http_address(&self, service: &str) -> Option<SocketAddr> {
        self.service(service)?.http.as_ref().map(Accepting::address)
    }

    /// The services' names with their gRPC addresses.
    pub fn addresses(&self) -> Vec<(&str, SocketAddr)> {
        self.services
            .iter()
            .map(|serving| (serving.name.as_str(), serving.grpc.address()))
            .collect()
    }

    /// What the services of this process verify tokens with.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The services of this process, for callers inside it.
    pub fn in_process(&self) -> &InProcess {
        &self.in_process
    }

    /// Tells tasks outside the services when the process ends.
    pub fn shutdown_handle(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Waits until every service is ready.
    pub fn ready(&self) -> impl Future<Output = ()> + use<> {
        let all: Vec<Readiness> = self.services.iter().map(|serving| serving.readiness.clone()).collect();
        async move {
            join_all(all.iter().map(Readiness::ready)).await;
        }
    }

    /// What is not done yet, as `service: task`.
    pub fn pending(&self) -> Vec<String> {
        let of = |serving: &Serving| {
            let name = serving.name.clone();
            serving
                .readiness
                .pending()
                .into_iter()
                .map(move |task| format!("{name}: {task}"))
        };
        self.services.iter().flat_map(of).collect()
    }

    /// Waits until a task of a service fails.
    pub async fn failed(&mut self) -> Error {
        self.failures.next().await
    }

    /// Serves until a signal, or until a task fails; then ends in good order. A second signal ends at once.
    ///
    /// # Errors
    /// The failure of the task.
    pub async fn run_until_signal(self) -> Result<()> {
        let signals = SignalWatch::new()?;
        self.run_until(signals.signalled()).await
    }

    /// Serves until `stop` is over, or until a task fails; then ends in good order.
    ///
    /// # Errors
    /// The failure of the task.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<()> {
        let failure = tokio::select! {
            () = stop => None,
            failure = self.failed() => Some(failure),
        };
        tracing::info!("draining");
        self.shutdown().await;
        failure.map_or(Ok(()), Err)
    }

    /// Ends: takes nothing new, finishes what runs, then ends the tasks; each phase has its deadline and then uses
    /// force.
    pub async fn shutdown(self) {
        self.shutdown.drain();
        let names: Vec<String> = self.services.iter().map(|serving| serving.name.clone()).collect();
        let accepting = self
            .services
            .into_iter()
            .flat_map(|serving| [Some(serving.grpc), serving.http])
            .flatten();
        let forced: usize = join_all(accepting.map(|accepting| accepting.drain(self.drain)))
            .await
            .into_iter()
            .sum();
        let tasks = self.shutdown.stop(self.stop).await;
        // Services call each other while they end, so they stay registered until all have.
        names.iter().for_each(|name| self.in_process.deregister(name));
        if forced > 0 || !tasks.is_empty() {
            tracing::warn!(connections = forced, tasks = tasks.join(", "), "ended by force");
        }
    }

    fn service(&self, name: &str) -> Option<&Serving> {
        self.services.iter().find(|serving| serving.name == name)
    }
}

/// The exit code for an error that ends the process: 2 for what its user can mend (config, ports, folders), 1 else.
pub fn exit_code(error: &Error) -> i32 {
    if error.kind() == Kind::Invalid { 2 } else { 1 }
}
