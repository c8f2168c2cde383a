//! The open-loop generator: a thread that lets each request go when it is due, whatever became of those before.

use super::asked::Asked;
use super::client::Answer;
use super::door::Door;
use super::market::Market;
use super::tally::{Kind, Tally};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

/// Orders rest for a while before they are cancelled: at least as many younger ones rest beside.
const YOUNGER: usize = 200;

/// What is sent, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Requests a second, submits and cancels together.
    pub rate: u32,
    /// The accounts, used in turn; at least one.
    pub accounts: Vec<String>,
    /// Requests at the same time, at most.
    pub connections: u32,
    /// Seed of the orders.
    pub seed: u64,
    /// The ids of the requests are this and their number.
    pub prefix: String,
}

/// Sees every request and every answer, and says whether a request is sent again.
pub trait Witness: std::fmt::Debug + Send + Sync {
    /// Sees a request before it is sent for the first time.
    fn asked(&self, asked: &Asked);

    /// Sees the answer to an attempt, the first one being 0, and how long ago the request was due. Returns how long to
    /// wait before the same request is sent again under the same id; none ends it.
    fn answered(&self, asked: &Asked, attempt: u32, answer: &Answer, since_due: Duration) -> Option<Duration>;
}

/// Every request is sent once, whatever becomes of it.
#[derive(Debug)]
pub struct Once;

impl Witness for Once {
    fn asked(&self, _: &Asked) {}

    fn answered(&self, _: &Asked, _: u32, _: &Answer, _: Duration) -> Option<Duration> {
        None
    }
}

/// The generator and what it remembers.
#[derive(Debug)]
pub struct Load {
    door: Door,
    market: Arc<Market>,
    plan: Plan,
    witness: Arc<dyn Witness>,
    connections: Arc<Semaphore>,
    chance: Mutex<ChaCha8Rng>,
    made: AtomicU64,
    done: AtomicU64,
    /// Accounts and ids of orders that rest, oldest first.
    resting: Mutex<VecDeque<(String, String)>>,
    tally: Mutex<Tally>,
}

impl Load {
    /// A generator that has sent nothing and sends every request once.
    pub fn new(door: impl Into<Door>, market: Arc<Market>, plan: Plan) -> Self {
        Self::watched(door, market, plan, Arc::new(Once))
    }

    /// A generator that has sent nothing, whose witness decides what is sent again.
    pub fn watched(door: impl Into<Door>, market: Arc<Market>, plan: Plan, witness: Arc<dyn Witness>) -> Self {
        Self {
            door: door.into(),
            market,
            witness,
            connections: Arc::new(Semaphore::new(plan.connections as usize)),
            chance: Mutex::new(ChaCha8Rng::seed_from_u64(plan.seed)),
            made: AtomicU64::new(0),
            done: AtomicU64::new(0),
            resting: Mutex::new(VecDeque::new()),
            tally: Mutex::new(Tally::new()),
            plan,
        }
    }

    /// What was counted since the last call.
    pub fn take_tally(&self) -> Tally {
        std::mem::take(&mut self.tally.lock().expect("no holder panics"))
    }

    /// Requests that are due and not answered.
    pub fn in_flight(&self) -> u64 {
        self.made
            .load(Ordering::Relaxed)
            .saturating_sub(self.done.load(Ordering::Relaxed))
    }

