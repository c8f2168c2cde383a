//! Boot: folders, ports, identities, services.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, try_join_all};
use tokio::net::TcpListener;

use super::apart::Apart;
use super::bind::{address_of, bind};
use super::config::AppConfig;
use super::readiness::Readiness;
use super::running::{Running, Serving};
use super::service::{Deps, HttpSurface, Service};
use super::shutdown::{Failures, Shutdown};
use crate::channel::{AuthKeys, Channels};
use crate::error::{Error, Result};
use crate::identity::{ServiceIdentity, Verifier, refresh};
use crate::ids::Ids;
use crate::registry::{InProcess, LocalService, Registry, Static};
use crate::server::{Accepting, Health, accept, administered, http_service, layered, standard_services};
use crate::store::StoreConfig;
use crate::telemetry;
use crate::time::{Chance, Clock};

/// The time between two foldings of what was measured.
const METRICS_UPKEEP: Duration = Duration::from_secs(1);

type Build = Box<dyn FnOnce(Deps) -> BoxFuture<'static, Result<Service>> + Send>;

/// A process that is not started yet.
pub struct App {
    config: AppConfig,
    clock: Clock,
    chance: Chance,
    services: Vec<(String, Build)>,
    apart: BTreeSet<String>,
    listeners: HashMap<String, TcpListener>,
    http_listeners: HashMap<String, TcpListener>,
}

impl App {
    /// A process without services.
    pub fn new(config: AppConfig, clock: Clock, chance: Chance) -> App {
        App {
            config,
            clock,
            chance,
            services: Vec::new(),
            apart: BTreeSet::new(),
            listeners: HashMap::new(),
            http_listeners: HashMap::new(),
        }
    }

    /// Adds a service. Services are built at the same time, so `build` must not wait for another service: what it
    /// needs of others it asks in a task of its own, and takes a readiness guard meanwhile.
    pub fn add<F, R>(&mut self, name: &str, build: F) -> &mut App
    where
        F: FnOnce(Deps) -> R + Send + 'static,
        R: Future<Output = Result<Service>> + Send + 'static,
    {
        self.services
            .push((name.to_owned(), Box::new(|deps| Box::pin(build(deps)))));
        self
    }

    /// Runs the tasks of these services on threads apart from the others', which come first where the processors are busy:
    /// for services whose work nobody's answer waits for.
    pub fn run_apart(&mut self, names: &[&str]) -> &mut App {
        self.apart.extend(names.iter().map(|&name| name.to_owned()));
        self
    }

    /// Hands over the listener of a service's gRPC port, instead of binding the port of the config.
    pub fn listen(&mut self, name: &str, listener: TcpListener) -> &mut App {
        self.listeners.insert(name.to_owned(), listener);
        self
    }

    /// Hands over the listener of a service's HTTP surface, instead of binding the surface's address.
    pub fn listen_http(&mut self, name: &str, listener: TcpListener) -> &mut App {
        self.http_listeners.insert(name.to_owned(), listener);
        self
    }

    /// Starts every service. It returns when all are built and served; they may not be ready yet.
    ///
    /// # Errors
    /// `Invalid` naming the folder, port or config key that does not fit; whatever a service's `build` refuses with.
    pub async fn start(mut self) -> Result<Running> {
        let services = std::mem::take(&mut self.services);
        let names: Vec<String> = services.iter().map(|(name, _)| name.clone()).collect();
        let bound = self.bind(&names).await?;
        let (boot, failures) = Boot::prepare(self.config, self.clock, self.chance, &names)?;
        let apart = match self.apart.is_empty() {
            true => None,
            false => Some(Apart::start()?),
        };
        let serving = services.into_iter().zip(bound).map(|((name, build), bound)| {
            let apart = apart.as_ref().filter(|_| self.apart.contains(&name));
            let serving = boot.clone().serve(name, build, bound);
            async move {
                match apart {
                    Some(apart) => apart.run(serving).await,
                    None => serving.await,
                }
            }
        });
        match try_join_all(serving).await {
            Ok(serving) => boot.running(serving, failures, apart),
            Err(error) => {
                boot.shutdown.stop(Duration::from_millis(boot.config.stop_ms)).await;
                Err(error)
            }
        }
    }

