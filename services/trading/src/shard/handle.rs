//! The cheap handle that callers hold, and what can be asked of a shard through it.

use crate::codec;
use crate::codec::Record;
use crate::core::{Command, Entry, Event, ExternalOrder, SessionOpened, State};
use crate::error;
use crate::sender::Backlog;
use domain::{AccountId, Asset, Money, OrderStatus, Quantity, Symbol};
use mesh::Result;
use mesh::journal::JournalReader;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};
use tracing::Instrument as _;

pub(super) type ReplyTo = oneshot::Sender<Result<Reply>>;

/// A letter to a shard.
pub(crate) struct Mail {
    pub(super) ask: Ask,
    pub(super) reply: Option<ReplyTo>,
}

/// What a shard can be asked.
#[derive(Debug)]
pub enum Ask {
    /// Decide this.
    Decide(Command),
    /// Decide these, one after the other, in one commit.
    DecideEach(Vec<Command>),
    /// One order.
    Order(AccountId, String),
    /// A page of orders, newest first.
    Orders(OrderFilter),
    /// The halts in force.
    Halts,
    /// An account as reconciliation needs it, with all its open orders.
    Account(AccountId),
    /// What an account holds.
    Holdings(AccountId),
    /// The open orders of an account that are somebody else's.
    External(AccountId),
    /// How many live orders an account has.
    LiveOrders(AccountId),
    /// How many orders are at the venue of which it is not known what became of the last request; the venue is asked for each.
    Unsure,
    /// The open sessions.
    Sessions,
    /// The last sequence: every later batch reaches whoever subscribed before asking.
    Sequence,
    /// All of it: for comparing a shard with its journal.
    State,
}

impl Ask {
    /// How many commands it counts for in a commit.
    pub(super) fn commands(&self) -> usize {
        match self {
            Ask::DecideEach(commands) => commands.len(),
            _ => 1,
        }
    }
}

/// An account as reconciliation needs it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AccountView {
    /// Whether the venue's balances have been taken over.
    pub opened: bool,
    /// What it holds.
    pub holdings: Holdings,
    /// Its live orders.
    pub live: Vec<KnownOrder>,
    /// Its newest orders that are over, newest first.
    pub closed: Vec<KnownOrder>,
    /// Orders of somebody else at the venue.
    pub external: Vec<ExternalOrder>,
}

/// What an account holds, as we know it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Holdings {
    /// By asset.
    pub balances: BTreeMap<Asset, Money>,
    /// Whether the venue is being asked for an order of it: a fill may be in its sums and not in ours.
    pub is_in_doubt: bool,
}

/// What reconciliation needs to know of an order: an account may have many thousands, and the shard does nothing else while
/// it copies them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOrder {
    /// The sequence of its acceptance.
    pub accepted: u64,
    /// Its id at the venue; empty before the intent.
    pub venue_id: String,
    /// What it trades.
    pub symbol: Symbol,
    /// The asset bought and sold.
    pub base: Asset,
    /// The asset paid with.
    pub quote: Asset,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// How much of it has traded.
    pub filled: Quantity,
    /// Whether somebody wants it cancelled.
    pub cancel_wanted: bool,
}

impl From<&Entry> for KnownOrder {
    fn from(entry: &Entry) -> KnownOrder {
        KnownOrder {
            accepted: entry.accepted,
            venue_id: entry.venue_id.clone(),
            symbol: entry.order.terms().symbol.clone(),
            base: entry.base.clone(),
            quote: entry.quote.clone(),
            status: entry.order.status(),
            filled: entry.order.filled(),
            cancel_wanted: entry.cancel_wanted,
        }
    }
}

/// Which orders.
#[derive(Debug, Clone)]
pub struct OrderFilter {
    /// Whose.
    pub account: AccountId,
    /// Of one symbol.
    pub symbol: Option<Symbol>,
    /// Live ones only.
    pub open_only: bool,
    /// Accepted before this sequence.
    pub before: u64,
    /// At most this many.
    pub limit: usize,
}

/// What a shard answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It is done.
    Done,
    /// An order.
    Order(Box<codec::OrderMessage>),
    /// Orders.
    Orders(Vec<codec::OrderMessage>),
    /// Halts.
    Halts(Vec<codec::HaltMessage>),
    /// An answer a command.
    Each(Vec<Result<Reply>>),
    /// An account.
    Account(Box<AccountView>),
    /// What an account holds.
    Holdings(Holdings),
    /// Orders of somebody else.
    External(Vec<ExternalOrder>),
    /// A number of orders.
    Count(usize),
    /// Sessions.
    Sessions(Vec<SessionOpened>),
    /// The last sequence.
    Sequence(u64),
    /// The whole state.
    State(Box<State>),
}

/// What happened to an order, for those who follow it.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) account: AccountId,
    pub(crate) sequence: u64,
    pub(crate) message: codec::UpdateMessage,
}

impl Update {
    /// What a record just applied says to those who follow the account; none when it is about no order.
    pub(crate) fn of(state: &State, record: &Record) -> Option<Update> {
        let order = record.event.order(record.sequence)?;
        let fill = match &record.event {
            Event::Filled(filled) => Some(codec::fill_to_pb(&filled.fill, &filled.venue_order)),
            _ => None,
        };
        let entry = state.order(order)?;
        let account = entry.order.terms().account.clone();
        let message = codec::update(record.sequence, entry, fill);
        Some(Update {
            account,
            sequence: record.sequence,
            message,
        })
    }
}

