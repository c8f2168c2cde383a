//! One API account: what it holds, its orders, lists and fills. It changes by the ledger's records alone.

use super::order::{Amendment, Fill, Order, OrderKey, PreventedMatch, Side, Status};
use super::order_list::OrderList;
use super::units::Atoms;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An account's amount of one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// Usable.
    pub free: Atoms,
    /// Set aside for open orders.
    pub locked: Atoms,
}

/// What the filters ask of an account's open orders in one symbol, kept up with each change: asking costs the same however
/// many are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// How many there are.
    pub orders: usize,
    /// How many wait for a price.
    pub waiting: usize,
    /// How many show a part of themselves.
    pub icebergs: usize,
    /// What the buying ones may still buy.
    pub bid: Atoms,
}

impl Load {
    /// What an order is of it: nothing, once it is over.
    pub fn of(order: &Order) -> Load {
        if !order.status.is_open() {
            return Load::default();
        }
        Load {
            orders: 1,
            waiting: usize::from(order.kind.is_contingent() && !order.is_working()),
            icebergs: usize::from(order.iceberg > 0),
            bid: if order.side == Side::Buy { order.left() } else { 0 },
        }
    }

    fn replace(&mut self, before: Load, after: Load) {
        self.orders = self.orders - before.orders + after.orders;
        self.waiting = self.waiting - before.waiting + after.waiting;
        self.icebergs = self.icebergs - before.icebergs + after.icebergs;
        self.bid += after.bid - before.bid;
    }
}

/// The open orders of one symbol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    ids: BTreeSet<u64>,
    load: Load,
}

/// One API account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its place in the order in which accounts were opened, from 1.
    pub number: usize,
    /// By asset.
    pub balances: BTreeMap<String, Balance>,
    /// By venue id; closed ones stay up to the ledger's bound. They change by [`Account::change_order`].
    pub orders: BTreeMap<u64, Order>,
    /// Oldest first, up to the ledger's bound.
    pub fills: VecDeque<Fill>,
    /// By venue id; closed ones stay up to the ledger's bound.
    pub lists: BTreeMap<u64, OrderList>,
    /// Trades that did not happen, oldest first, up to the ledger's bound.
    pub prevented: VecDeque<PreventedMatch>,
    /// Reduced quantities, oldest first, up to the ledger's bound.
    pub amendments: VecDeque<Amendment>,
    /// Whether commissions come from the fee asset while the account holds enough of it.
    pub pays_in_fee_asset: bool,
    /// Time of the last change, µs.
    pub updated: i64,
    #[serde(with = "domain::pairs")]
    open_by_client: BTreeMap<(String, String), u64>,
    #[serde(with = "domain::pairs")]
    latest_by_client: BTreeMap<(String, String), u64>,
    open: BTreeMap<String, Open>,
    closed: VecDeque<u64>,
    list_by_client: BTreeMap<String, u64>,
    closed_lists: VecDeque<u64>,
}

impl Account {
    /// One that has these balances, and nothing else yet.
    pub(super) fn opened(number: usize, balances: &BTreeMap<String, Atoms>) -> Account {
        let balance = |(asset, free): (&String, &Atoms)| {
            let balance = Balance { free: *free, locked: 0 };
            (asset.clone(), balance)
        };
        Account {
            number,
            // In one piece: put in one by one, most of the map's room would stay empty.
            balances: balances.iter().map(balance).collect(),
            ..Account::default()
        }
    }

    /// The balance of an asset, zero when never held.
    pub fn balance(&self, asset: &str) -> Balance {
        self.balances.get(asset).copied().unwrap_or_default()
    }

    /// A copy without orders, lists and histories.
    pub fn holdings(&self) -> Account {
        Account {
            number: self.number,
            balances: self.balances.clone(),
            pays_in_fee_asset: self.pays_in_fee_asset,
            updated: self.updated,
            ..Account::default()
        }
    }

    /// Open orders, of one symbol or of all, oldest first within a symbol.
    pub fn open_orders<'a>(&'a self, symbol: Option<&'a str>) -> impl Iterator<Item = &'a Order> {
        let chosen = self
            .open
            .iter()
            .filter(move |(name, _)| symbol.is_none_or(|wanted| wanted == name.as_str()));
        chosen.flat_map(|(_, open)| open.ids.iter().filter_map(|id| self.orders.get(id)))
    }