    async fn bind(&mut self, names: &[String]) -> Result<Vec<Bound>> {
        let mut bound = Vec::new();
        for name in names {
            let grpc = match self.listeners.remove(name) {
                Some(listener) => listener,
                None => {
                    let address = format!("{}:{}", self.config.host, self.config.port(name));
                    bind(&address, &format!("mesh.ports.{name}")).await?
                }
            };
            let http = self.http_listeners.remove(name);
            bound.push(Bound { grpc, http });
        }
        Ok(bound)
    }
}

/// The listeners of one service; that of its HTTP surface only when it was handed over.
struct Bound {
    grpc: TcpListener,
    http: Option<TcpListener>,
}

/// What all services of a process share while they start.
#[derive(Clone)]
struct Boot {
    config: AppConfig,
    clock: Clock,
    chance: Chance,
    in_process: InProcess,
    registries: Vec<Arc<dyn Registry>>,
    identities: BTreeMap<String, ServiceIdentity>,
    verifier: Verifier,
    shutdown: Shutdown,
}

impl Boot {
    fn prepare(config: AppConfig, clock: Clock, chance: Chance, names: &[String]) -> Result<(Boot, Failures)> {
        // Before anything is measured.
        telemetry::metrics();
        let keys = config.keys_folder();
        create_folder(&config.data_dir, "mesh.data_dir")?;
        create_folder(&keys, "mesh.keys_dir")?;
        let load = |name: &String| {
            Ok((
                name.clone(),
                ServiceIdentity::load_or_create(&keys, name, &clock, &chance)?,
            ))
        };
        let identities = names.iter().map(load).collect::<Result<BTreeMap<_, _>>>()?;
        let verifier = Verifier::new(config.verifier.clone(), clock.clone());
        verifier.trust_folder(&keys)?;
        // Requests may come before the first fetch has begun.
        verifier.expect_keys();
        let in_process = InProcess::default();
        let registries: Vec<Arc<dyn Registry>> =
            vec![Arc::new(in_process.clone()), Arc::new(Static::new(&config.peers)?)];
        let (shutdown, failures) = Shutdown::new();
        Ok((
            Boot {
                config,
                clock,
                chance,
                in_process,
                registries,
                identities,
                verifier,
                shutdown,
            },
            failures,
        ))
    }

    async fn serve(self, name: String, build: Build, bound: Bound) -> Result<Serving> {
        let deps = self.deps(&name)?;
        let readiness = deps.readiness.clone();
        // Held until the service is registered, so that nobody calls a half-built service ready.
        let building = readiness.guard("build");
        let service = build(deps).await?;
        let (routes, health) = standard_services(service.name, service.routes).await?;
        let draining = self.shutdown.draining();
        let local = layered(
            &name,
            routes,
            &self.config.server,
            &self.verifier,
            &self.chance,
            &draining,
        );
        self.in_process.register(&name, local.clone());
        let http = match service.http {
            Some(surface) => Some(self.serve_http(surface, bound.http).await?),
            None => None,
        };
        let grpc = self.serve_grpc(local, bound.grpc, &readiness)?;
        self.shutdown.spawn(
            format!("{name} health"),
            tell_health(name.clone(), health, readiness.clone(), draining),
        );
        drop(building);
        Ok(Serving {
            name,
            readiness,
            grpc,
            http,
        })
    }

    fn deps(&self, name: &str) -> Result<Deps> {
        let data_dir = self.config.data_dir.join(name);
        create_folder(&data_dir, "mesh.data_dir")?;
        let identity = self.identities.get(name).cloned().ok_or_else(|| unnamed(name))?;
        Ok(Deps {
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            ids: Ids::new(self.clock.clone(), self.chance.clone()),
            channels: self.channels(identity.clone()),
            store: store_of(&self.config.store, &data_dir, name),
            data_dir,
            readiness: Readiness::default(),
            shutdown: self.shutdown.clone(),
            identity,
            verifier: self.verifier.clone(),
        })
    }

    fn channels(&self, identity: ServiceIdentity) -> Channels {
        Channels::new(
            self.config.channel.clone(),
            self.registries.clone(),
            identity,
            self.chance.clone(),
        )
    }

