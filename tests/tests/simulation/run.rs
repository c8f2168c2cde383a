//! One seed: a world is built, lives through its faults, becomes quiet, and is checked.

mod fate;

use super::check;
use super::client::Client;
use super::consumer::{self, Store};
use super::exchange::Exchange;
use super::executor::{Executor, Group, WORLD};
use super::process::{self, Process};
use super::states::{State, States};
use super::trace::Trace;
use super::wish::Log;
use super::world::{BEGINNING, Planted, World};
use fate::Fate;
use mesh::journal::testing::SimulatedDisk;
use mesh::time::{Chance, Clock, ManualClock};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// After so long everything must have settled.
const SETTLED: Duration = Duration::from_millis(12_000);

/// Whether it has settled is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// More polls than any world needs: a loop without an end is found.
const MOST_POLLS: u64 = 2_000_000;

/// Lives that end badly, at most.
const MOST_DEATHS: u32 = 4;

/// What is lived through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Long enough for everything, with faults of every kind.
    #[default]
    Long,
    /// A few orders, and no fault but the one that is chosen: so short that every place can be tried.
    Short,
}

impl Workload {
    /// Clients, and how many orders each makes about.
    fn clients(self) -> (usize, usize) {
        match self {
            Workload::Long => (4, 8),
            Workload::Short => (3, 6),
        }
    }

    /// How long clients want something, and faults may happen.
    fn active(self) -> Duration {
        match self {
            Workload::Long => Duration::from_millis(1_200),
            Workload::Short => Duration::from_millis(500),
        }
    }

    /// Whether faults happen that nobody chose.
    pub(crate) fn has_faults(self) -> bool {
        self == Workload::Long
    }
}

/// What came of one seed.
pub(crate) struct Outcome {
    pub(crate) hash: u64,
    pub(crate) states: States,
    /// What must never happen, and did.
    pub(crate) violations: Vec<String>,
    pub(crate) last_lines: String,
    pub(crate) polls: u64,
    /// Polls of the process that lived last.
    pub(crate) polls_of_last: u64,
    /// Processes that ended before the end.
    pub(crate) deaths: u32,
}

/// What is chosen for one run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choice {
    pub(crate) seed: u64,
    pub(crate) planted: Option<Planted>,
    pub(crate) workload: Workload,
    /// Crash the first process before this poll of it, instead of what the seed would do to it.
    pub(crate) crash_at: Option<u64>,
    /// Cut the power of the first process in this change of its disk, likewise.
    pub(crate) cut_at: Option<u32>,
    /// Print the trace.
    pub(crate) is_shown: bool,
}

struct Run {
    executor: Executor,
    world: World,
    exchange: Exchange,
    disk: SimulatedDisk,
    hands: ManualClock,
    process: Option<Process>,
    fate: Fate,
    polls_of_process: u64,
    frozen: Vec<(Process, Duration)>,
    store: Arc<Mutex<Store>>,
    consumer: Group,
    next_group: Group,
    log: Arc<Mutex<Log>>,
    chance: Chance,
    deaths: u32,
    polls: u64,
    next_whim: Duration,
    choice: Choice,
}

/// Runs one seed.
pub(crate) fn run(choice: Choice) -> Outcome {
    let chance = |part: u64| Chance::seeded(choice.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ part);
    let executor = Executor::new(chance(1));
    let (clock, hands) = Clock::simulated(BEGINNING);
    let trace = Trace::new(choice.is_shown);
    let world = World::new(executor.tasks(), clock, trace, chance(2), choice);
    let exchange = Exchange::open(&world, choice.seed);
    let mut run = Run {
        executor,
        exchange,
        disk: SimulatedDisk::default(),
        hands,
        process: None,
        fate: Fate::Spared,
        polls_of_process: 0,
        frozen: Vec::new(),
        store: Arc::default(),
        consumer: 0,
        next_group: WORLD + 1,
        log: Arc::default(),
        chance: chance(3),
        deaths: 0,
        polls: 0,
        next_whim: Duration::from_millis(50),
        choice,
        world,
    };
    run.start_process();
    run.start_consumer();
    let (clients, orders) = choice.workload.clients();
    let keeper = Client {
        world: run.world.clone(),
        exchange: run.exchange.clone(),
        log: Arc::clone(&run.log),
        chance: chance(200),
        name: clients,
    };
    run.world.tasks.spawn(WORLD, keeper.keep_sessions());
    for name in 0..clients {
        let client = Client {
            world: run.world.clone(),
            exchange: run.exchange.clone(),
            log: Arc::clone(&run.log),
            chance: chance(100 + name as u64),
            name,
        };
        run.world.tasks.spawn(WORLD, client.run(orders));
    }
    run.live();
    run.outcome()
}

