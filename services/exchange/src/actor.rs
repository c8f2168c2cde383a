//! The one task that owns the venue. It takes what waits, makes the records durable in one append, and only then answers
//! and publishes: nobody, reader or writer, sees what a crash could undo.

use crate::codec;
use crate::core::effects::Effects;
use crate::core::ledger::Ledger;
use crate::core::venue::Venue;
use crate::error::ApiError;
use crate::hub::Hub;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Requests that one append covers.
const BATCH: usize = 1_024;

/// Where records become durable.
#[async_trait]
pub trait Disk: Send {
    /// Returns when all records are durable. After an error the venue stops.
    async fn append(&mut self, records: Vec<Vec<u8>>) -> Result<(), String>;

    /// No record follows. `ledger` is what all of them add up to.
    async fn end(self: Box<Self>, ledger: Ledger) {
        drop(ledger);
    }
}

/// Answers once the batch is durable.
type Answer = Box<dyn FnOnce() + Send>;

/// One request: works on the venue, and returns how to answer.
type Request = Box<dyn FnOnce(&mut Venue, i64, &mut Effects) -> Answer + Send>;

/// The current time in microseconds.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A cheap way to ask the venue.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
}

impl Handle {
    /// Runs `work` on the venue at its turn; the answer comes once everything that it may have seen is durable.
    pub async fn ask<T, F>(&self, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Venue, i64, &mut Effects) -> T + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let request: Request = Box::new(move |venue, now, effects| {
            let value = work(venue, now, effects);
            Box::new(move || {
                // the asker may have gone; the work stays done
                let _ = answer.send(value);
            })
        });
        match self.requests.try_send(request) {
            Ok(()) => result.await.map_err(|_| ApiError::unavailable()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(ApiError::busy()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(ApiError::unavailable()),
        }
    }

    /// Looks at the venue.
    pub async fn read<T, F>(&self, look: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Venue) -> T + Send + 'static,
    {
        self.ask(move |venue, _, _| look(venue)).await
    }
}

/// The task's belongings.
pub struct Actor {
    venue: Venue,
    disk: Box<dyn Disk>,
    hub: Arc<Hub>,
    now: Now,
    pace: Pace,
    requests: mpsc::Receiver<Request>,
}

/// How time passes for the venue.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often the crowd acts.
    pub step: Duration,
    /// The least time from one append to the next: requests that come together share a sync.
    pub commit: Duration,
}

impl Actor {
    /// An actor over an open venue, and the handle to it.
    pub fn new(
        venue: Venue,
        disk: Box<dyn Disk>,
        hub: Arc<Hub>,
        now: Now,
        pace: Pace,
        mailbox: usize,
    ) -> (Self, Handle) {
        let (sender, requests) = mpsc::channel(mailbox);
        (
            Self {
                venue,
                disk,
                hub,
                now,
                pace,
                requests,
            },
            Handle { requests: sender },
        )
    }

    /// Serves until `stop` resolves or no handle is left; an error means that records may be lost.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), String> {
        let mut timer = tokio::time::interval(self.pace.step);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(stop);
        let mut may_commit = Instant::now();
        loop {
            let mut effects = Effects::default();
            let mut answers = Vec::new();
            tokio::select! {
                () = &mut stop => break,
                _ = timer.tick() => self.venue.advance((self.now)(), &mut effects),
                request = self.requests.recv() => {
                    let Some(request) = request else { break };
                    // At once when nothing was written lately: not even a timer's grain later.
                    if may_commit > Instant::now() {
                        tokio::time::sleep_until(may_commit).await;
                    }
                    answers.push(request(&mut self.venue, (self.now)(), &mut effects));
                    while answers.len() < BATCH && let Ok(request) = self.requests.try_recv() {
                        answers.push(request(&mut self.venue, (self.now)(), &mut effects));
                    }
                }
            }
            if !effects.records.is_empty() {
                may_commit = Instant::now() + self.pace.commit;
                self.commit(&effects).await?;
            }
            answers.into_iter().for_each(|answer| answer());
            self.hub.publish_user(&effects.user);
            self.hub.publish_market(&effects.market);
            self.hub.publish_digest(&self.venue);
        }
        self.disk.end(self.venue.into_ledger()).await;
        Ok(())
    }

    async fn commit(&mut self, effects: &Effects) -> Result<(), String> {
        self.disk
            .append(effects.records.iter().map(codec::encode).collect())
            .await
    }
}