    /// What the open orders of a symbol come to.
    pub fn load(&self, symbol: &str) -> Load {
        self.open.get(symbol).map_or_else(Load::default, |open| open.load)
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

    /// An order list: of several with one client id the latest.
    pub fn list(&self, key: &OrderKey) -> Option<&OrderList> {
        let id = match key {
            OrderKey::Id(id) => id,
            OrderKey::Client(client_id) => self.list_by_client.get(client_id)?,
        };
        self.lists.get(id)
    }

    /// Lists with an open order, oldest first.
    pub fn open_lists(&self) -> impl Iterator<Item = &OrderList> {
        self.lists.values().filter(|list| list.open)
    }

    /// The list of an order, while it is remembered.
    pub fn list_of(&self, order: u64) -> Option<&OrderList> {
        self.lists.get(&self.orders.get(&order)?.list?)
    }

    pub(super) fn change(&mut self, asset: &str) -> &mut Balance {
        if !self.balances.contains_key(asset) {
            self.balances.insert(asset.to_owned(), Balance::default());
        }
        self.balances.get_mut(asset).expect("inserted above when it was absent")
    }

    pub(super) fn accept(&mut self, order: &Order, asset: &str) {
        let balance = self.change(asset);
        balance.free -= order.locked;
        balance.locked += order.locked;
        let name = (order.symbol.clone(), order.client_id.clone());
        self.open_by_client.insert(name.clone(), order.id);
        self.latest_by_client.insert(name, order.id);
        let open = self.open.entry(order.symbol.clone()).or_default();
        open.ids.insert(order.id);
        open.load.replace(Load::default(), Load::of(order));
        self.orders.insert(order.id, order.clone());
        self.updated = order.created;
    }

    /// Changes an order, and what the filters know of it with it; nothing when it is not known.
    pub(super) fn change_order(&mut self, id: u64, change: impl FnOnce(&mut Order)) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let before = Load::of(order);
        change(order);
        let after = Load::of(order);
        if let Some(open) = self.open.get_mut(&order.symbol).filter(|_| before != after) {
            open.load.replace(before, after);
        }
    }

    pub(super) fn accept_list(&mut self, list: &OrderList) {
        self.list_by_client.insert(list.client_id.clone(), list.id);
        self.lists.insert(list.id, list.clone());
    }

    /// Sets what an order has locked; the difference comes from what is free, or goes there.
    pub(super) fn relock(&mut self, id: u64, locked: Atoms, asset: &str) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let more = locked - std::mem::replace(&mut order.locked, locked);
        let balance = self.change(asset);
        balance.free -= more;
        balance.locked += more;
    }

    /// Ends an order; its lock is released by the caller before.
    pub(super) fn close(&mut self, id: u64, status: Status, time: i64, kept: usize) {
        self.change_order(id, |order| {
            order.status = status;
            order.updated = time;
            if order.quote_quantity > 0 {
                order.quantity = order.executed + order.prevented;
            }
        });
        let Some(order) = self.orders.get(&id) else { return };
        let (name, list) = ((order.symbol.clone(), order.client_id.clone()), order.list);
        if let Some(open) = self.open.get_mut(&name.0) {
            open.ids.remove(&id);
        }
        self.open_by_client.remove(&name);
        self.updated = time;
        self.closed.push_back(id);
        if let Some(list) = list {
            self.close_list(list, time, kept);
        }
        while self.closed.len() > kept {
            self.forget_oldest();
        }
    }

    /// Ends a list whose last open order has ended.
    fn close_list(&mut self, id: u64, time: i64, kept: usize) {
        let Some(list) = self.lists.get_mut(&id) else { return };
        list.updated = time;
        let is_open = |(id, _): &(u64, String)| self.orders.get(id).is_some_and(|order| order.status.is_open());
        if !list.open || list.orders.iter().any(is_open) {
            return;
        }
        list.open = false;
        self.closed_lists.push_back(id);
        while self.closed_lists.len() > kept {
            let oldest = self.closed_lists.pop_front().and_then(|id| self.lists.remove(&id));
            let Some(oldest) = oldest else { continue };
            if self.list_by_client.get(&oldest.client_id) == Some(&oldest.id) {
                self.list_by_client.remove(&oldest.client_id);
            }
        }
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

    /// Gives an open order another client id.
    pub(super) fn rename(&mut self, id: u64, client_id: &str) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let old = (
            order.symbol.clone(),
            std::mem::replace(&mut order.client_id, client_id.to_owned()),
        );
        let new = (order.symbol.clone(), client_id.to_owned());
        self.open_by_client.remove(&old);
        if self.latest_by_client.get(&old) == Some(&id) {
            self.latest_by_client.remove(&old);
        }
        self.open_by_client.insert(new.clone(), id);
        self.latest_by_client.insert(new, id);
    }
}

/// Appends to a history that holds at most `kept` entries.
pub(super) fn remember<T>(history: &mut VecDeque<T>, entry: T, kept: usize) {
    history.push_back(entry);
    if history.len() > kept {
        history.pop_front();
    }
}
