//! Consumes a stream: each event's effect and the cursor in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};
use tokio::time::Instant;

use super::{EVENTS_GONE, Event, cursor};
use crate::error::{Error, Kind, Result};
use crate::server::SERVER_LEAVING;
use crate::store::{Store, Transaction};
use crate::time::Chance;

/// Where a consumer gets events from: a subscription at a producer.
pub trait Feed: Send + Sync {
    /// Every event from sequence `from` on, then live. At least once, in order; a gap is met with a new subscription.
    fn subscribe(&self, from: u64) -> BoxFuture<'_, Result<BoxStream<'static, Result<Event>>>>;
}

/// What a consumer does with events.
#[async_trait]
pub trait Apply: Send {
    /// Writes the effect of one event. Keep changes of memory for [`Apply::committed`]: the transaction may roll back,
    /// and the event come again.
    ///
    /// # Errors
    /// A retryable error lets the batch come again after a pause; any other one ends the consumer.
    async fn apply(&mut self, transaction: &mut Transaction, sequence: u64, event: Bytes) -> Result<()>;

    /// Every event of the batch was applied: writes what the batch changed as a whole, before the commit.
    ///
    /// # Errors
    /// As [`Apply::apply`].
    async fn finish(&mut self, _transaction: &mut Transaction) -> Result<()> {
        Ok(())
    }

    /// Everything up to and including `sequence` is committed.
    async fn committed(&mut self, sequence: u64);

    /// What was applied since the last commit is undone.
    async fn rolled_back(&mut self);
}

/// The bounds of a [`Consumer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerOptions {
    /// Events in one transaction, when so many wait. Default 256.
    pub max_batch: usize,
    /// After a commit the next waits so long, unless its batch is full before: a steady flow of events then shares
    /// transactions. Default 0.
    pub spacing: Duration,
    /// The first pause after a failure; each further one is twice as long, with full jitter. Default 50 ms.
    pub min_pause: Duration,
    /// The longest pause. Default 5 s.
    pub max_pause: Duration,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        ConsumerOptions {
            max_batch: 256,
            spacing: Duration::ZERO,
            min_pause: Duration::from_millis(50),
            max_pause: Duration::from_secs(5),
        }
    }
}

impl ConsumerOptions {
    fn pause(&self, chance: &Chance, failures: u32) -> Duration {
        let doubled = self.min_pause.saturating_mul(1 << failures.min(20));
        chance.jitter(doubled.min(self.max_pause))
    }
}

/// Follows one stream, exactly once in its effect.
pub struct Consumer<F> {
    store: Store,
    stream: String,
    feed: F,
    chance: Chance,
    options: ConsumerOptions,
}

impl<F: Feed> Consumer<F> {
    /// A consumer that keeps the cursor `stream` in `store`, which has [`cursor::migration`] among its migrations.
    pub fn new(
        store: Store,
        stream: impl Into<String>,
        feed: F,
        chance: Chance,
        options: ConsumerOptions,
    ) -> Consumer<F> {
        Consumer {
            store,
            stream: stream.into(),
            feed,
            chance,
            options,
        }
    }

    /// Consumes until something happens that a repetition cannot mend. Dropping the future stops it between commits.
    ///
    /// # Errors
    /// `NOT_FOUND / EVENTS_GONE`: rebuild from a snapshot. Else what [`Apply::apply`] or the store refused for good.
    pub async fn run(&self, apply: &mut dyn Apply) -> Result<std::convert::Infallible> {
        let mut failures = 0;
        loop {
            let mut progressed = false;
            match self.follow(apply, &mut progressed).await {
                Stop::Ended => tracing::debug!(stream = self.stream, "event stream ended"),
                Stop::Gap { expected, got } => {
                    tracing::warn!(stream = self.stream, expected, got, "gap in an event stream");
                }
                Stop::Again(error) => tracing::warn!(stream = self.stream, %error, "event stream failed"),
                Stop::Final(error) => return Err(error),
            }
            failures = if progressed { 0 } else { failures + 1 };
            tokio::time::sleep(self.options.pause(&self.chance, failures)).await;
        }
    }

