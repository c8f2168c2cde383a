//! Readiness: each start-up task holds a guard, and ready means that no guard is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Hands out guards and tells when none is left. Cheap to clone.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Inner>);

#[derive(Default)]
struct Inner {
    next: AtomicU64,
    pending: watch::Sender<BTreeMap<u64, String>>,
}

/// Something that must be done before the service is ready. Dropping it says that it is done.
#[must_use = "the service is ready as soon as this is dropped"]
pub struct ReadinessGuard {
    readiness: Readiness,
    id: u64,
}

impl Readiness {
    /// Says that the service is not ready before `name` is done.
    pub fn guard(&self, name: impl Into<String>) -> ReadinessGuard {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let name = name.into();
        self.0.pending.send_modify(|pending| {
            pending.insert(id, name);
        });
        ReadinessGuard {
            readiness: self.clone(),
            id,
        }
    }

    /// Whether no guard is left.
    pub fn is_ready(&self) -> bool {
        self.0.pending.borrow().is_empty()
    }

    /// What is not done yet.
    pub fn pending(&self) -> Vec<String> {
        self.0.pending.borrow().values().cloned().collect()
    }

    /// Waits until no guard is left.
    pub async fn ready(&self) {
        self.wait_for(true).await;
    }

    /// Waits until readiness is as given.
    pub(crate) async fn wait_for(&self, ready: bool) {
        let mut pending = self.0.pending.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = pending.wait_for(|pending| pending.is_empty() == ready).await;
    }
}

impl Drop for ReadinessGuard {
    fn drop(&mut self) {
        self.readiness.0.pending.send_modify(|pending| {
            pending.remove(&self.id);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Readiness;

    #[tokio::test]
    async fn ready_means_that_no_guard_is_left() {
        let readiness = Readiness::default();
        assert!(readiness.is_ready());
        let replay = readiness.guard("replay");
        let feed = readiness.guard("feed");
        assert_eq!(readiness.pending(), ["replay", "feed"]);
        let waiting = tokio::spawn({
            let readiness = readiness.clone();
            async move { readiness.ready().await }
        });
        drop(replay);
        assert!(!readiness.is_ready());
        drop(feed);
        waiting.await.unwrap();
        assert!(readiness.is_ready());
        let _again = readiness.guard("resync");
        readiness.wait_for(false).await;
        assert!(!readiness.is_ready());
    }
}
