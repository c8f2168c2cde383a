//! Keeps the shards in step with the venue: what happened while nobody listened, and what the user data stream says.
//!
//! Each account is looked at (see `look`) when its stream is subscribed, and then every interval, paced within a share of
//! the venue's limits. An account is ready once its stream is subscribed and the look after that is done; then nothing of it
//! can be missed. What was under way when the process ended is asked for before all that. When the stream is lost, orders are
//! still taken: their own answers and the next look tell the rest.

mod compare;
mod look;
mod round;
mod schedule;

use crate::alerts::Alerts;
use crate::core::{Command, Market, News, Report, VenueIds};
use crate::sender::FIRST_BACKOFF;
use crate::shard::{Ask, Reply, ShardHandle};
use crate::venue::{Pace, UserData, Venue, VenueError, VenueOrder};
use compare::Suspicion;
use domain::{AccountId, Timestamp};
use futures::StreamExt;
use look::{Look, unanswered};
use mesh::app::{ReadinessGuard, Shutdown};
use mesh::retry::Backoff;
use mesh::time::{Chance, Clock};
use parking_lot::{Mutex, RwLock};
use round::{Looked, Round};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

/// News that wait for their shard.
const NEWS: usize = 1_024;

/// Turns that looks after a subscription share: with thousands of accounts all of them at once would answer none in time.
pub(crate) const FIRST_LOOKS: usize = 64;

/// A look takes one turn, and another for so many live orders: their list is as much work as many accounts without.
const ORDERS_A_TURN: usize = 500;

/// An account with its shard.
#[derive(Clone)]
pub struct Home {
    /// Where its commands go.
    pub shard: ShardHandle,
    /// The ids that the shard's owner makes.
    pub ids: VenueIds,
}

/// The times of reconciliation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The longest wait between two attempts.
    pub(crate) max_backoff: Duration,
    /// How often the venue's clock is asked for.
    pub(crate) clock_interval: Duration,
    /// How often each account is looked at.
    pub(crate) interval: Duration,
    /// How long after a look that found a difference the next one follows: what was in flight has arrived by then.
    pub(crate) confirm_after: Duration,
    /// How long readiness waits for the accounts, once the venue is reached.
    pub(crate) ready_bound: Duration,
}

/// What reconciliation needs.
#[derive(Clone)]
pub(crate) struct Reconciler {
    pub(crate) venue: Arc<dyn Venue>,
    pub(crate) market: Arc<RwLock<Market>>,
    pub(crate) homes: Arc<BTreeMap<AccountId, Home>>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) times: Times,
    /// What differed at the last look, by account.
    pub(crate) suspicions: Arc<Mutex<BTreeMap<AccountId, Suspicion>>>,
    /// Whoever looks after a subscription takes a turn or more: [`FIRST_LOOKS`] of them.
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) alerts: Alerts,
}

impl Reconciler {
    /// Starts to follow the venue. `guard` is dropped once every account is in step, or the bound is over.
    pub(crate) fn start(self, shutdown: &Shutdown, guard: ReadinessGuard) {
        let stop = shutdown.token();
        shutdown.spawn("venue", async move {
            tokio::select! { biased; () = stop.cancelled() => {}, () = self.run(guard) => {} }
            Ok(())
        });
    }

    async fn run(self, guard: ReadinessGuard) {
        // Requests are signed with the venue's time: first of all it has to be known.
        self.until_done(None, || self.synchronise()).await;
        self.ask_for_unsure().await;
        let (sink, news) = mpsc::channel(NEWS);
        let accounts = self.homes.keys().cloned().collect();
        tokio::join!(
            self.venue.follow(accounts, sink),
            self.listen(news, guard),
            self.keep_time()
        );
    }

    /// What was under way when the process ended is asked for at once: whoever waits for an outcome does not wait for the look
    /// at its account as well. The looks come to whatever is missed here.
    async fn ask_for_unsure(&self) {
        let shards: BTreeMap<u32, &ShardHandle> = self
            .homes
            .values()
            .map(|home| (home.shard.shard(), &home.shard))
            .collect();
        for shard in shards.into_values() {
            match shard.urgently(Ask::Unsure).await {
                Ok(Reply::Count(0)) => {}
                Ok(Reply::Count(orders)) => {
                    tracing::info!(
                        shard = shard.shard(),
                        orders,
                        "the venue is asked what became of requests that were under way"
                    );
                }
                other => tracing::warn!(error = %unanswered(other), "requests that were under way are not asked for"),
            }
        }
    }

