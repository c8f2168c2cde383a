//! Which calls may be repeated, and how long to wait before that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Chance;

/// Whether a method may be called again after an attempt whose outcome is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Reads: may be repeated.
    NoSideEffects,
    /// Has the same effect however often it is called with the same request: the same request may be repeated.
    Idempotent,
    /// May not be repeated.
    Never,
}

impl Class {
    /// Whether the same request may be sent again.
    pub fn may_repeat(self) -> bool {
        match self {
            Class::NoSideEffects | Class::Idempotent => true,
            Class::Never => false,
        }
    }
}

/// When and how often a call is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// How often a call is sent at most, the first time included.
    pub attempts: u32,
    /// The longest wait before the first repetition, in milliseconds; it doubles each time.
    pub backoff_ms: u64,
    /// The longest wait, in milliseconds.
    pub backoff_max_ms: u64,
    /// The largest request that is kept for a repetition, in bytes.
    pub replay_bytes: usize,
}

impl Default for RetryConfig {
    fn default() -> Self {
        RetryConfig {
            attempts: 3,
            backoff_ms: 25,
            backoff_max_ms: 1_000,
            replay_bytes: 1 << 20,
        }
    }
}

impl RetryConfig {
    /// The waits between attempts: full jitter, so that callers that failed together do not return together.
    pub fn backoff(&self) -> Backoff {
        Backoff::new(
            Duration::from_millis(self.backoff_ms),
            Duration::from_millis(self.backoff_max_ms),
        )
    }
}

/// A wait that doubles with each round up to a bound, with jitter.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    jitter: bool,
}

impl Backoff {
    /// Waits of at most `first`, 2 × `first`, … `longest`.
    pub fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff {
            first,
            longest,
            jitter: true,
        }
    }

    /// The same waits without growth: each is as long as the first.
    #[must_use]
    pub fn steady(self) -> Backoff {
        Backoff {
            longest: self.longest.min(self.first),
            ..self
        }
    }

    /// The same waits at their full length, for tests that assert every state.
    #[cfg(test)]
    pub(crate) fn without_jitter(self) -> Backoff {
        Backoff { jitter: false, ..self }
    }

    /// The longest wait of a round; rounds count from 0.
    pub fn bound(&self, round: u32) -> Duration {
        let factor = 1_u32.checked_shl(round).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// A wait anywhere between nothing and the round's bound.
    pub fn full_jitter(&self, round: u32, chance: &Chance) -> Duration {
        let bound = self.bound(round);
        if self.jitter { chance.jitter(bound) } else { bound }
    }

    /// A wait between half of the round's bound and the bound: long enough to be a pause.
    pub fn half_jitter(&self, round: u32, chance: &Chance) -> Duration {
        let bound = self.bound(round);
        if self.jitter {
            bound / 2 + chance.jitter(bound / 2)
        } else {
            bound
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, Class, RetryConfig};
    use crate::time::Chance;

    #[test]
    fn only_calls_without_a_second_effect_are_repeated() {
        assert!(Class::NoSideEffects.may_repeat());
        assert!(Class::Idempotent.may_repeat());
        assert!(!Class::Never.may_repeat());
    }

    #[test]
    fn waits_double_up_to_their_bound() {
        let backoff = RetryConfig {
            backoff_ms: 10,
            backoff_max_ms: 45,
            ..RetryConfig::default()
        }
        .backoff();
        let bounds: Vec<u128> = [0, 1, 2, 3, 40].map(|round| backoff.bound(round).as_millis()).into();
        assert_eq!(bounds, [10, 20, 40, 45, 45]);
    }

    #[test]
    fn jitter_stays_within_the_bound() {
        let backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        let chance = Chance::seeded(7);
        for round in 0..10 {
            let bound = backoff.bound(round);
            assert!(backoff.full_jitter(round, &chance) <= bound);
            let half = backoff.half_jitter(round, &chance);
            assert!(half >= bound / 2 && half <= bound);
        }
        let plain = backoff.without_jitter();
        assert_eq!(plain.full_jitter(1, &chance), Duration::from_millis(20));
        assert_eq!(plain.half_jitter(1, &chance), Duration::from_millis(20));
    }
}
