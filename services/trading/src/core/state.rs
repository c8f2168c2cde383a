//! The state of a shard as the fold of its journal. The same [`State::apply`] serves live and replay.

use super::account::{Account, Key, Stored};
use super::entry::{Entry, hold, release};
use super::event::{Accepted, Event, ExternalOrder, Filled, Halt, HaltScope, Refused};
use super::ids;
use domain::{AccountId, NumberError, OrderError, OrderEvent, OrderReport, OrderStatus, Quantity, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

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
    #[serde(with = "domain::pairs")]
    halts: BTreeMap<(HaltScope, String), Halt>,
    /// The orders that wait here.
    held: BTreeSet<u64>,
    /// The live orders that end by themselves, by the time at which they do.
    expiring: BTreeSet<(Timestamp, u64)>,
    /// The orders of each group, by the sequence of the first one's acceptance.
    groups: BTreeMap<u64, Vec<u64>>,
    /// What had traded of the orders that were forgotten last, as many as are kept of those that are over.
    forgotten: BTreeMap<u64, Quantity>,
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
            held: BTreeSet::new(),
            expiring: BTreeSet::new(),
            groups: BTreeMap::new(),
            forgotten: BTreeMap::new(),
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

    /// What had traded of an order when it was forgotten, as long as that is remembered.
    pub fn had_traded(&self, accepted: u64) -> Option<Quantity> {
        self.forgotten.get(&accepted).copied()
    }

    /// The orders that wait here, oldest first.
    pub fn held_orders(&self) -> impl Iterator<Item = &Entry> {
        self.held.iter().filter_map(|accepted| self.orders.get(accepted))
    }

    /// The live orders whose time is over at `now`, the earliest first.
    pub fn expired_orders(&self, now: Timestamp) -> impl Iterator<Item = &Entry> {
        let over = self.expiring.range(..=(now, u64::MAX));
        over.filter_map(|(_, accepted)| self.orders.get(accepted))
    }

    /// The orders of a group that are kept, in the order of their acceptance.
    pub fn group(&self, first: u64) -> impl Iterator<Item = &Entry> {
        let members = self.groups.get(&first).into_iter().flatten();
        members.filter_map(|accepted| self.orders.get(accepted))
    }

    /// The orders that are not over, oldest first; the held ones included.
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
                entry.cancel_reason.clone_from(&request.reason);
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
            Event::Triggered(triggered) => self.change(triggered.order, |entry| {
                entry.triggered = Some(time);
                entry.sequence = sequence;
                Ok(())
            }),
            Event::Released(released) => self.change(released.order, |entry| {
                let quantity = released.quantity;
                entry
                    .order
                    .apply(&OrderEvent::new(time, OrderReport::Released { quantity }))?;
                entry.collar = released.collar;
                entry.reserved = released.reserved;
                entry.sequence = sequence;
                Ok(())
            }),
            Event::Resized(resized) => self.change(resized.order, |entry| {
                let quantity = resized.quantity;
                entry
                    .order
                    .apply(&OrderEvent::new(time, OrderReport::Resized { quantity }))?;
                entry.reserved = resized.reserved;
                entry.reason.clone_from(&resized.reason);
                entry.sequence = sequence;
                Ok(())
            }),
            Event::TrailMoved(moved) => self.change(moved.order, |entry| {
                entry.extreme = Some(moved.extreme);
                entry.sequence = sequence;
                Ok(())
            }),
            Event::ExternalAdopted(order) => {
                let account = self.accounts.entry(order.account.clone()).or_default();
                account
                    .external
                    .insert(order.venue_order.clone(), ExternalOrder::clone(order));
                Ok(())
            }
            Event::ExternalReleased(released) => {
                let account = self.accounts.entry(released.account.clone()).or_default();
                account.external.remove(&released.venue_order);
                Ok(())
            }
            Event::SessionOpened(opened) => {
                let account = self.accounts.entry(opened.account.clone()).or_default();
                account.sessions.insert(opened.session.clone(), opened.clone());
                Ok(())
            }
            Event::SessionClosed(closed) => {
                let account = self.accounts.entry(closed.account.clone()).or_default();
                account.sessions.remove(&closed.session);
                Ok(())
            }
        }
    }

    fn accept(&mut self, sequence: u64, time: Timestamp, accepted: &Accepted) -> Result<(), ApplyError> {
        if ids::parse_order_id(accepted.terms.order_id.as_str()) != Some((self.shard, sequence)) {
            return Err(ApplyError::UnknownOrder(sequence));
        }
        let mut entry = Entry::new(accepted, sequence, time);
        if let Some(old) = entry.replaces().and_then(|old| self.orders.get_mut(&old)) {
            old.replaced_by = Some(sequence);
            entry.carried = old.order.filled();
        }
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
        if let Some(group) = entry.group() {
            self.groups.entry(group).or_default().push(sequence);
        }
        index(&mut self.held, &mut self.expiring, &entry);
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
        let before = entry.order.status();
        edit(entry)?;
        hold(account, entry)?;
        let after = entry.order.status();
        let is_over = after.is_terminal();
        match is_over {
            true => account.live.remove(&order),
            false => account.live.insert(order),
        };
        let queues = is_over && !entry.is_queued;
        entry.is_queued |= queues;
        if after != before && (before.is_held() || after.is_held() || entry.order.terms().conditions.expiry.is_some()) {
            index(&mut self.held, &mut self.expiring, entry);
        }
        if queues {
            self.closed.push_back(order);
            self.forget_oldest();
        }
        Ok(())
    }

    /// Whether a live order hangs on what became of this one.
    fn is_needed(&self, order: u64) -> bool {
        let Some(entry) = self.orders.get(&order).filter(|entry| entry.is_linked()) else {
            return false;
        };
        let is_live = |other: &Entry| other.accepted != order && other.order.status().is_live();
        let group = entry.group().into_iter().flat_map(|group| self.group(group));
        let replacement = entry.replaced_by.and_then(|by| self.orders.get(&by));
        group.chain(replacement).any(is_live)
    }

    fn forget_oldest(&mut self) {
        // Each is looked at once at most: what is still needed goes to the end of the queue.
        for _ in 0..self.closed.len() {
            if self.closed.len() <= self.kept.closed_orders {
                return;
            }
            let Some(oldest) = self.closed.pop_front() else { return };
            if self.is_needed(oldest) {
                self.closed.push_back(oldest);
                continue;
            }
            let Some(entry) = self.orders.get_mut(&oldest) else {
                continue;
            };
            if entry.order.status().is_live() {
                // It came back to life; it queues again when it is over.
                entry.is_queued = false;
                continue;
            }
            if let Some(group) = entry.group()
                && let Some(members) = self.groups.get_mut(&group)
            {
                members.retain(|member| *member != oldest);
                if members.is_empty() {
                    self.groups.remove(&group);
                }
            }
            let terms = entry.order.terms();
            if let Some(account) = self.accounts.get_mut(&terms.account) {
                account.orders.remove(&oldest);
                account.keys.remove(&terms.client_order_id);
            }
            self.forgotten.insert(oldest, entry.order.filled());
            if self.forgotten.len() > self.kept.closed_orders {
                self.forgotten.pop_first();
            }
            self.orders.remove(&oldest);
        }
    }
}

/// The report that leads to a status, for replay: the status was decided when the record was made.
pub(crate) fn report_of(status: OrderStatus, reason: &str) -> OrderReport {
    match status {
        OrderStatus::PendingTrigger => OrderReport::Returned,
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

/// Keeps the sets of held and ending orders in step with one of them.
fn index(held: &mut BTreeSet<u64>, expiring: &mut BTreeSet<(Timestamp, u64)>, entry: &Entry) {
    let (status, accepted) = (entry.order.status(), entry.accepted);
    match status.is_held() {
        true => held.insert(accepted),
        false => held.remove(&accepted),
    };
    if let Some(expiry) = entry.order.terms().conditions.expiry {
        match status.is_live() {
            true => expiring.insert((expiry.time(), accepted)),
            false => expiring.remove(&(expiry.time(), accepted)),
        };
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
