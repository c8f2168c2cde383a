//! Orders that wait: for a price, or for another order of their list. Part of the venue.

use super::effects::{Effects, Execution};
use super::ledger::Record;
use super::market::Trade;
use super::order::{Order, OrderKey, OrderType, Refusal, Side, Stage, Status};
use super::order_list::{Contingency, OrderList};
use super::reach::{Appetite, worst_ticks};
use super::request::{Legs, NewList, NewOrder};
use super::terms;
use super::trading::{Due, Ending, Name};
use super::units::{Atoms, ONE};
use super::venue::Venue;

/// An order list with its orders as they stand now.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedList {
    /// The list.
    pub list: OrderList,
    /// Its orders.
    pub orders: Vec<Order>,
}

impl Venue {
    /// Shows trades to the orders that wait for a price. The prices of one taker run one way, so the ends are enough.
    pub(super) fn watch(&mut self, symbol: usize, trades: &[Trade], time: i64, effects: &mut Effects) {
        let (Some(first), Some(last)) = (trades.first(), trades.last()) else {
            return;
        };
        if self.markets[symbol].stops.is_empty() {
            return;
        }
        for ticks in [first.print.ticks, last.print.ticks] {
            let best = Atoms::from(ticks) * self.markets[symbol].listing.tick();
            let seen = self.markets[symbol].stops.see(best);
            for (account, order) in seen.trailed {
                self.record(
                    Record::Trailed {
                        account,
                        order,
                        best,
                        time,
                    },
                    effects,
                );
            }
            for (account, order) in seen.triggered {
                self.due.push_back(Due::Trigger { symbol, account, order });
            }
        }
    }

    /// Does what orders have set off, and what that sets off in turn.
    pub(super) fn settle(&mut self, time: i64, effects: &mut Effects) {
        while let Some(due) = self.due.pop_front() {
            match due {
                Due::Trigger { symbol, account, order } => self.trigger(symbol, (&account, order), time, effects),
                Due::Activate {
                    symbol,
                    account,
                    orders,
                } => self.activate(symbol, &account, &orders, time, effects),
            }
        }
    }

    /// A price has triggered an order: its rival ends, and it meets the book.
    fn trigger(&mut self, symbol: usize, (account, id): Name<'_>, time: i64, effects: &mut Effects) {
        if self
            .open_order(account, id)
            .is_none_or(|order| order.stage != Stage::Waiting)
        {
            return;
        }
        self.end_rivals(symbol, (account, id), time, effects);
        let Some(order) = self.open_order(account, id).cloned() else {
            return;
        };
        let locked = self.lock_at_trigger(symbol, &order);
        self.progress(&order, (Stage::Working, order.status), locked, time, effects);
        effects.execution(&self.ledger, account, id, Execution::New, time);
        self.work(symbol, account, id, time, effects);
        self.conclude(symbol, account, time, effects);
    }

    /// What a triggered order locks. One that buys at any price buys as far as its lock and what is free reach.
    fn lock_at_trigger(&self, symbol: usize, order: &Order) -> Atoms {
        if !order.kind.is_market() || order.side == Side::Sell {
            return order.lock_of(order.left());
        }
        let market = &self.markets[symbol];
        let free = self
            .ledger
            .account(&order.account)
            .map_or(0, |state| state.balance(super::listing::QUOTE).free);
        let appetite = Appetite {
            owner: Some((&order.account, order.prevention)),
            side: order.side,
            limit: worst_ticks(order.side),
            lots: (order.left() / market.listing.lot()) as i64,
            value: free + order.locked,
        };
        market.reach(appetite).value
    }

    fn progress(
        &mut self,
        order: &Order,
        (stage, status): (Stage, Status),
        locked: Atoms,
        time: i64,
        effects: &mut Effects,
    ) {
        let record = Record::Progressed {
            account: order.account.clone(),
            order: order.id,
            stage,
            status,
            locked,
            time,
        };
        self.record(record, effects);
    }

    /// Before the first fill of an order: the other one of its pair ends, and the lock that served both is its own.
    pub(super) fn claim(&mut self, symbol: usize, account: &str, id: u64, time: i64, effects: &mut Effects) {
        let Some(order) = self.open_order(account, id) else {
            return;
        };
        if order.list.is_none() || order.executed > 0 {
            return;
        }
        if self.end_rivals(symbol, (account, id), time, effects)
            && let Some(order) = self.open_order(account, id).cloned()
        {
            let locked = order.lock_of(order.left());
            self.progress(&order, (order.stage, order.status), locked, time, effects);
        }
    }