    async fn keep_time(&self) {
        loop {
            self.clock.sleep(self.times.clock_interval).await;
            if let Err(error) = self.synchronise().await {
                tracing::warn!(%error, "the venue's clock cannot be read");
            }
        }
    }

    async fn synchronise(&self) -> Result<(), VenueError> {
        self.venue.synchronise().await?;
        let icebergs = self.venue.icebergs();
        self.market.write().icebergs = icebergs;
        Ok(())
    }

    async fn listen(&self, mut news: mpsc::Receiver<UserData>, guard: ReadinessGuard) {
        let mut round = Round::new(self.homes.keys().cloned().collect(), guard);
        round.ready_if_all_are();
        let bound = self.clock.monotonic() + self.times.ready_bound;
        loop {
            let next = round.next();
            tokio::select! {
                biased;
                Some((account, pace, looked)) = round.looking.next() => {
                    self.looked(&mut round, &account, pace, looked);
                }
                told = news.recv() => match told {
                    None => return,
                    Some(told) => self.hear(&mut round, told).await,
                },
                () = self.at(Some(bound)), if round.guard.is_some() => round.give_up_waiting(),
                () = self.at(next) => self.begin_due(&mut round),
            }
        }
    }

    async fn hear(&self, round: &mut Round, told: UserData) {
        match told {
            UserData::Subscribed(account) => self.begin(round, account, Pace::Now),
            UserData::Order(account, order) => {
                if !self.told(&account, *order).await && self.homes.contains_key(&account) {
                    // Somebody trades this account by other means: what that means here is found out by a look.
                    round.schedule.plan(&account, self.clock.monotonic());
                }
            }
            UserData::Lost(account) => {
                tracing::warn!(%account, "the user data stream of an account is lost");
            }
        }
    }

    /// Hands on what the stream says of an order of ours; `false` when it is none of ours.
    async fn told(&self, account: &AccountId, order: VenueOrder) -> bool {
        let Some(home) = self.homes.get(account) else {
            return false;
        };
        let Some(accepted) = home.ids.sequence_of(&order.venue_id) else {
            return false;
        };
        let news = News::State(Box::new(order.state));
        home.shard.tell(Command::Report(Report { order: accepted, news })).await;
        true
    }

    fn begin_due(&self, round: &mut Round) {
        while let Some(account) = round.take_due(self.clock.monotonic()) {
            self.begin(round, account, Pace::Background);
        }
    }

    /// Begins a look, unless one is under way: a subscription then wants another one after it, a routine look does not.
    fn begin(&self, round: &mut Round, account: AccountId, pace: Pace) {
        if round.busy.contains(&account) {
            if pace == Pace::Now {
                round.again.insert(account);
            }
            return;
        }
        round.schedule.drop(&account);
        round.busy.insert(account.clone());
        round.routine += usize::from(pace == Pace::Background);
        let this = self.clone();
        round.looking.push(Box::pin(async move {
            let looked = match pace {
                Pace::Now => this.look_until_done(&account).await,
                Pace::Background => this.look_once(&account).await,
            };
            (account, pace, looked)
        }));
    }

    /// A look is over: the next one is planned.
    fn looked(&self, round: &mut Round, account: &AccountId, pace: Pace, looked: Looked) {
        round.busy.remove(account);
        round.routine -= usize::from(pace == Pace::Background);
        if pace == Pace::Now {
            round.waiting.remove(account);
            round.ready_if_all_are();
        }
        if round.again.remove(account) {
            return self.begin(round, account.clone(), Pace::Now);
        }
        let after = match (looked, pace) {
            (Looked::Failed(wait), _) => wait,
            (Looked::Done(true), _) => self.times.confirm_after,
            // Accounts that were subscribed together are spread over the interval.
            (Looked::Done(false), Pace::Now) => self.chance.jitter(self.times.interval),
            (Looked::Done(false), Pace::Background) => self.times.interval,
        };
        round.schedule.plan(account, self.clock.monotonic() + after);
    }

    /// The look after a subscription: until it is done nothing new is taken.
    async fn look_until_done(&self, account: &AccountId) -> Looked {
        let again = Mutex::new(false);
        self.until_done(Some(account), || async {
            let _turns = self.take_turns(account).await?;
            *again.lock() = self.look(account, Pace::Now).await?;
            self.ready(account).await
        })
        .await;
        tracing::info!(%account, "account reconciled");
        Looked::Done(again.into_inner())
    }