    /// Sends at the rate for `span`, and waits until all is answered.
    ///
    /// # Errors
    /// When the generator's thread dies.
    pub async fn send_all(self: Arc<Self>, span: Duration) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (alive, mut ended) = mpsc::channel::<()>(1);
        let runtime = tokio::runtime::Handle::current();
        let count = (span.as_secs_f64() * f64::from(self.plan.rate)).round() as u32;
        let generating = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            for number in 0..count {
                let at = begun + Duration::from_secs_f64(f64::from(number) / f64::from(self.plan.rate));
                // Coarser sleeps, such as a runtime's, would count as the platform's latency.
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
                let (due, load, alive) = (self.due(at), self.clone(), alive.clone());
                runtime.spawn(async move {
                    load.send(due).await;
                    drop(alive);
                });
            }
        });
        generating.await?;
        // Nothing is ever sent: it ends when the last request has dropped its end.
        let _ = ended.recv().await;
        Ok(())
    }

    /// Cancels what this generator has let rest. Returns how many orders that were, and how many answers were no.
    ///
    /// # Errors
    /// When a task of it dies.
    pub async fn cancel_resting(self: Arc<Self>) -> Result<(usize, usize), Box<dyn Error + Send + Sync>> {
        let resting = std::mem::take(&mut *self.resting.lock().expect("no holder panics"));
        let count = resting.len();
        let mut cancelling = tokio::task::JoinSet::new();
        for (account, order) in resting {
            let load = self.clone();
            cancelling.spawn(async move {
                let _connection = load.connections.acquire().await;
                let answer = load.door.send(&load.cancel(Instant::now(), account, order)).await;
                load.done.fetch_add(1, Ordering::Relaxed);
                // It may have been filled meanwhile.
                answer.is_good() || answer.reason() == Some("ORDER_CLOSED")
            });
        }
        let mut refused = 0;
        while let Some(cancelled) = cancelling.join_next().await {
            refused += usize::from(!cancelled?);
        }
        Ok((count, refused))
    }

    /// The next request: 40 % resting limits, 40 % market orders, 20 % cancels.
    fn due(&self, at: Instant) -> Asked {
        let chance = &mut *self.chance.lock().expect("no holder panics");
        let choice = chance.random_range(0..10);
        if choice < 2
            && let Some((account, order)) = self.oldest()
        {
            return self.cancel(at, account, order);
        }
        let (number, id) = self.id();
        let (rests, body) = match choice {
            0..6 => (true, self.market.resting(&id, chance)),
            _ => (false, self.market.marketable(&id, chance)),
        };
        self.submit(at, number, id, body, rests)
    }

    fn submit(&self, at: Instant, number: u64, id: String, body: Value, rests: bool) -> Asked {
        Asked {
            at,
            kind: Kind::Submit,
            body,
            id,
            account: self.plan.accounts[number as usize % self.plan.accounts.len()].clone(),
            order: String::new(),
            rests,
        }
    }

    fn cancel(&self, at: Instant, account: String, order: String) -> Asked {
        let (_, id) = self.id();
        Asked {
            at,
            kind: Kind::Cancel,
            body: json!({ "requestId": id }),
            id,
            account,
            order,
            rests: false,
        }
    }

    /// The number of the next request, and its id.
    fn id(&self) -> (u64, String) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        (number, format!("{}{number}", self.plan.prefix))
    }

    fn oldest(&self) -> Option<(String, String)> {
        let mut resting = self.resting.lock().expect("no holder panics");
        if resting.len() > YOUNGER {
            resting.pop_front()
        } else {
            None
        }
    }

    async fn send(&self, asked: Asked) {
        self.witness.asked(&asked);
        let mut attempt = 0;
        let answer = loop {
            let connection = self.connections.acquire().await;
            let answer = self.door.send(&asked).await;
            drop(connection);
            let Some(pause) = self.witness.answered(&asked, attempt, &answer, asked.at.elapsed()) else {
                break answer;
            };
            tokio::time::sleep(pause).await;
            attempt += 1;
        };
        let latency = asked.at.elapsed();
        self.done.fetch_add(1, Ordering::Relaxed);
        let error = if answer.is_good() { None } else { Some(answer.error()) };
        if asked.rests
            && error.is_none()
            && let Some(order) = answer.body["order"]["orderId"].as_str()
        {
            self.resting
                .lock()
                .expect("no holder panics")
                .push_back((asked.account, order.to_owned()));
        }
        self.tally
            .lock()
            .expect("no holder panics")
            .record(asked.kind, latency, error);
    }
}
