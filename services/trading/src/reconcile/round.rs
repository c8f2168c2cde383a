//! Who is looked at, who will be, and for whom readiness waits.

use super::schedule::Schedule;
use crate::venue::Pace;
use domain::AccountId;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use mesh::app::ReadinessGuard;
use std::collections::BTreeSet;
use std::time::Duration;

/// Routine looks at the same time.
const CONCURRENT: usize = 4;

/// What a look came to.
pub(super) enum Looked {
    /// All is compared; whether something has to be confirmed soon.
    Done(bool),
    /// The venue did not answer: again after this.
    Failed(Duration),
}

/// Who is looked at, and who will be.
pub(super) struct Round {
    pub(super) schedule: Schedule,
    pub(super) looking: FuturesUnordered<BoxFuture<'static, (AccountId, Pace, Looked)>>,
    /// Whom a look is under way at.
    pub(super) busy: BTreeSet<AccountId>,
    /// How many of these looks are routine.
    pub(super) routine: usize,
    /// Whose stream was subscribed while a look was under way.
    pub(super) again: BTreeSet<AccountId>,
    /// Who was never in step yet.
    pub(super) waiting: BTreeSet<AccountId>,
    pub(super) guard: Option<ReadinessGuard>,
}

impl Round {
    /// Nobody was looked at yet.
    pub(super) fn new(waiting: BTreeSet<AccountId>, guard: ReadinessGuard) -> Round {
        Round {
            schedule: Schedule::default(),
            looking: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            routine: 0,
            again: BTreeSet::new(),
            waiting,
            guard: Some(guard),
        }
    }

    /// Whom a look is due at that may begin.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<AccountId> {
        if self.routine < CONCURRENT {
            self.schedule.take(now)
        } else {
            None
        }
    }

    /// When a look is due that may begin; none while all places are taken.
    pub(super) fn next(&self) -> Option<Duration> {
        if self.routine < CONCURRENT {
            self.schedule.next()
        } else {
            None
        }
    }

    pub(super) fn ready_if_all_are(&mut self) {
        if self.waiting.is_empty() {
            self.guard = None;
        }
    }

    /// The service is ready without those that are not: they refuse new orders, and take cancels.
    pub(super) fn give_up_waiting(&mut self) {
        tracing::warn!(
            accounts = self.waiting.len(),
            "ready, with accounts that are not in step yet"
        );
        self.guard = None;
    }
}
