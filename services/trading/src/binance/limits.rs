//! The venue's request limits as one budget, with a part kept for cancels and queries, and a share for reconciliation.
//!
//! Binance counts request weight an address and minute, and orders an account and ten seconds. The weight that the venue
//! says is used (`X-MBX-USED-WEIGHT-1M`) includes what others behind the same address spend, so it corrects our count.

use super::wire::RateLimit;
use crate::venue::Pace;
use domain::AccountId;
use std::collections::BTreeMap;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const TEN_SECONDS: Duration = Duration::from_secs(10);

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A new order.
    Order,
    /// A cancel or a query: may spend what is kept.
    Vital,
    /// A look at an account that waits for it: may spend what orders may.
    Look,
    /// A look at an account that can wait: may spend its own share.
    Background,
}

impl Purpose {
    /// The purpose of a look at this pace.
    pub(super) fn of(pace: Pace) -> Purpose {
        match pace {
            Pace::Now => Purpose::Look,
            Pace::Background => Purpose::Background,
        }
    }
}

/// Something counted in fixed windows.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    index: u64,
    used: u64,
}

impl Window {
    fn roll(&mut self, now: Duration, span: Duration) {
        let index = (now.as_nanos() / span.as_nanos()) as u64;
        if index != self.index {
            *self = Window { index, used: 0 };
        }
    }
}

/// How long until the next window begins.
fn until_next(now: Duration, span: Duration) -> Duration {
    span - Duration::from_nanos((now.as_nanos() % span.as_nanos()) as u64)
}

/// The budget. Its time runs by the venue's clock: the venue's windows begin at its whole minutes.
#[derive(Debug)]
pub(super) struct Budget {
    weight_limit: u64,
    order_limit: u64,
    /// Whether the venue has stated its limits: what it counts is measured against no other ones.
    is_stated: bool,
    reserved_percent: u64,
    background_percent: u64,
    weight: Window,
    background: Window,
    orders: BTreeMap<AccountId, Window>,
    /// Nothing is sent before: the venue said so.
    blocked_until: Duration,
}

impl Budget {
    /// Binance's published limits, until the venue states its own.
    pub(super) fn new(reserved_percent: u32, background_percent: u32) -> Budget {
        Budget {
            weight_limit: 6_000,
            order_limit: 100,
            is_stated: false,
            reserved_percent: u64::from(reserved_percent),
            background_percent: u64::from(background_percent),
            weight: Window::default(),
            background: Window::default(),
            orders: BTreeMap::new(),
            blocked_until: Duration::ZERO,
        }
    }

    /// Takes over the limits that `exchangeInfo` states.
    pub(super) fn adopt(&mut self, limits: &[RateLimit]) {
        for limit in limits {
            let (kind, interval) = (limit.rate_limit_type.as_str(), limit.interval.as_str());
            if limit.is_weight() {
                self.weight_limit = limit.limit;
                self.is_stated = true;
            } else if (kind, interval, limit.interval_num) == ("ORDERS", "SECOND", 10) {
                self.order_limit = limit.limit;
            }
        }
    }

    /// Spends, or says how long to wait.
    pub(super) fn spend(
        &mut self,
        purpose: Purpose,
        account: Option<&AccountId>,
        weight: u64,
        now: Duration,
    ) -> Result<(), Duration> {
        if now < self.blocked_until {
            return Err(self.blocked_until - now);
        }
        self.weight.roll(now, MINUTE);
        let open = match purpose {
            Purpose::Order | Purpose::Look | Purpose::Background => {
                self.weight_limit * (100 - self.reserved_percent) / 100
            }
            Purpose::Vital => self.weight_limit,
        };
        if self.weight.used + weight > open {
            return Err(until_next(now, MINUTE));
        }
        if purpose == Purpose::Background {
            self.background.roll(now, MINUTE);
            let share = self.weight_limit * self.background_percent / 100;
            // One look is always let through: a share smaller than it would stop reconciliation for ever.
            if self.background.used > 0 && self.background.used + weight > share {
                return Err(until_next(now, MINUTE));
            }
            self.background.used += weight;
        }
        if let (Purpose::Order, Some(account)) = (purpose, account) {
            let orders = self.orders.entry(account.clone()).or_default();
            orders.roll(now, TEN_SECONDS);
            if orders.used >= self.order_limit {
                return Err(until_next(now, TEN_SECONDS));
            }
            orders.used += 1;
        }
        self.weight.used += weight;
        Ok(())
    }

    /// The venue says how much weight was used in this minute. Before it has stated its limits that means nothing: with a
    /// venue that allows more, what was used before a restart would stop everything until the next minute.
    pub(super) fn correct(&mut self, used: u64, now: Duration) {
        if !self.is_stated {
            return;
        }
        self.weight.roll(now, MINUTE);
        self.weight.used = self.weight.used.max(used);
    }

