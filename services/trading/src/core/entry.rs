//! An order in a shard's state, and its share of its account's sums.

use super::account::Account;
use super::event::{Accepted, Digest};
use super::ids;
use domain::{Asset, GroupKind, Money, NumberError, Order, Price, Quantity, Side, Timestamp, TradeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An order with what the shard knows beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Terms and life.
    pub order: Order,
    /// The asset bought and sold.
    pub base: Asset,
    /// The asset paid with.
    pub quote: Asset,
    /// What it sets aside now: base of a sell, quote of a buy.
    pub reserved: Money,
    /// The sequence of its acceptance, which is its key here.
    pub accepted: u64,
    /// The sequence of its last event.
    pub sequence: u64,
    /// Its id at the venue; empty before the intent.
    pub venue_id: String,
    /// The venue's time that its placement is signed with.
    pub signed: Timestamp,
    /// The trades applied.
    pub trades: BTreeSet<TradeId>,
    /// Why it was refused or ended.
    pub reason: String,
    /// What its acceptance said, a stable code: that it was cut.
    pub accepted_reason: String,
    /// How many cancels were intended.
    pub cancels: u32,
    /// Whether somebody wants it cancelled.
    pub cancel_wanted: bool,
    /// Why a cancel was decided, a stable code, where nobody asked.
    pub cancel_reason: String,
    /// The worst price of a market order, as of its release where it was held.
    pub collar: Option<Price>,
    /// When its price was met.
    pub triggered: Option<Timestamp>,
    /// The best price that its trail has seen, as recorded.
    pub extreme: Option<Price>,
    /// The order that takes its place, by the sequence of its acceptance.
    pub replaced_by: Option<u64>,
    /// What the order that it takes the place of had filled when this one was accepted.
    pub carried: Quantity,
    /// How much of it was wanted when it was accepted, if it was held.
    pub held_at_first: Option<Quantity>,
    #[serde(with = "hex::serde")]
    digest: Digest,
    /// Whether it waits among the closed orders to be forgotten.
    pub(super) is_queued: bool,
}

impl Entry {
    /// An order just accepted.
    pub(super) fn new(accepted: &Accepted, sequence: u64, time: Timestamp) -> Entry {
        let terms = accepted.terms.clone();
        Entry {
            collar: terms.collar,
            order: match accepted.held {
                Some(quantity) => Order::held(terms, quantity, time),
                None => Order::new(terms, time),
            },
            base: accepted.base.clone(),
            quote: accepted.quote.clone(),
            reserved: accepted.reserved,
            accepted: sequence,
            sequence,
            venue_id: String::new(),
            signed: Timestamp::EPOCH,
            trades: BTreeSet::new(),
            reason: String::new(),
            accepted_reason: accepted.reason.clone(),
            cancels: 0,
            cancel_wanted: false,
            cancel_reason: String::new(),
            triggered: None,
            extreme: None,
            replaced_by: None,
            carried: Quantity::ZERO,
            held_at_first: accepted.held,
            digest: accepted.digest,
            is_queued: false,
        }
    }

    /// Why it is as it is: how it ended or was changed last, or else what its acceptance said. Empty where there is nothing to
    /// say.
    pub fn reason(&self) -> &str {
        match self.reason.as_str() {
            "" => &self.accepted_reason,
            reason => reason,
        }
    }

    /// The worst price it can trade at: its limit, or its collar.
    pub fn price_bound(&self) -> Option<Price> {
        self.order.terms().price.or(self.collar)
    }

    /// How much of it the book shows as it goes; none is all. One that was cut to no more than its part hides nothing.
    pub fn shown(&self) -> Option<Quantity> {
        let shown = self.order.terms().conditions.display_quantity;
        shown.filter(|shown| *shown < self.order.quantity())
    }

    /// Whether other orders may hang on what becomes of it: it is of a group, or takes a place, or its place is taken.
    pub fn is_linked(&self) -> bool {
        let conditions = &self.order.terms().conditions;
        conditions.membership.is_some() || conditions.replaces.is_some() || self.replaced_by.is_some()
    }

    /// Its group, by the sequence of the first order's acceptance.
    pub fn group(&self) -> Option<u64> {
        let membership = self.order.terms().conditions.membership.as_ref()?;
        ids::parse_order_id(membership.group.as_str()).map(|(_, first)| first)
    }

    /// The entry whose fills activate it, by the sequence of its acceptance; none where it stands on its own.
    pub fn parent(&self) -> Option<u64> {
        let membership = self.order.terms().conditions.membership.as_ref()?;
        let group = self.group()?;
        (membership.kind != GroupKind::Oco && group != self.accepted).then_some(group)
    }

    /// The order that it takes the place of, by the sequence of its acceptance.
    pub fn replaces(&self) -> Option<u64> {
        let replaces = self.order.terms().conditions.replaces.as_ref()?;
        ids::parse_order_id(replaces.as_str()).map(|(_, accepted)| accepted)
    }

    /// The asset that it sets aside.
    pub fn reserved_asset(&self) -> &Asset {
        match self.order.terms().side {
            Side::Buy => &self.quote,
            Side::Sell => &self.base,
        }
    }

    /// The base that it may still bring in.
    fn incoming(&self) -> Quantity {
        match self.order.terms().side {
            Side::Buy if self.order.status().is_live() => self.order.remaining(),
            Side::Buy | Side::Sell => Quantity::ZERO,
        }
    }

    /// The digest of the request that made it.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Adds what an order sets aside to its account's sums.
pub(super) fn hold(account: &mut Account, entry: &Entry) -> Result<(), NumberError> {
    if !entry.reserved.is_zero() {
        let held = account.reserved.entry(entry.reserved_asset().clone()).or_default();
        *held = held.checked_add(entry.reserved)?;
    }
    if !entry.incoming().is_zero() {
        let incoming = account.incoming.entry(entry.base.clone()).or_default();
        *incoming = incoming.checked_add(entry.incoming())?;
    }
    Ok(())
}

/// Takes what an order sets aside out of its account's sums.
pub(super) fn release(account: &mut Account, entry: &Entry) -> Result<(), NumberError> {
    if !entry.reserved.is_zero() {
        let asset = entry.reserved_asset();
        let left = account
            .reserved
            .get(asset)
            .copied()
            .unwrap_or_default()
            .checked_sub(entry.reserved)?;
        match left.is_zero() {
            true => account.reserved.remove(asset),
            false => account.reserved.insert(asset.clone(), left),
        };
    }
    if !entry.incoming().is_zero() {
        let left = account
            .incoming
            .get(&entry.base)
            .copied()
            .unwrap_or_default()
            .checked_sub(entry.incoming())?;
        match left.is_zero() {
            true => account.incoming.remove(&entry.base),
            false => account.incoming.insert(entry.base.clone(), left),
        };
    }
    Ok(())
}
