//! Before the journals are replayed: a halt is kept in a file of its own, and what it wants cancelled is cancelled at the
//! venue itself, order by order. Once the journals are open it is journalled like any other.
//!
//! Nothing is known of the orders yet, so every open order that is covered goes, those of somebody else too.

use crate::core::{HaltScope, SetHalt};
use crate::sender::FIRST_BACKOFF;
use crate::venue::{OpenOrder, Pace, Subject, Venue, VenueError};
use domain::{AccountId, Symbol};
use mesh::retry::Backoff;
use mesh::time::{Chance, Clock};
use mesh::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// Where halts wait for their journals.
const FILE: &str = "halts-before-replay.json";

/// Halts that wait.
const MOST: usize = 1_000;

/// Attempts at one account, and the longest wait between them.
const ATTEMPTS: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A halt in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    scope: HaltScope,
    target: String,
    reason: String,
    subject: String,
    cancel_orders: bool,
}

#[derive(Debug, Default)]
struct Kept {
    halts: Vec<SetHalt>,
    is_over: bool,
}

/// The time before the journals are replayed.
pub(crate) struct Early {
    file: PathBuf,
    venue: Arc<dyn Venue>,
    accounts: Vec<AccountId>,
    clock: Clock,
    chance: Chance,
    kept: Mutex<Kept>,
}

impl Early {
    /// Begins, with the halts that an earlier process could not journal any more.
    ///
    /// # Errors
    /// `INTERNAL / HALTS_FILE` when the file cannot be read.
    pub(crate) fn begin(
        folder: &Path,
        venue: Arc<dyn Venue>,
        accounts: Vec<AccountId>,
        (clock, chance): (Clock, Chance),
    ) -> Result<Early> {
        let file = folder.join(FILE);
        let halts = read(&file)?;
        Ok(Early {
            file,
            venue,
            accounts,
            clock,
            chance,
            kept: Mutex::new(Kept { halts, is_over: false }),
        })
    }

    /// Takes a halt. Returns how many orders the venue was told to cancel; none when the journals are open by now, and the
    /// halt is theirs to take.
    ///
    /// # Errors
    /// The file cannot be written, and nothing was done; or `UNAVAILABLE / KILL_INCOMPLETE`: the halt is kept, and not
    /// everything could be cancelled.
    pub(crate) async fn halt(&self, halt: &SetHalt) -> Result<Option<usize>> {
        {
            let mut kept = self.kept.lock().await;
            if kept.is_over {
                return Ok(None);
            }
            if kept.halts.len() >= MOST {
                return Err(Error::exhausted("HALTS_FULL", "too many halts wait for their journals"));
            }
            kept.halts.push(halt.clone());
            if let Err(error) = write(&self.file, &kept.halts) {
                kept.halts.pop();
                return Err(error);
            }
        }
        tracing::warn!(reason = halt.reason, "halted before the journals are replayed");
        if halt.cancel_orders {
            self.cancel(halt).await.map(Some)
        } else {
            Ok(Some(0))
        }
    }

