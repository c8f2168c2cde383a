//! Carries journalled intents to the venue, and asks it about orders whose state is not known.
//!
//! An account has a fixed number of queues, and an order always the same one: requests of an account are bounded, and what
//! is wanted of one order happens in order. A queue has a task while something waits in it: an account that does nothing
//! costs next to nothing. Queues need no bound of their own: what waits is at most the live orders, which the risk gate
//! bounds, and new orders are refused while the backlog is full.

use crate::core::{Command, Entry, News, Report};
use crate::metrics;
use crate::shard::ShardHandle;
use crate::venue::{Placement, PlacementKind, Subject, Venue, VenueError};
use domain::{AccountId, OrderType, Quantity, Timestamp};
use mesh::app::Shutdown;
use mesh::retry::Backoff;
use mesh::time::{Chance, Clock};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// The first wait before another attempt; it doubles up to the bound.
pub(crate) const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// How many intents wait for the venue or are on their way.
#[derive(Clone, Default)]
pub(crate) struct Backlog(Arc<AtomicUsize>);

impl Backlog {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        metrics::intent_waits();
    }

    fn remove(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        metrics::intent_done();
    }
}

/// Times within which something is certain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How long a signed request is good for.
    pub(crate) recv_window_micros: i64,
    /// After so long since its signed time an order that the venue does not know is absent.
    pub(crate) absence_micros: i64,
    /// The longest wait between attempts.
    pub(crate) max_backoff: Duration,
    /// Requests of an account at the same time.
    pub(crate) workers: usize,
    /// Queries at the same time.
    pub(crate) queries: usize,
}

/// One journalled intent.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    order: u64,
    subject: Subject,
    signed: Timestamp,
    /// None is a cancel.
    placement: Option<Placement>,
}

impl Job {
    /// The job of an intent of this order.
    pub(crate) fn of(entry: &Entry, is_cancel: bool, signed: Timestamp) -> Job {
        let subject = subject(entry);
        let placement = if is_cancel { None } else { placement(entry, signed) };
        Job {
            order: entry.accepted,
            subject,
            signed,
            placement,
        }
    }
}

fn subject(entry: &Entry) -> Subject {
    let terms = entry.order.terms();
    Subject {
        account: terms.account.clone(),
        symbol: terms.symbol.clone(),
        venue_id: entry.venue_id.clone(),
    }
}

fn placement(entry: &Entry, signed: Timestamp) -> Option<Placement> {
    let terms = entry.order.terms();
    let kind = match terms.order_type {
        OrderType::Limit => PlacementKind::Limit(terms.time_in_force),
        OrderType::Market => PlacementKind::Limit(domain::TimeInForce::Ioc),
        OrderType::LimitMaker => PlacementKind::LimitMaker,
    };
    Some(Placement {
        account: terms.account.clone(),
        symbol: terms.symbol.clone(),
        venue_id: entry.venue_id.clone(),
        side: terms.side,
        kind,
        // A market order always has a collar: without one the gate refuses it.
        price: entry.price_bound()?,
        quantity: entry.order.quantity(),
        display_quantity: entry.shown(),
        signed,
    })
}

/// Sends and asks, for one shard. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sender(Arc<Inner>);

struct Inner {
    venue: Arc<dyn Venue>,
    shard: ShardHandle,
    bounds: Bounds,
    clock: Clock,
    chance: Chance,
    backlog: Backlog,
    queries: Semaphore,
    shutdown: Shutdown,
    stop: CancellationToken,
    queues: BTreeMap<AccountId, Vec<Arc<Mutex<Queue>>>>,
}

/// What one request after the other is made for.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Whether a task works it off.
    is_worked: bool,
}

/// An intent, and when it was given.
struct Waiting {
    job: Job,
    since: Duration,
}

impl Queue {
    /// Adds an intent; whether a task will come to it.
    fn add(&mut self, waiting: Waiting) -> bool {
        self.waiting.push_back(waiting);
        std::mem::replace(&mut self.is_worked, true)
    }

    /// What the task does next; with none it has to end.
    fn next(&mut self) -> Option<Waiting> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            *self = Queue::default();
        }
        next
    }
}

impl Sender {
    /// A sender for these accounts.
    pub(crate) fn start(
        venue: Arc<dyn Venue>,
        shard: ShardHandle,
        backlog: Backlog,
        accounts: &[AccountId],
        bounds: Bounds,
        (clock, chance): (Clock, Chance),
        shutdown: &Shutdown,
    ) -> Sender {
        let queues = |account: &AccountId| (account.clone(), (0..bounds.workers).map(|_| Arc::default()).collect());
        Sender(Arc::new(Inner {
            venue,
            shard,
            bounds,
            clock,
            chance,
            backlog,
            queries: Semaphore::new(bounds.queries),
            shutdown: shutdown.clone(),
            stop: shutdown.token(),
            queues: accounts.iter().map(queues).collect(),
        }))
    }

    /// Takes a journalled intent.
    pub(crate) fn send(&self, job: Job) {
        let Some(queues) = self.0.queues.get(&job.subject.account) else {
            // An account whose key was taken away keeps its orders; they cannot be acted on.
            tracing::error!(account = %job.subject.account, "no venue key: an intent cannot be carried out");
            return;
        };
        let queue = Arc::clone(&queues[(job.order % queues.len() as u64) as usize]);
        self.0.backlog.add();
        let since = self.0.clock.monotonic();
        if queue.lock().add(Waiting { job, since }) {
            return;
        }
        let inner = Arc::clone(&self.0);
        let name = format!("sender of shard {}", inner.shard.shard());
        self.0.shutdown.spawn(name, async move {
            inner.work(&queue).await;
            Ok(())
        });
    }

