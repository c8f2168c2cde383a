//! Faults on demand, at the edge between the venue and its clients: replies that are late, lost or say "unknown", frames
//! that are lost, doubled, late or in the wrong order, silent streams, damaged update ids, cut connections.
//!
//! The venue itself never fails: what it accepted is in its ledger, whatever the client was told. Every decision is a
//! function of the plan's seed and of counters (the n-th request of a key, the n-th frame of a connection), so that the same
//! clients in the same order meet the same faults. A plan that is set anew counts its requests anew.

mod draw;
mod line;
mod plan;

pub use line::{Class, Frame, Framing, Line};
pub use plan::{Fault, LONGEST_MS, Plan, Scope};

use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many keys have a counter of their own; more share one.
const KEYS: usize = 10_000;

/// What was asked of a plan, and what it did.
#[derive(Debug, Default)]
pub struct Tally {
    injected: [AtomicU64; Fault::ALL.len()],
    /// Requests.
    pub requests: AtomicU64,
    /// User data events.
    pub user_events: AtomicU64,
    /// Market frames.
    pub market_frames: AtomicU64,
}

impl Tally {
    /// How often a fault was injected.
    pub fn injected(&self, fault: Fault) -> u64 {
        self.injected[fault as usize].load(Ordering::Relaxed)
    }

    fn count(&self, fault: Fault) {
        self.injected[fault as usize].fetch_add(1, Ordering::Relaxed);
        metrics::counter!("exchange_faults_total", "fault" => fault.name()).increment(1);
    }
}

/// A plan in force, with its counters.
#[derive(Debug, Default)]
pub struct Running {
    /// What goes wrong.
    pub plan: Plan,
    /// What did.
    pub tally: Tally,
    active: bool,
    keys: Mutex<BTreeMap<u64, u64>>,
}

impl Running {
    fn new(plan: Plan) -> Self {
        Self {
            active: plan.is_active(),
            plan,
            ..Self::default()
        }
    }

    /// Whether anything goes wrong at all.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Whether a fault meets the `n`-th request or frame of `whom`; counts it when it does.
    fn hits(&self, fault: Fault, whom: u64, n: u64) -> bool {
        let hit = draw::hits(&self.plan, fault, whom, n);
        if hit {
            self.tally.count(fault);
        }
        hit
    }

    fn time(&self, fault: Fault, whom: u64, n: u64) -> Duration {
        draw::time(&self.plan, fault, whom, n)
    }

    /// What becomes of the `n`-th request of a key.
    fn fate(&self, key: u64, n: u64) -> Fate {
        let ends = [
            (Fault::CutBeforeAcceptance, End::CutBefore),
            (Fault::CutAfterAcceptance, End::CutAfter),
            (Fault::UnknownAfterAcceptance, End::Unknown),
        ];
        let end = ends.into_iter().find(|(fault, _)| self.hits(*fault, key, n));
        let late = self.hits(Fault::ReplyDelay, key, n);
        Fate {
            delay: if late {
                self.time(Fault::ReplyDelay, key, n)
            } else {
                Duration::ZERO
            },
            end: end.map_or(End::Reply, |(_, end)| end),
        }
    }

    /// The number of this request among those of its key.
    fn number(&self, key: u64) -> (u64, u64) {
        let mut keys = self.keys.lock();
        let key = if keys.len() < KEYS || keys.contains_key(&key) {
            key
        } else {
            0
        };
        let count = keys.entry(key).or_default();
        *count += 1;
        (key, *count)
    }
}

/// How the exchange of one request goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// How long the reply waits after the venue has acted.
    pub delay: Duration,
    /// What becomes of it.
    pub end: End,
}

impl Fate {
    /// Holds the reply back for its delay. Without one it does not wait at all: a timer of no time still takes its grain, a
    /// millisecond.
    pub async fn hold(self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }
}

/// What becomes of a request and its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The venue acts and replies.
    #[default]
    Reply,
    /// The connection is cut and the venue does not act.
    CutBefore,
    /// The venue acts and the connection is cut.
    CutAfter,
    /// The venue acts and says that the status is unknown.
    Unknown,
}

/// The faults in force; all connections and requests ask here.
#[derive(Debug, Default)]
pub struct Faults {
    running: RwLock<Arc<Running>>,
}

impl Faults {
    /// Begins with a plan.
    pub fn new(plan: Plan) -> Self {
        Self {
            running: RwLock::new(Arc::new(Running::new(plan))),
        }
    }

    /// Puts a plan in force, with counters at zero.
    pub fn set(&self, plan: Plan) {
        *self.running.write() = Arc::new(Running::new(plan));
    }

    /// The plan in force.
    pub fn running(&self) -> Arc<Running> {
        self.running.read().clone()
    }

    /// How a request over REST goes: `scope` is the narrowest scope that holds it, `key` the API key that it names.
    pub fn request(&self, scope: Scope, key: &str) -> Fate {
        self.asked(scope, key)
            .map_or_else(Fate::default, |(running, key, n)| running.fate(key, n))
    }

