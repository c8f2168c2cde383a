//! Time and chance, which are injected: a test or a simulation hands in its own.
//!
//! This is the only place that reads the system's clock or its entropy.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Tells the time: the wall clock, and a monotonic one for durations.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    System { origin: Instant },
    Manual(Arc<Hands>),
}

/// The hands of a manual clock.
#[derive(Debug)]
struct Hands {
    wall_micros: AtomicI64,
    monotonic_micros: AtomicU64,
    /// Whoever sleeps by these hands; none when sleeping is left to the runtime.
    sleepers: Option<Mutex<Sleepers>>,
}

/// Wakers by the time that they wait for, and a number that tells equal times apart.
#[derive(Debug, Default)]
struct Sleepers {
    next: u64,
    waiting: BTreeMap<(u64, u64), Waker>,
}

impl Hands {
    /// Whether the hands have reached `until`; if not, `context` is woken when they do.
    fn reached(&self, until: u64, number: &mut Option<u64>, context: &Context<'_>) -> bool {
        if self.monotonic_micros.load(Ordering::SeqCst) >= until {
            return true;
        }
        if let Some(sleepers) = &self.sleepers {
            let mut sleepers = sleepers.lock();
            let number = *number.get_or_insert(sleepers.next);
            sleepers.next = sleepers.next.max(number + 1);
            sleepers.waiting.insert((until, number), context.waker().clone());
        }
        false
    }

    /// Takes the wakers whose time has come.
    fn due(&self) -> Vec<Waker> {
        let Some(sleepers) = &self.sleepers else {
            return Vec::new();
        };
        let now = self.monotonic_micros.load(Ordering::SeqCst);
        let mut sleepers = sleepers.lock();
        let later = sleepers.waiting.split_off(&(now + 1, 0));
        std::mem::replace(&mut sleepers.waiting, later).into_values().collect()
    }
}

/// Forgets a sleeper that does not wait any more.
struct Place<'a> {
    hands: &'a Hands,
    until: u64,
    number: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let (Some(sleepers), Some(number)) = (&self.hands.sleepers, self.number) {
            sleepers.lock().waiting.remove(&(self.until, number));
        }
    }
}

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Clock {
            source: Source::System { origin: Instant::now() },
        }
    }

    /// A clock that stands still until its [`ManualClock`] moves it.
    ///
    /// Whoever sleeps by it sleeps by the runtime's timers all the same.
    pub fn manual(start_micros: i64) -> (Self, ManualClock) {
        Clock::by_hand(start_micros, None)
    }

    /// A clock of a simulation: it stands still until its [`ManualClock`] moves it, and wakes its sleepers itself. It needs
    /// no runtime.
    pub fn simulated(start_micros: i64) -> (Self, ManualClock) {
        Clock::by_hand(start_micros, Some(Mutex::default()))
    }

    fn by_hand(start_micros: i64, sleepers: Option<Mutex<Sleepers>>) -> (Self, ManualClock) {
        let hands = Arc::new(Hands {
            wall_micros: AtomicI64::new(start_micros),
            monotonic_micros: AtomicU64::new(0),
            sleepers,
        });
        let clock = Clock {
            source: Source::Manual(Arc::clone(&hands)),
        };
        (clock, ManualClock { hands })
    }

    /// Microseconds since the Unix epoch. May jump in both directions, as wall clocks do.
    pub fn now_micros(&self) -> i64 {
        match &self.source {
            Source::System { .. } => system_micros(),
            Source::Manual(hands) => hands.wall_micros.load(Ordering::SeqCst),
        }
    }

    /// Milliseconds since the Unix epoch, rounded down.
    pub fn now_millis(&self) -> i64 {
        self.now_micros().div_euclid(1000)
    }

    /// Time since the clock was made; it never goes back. For durations and deadlines.
    pub fn monotonic(&self) -> Duration {
        match &self.source {
            Source::System { origin } => origin.elapsed(),
            Source::Manual(hands) => Duration::from_micros(hands.monotonic_micros.load(Ordering::SeqCst)),
        }
    }

    /// Waits for so long on the monotonic clock.
    pub async fn sleep(&self, span: Duration) {
        match &self.source {
            Source::Manual(hands) if hands.sleepers.is_some() => sleep_by(hands, span).await,
            Source::System { .. } | Source::Manual(_) => tokio::time::sleep(span).await,
        }
    }
}

