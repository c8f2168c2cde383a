//! What is owned and owed: accounts, their orders and fills, as a fold of journalled records.
//!
//! The live venue and the replay after a restart change this state through [`Ledger::fold`] alone, so they cannot differ.
//! Every movement has two ends: an account's gain is the pool's loss (the pool is everyone who trades without an account),
//! and a fee moves to the fee box. The sum of each asset is therefore what was paid in.

use super::order::{Fill, Order, OrderKey, Side, Status};
use super::units::Atoms;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// One journalled decision of the venue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The venue started; everything before is from an earlier life.
    Started,
    /// Ids up to here may be given out: after a restart the next ids are beyond it.
    Ids {
        /// The largest id of any kind.
        ceiling: u64,
    },
    /// Where the crowd's idea of value stood, by symbol, so that a restart does not jump.
    Values {
        /// USDT.
        values: BTreeMap<String, f64>,
    },
    /// An account was opened with what it owns.
    Opened {
        /// Its name.
        account: String,
        /// Amounts by asset.
        balances: BTreeMap<String, Atoms>,
    },
    /// An order was accepted, and its `locked` moved from free to locked.
    Accepted {
        /// As accepted: nothing filled yet.
        order: Order,
    },
    /// An order of an account filled.
    Filled {
        /// The execution.
        fill: Fill,
        /// The part of the order's lock that this execution used up.
        unlocked: Atoms,
    },
    /// An order ended without filling further; the rest of its lock is free again.
    Closed {
        /// The account.
        account: String,
        /// The order.
        order: u64,
        /// `Filled`, `Canceled` or `Expired`.
        status: Status,
        /// µs.
        time: i64,
    },
}

/// An account's amount of one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Usable.
    pub free: Atoms,
    /// Set aside for open orders.
    pub locked: Atoms,
}

/// One API account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// By asset.
    pub balances: BTreeMap<String, Balance>,
    /// By venue id; closed ones stay up to the ledger's bound.
    pub orders: BTreeMap<u64, Order>,
    /// Oldest first, up to the ledger's bound.
    pub fills: VecDeque<Fill>,
    /// Time of the last change, µs.
    pub updated: i64,
    open_by_client: BTreeMap<(String, String), u64>,
    latest_by_client: BTreeMap<(String, String), u64>,
    open: BTreeMap<String, Vec<u64>>,
    closed: VecDeque<u64>,
}

impl Account {
    /// The balance of an asset, zero when never held.
    pub fn balance(&self, asset: &str) -> Balance {
        self.balances.get(asset).copied().unwrap_or_default()
    }

    /// Open orders, of one symbol or of all, oldest first within a symbol.
    pub fn open_orders<'a>(&'a self, symbol: Option<&'a str>) -> impl Iterator<Item = &'a Order> {
        let chosen = self
            .open
            .iter()
            .filter(move |(name, _)| symbol.is_none_or(|wanted| wanted == name.as_str()));
        chosen.flat_map(|(_, ids)| ids.iter().filter_map(|id| self.orders.get(id)))
    }

    /// How many orders of a symbol are open.
    pub fn open_count(&self, symbol: &str) -> usize {
        self.open.get(symbol).map_or(0, Vec::len)
    }

    /// Whether an open order of the symbol has this client id.
    pub fn has_open_client_id(&self, symbol: &str, client_id: &str) -> bool {
        self.open_by_client
            .contains_key(&(symbol.to_owned(), client_id.to_owned()))
    }

    /// An order of the symbol: of several with one client id the open one, else the latest.
    pub fn order(&self, symbol: &str, key: &OrderKey) -> Option<&Order> {
        let id = match key {
            OrderKey::Id(id) => *id,
            OrderKey::Client(client_id) => {
                let name = (symbol.to_owned(), client_id.clone());
                *self
                    .open_by_client
                    .get(&name)
                    .or_else(|| self.latest_by_client.get(&name))?
            }
        };
        self.orders.get(&id).filter(|order| order.symbol == symbol)
    }

    fn change(&mut self, asset: &str) -> &mut Balance {
        if !self.balances.contains_key(asset) {
            self.balances.insert(asset.to_owned(), Balance::default());
        }
        self.balances.get_mut(asset).expect("inserted above when it was absent")
    }

