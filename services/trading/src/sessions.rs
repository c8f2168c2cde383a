//! Cancel on disconnect: which sessions have a stream, and what happens to those that lose theirs.
//!
//! Sessions are journalled, streams are not: after a restart every session is without one, and its grace period begins.

use crate::core::{Command, SessionClosed, SessionId, SessionOpened};
use crate::error;
use crate::shard::{Ask, Reply, ShardHandle};
use domain::AccountId;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use mesh::Result;
use mesh::app::Shutdown;
use mesh::time::Clock;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

type Key = (AccountId, SessionId);

/// A session in this process.
#[derive(Debug)]
struct Presence {
    /// Its terms, to open it again should it end while a stream comes.
    opened: SessionOpened,
    /// Streams that hold it.
    streams: usize,
    /// Counts what happened to it: a timer of an earlier time means nothing.
    generation: u64,
    /// Ends its streams.
    over: CancellationToken,
}

#[derive(Debug)]
struct Inner {
    present: Mutex<BTreeMap<Key, Presence>>,
    lost: mpsc::UnboundedSender<Lost>,
}

/// A session without a stream.
#[derive(Debug)]
struct Lost {
    key: Key,
    generation: u64,
    grace: Duration,
}

/// The sessions of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

/// A stream that holds a session: dropping it is losing it.
#[derive(Debug)]
pub struct Held {
    sessions: Sessions,
    key: Key,
    /// Cancelled when the session is over.
    pub(crate) over: CancellationToken,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sessions.release(&self.key);
    }
}

impl Sessions {
    /// Starts to watch over the sessions of these shards, beginning with the journalled ones.
    pub fn start(shards: Arc<Vec<ShardHandle>>, shard_of: ShardOf, clock: Clock, shutdown: &Shutdown) -> Sessions {
        let (lost, inbox) = mpsc::unbounded_channel();
        let sessions = Sessions(Arc::new(Inner {
            present: Mutex::default(),
            lost,
        }));
        let watch = Watch {
            sessions: sessions.clone(),
            shards,
            shard_of,
            clock,
        };
        // A session outlives the process, which ends streams that are not lost: the next one takes it up.
        let stop = shutdown.draining();
        shutdown.spawn("sessions", async move {
            tokio::select! { biased; () = stop.cancelled() => Ok(()), ended = watch.run(inbox) => ended }
        });
        sessions
    }

    /// Opens a session, or takes it up again, and holds it with one more stream.
    ///
    /// # Errors
    /// The refusal of the account's shard.
    pub async fn hold(&self, shard: &ShardHandle, opened: SessionOpened) -> Result<Held> {
        // Held before it is opened, so that no timer ends it in between.
        let held = self.attach(opened.clone());
        shard.urgent(Command::OpenSession(opened)).await?;
        Ok(held)
    }

    /// Ends a session whose client said goodbye.
    ///
    /// # Errors
    /// The account's shard has stopped.
    pub async fn close(&self, shard: &ShardHandle, account: AccountId, session: SessionId) -> Result<()> {
        let key = (account.clone(), session.clone());
        shard
            .urgent(Command::CloseSession(SessionClosed {
                account,
                session,
                lost: false,
            }))
            .await?;
        if let Some(presence) = self.0.present.lock().remove(&key) {
            presence.over.cancel();
        }
        Ok(())
    }

    fn attach(&self, opened: SessionOpened) -> Held {
        let key = (opened.account.clone(), opened.session.clone());
        let mut present = self.0.present.lock();
        let presence = present.entry(key.clone()).or_insert_with(|| Presence {
            opened: opened.clone(),
            streams: 0,
            generation: 0,
            over: CancellationToken::new(),
        });
        presence.opened = opened;
        presence.streams += 1;
        presence.generation += 1;
        let over = presence.over.clone();
        drop(present);
        Held {
            sessions: self.clone(),
            key,
            over,
        }
    }

    fn release(&self, key: &Key) {
        let mut present = self.0.present.lock();
        let Some(presence) = present.get_mut(key) else { return };
        presence.streams = presence.streams.saturating_sub(1);
        presence.generation += 1;
        if presence.streams == 0 {
            let lost = Lost {
                key: key.clone(),
                generation: presence.generation,
                grace: grace(&presence.opened),
            };
            // Nobody watches any more when the process ends; the next one takes the session up.
            let _ = self.0.lost.send(lost);
        }
    }

    /// Whether the session is still as it was when its timer began.
    fn is_lost(&self, lost: &Lost) -> bool {
        let present = self.0.present.lock();
        let presence = present.get(&lost.key);
        presence.is_some_and(|presence| presence.generation == lost.generation && presence.streams == 0)
    }
}

fn grace(opened: &SessionOpened) -> Duration {
    Duration::from_micros(u64::try_from(opened.grace_micros).unwrap_or_default())
}

/// Which shard an account is on.
pub type ShardOf = Arc<BTreeMap<AccountId, u32>>;

struct Watch {
    sessions: Sessions,
    shards: Arc<Vec<ShardHandle>>,
    shard_of: ShardOf,
    clock: Clock,
}

impl Watch {
    async fn run(self, mut inbox: mpsc::UnboundedReceiver<Lost>) -> Result<()> {
        for shard in self.shards.iter() {
            let Reply::Sessions(sessions) = shard.ask(Ask::Sessions).await? else {
                return Err(error::other_answer());
            };
            for opened in sessions {
                // A stream that never came: its loss begins now.
                drop(self.sessions.attach(opened));
            }
        }
        let mut timers = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(lost) = timers.next() => self.end(lost).await,
                Some(lost) = inbox.recv() => timers.push(async {
                    self.clock.sleep(lost.grace).await;
                    lost
                }),
            }
        }
    }

    /// The grace period is over.
    async fn end(&self, lost: Lost) {
        if !self.sessions.is_lost(&lost) {
            return;
        }
        let (account, session) = &lost.key;
        let shard = self
            .shard_of
            .get(account)
            .and_then(|shard| self.shards.get(*shard as usize));
        let Some(shard) = shard else { return };
        tracing::warn!(%account, %session, "a session is lost: its orders are cancelled");
        let closed = SessionClosed {
            account: account.clone(),
            session: session.clone(),
            lost: true,
        };
        shard.tell(Command::CloseSession(closed)).await;
        let came_back = {
            let mut present = self.sessions.0.present.lock();
            let came_back = present.get(&lost.key).filter(|presence| presence.streams > 0);
            let opened = came_back.map(|presence| presence.opened.clone());
            if opened.is_none() {
                present.remove(&lost.key);
            }
            opened
        };
        if let Some(opened) = came_back {
            // Its stream came while it was being ended: from now on it is held again.
            shard.tell(Command::OpenSession(opened)).await;
        }
    }
}