async fn sleep_by(hands: &Hands, span: Duration) {
    // Rounded up: nobody wakes early.
    let micros = u64::try_from(span.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX);
    let until = hands.monotonic_micros.load(Ordering::SeqCst).saturating_add(micros);
    let mut place = Place {
        hands,
        until,
        number: None,
    };
    poll_fn(|context| match hands.reached(until, &mut place.number, context) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

#[allow(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
fn system_micros() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}

/// Moves a manual [`Clock`] and all of its clones.
#[derive(Debug, Clone)]
pub struct ManualClock {
    hands: Arc<Hands>,
}

impl ManualClock {
    /// Lets time pass: the wall clock and the monotonic one.
    pub fn advance(&self, by: Duration) {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.hands.monotonic_micros.fetch_add(micros, Ordering::SeqCst);
        let wall = i64::try_from(micros).unwrap_or(i64::MAX);
        self.hands.wall_micros.fetch_add(wall, Ordering::SeqCst);
        self.hands.due().into_iter().for_each(Waker::wake);
    }

    /// How long until the first sleeper of a simulated clock is due; none when nobody sleeps.
    pub fn next_due(&self) -> Option<Duration> {
        let sleepers = self.hands.sleepers.as_ref()?.lock();
        let ((until, _), _) = sleepers.waiting.first_key_value()?;
        let now = self.hands.monotonic_micros.load(Ordering::SeqCst);
        Some(Duration::from_micros(until.saturating_sub(now)))
    }

    /// Sets the wall clock alone, as an operator or NTP does.
    pub fn set(&self, micros: i64) {
        self.hands.wall_micros.store(micros, Ordering::SeqCst);
    }
}

/// A source of randomness, shared by its clones. Seeded, it repeats itself exactly.
#[derive(Debug, Clone)]
pub struct Chance {
    generator: Arc<Mutex<ChaCha12Rng>>,
}

impl Chance {
    /// Seeded by the operating system: fit for keys and ids.
    pub fn from_entropy() -> Self {
        Chance::of(rand::make_rng())
    }

    /// The same numbers for the same seed, for tests and simulations.
    pub fn seeded(seed: u64) -> Self {
        Chance::of(ChaCha12Rng::seed_from_u64(seed))
    }

    fn of(generator: ChaCha12Rng) -> Self {
        Chance {
            generator: Arc::new(Mutex::new(generator)),
        }
    }

    /// Any number.
    pub fn u64(&self) -> u64 {
        self.generator.lock().next_u64()
    }

    /// A number in `0..n`, each equally likely; 0 when `n` is 0.
    pub fn below(&self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // The numbers beyond the last whole multiple of n would favour the small remainders: draw again.
        let remainder = (u64::MAX % n + 1) % n;
        let last_fair = u64::MAX - remainder;
        loop {
            let number = self.u64();
            if number <= last_fair {
                return number % n;
            }
        }
    }

    /// A duration between zero and `max`, each equally likely ("full jitter").
    pub fn jitter(&self, max: Duration) -> Duration {
        let nanos = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanos.saturating_add(1)))
    }

    /// Fills the bytes.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.generator.lock().fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_runs_and_the_monotonic_one_never_goes_back() {
        let clock = Clock::system();
        // 2024-01-01, long before this test was written.
        assert!(clock.now_micros() > 1_704_067_200_000_000);
        assert!(clock.now_millis() > 1_704_067_200_000);
        let earlier = clock.monotonic();
        assert!(clock.clone().monotonic() >= earlier);
    }

    #[test]
    fn a_manual_clock_moves_when_told() {
        let (clock, hands) = Clock::manual(5_000_000);
        let other = clock.clone();
        hands.advance(Duration::from_millis(250));
        assert_eq!(
            (other.now_micros(), other.monotonic()),
            (5_250_000, Duration::from_millis(250))
        );
        hands.set(-1);
        assert_eq!((clock.now_micros(), clock.now_millis()), (-1, -1));
        assert_eq!(clock.monotonic(), Duration::from_millis(250));
    }

    #[tokio::test]
    async fn the_sleepers_of_a_simulated_clock_wake_by_its_hands_in_order() {
        use futures::FutureExt;
        let (clock, hands) = Clock::simulated(0);
        assert_eq!(hands.next_due(), None);
        let mut first = Box::pin(clock.sleep(Duration::from_millis(2)));
        let mut second = Box::pin(clock.sleep(Duration::from_nanos(2_000_001)));
        let mut dropped = Box::pin(clock.sleep(Duration::from_millis(1)));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        assert!((&mut dropped).now_or_never().is_none());
        assert_eq!(hands.next_due(), Some(Duration::from_millis(1)));
        drop(dropped);
        assert_eq!(hands.next_due(), Some(Duration::from_millis(2)));
        hands.advance(Duration::from_millis(2));
        assert!(first.now_or_never().is_some() && (&mut second).now_or_never().is_none());
        hands.set(-5);
        assert_eq!(
            hands.next_due(),
            Some(Duration::from_micros(1)),
            "a jump of the wall clock wakes nobody"
        );
        hands.advance(Duration::from_micros(1));
        assert!(second.now_or_never().is_some());
        assert_eq!(hands.next_due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn other_clocks_sleep_by_the_runtime() {
        let (manual, hands) = Clock::manual(0);
        let before = tokio::time::Instant::now();
        manual.sleep(Duration::from_secs(5)).await;
        Clock::system().sleep(Duration::from_secs(5)).await;
        assert_eq!(before.elapsed(), Duration::from_secs(10));
        assert_eq!((hands.next_due(), manual.now_micros()), (None, 0));
    }

    #[test]
    fn a_seed_repeats_itself_and_entropy_does_not() {
        let draw = |chance: &Chance| (0..8).map(|_| chance.u64()).collect::<Vec<_>>();
        assert_eq!(draw(&Chance::seeded(7)), draw(&Chance::seeded(7)));
        assert_ne!(draw(&Chance::seeded(7)), draw(&Chance::seeded(8)));
        assert_ne!(draw(&Chance::from_entropy()), draw(&Chance::from_entropy()));
        let mut bytes = [0; 32];
        Chance::seeded(1).fill(&mut bytes);
        assert_ne!(bytes, [0; 32]);
    }

    #[test]
    fn below_and_jitter_stay_in_range_and_reach_all_of_it() {
        let chance = Chance::seeded(3);
        let mut seen = [0_u32; 5];
        for _ in 0..5000 {
            seen[chance.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (850..1150).contains(&count)), "{seen:?}");
        assert_eq!((chance.below(0), chance.below(1)), (0, 0));
        assert!(chance.below(u64::MAX / 2 + 2) < u64::MAX / 2 + 2);
        assert_eq!(chance.jitter(Duration::ZERO), Duration::ZERO);
        let longest = (0..500)
            .map(|_| chance.jitter(Duration::from_millis(10)))
            .max()
            .unwrap();
        assert!(longest <= Duration::from_millis(10) && longest > Duration::from_millis(8));
        assert!(chance.jitter(Duration::MAX) <= Duration::from_nanos(u64::MAX));
    }
}
