//! One account: what it holds, what its open orders set aside, and which keys it has used.

use super::command::SessionId;
use super::event::{Digest, ExternalOrder, SessionOpened};
use super::refusal::Refusal;
use domain::{Asset, ClientOrderId, Fill, Money, NumberError, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The span over which the order rate is counted.
pub const RATE_WINDOW_MICROS: i64 = 1_000_000;

/// What a used key answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stored {
    /// The order accepted at this sequence.
    Order(u64),
    /// This refusal.
    Refusal(Box<Refusal>),
}

/// A used key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The digest of the body that used it.
    #[serde(with = "hex::serde")]
    pub digest: Digest,
    /// The answer.
    pub stored: Stored,
}

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Whether the venue's balances have been taken over.
    pub opened: bool,
    /// What it holds: the opening balances and the fold of its fills.
    pub balances: BTreeMap<Asset, Money>,
    /// What its live orders set aside. No zero is kept.
    pub reserved: BTreeMap<Asset, Money>,
    /// What its live buys may still bring in, by base asset. No zero is kept.
    pub incoming: BTreeMap<Asset, Quantity>,
    /// Its orders that are kept, by the sequence of their acceptance.
    pub orders: BTreeSet<u64>,
    /// Those of them that are live.
    pub live: BTreeSet<u64>,
    /// Its used keys.
    pub keys: BTreeMap<ClientOrderId, Key>,
    /// The keys of refusals, oldest first.
    pub refused: VecDeque<ClientOrderId>,
    /// When the orders of the last second were accepted, oldest first.
    pub recent: VecDeque<Timestamp>,
    /// Orders of somebody else at the venue, by its number.
    pub external: BTreeMap<String, ExternalOrder>,
    /// Its open sessions.
    pub sessions: BTreeMap<SessionId, SessionOpened>,
}

/// Whether `now` is less than a span after `time`. What lies ahead is from before our clock was set back: it is over.
pub(crate) fn is_within(now: Timestamp, time: Timestamp, span_micros: i64) -> bool {
    (0..span_micros).contains(&now.micros_since(time))
}

impl Account {
    /// What is held of an asset.
    pub fn balance(&self, asset: &Asset) -> Money {
        self.balances.get(asset).copied().unwrap_or_default()
    }

    /// What is held of an asset and not set aside, neither by our orders nor by those of somebody else.
    pub fn free(&self, asset: &Asset) -> Result<Money, NumberError> {
        let reserved = self.reserved.get(asset).copied().unwrap_or_default();
        self.external
            .values()
            .filter_map(|order| order.reserved.as_ref())
            .filter(|(reserved, _)| reserved == asset)
            .try_fold(self.balance(asset).checked_sub(reserved)?, |free, (_, amount)| {
                free.checked_sub(*amount)
            })
    }

    /// How many orders were accepted within the rate window before `now`.
    pub fn recent_orders(&self, now: Timestamp) -> usize {
        self.recent
            .iter()
            .rev()
            .take_while(|&&time| is_within(now, time, RATE_WINDOW_MICROS))
            .count()
    }

    /// Notes an acceptance.
    pub(crate) fn note_order(&mut self, time: Timestamp) {
        while self
            .recent
            .front()
            .is_some_and(|&first| !is_within(time, first, RATE_WINDOW_MICROS))
        {
            self.recent.pop_front();
        }
        self.recent.push_back(time);
    }

    /// The balances that a fill changes, as they are after it.
    pub fn after_fill(&self, base: &Asset, quote: &Asset, fill: &Fill) -> Result<Vec<(Asset, Money)>, NumberError> {
        let (bought, paid) = match fill.side {
            Side::Buy => (fill.quantity.amount(), fill.notional()?),
            Side::Sell => (fill.quantity.amount().negated(), fill.notional()?.negated()),
        };
        let mut changed: Vec<(Asset, Money)> = Vec::with_capacity(3);
        for (asset, change) in [
            (base, bought),
            (quote, paid.negated()),
            (&fill.fee_asset, fill.fee.negated()),
        ] {
            match changed.iter_mut().find(|(known, _)| known == asset) {
                Some((_, balance)) => *balance = balance.checked_add(change)?,
                None => changed.push((asset.clone(), self.balance(asset).checked_add(change)?)),
            }
        }
        Ok(changed)
    }
}