    /// Whether the other one of an order's pair is still open.
    pub(super) fn has_rivals(&self, account: &str, id: u64) -> bool {
        let list = self.ledger.account(account).and_then(|state| state.list_of(id));
        let rivals = list.map(|list| list.rivals(id)).unwrap_or_default();
        rivals.iter().any(|rival| self.open_order(account, *rival).is_some())
    }

    /// Ends the other one of an order's pair; whether there was one.
    fn end_rivals(&mut self, symbol: usize, (account, id): Name<'_>, time: i64, effects: &mut Effects) -> bool {
        let list = self.ledger.account(account).and_then(|state| state.list_of(id));
        let rivals = list.map(|list| list.rivals(id)).unwrap_or_default();
        let mut any = false;
        for rival in rivals {
            any |= self.end_alone(symbol, (account, rival), Ending::expired(), time, effects);
        }
        any
    }

    /// After the end of an order: its list goes on, or ends with it.
    pub(super) fn follow(
        &mut self,
        symbol: usize,
        (account, id): Name<'_>,
        status: Status,
        time: i64,
        effects: &mut Effects,
    ) {
        let state = self.ledger.account(account);
        let list = state.and_then(|state| state.lists.get(&state.orders.get(&id)?.list?));
        let Some(list) = list.cloned() else { return };
        if !list.open {
            effects.list(&self.ledger, account, list.id, time);
        } else if status == Status::Filled {
            let (account, orders) = (account.to_owned(), list.dependents(id));
            self.due.push_back(Due::Activate {
                symbol,
                account,
                orders,
            });
        } else {
            for (other, _) in &list.orders {
                let ending = match status {
                    Status::Canceled => Ending::canceled(*other, None),
                    _ => Ending::expired(),
                };
                self.end(symbol, (account, *other), ending, time, effects);
            }
        }
    }

    /// The turn of pending orders has come: they are accepted now, or refused.
    fn activate(&mut self, symbol: usize, account: &str, orders: &[u64], time: i64, effects: &mut Effects) {
        let pending = orders.iter().filter_map(|id| self.open_order(account, *id).cloned());
        let pending: Vec<Order> = pending.filter(|order| order.stage == Stage::Pending).collect();
        let Some(first) = pending.first() else { return };
        let needs: Vec<Atoms> = pending
            .iter()
            .map(|order| self.need_at_activation(symbol, order))
            .collect();
        let most = needs.iter().copied().max().unwrap_or_default();
        let carrier = needs.iter().position(|need| *need == most).unwrap_or_default();
        let listing = &self.markets[symbol].listing;
        let asset = if first.side == Side::Buy {
            super::listing::QUOTE
        } else {
            listing.base.as_str()
        };
        let free = self
            .ledger
            .account(account)
            .map_or(0, |state| state.balance(asset).free);
        let refused = pending
            .iter()
            .find(|order| free < most || self.would_take(symbol, order));
        if let Some(refused) = refused {
            let ending = Ending {
                status: Status::Rejected,
                execution: Execution::Rejected,
            };
            self.end(symbol, (account, refused.id), ending, time, effects);
            self.conclude(symbol, account, time, effects);
            return;
        }
        for (index, order) in pending.iter().enumerate() {
            let stage = if order.kind.is_contingent() {
                Stage::Waiting
            } else {
                Stage::Working
            };
            let locked = if index == carrier { most } else { 0 };
            self.progress(order, (stage, Status::New), locked, time, effects);
            effects.execution(&self.ledger, account, order.id, Execution::New, time);
        }
        for order in &pending {
            self.launch_pending(symbol, (account, order.id), time, effects);
        }
        self.conclude(symbol, account, time, effects);
    }

    fn launch_pending(&mut self, symbol: usize, (account, id): Name<'_>, time: i64, effects: &mut Effects) {
        let Some(order) = self.open_order(account, id).cloned() else {
            return;
        };
        let last = self.last_price(symbol);
        if order.stage == Stage::Waiting && order.stop_price == 0 {
            let record = Record::Trailed {
                account: account.to_owned(),
                order: id,
                best: last,
                time,
            };
            self.record(record, effects);
        }
        let order = self.now_of(&order);
        self.launch(symbol, &order, time, effects);
        let rises = super::stops::waits_for_rise(&order);
        let passed = if rises {
            last >= order.stop_price
        } else {
            last <= order.stop_price
        };
        if order.stage == Stage::Waiting && order.trailing_delta == 0 && passed {
            self.markets[symbol].stops.remove(&order);
            let account = account.to_owned();
            self.due.push_back(Due::Trigger {
                symbol,
                account,
                order: id,
            });
        }
    }

    fn last_price(&self, symbol: usize) -> Atoms {
        Atoms::from(self.markets[symbol].last_ticks()) * self.markets[symbol].listing.tick()
    }

