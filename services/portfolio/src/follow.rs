//! Follows every shard of trading: events are applied in batches, each stored with its cursor in one transaction, and only
//! then shown. Instruments and marks come from data, beside it.

use crate::books::Books;
use crate::clients::{Clients, Shard};
use crate::codec;
use crate::config::Config;
use crate::core::{Changes, Event};
use crate::store;
use bytes::Bytes;
use domain::Instrument;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use mesh::app::{ReadinessGuard, Shutdown};
use mesh::error::{Error, Result};
use mesh::events::{self, Apply, Consumer, ConsumerOptions, Feed};
use mesh::retry::Backoff;
use mesh::store::{Store, Transaction};
use mesh::time::{Chance, Clock};
use std::time::Duration;

const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Everything that following needs.
#[derive(Clone)]
pub(crate) struct Follower {
    pub(crate) books: Books,
    pub(crate) store: Store,
    pub(crate) clients: Clients,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) config: Config,
}

impl Follower {
    /// Starts a task for marks, and one that finds the shards and starts one for each. `replaying` is held until every
    /// shard was followed to the sequence that it had when it was first seen.
    pub(crate) fn start(self, shutdown: &Shutdown, replaying: ReadinessGuard) {
        let (marks, spawner) = (self.clone(), shutdown.clone());
        until_stopped(shutdown, "portfolio marks", async move { marks.follow_marks().await });
        until_stopped(shutdown, "portfolio shards", async move {
            self.discover(&spawner, replaying).await
        });
    }

    /// Waits for data and trading, then follows each shard.
    async fn discover(self, shutdown: &Shutdown, replaying: ReadinessGuard) -> Result<()> {
        self.until_done("instruments", || self.load_instruments()).await;
        let shards = self.until_done("shards", || self.clients.shards()).await;
        let replaying = std::sync::Arc::new(replaying);
        for shard in shards {
            self.adopt_journal(&shard).await?;
            let (follower, guard) = (self.clone(), replaying.clone());
            let name = format!("portfolio shard {}", shard.shard);
            until_stopped(shutdown, &name, async move { follower.consume(shard, guard).await });
        }
        Ok(())
    }

    /// A cursor means nothing in another journal.
    async fn adopt_journal(&self, shard: &Shard) -> Result<()> {
        match store::journal_of(&self.store, shard.shard).await? {
            Some(known) if known == shard.journal_id => Ok(()),
            Some(known) => Err(Error::internal(
                "JOURNAL_REPLACED",
                "the portfolio was folded from another journal: restore it, or move the portfolio's data away",
            )
            .with("shard", shard.shard)
            .with("known", known)
            .with("found", &shard.journal_id)),
            None => store::remember_journal(&self.store, shard.shard, &shard.journal_id).await,
        }
    }

    async fn consume(self, shard: Shard, replaying: std::sync::Arc<ReadinessGuard>) -> Result<()> {
        let options = ConsumerOptions {
            max_batch: self.config.batch_events,
            spacing: Duration::from_millis(self.config.batch_interval_ms),
            max_pause: Duration::from_millis(self.config.retry_max_ms),
            ..ConsumerOptions::default()
        };
        let stream = format!("trading-{}", shard.shard);
        let reached = self.cursor(&stream).await?;
        let feed = ShardFeed {
            clients: self.clients.clone(),
            shard: shard.shard,
        };
        let consumer = Consumer::new(self.store.clone(), stream, feed, self.chance.clone(), options);
        let caught_up = reached >= shard.last_sequence;
        let mut fold = Fold {
            follower: self,
            shard,
            changes: Changes::default(),
            replaying: Some(replaying),
        };
        if caught_up {
            fold.replaying = None;
        }
        consumer.run(&mut fold).await.map(|never| match never {})
    }

    async fn cursor(&self, stream: &str) -> Result<u64> {
        let mut transaction = self.store.begin().await?;
        events::cursor::load(&mut transaction, stream).await
    }

    async fn load_instruments(&self) -> Result<()> {
        self.books.set_instruments(self.clients.instruments().await?);
        Ok(())
    }

    /// The instrument of a fill; data is asked again when it is new.
    async fn instrument_of(&self, event: &Event) -> Result<Option<Instrument>> {
        let Event::Fill(fill) = event else { return Ok(None) };
        if let Some(known) = self.books.instruments().get(&fill.symbol) {
            return Ok(Some(known.clone()));
        }
        self.load_instruments().await?;
        Ok(self.books.instruments().get(&fill.symbol).cloned())
    }

    async fn follow_marks(&self) -> Result<()> {
        loop {
            let mut marks = Box::pin(self.until_done("marks", || self.clients.marks()).await);
            while let Some(Ok((symbol, mark))) = marks.next().await {
                self.books.set_mark(symbol, mark, self.clock.monotonic());
            }
            tracing::info!("the stream of quotes ended");
            tokio::time::sleep(FIRST_WAIT).await;
        }
    }

    /// Tries until it is done; waits longer each time.
    async fn until_done<T, F: Future<Output = Result<T>>>(&self, what: &'static str, run: impl Fn() -> F) -> T {
        let backoff = Backoff::new(FIRST_WAIT, Duration::from_millis(self.config.retry_max_ms));
        let mut round = 0;
        loop {
            match run().await {
                Ok(done) => return done,
                Err(error) => tracing::info!(what, %error, round, "not there yet"),
            }
            tokio::time::sleep(backoff.full_jitter(round, &self.chance)).await;
            round = round.saturating_add(1);
        }
    }
}

/// Runs a task until the process ends; a batch on its way is undone by its transaction.
fn until_stopped(shutdown: &Shutdown, name: &str, task: impl Future<Output = Result<()>> + Send + 'static) {
    let token = shutdown.token();
    shutdown.spawn(
        name,
        async move { token.run_until_cancelled(task).await.unwrap_or(Ok(())) },
    );
}

/// One shard's events at trading.
struct ShardFeed {
    clients: Clients,
    shard: i32,
}

impl Feed for ShardFeed {
    fn subscribe(&self, from: u64) -> BoxFuture<'_, Result<BoxStream<'static, Result<events::Event>>>> {
        Box::pin(async move { Ok(self.clients.events(self.shard, from).await?.boxed()) })
    }
}

/// Folds one shard's events into the portfolios.
struct Fold {
    follower: Follower,
    shard: Shard,
    changes: Changes,
    /// Held until the shard was followed to where it stood at the start.
    replaying: Option<std::sync::Arc<ReadinessGuard>>,
}

#[tonic::async_trait]
impl Apply for Fold {
    async fn apply(&mut self, _transaction: &mut Transaction, sequence: u64, event: Bytes) -> Result<()> {
        let (time, event) = codec::shard_event(&event)?;
        let instrument = self.follower.instrument_of(&event).await?;
        let changes = &mut self.changes;
        self.follower
            .books
            .read(|portfolios| portfolios.apply(changes, sequence, time, &event, instrument.as_ref()))
            .map_err(|error| Error::internal("EVENT_NOT_APPLIED", error.to_string()).with("sequence", sequence))
    }

    async fn finish(&mut self, transaction: &mut Transaction) -> Result<()> {
        store::save(transaction, i64::from(self.shard.shard), &self.changes).await
    }

    async fn committed(&mut self, sequence: u64) {
        let changes = std::mem::take(&mut self.changes);
        metrics::counter!("trademesh_portfolio_fills_total").increment(changes.fills.len() as u64);
        self.follower.books.commit(changes);
        if sequence >= self.shard.last_sequence {
            self.replaying = None;
        }
    }

    async fn rolled_back(&mut self) {
        self.changes = Changes::default();
    }
}