impl Run {
    fn group(&mut self) -> Group {
        self.next_group += 1;
        self.next_group
    }

    fn start_process(&mut self) {
        let group = self.group();
        let chance = Chance::seeded(self.chance.u64());
        self.fate = match (self.choice.crash_at, self.choice.cut_at) {
            (Some(poll), _) if self.deaths == 0 => Fate::Crashed(poll),
            (None, Some(change)) if self.deaths == 0 => {
                self.disk.cut_power_after(change);
                Fate::PowerCut
            }
            _ => self.draw_fate(),
        };
        self.world
            .trace
            .line(format_args!("process {group} starts, {:?}", self.fate));
        self.polls_of_process = 0;
        self.process = Some(process::start(&self.exchange, &self.disk, group, chance));
    }

    fn start_consumer(&mut self) {
        self.consumer = self.group();
        let task = consumer::run(self.world.clone(), Arc::clone(&self.store), self.consumer);
        self.world.tasks.spawn(self.consumer, task);
    }

    /// Polls, and lets time pass when all wait, until everything has settled.
    fn live(&mut self) {
        let active = self.choice.workload.active();
        let mut next_look = active;
        loop {
            self.meet_fate();
            match self.executor.step() {
                Some((group, task)) => {
                    self.polls += 1;
                    self.world.trace.step(task);
                    if self.process.as_ref().is_some_and(|process| process.group == group) {
                        self.polls_of_process += 1;
                    }
                }
                None => self.pass_time(),
            }
            self.bury();
            let now = self.world.clock.monotonic();
            if now >= active && !self.world.is_quiet() {
                self.become_quiet();
                // By then the owner has seen the last marks, and looked at what waits for them.
                next_look = now + LOOK_EVERY;
            }
            if now >= next_look {
                next_look = now + LOOK_EVERY;
                if self.world.is_quiet() && self.unsettled().is_empty() {
                    return;
                }
            }
            if now >= SETTLED || self.polls >= MOST_POLLS {
                let open = self.unsettled();
                self.world
                    .violation(format!("not settled after {} polls: {open}", self.polls));
                return;
            }
            if !self.world.violations.lock().is_empty() {
                return;
            }
        }
    }

    fn pass_time(&mut self) {
        let clocks = self
            .process
            .iter()
            .chain(self.frozen.iter().map(|(process, _)| process));
        let mut hands: Vec<&ManualClock> = clocks.map(|process| &process.hands).collect();
        hands.push(&self.hands);
        let due = hands.iter().filter_map(|hands| hands.next_due()).min();
        // With nobody asleep nothing can ever happen again; the bound of the run ends it.
        let step = due.unwrap_or(LOOK_EVERY).max(Duration::from_micros(1));
        hands.iter().for_each(|hands| hands.advance(step));
        let now = self.world.clock.monotonic();
        self.thaw(now);
        let is_due = now >= self.next_whim && !self.world.is_quiet();
        if is_due && !self.choice.workload.has_faults() {
            self.next_whim = now + Duration::from_millis(30);
            self.exchange.drift();
        } else if is_due {
            self.next_whim = now + Duration::from_micros(20_000 + self.chance.below(150_000));
            self.whim();
        }
    }

