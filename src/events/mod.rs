//! Event streams: dense sequences from 1, with replay.
//!
//! A stream reads a [`Source`]: a service's journal ([`JournalSource`]) or an [`Outbox`] table that is written in the
//! transaction of the effect. A [`Consumer`] keeps its cursor in the transaction of *its* effect. Delivery is at least
//! once, and the effect exactly once.

mod consumer;
pub mod cursor;
mod journal_source;
mod outbox;
mod tail;

pub use consumer::{Apply, Consumer, ConsumerOptions, Feed};
pub use journal_source::JournalSource;
pub use outbox::{Outbox, OutboxOptions, Pending};
pub use tail::tail;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::error::Result;

/// The reason of an error that says: these events were pruned; start from a snapshot.
pub const EVENTS_GONE: &str = "EVENTS_GONE";

/// A sequence of an event, from 1, and its bytes.
pub type Event = (u64, Bytes);

/// Where events are kept: dense sequences from 1, durable ones only.
pub trait Source: Send + Sync {
    /// Up to `max` events from sequence `from` on, in order and without a gap; none when `from` is beyond the latest.
    ///
    /// # Errors
    /// `NOT_FOUND / EVENTS_GONE` with `floor` in its context when `from` is below the first event kept.
    fn read(&self, from: u64, max: usize) -> BoxFuture<'_, Result<Vec<Event>>>;

    /// Follows the latest sequence; 0 before the first event.
    fn latest(&self) -> watch::Receiver<u64>;
}

#[cfg(test)]
mod tests;
