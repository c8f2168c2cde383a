//! Readers of changing things, who get the newest and never a backlog.
//!
//! Whoever publishes marks a **place** (a symbol, or a symbol and interval) in the mailbox of each reader that watches
//! it; the reader takes a place out when it has time, and reads what is there *then*. A mailbox is a set of places, so
//! that a reader that sleeps for an hour owes one message a place, and publishing costs a reader's mark at most.

use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Mailbox {
    marked: Mutex<BTreeSet<usize>>,
    filled: Notify,
}

impl Mailbox {
    fn mark(&self, place: usize) {
        let mut marked = self.marked.lock();
        let was_empty = marked.is_empty();
        marked.insert(place);
        drop(marked);
        if was_empty {
            self.filled.notify_one();
        }
    }
}

/// The places that can change, and who watches them.
#[derive(Debug)]
pub struct Hub {
    watchers: Vec<RwLock<Vec<Arc<Mailbox>>>>,
}

impl Hub {
    /// A hub of `places` places, watched by nobody.
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            watchers: (0..places).map(|_| RwLock::default()).collect(),
        })
    }

    /// What is at `place` changed.
    pub fn publish(&self, place: usize) {
        for mailbox in self.watchers[place].read().iter() {
            mailbox.mark(place);
        }
    }

    /// Watches `places`; each counts as changed at first.
    pub fn subscribe(self: &Arc<Self>, places: Vec<usize>) -> Subscription {
        let mailbox = Arc::new(Mailbox::default());
        for &place in &places {
            self.watchers[place].write().push(mailbox.clone());
            mailbox.mark(place);
        }
        Subscription {
            hub: self.clone(),
            mailbox,
            places,
            taken: VecDeque::new(),
        }
    }

    /// How many readers watch `place`.
    pub fn watchers(&self, place: usize) -> usize {
        self.watchers[place].read().len()
    }
}

/// One reader's view of a hub.
#[derive(Debug)]
pub struct Subscription {
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
    places: Vec<usize>,
    taken: VecDeque<usize>,
}

impl Subscription {
    /// A place that changed since it was last returned. Every marked place comes before any comes twice.
    pub async fn next(&mut self) -> usize {
        loop {
            if let Some(place) = self.taken.pop_front() {
                return place;
            }
            self.taken = std::mem::take(&mut *self.mailbox.marked.lock()).into_iter().collect();
            if self.taken.is_empty() {
                self.mailbox.filled.notified().await;
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        for &place in &self.places {
            self.hub.watchers[place]
                .write()
                .retain(|mailbox| !Arc::ptr_eq(mailbox, &self.mailbox));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_slow_reader_owes_one_message_a_place() {
        let hub = Hub::new(3);
        let mut reader = hub.subscribe(vec![0, 2]);
        assert_eq!((reader.next().await, reader.next().await), (0, 2));
        assert!(reader.next().now_or_never().is_none());
        for _ in 0..1_000 {
            hub.publish(2);
            hub.publish(1);
            hub.publish(0);
        }
        assert_eq!((reader.next().await, reader.next().await), (0, 2));
        assert!(reader.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_busy_place_does_not_starve_others() {
        let hub = Hub::new(2);
        let mut reader = hub.subscribe(vec![0, 1]);
        assert_eq!(reader.next().await, 0);
        hub.publish(0);
        assert_eq!((reader.next().await, reader.next().await), (1, 0));
    }

    #[tokio::test]
    async fn a_waiting_reader_wakes_and_a_dropped_one_is_forgotten() {
        let hub = Hub::new(1);
        let mut reader = hub.subscribe(vec![0]);
        reader.next().await;
        let waiting = tokio::spawn(async move { reader.next().await });
        tokio::task::yield_now().await;
        hub.publish(0);
        assert_eq!(waiting.await.unwrap(), 0);
        assert_eq!(hub.watchers(0), 0);
    }
}