    fn accept(&mut self, order: &Order, asset: &str) {
        let balance = self.change(asset);
        balance.free -= order.locked;
        balance.locked += order.locked;
        let name = (order.symbol.clone(), order.client_id.clone());
        self.open_by_client.insert(name.clone(), order.id);
        self.latest_by_client.insert(name, order.id);
        self.open.entry(order.symbol.clone()).or_default().push(order.id);
        self.orders.insert(order.id, order.clone());
    }

    fn close(&mut self, id: u64, status: Status, time: i64, kept: usize) -> Option<(String, Atoms)> {
        let order = self.orders.get_mut(&id)?;
        order.status = status;
        order.updated = time;
        if order.quote_quantity > 0 {
            order.quantity = order.executed;
        }
        let released = std::mem::take(&mut order.locked);
        let (symbol, name) = (order.symbol.clone(), (order.symbol.clone(), order.client_id.clone()));
        self.open_by_client.remove(&name);
        if let Some(ids) = self.open.get_mut(&symbol) {
            ids.retain(|open| *open != id);
        }
        self.closed.push_back(id);
        while self.closed.len() > kept {
            self.forget_oldest();
        }
        Some((symbol, released))
    }

    fn forget_oldest(&mut self) {
        let Some(order) = self.closed.pop_front().and_then(|id| self.orders.remove(&id)) else {
            return;
        };
        let name = (order.symbol, order.client_id);
        if self.latest_by_client.get(&name) == Some(&order.id) {
            self.latest_by_client.remove(&name);
        }
    }
}

/// The assets of a symbol, base first.
pub type Pair = (String, String);

/// Accounts, the pool and the fee box.
#[derive(Clone, Debug)]
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
    /// An empty ledger over symbols with their assets; `kept` bounds closed orders and fills of each account.
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
            Record::Accepted { order } => {
                let asset = self.locked_asset(&order.symbol, order.side);
                let account = self.accounts.entry(order.account.clone()).or_default();
                account.accept(order, &asset);
                account.updated = order.created;
            }
            Record::Filled { fill, unlocked } => self.fill(fill, *unlocked),
            Record::Closed {
                account,
                order,
                status,
                time,
            } => self.close(account, *order, *status, *time),
        }
    }

    fn open_account(&mut self, name: &str, balances: &BTreeMap<String, Atoms>) {
        let account = self.accounts.entry(name.to_owned()).or_default();
        for (asset, amount) in balances {
            account.change(asset).free += amount;
            *self.paid_in.entry(asset.clone()).or_default() += amount;
        }
    }

    fn locked_asset(&self, symbol: &str, side: Side) -> String {
        let (base, quote) = &self.pairs[symbol];
        match side {
            Side::Buy => quote.clone(),
            Side::Sell => base.clone(),
        }
    }

    fn fill(&mut self, fill: &Fill, unlocked: Atoms) {
        let (base, quote) = self.pairs[&fill.symbol].clone();
        let (given, given_amount, taken, taken_amount) = match fill.side {
            Side::Buy => (quote, fill.value, base, fill.quantity),
            Side::Sell => (base, fill.quantity, quote, fill.value),
        };
        let kept = self.kept;
        let account = self.accounts.entry(fill.account.clone()).or_default();
        let paid = account.change(&given);
        paid.locked -= unlocked;
        paid.free += unlocked - given_amount;
        account.change(&taken).free += taken_amount - fill.fee;
        account.updated = fill.time;
        if let Some(order) = account.orders.get_mut(&fill.order) {
            order.executed += fill.quantity;
            order.executed_value += fill.value;
            order.locked -= unlocked;
            order.status = Status::PartiallyFilled;
            order.updated = fill.time;
        }
        account.fills.push_back(fill.clone());
        if account.fills.len() > kept {
            account.fills.pop_front();
        }
        *self.pool.entry(given).or_default() += given_amount;
        *self.pool.entry(taken.clone()).or_default() -= taken_amount;
        *self.fees.entry(taken).or_default() += fill.fee;
    }

    fn close(&mut self, account: &str, id: u64, status: Status, time: i64) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        let Some(side) = state.orders.get(&id).map(|order| order.side) else {
            return;
        };
        let Some((symbol, released)) = state.close(id, status, time, self.kept) else {
            return;
        };
        state.updated = time;
        let (base, quote) = &self.pairs[&symbol];
        let asset = if side == Side::Buy { quote.clone() } else { base.clone() };
        let balance = state.change(&asset);
        balance.locked -= released;
        balance.free += released;
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
