//! Events in a table, written in the transaction of the effect.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use sqlx::Row;
use tokio::sync::watch;

use super::{EVENTS_GONE, Event, Source};
use crate::error::{Error, Result};
use crate::store::{Migration, Store, Transaction};

/// The most events that one read answers.
const MAX_PAGE: usize = 1024;

/// Old events are removed when the sequence passes a multiple of this.
const PRUNE_EVERY: u64 = 1024;

/// The bounds of an [`Outbox`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxOptions {
    /// The newest events kept, at least 1; a little more stays until the next pruning. Default 1,000,000.
    pub retain: u64,
}

impl Default for OutboxOptions {
    fn default() -> Self {
        OutboxOptions { retain: 1_000_000 }
    }
}

/// A service's events, in its own store. Clones share what is known to be committed.
#[derive(Debug, Clone)]
pub struct Outbox {
    store: Store,
    retain: u64,
    latest: Arc<watch::Sender<u64>>,
}

/// Events written and not committed yet.
#[derive(Debug)]
#[must_use = "subscribers see the events when `commit` has run"]
pub struct Pending {
    first: u64,
    last: u64,
    latest: Arc<watch::Sender<u64>>,
}

impl Outbox {
    /// The migration that makes the tables `outbox` and `outbox_head`, at a place of the service's choice among its own.
    pub const fn migration(version: i64) -> Migration {
        Migration {
            version,
            name: "outbox",
            sqlite: "CREATE TABLE outbox (sequence BIGINT PRIMARY KEY, event BLOB NOT NULL);
                     CREATE TABLE outbox_head (latest BIGINT NOT NULL);
                     INSERT INTO outbox_head (latest) VALUES (0);",
            postgres: "CREATE TABLE outbox (sequence BIGINT PRIMARY KEY, event BYTEA NOT NULL);
                       CREATE TABLE outbox_head (latest BIGINT NOT NULL);
                       INSERT INTO outbox_head (latest) VALUES (0);",
        }
    }

    /// Opens the outbox of a store that has [`Outbox::migration`] among its migrations.
    pub async fn open(store: &Store, options: OutboxOptions) -> Result<Outbox> {
        let outbox = Outbox {
            store: store.clone(),
            retain: options.retain.max(1),
            latest: Arc::new(watch::Sender::new(0)),
        };
        outbox.refresh().await?;
        Ok(outbox)
    }

    /// Writes events within the transaction of their effect. They take the next sequences, without a gap even when
    /// transactions roll back.
    pub async fn append(&self, transaction: &mut Transaction, events: &[Bytes]) -> Result<Pending> {
        let count = events.len() as i64;
        let last: i64 = sqlx::query_scalar("UPDATE outbox_head SET latest = latest + $1 RETURNING latest")
            .bind(count)
            .fetch_one(&mut **transaction)
            .await?;
        let first = last - count + 1;
        for (sequence, event) in (first..).zip(events) {
            sqlx::query("INSERT INTO outbox (sequence, event) VALUES ($1, $2)")
                .bind(sequence)
                .bind(event.to_vec())
                .execute(&mut **transaction)
                .await?;
        }
        let pending = Pending {
            first: first.cast_unsigned(),
            last: last.cast_unsigned(),
            latest: Arc::clone(&self.latest),
        };
        if (pending.first - 1) / PRUNE_EVERY != pending.last / PRUNE_EVERY {
            self.prune(transaction, pending.last).await?;
        }
        Ok(pending)
    }

    async fn prune(&self, transaction: &mut Transaction, last: u64) -> Result<()> {
        sqlx::query("DELETE FROM outbox WHERE sequence <= $1")
            .bind(last.saturating_sub(self.retain).cast_signed())
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    /// Looks for events that another replica committed to the same store, and announces them.
    pub async fn refresh(&self) -> Result<u64> {
        let latest: i64 = sqlx::query_scalar("SELECT latest FROM outbox_head")
            .fetch_one(self.store.read())
            .await?;
        announce(&self.latest, latest.cast_unsigned());
        Ok(latest.cast_unsigned())
    }
}

impl Pending {
    /// The sequence of the first event.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The sequence of the last event.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Commits the transaction that the events were written in, and announces them.
    pub async fn commit(self, transaction: Transaction) -> Result<()> {
        transaction.commit().await?;
        announce(&self.latest, self.last);
        Ok(())
    }
}

/// Commits may be announced in another order than they were made: the latest never goes back.
fn announce(latest: &watch::Sender<u64>, sequence: u64) {
    latest.send_if_modified(|known| {
        let is_newer = sequence > *known;
        *known = sequence.max(*known);
        is_newer
    });
}

impl Source for Outbox {
    fn read(&self, from: u64, max: usize) -> BoxFuture<'_, Result<Vec<Event>>> {
        async move {
            if from == 0 {
                return Err(Error::invalid("EVENTS_SEQUENCE", "sequences begin at 1"));
            }
            let rows =
                sqlx::query("SELECT sequence, event FROM outbox WHERE sequence >= $1 ORDER BY sequence LIMIT $2")
                    .bind(i64::try_from(from).unwrap_or(i64::MAX))
                    .bind(max.min(MAX_PAGE) as i64)
                    .fetch_all(self.store.read())
                    .await?;
            let mut events = Vec::with_capacity(rows.len());
            for row in rows {
                let sequence: i64 = row.try_get(0)?;
                let event: Vec<u8> = row.try_get(1)?;
                events.push((sequence.cast_unsigned(), Bytes::from(event)));
            }
            // The newest event is always kept, so that what is missing at the start was pruned.
            match events.first() {
                Some((floor, _)) if *floor > from => Err(gone(from, *floor)),
                _ => Ok(events),
            }
        }
        .boxed()
    }

    fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}

fn gone(from: u64, floor: u64) -> Error {
    let message = format!("events before sequence {floor} are no longer kept; start from a snapshot");
    Error::not_found(EVENTS_GONE, message)
        .with("from", from)
        .with("floor", floor)
}
