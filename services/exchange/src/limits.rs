//! The published limits: request weight an address and minute, unfilled orders an account in ten seconds and a day.
//!
//! Windows are fixed and aligned to the clock, as Binance counts them. An address that goes on after it was told to stop is
//! banned, at first for two minutes and twice as long each further time, up to three days. An order that fills counts no
//! more: its first fill takes one from the count when it took, and five when it rested.

use crate::error::ApiError;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request weight of an address in a minute.
    pub weight_a_minute: u32,
    /// Unfilled orders of an account in ten seconds.
    pub orders_ten_seconds: u32,
    /// Unfilled orders of an account in a day.
    pub orders_a_day: u32,
    /// Requests that an address may send in a minute after it was told to stop, before it is banned.
    pub refusals_before_ban: u32,
}

const MINUTE: i64 = 60_000_000;
const TEN_SECONDS: i64 = 10_000_000;
const DAY: i64 = 86_400_000_000;

/// The first ban; each further one is twice as long.
const FIRST_BAN: i64 = 2 * MINUTE;

/// The longest ban.
const LONGEST_BAN: i64 = 3 * DAY;

/// What the first fill of a resting order takes from the count.
const MAKER_CREDIT: u32 = 5;

/// How many addresses are told apart in a minute; more are refused.
const ADDRESSES: usize = 10_000;

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    start: i64,
    used: u32,
}

impl Window {
    /// Begins anew when the window is over.
    fn roll(&mut self, now: i64, length: i64) {
        let start = now - now.rem_euclid(length);
        if self.start != start {
            *self = Window { start, used: 0 };
        }
    }

