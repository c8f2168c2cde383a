//! The open-loop generator: a thread that lets each request go when it is due, whatever became of those before.

use super::client::Rest;
use super::market::Market;
use super::tally::{Kind, Tally};
use crate::Orders;
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

/// A request that is due.
#[derive(Debug)]
struct Due {
    at: Instant,
    kind: Kind,
    account: u64,
    path: String,
    body: Value,
    rests: bool,
}

/// The generator and what it remembers.
#[derive(Debug)]
pub(crate) struct Load {
    rest: Rest,
    market: Arc<Market>,
    rate: u32,
    accounts: u64,
    connections: Arc<Semaphore>,
    chance: Mutex<ChaCha8Rng>,
    made: AtomicU64,
    done: AtomicU64,
    /// Accounts and ids of orders that rest, oldest first.
    resting: Mutex<VecDeque<(u64, String)>>,
    tally: Mutex<Tally>,
}

impl Load {
    /// A generator that has sent nothing.
    pub(crate) fn new(rest: Rest, market: Arc<Market>, options: &Orders) -> Self {
        Self {
            rest,
            market,
            rate: options.rate,
            accounts: options.accounts.into(),
            connections: Arc::new(Semaphore::new(options.connections as usize)),
            chance: Mutex::new(ChaCha8Rng::seed_from_u64(options.seed)),
            made: AtomicU64::new(0),
            done: AtomicU64::new(0),
            resting: Mutex::new(VecDeque::new()),
            tally: Mutex::new(Tally::new()),
        }
    }

    /// What was counted since the last call.
    pub(crate) fn take_tally(&self) -> Tally {
        std::mem::replace(&mut self.tally.lock().expect("no holder panics"), Tally::new())
    }

    /// Requests that are due and not answered.
    pub(crate) fn in_flight(&self) -> u64 {
        self.made
            .load(Ordering::Relaxed)
            .saturating_sub(self.done.load(Ordering::Relaxed))
    }

    /// Sends at the rate for `span`, and waits until all is answered.
    ///
    /// # Errors
    /// When the generator's thread dies.
    pub(crate) async fn send_all(self: Arc<Self>, span: Duration) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (alive, mut ended) = mpsc::channel::<()>(1);
        let runtime = tokio::runtime::Handle::current();
        let count = (span.as_secs_f64() * f64::from(self.rate)).round() as u32;
        let generating = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            for number in 0..count {
                let at = begun + Duration::from_secs_f64(f64::from(number) / f64::from(self.rate));
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

    /// The next request: 40 % resting limits, 40 % market orders, 20 % cancels.
    fn due(&self, at: Instant) -> Due {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let chance = &mut *self.chance.lock().expect("no holder panics");
        let account = number % self.accounts + 1;
        let id = format!("bench-{number}");
        let choice = chance.random_range(0..10);
        if choice < 2
            && let Some((account, order)) = self.oldest()
        {
            let path = format!("/v1/accounts/paper-{account}/orders/{order}:cancel");
            return Due {
                at,
                kind: Kind::Cancel,
                account,
                path,
                body: json!({}),
                rests: false,
            };
        }
        let rests = choice < 6;
        let body = if rests {
            self.market.resting(&id, chance)
        } else {
            self.market.marketable(&id, chance)
        };
        let path = format!("/v1/accounts/paper-{account}/orders");
        Due {
            at,
            kind: Kind::Submit,
            account,
            path,
            body,
            rests,
        }
    }

    fn oldest(&self) -> Option<(u64, String)> {
        let mut resting = self.resting.lock().expect("no holder panics");
        if resting.len() > YOUNGER {
            resting.pop_front()
        } else {
            None
        }
    }

    async fn send(&self, due: Due) {
        let connection = self.connections.acquire().await;
        let answer = self.rest.post(&due.path, &due.body).await;
        drop(connection);
        let latency = due.at.elapsed();
        self.done.fetch_add(1, Ordering::Relaxed);
        let error = if answer.is_good() { None } else { Some(answer.error()) };
        if due.rests
            && error.is_none()
            && let Some(order) = answer.body["order"]["orderId"].as_str()
        {
            self.resting
                .lock()
                .expect("no holder panics")
                .push_back((due.account, order.to_owned()));
        }
        self.tally
            .lock()
            .expect("no holder panics")
            .record(due.kind, latency, error);
    }
}
