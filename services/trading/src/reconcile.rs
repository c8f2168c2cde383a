//! Keeps the shards in step with the venue: opening balances, what happened while nobody listened, and what the user
//! data stream says.
//!
//! An account is ready once its stream is subscribed and what came before has been asked for; then nothing of it can be
//! missed. When the stream is lost, orders are still taken: their own answers and the next reconciliation tell the rest.

use crate::core::{Balances, Command, Entry, News, Report, VenueIds, VenueStatus};
use crate::metrics;
use crate::sender::FIRST_BACKOFF;
use crate::shard::{Ask, Reply, ShardHandle};
use crate::venue::{UserData, Venue, VenueError, VenueOrder};
use domain::AccountId;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use mesh::app::{ReadinessGuard, Shutdown};
use mesh::retry::Backoff;
use mesh::time::{Chance, Clock};
use mesh::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// News that wait for their shard.
const NEWS: usize = 1_024;

/// An account with its shard.
#[derive(Clone)]
pub struct Home {
    /// Where its commands go.
    pub shard: ShardHandle,
    /// The ids that the shard's owner makes.
    pub ids: VenueIds,
}

/// What reconciliation needs.
#[derive(Clone)]
pub(crate) struct Reconciler {
    pub(crate) venue: Arc<dyn Venue>,
    pub(crate) homes: Arc<BTreeMap<AccountId, Home>>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) max_backoff: Duration,
    pub(crate) clock_interval: Duration,
}

impl Reconciler {
    /// Starts to follow the venue. `guard` is dropped once every account is ready.
    pub(crate) fn start(self, shutdown: &Shutdown, guard: ReadinessGuard) {
        let stop = shutdown.token();
        shutdown.spawn("venue", async move {
            tokio::select! { biased; () = stop.cancelled() => {}, () = self.run(guard) => {} }
            Ok(())
        });
    }

    async fn run(self, guard: ReadinessGuard) {
        // Requests are signed with the venue's time: first of all it has to be known.
        self.until_done("the venue's clock", || self.venue.synchronise()).await;
        let (sink, news) = mpsc::channel(NEWS);
        let accounts = self.homes.keys().cloned().collect();
        tokio::join!(
            self.venue.follow(accounts, sink),
            self.clone().listen(news, guard),
            self.keep_time()
        );
    }

    async fn keep_time(&self) {
        loop {
            self.clock.sleep(self.clock_interval).await;
            if let Err(error) = self.venue.synchronise().await {
                tracing::warn!(%error, "the venue's clock cannot be read");
            }
        }
    }

    async fn listen(self, mut news: mpsc::Receiver<UserData>, guard: ReadinessGuard) {
        let mut guard = Some(guard);
        let mut waiting: BTreeSet<AccountId> = self.homes.keys().cloned().collect();
        if waiting.is_empty() {
            guard = None;
        }
        let mut reconciling = FuturesUnordered::new();
        loop {
            let told = tokio::select! {
                biased;
                Some(account) = reconciling.next() => {
                    waiting.remove(&account);
                    if waiting.is_empty() {
                        guard = None;
                    }
                    continue;
                }
                told = news.recv() => told,
            };
            match told {
                None => return drop(guard),
                Some(UserData::Subscribed(account)) => {
                    let this = self.clone();
                    reconciling.push(async move {
                        let what = format!("account {account}");
                        this.until_done(&what, || this.reconcile(&account)).await;
                        account
                    });
                }
                Some(UserData::Order(account, order)) => self.told(&account, *order).await,
                Some(UserData::Lost(account)) => {
                    tracing::warn!(%account, "the user data stream of an account is lost");
                }
            }
        }
    }

    /// Hands on what the stream says of an order of ours.
    async fn told(&self, account: &AccountId, order: VenueOrder) {
        let Some(home) = self.homes.get(account) else { return };
        // An order that somebody placed by other means is not ours to follow.
        let Some(accepted) = home.ids.sequence_of(&order.venue_id) else {
            return;
        };
        let news = News::State(Box::new(order.state));
        home.shard.tell(Command::Report(Report { order: accepted, news })).await;
    }

