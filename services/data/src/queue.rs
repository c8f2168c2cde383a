//! Places that wait for work, each at most once: bounded by the number of symbols, whoever asks how often.

use parking_lot::Mutex;
use std::collections::{BTreeSet, VecDeque};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Waiting {
    order: VecDeque<usize>,
    /// In `order`, or being worked on.
    known: BTreeSet<usize>,
}

/// A first-in-first-out queue of distinct places.
#[derive(Debug, Default)]
pub struct PlaceQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

impl PlaceQueue {
    /// Adds a place, unless it waits or is worked on already.
    pub fn push(&self, place: usize) {
        let mut waiting = self.waiting.lock();
        if waiting.known.insert(place) {
            waiting.order.push_back(place);
            drop(waiting);
            self.filled.notify_one();
        }
    }

    /// The place that waited longest; it is being worked on until [`PlaceQueue::done`].
    pub async fn next(&self) -> usize {
        loop {
            let (place, more) = {
                let mut waiting = self.waiting.lock();
                (waiting.order.pop_front(), !waiting.order.is_empty())
            };
            if more {
                self.filled.notify_one();
            }
            match place {
                Some(place) => return place,
                None => self.filled.notified().await,
            }
        }
    }

    /// The work on a place is over: it may come again.
    pub fn done(&self, place: usize) {
        self.waiting.lock().known.remove(&place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_place_waits_once() {
        let queue = PlaceQueue::default();
        for place in [3, 1, 3, 1] {
            queue.push(place);
        }
        assert_eq!(queue.next().await, 3);
        queue.push(3);
        assert_eq!(queue.next().await, 1);
        assert!(queue.next().now_or_never().is_none(), "3 is being worked on");
        queue.done(3);
        queue.push(3);
        assert_eq!(queue.next().await, 3);
    }

    #[tokio::test]
    async fn all_workers_wake() {
        let queue = std::sync::Arc::new(PlaceQueue::default());
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let queue = queue.clone();
                tokio::spawn(async move { queue.next().await })
            })
            .collect();
        tokio::task::yield_now().await;
        for place in 0..3 {
            queue.push(place);
        }
        let mut taken = Vec::new();
        for worker in workers {
            taken.push(worker.await.unwrap());
        }
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2]);
    }
}
