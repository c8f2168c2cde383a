//! The state of a shard as the fold of its journal. The same [`State::apply`] serves live and replay.

use super::account::{Account, Key, Stored};
use super::entry::{Entry, hold, release};
use super::event::{Accepted, Event, Filled, Halt, HaltScope, Refused};
use super::ids;
use domain::{AccountId, NumberError, OrderError, OrderEvent, OrderReport, OrderStatus, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How much of the past is kept in memory, and with it the window of idempotency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Orders that are over, a shard. With an order goes its key.
    pub closed_orders: usize,
    /// Refusals, an account.
    pub refusals: usize,
}

/// Why a record cannot follow what came before: the journal is damaged, or of another shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A sequence is missing or repeated.
    #[error("expected sequence {expected}, found {found}")]
    Sequence {
        /// What should have come.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// The record is about an order that is not known.
    #[error("order {0} is not known")]
    UnknownOrder(u64),
    /// The order cannot take it.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The order's status is another than the record says.
    #[error("order {order} is {found} where the journal says {recorded}")]
    Status {
        /// Which order.
        order: u64,
        /// What the record says.
        recorded: OrderStatus,
        /// What came out.
        found: OrderStatus,
    },
    /// A sum cannot be held.
    #[error(transparent)]
    Number(#[from] NumberError),
}

/// A shard's state. What a snapshot holds is these fields by their names: see [`mod@crate::snapshot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    shard: u32,
    sequence: u64,
    kept: Kept,
    accounts: BTreeMap<AccountId, Account>,
    orders: BTreeMap<u64, Entry>,
    closed: VecDeque<u64>,
    #[serde(with = "super::pairs")]
    halts: BTreeMap<(HaltScope, String), Halt>,
}

impl State {
    /// Nothing yet.
    pub fn new(shard: u32, kept: Kept) -> State {
        State {
            shard,
            sequence: 0,
            kept,
            accounts: BTreeMap::new(),
            orders: BTreeMap::new(),
            closed: VecDeque::new(),
            halts: BTreeMap::new(),
        }
    }

    /// The shard's number.
    pub fn shard(&self) -> u32 {
        self.shard
    }

    /// How much of the past it keeps.
    pub fn kept(&self) -> Kept {
        self.kept
    }

    /// The sequence of the last record applied; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// An account, once something was recorded of it.
    pub fn account(&self, account: &AccountId) -> Option<&Account> {
        self.accounts.get(account)
    }

    /// The accounts that something was recorded of.
    pub fn accounts(&self) -> impl Iterator<Item = (&AccountId, &Account)> {
        self.accounts.iter()
    }

    /// The order accepted at this sequence, while it is kept.
    pub fn order(&self, accepted: u64) -> Option<&Entry> {
        self.orders.get(&accepted)
    }

    /// The orders that are kept.
    pub fn orders(&self) -> impl Iterator<Item = &Entry> {
        self.orders.values()
    }

    /// The orders that may live at the venue, oldest first.
    pub fn live_orders(&self) -> impl Iterator<Item = &Entry> {
        self.orders.values().filter(|entry| entry.order.status().is_live())
    }

    /// The halts in force.
    pub fn halts(&self) -> impl Iterator<Item = &Halt> {
        self.halts.values()
    }

    /// One halt.
    pub fn halt(&self, scope: HaltScope, target: &str) -> Option<&Halt> {
        self.halts.get(&(scope, target.to_owned()))
    }

