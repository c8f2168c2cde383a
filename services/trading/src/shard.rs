//! One shard: the single writer of its journal.
//!
//! It drains what waits, decides all of it, appends one batch, and only then answers, publishes and lets the sender act.
//! So whatever anybody sees is durable, a repeat waits for its original's commit, and a query never sees a decision that
//! could still be lost. After a failed append it ends, and with it the process: what the disk holds is then unknown.

mod handle;
mod query;
mod replay;
mod room;

pub use handle::{AccountView, Ask, Holdings, KnownOrder, OrderFilter, Reply, ShardHandle};
pub(crate) use handle::{Ends, Mail, Update};
pub(crate) use replay::{Snapshotter, from_snapshot, replay};

use crate::alerts::Alerts;
use crate::codec::{self, Record};
use crate::core::{Alert, Answer, Command, Decider, Event, Market, News, Now, Report, State};
use crate::error;
use crate::metrics;
use crate::sender::{Job, Sender};
use crate::venue::Venue;
use domain::{AccountId, Timestamp};
use mesh::journal::{Journal, aside, write_snapshot};
use mesh::time::Clock;
use mesh::{Error, Result};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// What a shard is made of.
pub(crate) struct Parts {
    pub(crate) decider: Decider,
    pub(crate) journal: Box<dyn Journal>,
    pub(crate) market: Arc<RwLock<Market>>,
    pub(crate) clock: Clock,
    pub(crate) venue: Arc<dyn Venue>,
    pub(crate) sender: Sender,
    pub(crate) alerts: Alerts,
    pub(crate) batch: usize,
    /// How long news of the venue wait for company before their commit.
    pub(crate) news_patience: Duration,
}

/// The running shard.
pub(crate) struct Shard {
    parts: Parts,
    urgent: mpsc::Receiver<Mail>,
    orders: mpsc::Receiver<Mail>,
    updates: broadcast::Sender<Arc<Vec<Update>>>,
    /// Orders whose state is being asked for, and whether there was reason to ask since: the answer may be older.
    asking: BTreeMap<u64, bool>,
    /// Whether new orders were refused last, for want of room on the disk.
    is_disk_full: bool,
}

/// What a batch has come to, before and after its commit.
#[derive(Default)]
struct Batch {
    records: Vec<Vec<u8>>,
    updates: Vec<Update>,
    intents: Vec<(u64, bool, Timestamp)>,
    answers: Vec<(Option<handle::ReplyTo>, Answered)>,
    /// Orders that have to be asked for again.
    doubtful: Vec<u64>,
}

enum Answered {
    Decided(Answer),
    /// Not now: nothing was decided.
    DiskFull,
    /// Each by itself.
    Each(Vec<Answered>),
    Asked(Ask),
}

impl Batch {
    /// Applies an event and puts it into the batch.
    fn record(&mut self, state: &mut State, time: Timestamp, event: Event, is_followed: bool) -> Result<()> {
        let record = Record {
            sequence: state.sequence() + 1,
            time,
            event,
        };
        state.apply(record.sequence, time, &record.event).map_err(|error| {
            Error::internal("DECISION_UNSOUND", format!("a decision could not be applied: {error}"))
        })?;
        metrics::decided(&record.event);
        match &record.event {
            Event::Intent(intent) => self.intents.push((intent.order, intent.cancel, intent.signed)),
            Event::Filled(filled) => metrics::filled(state.order(filled.order), time),
            _ => {}
        }
        if is_followed {
            self.updates.extend(Update::of(state, &record));
        }
        self.records.push(codec::encode(state.shard(), &record));
        Ok(())
    }
}

impl Shard {
    pub(crate) fn new(parts: Parts, ends: Ends) -> Shard {
        let Ends {
            urgent,
            orders,
            updates,
        } = ends;
        Shard {
            parts,
            urgent,
            orders,
            updates,
            asking: BTreeMap::new(),
            is_disk_full: false,
        }
    }