    /// One subscription, until it ends.
    async fn follow(&self, apply: &mut dyn Apply, progressed: &mut bool) -> Stop {
        let mut next = match self.position().await {
            Ok(sequence) => sequence + 1,
            Err(error) => return Stop::of_effect(error),
        };
        let mut stream = match self.feed.subscribe(next).await {
            Ok(stream) => stream.fuse(),
            Err(error) => return Stop::of_feed(error),
        };
        let mut due = Instant::now();
        while let Some(first) = stream.next().await {
            let chunk = self.gather(first, &mut stream, due).await;
            due = Instant::now() + self.options.spacing;
            let (batch, stop) = expected(chunk, next);
            if let Some((last, _)) = batch.last() {
                next = last + 1;
                if let Err(error) = self.effect(apply, batch).await {
                    apply.rolled_back().await;
                    return Stop::of_effect(error);
                }
                apply.committed(next - 1).await;
                *progressed = true;
            }
            if let Some(stop) = stop {
                return stop;
            }
        }
        Stop::Ended
    }

    /// An event with those that share its transaction: all that wait, and what comes until it is due. Whoever is behind does
    /// not wait, since its transactions are full.
    async fn gather<S>(&self, first: Result<Event>, stream: &mut S, due: Instant) -> Vec<Result<Event>>
    where
        S: Stream<Item = Result<Event>> + Unpin,
    {
        let mut chunk = vec![first];
        while chunk.len() < self.options.max_batch && chunk.last().is_some_and(Result::is_ok) {
            // What is there already is taken even when the time is over.
            match tokio::time::timeout_at(due, stream.next()).await {
                Ok(Some(item)) => chunk.push(item),
                Ok(None) | Err(_) => break,
            }
        }
        chunk
    }

    async fn position(&self) -> Result<u64> {
        let mut transaction = self.store.begin().await?;
        cursor::load(&mut transaction, &self.stream).await
    }

    async fn effect(&self, apply: &mut dyn Apply, batch: Vec<Event>) -> Result<()> {
        let mut transaction = self.store.begin().await?;
        let mut last = 0;
        for (sequence, event) in batch {
            apply.apply(&mut transaction, sequence, event).await?;
            last = sequence;
        }
        apply.finish(&mut transaction).await?;
        cursor::save(&mut transaction, &self.stream, last).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Why a subscription ended.
#[derive(Debug)]
enum Stop {
    Ended,
    Gap { expected: u64, got: u64 },
    Again(Error),
    Final(Error),
}

impl Stop {
    /// A producer that is down, or refuses for the moment, is asked again; one that has pruned is not.
    fn of_feed(error: Error) -> Stop {
        match error.kind() {
            Kind::NotFound if error.reason() == EVENTS_GONE => Stop::Final(error),
            Kind::Unavailable if error.reason() == SERVER_LEAVING => Stop::Ended,
            Kind::Invalid | Kind::Unimplemented => Stop::Final(error),
            Kind::Unauthenticated
            | Kind::Denied
            | Kind::NotFound
            | Kind::Conflict
            | Kind::Refused
            | Kind::Exhausted
            | Kind::Unavailable
            | Kind::Deadline
            | Kind::Internal => Stop::Again(error),
        }
    }

    fn of_effect(error: Error) -> Stop {
        if error.is_retryable() {
            Stop::Again(error)
        } else {
            Stop::Final(error)
        }
    }
}

/// What of a chunk continues the stream at `next`, without repetitions; and what ends the subscription after it.
fn expected(chunk: Vec<Result<Event>>, next: u64) -> (Vec<Event>, Option<Stop>) {
    let mut batch = Vec::with_capacity(chunk.len());
    for item in chunk {
        let expected = next + batch.len() as u64;
        match item {
            Ok((sequence, _)) if sequence < expected => {}
            Ok(event) if event.0 == expected => batch.push(event),
            Ok((got, _)) => return (batch, Some(Stop::Gap { expected, got })),
            Err(error) => return (batch, Some(Stop::of_feed(error))),
        }
    }
    (batch, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound() {
        let options = ConsumerOptions::default();
        let chance = Chance::seeded(1);
        let longest = |failures| (0..200).map(|_| options.pause(&chance, failures)).max().unwrap();
        assert!(longest(0) <= Duration::from_millis(50) && longest(0) > Duration::from_millis(40));
        assert!(longest(3) <= Duration::from_millis(400) && longest(3) > Duration::from_millis(350));
        assert!(longest(u32::MAX) <= Duration::from_secs(5) && longest(u32::MAX) > Duration::from_secs(4));
    }

    #[test]
    fn a_server_that_leaves_is_an_end_and_no_failure() {
        let of = |reason| Stop::of_feed(Error::unavailable(reason, "no more"));
        assert!(matches!(of(SERVER_LEAVING), Stop::Ended));
        assert!(matches!(of("CONNECTION_LOST"), Stop::Again(_)));
    }
}