    /// Skips a record of somebody else, in a fold over one account alone.
    pub fn skip(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Applies one record.
    ///
    /// # Errors
    /// The record cannot follow what came before; the state must not be used any more.
    pub fn apply(&mut self, sequence: u64, time: Timestamp, event: &Event) -> Result<(), ApplyError> {
        if sequence != self.sequence + 1 {
            return Err(ApplyError::Sequence {
                expected: self.sequence + 1,
                found: sequence,
            });
        }
        self.sequence = sequence;
        match event {
            Event::Accepted(accepted) => self.accept(sequence, time, accepted),
            Event::Refused(refused) => {
                self.refuse(refused);
                Ok(())
            }
            Event::Intent(intent) => self.change(intent.order, |entry| {
                entry.venue_id.clone_from(&intent.venue_id);
                entry.sequence = sequence;
                if intent.cancel {
                    entry.cancels += 1;
                } else {
                    entry.signed = intent.signed;
                }
                Ok(())
            }),
            Event::Changed(changed) => self.change(changed.order, |entry| {
                let report = report_of(changed.status, &changed.reason);
                entry.order.apply(&OrderEvent::new(time, report))?;
                expect_status(entry, changed.status)?;
                entry.reserved = changed.reserved;
                entry.reason.clone_from(&changed.reason);
                entry.sequence = sequence;
                Ok(())
            }),
            Event::CancelRequested(request) => self.change(request.order, |entry| {
                entry
                    .order
                    .apply(&OrderEvent::new(time, OrderReport::CancelRequested))?;
                entry.cancel_wanted = true;
                entry.sequence = sequence;
                Ok(())
            }),
            Event::Filled(filled) => self.fill(sequence, time, filled),
            Event::BalancesAdopted(adopted) => {
                let account = self.accounts.entry(adopted.account.clone()).or_default();
                account.balances = adopted.balances.iter().cloned().collect();
                account.opened = true;
                Ok(())
            }
            Event::HaltSet(halt) => {
                self.halts.insert((halt.scope, halt.target.clone()), halt.clone());
                Ok(())
            }
            Event::HaltLifted(lifted) => {
                self.halts.remove(&(lifted.scope, lifted.target.clone()));
                Ok(())
            }
        }
    }

    fn accept(&mut self, sequence: u64, time: Timestamp, accepted: &Accepted) -> Result<(), ApplyError> {
        if ids::parse_order_id(accepted.terms.order_id.as_str()) != Some((self.shard, sequence)) {
            return Err(ApplyError::UnknownOrder(sequence));
        }
        let entry = Entry::new(accepted, sequence, time);
        let account = self.accounts.entry(accepted.terms.account.clone()).or_default();
        let key = Key {
            digest: accepted.digest,
            stored: Stored::Order(sequence),
        };
        account.keys.insert(accepted.terms.client_order_id.clone(), key);
        account.orders.insert(sequence);
        account.live.insert(sequence);
        account.note_order(time);
        hold(account, &entry)?;
        self.orders.insert(sequence, entry);
        Ok(())
    }

    fn refuse(&mut self, refused: &Refused) {
        let account = self.accounts.entry(refused.account.clone()).or_default();
        let stored = Stored::Refusal(Box::new(refused.refusal.clone()));
        account.keys.insert(
            refused.client_order_id.clone(),
            Key {
                digest: refused.digest,
                stored,
            },
        );
        account.refused.push_back(refused.client_order_id.clone());
        while account.refused.len() > self.kept.refusals {
            if let Some(oldest) = account.refused.pop_front() {
                account.keys.remove(&oldest);
            }
        }
    }

    fn fill(&mut self, sequence: u64, time: Timestamp, filled: &Filled) -> Result<(), ApplyError> {
        let fill = &filled.fill;
        self.change(filled.order, |entry| {
            let report = OrderReport::Filled {
                price: fill.price,
                quantity: fill.quantity,
            };
            entry.order.apply(&OrderEvent::new(time, report))?;
            expect_status(entry, filled.status)?;
            entry.reserved = filled.reserved;
            entry.trades.insert(fill.trade_id);
            entry.sequence = sequence;
            Ok(())
        })?;
        let entry = self
            .orders
            .get(&filled.order)
            .ok_or(ApplyError::UnknownOrder(filled.order))?;
        let account = self.accounts.entry(fill.account.clone()).or_default();
        let balances = account.after_fill(&entry.base, &entry.quote, fill)?;
        account.balances.extend(balances);
        Ok(())
    }

    /// Changes one order and keeps its account's sums in step.
    fn change(
        &mut self,
        order: u64,
        edit: impl FnOnce(&mut Entry) -> Result<(), ApplyError>,
    ) -> Result<(), ApplyError> {
        let entry = self.orders.get_mut(&order).ok_or(ApplyError::UnknownOrder(order))?;
        let account = self.accounts.entry(entry.order.terms().account.clone()).or_default();
        release(account, entry)?;
        edit(entry)?;
        hold(account, entry)?;
        if entry.order.status().is_live() {
            account.live.insert(order);
            return Ok(());
        }
        account.live.remove(&order);
        if !entry.is_queued {
            entry.is_queued = true;
            self.closed.push_back(order);
            self.forget_oldest();
        }
        Ok(())
    }

    fn forget_oldest(&mut self) {
        while self.closed.len() > self.kept.closed_orders {
            let Some(oldest) = self.closed.pop_front() else { return };
            let Some(entry) = self.orders.get_mut(&oldest) else {
                continue;
            };
            if entry.order.status().is_live() {
                // It came back to life; it queues again when it is over.
                entry.is_queued = false;
                continue;
            }
            let terms = entry.order.terms();
            if let Some(account) = self.accounts.get_mut(&terms.account) {
                account.orders.remove(&oldest);
                account.keys.remove(&terms.client_order_id);
            }
            self.orders.remove(&oldest);
        }
    }
}

/// The report that leads to a status, for replay: the status was decided when the record was made.
pub(crate) fn report_of(status: OrderStatus, reason: &str) -> OrderReport {
    match status {
        OrderStatus::PendingNew | OrderStatus::Open | OrderStatus::PartiallyFilled | OrderStatus::Filled => {
            OrderReport::Accepted
        }
        OrderStatus::Unknown => OrderReport::OutcomeUnknown,
        OrderStatus::PendingCancel => OrderReport::CancelRequested,
        OrderStatus::Cancelled => OrderReport::Cancelled,
        OrderStatus::Rejected => OrderReport::Rejected {
            reason: reason.to_owned(),
        },
        OrderStatus::Expired => OrderReport::Expired,
    }
}

fn expect_status(entry: &Entry, recorded: OrderStatus) -> Result<(), ApplyError> {
    let found = entry.order.status();
    if found == recorded {
        return Ok(());
    }
    Err(ApplyError::Status {
        order: entry.accepted,
        recorded,
        found,
    })
}
