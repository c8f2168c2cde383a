//! The part of the venue's request weight that market data may use: a token bucket, filled from the limit that
//! `exchangeInfo` states, corrected by what the venue says was used at this address, and closed while it says "stop".

use std::time::Duration;

/// A limit of the venue: `limit` units in each `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Units of request weight.
    pub limit: u32,
    /// The span they are for.
    pub window: Duration,
}

/// The venue's published weight limit on the day this was written; `exchangeInfo` replaces it.
pub const DEFAULT_LIMIT: RateLimit = RateLimit {
    limit: 6_000,
    window: Duration::from_secs(60),
};

/// A token bucket of request weight.
#[derive(Debug, Clone)]
pub struct WeightBudget {
    rate: RateLimit,
    share: f64,
    tokens: f64,
    refilled_at: Duration,
    closed_until: Duration,
}

impl WeightBudget {
    /// A full bucket that holds `share` (0 to 1) of the limit.
    pub fn new(rate: RateLimit, share: f64, now: Duration) -> Self {
        let share = share.clamp(0.0, 1.0);
        Self {
            rate,
            share,
            tokens: f64::from(rate.limit) * share,
            refilled_at: now,
            closed_until: Duration::ZERO,
        }
    }

    /// Takes the venue's own statement of its limit; what was spent stays spent.
    pub fn set_rate(&mut self, rate: RateLimit, now: Duration) {
        self.refill(now);
        let spent = self.capacity() - self.tokens;
        self.rate = rate;
        self.tokens = (self.capacity() - spent).max(0.0);
    }

    /// Takes `weight`, or says how long to wait before asking again.
    pub fn take(&mut self, weight: u32, now: Duration) -> Result<(), Duration> {
        self.refill(now);
        if now < self.closed_until {
            return Err(self.closed_until - now);
        }
        // A request heavier than the whole share passes when the bucket is full, else it would wait for ever.
        let needed = f64::from(weight).min(self.capacity());
        if self.tokens + 1e-9 >= needed {
            self.tokens -= f64::from(weight);
            return Ok(());
        }
        let per_second = self.capacity() / self.rate.window.as_secs_f64();
        let missing = needed - self.tokens;
        Err(Duration::from_secs_f64((missing / per_second).max(0.001)))
    }

    /// The venue refused (429 or 418) and named a time: nothing goes out before it.
    pub fn close_for(&mut self, retry_after: Duration, now: Duration) {
        self.closed_until = self.closed_until.max(now + retry_after);
    }

    /// The venue says that `used` was spent at this address in the running window, by us or by others. What others
    /// spent beyond the part that is left to them comes out of ours.
    pub fn observe_used(&mut self, used: u32, now: Duration) {
        self.refill(now);
        let left = f64::from(self.rate.limit.saturating_sub(used));
        self.tokens = self.tokens.min(left);
    }

    /// The part of the bucket that is full, 0 to 1.
    pub fn level(&mut self, now: Duration) -> f64 {
        self.refill(now);
        if self.capacity() > 0.0 {
            (self.tokens / self.capacity()).max(0.0)
        } else {
            0.0
        }
    }

    fn capacity(&self) -> f64 {
        (f64::from(self.rate.limit) * self.share).max(1.0)
    }

    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.refilled_at).as_secs_f64();
        self.refilled_at = self.refilled_at.max(now);
        let gained = elapsed * self.capacity() / self.rate.window.as_secs_f64().max(0.001);
        self.tokens = (self.tokens + gained).min(self.capacity());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: RateLimit = RateLimit {
        limit: 1_200,
        window: Duration::from_secs(60),
    };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_of_the_share_then_the_steady_rate() {
        let mut budget = WeightBudget::new(MINUTE, 0.5, at(0));
        for _ in 0..12 {
            assert_eq!(budget.take(50, at(0)), Ok(()));
        }
        // 600 a minute is 10 a second: 50 more need five seconds.
        assert_eq!(budget.take(50, at(0)), Err(at(5)));
        assert!(budget.take(50, at(4)).is_err());
        assert_eq!(budget.take(50, at(5)), Ok(()));
        assert!(budget.level(at(5)) < 0.01);
        assert!((budget.level(at(35)) - 0.5).abs() < 0.01);
        assert!((budget.level(at(500)) - 1.0).abs() < 1e-9, "never more than the share");
    }

    #[test]
    fn never_more_than_the_share_in_any_window_beyond_the_burst() {
        let mut budget = WeightBudget::new(MINUTE, 0.5, at(0));
        let spent = (0..600u64)
            .filter(|&tenth| budget.take(5, Duration::from_millis(tenth * 100)).is_ok())
            .count()
            * 5;
        assert!(spent <= 600 + 600, "burst and one window of refill, not {spent}");
        assert!(spent >= 1_190);
    }

    #[test]
    fn a_refusal_of_the_venue_closes_it() {
        let mut budget = WeightBudget::new(MINUTE, 1.0, at(0));
        budget.close_for(at(30), at(10));
        budget.close_for(at(1), at(11));
        assert_eq!(budget.take(1, at(20)), Err(at(20)));
        assert_eq!(budget.take(1, at(40)), Ok(()));
    }

    #[test]
    fn others_spending_counts() {
        let mut budget = WeightBudget::new(MINUTE, 0.5, at(0));
        budget.observe_used(1_190, at(0));
        assert!(budget.take(20, at(0)).is_err());
        assert_eq!(budget.take(10, at(0)), Ok(()));
    }

    #[test]
    fn a_new_limit_keeps_what_was_spent_and_heavy_requests_pass_when_full() {
        let mut budget = WeightBudget::new(MINUTE, 0.5, at(0));
        assert_eq!(budget.take(100, at(0)), Ok(()));
        budget.set_rate(
            RateLimit {
                limit: 6_000,
                window: at(60),
            },
            at(0),
        );
        assert!((budget.level(at(0)) - 2_900.0 / 3_000.0).abs() < 1e-9);
        assert_eq!(
            budget.take(5_000, at(60)),
            Ok(()),
            "more than the share, but the bucket is full"
        );
        assert!(budget.take(1, at(60)).is_err());
        let mut none = WeightBudget::new(
            RateLimit {
                limit: 0,
                window: at(60),
            },
            0.5,
            at(0),
        );
        assert!(none.level(at(0)) <= 1.0);
        assert!(none.take(5, at(0)).is_err() || none.take(5, at(0)).is_err());
    }
}
