//! Throttling of attempts to log in: per name, and over all.
//!
//! The generic cell rate algorithm: a name's whole state is the time at which its allowance would be full again. Names
//! are remembered whether or not a user has them, and at most `names_max` of them; when there are more, the name
//! whose allowance is nearest to full makes room, so that flooding with fresh names frees hardly anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many at once, and one more each `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    /// How many attempts may come at once.
    pub(crate) burst: u32,
    /// How long one attempt takes to come back.
    pub(crate) interval: Duration,
}

impl Limit {
    /// The next state after an attempt at `now`, or how long to wait for one.
    fn take(self, full_at: Duration, now: Duration) -> Result<Duration, Duration> {
        let next = full_at.max(now) + self.interval;
        let latest = now + self.interval * self.burst;
        if next <= latest { Ok(next) } else { Err(next - latest) }
    }
}

/// The attempts so far.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_name: Limit,
    over_all: Limit,
    names_max: usize,
    over_all_full_at: Duration,
    full_at: BTreeMap<String, Duration>,
    by_time: BTreeSet<(Duration, String)>,
}

impl Throttle {
    /// No attempts yet.
    pub(crate) fn new(per_name: Limit, over_all: Limit, names_max: usize) -> Throttle {
        Throttle {
            per_name,
            over_all,
            names_max: names_max.max(1),
            over_all_full_at: Duration::ZERO,
            full_at: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }

    /// Counts an attempt under a name, or answers how long to wait for one. A refused attempt costs nothing.
    pub(crate) fn attempt(&mut self, name: &str, now: Duration) -> Result<(), Duration> {
        let full_at = self.full_at.get(name).copied().unwrap_or_default();
        let name_next = self.per_name.take(full_at, now)?;
        self.attempt_unnamed(now)?;
        self.set(name, name_next, now);
        Ok(())
    }

    /// Counts an attempt that has no name worth remembering.
    pub(crate) fn attempt_unnamed(&mut self, now: Duration) -> Result<(), Duration> {
        self.over_all_full_at = self.over_all.take(self.over_all_full_at, now)?;
        Ok(())
    }

    /// An attempt under the name succeeded: its allowance is full again.
    pub(crate) fn succeeded(&mut self, name: &str) {
        if let Some(full_at) = self.full_at.remove(name) {
            self.by_time.remove(&(full_at, name.to_owned()));
        }
    }

    fn set(&mut self, name: &str, full_at: Duration, now: Duration) {
        self.succeeded(name);
        self.forget_what_is_full(now);
        if self.full_at.len() >= self.names_max {
            self.forget_first();
        }
        self.full_at.insert(name.to_owned(), full_at);
        self.by_time.insert((full_at, name.to_owned()));
    }

    fn forget_what_is_full(&mut self, now: Duration) {
        while self.by_time.first().is_some_and(|(full_at, _)| *full_at <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, name)) = self.by_time.pop_first() {
            self.full_at.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Limit, Throttle};

    const SECOND: Duration = Duration::from_secs(1);

    fn throttle(per_name: u32, over_all: u32, names_max: usize) -> Throttle {
        let limit = |burst| Limit {
            burst,
            interval: 10 * SECOND,
        };
        Throttle::new(limit(per_name), limit(over_all), names_max)
    }

    #[test]
    fn a_name_has_its_burst_and_then_waits() {
        let mut throttle = throttle(3, 100, 10);
        let start = 1000 * SECOND;
        for _ in 0..3 {
            assert_eq!(throttle.attempt("ada", start), Ok(()));
        }
        assert_eq!(throttle.attempt("ada", start), Err(10 * SECOND));
        assert_eq!(throttle.attempt("ada", start + 4 * SECOND), Err(6 * SECOND));
        assert_eq!(throttle.attempt("bob", start), Ok(()));
        assert_eq!(throttle.attempt("ada", start + 10 * SECOND), Ok(()));
        assert_eq!(throttle.attempt("ada", start + 10 * SECOND), Err(10 * SECOND));
    }

    #[test]
    fn success_fills_the_allowance_again() {
        let mut throttle = throttle(1, 100, 10);
        assert_eq!(throttle.attempt("ada", SECOND), Ok(()));
        throttle.succeeded("ada");
        throttle.succeeded("nobody");
        assert_eq!(throttle.attempt("ada", SECOND), Ok(()));
        assert!(throttle.attempt("ada", SECOND).is_err());
    }

    #[test]
    fn all_names_together_have_a_limit_too() {
        let mut throttle = throttle(3, 2, 10);
        assert_eq!(throttle.attempt("ada", SECOND), Ok(()));
        assert_eq!(throttle.attempt_unnamed(SECOND), Ok(()));
        assert_eq!(throttle.attempt("bob", SECOND), Err(10 * SECOND));
        assert_eq!(throttle.attempt_unnamed(SECOND), Err(10 * SECOND));
        assert_eq!(
            throttle.attempt("bob", 11 * SECOND),
            Ok(()),
            "the refused attempt cost bob nothing"
        );
    }

    #[test]
    fn memory_is_bounded_and_the_most_guilty_name_is_kept() {
        let mut throttle = throttle(2, 1000, 3);
        assert_eq!(throttle.attempt("ada", SECOND), Ok(()));
        assert_eq!(throttle.attempt("ada", SECOND), Ok(()));
        for n in 0..100 {
            assert_eq!(throttle.attempt(&format!("fresh-{n}"), SECOND), Ok(()));
            assert!(throttle.full_at.len() <= 3 && throttle.full_at.len() == throttle.by_time.len());
        }
        assert!(throttle.attempt("ada", SECOND).is_err());
        assert_eq!(throttle.attempt("zoe", 1000 * SECOND), Ok(()));
        assert_eq!(throttle.full_at.len(), 1, "what is full again is forgotten");
    }
}
