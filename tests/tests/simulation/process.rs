//! One life of `trading`: it opens the journal, restores the shard, and follows the venue, with the service's own parts.

use super::disk::{ProcessDisk, SlowJournal};
use super::exchange::{ACCOUNTS, Exchange};
use super::executor::{Group, WORLD};
use super::line::{Line, PROCESSING_MICROS, RECV_WINDOW_MICROS};
use super::states::State as Reached;
use super::world::World;
use domain::{AccountId, Timestamp};
use mesh::app::{Readiness, Shutdown};
use mesh::journal::testing::SimulatedDisk;
use mesh::journal::{FileJournal, FileJournalOptions, Journal};
use mesh::time::{Chance, Clock, ManualClock};
use parking_lot::{Mutex, RwLock};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use trading::core::{Market, State};
use trading::{Alerts, Config, Ground, LimitOptions, Sessions};

/// Where the journal is.
pub(crate) const FOLDER: &str = "/shard-0";

/// How often the marks are read.
const MARKS_EVERY: Duration = Duration::from_millis(40);

/// The options of the service.
pub(crate) fn config() -> Config {
    Config {
        shards: 1,
        recv_window_ms: (RECV_WINDOW_MICROS / 1_000) as u32,
        // What the venue promises, and twice the error of our idea of its clock.
        processing_bound_ms: (PROCESSING_MICROS / 1_000) as u32 + 160,
        max_backoff_ms: 200,
        clock_interval_ms: 1_000,
        requests_per_account: 2,
        concurrent_queries: 4,
        snapshot_records: 60,
        reconcile_interval_ms: 700,
        limits: LimitOptions {
            max_order_notional: "8000".to_owned(),
            max_open_orders: 12,
            duplicate_window_ms: 100,
            ..LimitOptions::default()
        },
        ..Config::default()
    }
}

/// The state before the first record.
pub(crate) fn empty() -> State {
    State::new(0, config().kept())
}

/// The accounts.
pub(crate) fn accounts() -> Vec<AccountId> {
    ACCOUNTS.map(|name| AccountId::parse(name).unwrap()).to_vec()
}

/// A process that was started.
pub(crate) struct Process {
    pub(crate) group: Group,
    /// Its clock's hands.
    pub(crate) hands: ManualClock,
    _shutdown: Shutdown,
}

/// Starts a process.
pub(crate) fn start(exchange: &Exchange, disk: &SimulatedDisk, group: Group, chance: Chance) -> Process {
    let world = exchange.world.clone();
    let (clock, hands) = Clock::simulated(world.clock.now_micros() + chance.below(2_000_000) as i64 - 1_000_000);
    let (shutdown, mut failures) = Shutdown::with_spawner(world.tasks.spawner(group));
    world.set_owner(group);
    let ended = Arc::clone(&world.ended);
    world.tasks.spawn(WORLD, async move {
        let error = failures.next().await;
        ended.lock().push((group, error));
    });
    let ground = Ground {
        venue: Arc::new(Line::new(exchange, clock.clone(), group)),
        market: Arc::new(RwLock::new(Market {
            instruments: exchange.instruments(),
            ..Market::default()
        })),
        clock,
        chance,
        shutdown: shutdown.clone(),
        alerts: Alerts::new(100),
    };
    follow_market(exchange, &ground);
    let disk = disk.clone();
    shutdown
        .clone()
        .spawn("boot", async move { boot(world, disk, group, ground).await });
    Process {
        group,
        hands,
        _shutdown: shutdown,
    }
}

async fn boot(world: World, disk: SimulatedDisk, group: Group, ground: Ground) -> mesh::Result<()> {
    ground.clock.sleep(world.span(20_000)).await;
    let options = FileJournalOptions {
        segment_bytes: 16 * 1024,
        reserve_bytes: 8 * 1024,
        zeros_bytes: 4 * 1024,
        disk: Arc::new(ProcessDisk {
            disk,
            world: world.clone(),
            first_meta: Mutex::default(),
        }),
        chance: ground.chance.clone(),
        ..FileJournalOptions::default()
    };
    let (journal, recovery) = FileJournal::open(Path::new(FOLDER), options)?;
    if recovery.cut_bytes > 0 {
        world.note(Reached::TornBatchCut);
    }
    if journal
        .snapshots()
        .map(|all| all.newest(u64::MAX))
        .transpose()?
        .flatten()
        .is_some()
    {
        world.note(Reached::SnapshotStart);
    }
    let state = trading::restore(&journal, empty())?;
    let (epoch, sequence) = (journal.epoch(), state.sequence());
    world
        .trace
        .line(format_args!("process {group} opened epoch {epoch} at {sequence}"));
    if state.halts().next().is_some() {
        world.note(Reached::HaltSurvived);
    }
    if state.accounts().any(|(_, account)| !account.sessions.is_empty()) {
        world.note(Reached::SessionOutlived);
    }
    *world.phase.lock() = Default::default();
    let journal = SlowJournal {
        journal,
        world: world.clone(),
        owed: None,
    };
    let home = trading::start_shard(&config(), &ground, &accounts(), Box::new(journal), state)?;
    let shards = Arc::new(vec![home.shard.clone()]);
    let shard_of = accounts().into_iter().map(|account| (account, 0)).collect();
    let sessions = Sessions::start(shards, Arc::new(shard_of), ground.clock.clone(), &ground.shutdown);
    let homes = accounts().into_iter().map(|account| (account, home.clone())).collect();
    let readiness = Readiness::default();
    trading::reconcile(&config(), &ground, homes, readiness.guard("reconciliation"));
    world.publish(group, home, sessions);
    Ok(())
}

/// What the data service tells, as long as the process lives.
fn follow_market(exchange: &Exchange, ground: &Ground) {
    let (exchange, ground) = (exchange.clone(), ground.clone());
    ground.clone().shutdown.detach(async move {
        loop {
            {
                let mut market = ground.market.write();
                market.marks = exchange.marks();
                market.heard = Timestamp::from_micros(ground.clock.now_micros());
            }
            ground.clock.sleep(MARKS_EVERY).await;
        }
    });
}
