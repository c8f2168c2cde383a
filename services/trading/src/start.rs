//! Wiring: keys, journals, replay, shards, and the tasks around them.

use crate::NAME;
use crate::alerts::Alerts;
use crate::binance::{Binance, keys};
use crate::clients::MarketFollower;
use crate::config::Config;
use crate::core::{Command, Decider, Halt, HaltScope, Market, SetHalt, State, VenueIds};
use crate::early::Early;
use crate::grpc::{Open, Rpcs};
use crate::reconcile::{FIRST_LOOKS, Home, Reconciler, Times};
use crate::sender::{Backlog, Bounds, Sender};
use crate::sessions::Sessions;
use crate::shard::{Parts, Shard, ShardHandle, Snapshotter, from_snapshot, replay};
use crate::ticker;
use crate::venue::Venue;
use domain::{AccountId, Timestamp};
use mesh::app::{Deps, ReadinessGuard, Service, Shutdown};
use mesh::journal::{FileJournal, FileJournalOptions, Journal, Recovery};
use mesh::time::{Chance, Clock};
use mesh::{Error, Result};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Where the number of shards is kept: another number would put accounts beside their own journals.
const SHARDS_FILE: &str = "shards";

/// Builds the service on the venue that the config names.
///
/// # Errors
/// A bad option or key file; a journal that is locked, damaged, or of another number of shards.
pub async fn build(config: Config, deps: Deps) -> Result<Service> {
    config.validate()?;
    let folder = match config.accounts_dir.as_os_str().is_empty() {
        true => deps.data_dir.join("accounts"),
        false => config.accounts_dir.clone(),
    };
    let keys = keys::load(&folder)?;
    let accounts: Vec<AccountId> = keys.keys().cloned().collect();
    if accounts.is_empty() {
        tracing::warn!(folder = %folder.display(), "no venue keys: nobody can trade");
    }
    let venue = Binance::new(&config, keys, deps.clock.clone(), deps.chance.clone())?;
    venue.enter_orders(&deps.shutdown);
    build_on(config, deps, Arc::new(venue), accounts).await
}

/// Builds the service on a venue at hand, for these accounts.
///
/// # Errors
/// As [`build`].
pub async fn build_on(config: Config, deps: Deps, venue: Arc<dyn Venue>, accounts: Vec<AccountId>) -> Result<Service> {
    build_when(config, deps, venue, accounts, std::future::ready(())).await
}

/// As [`build_on`], and the replay of the journals begins when it may.
pub(crate) async fn build_when(
    config: Config,
    deps: Deps,
    venue: Arc<dyn Venue>,
    accounts: Vec<AccountId>,
    may_replay: impl Future<Output = ()> + Send + 'static,
) -> Result<Service> {
    config.validate()?;
    keep_shards(&deps.data_dir, config.shards)?;
    let ground = Ground {
        venue,
        market: Arc::new(RwLock::new(Market::default())),
        clock: deps.clock.clone(),
        chance: deps.chance.clone(),
        shutdown: deps.shutdown.clone(),
        alerts: Alerts::new(config.alerts_kept),
    };
    let mut journals = Vec::new();
    for number in 0..config.shards {
        let folder = deps.data_dir.join(format!("shard-{number}"));
        let options = FileJournalOptions {
            chance: deps.chance.clone(),
            reserve_bytes: config.journal_reserve_bytes,
            owner_may_block: deps.shutdown.gives_threads(),
            ..FileJournalOptions::default()
        };
        let (journal, recovery) = blocking(move || FileJournal::open(&folder, options)).await?;
        tell_cut(&ground, number, &recovery);
        verify_history(&deps, number, &journal);
        journals.push(journal);
    }
    let of_account = accounts
        .iter()
        .map(|account| (account.clone(), shard_of(account, config.shards)));
    let of_account: Arc<BTreeMap<AccountId, u32>> = Arc::new(of_account.collect());
    let times = (deps.clock.clone(), deps.chance.clone());
    let early = Arc::new(Early::begin(
        &deps.data_dir,
        Arc::clone(&ground.venue),
        accounts,
        times,
    )?);
    let rpcs = Rpcs {
        open: Arc::default(),
        early,
        accounts: of_account,
        venue: ground.venue.name().clone(),
        clock: deps.clock.clone(),
        alerts: ground.alerts.clone(),
        halting: Arc::default(),
    };
    follow_market(&config, &deps, Arc::clone(&ground.market));
    let opening = Opening {
        config,
        ground,
        rpcs: rpcs.clone(),
        guards: (deps.readiness.guard("replay"), deps.readiness.guard("reconciliation")),
    };
    let stop = deps.shutdown.token();
    deps.shutdown.spawn("replay", async move {
        let replaying = async {
            may_replay.await;
            opening.replay(journals).await
        };
        tokio::select! { biased; () = stop.cancelled() => Ok(()), ended = replaying => ended }
    });
    Ok(Service::new(NAME, rpcs.routes()))
}

/// From open journals to shards that everybody may use.
struct Opening {
    config: Config,
    ground: Ground,
    rpcs: Rpcs,
    /// Held until the journals are replayed, and until the accounts are in step.
    guards: (ReadinessGuard, ReadinessGuard),
}