    /// Begins the end: halts that come from now on wait until it is over, and are then the journals' to take.
    pub(crate) async fn closing(&self) -> Closing<'_> {
        let mut kept = self.kept.lock().await;
        let halts = std::mem::take(&mut kept.halts);
        Closing {
            halts,
            file: &self.file,
            kept,
        }
    }

    async fn cancel(&self, halt: &SetHalt) -> Result<usize> {
        let is_covered = |account: &&AccountId| match halt.scope {
            HaltScope::Global | HaltScope::Symbol => true,
            HaltScope::Account => account.as_str() == halt.target,
            HaltScope::Venue => halt.target == self.venue.name().as_str(),
            // The venue does not know which strategy an order is of: its orders are cancelled once the journals say so.
            HaltScope::Strategy => false,
        };
        let symbol = match halt.scope {
            HaltScope::Symbol => halt.target.parse::<Symbol>().ok(),
            _ => None,
        };
        let (mut count, mut failed) = (0, 0);
        for account in self.accounts.iter().filter(is_covered) {
            match self.cancel_account(account, symbol.as_ref()).await {
                Ok(cancelled) => count += cancelled,
                Err(error) => {
                    tracing::error!(%account, %error, "its orders could not be cancelled before replay");
                    failed += 1;
                }
            }
        }
        if failed == 0 {
            return Ok(count);
        }
        let message = "the halt is kept; the orders of some accounts are cancelled only once the journals are replayed";
        Err(Error::unavailable("KILL_INCOMPLETE", message).with("accounts", failed))
    }

    /// Until nothing is left, a few times.
    async fn cancel_account(&self, account: &AccountId, symbol: Option<&Symbol>) -> Result<usize, VenueError> {
        let backoff = Backoff::new(FIRST_BACKOFF, LONGEST_WAIT);
        let mut count = 0;
        let mut attempt = 0;
        loop {
            match self.cancel_once(account, symbol, &mut count).await {
                Ok(()) => return Ok(count),
                Err(error) if attempt + 1 >= ATTEMPTS => return Err(error),
                Err(VenueError::Limited(wait)) => self.clock.sleep(wait.min(LONGEST_WAIT)).await,
                Err(_) => self.clock.sleep(backoff.half_jitter(attempt, &self.chance)).await,
            }
            attempt += 1;
        }
    }

    async fn cancel_once(
        &self,
        account: &AccountId,
        symbol: Option<&Symbol>,
        count: &mut usize,
    ) -> Result<(), VenueError> {
        // Requests are signed with the venue's time.
        self.venue.synchronise().await?;
        let holdings = self.venue.balances(account, Pace::Now).await?;
        if holdings.iter().all(|holding| holding.locked.is_zero()) {
            return Ok(());
        }
        for OpenOrder { order, terms } in self.venue.open_orders(account, symbol, Pace::Now).await? {
            let subject = Subject {
                account: account.clone(),
                symbol: terms.symbol,
                venue_id: order.venue_id,
            };
            match self.venue.cancel(&subject, self.venue.now()).await {
                Ok(_) => *count += 1,
                // It has ended by itself.
                Err(VenueError::Rejected { .. } | VenueError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The end of the time before replay.
pub(crate) struct Closing<'a> {
    /// The halts to journal.
    pub(crate) halts: Vec<SetHalt>,
    file: &'a Path,
    kept: MutexGuard<'a, Kept>,
}

impl Closing<'_> {
    /// The halts are journalled, and the shards are open to everybody.
    ///
    /// # Errors
    /// `INTERNAL / HALTS_FILE` when the file cannot be removed.
    pub(crate) fn done(mut self) -> Result<()> {
        self.kept.is_over = true;
        match std::fs::remove_file(self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unusable(self.file, error)),
            _ => Ok(()),
        }
    }
}

fn read(file: &Path) -> Result<Vec<SetHalt>> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(file, error)),
    };
    let waiting: Vec<Waiting> = serde_json::from_slice(&text).map_err(|error| unusable(file, error))?;
    let halts = waiting.into_iter().map(|waiting| SetHalt {
        scope: waiting.scope,
        target: waiting.target,
        reason: waiting.reason,
        subject: waiting.subject,
        cancel_orders: waiting.cancel_orders,
    });
    Ok(halts.collect())
}

/// Whole or not at all, and durable.
fn write(file: &Path, halts: &[SetHalt]) -> Result<()> {
    let waiting = halts.iter().map(|halt| Waiting {
        scope: halt.scope,
        target: halt.target.clone(),
        reason: halt.reason.clone(),
        subject: halt.subject.clone(),
        cancel_orders: halt.cancel_orders,
    });
    let text = serde_json::to_vec(&waiting.collect::<Vec<_>>()).map_err(|error| unusable(file, error))?;
    let fresh = file.with_extension("tmp");
    let written = std::fs::File::create(&fresh).and_then(|mut new| {
        new.write_all(&text)?;
        new.sync_all()?;
        std::fs::rename(&fresh, file)?;
        let folder = file.parent().unwrap_or_else(|| Path::new("."));
        std::fs::File::open(folder)?.sync_all()
    });
    written.map_err(|error| unusable(file, error))
}

fn unusable(file: &Path, error: impl std::fmt::Display) -> Error {
    Error::internal("HALTS_FILE", format!("{}: {error}", file.display()))
}
