//! When each account is looked at next, by the monotonic clock.

use domain::AccountId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One time an account: the sooner of what was asked for.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    times: BTreeMap<AccountId, Duration>,
    order: BTreeSet<(Duration, AccountId)>,
}

impl Schedule {
    /// Looks at an account then, or sooner if that is planned already.
    pub(super) fn plan(&mut self, account: &AccountId, at: Duration) {
        if let Some(planned) = self.times.get(account) {
            if *planned <= at {
                return;
            }
            self.order.remove(&(*planned, account.clone()));
        }
        self.times.insert(account.clone(), at);
        self.order.insert((at, account.clone()));
    }

    /// When something is to do.
    pub(super) fn next(&self) -> Option<Duration> {
        self.order.first().map(|(at, _)| *at)
    }

    /// An account whose time has come; it is planned no more.
    pub(super) fn take(&mut self, now: Duration) -> Option<AccountId> {
        if self.next()? > now {
            return None;
        }
        let (_, account) = self.order.pop_first()?;
        self.times.remove(&account);
        Some(account)
    }

    /// Plans an account no more.
    pub(super) fn drop(&mut self, account: &AccountId) {
        if let Some(at) = self.times.remove(account) {
            self.order.remove(&(at, account.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use domain::AccountId;
    use std::time::Duration;

    #[test]
    fn the_sooner_time_stands_and_each_is_taken_once() {
        let at = Duration::from_secs;
        let [one, two] = ["one", "two"].map(|name| AccountId::parse(name).unwrap());
        let mut schedule = Schedule::default();
        assert_eq!((schedule.next(), schedule.take(at(9))), (None, None));
        schedule.plan(&one, at(5));
        schedule.plan(&one, at(7));
        schedule.plan(&two, at(6));
        schedule.plan(&two, at(3));
        assert_eq!(schedule.next(), Some(at(3)));
        assert_eq!(schedule.take(at(2)), None);
        assert_eq!(schedule.take(at(9)), Some(two.clone()));
        schedule.plan(&two, at(8));
        schedule.drop(&two);
        schedule.drop(&two);
        assert_eq!(schedule.take(at(9)), Some(one));
        assert_eq!((schedule.next(), schedule.take(at(9))), (None, None));
    }
}
