//! The circuit breaker of an endpoint: consecutive failures open it for a while that grows with each round.
//!
//! ```text
//! Closed --failures in a row--> Open --time--> Closed on trial --success--> Closed
//!                                 ^-----------one failure------'
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::retry::Backoff;
use crate::time::Chance;

/// When an endpoint is ejected, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row that eject.
    pub failures: u32,
    /// The first ejection, in milliseconds; it doubles each round.
    pub eject_ms: u64,
    /// The longest ejection, in milliseconds.
    pub eject_max_ms: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        BreakerConfig {
            failures: 5,
            eject_ms: 100,
            eject_max_ms: 5_000,
        }
    }
}

/// The rules and the chance that the transitions need.
#[derive(Clone)]
pub struct Policy {
    failures: u32,
    backoff: Backoff,
    chance: Chance,
}

impl Policy {
    /// The policy that a config describes.
    pub fn new(config: &BreakerConfig, chance: Chance) -> Policy {
        let backoff = Backoff::new(
            Duration::from_millis(config.eject_ms),
            Duration::from_millis(config.eject_max_ms),
        );
        Policy {
            failures: config.failures.max(1),
            backoff,
            chance,
        }
    }

    /// The policy for an endpoint without an alternative. Ejections do not grow: there is nobody else to spare, and every
    /// caller waits for it to come back.
    #[must_use]
    pub fn alone(&self) -> Policy {
        Policy {
            backoff: self.backoff.clone().steady(),
            ..self.clone()
        }
    }

    #[cfg(test)]
    pub(crate) fn without_jitter(self) -> Policy {
        Policy {
            backoff: self.backoff.without_jitter(),
            ..self
        }
    }
}

/// Calls pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closed {
    failures: u32,
    round: u32,
}

/// No call passes until a point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    until: Instant,
    round: u32,
}

impl Closed {
    /// A breaker without a history.
    pub fn new() -> Closed {
        Closed::default()
    }

    /// A call succeeded: all is forgiven.
    #[must_use]
    pub fn succeeded(self) -> Closed {
        Closed::new()
    }

    /// A call failed.
    ///
    /// # Errors
    /// `Open` when it was one too many.
    pub fn failed(self, policy: &Policy) -> Result<Closed, Open> {
        let failures = self.failures + 1;
        if failures < policy.failures {
            return Ok(Closed { failures, ..self });
        }
        Err(self.trip(policy))
    }

    /// Opens at once: there is no connection at all.
    pub fn trip(self, policy: &Policy) -> Open {
        let pause = policy.backoff.half_jitter(self.round, &policy.chance);
        Open {
            until: Instant::now() + pause,
            round: self.round,
        }
    }
}

impl Open {
    /// When calls pass again.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Closes on trial when the time is over: one more failure opens it for longer.
    ///
    /// # Errors
    /// `Open` as before when it is not.
    pub fn elapsed(self, policy: &Policy) -> Result<Closed, Open> {
        if Instant::now() < self.until {
            return Err(self);
        }
        Ok(Closed {
            failures: policy.failures - 1,
            round: self.round.saturating_add(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{BreakerConfig, Closed, Open, Policy};
    use crate::time::Chance;

    fn policy() -> Policy {
        let config = BreakerConfig {
            failures: 3,
            eject_ms: 100,
            eject_max_ms: 250,
        };
        Policy::new(&config, Chance::seeded(1)).without_jitter()
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row() {
        let policy = policy();
        let closed = Closed::new().failed(&policy).unwrap();
        assert_eq!(closed, Closed { failures: 1, round: 0 });
        let closed = closed.failed(&policy).unwrap();
        assert_eq!(closed, Closed { failures: 2, round: 0 });
        let open = closed.failed(&policy).unwrap_err();
        assert_eq!(
            open,
            Open {
                until: Instant::now() + ms(100),
                round: 0
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_forgives() {
        let policy = policy();
        let closed = Closed::new()
            .failed(&policy)
            .unwrap()
            .failed(&policy)
            .unwrap()
            .succeeded();
        assert_eq!(closed, Closed::new());
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_open_for_its_time_and_closes_on_trial() {
        let policy = policy();
        let open = Closed::new().trip(&policy);
        advance(ms(99)).await;
        let open = open.elapsed(&policy).unwrap_err();
        assert_eq!(open.until() - Instant::now(), ms(1));
        advance(ms(1)).await;
        let trial = open.elapsed(&policy).unwrap();
        assert_eq!(trial, Closed { failures: 2, round: 1 });
        assert_eq!(trial.succeeded(), Closed::new());
    }

    #[tokio::test(start_paused = true)]
    async fn each_failed_trial_doubles_the_time_up_to_the_bound() {
        let policy = policy();
        let mut open = Closed::new().trip(&policy);
        for expected in [200, 250, 250] {
            advance(ms(250)).await;
            open = open.elapsed(&policy).unwrap().failed(&policy).unwrap_err();
            assert_eq!(open.until() - Instant::now(), ms(expected));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn with_jitter_the_time_is_between_half_and_all_of_it() {
        let policy = Policy::new(
            &BreakerConfig {
                failures: 0,
                ..BreakerConfig::default()
            },
            Chance::seeded(1),
        );
        let open = Closed::new().failed(&policy).unwrap_err();
        let pause = open.until() - Instant::now();
        assert!(pause >= ms(50) && pause <= ms(100));
    }
}