    fn would_take(&self, symbol: usize, order: &Order) -> bool {
        let market = &self.markets[symbol];
        let ticks = (order.price / market.listing.tick()) as i64;
        order.kind == OrderType::LimitMaker && market.book().would_take(order.side, ticks)
    }

    /// What a pending order locks when its turn comes.
    fn need_at_activation(&self, symbol: usize, order: &Order) -> Atoms {
        if order.side == Side::Sell || order.price > 0 {
            return order.lock_of(order.left());
        }
        let market = &self.markets[symbol];
        match (order.kind, order.stop_price) {
            (OrderType::Market, _) => {
                market
                    .reach(Appetite {
                        owner: Some((&order.account, order.prevention)),
                        side: order.side,
                        limit: worst_ticks(order.side),
                        lots: (order.left() / market.listing.lot()) as i64,
                        value: Atoms::MAX,
                    })
                    .value
            }
            (_, 0) => self.last_price(symbol) * order.left() / ONE,
            (_, stop) => stop * order.left() / ONE,
        }
    }

    /// Takes an order list.
    pub fn place_list(&mut self, new: &NewList, now: i64, effects: &mut Effects) -> Result<PlacedList, Refusal> {
        self.advance(now, effects);
        let checked = terms::check_list(self, new)?;
        let legs = new.legs.all();
        let (symbol, time) = (legs[0].symbol, self.now);
        let (account, id) = (legs[0].account.as_str(), self.next_id());
        let ids: Vec<u64> = legs.iter().map(|_| self.next_id()).collect();
        let named =
            |(leg, id): (&&NewOrder, &u64)| (*id, leg.client_id.clone().unwrap_or_else(|| format!("auto-{id}")));
        let list = OrderList {
            id,
            account: account.to_owned(),
            symbol: self.markets[symbol].listing.symbol.clone(),
            client_id: new.client_id.clone().unwrap_or_else(|| format!("list-{id}")),
            contingency: match new.legs {
                Legs::Oco { .. } => Contingency::Oco,
                Legs::Oto { .. } => Contingency::Oto,
                Legs::Otoco { .. } => Contingency::Otoco,
            },
            orders: legs.iter().zip(&ids).map(named).collect(),
            open: true,
            created: time,
            updated: time,
        };
        self.record(Record::Listed { list: list.clone() }, effects);
        effects.list(&self.ledger, account, id, time);
        let mut orders = Vec::with_capacity(legs.len());
        for ((leg, checked), order) in legs.iter().zip(&checked).zip(&ids) {
            orders.push(self.accept(leg, checked, *order, Some(id), time, effects));
        }
        for order in &orders {
            self.launch(symbol, order, time, effects);
        }
        self.settle(time, effects);
        self.conclude(symbol, account, time, effects);
        Ok(self.placed_list(list, &orders))
    }

    /// An order list of an account, with its orders as they stand now.
    pub fn list(&self, account: &str, key: &OrderKey) -> Option<PlacedList> {
        let state = self.ledger.account(account)?;
        let list = state.list(key)?.clone();
        let orders = list.orders.iter().filter_map(|(id, _)| state.orders.get(id).cloned());
        Some(PlacedList {
            orders: orders.collect(),
            list,
        })
    }

    fn placed_list(&self, list: OrderList, orders: &[Order]) -> PlacedList {
        let now = self
            .ledger
            .account(&list.account)
            .and_then(|state| state.lists.get(&list.id));
        PlacedList {
            list: now.cloned().unwrap_or(list),
            orders: orders.iter().map(|order| self.now_of(order)).collect(),
        }
    }

    /// Cancels an order list; returns it as it ended.
    pub fn cancel_list(
        &mut self,
        account: &str,
        symbol: usize,
        key: &OrderKey,
        client_id: Option<&str>,
        now: i64,
        effects: &mut Effects,
    ) -> Result<PlacedList, Refusal> {
        self.advance(now, effects);
        let state = self.ledger.account(account).ok_or(Refusal::NoSuchAccount)?;
        let name = &self.markets[symbol].listing.symbol;
        let found = state.list(key).filter(|list| list.open && list.symbol == *name);
        let list = found.cloned().ok_or(Refusal::UnknownOrder)?;
        let orders: Vec<Order> = list
            .orders
            .iter()
            .filter_map(|(id, _)| state.orders.get(id))
            .cloned()
            .collect();
        let time = self.now;
        if let Some(open) = orders.iter().find(|order| order.status.is_open()) {
            let ending = Ending::canceled(open.id, client_id);
            self.end(symbol, (account, open.id), ending, time, effects);
        }
        self.conclude(symbol, account, time, effects);
        Ok(self.placed_list(list, &orders))
    }
}
