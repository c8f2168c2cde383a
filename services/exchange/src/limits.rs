//! The published limits: request weight an address and minute, orders an account in ten seconds and a day.
//!
//! Windows are fixed and aligned to the clock, as Binance counts them.

use crate::error::ApiError;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request weight of an address in a minute.
    pub weight_a_minute: u32,
    /// Orders of an account in ten seconds.
    pub orders_ten_seconds: u32,
    /// Orders of an account in a day.
    pub orders_a_day: u32,
}

const MINUTE: i64 = 60_000_000;
const TEN_SECONDS: i64 = 10_000_000;
const DAY: i64 = 86_400_000_000;

/// How many addresses are told apart in a minute; more share one count.
const ADDRESSES: usize = 10_000;

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: i64,
    used: u32,
}

impl Window {
    /// Adds `amount` unless that exceeds `limit`; returns what is used, or the microseconds until the window ends.
    fn charge(&mut self, now: i64, length: i64, amount: u32, limit: u32) -> Result<u32, i64> {
        let start = now - now.rem_euclid(length);
        if self.start != start {
            *self = Window { start, used: 0 };
        }
        if self.used.saturating_add(amount) > limit {
            return Err(start + length - now);
        }
        self.used += amount;
        Ok(self.used)
    }

    fn used(&self, now: i64, length: i64) -> u32 {
        if self.start == now - now.rem_euclid(length) {
            self.used
        } else {
            0
        }
    }
}

/// What an account has ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCount {
    /// In the running ten seconds.
    pub ten_seconds: u32,
    /// Today.
    pub day: u32,
}

/// The counts of everyone.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    weights: BTreeMap<IpAddr, Window>,
    orders: BTreeMap<String, (Window, Window)>,
}

impl Meter {
    /// Nothing used yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            weights: BTreeMap::new(),
            orders: BTreeMap::new(),
        }
    }

    /// What is allowed.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Charges a request; returns the weight used in this minute, or 429.
    pub fn weigh(&mut self, address: IpAddr, weight: u32, now: i64) -> Result<u32, ApiError> {
        let limit = self.limits.weight_a_minute;
        if self.weights.len() >= ADDRESSES && !self.weights.contains_key(&address) {
            self.weights.retain(|_, window| window.used(now, MINUTE) > 0);
            if self.weights.len() >= ADDRESSES {
                return Err(ApiError::too_much_weight(limit, 60));
            }
        }
        let window = self.weights.entry(address).or_default();
        window
            .charge(now, MINUTE, weight, limit)
            .map_err(|rest| ApiError::too_much_weight(limit, seconds(rest)))
    }

    /// The weight that an address has used in this minute.
    pub fn weight(&self, address: IpAddr, now: i64) -> u32 {
        self.weights.get(&address).map_or(0, |window| window.used(now, MINUTE))
    }

    /// Charges a new order of an account.
    pub fn order(&mut self, account: &str, now: i64) -> Result<OrderCount, ApiError> {
        let (ten, day) = self.orders.entry(account.to_owned()).or_default();
        let (most_ten, most_day) = (self.limits.orders_ten_seconds, self.limits.orders_a_day);
        if day.used(now, DAY) >= most_day {
            return Err(ApiError::too_many_orders(
                most_day,
                "DAY",
                seconds(DAY - now.rem_euclid(DAY)),
            ));
        }
        let ten_seconds = ten
            .charge(now, TEN_SECONDS, 1, most_ten)
            .map_err(|rest| ApiError::too_many_orders(most_ten, "10 SECOND", seconds(rest)))?;
        let day = day.charge(now, DAY, 1, most_day).unwrap_or(most_day);
        Ok(OrderCount { ten_seconds, day })
    }

    /// What an account has ordered.
    pub fn orders(&self, account: &str, now: i64) -> OrderCount {
        let (ten, day) = self.orders.get(account).copied().unwrap_or_default();
        OrderCount {
            ten_seconds: ten.used(now, TEN_SECONDS),
            day: day.used(now, DAY),
        }
    }
}

fn seconds(micros: i64) -> u64 {
    (micros.max(0) as u64).div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_fill_and_begin_again() {
        let limits = Limits {
            weight_a_minute: 10,
            orders_ten_seconds: 2,
            orders_a_day: 3,
        };
        let mut meter = Meter::new(limits);
        let home: IpAddr = [127, 0, 0, 1].into();
        assert_eq!(meter.limits(), limits);
        assert_eq!(meter.weigh(home, 6, 0).ok(), Some(6));
        let refused = meter.weigh(home, 5, 30_000_000).unwrap_err();
        assert_eq!(
            (refused.status, refused.code, refused.retry_after),
            (429, -1003, Some(30))
        );
        assert_eq!(meter.weight(home, 30_000_000), 6);
        assert_eq!(meter.weigh(home, 5, 60_000_000).ok(), Some(5));
        assert_eq!(meter.weight(home, 120_000_000), 0);

        assert_eq!(meter.order("a", 0).ok(), Some(OrderCount { ten_seconds: 1, day: 1 }));
        assert!(meter.order("a", 1).is_ok());
        let refused = meter.order("a", 2).unwrap_err();
        assert_eq!(
            (refused.status, refused.code, refused.retry_after),
            (429, -1015, Some(10))
        );
        assert_eq!(
            meter.order("a", 10_000_000).ok(),
            Some(OrderCount { ten_seconds: 1, day: 3 })
        );
        let refused = meter.order("a", 10_000_001).unwrap_err();
        assert!(refused.message.contains("3 orders per DAY"), "{}", refused.message);
        assert_eq!(meter.orders("a", 10_000_002), OrderCount { ten_seconds: 1, day: 3 });
        assert_eq!(meter.orders("b", 0), OrderCount::default());
    }

    #[test]
    fn addresses_are_bounded() {
        let mut meter = Meter::new(Limits {
            weight_a_minute: 10,
            orders_ten_seconds: 1,
            orders_a_day: 1,
        });
        for address in 0..ADDRESSES as u32 {
            assert!(meter.weigh(IpAddr::from(address.to_be_bytes()), 1, 0).is_ok());
        }
        let one_more = IpAddr::from([200, 0, 0, 1]);
        assert!(meter.weigh(one_more, 1, 0).is_err());
        assert!(meter.weigh(one_more, 1, MINUTE).is_ok());
    }
}