    /// How a request over the WebSocket API goes, and how its reply is sent; that is counted where it is sent.
    pub fn framed_request(&self, scope: Scope, key: &str) -> (Fate, Framing) {
        let Some((running, key, n)) = self.asked(scope, key) else {
            return Default::default();
        };
        let fate = running.fate(key, n);
        if matches!(fate.end, End::CutBefore | End::CutAfter) {
            return (fate, Framing::default());
        }
        let framing = Framing {
            is_doubled: draw::hits(&running.plan, Fault::ReplyDuplicate, key, n),
            is_overtaken: draw::hits(&running.plan, Fault::ReplyReorder, key, n),
        };
        (fate, framing)
    }

    /// The plan that meets a request, with the request's key and its number among those of the key.
    fn asked(&self, scope: Scope, key: &str) -> Option<(Arc<Running>, u64, u64)> {
        let running = self.running();
        if !running.active || scope > running.plan.scope {
            return None;
        }
        running.tally.requests.fetch_add(1, Ordering::Relaxed);
        let (key, n) = running.number(draw::named(key));
        Some((running, key, n))
    }

    /// Resolves when the connection is to be cut; asks in each second of its life.
    pub async fn cut(&self, connection: u64) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.tick().await;
        for second in 0.. {
            seconds.tick().await;
            if self.running().hits(Fault::Disconnect, connection, second) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_meet_the_faults_of_their_scope_and_key() {
        let plan = Plan {
            seed: 11,
            cut_before_acceptance: 0.2,
            cut_after_acceptance: 0.2,
            unknown_after_acceptance: 0.2,
            reply_delay: 0.5,
            reply_delay_min_ms: 5,
            reply_delay_max_ms: 50,
            ..Plan::default()
        };
        let fates =
            |faults: &Faults, key: &str| -> Vec<Fate> { (0..200).map(|_| faults.request(Scope::Trade, key)).collect() };
        let (one, other) = (Faults::new(plan.clone()), Faults::default());
        assert_eq!(other.request(Scope::Trade, "a"), Fate::default());
        other.set(plan);
        // what others ask does not change what a key meets
        let alone = fates(&one, "a");
        let crowded: Vec<Fate> = (0..200)
            .map(|_| {
                other.request(Scope::Trade, "b");
                other.request(Scope::Trade, "a")
            })
            .collect();
        assert_eq!(alone, crowded);
        for end in [End::Reply, End::CutBefore, End::CutAfter, End::Unknown] {
            assert!(alone.iter().any(|fate| fate.end == end), "{end:?}");
        }
        let late = alone.iter().filter(|fate| !fate.delay.is_zero()).count() as u64;
        let running = one.running();
        assert_eq!(running.tally.injected(Fault::ReplyDelay), late);
        assert_eq!(running.tally.requests.load(Ordering::Relaxed), 200);
        assert_eq!(one.request(Scope::Signed, "a"), Fate::default(), "outside the scope");
        assert_eq!(one.request(Scope::All, ""), Fate::default(), "outside the scope");
    }

    #[test]
    fn replies_of_the_websocket_api_meet_faults_of_their_own() {
        let plan = Plan {
            seed: 11,
            cut_after_acceptance: 0.2,
            reply_duplicate: 0.5,
            reply_reorder: 0.5,
            ..Plan::default()
        };
        let decide = || -> Vec<(Fate, Framing)> {
            let faults = Faults::new(plan.clone());
            (0..200).map(|_| faults.framed_request(Scope::Trade, "a")).collect()
        };
        let decided = decide();
        assert_eq!(decided, decide());
        for framing in [(false, false), (true, false), (false, true), (true, true)] {
            let is_met =
                |(fate, met): &(Fate, Framing)| fate.end == End::Reply && (met.is_doubled, met.is_overtaken) == framing;
            assert!(decided.iter().any(is_met), "{framing:?}");
        }
        let mut cut = decided.iter().filter(|(fate, _)| fate.end == End::CutAfter);
        assert!(
            cut.all(|(_, framing)| *framing == Framing::default()),
            "there is no reply"
        );
        let faults = Faults::new(plan);
        let outside = faults.framed_request(Scope::All, "a");
        assert_eq!(outside, (Fate::default(), Framing::default()), "outside the scope");
    }

    #[test]
    fn counters_are_bounded() {
        let running = Running::new(Plan::default());
        for key in 1..=KEYS as u64 {
            assert_eq!(running.number(key), (key, 1));
        }
        assert_eq!(running.number(u64::MAX), (0, 1));
        assert_eq!(running.number(7), (7, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_cut_in_the_second_that_the_seed_says() {
        let plan = Plan {
            seed: 5,
            disconnect: 0.1,
            ..Plan::default()
        };
        let (faults, started) = (Faults::new(plan), tokio::time::Instant::now());
        faults.cut(1).await;
        let first = started.elapsed();
        let started = tokio::time::Instant::now();
        faults.cut(1).await;
        assert_eq!(first, started.elapsed());
        assert_eq!(faults.running().tally.injected(Fault::Disconnect), 2);
    }
}