impl Opening {
    async fn replay(self, journals: Vec<FileJournal>) -> Result<()> {
        let (config, ground) = (&self.config, &self.ground);
        let mut halts = Vec::new();
        let mut shards = Vec::new();
        let mut homes = BTreeMap::new();
        let restoring = (0..).zip(journals).map(|(number, journal)| {
            let empty = State::new(number, config.kept());
            blocking(move || {
                let state = restore(&journal, empty)?;
                Ok((journal, state))
            })
        });
        for (number, (journal, state)) in (0..).zip(futures::future::try_join_all(restoring).await?) {
            halts.extend(state.halts().cloned());
            let accounts = self.rpcs.accounts.iter().filter(|(_, shard)| **shard == number);
            let own: Vec<AccountId> = accounts.map(|(account, _)| account.clone()).collect();
            let home = start_shard(config, ground, &own, Box::new(journal), state)?;
            shards.push(home.shard.clone());
            homes.extend(own.into_iter().map(|account| (account, home.clone())));
        }
        spread(&shards, halts).await?;
        let shards = Arc::new(shards);
        let rpcs = &self.rpcs;
        let closing = rpcs.early.closing().await;
        for halt in &closing.halts {
            journal_halt(rpcs, &shards, halt).await?;
        }
        let sessions = Sessions::start(
            Arc::clone(&shards),
            Arc::clone(&rpcs.accounts),
            ground.clock.clone(),
            &ground.shutdown,
        );
        // Nobody else sets it.
        let _ = rpcs.open.set(Open { shards, sessions });
        closing.done()?;
        let (replayed, in_step) = self.guards;
        drop(replayed);
        reconcile(config, ground, homes, in_step);
        Ok(())
    }
}

/// Journals a halt that was taken before, at every shard that it concerns.
async fn journal_halt(rpcs: &Rpcs, shards: &[ShardHandle], halt: &SetHalt) -> Result<()> {
    let is_concerned = |number: u32| match halt.scope {
        HaltScope::Account => rpcs.accounts.get(halt.target.as_str()) == Some(&number),
        _ => true,
    };
    for (number, shard) in (0..).zip(shards) {
        if is_concerned(number) {
            shard.urgent(Command::Halt(halt.clone())).await?;
        }
    }
    Ok(())
}

/// What shards stand on beside their journals. Handed in, so that a simulation hands in its own.
#[derive(Clone)]
pub struct Ground {
    /// Where orders go.
    pub venue: Arc<dyn Venue>,
    /// What is known of the market.
    pub market: Arc<RwLock<Market>>,
    /// The time, and what waits for it.
    pub clock: Clock,
    /// Randomness.
    pub chance: Chance,
    /// Tells when to end, and runs the tasks.
    pub shutdown: Shutdown,
    /// Where what people should look at is raised.
    pub alerts: Alerts,
}

/// Gives every shard the halts that concern all of them: one that was set or lifted when the process ended may be on some
/// only, and is taken for set. Before anything else, so that no order slips by.
async fn spread(shards: &[ShardHandle], halts: Vec<Halt>) -> Result<()> {
    for halt in halts.into_iter().filter(|halt| halt.scope != HaltScope::Account) {
        for shard in shards {
            shard.urgent(Command::AdoptHalt(halt.clone())).await?;
        }
    }
    Ok(())
}

/// Starts what follows the market.
fn follow_market(config: &Config, deps: &Deps, market: Arc<RwLock<Market>>) {
    MarketFollower::new(
        &deps.channels,
        market,
        deps.clock.clone(),
        deps.chance.clone(),
        Config::millis(config.max_backoff_ms),
        Config::millis(config.instruments_interval_ms),
    )
    .start(&deps.shutdown, deps.readiness.guard("instruments"));
}

/// Starts what keeps shards in step with the venue. `guard` is dropped once every account is.
pub fn reconcile(config: &Config, ground: &Ground, homes: BTreeMap<AccountId, Home>, guard: ReadinessGuard) {
    let reconciler = Reconciler {
        venue: Arc::clone(&ground.venue),
        market: Arc::clone(&ground.market),
        homes: Arc::new(homes),
        clock: ground.clock.clone(),
        chance: ground.chance.clone(),
        times: Times {
            max_backoff: Config::millis(config.max_backoff_ms),
            clock_interval: Config::millis(config.clock_interval_ms),
            interval: Config::millis(config.reconcile_interval_ms),
            confirm_after: Duration::from_micros(config.absence_bound_micros().unsigned_abs()),
            ready_bound: Config::millis(config.ready_bound_ms),
        },
        suspicions: Arc::default(),
        turns: Arc::new(Semaphore::new(FIRST_LOOKS)),
        alerts: ground.alerts.clone(),
    };
    reconciler.start(&ground.shutdown, guard);
}