    /// Something that happens beside the process's own fate.
    fn whim(&mut self) {
        self.exchange.drift();
        match self.chance.below(16) {
            0..2 => self.exchange.disconnect(),
            2..4 => {
                let Some(process) = &self.process else { return };
                let hour = if self.chance.below(2) == 0 {
                    3_600_000_000
                } else {
                    -3_600_000_000
                };
                process.hands.set(self.world.clock.now_micros() + hour);
                self.world.note(State::ClockJumped);
                self.world.trace.line(format_args!("the clock jumps by {hour}"));
            }
            4 => {
                let until = self.world.clock.monotonic() + Duration::from_micros(self.chance.below(900_000));
                *self.world.outage.lock() = until;
                self.world.note(State::Outage);
            }
            5..9 => {
                if self.store.lock().is_open {
                    self.world.note(State::ConsumerCrashed);
                }
                self.executor.kill(self.consumer);
                self.store.lock().is_open = false;
                self.start_consumer();
            }
            _ => {
                // The crowd moves on, whether or not anybody asks.
                self.exchange.with(|_, _, _| ());
            }
        }
    }

    fn become_quiet(&mut self) {
        self.world.trace.line(format_args!("quiet"));
        self.exchange.with(|_, _, _| ());
        self.world.become_quiet();
        // A chosen end comes wherever it was chosen.
        let is_chosen = self.deaths == 0 && (self.choice.crash_at, self.choice.cut_at) != (None, None);
        if !is_chosen {
            self.fate = Fate::Spared;
            self.disk.spare();
        }
        // A new connection reconciles.
        self.exchange.disconnect();
        self.thaw(self.world.clock.monotonic());
    }

    /// What is still open; empty once all has settled.
    fn unsettled(&self) -> String {
        let Some(home) = self.world.home_of_owner() else {
            return "nobody owns the shard".to_owned();
        };
        if self.world.under_way.load(Ordering::Relaxed) > 0 {
            return "the venue has not carried out everything".to_owned();
        }
        let state = check::replayed(&*home.shard.reader());
        let cursor = self.store.lock().cursor;
        match check::unsettled(&self.exchange, &state, &self.log.lock()) {
            open if open.is_empty() && cursor != state.sequence() => {
                format!("the consumer is at {cursor} of {}", state.sequence())
            }
            open => open,
        }
    }

    fn outcome(mut self) -> Outcome {
        if self.world.violations.lock().is_empty() {
            self.check();
        }
        let violations = self.world.violations.lock().clone();
        Outcome {
            hash: self.world.trace.hash(),
            states: self.world.states.clone(),
            violations,
            last_lines: self.world.trace.last_lines(),
            polls: self.polls,
            polls_of_last: self.polls_of_process,
            deaths: self.deaths,
        }
    }

    fn check(&mut self) {
        let Some(home) = self.world.home_of_owner() else { return };
        // The live state is asked for through the shard, while the world still turns.
        let live: Arc<Mutex<Option<trading::core::State>>> = Arc::default();
        let (answer, shard) = (Arc::clone(&live), home.shard.clone());
        self.world.tasks.spawn(WORLD, async move {
            if let Ok(trading::Reply::State(state)) = shard.ask(trading::Ask::State).await {
                *answer.lock() = Some(*state);
            }
        });
        for _ in 0..100_000 {
            if live.lock().is_some() {
                break;
            }
            if self.executor.step().is_none() {
                self.pass_time();
            }
        }
        let Some(live) = live.lock().take() else {
            return self.world.violation("the shard does not answer".to_owned());
        };
        // A restart from what the disk holds.
        if let Some(process) = self.process.take() {
            self.executor.kill(process.group);
        }
        self.disk.crash(&self.chance);
        let parts = check::Parts {
            world: &self.world,
            exchange: &self.exchange,
            log: &self.log.lock(),
            store: &self.store.lock(),
            live: &live,
        };
        check::all(&parts, &self.disk);
    }
}