/// Callers hold this.
#[derive(Clone)]
pub struct ShardHandle {
    shard: u32,
    urgent: mpsc::Sender<Mail>,
    orders: mpsc::Sender<Mail>,
    updates: broadcast::Sender<Arc<Vec<Update>>>,
    reader: Arc<dyn JournalReader>,
    journal_id: [u8; 16],
    backlog: Backlog,
    max_backlog: usize,
}

/// The shard's ends of a handle's channels.
pub(crate) struct Ends {
    pub(crate) urgent: mpsc::Receiver<Mail>,
    pub(crate) orders: mpsc::Receiver<Mail>,
    pub(crate) updates: broadcast::Sender<Arc<Vec<Update>>>,
}

impl ShardHandle {
    pub(crate) fn new(
        shard: u32,
        mailbox: usize,
        stream_buffer: usize,
        (journal_id, reader): ([u8; 16], Arc<dyn JournalReader>),
        (backlog, max_backlog): (Backlog, usize),
    ) -> (ShardHandle, Ends) {
        let (urgent, urgent_end) = mpsc::channel(mailbox);
        let (orders, orders_end) = mpsc::channel(mailbox);
        let (updates, _) = broadcast::channel(stream_buffer);
        let ends = Ends {
            urgent: urgent_end,
            orders: orders_end,
            updates: updates.clone(),
        };
        (
            ShardHandle {
                shard,
                urgent,
                orders,
                updates,
                reader,
                journal_id,
                backlog,
                max_backlog,
            },
            ends,
        )
    }

    /// The shard's number.
    pub(crate) fn shard(&self) -> u32 {
        self.shard
    }

    /// The journal's random id, as hexadecimal.
    pub(crate) fn journal_id(&self) -> String {
        hex::encode(self.journal_id)
    }

    /// The reading end of the journal.
    pub fn reader(&self) -> Arc<dyn JournalReader> {
        Arc::clone(&self.reader)
    }

    /// Follows what happens from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Vec<Update>>> {
        self.updates.subscribe()
    }

    /// A new order: refused at once when the shard or the venue has too much to do.
    ///
    /// # Errors
    /// The refusal, or `UNAVAILABLE / SHARD_STOPPED` when nobody knows what became of it.
    pub async fn submit(&self, command: Command) -> Result<Reply> {
        if self.backlog.len() >= self.max_backlog {
            return Err(error::backlog_full());
        }
        let span = tracing::info_span!("submit", otel.name = "shard.submit");
        self.ask(Ask::Decide(command)).instrument(span).await
    }

    /// New orders, answered each by itself: refused as a whole when the shard or the venue has too much to do.
    ///
    /// # Errors
    /// As [`ShardHandle::submit`]; that of one command is in its place.
    pub async fn submit_each(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        if self.backlog.len() >= self.max_backlog {
            return Err(error::backlog_full());
        }
        each(self.ask(Ask::DecideEach(commands)).await?)
    }

    /// A query, or a new order.
    ///
    /// # Errors
    /// As [`ShardHandle::submit`].
    pub async fn ask(&self, ask: Ask) -> Result<Reply> {
        let (reply, answer) = oneshot::channel();
        self.orders
            .try_send(Mail {
                ask,
                reply: Some(reply),
            })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => error::overloaded(),
                mpsc::error::TrySendError::Closed(_) => error::stopped(),
            })?;
        answer.await.unwrap_or_else(|_| Err(error::stopped()))
    }

    /// A command that passes whatever waits: a cancel, a halt, news from the venue.
    ///
    /// # Errors
    /// As [`ShardHandle::submit`].
    pub async fn urgent(&self, command: Command) -> Result<Reply> {
        self.urgently(Ask::Decide(command)).await
    }

    /// Commands that pass whatever waits, answered each by itself.
    ///
    /// # Errors
    /// As [`ShardHandle::submit`]; that of one command is in its place.
    pub async fn urgent_each(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        each(self.urgently(Ask::DecideEach(commands)).await?)
    }

    /// What passes whatever waits.
    ///
    /// # Errors
    /// As [`ShardHandle::submit`].
    pub(crate) async fn urgently(&self, ask: Ask) -> Result<Reply> {
        let (reply, answer) = oneshot::channel();
        let mail = Mail {
            ask,
            reply: Some(reply),
        };
        self.urgent.send(mail).await.map_err(|_| error::stopped())?;
        answer.await.unwrap_or_else(|_| Err(error::stopped()))
    }

    /// How many orders and queries wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.orders.max_capacity() - self.orders.capacity()
    }

    /// Tells the shard something, and waits for room only.
    pub(crate) async fn tell(&self, command: Command) {
        // A shard that has stopped needs no news: it asks the venue when it starts again.
        let _ = self
            .urgent
            .send(Mail {
                ask: Ask::Decide(command),
                reply: None,
            })
            .await;
    }
}

fn each(reply: Reply) -> Result<Vec<Result<Reply>>> {
    match reply {
        Reply::Each(replies) => Ok(replies),
        _ => Err(error::other_answer()),
    }
}
