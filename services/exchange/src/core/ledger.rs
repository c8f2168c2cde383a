//! What is owned and owed: accounts, their orders and fills, as a fold of journalled records.
//!
//! The live venue and the replay after a restart change this state through [`Ledger::fold`] alone, so they cannot differ.
//! Every movement has two ends: an account's gain is the pool's loss (the pool is everyone who trades without an account),
//! and a fee moves to the fee box. The sum of each asset is therefore what was paid in.

use super::account::remember;
pub use super::account::{Account, Balance};
use super::order::{Amendment, Fill, PreventedMatch, Side, Stage, Status};
pub use super::record::Record;
use super::units::Atoms;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The assets of a symbol, base first.
pub type Pair = (String, String);

/// Accounts, the pool and the fee box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    pairs: BTreeMap<String, Pair>,
    kept: usize,
    accounts: BTreeMap<String, Account>,
    pool: BTreeMap<String, Atoms>,
    fees: BTreeMap<String, Atoms>,
    paid_in: BTreeMap<String, Atoms>,
    /// Largest id that earlier records allowed.
    pub id_ceiling: u64,
    /// How many lives the journal has seen.
    pub starts: u64,
    /// The last recorded values by symbol.
    pub values: BTreeMap<String, f64>,
}

impl Ledger {
    /// An empty ledger over symbols with their assets; `kept` bounds each history of each account.
    pub fn new(pairs: BTreeMap<String, Pair>, kept: usize) -> Self {
        Self {
            pairs,
            kept,
            accounts: BTreeMap::new(),
            pool: BTreeMap::new(),
            fees: BTreeMap::new(),
            paid_in: BTreeMap::new(),
            id_ceiling: 0,
            starts: 0,
            values: BTreeMap::new(),
        }
    }

    /// Whether both are over the same symbols, and remember as much: then the same records make the same of them.
    pub fn is_like(&self, other: &Ledger) -> bool {
        self.pairs == other.pairs && self.kept == other.kept
    }

    /// An account by name.
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// All accounts by name.
    pub fn accounts(&self) -> impl Iterator<Item = (&String, &Account)> {
        self.accounts.iter()
    }

    /// Whether a record can be folded: its symbol is listed.
    pub fn knows(&self, record: &Record) -> bool {
        match record {
            Record::Accepted { order } => self.pairs.contains_key(&order.symbol),
            Record::Filled { fill, .. } => self.pairs.contains_key(&fill.symbol),
            Record::Listed { list } => self.pairs.contains_key(&list.symbol),
            _ => true,
        }
    }

    /// Applies one record. Records are decisions: nothing is checked again.
    pub fn fold(&mut self, record: &Record) {
        match record {
            Record::Started => self.starts += 1,
            Record::Ids { ceiling } => self.id_ceiling = self.id_ceiling.max(*ceiling),
            Record::Values { values } => self.values.clone_from(values),
            Record::Opened { account, balances } => self.open_account(account, balances),
            Record::FeeAsset { account, pays, time } => {
                let state = self.accounts.entry(account.clone()).or_default();
                state.pays_in_fee_asset = *pays;
                state.updated = *time;
            }
            Record::Accepted { order } => {
                let asset = self.locked_asset(&order.symbol, order.side);
                let account = self.accounts.entry(order.account.clone()).or_default();
                account.accept(order, &asset);
            }
            Record::Listed { list } => {
                let account = self.accounts.entry(list.account.clone()).or_default();
                account.accept_list(list);
            }
            Record::Progressed {
                account,
                order,
                stage,
                status,
                locked,
                time,
            } => self.progress(account, *order, (*stage, *status), *locked, *time),
            Record::Trailed {
                account,
                order,
                best,
                time,
            } => self.trail(account, *order, *best, *time),
            Record::Filled { fill, unlocked } => self.fill(fill, *unlocked),
            Record::Prevented {
                prevented,
                taker_unlocked,
                maker_unlocked,
            } => self.prevent(prevented, *taker_unlocked, *maker_unlocked),
            Record::Amended {
                account,
                amendment,
                unlocked,
            } => self.amend(account, amendment, *unlocked),
            Record::Closed {
                account,
                order,
                status,
                time,
            } => self.close(account, *order, *status, *time),
        }
    }

    fn open_account(&mut self, name: &str, balances: &BTreeMap<String, Atoms>) {
        let account = Account::opened(self.accounts.len() + 1, balances);
        self.accounts.insert(name.to_owned(), account);
        for (asset, amount) in balances {
            match self.paid_in.get_mut(asset) {
                Some(sum) => *sum += amount,
                None => {
                    self.paid_in.insert(asset.clone(), *amount);
                }
            }
        }
    }