    /// Finds out what became of an order, and tells the shard.
    pub(crate) fn ask(&self, entry: &Entry) {
        let inner = Arc::clone(&self.0);
        let (order, subject) = (entry.accepted, subject(entry));
        let (signed, filled) = (entry.signed, entry.order.filled());
        self.0.shutdown.detach(async move {
            let stop = inner.stop.clone();
            let asking = async {
                let news = inner.find_out(&subject, signed, filled).await;
                inner.tell(order, news).await;
            };
            tokio::select! { biased; () = stop.cancelled() => {}, () = asking => {} }
        });
    }
}

impl Inner {
    /// Works a queue off.
    async fn work(&self, queue: &Mutex<Queue>) {
        while !self.stop.is_cancelled() {
            let Some(Waiting { job, since }) = queue.lock().next() else {
                return;
            };
            // An attempt that has begun is not cut off by the stop: its answer is awaited within its own bound.
            let news = match &job.placement {
                Some(placement) => self.place(placement).await,
                None => self.cancel(&job).await,
            };
            self.backlog.remove();
            let span = self.clock.monotonic().saturating_sub(since);
            metrics::venue_answered(job.placement.is_none(), span);
            self.tell(job.order, news).await;
        }
    }

    async fn tell(&self, order: u64, news: News) {
        self.shard.tell(Command::Report(Report { order, news })).await;
    }

    async fn place(&self, placement: &Placement) -> News {
        let mut attempt = 0;
        loop {
            if !self.is_in_window(placement.signed) {
                return News::Absent("SEND_WINDOW_PASSED");
            }
            let span = tracing::info_span!("place", otel.kind = "client", otel.name = "venue.place");
            match self.venue.place(placement).instrument(span).await {
                Ok(state) => return News::State(Box::new(state)),
                Err(VenueError::Rejected { reason, message }) => {
                    tracing::info!(reason, message, "the venue refused an order");
                    return News::Rejected(reason);
                }
                Err(VenueError::Limited(wait)) => self.wait(wait.min(self.bounds.max_backoff)).await,
                Err(VenueError::NotSent(why)) => {
                    tracing::warn!(why, "the venue cannot be reached");
                    self.back_off(&mut attempt).await;
                }
                Err(error @ (VenueError::Unknown(_) | VenueError::NotFound)) => {
                    metrics::unknown_outcome();
                    tracing::warn!(%error, "an order's outcome is unknown");
                    return News::Unknown;
                }
            }
        }
    }

    async fn cancel(&self, job: &Job) -> News {
        let mut attempt = 0;
        while self.is_in_window(job.signed) {
            match self.venue.cancel(&job.subject, job.signed).await {
                Ok(state) => return News::State(Box::new(state)),
                Err(VenueError::Limited(wait)) => self.wait(wait.min(self.bounds.max_backoff)).await,
                Err(VenueError::NotSent(_)) => self.back_off(&mut attempt).await,
                Err(VenueError::Rejected { .. } | VenueError::NotFound | VenueError::Unknown(_)) => break,
            }
        }
        News::CancelUnsure
    }

    /// Asks until it is certain what became of an order.
    async fn find_out(&self, subject: &Subject, signed: Timestamp, filled: Quantity) -> News {
        let mut attempt = 0;
        loop {
            // An answer says how things stood at some time after this; it may be long under way itself.
            let asked = self.venue.now();
            match self.query(subject, filled).await {
                Ok(news) => return news,
                Err(VenueError::NotFound) => {
                    let left = self.bounds.absence_micros - asked.micros_since(signed);
                    if left < 0 {
                        return News::Absent("NEVER_REACHED_VENUE");
                    }
                    let left = Duration::from_micros(left.unsigned_abs() + 1_000);
                    self.wait(left.min(self.bounds.max_backoff)).await;
                }
                Err(VenueError::Limited(wait)) => self.wait(wait.min(self.bounds.max_backoff)).await,
                Err(error) => {
                    tracing::warn!(%error, "an order's state cannot be asked for");
                    self.back_off(&mut attempt).await;
                }
            }
        }
    }

    async fn query(&self, subject: &Subject, filled: Quantity) -> Result<News, VenueError> {
        let _permit = self.queries.acquire().await;
        let mut state = self.venue.order(subject).await?;
        if state.executed > filled {
            state.trades = self.venue.trades(subject, &state.venue_order).await?;
        }
        Ok(News::Found(Box::new(state)))
    }

    /// Whether the venue would still take a request that was signed then.
    fn is_in_window(&self, signed: Timestamp) -> bool {
        self.venue.now().micros_since(signed) < self.bounds.recv_window_micros
    }

    async fn back_off(&self, attempt: &mut u32) {
        let backoff = Backoff::new(FIRST_BACKOFF, self.bounds.max_backoff);
        let span = backoff.half_jitter(*attempt, &self.chance);
        *attempt += 1;
        self.wait(span).await;
    }

    async fn wait(&self, span: Duration) {
        tokio::select! { biased; () = self.stop.cancelled() => {}, () = self.clock.sleep(span) => {} }
    }
}
