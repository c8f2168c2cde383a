//! What people should look at: counted, logged as an error with its stable reason, and kept up to a bound to be listed.

use crate::metrics;
use domain::{AccountId, Timestamp};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Something that people should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raised {
    /// Its number in this process, from 1.
    pub(crate) number: u64,
    /// A stable code.
    pub(crate) reason: &'static str,
    /// What happened.
    pub(crate) message: String,
    /// Whose.
    pub(crate) account: Option<AccountId>,
    /// When it was seen last.
    pub(crate) time: Timestamp,
    /// How often it was seen.
    pub(crate) count: u64,
}

#[derive(Debug)]
struct Book {
    most: usize,
    last: u64,
    /// Oldest first.
    kept: VecDeque<Raised>,
}

/// The alerts of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Alerts(Arc<Mutex<Book>>);

impl Alerts {
    /// None yet; the newest `most` of them are kept.
    pub fn new(most: usize) -> Alerts {
        Alerts(Arc::new(Mutex::new(Book {
            most,
            last: 0,
            kept: VecDeque::new(),
        })))
    }

    /// Raises one. The same again is counted where it is, and logged no more.
    pub(crate) fn raise(&self, reason: &'static str, account: Option<&AccountId>, message: String, now: Timestamp) {
        metrics::alert(reason);
        let mut book = self.0.lock();
        let is_same =
            |known: &Raised| known.reason == reason && known.account.as_ref() == account && known.message == message;
        if let Some(known) = book.kept.iter_mut().rev().find(|known| is_same(known)) {
            known.count += 1;
            known.time = now;
            return;
        }
        tracing::error!(reason, account = account.map(AccountId::as_str), "{message}");
        book.last += 1;
        let raised = Raised {
            number: book.last,
            reason,
            message,
            account: account.cloned(),
            time: now,
            count: 1,
        };
        book.kept.push_back(raised);
        while book.kept.len() > book.most {
            book.kept.pop_front();
        }
    }

    /// The newest `limit` of those raised before the one with this number, newest first.
    pub(crate) fn before(&self, number: u64, limit: usize) -> Vec<Raised> {
        let book = self.0.lock();
        let earlier = book.kept.iter().rev().filter(|raised| raised.number < number);
        earlier.take(limit).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Alerts;
    use domain::{AccountId, Timestamp};

    #[test]
    fn the_newest_are_kept_and_the_same_is_counted() {
        let alerts = Alerts::new(2);
        let account = AccountId::parse("one").unwrap();
        let raise = |reason, account, message: &str, at| {
            alerts.raise(reason, account, message.to_owned(), Timestamp::from_micros(at));
        };
        raise("A", None, "x", 1);
        raise("A", None, "x", 2);
        raise("A", Some(&account), "x", 3);
        let listed = |before| -> Vec<(u64, u64, i64)> {
            let found = alerts.before(before, 10);
            found
                .iter()
                .map(|it| (it.number, it.count, it.time.as_micros()))
                .collect()
        };
        assert_eq!(listed(u64::MAX), [(2, 1, 3), (1, 2, 2)]);
        raise("B", None, "x", 4);
        assert_eq!(listed(u64::MAX), [(3, 1, 4), (2, 1, 3)], "the oldest goes");
        assert_eq!(listed(3), [(2, 1, 3)]);
        assert_eq!(alerts.before(u64::MAX, 1).len(), 1);
    }
}