    /// The venue wants to be left alone.
    pub(super) fn block(&mut self, wait: Duration, now: Duration) {
        self.blocked_until = self.blocked_until.max(now + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, MINUTE, Purpose, RateLimit};
    use crate::venue::Pace;
    use domain::AccountId;
    use std::time::Duration;

    const NOW: Duration = Duration::from_secs(6_000_001);

    fn limit(kind: &str, interval: &str, number: u32, limit: u64) -> RateLimit {
        RateLimit {
            rate_limit_type: kind.into(),
            interval: interval.into(),
            interval_num: number,
            limit,
            count: None,
        }
    }

    fn budget() -> Budget {
        let mut budget = Budget::new(20, 40);
        let raw = limit("RAW_REQUESTS", "MINUTE", 5, 1);
        budget.adopt(&[
            limit("REQUEST_WEIGHT", "MINUTE", 1, 10),
            limit("ORDERS", "SECOND", 10, 3),
            raw,
        ]);
        budget
    }

    #[test]
    fn a_part_is_kept_for_cancels_and_queries() {
        let mut budget = budget();
        assert_eq!(budget.spend(Purpose::Vital, None, 8, NOW), Ok(()));
        assert_eq!(budget.spend(Purpose::Order, None, 1, NOW), Err(Duration::from_secs(59)));
        assert_eq!(budget.spend(Purpose::Vital, None, 2, NOW), Ok(()));
        assert_eq!(budget.spend(Purpose::Vital, None, 1, NOW), Err(Duration::from_secs(59)));
        assert_eq!(
            budget.spend(Purpose::Order, None, 1, NOW + Duration::from_secs(59)),
            Ok(())
        );
    }

    #[test]
    fn looks_leave_what_is_kept_and_those_that_can_wait_have_a_share() {
        let minute = |count: u64| NOW + Duration::from_secs(60 * count);
        let wait = Err(Duration::from_secs(59));
        for (case, (spent, purpose, weight, expected)) in [
            (0, Purpose::Look, 8, Ok(())),
            (0, Purpose::Look, 9, wait),
            (0, Purpose::Background, 4, Ok(())),
            (2, Purpose::Background, 2, Ok(())),
            (2, Purpose::Background, 3, wait),
            (5, Purpose::Background, 1, wait),
            (5, Purpose::Look, 3, Ok(())),
            (5, Purpose::Vital, 5, Ok(())),
        ]
        .into_iter()
        .enumerate()
        {
            let mut budget = budget();
            let now = minute(case as u64);
            if spent > 0 {
                assert_eq!(budget.spend(Purpose::Background, None, spent, now), Ok(()), "{case}");
            }
            assert_eq!(budget.spend(purpose, None, weight, now), expected, "{case}");
            assert_eq!(
                budget.spend(purpose, None, 1, now + MINUTE),
                Ok(()),
                "{case}: the next minute"
            );
        }
        assert_eq!(Purpose::of(Pace::Now), Purpose::Look);
        assert_eq!(Purpose::of(Pace::Background), Purpose::Background);
    }

    #[test]
    fn orders_are_counted_an_account() {
        let mut budget = budget();
        let [one, two] = ["one", "two"].map(|name| AccountId::parse(name).unwrap());
        for _ in 0..3 {
            assert_eq!(budget.spend(Purpose::Order, Some(&one), 1, NOW), Ok(()));
        }
        assert_eq!(
            budget.spend(Purpose::Order, Some(&one), 1, NOW),
            Err(Duration::from_secs(9))
        );
        assert_eq!(budget.spend(Purpose::Order, Some(&two), 1, NOW), Ok(()));
        assert_eq!(budget.spend(Purpose::Vital, Some(&one), 1, NOW), Ok(()));
        assert_eq!(
            budget.spend(Purpose::Order, Some(&one), 1, NOW + Duration::from_secs(9)),
            Ok(())
        );
    }

    #[test]
    fn before_the_venue_states_its_limits_its_count_says_nothing() {
        let mut budget = Budget::new(20, 40);
        budget.correct(1_000_000, NOW);
        assert_eq!(budget.spend(Purpose::Order, None, 1, NOW), Ok(()));
        budget.adopt(&[limit("REQUEST_WEIGHT", "MINUTE", 1, 1_000_001)]);
        budget.correct(1_000_000, NOW);
        assert_eq!(budget.spend(Purpose::Vital, None, 1, NOW), Ok(()));
        assert_eq!(budget.spend(Purpose::Vital, None, 1, NOW), Err(Duration::from_secs(59)));
    }

    #[test]
    fn the_venues_own_count_and_its_wish_stand() {
        let mut budget = budget();
        budget.correct(10, NOW);
        budget.correct(2, NOW);
        assert_eq!(budget.spend(Purpose::Vital, None, 1, NOW), Err(Duration::from_secs(59)));
        budget.block(Duration::from_secs(90), NOW);
        assert_eq!(
            budget.spend(Purpose::Vital, None, 1, NOW + Duration::from_secs(60)),
            Err(Duration::from_secs(30))
        );
        assert_eq!(
            budget.spend(Purpose::Vital, None, 1, NOW + Duration::from_secs(90)),
            Ok(())
        );
    }
}
