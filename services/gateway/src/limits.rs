//! Rate limits, a principal or an address each (GCRA, by the `governor` crate), and the headers that tell of them.

use crate::config::Config;
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};
use mesh::error::{Error, Result};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

/// Keys held before those that have recovered are forgotten.
const SWEEP_ABOVE: usize = 10_000;

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// How much of a limit is left; the headers of every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    limit: u32,
    remaining: u32,
    /// Until the limit is whole again, or, when refused, until the next request may come.
    reset: Duration,
}

/// The limits of the whole gateway.
pub(crate) struct Limits {
    principals: Limiter<String>,
    addresses: Limiter<IpAddr>,
    clock: DefaultClock,
}

impl Limits {
    /// Limits as configured; a rate of 0 counts as 1.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            principals: limiter(config.requests_per_second, config.request_burst),
            addresses: limiter(config.anonymous_requests_per_second, config.anonymous_request_burst),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request of a principal: what is left, and `Exhausted` with the time to wait when it has made too many.
    pub(crate) fn principal(&self, subject: &str) -> (Allowance, Result<()>) {
        self.count(&self.principals, &subject.to_owned())
    }

    /// Counts a request without a good token, the same way.
    pub(crate) fn address(&self, address: IpAddr) -> (Allowance, Result<()>) {
        self.count(&self.addresses, &address)
    }

    fn count<K: std::hash::Hash + Eq + Clone>(&self, limiter: &Limiter<K>, key: &K) -> (Allowance, Result<()>) {
        if limiter.len() > SWEEP_ABOVE {
            limiter.retain_recent();
        }
        match limiter.check_key(key) {
            Ok(state) => {
                let quota = state.quota();
                let limit = quota.burst_size().get();
                let remaining = state.remaining_burst_capacity();
                let reset = quota.replenish_interval() * (limit - remaining.min(limit));
                let allowance = Allowance {
                    limit,
                    remaining,
                    reset,
                };
                (allowance, Ok(()))
            }
            Err(refusal) => {
                let wait = refusal.wait_time_from(self.clock.now()).max(Duration::from_millis(1));
                let limit = refusal.quota().burst_size().get();
                let allowance = Allowance {
                    limit,
                    remaining: 0,
                    reset: wait,
                };
                let error = Error::exhausted("RATE_LIMITED", "too many requests: wait as Retry-After says")
                    .with("limit", limit)
                    .retry_after(wait);
                (allowance, Err(error))
            }
        }
    }
}

fn limiter<K: std::hash::Hash + Eq + Clone>(per_second: u32, burst: u32) -> Limiter<K> {
    let at_least_one = |number: u32| NonZeroU32::new(number.max(1)).expect("at least one is not zero");
    let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
    RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>()
}

impl Allowance {
    /// Writes `X-RateLimit-Limit`, `-Remaining` and `-Reset` (whole seconds).
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let seconds = self.reset.as_secs_f64().ceil();
        headers.insert(
            HeaderName::from_static("x-ratelimit-limit"),
            HeaderValue::from(self.limit),
        );
        headers.insert(
            HeaderName::from_static("x-ratelimit-remaining"),
            HeaderValue::from(self.remaining),
        );
        // Bounded by the burst over the rate, far below 2^32 seconds.
        headers.insert(
            HeaderName::from_static("x-ratelimit-reset"),
            HeaderValue::from(seconds as u32),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Limits};
    use crate::config::Config;
    use http::HeaderMap;
    use mesh::error::Kind;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_the_next_request_waits() {
        let config = Config {
            requests_per_second: 1,
            request_burst: 3,
            anonymous_requests_per_second: 0,
            anonymous_request_burst: 1,
            ..Config::default()
        };
        let limits = Limits::new(&config);
        for remaining in [2, 1, 0] {
            assert_eq!(limits.principal("ada").0.remaining, remaining);
        }
        let (allowance, refusal) = limits.principal("ada");
        let refusal = refusal.unwrap_err();
        assert_eq!((refusal.kind(), refusal.reason()), (Kind::Exhausted, "RATE_LIMITED"));
        assert_eq!((allowance.limit, allowance.remaining), (3, 0));
        assert_eq!(Some(allowance.reset), refusal.retry_delay());
        assert!(limits.principal("bob").1.is_ok(), "limits are a principal each");
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(limits.address(address).1.is_ok());
        assert!(limits.address(address).1.is_err());
    }

    #[test]
    fn an_allowance_is_told_in_headers() {
        let mut headers = HeaderMap::new();
        Allowance {
            limit: 3,
            remaining: 1,
            reset: Duration::from_millis(1500),
        }
        .write(&mut headers);
        assert_eq!(headers["x-ratelimit-limit"], "3");
        assert_eq!(headers["x-ratelimit-remaining"], "1");
        assert_eq!(headers["x-ratelimit-reset"], "2");
    }

    #[test]
    fn keys_that_have_recovered_are_forgotten() {
        let config = Config {
            requests_per_second: 1_000_000,
            request_burst: 1,
            ..Config::default()
        };
        let limits = Limits::new(&config);
        for number in 0..=super::SWEEP_ABOVE + 1 {
            limits.principal(&format!("user-{number}")).1.unwrap();
        }
        assert!(limits.principals.len() < super::SWEEP_ABOVE);
    }
}
