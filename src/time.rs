//! Time and chance, which are injected: a test or a simulation hands in its own.
//!
//! This is the only place that reads the system's clock or its entropy.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
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
}

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Clock {
            source: Source::System { origin: Instant::now() },
        }
    }

    /// A clock that stands still until its [`ManualClock`] moves it.
    pub fn manual(start_micros: i64) -> (Self, ManualClock) {
        let hands = Arc::new(Hands {
            wall_micros: AtomicI64::new(start_micros),
            monotonic_micros: AtomicU64::new(0),
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