/// Starts the task of a shard and its senders, over its journal and the state restored from it.
///
/// # Errors
/// A bad limit.
pub fn start_shard(
    config: &Config,
    ground: &Ground,
    accounts: &[AccountId],
    journal: Box<dyn Journal>,
    state: State,
) -> Result<Home> {
    let number = state.shard();
    take_snapshots(config, ground, &*journal, State::new(number, state.kept()));
    let ids = VenueIds::new(journal.id(), number, journal.epoch());

    let backlog = Backlog::default();
    let (handle, ends) = ShardHandle::new(
        number,
        config.mailbox,
        config.stream_buffer,
        (journal.id(), journal.reader()),
        (backlog.clone(), config.max_backlog),
    );
    let bounds = Bounds {
        recv_window_micros: i64::from(config.recv_window_ms) * 1_000,
        absence_micros: config.absence_bound_micros(),
        max_backoff: Config::millis(config.max_backoff_ms),
        workers: config.requests_per_account,
        queries: config.concurrent_queries,
    };
    let sender = Sender::start(
        Arc::clone(&ground.venue),
        handle.clone(),
        backlog,
        accounts,
        bounds,
        (ground.clock.clone(), ground.chance.clone()),
        &ground.shutdown,
    );
    let parts = Parts {
        decider: Decider::new(state, ids.clone(), config.risk_limits()?, ground.venue.name().clone()),
        journal,
        market: Arc::clone(&ground.market),
        clock: ground.clock.clone(),
        venue: Arc::clone(&ground.venue),
        sender,
        alerts: ground.alerts.clone(),
        batch: config.batch,
        news_patience: Config::millis(config.news_patience_ms),
    };
    let shard = Shard::new(parts, ends);
    ground
        .shutdown
        .spawn_on_thread(format!("shard {number}"), shard.run(ground.shutdown.token()));
    let interval = Config::millis(config.trigger_interval_ms);
    ticker::start(handle.clone(), interval, ground.clock.clone(), &ground.shutdown);
    Ok(Home { shard: handle, ids })
}

/// The state that a journal holds: that of its newest snapshot which can be used, and the records after it. Reads files: call
/// it where blocking is allowed.
///
/// # Errors
/// A record that cannot be read or cannot follow the ones before it, naming its sequence.
pub fn restore(journal: &dyn Journal, empty: State) -> Result<State> {
    let mut state = from_snapshot(journal.snapshots().as_deref(), empty)?;
    let from = state.sequence();
    replay(&mut state, &*journal.reader())?;
    tracing::info!(shard = state.shard(), from, to = state.sequence(), "journal replayed");
    Ok(state)
}

/// An incomplete last batch was cut: nobody was told that it is durable, and people should know that it was begun.
fn tell_cut(ground: &Ground, number: u32, recovery: &Recovery) {
    let Some((file, offset)) = &recovery.cut_from else {
        return;
    };
    let message = format!(
        "shard {number}: {} bytes of an incomplete last batch were cut from {} at {offset}",
        recovery.cut_bytes,
        file.display()
    );
    let now = Timestamp::from_micros(ground.clock.now_micros());
    ground.alerts.raise("JOURNAL_CUT", None, message, now);
}

/// Verifies what the opening of a journal did not read, beside the work.
fn verify_history(deps: &Deps, number: u32, journal: &FileJournal) {
    let Some(history) = journal.history() else { return };
    let stop = deps.shutdown.token();
    deps.shutdown.spawn(format!("history of shard {number}"), async move {
        let verified = blocking(move || history.verify(|| stop.is_cancelled())).await?;
        tracing::info!(
            shard = number,
            last = verified.last_sequence,
            "the journal's past is verified"
        );
        Ok(())
    });
}

/// Starts the task that takes the snapshots of a shard.
fn take_snapshots(config: &Config, ground: &Ground, journal: &dyn Journal, empty: State) {
    let Some(snapshots) = journal.snapshots() else { return };
    let number = empty.shard();
    let snapshotter = Snapshotter {
        reader: journal.reader(),
        snapshots,
        empty,
        every: config.snapshot_records,
    };
    let stop = ground.shutdown.token();
    ground
        .shutdown
        .spawn(format!("snapshots of shard {number}"), snapshotter.run(stop));
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal("TASK_FAILED", error.to_string()))?
}

/// The shard of an account: always the same one.
fn shard_of(account: &AccountId, shards: u32) -> u32 {
    // FNV-1a, fixed here for ever: an account's journal is found by it.
    let hash = account.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash % u64::from(shards)) as u32
}

/// Refuses a number of shards that is not the one of the journals.
fn keep_shards(data_dir: &Path, shards: u32) -> Result<()> {
    let path: PathBuf = data_dir.join(SHARDS_FILE);
    let unreadable = |error: std::io::Error| Error::internal("DATA_DIR", format!("{}: {error}", path.display()));
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim() == shards.to_string() => Ok(()),
        Ok(text) => Err(Error::invalid(
            "SHARDS_CHANGED",
            format!(
                "the journals were made for {} shards and trading.shards is {shards}",
                text.trim()
            ),
        )
        .with("key", "trading.shards")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::write(&path, shards.to_string()).map_err(unreadable)
        }
        Err(error) => Err(unreadable(error)),
    }
}