    async fn look_once(&self, account: &AccountId) -> Looked {
        match self.look(account, Pace::Background).await {
            Ok(again) => Looked::Done(again),
            Err(error) => {
                if !matches!(error, VenueError::Limited(_)) {
                    self.not_reached(Some(account), &error);
                }
                Looked::Failed(self.pause(&error, 0))
            }
        }
    }

    async fn look(&self, account: &AccountId, pace: Pace) -> Result<bool, VenueError> {
        let Some(home) = self.homes.get(account) else {
            return Ok(false);
        };
        let look = Look {
            venue: &*self.venue,
            market: &self.market,
            home,
            account,
            pace,
            clock: &self.clock,
            apart: self.times.confirm_after,
        };
        let mut suspicion = self.suspicions.lock().remove(account).unwrap_or_default();
        let looked = look.look(&mut suspicion).await;
        // A look that failed has seen nothing: what was suspected before still is.
        self.suspicions.lock().insert(account.clone(), suspicion);
        looked
    }

    /// Waits for as many turns as a look at this account takes.
    async fn take_turns(&self, account: &AccountId) -> Result<Option<SemaphorePermit<'_>>, VenueError> {
        // Nobody closes it. Asking takes a turn too: thousands who ask at once would overload the shard.
        let one = self.turns.acquire().await.ok();
        let wanted = match self.homes.get(account) {
            Some(home) => match home.shard.ask(Ask::LiveOrders(account.clone())).await {
                Ok(Reply::Count(live)) => turns_of(live),
                other => return Err(unanswered(other)),
            },
            None => 1,
        };
        if wanted == 1 {
            return Ok(one);
        }
        // Whoever waits for more holds none, or they would wait for each other.
        drop(one);
        Ok(self.turns.acquire_many(wanted).await.ok())
    }

    async fn ready(&self, account: &AccountId) -> Result<(), VenueError> {
        let Some(home) = self.homes.get(account) else {
            return Ok(());
        };
        let told = home.shard.urgent(Command::Ready(account.clone(), true)).await;
        told.map(drop).map_err(|error| unanswered(Err(error)))
    }

    /// Attempts it again and again: to bring an account, or else our idea of the venue's clock, in step with the venue.
    async fn until_done<F, Fut>(&self, account: Option<&AccountId>, mut attempt: F)
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<(), VenueError>>,
    {
        let mut round = 0;
        while let Err(error) = attempt().await {
            self.not_reached(account, &error);
            self.clock.sleep(self.pause(&error, round)).await;
            round += 1;
        }
    }

    /// The same of every error, so that it is listed once and counted.
    fn not_reached(&self, account: Option<&AccountId>, error: &VenueError) {
        let what = account.map_or("the venue's clock", AccountId::as_str);
        tracing::warn!(%error, "{what} cannot be brought in step with the venue");
        let message = match account {
            None => "the venue's clock cannot be read".to_owned(),
            Some(account) => format!("account {account} cannot be compared with the venue"),
        };
        let now = Timestamp::from_micros(self.clock.now_micros());
        self.alerts.raise("VENUE_NOT_REACHED", account, message, now);
    }

    /// Waits for a time of the monotonic clock; for ever when there is none.
    async fn at(&self, time: Option<Duration>) {
        match time {
            Some(time) => self.clock.sleep(time.saturating_sub(self.clock.monotonic())).await,
            None => std::future::pending().await,
        }
    }

    fn pause(&self, error: &VenueError, round: u32) -> Duration {
        match error {
            VenueError::Limited(wait) => (*wait).min(self.times.max_backoff),
            _ => Backoff::new(FIRST_BACKOFF, self.times.max_backoff).half_jitter(round, &self.chance),
        }
    }
}

fn turns_of(live_orders: usize) -> u32 {
    (1 + live_orders / ORDERS_A_TURN).min(FIRST_LOOKS) as u32
}

#[cfg(test)]
mod tests {
    use super::turns_of;

    #[test]
    fn many_orders_take_more_turns_and_never_more_than_there_are() {
        for (live, turns) in [
            (0, 1),
            (499, 1),
            (500, 2),
            (10_000, 21),
            (31_499, 63),
            (31_500, 64),
            (usize::MAX, 64),
        ] {
            assert_eq!(turns_of(live), turns, "{live}");
        }
    }
}