    fn serve_grpc(&self, local: LocalService, listener: TcpListener, readiness: &Readiness) -> Result<Accepting> {
        let (readiness, draining) = (readiness.clone(), self.shutdown.draining());
        let pending = Arc::new(move || {
            if draining.is_cancelled() {
                vec!["draining".to_owned()]
            } else {
                readiness.pending()
            }
        });
        self.accept(listener, administered(local, pending), &self.config.server.accept)
    }

    async fn serve_http(&self, surface: HttpSurface, listener: Option<TcpListener>) -> Result<Accepting> {
        let listener = match listener {
            Some(listener) => listener,
            None => bind(&surface.address.to_string(), surface.address_key).await?,
        };
        self.accept(
            listener,
            http_service(surface.router, self.shutdown.draining()),
            &surface.accept,
        )
    }

    fn accept(
        &self,
        listener: TcpListener,
        service: LocalService,
        config: &crate::server::AcceptConfig,
    ) -> Result<Accepting> {
        address_of(&listener)?;
        accept(listener, service, config.clone(), self.chance.clone())
            .map_err(|error| Error::internal("LISTENER_LOST", format!("a listener is gone: {error}")))
    }

    fn running(self, serving: Vec<Serving>, failures: Failures, apart: Option<Apart>) -> Result<Running> {
        if let Some(identity) = self.identities.values().next() {
            let source = AuthKeys::new(self.channels(identity.clone()));
            let refreshing = refresh(self.verifier.clone(), source, self.config.refresh.clone());
            self.until_stopped("keys", refreshing);
        }
        self.until_stopped("metrics", upkeep());
        let drain = Duration::from_millis(self.config.drain_ms);
        let stop = Duration::from_millis(self.config.stop_ms);
        Ok(Running::new(
            serving,
            self.in_process,
            self.verifier,
            self.shutdown,
            failures,
            apart,
            (drain, stop),
        ))
    }

    fn until_stopped(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        let token = self.shutdown.token();
        self.shutdown.spawn(name, async move {
            token.run_until_cancelled(task).await;
            Ok(())
        });
    }
}

async fn upkeep() {
    loop {
        tokio::time::sleep(METRICS_UPKEEP).await;
        // Tens of thousands of values may have come: no task waits behind them.
        let _ = tokio::task::spawn_blocking(|| telemetry::metrics().upkeep()).await;
    }
}

/// Says SERVING while no readiness guard is left, and NOT_SERVING before, and once the process drains.
async fn tell_health(
    name: String,
    health: Health,
    readiness: Readiness,
    draining: tokio_util::sync::CancellationToken,
) -> Result<()> {
    let mut is_ready = false;
    while draining
        .run_until_cancelled(readiness.wait_for(!is_ready))
        .await
        .is_some()
    {
        is_ready = !is_ready;
        health.set(is_ready).await;
        tracing::info!(service = name, ready = is_ready, "readiness changed");
    }
    health.set(false).await;
    Ok(())
}

/// An own file for SQLite; a server's database has a schema for each service instead.
pub(super) fn store_of(config: &StoreConfig, data_dir: &Path, name: &str) -> StoreConfig {
    if !config.url.is_empty() {
        return config.clone();
    }
    let file = StoreConfig::sqlite(&data_dir.join(format!("{name}.db")));
    StoreConfig {
        url: file.url,
        ..config.clone()
    }
}

/// A folder that is there, and takes a file: one that cannot be written is found before anything runs.
fn create_folder(path: &Path, key: &str) -> Result<()> {
    let probe = path.join(format!(".probe-{}", std::process::id()));
    let probed = || match std::fs::File::create(&probe) {
        Ok(_) => std::fs::remove_file(&probe),
        // What runs there has set room aside, or says itself what it lacks.
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => Ok(()),
        Err(error) => Err(error),
    };
    std::fs::create_dir_all(path).and_then(|()| probed()).map_err(|error| {
        let message = format!(
            "{} cannot be used: {error}: set {key} to a folder that can be written",
            path.display()
        );
        Error::invalid("FOLDER_UNUSABLE", message)
            .with("folder", path.display())
            .with("key", key)
    })
}

fn unnamed(name: &str) -> Error {
    Error::internal("SERVICE_WITHOUT_IDENTITY", format!("{name} has no identity"))
}
