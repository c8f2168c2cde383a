//! Wiring: keys, journals, replay, shards, and the tasks around them.

use crate::NAME;
use crate::binance::{Binance, keys};
use crate::clients::MarketFollower;
use crate::config::Config;
use crate::core::{Decider, Market, State, VenueIds};
use crate::grpc::Rpcs;
use crate::reconcile::{Home, Reconciler};
use crate::sender::{Backlog, Bounds, Sender};
use crate::shard::{Parts, Shard, ShardHandle, replay};
use crate::venue::Venue;
use domain::AccountId;
use mesh::app::{Deps, Service};
use mesh::journal::{FileJournal, FileJournalOptions, Journal};
use mesh::{Error, Result};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    build_on(config, deps, Arc::new(venue), accounts).await
}

/// Builds the service on a venue at hand, for these accounts.
///
/// # Errors
/// As [`build`].
pub async fn build_on(config: Config, deps: Deps, venue: Arc<dyn Venue>, accounts: Vec<AccountId>) -> Result<Service> {
    config.validate()?;
    keep_shards(&deps.data_dir, config.shards)?;
    let market = Arc::new(RwLock::new(Market::default()));
    let mut shards = Vec::new();
    let mut homes = BTreeMap::new();
    let mut of_account = BTreeMap::new();
    for number in 0..config.shards {
        let own: Vec<AccountId> = accounts
            .iter()
            .filter(|account| shard_of(account, config.shards) == number)
            .cloned()
            .collect();
        let home = start_shard(&config, &deps, number, &own, &market, &venue).await?;
        shards.push(home.shard.clone());
        for account in own {
            of_account.insert(account.clone(), number);
            homes.insert(account, home.clone());
        }
    }
    follow(&config, &deps, market, &venue, homes);
    let rpcs = Rpcs {
        shards: Arc::new(shards),
        accounts: Arc::new(of_account),
        venue: venue.name().clone(),
        clock: deps.clock.clone(),
    };
    Ok(Service::new(NAME, rpcs.routes()))
}

/// Starts what follows the market and the venue.
fn follow(
    config: &Config,
    deps: &Deps,
    market: Arc<RwLock<Market>>,
    venue: &Arc<dyn Venue>,
    homes: BTreeMap<AccountId, Home>,
) {
    let max_backoff = Config::millis(config.max_backoff_ms);
    MarketFollower::new(
        &deps.channels,
        market,
        deps.clock.clone(),
        deps.chance.clone(),
        max_backoff,
        Config::millis(config.instruments_interval_ms),
    )
    .start(&deps.shutdown, deps.readiness.guard("instruments"));
    let reconciler = Reconciler {
        venue: Arc::clone(venue),
        homes: Arc::new(homes),
        chance: deps.chance.clone(),
        max_backoff,
        clock_interval: Config::millis(config.clock_interval_ms),
    };
    reconciler.start(&deps.shutdown, deps.readiness.guard("reconciliation"));
}

/// Opens a shard's journal, replays it, and starts its task.
async fn start_shard(
    config: &Config,
    deps: &Deps,
    number: u32,
    accounts: &[AccountId],
    market: &Arc<RwLock<Market>>,
    venue: &Arc<dyn Venue>,
) -> Result<Home> {
    let folder = deps.data_dir.join(format!("shard-{number}"));
    let chance = deps.chance.clone();
    let empty = State::new(number, config.kept());
    let (journal, state) = blocking(move || {
        open(
            &folder,
            FileJournalOptions {
                chance,
                ..Default::default()
            },
            empty,
        )
    })
    .await?;
    let ids = VenueIds::new(journal.id(), number, journal.epoch());
    tracing::info!(
        shard = number,
        sequence = state.sequence(),
        epoch = journal.epoch(),
        "journal replayed"
    );

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
        Arc::clone(venue),
        handle.clone(),
        backlog,
        accounts,
        bounds,
        deps.chance.clone(),
        &deps.shutdown,
    );
    let parts = Parts {
        decider: Decider::new(state, ids.clone(), config.risk_limits()?, venue.name().clone()),
        journal: Box::new(journal),
        market: Arc::clone(market),
        clock: deps.clock.clone(),
        venue: Arc::clone(venue),
        sender,
        batch: config.batch,
    };
    let shard = Shard::new(parts, ends);
    deps.shutdown
        .spawn(format!("shard {number}"), shard.run(deps.shutdown.token()));
    Ok(Home { shard: handle, ids })
}

fn open(folder: &Path, options: FileJournalOptions, mut state: State) -> Result<(FileJournal, State)> {
    let (journal, recovery) = FileJournal::open(folder, options)?;
    if recovery.cut_bytes > 0 {
        crate::metrics::alert("JOURNAL_CUT");
    }
    replay(&mut state, &*journal.reader())?;
    Ok((journal, state))
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
