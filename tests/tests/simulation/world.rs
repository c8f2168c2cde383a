//! What everything in a simulated world shares: its tasks, clock, chance and faults, its counters, and who owns the shard.

use super::disk::Phase;
use super::executor::{Group, Tasks};
use super::run::Choice;
use super::states::{State, States};
use super::trace::Trace;
use mesh::time::{Chance, Clock};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use trading::{Home, Sessions};

/// When every world begins, in microseconds since the Unix epoch: 26.4 s after midnight (UTC), which one venue in eight sees
/// 0.6 s later, since its clock is 27 s behind.
pub(crate) const BEGINNING: i64 = 1_790_035_226_400_000;

/// A bug built into one of the parts, which the checks must catch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// The journal says that a batch is durable before it has written it.
    AcknowledgeBeforeSync,
    /// The line to the venue takes a timeout for a request that did not leave, so that it is sent again.
    ResendOnTimeout,
    /// Fills are told apart by account and trade, and not by symbol.
    FillKeyWithoutSymbol,
    /// The journal does not see that somebody else has opened it.
    NoEpochCheck,
    /// The consumer moves its cursor beside the transaction of its effect.
    CursorOutsideTransaction,
}

impl Planted {
    /// All of them.
    pub(crate) const ALL: [Planted; 5] = [
        Planted::AcknowledgeBeforeSync,
        Planted::ResendOnTimeout,
        Planted::FillKeyWithoutSymbol,
        Planted::NoEpochCheck,
        Planted::CursorOutsideTransaction,
    ];
}

/// What is on its way between the shard's journal and the venue, by venue order id.
#[derive(Default)]
pub(crate) struct Flight {
    /// Orders whose intent is durable.
    pub(crate) intended: BTreeSet<String>,
    /// Orders whose placement has left.
    pub(crate) sent: BTreeSet<String>,
    /// Orders whose placement was answered, or given up.
    pub(crate) answered: BTreeSet<String>,
}

/// The shared part of a world; clones are the same one.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) tasks: Tasks,
    pub(crate) clock: Clock,
    pub(crate) trace: Trace,
    pub(crate) states: States,
    pub(crate) planted: Option<Planted>,
    /// Whether faults happen that nobody chose.
    has_faults: bool,
    /// What of the network, the disk and the people is left to chance.
    pub(crate) chance: Chance,
    /// Whether the faults are over, and with them the crowd and the clients' wishes.
    quiet: Arc<AtomicBool>,
    /// Who was started last, and may own the shard.
    owner: Arc<AtomicU32>,
    /// How to reach the shard.
    home: Arc<Mutex<Option<(Group, Home, Sessions)>>>,
    /// Processes that ended by themselves, and why.
    pub(crate) ended: Arc<Mutex<Vec<(Group, mesh::Error)>>>,
    /// Until when the venue is out of reach, on the world's clock.
    pub(crate) outage: Arc<Mutex<Duration>>,
    pub(crate) flight: Arc<Mutex<Flight>>,
    /// Requests that the venue may still carry out.
    pub(crate) under_way: Arc<AtomicU32>,
    /// Where the journal of the newest owner stands.
    pub(crate) phase: Arc<Mutex<Phase>>,
    /// Whether a trigger's decision is in the batch that is being written.
    pub(crate) fires: Arc<AtomicBool>,
    /// What must never happen, and did.
    pub(crate) violations: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub(crate) fn new(tasks: Tasks, clock: Clock, trace: Trace, chance: Chance, choice: Choice) -> World {
        World {
            tasks,
            clock,
            trace,
            states: States::new(),
            planted: choice.planted,
            has_faults: choice.workload.has_faults(),
            chance,
            quiet: Arc::default(),
            owner: Arc::default(),
            home: Arc::default(),
            ended: Arc::default(),
            outage: Arc::default(),
            flight: Arc::default(),
            under_way: Arc::default(),
            phase: Arc::default(),
            fires: Arc::default(),
            violations: Arc::default(),
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::Relaxed)
    }

    pub(crate) fn become_quiet(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    /// A fault, with a probability in a thousand; never once it is quiet.
    pub(crate) fn strikes(&self, per_mille: u64) -> bool {
        self.chance.below(1_000) < per_mille && self.has_faults && !self.is_quiet()
    }

    /// Whether the venue cannot be reached now.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.clock.monotonic() < *self.outage.lock() && !self.is_quiet()
    }

    /// A span of so many microseconds at most.
    pub(crate) fn span(&self, most_micros: u64) -> Duration {
        Duration::from_micros(self.chance.below(most_micros + 1))
    }

    pub(crate) fn owner(&self) -> Group {
        self.owner.load(Ordering::Relaxed)
    }

    pub(crate) fn set_owner(&self, group: Group) {
        self.owner.store(group, Ordering::Relaxed);
    }

    /// Where the shard is reached, and its sessions; none before the first owner is up.
    pub(crate) fn reached(&self) -> Option<(Home, Sessions)> {
        let home = self.home.lock();
        home.as_ref()
            .map(|(_, home, sessions)| (home.clone(), sessions.clone()))
    }

    /// As [`World::reached`], without the sessions.
    pub(crate) fn home(&self) -> Option<Home> {
        self.reached().map(|(home, _)| home)
    }

    /// As [`World::home`], once it is the present owner that is reached.
    pub(crate) fn home_of_owner(&self) -> Option<Home> {
        let home = self.home.lock();
        let (group, home, _) = home.as_ref()?;
        (*group == self.owner()).then(|| home.clone())
    }

    /// An owner is up.
    pub(crate) fn publish(&self, group: Group, home: Home, sessions: Sessions) {
        if self.owner() == group {
            *self.home.lock() = Some((group, home, sessions));
        }
    }

    pub(crate) fn note(&self, state: State) {
        self.states.note(state);
    }

    pub(crate) fn violation(&self, text: String) {
        self.trace.line(format_args!("VIOLATION {text}"));
        self.violations.lock().push(text);
    }
}