    /// Adds `amount` unless that exceeds `limit`; returns what is used, or the microseconds until the window ends.
    fn charge(&mut self, now: i64, length: i64, amount: u32, limit: u32) -> Result<u32, i64> {
        self.roll(now, length);
        if self.used.saturating_add(amount) > limit {
            return Err(self.start + length - now);
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

/// What an account has ordered and not yet got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCount {
    /// In the running ten seconds.
    pub ten_seconds: u32,
    /// Today.
    pub day: u32,
}

/// What an address has used, and what came of it.
#[derive(Debug, Default)]
struct Address {
    weight: Window,
    refused: Window,
    bans: u32,
    banned_until: i64,
}

impl Address {
    fn is_idle(&self, now: i64) -> bool {
        self.weight.used(now, MINUTE) == 0 && self.banned_until <= now
    }
}

/// The counts of everyone.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    addresses: BTreeMap<IpAddr, Address>,
    orders: BTreeMap<String, (Window, Window)>,
}

impl Meter {
    /// Nothing used yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            addresses: BTreeMap::new(),
            orders: BTreeMap::new(),
        }
    }

    /// What is allowed.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Charges a request; returns the weight used in this minute, or 429, or 418 from a banned address.
    pub fn weigh(&mut self, address: IpAddr, weight: u32, now: i64) -> Result<u32, ApiError> {
        let limit = self.limits.weight_a_minute;
        if self.addresses.len() >= ADDRESSES && !self.addresses.contains_key(&address) {
            self.addresses.retain(|_, address| !address.is_idle(now));
            if self.addresses.len() >= ADDRESSES {
                return Err(ApiError::too_much_weight(limit, 60));
            }
        }
        let used = self.addresses.entry(address).or_default();
        if used.banned_until > now {
            return Err(ApiError::banned(used.banned_until, seconds(used.banned_until - now)));
        }
        let charged = used.weight.charge(now, MINUTE, weight, limit);
        charged.map_err(|rest| ApiError::too_much_weight(limit, seconds(rest)))
    }

    /// Notes that an address was told to stop; the one who goes on is banned.
    pub fn refused(&mut self, address: IpAddr, now: i64) {
        let Some(used) = self.addresses.get_mut(&address) else {
            return;
        };
        if used
            .refused
            .charge(now, MINUTE, 1, self.limits.refusals_before_ban)
            .is_err()
            && used.banned_until <= now
        {
            let length = FIRST_BAN.saturating_mul(1_i64 << used.bans.min(12)).min(LONGEST_BAN);
            used.bans += 1;
            used.banned_until = now + length;
            used.refused = Window::default();
            metrics::counter!("exchange_bans_total").increment(1);
        }
    }

    /// Whether an address is banned.
    pub fn is_banned(&self, address: IpAddr, now: i64) -> bool {
        self.addresses
            .get(&address)
            .is_some_and(|address| address.banned_until > now)
    }

    /// The weight that an address has used in this minute.
    pub fn weight(&self, address: IpAddr, now: i64) -> u32 {
        self.addresses
            .get(&address)
            .map_or(0, |address| address.weight.used(now, MINUTE))
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

    /// Notes the first fill of an order: it counts no more, and a resting one makes room for others.
    pub fn first_fill(&mut self, account: &str, maker: bool, now: i64) {
        let Some((ten, day)) = self.orders.get_mut(account) else {
            return;
        };
        let credit = if maker { MAKER_CREDIT } else { 1 };
        for (window, length) in [(ten, TEN_SECONDS), (day, DAY)] {
            window.roll(now, length);
            window.used = window.used.saturating_sub(credit);
        }
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

    const LIMITS: Limits = Limits {
        weight_a_minute: 10,
        orders_ten_seconds: 2,
        orders_a_day: 3,
        refusals_before_ban: 2,
    };

    #[test]
    fn windows_fill_and_begin_again() {
        let mut meter = Meter::new(LIMITS);
        let home: IpAddr = [127, 0, 0, 1].into();
        assert_eq!(meter.limits(), LIMITS);
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
    fn fills_make_room_and_give_no_credit() {
        let mut meter = Meter::new(LIMITS);
        assert!(meter.order("a", 0).is_ok() && meter.order("a", 0).is_ok());
        meter.first_fill("a", false, 1);
        assert_eq!(meter.orders("a", 1), OrderCount { ten_seconds: 1, day: 1 });
        assert!(meter.order("a", 2).is_ok());
        meter.first_fill("a", true, 3);
        assert_eq!(meter.orders("a", 3), OrderCount::default());
        meter.first_fill("nobody", true, 3);
        // the fill of an order of an earlier window makes room in the present one
        assert!(meter.order("a", TEN_SECONDS).is_ok());
        meter.first_fill("a", false, 2 * TEN_SECONDS);
        assert_eq!(meter.orders("a", 2 * TEN_SECONDS), OrderCount::default());
    }

    #[test]
    fn who_goes_on_is_banned_each_time_for_longer() {
        let mut meter = Meter::new(LIMITS);
        let home: IpAddr = [127, 0, 0, 1].into();
        meter.refused(home, 0);
        assert!(!meter.is_banned(home, 0), "nothing is known of the address");
        let mut now = 0;
        for minutes in [2, 4, 8] {
            assert!(meter.weigh(home, 10, now).is_ok());
            for allowed in [true, true, false] {
                assert_eq!(meter.weigh(home, 1, now).unwrap_err().status, 429);
                meter.refused(home, now);
                assert_eq!(!meter.is_banned(home, now), allowed);
            }
            let refused = meter.weigh(home, 1, now + 1_000_000).unwrap_err();
            let until = now + minutes * MINUTE;
            assert_eq!((refused.status, refused.code), (418, -1003));
            assert_eq!(refused.retry_after, Some(minutes as u64 * 60 - 1));
            assert!(
                refused.message.contains(&(until / 1_000).to_string()),
                "{}",
                refused.message
            );
            meter.refused(home, now + 1);
            meter.refused(home, now + 1);
            meter.refused(home, now + 1);
            assert!(!meter.is_banned(home, until), "a ban does not grow while it lasts");
            now = until;
        }
        for _ in 0..20 {
            meter.addresses.get_mut(&home).unwrap().banned_until = 0;
            (0..3).for_each(|_| meter.refused(home, now));
        }
        assert!(meter.is_banned(home, now + LONGEST_BAN - 1) && !meter.is_banned(home, now + LONGEST_BAN));
    }

    #[test]
    fn addresses_are_bounded() {
        let mut meter = Meter::new(LIMITS);
        for address in 0..ADDRESSES as u32 {
            assert!(meter.weigh(IpAddr::from(address.to_be_bytes()), 1, 0).is_ok());
        }
        let one_more = IpAddr::from([200, 0, 0, 1]);
        assert!(meter.weigh(one_more, 1, 0).is_err());
        assert!(meter.weigh(one_more, 1, MINUTE).is_ok());
    }
}