    /// The asset that an order of a side locks.
    fn locked_asset(&self, symbol: &str, side: Side) -> String {
        let (base, quote) = &self.pairs[symbol];
        match side {
            Side::Buy => quote.clone(),
            Side::Sell => base.clone(),
        }
    }

    /// The asset that an order locks.
    fn asset_of(&self, account: &str, order: u64) -> Option<String> {
        let order = self.accounts.get(account)?.orders.get(&order)?;
        Some(self.locked_asset(&order.symbol, order.side))
    }

    fn progress(&mut self, account: &str, id: u64, (stage, status): (Stage, Status), locked: Atoms, time: i64) {
        let Some(asset) = self.asset_of(account, id) else {
            return;
        };
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        state.relock(id, locked, &asset);
        state.updated = time;
        state.change_order(id, |order| {
            if stage == Stage::Working && order.stage != Stage::Working {
                order.working_since = time;
            }
            order.stage = stage;
            order.status = status;
            order.updated = time;
        });
    }

    fn trail(&mut self, account: &str, id: u64, best: Atoms, time: i64) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        state.change_order(id, |order| {
            order.trail = best;
            if order.trailing_since == 0 {
                order.trailing_since = time;
            }
        });
    }

    fn fill(&mut self, fill: &Fill, unlocked: Atoms) {
        let (base, quote) = self.pairs[&fill.symbol].clone();
        let (given, given_amount, taken, taken_amount) = match fill.side {
            Side::Buy => (quote, fill.value, base, fill.quantity),
            Side::Sell => (base, fill.quantity, quote, fill.value),
        };
        let fee_asset = fill.fee_asset.as_ref().unwrap_or(&taken);
        let account = self.accounts.entry(fill.account.clone()).or_default();
        let paid = account.change(&given);
        paid.locked -= unlocked;
        paid.free += unlocked - given_amount;
        account.change(&taken).free += taken_amount;
        account.change(fee_asset).free -= fill.fee;
        account.updated = fill.time;
        account.change_order(fill.order, |order| {
            order.executed += fill.quantity;
            order.executed_value += fill.value;
            order.locked -= unlocked;
            order.status = Status::PartiallyFilled;
            order.updated = fill.time;
        });
        remember(&mut account.fills, fill.clone(), self.kept);
        *self.fees.entry(fee_asset.clone()).or_default() += fill.fee;
        *self.pool.entry(given).or_default() += given_amount;
        *self.pool.entry(taken).or_default() -= taken_amount;
    }

    fn prevent(&mut self, prevented: &PreventedMatch, taker_unlocked: Atoms, maker_unlocked: Atoms) {
        let (name, time) = (prevented.account.as_str(), prevented.time);
        for (id, quantity, unlocked) in [
            (prevented.taker, prevented.taker_quantity, taker_unlocked),
            (prevented.maker, prevented.maker_quantity, maker_unlocked),
        ] {
            let asset = self.asset_of(name, id);
            if let (Some(asset), Some(state)) = (asset, self.accounts.get_mut(name)) {
                let mut locked = 0;
                state.change_order(id, |order| {
                    order.prevented += quantity;
                    order.updated = time;
                    locked = order.locked - unlocked;
                });
                state.relock(id, locked, &asset);
                state.updated = time;
            }
        }
        if let Some(state) = self.accounts.get_mut(name) {
            remember(&mut state.prevented, prevented.clone(), self.kept);
        }
    }

    fn amend(&mut self, account: &str, amendment: &Amendment, unlocked: Atoms) {
        let Some(asset) = self.asset_of(account, amendment.order) else {
            return;
        };
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        let mut locked = 0;
        state.change_order(amendment.order, |order| {
            order.quantity = amendment.quantity;
            order.amends += 1;
            order.updated = amendment.time;
            locked = order.locked - unlocked;
        });
        state.relock(amendment.order, locked, &asset);
        state.updated = amendment.time;
        state.rename(amendment.order, &amendment.client_id);
        remember(&mut state.amendments, amendment.clone(), self.kept);
    }

    fn close(&mut self, account: &str, id: u64, status: Status, time: i64) {
        let Some(asset) = self.asset_of(account, id) else {
            return;
        };
        if let Some(state) = self.accounts.get_mut(account) {
            state.relock(id, 0, &asset);
            state.close(id, status, time, self.kept);
        }
    }

    /// For every asset what was paid in, less what accounts, pool and fees hold now: zero, always.
    pub fn imbalance(&self) -> BTreeMap<String, Atoms> {
        let mut rest = self.paid_in.clone();
        for account in self.accounts.values() {
            for (asset, balance) in &account.balances {
                *rest.entry(asset.clone()).or_default() -= balance.free + balance.locked;
            }
        }
        for (asset, amount) in self.pool.iter().chain(&self.fees) {
            *rest.entry(asset.clone()).or_default() -= amount;
        }
        rest
    }
}
