//! How long to wait before the next attempt: exponential, with full jitter on top (the caller draws from
//! `0..=ceiling`), so that many clients that lost the same venue do not return together.

use std::time::Duration;

/// The growing ceiling of the waits.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    attempts: u32,
}

impl Backoff {
    /// Ceilings of `base`, `2 × base`, `4 × base` and so on, never above `max`.
    pub fn new(base: Duration, max: Duration) -> Self {
        Self { base, max, attempts: 0 }
    }

    /// The ceiling of the next wait.
    pub fn next_ceiling(&mut self) -> Duration {
        let factor = 1u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        self.attempts = (self.attempts + 1).min(31);
        self.base.saturating_mul(factor).min(self.max)
    }

    /// An attempt succeeded: the next wait is short again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_up_to_the_maximum_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let ceilings: Vec<u128> = (0..6).map(|_| backoff.next_ceiling().as_millis()).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1000, 1000]);
        for _ in 0..100 {
            assert_eq!(backoff.next_ceiling(), Duration::from_secs(1));
        }
        backoff.reset();
        assert_eq!(backoff.next_ceiling(), Duration::from_millis(100));
    }
}