    /// Brings one account in step.
    async fn reconcile(&self, account: &AccountId) -> Result<(), VenueError> {
        let Some(home) = self.homes.get(account) else {
            return Ok(());
        };
        // What we knew before the venue answered: an order placed meanwhile is in its list and not in ours.
        let (is_open, live) = live(home, account).await?;
        if is_open {
            self.catch_up(home, account, &live).await?;
        } else {
            // At first sight there is nothing of ours there. The venue's budget is small: ask for no more than is needed.
            let balances = self.venue.balances(account).await?;
            urgent(
                home,
                Command::Balances(Balances {
                    account: account.clone(),
                    balances,
                }),
            )
            .await?;
        }
        urgent(home, Command::Ready(account.clone(), true)).await?;
        tracing::info!(%account, live = live.len(), "account reconciled");
        Ok(())
    }

    /// Compares the live orders with the venue's open ones.
    async fn catch_up(&self, home: &Home, account: &AccountId, live: &[Entry]) -> Result<(), VenueError> {
        let open = self.venue.open_orders(account).await?;
        // Asked after the venue: whatever of ours it has listed was journalled before it was sent.
        let last = sequence(home).await?;
        for order in &open {
            self.adopt(home, order, last).await;
        }
        let open: BTreeMap<&str, &VenueOrder> = open.iter().map(|order| (order.venue_id.as_str(), order)).collect();
        for entry in live {
            if !is_in_step(entry, open.get(entry.venue_id.as_str()).copied()) {
                let news = News::CancelUnsure;
                home.shard
                    .tell(Command::Report(Report {
                        order: entry.accepted,
                        news,
                    }))
                    .await;
            }
        }
        Ok(())
    }

    /// An open order under an id of this journal that the journal does not hold: decisions were lost.
    async fn adopt(&self, home: &Home, order: &VenueOrder, last: u64) {
        let Some(accepted) = home.ids.sequence_of(&order.venue_id) else {
            return;
        };
        if accepted > last {
            home.shard.tell(Command::DecisionsLost(order.venue_id.clone())).await;
            return;
        }
        let news = News::State(Box::new(order.state.clone()));
        home.shard.tell(Command::Report(Report { order: accepted, news })).await;
    }

    async fn until_done<F, Fut>(&self, what: &str, mut attempt: F)
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<(), VenueError>>,
    {
        let backoff = Backoff::new(FIRST_BACKOFF, self.max_backoff);
        let mut round = 0;
        while let Err(error) = attempt().await {
            metrics::alert("VENUE_NOT_REACHED");
            tracing::warn!(%error, "{what} cannot be brought in step with the venue yet");
            let pause = match error {
                VenueError::Limited(wait) => wait.min(self.max_backoff),
                _ => backoff.half_jitter(round, &self.chance),
            };
            self.clock.sleep(pause).await;
            round += 1;
        }
    }
}

/// Whether the venue's list says of an order what we know: anything else is asked for.
fn is_in_step(entry: &Entry, listed: Option<&VenueOrder>) -> bool {
    use domain::OrderStatus::{Open, PartiallyFilled};
    let Some(listed) = listed else { return false };
    let is_known = matches!(entry.order.status(), Open | PartiallyFilled);
    is_known && listed.state.status == VenueStatus::Live && listed.state.executed == entry.order.filled()
}

async fn live(home: &Home, account: &AccountId) -> Result<(bool, Vec<Entry>), VenueError> {
    match home.shard.ask(Ask::Live(account.clone())).await {
        Ok(Reply::Live(is_open, entries)) => Ok((is_open, entries)),
        other => Err(unanswered(other)),
    }
}

async fn sequence(home: &Home) -> Result<u64, VenueError> {
    match home.shard.ask(Ask::Sequence).await {
        Ok(Reply::Sequence(sequence)) => Ok(sequence),
        other => Err(unanswered(other)),
    }
}

async fn urgent(home: &Home, command: Command) -> Result<(), VenueError> {
    home.shard
        .urgent(command)
        .await
        .map(|_| ())
        .map_err(|error| unanswered(Err(error)))
}

fn unanswered(answer: Result<Reply>) -> VenueError {
    let error = answer
        .err()
        .unwrap_or_else(|| Error::internal("SHARD_ANSWER", "an answer to another question"));
    VenueError::NotSent(format!("the shard did not answer: {error}"))
}