    /// Works until told to stop.
    ///
    /// # Errors
    /// The journal's, or a decision that could not be applied. The process must end.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<()> {
        loop {
            let first = tokio::select! {
                biased;
                mail = self.urgent.recv() => mail,
                mail = self.orders.recv() => mail,
                () = stop.cancelled() => None,
            };
            let Some(first) = first else { return self.end().await };
            let waiting = match first.reply {
                Some(_) => self.drain(vec![first]),
                None => self.gather(first).await,
            };
            self.look_for_room(&waiting).await?;
            let batch = self.decide(waiting)?;
            self.commit(batch).await?;
        }
    }

    /// A clean end leaves a snapshot: the next start reads nothing else.
    async fn end(self) -> Result<()> {
        let Parts { decider, journal, .. } = self.parts;
        let Some(snapshots) = journal.snapshots() else {
            return Ok(());
        };
        aside(snapshots.blocks(), move || {
            let newest = snapshots.newest(u64::MAX)?.map_or(0, |newest| newest.sequence);
            if decider.state.sequence() > newest {
                write_snapshot(&*snapshots, &decider.state);
            }
            // The journal's lock is held until the snapshot is whole.
            drop(journal);
            Ok(())
        })
        .await
    }

    /// Asks the journal for the room that new orders among these may need.
    async fn look_for_room(&mut self, waiting: &[Mail]) -> Result<()> {
        let needed = |mail: &Mail| match &mail.ask {
            Ask::Decide(command) => room::needed(command),
            Ask::DecideEach(commands) => commands.iter().map(room::needed).sum(),
            _ => 0,
        };
        let needed: u64 = waiting.iter().map(needed).sum();
        if needed == 0 {
            return Ok(());
        }
        let is_full = !self.parts.journal.has_room(needed).await?;
        if is_full != self.is_disk_full {
            let shard = self.parts.decider.state.shard();
            metrics::disk_full(is_full);
            match is_full {
                true => tracing::error!(
                    shard,
                    "the disk is full: no new orders, and the reserve for everything else"
                ),
                false => tracing::warn!(shard, "the disk has room again: new orders are taken"),
            }
        }
        self.is_disk_full = is_full;
        Ok(())
    }

    /// News that nobody waits for have some patience, and share the commit of whoever asks meanwhile.
    async fn gather(&mut self, first: Mail) -> Vec<Mail> {
        let clock = self.parts.clock.clone();
        let over = clock.sleep(self.parts.news_patience);
        tokio::pin!(over);
        let mut waiting = vec![first];
        while waiting.len() < self.parts.batch && waiting.iter().all(|mail| mail.reply.is_none()) {
            let mail = tokio::select! {
                biased;
                mail = self.urgent.recv() => mail,
                mail = self.orders.recv() => mail,
                () = &mut over => None,
            };
            let Some(mail) = mail else { break };
            waiting.push(mail);
        }
        self.drain(waiting)
    }

    /// What waits now, what is urgent first.
    fn drain(&mut self, mut waiting: Vec<Mail>) -> Vec<Mail> {
        let mut count: usize = waiting.iter().map(|mail| mail.ask.commands()).sum();
        for mailbox in [&mut self.urgent, &mut self.orders] {
            while count < self.parts.batch {
                let Ok(mail) = mailbox.try_recv() else { break };
                count += mail.ask.commands();
                waiting.push(mail);
            }
        }
        waiting
    }

    fn decide(&mut self, waiting: Vec<Mail>) -> Result<Batch> {
        let mut batch = Batch::default();
        let market = Arc::clone(&self.parts.market);
        let market = market.read();
        for mail in waiting {
            match mail.ask {
                Ask::Decide(command) => {
                    let answered = self.decide_one(&command, &market, &mut batch)?;
                    batch.answers.push((mail.reply, answered));
                }
                Ask::DecideEach(commands) => {
                    let answers = commands
                        .iter()
                        .map(|command| self.decide_one(command, &market, &mut batch))
                        .collect::<Result<_>>()?;
                    batch.answers.push((mail.reply, Answered::Each(answers)));
                }
                query => batch.answers.push((mail.reply, Answered::Asked(query))),
            }
        }
        Ok(batch)
    }

    fn decide_one(&mut self, command: &Command, market: &Market, batch: &mut Batch) -> Result<Answered> {
        let now = Now {
            here: Timestamp::from_micros(self.parts.clock.now_micros()),
            venue: Timestamp::from_millis(self.parts.venue.now().as_millis()),
        };
        if let Command::Report(Report {
            order,
            news: News::Found(_) | News::Absent(_),
        }) = command
            && self.asking.remove(order) == Some(true)
        {
            batch.doubtful.push(*order);
        }
        // A repeated key is answered all the same: that writes nothing.
        let is_room_wanted = self.is_disk_full && room::needed(command) > 0;
        if is_room_wanted && !self.parts.decider.decide(command, now, market).events.is_empty() {
            return Ok(Answered::DiskFull);
        }
        let is_followed = self.updates.receiver_count() > 0;
        let decider = &mut self.parts.decider;
        let answer = decider.settle(command, now, market, |state, event| {
            batch.record(state, now.here, event, is_followed)
        })?;
        Ok(Answered::Decided(answer))
    }

    /// The point after which everybody may know.
    async fn commit(&mut self, batch: Batch) -> Result<()> {
        if !batch.records.is_empty() {
            let first = self.parts.decider.state.sequence() + 1 - batch.records.len() as u64;
            metrics::batch(batch.records.len());
            let begun = self.parts.clock.monotonic();
            let span = tracing::info_span!("commit", otel.name = "journal.commit", records = batch.records.len());
            let appended = match self.parts.journal.append(batch.records).instrument(span).await {
                Ok(appended) => {
                    metrics::committed(self.parts.clock.monotonic().saturating_sub(begun));
                    appended
                }
                Err(error) => {
                    // It may be on the disk or not. Nobody is told yes or no, and nothing is tried again.
                    for reply_to in batch.answers.into_iter().filter_map(|(reply_to, _)| reply_to) {
                        let _ = reply_to.send(Err(error::outcome_unknown()));
                    }
                    return Err(error);
                }
            };
            if appended != first {
                let message = format!("the journal is at {appended} where the shard is at {first}");
                return Err(Error::internal("JOURNAL_SEQUENCE", message));
            }
        }
        for (order, is_cancel, signed) in batch.intents {
            if let Some(entry) = self.parts.decider.state.order(order) {
                self.parts.sender.send(Job::of(entry, is_cancel, signed));
            }
        }
        for (reply_to, answered) in batch.answers {
            let reply = self.reply(answered);
            if let Some(reply_to) = reply_to {
                // Whoever asked may have gone; the decision stands.
                let _ = reply_to.send(reply);
            }
        }
        for order in batch.doubtful {
            self.ask_venue(order);
        }
        if !batch.updates.is_empty() {
            // Nobody listening is no error.
            let _ = self.updates.send(Arc::new(batch.updates));
        }
        Ok(())
    }

    fn reply(&mut self, answered: Answered) -> Result<Reply> {
        match answered {
            Answered::Decided(answer) => self.answered(answer),
            Answered::DiskFull => {
                metrics::refused(mesh::journal::DISK_FULL);
                Err(error::disk_full())
            }
            Answered::Each(each) => Ok(Reply::Each(
                each.into_iter().map(|answered| self.reply(answered)).collect(),
            )),
            Answered::Asked(ask) => self.asked(&ask),
        }
    }

    fn asked(&mut self, ask: &Ask) -> Result<Reply> {
        if let Ask::Unsure = ask {
            let unsure: Vec<u64> = query::unsure(&self.parts.decider.state)
                .map(|entry| entry.accepted)
                .collect();
            unsure.into_iter().for_each(|order| self.ask_venue(order));
        }
        let state = &self.parts.decider.state;
        let mut reply = query::answer(state, ask)?;
        match (ask, &mut reply) {
            (Ask::Account(account), Reply::Account(view)) => view.holdings.is_in_doubt = self.is_in_doubt(account),
            (Ask::Holdings(account), Reply::Holdings(holdings)) => holdings.is_in_doubt = self.is_in_doubt(account),
            _ => {}
        }
        Ok(reply)
    }

    /// Whether the venue is being asked for an order of the account.
    fn is_in_doubt(&self, account: &AccountId) -> bool {
        let state = &self.parts.decider.state;
        let mut asking = self.asking.keys().filter_map(|order| state.order(*order));
        asking.any(|entry| entry.order.terms().account == *account)
    }

    fn answered(&mut self, answer: Answer) -> Result<Reply> {
        let state = &self.parts.decider.state;
        match answer {
            Answer::Accepted(order) => query::order_reply(state, order, codec::order_as_accepted),
            Answer::Order(order) => query::order_reply(state, order, codec::order_to_pb),
            Answer::Orders(orders) => {
                let orders = orders.iter().filter_map(|order| state.order(*order));
                Ok(Reply::Orders(orders.map(codec::order_to_pb).collect()))
            }
            Answer::Halt(halt) => Ok(Reply::Halts(vec![codec::halt_to_pb(&halt)])),
            Answer::Refused(refusal) => {
                metrics::refused(&refusal.reason);
                Err(error::of_refusal(&refusal))
            }
            Answer::Done => Ok(Reply::Done),
            Answer::Alert(alert) => {
                self.raise(alert);
                Ok(Reply::Done)
            }
            Answer::Alerts(alerts) => {
                for alert in alerts {
                    self.raise(alert);
                }
                Ok(Reply::Done)
            }
            Answer::Ask(order) => {
                self.ask_venue(order);
                Ok(Reply::Done)
            }
        }
    }

    fn raise(&self, alert: Alert) {
        let now = Timestamp::from_micros(self.parts.clock.now_micros());
        self.parts.alerts.raise(alert.reason, None, alert.message, now);
    }

    /// Asks the venue for an order's state; when somebody is asking already, once more after that.
    fn ask_venue(&mut self, order: u64) {
        let Some(entry) = self.parts.decider.state.order(order) else {
            return;
        };
        match self.asking.get_mut(&order) {
            Some(again) => *again = true,
            None => {
                self.asking.insert(order, false);
                self.parts.sender.ask(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests;
