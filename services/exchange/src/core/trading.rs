//! What becomes of an account's order: refused, or accepted, matched, rested, ended. Part of the venue.
//!
//! Everything that an order sets off (stops, legs of a list) waits in `due` until the order itself is done.

use super::effects::{Effects, Execution};
use super::fees::Charged;
use super::filters;
use super::ledger::Record;
use super::market::{Owner, Trade};
use super::order::{
    Fill, Order, OrderKey, OrderType, PreventedMatch, Refusal, SelfTradePrevention, Side, Stage, Status,
};
use super::reach::{Appetite, worst_ticks};
use super::request::{CancelRestriction, NewOrder};
use super::terms::{self, Checked};
use super::units::Atoms;
use super::venue::{Placed, Venue};
use domain::TimeInForce;

/// Whose order takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker<'a> {
    pub(super) account: &'a str,
    pub(super) id: u64,
    pub(super) prevention: SelfTradePrevention,
}

/// What is taken from a book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Take<'a> {
    /// `None` for the crowd.
    pub(super) taker: Option<Taker<'a>>,
    pub(super) side: Side,
    pub(super) limit: i64,
    pub(super) lots: i64,
}

/// What taking came to.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) fills: Vec<Fill>,
    pub(super) prevented: Vec<PreventedMatch>,
    /// Whether the taker ended because it met its own account.
    pub(super) ended: bool,
}

/// An order, by account and id.
pub(super) type Name<'a> = (&'a str, u64);

/// How an order ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: Status,
    pub(super) execution: Execution,
}

impl Ending {
    /// By its own rules.
    pub(super) fn expired() -> Self {
        Self {
            status: Status::Expired,
            execution: Execution::Expired,
        }
    }

    /// By its owner, whose request may carry an id.
    pub(super) fn canceled(id: u64, client_id: Option<&str>) -> Self {
        let client_id = client_id.map_or_else(|| format!("cancel-{id}"), str::to_owned);
        Self {
            status: Status::Canceled,
            execution: Execution::Canceled { client_id },
        }
    }
}

/// Something that an order set off.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// A price triggered an order.
    Trigger { symbol: usize, account: String, order: u64 },
    /// The turn of the pending orders of a list has come.
    Activate {
        symbol: usize,
        account: String,
        orders: Vec<u64>,
    },
}

impl Venue {
    /// Takes from a book and tells everyone concerned.
    pub(super) fn execute(&mut self, symbol: usize, take: Take<'_>, time: i64, effects: &mut Effects) -> Taken {
        let mut taken = Taken::default();
        let mut left = take.lots;
        while left > 0 {
            let (ahead, own) = match take.taker {
                Some(taker) if taker.prevention != SelfTradePrevention::None => {
                    self.markets[symbol].until_own(take.side, take.limit, left, taker.account)
                }
                _ => (left, None),
            };
            if ahead > 0 {
                let lots = ahead;
                self.trade(symbol, Take { lots, ..take }, time, effects, &mut taken.fills);
                left -= ahead;
            }
            let (Some(own), Some(taker)) = (own, take.taker) else {
                break;
            };
            // an iceberg before it may have shown its next part at a better price
            if self.markets[symbol].first_met(take.side) != Some(own) {
                continue;
            }
            left -= self.prevent(symbol, taker, (own, left), time, effects, &mut taken);
        }
        taken
    }

    /// Takes from a book; what the taker got is appended to `fills`.
    fn trade(&mut self, symbol: usize, take: Take<'_>, time: i64, effects: &mut Effects, fills: &mut Vec<Fill>) {
        let trades = effects.report(symbol, time, |events| {
            self.markets[symbol].take(take.side, take.limit, take.lots, time, events)
        });
        for trade in &trades {
            match &trade.owner {
                Owner::Account(name) => {
                    self.fill(symbol, (name, trade.maker), true, trade, effects);
                    effects.position(&self.ledger, name, &self.markets[symbol].listing, time);
                }
                of_the_crowd => {
                    self.crowds[symbol].filled(of_the_crowd, take.side.opposite(), trade.print.lots, trade.left)
                }
            }
            if let Some(taker) = take.taker {
                fills.extend(self.fill(symbol, (taker.account, taker.id), false, trade, effects));
            }
        }
        self.watch(symbol, &trades, time, effects);
    }

    /// Records one execution of an account's order, and its end when it is full.
    fn fill(
        &mut self,
        symbol: usize,
        (account, id): Name<'_>,
        maker: bool,
        trade: &Trade,
        effects: &mut Effects,
    ) -> Option<Fill> {
        let time = trade.print.time;
        self.claim(symbol, account, id, time, effects);
        let state = self.ledger.account(account)?;
        let order = state.orders.get(&id)?;
        let listing = &self.markets[symbol].listing;
        let (ticks, lots) = (trade.print.ticks, trade.print.lots);
        let charged = Charged {
            symbol,
            side: order.side,
            quantity: Atoms::from(lots) * listing.lot(),
            value: listing.value(ticks, lots),
            maker,
        };
        let (fee, fee_asset) = self.commission(state, &charged);
        let fill = Fill {
            account: account.to_owned(),
            symbol: order.symbol.clone(),
            order: id,
            trade: trade.print.id,
            side: order.side,
            price: Atoms::from(ticks) * listing.tick(),
            quantity: charged.quantity,
            value: charged.value,
            fee,
            maker,
            time,
            fee_asset,
            list: order.list,
        };
        let unlocked = if order.side == Side::Buy && order.price == 0 {
            fill.value.min(order.locked)
        } else {
            order.lock_of(fill.quantity).min(order.locked)
        };
        let full = order.left() == fill.quantity;
        let filled = fill.clone();
        self.record(Record::Filled { fill: filled, unlocked }, effects);
        if full {
            self.close(account, id, Status::Filled, time, effects);
        }
        effects.execution(&self.ledger, account, id, Execution::Trade(fill.clone()), time);
        if full {
            self.follow(symbol, (account, id), Status::Filled, time, effects);
        }
        Some(fill)
    }

    fn close(&mut self, account: &str, order: u64, status: Status, time: i64, effects: &mut Effects) {
        let account = account.to_owned();
        self.record(
            Record::Closed {
                account,
                order,
                status,
                time,
            },
            effects,
        );
    }

    /// An order of an account while it is open.
    pub(super) fn open_order(&self, account: &str, id: u64) -> Option<&Order> {
        let order = self.ledger.account(account)?.orders.get(&id)?;
        order.status.is_open().then_some(order)
    }

    /// Ends an open order wherever it waits, and then what depends on it; nothing happens when it has ended.
    pub(super) fn end(&mut self, symbol: usize, name: Name<'_>, ending: Ending, time: i64, effects: &mut Effects) {
        let status = ending.status;
        if self.end_alone(symbol, name, ending, time, effects) {
            self.follow(symbol, name, status, time, effects);
        }
    }

    /// Ends an open order wherever it waits, and leaves its list alone; false when it has ended already.
    pub(super) fn end_alone(
        &mut self,
        symbol: usize,
        (account, id): Name<'_>,
        ending: Ending,
        time: i64,
        effects: &mut Effects,
    ) -> bool {
        let Some(order) = self.open_order(account, id).cloned() else {
            return false;
        };
        match order.stage {
            Stage::Working => {
                self.markets[symbol].cancel(id);
            }
            Stage::Waiting => self.markets[symbol].stops.remove(&order),
            Stage::Pending => {}
        }
        self.close(account, id, ending.status, time, effects);
        effects.execution(&self.ledger, account, id, ending.execution, time);
        true
    }

    /// Checks an order as [`Venue::place`] would, and does nothing.
    pub fn check(&self, order: &NewOrder) -> Result<(), Refusal> {
        terms::check(self, order).map(|_| ())
    }

    /// Takes an order.
    pub fn place(&mut self, new: &NewOrder, now: i64, effects: &mut Effects) -> Result<Placed, Refusal> {
        self.advance(now, effects);
        let checked = terms::check(self, new)?;
        let time = self.now;
        let id = self.next_id();
        let order = self.accept(new, &checked, id, None, time, effects);
        let taken = self.launch(new.symbol, &order, time, effects);
        self.settle(time, effects);
        self.conclude(new.symbol, &new.account, time, effects);
        Ok(Placed {
            order: self.now_of(&order),
            fills: taken.fills,
            prevented: taken.prevented,
        })
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn accept(
        &mut self,
        new: &NewOrder,
        checked: &Checked,
        id: u64,
        list: Option<u64>,
        time: i64,
        effects: &mut Effects,
    ) -> Order {
        let listing = &self.markets[new.symbol].listing;
        let order = Order {
            list,
            ..checked.order(new, listing, id, time)
        };
        self.orders += 1;
        self.record(Record::Accepted { order: order.clone() }, effects);
        effects.execution(&self.ledger, &new.account, id, Execution::New, time);
        order
    }

    /// Lets an accepted order do what it does first: act, or wait for its price or its turn.
    pub(super) fn launch(&mut self, symbol: usize, order: &Order, time: i64, effects: &mut Effects) -> Taken {
        match order.stage {
            Stage::Working => self.work(symbol, &order.account, order.id, time, effects),
            Stage::Waiting => {
                self.markets[symbol].stops.add(order);
                Taken::default()
            }
            Stage::Pending => Taken::default(),
        }
    }

    /// Lets an order meet the book: it takes what it may, and the rest waits there or expires.
    pub(super) fn work(&mut self, symbol: usize, account: &str, id: u64, time: i64, effects: &mut Effects) -> Taken {
        let Some(order) = self.open_order(account, id).cloned() else {
            return Taken::default();
        };
        let market = &self.markets[symbol];
        let (tick, lot) = (market.listing.tick(), market.listing.lot());
        let is_market = order.kind.is_market();
        let limit = if is_market {
            worst_ticks(order.side)
        } else {
            (order.price / tick) as i64
        };
        let left = (order.left() / lot) as i64;
        let reach = || {
            market.reach(Appetite {
                owner: Some((account, order.prevention)),
                side: order.side,
                limit,
                lots: left,
                value: if is_market { order.locked } else { Atoms::MAX },
            })
        };
        let lots = match (order.kind, order.time_in_force) {
            (OrderType::LimitMaker, _) => 0,
            _ if is_market && order.side == Side::Buy => reach().lots,
            (_, TimeInForce::Fok) if !is_market && reach().lots < left => 0,
            _ => left,
        };
        let prevention = order.prevention;
        let take = Take {
            taker: Some(Taker {
                account,
                id,
                prevention,
            }),
            side: order.side,
            limit,
            lots,
        };
        let taken = self.execute(symbol, take, time, effects);
        let left = self
            .open_order(account, id)
            .map_or(0, |order| (order.left() / lot) as i64);
        if left > 0 {
            let owner = Owner::Account(account.to_owned());
            let part = (order.iceberg > 0).then_some((order.iceberg / lot) as i64);
            let rests = filters::rests(order.kind, order.time_in_force)
                && self.markets[symbol].rest_in_parts(id, owner, order.side, limit, left, part);
            if !rests {
                self.end(symbol, (account, id), Ending::expired(), time, effects);
            }
        }
        taken
    }

    /// Tells of balances and of the best prices once all is done.
    pub(super) fn conclude(&mut self, symbol: usize, account: &str, time: i64, effects: &mut Effects) {
        effects.position(&self.ledger, account, &self.markets[symbol].listing, time);
        effects.report(symbol, time, |events| self.markets[symbol].report_best(events));
    }

    /// An order as it stands now; as it was when it is no longer remembered.
    pub(super) fn now_of(&self, order: &Order) -> Order {
        let state = self.ledger.account(&order.account);
        let now = state.and_then(|state| state.orders.get(&order.id));
        now.unwrap_or(order).clone()
    }

    /// Cancels one open order, and with it the others of its list; returns it as it ended.
    pub fn cancel(
        &mut self,
        account: &str,
        symbol: usize,
        key: &OrderKey,
        client_id: Option<&str>,
        now: i64,
        effects: &mut Effects,
    ) -> Result<Order, Refusal> {
        self.cancel_if(account, symbol, key, client_id, None, now, effects)
    }

    /// [`Venue::cancel`], of an order in a certain state alone.
    #[expect(clippy::too_many_arguments, reason = "the parts of a cancel request")]
    pub fn cancel_if(
        &mut self,
        account: &str,
        symbol: usize,
        key: &OrderKey,
        client_id: Option<&str>,
        restriction: Option<CancelRestriction>,
        now: i64,
        effects: &mut Effects,
    ) -> Result<Order, Refusal> {
        self.advance(now, effects);
        let name = self.markets[symbol].listing.symbol.clone();
        let state = self.ledger.account(account).ok_or(Refusal::NoSuchAccount)?;
        let order = state
            .order(&name, key)
            .filter(|order| order.status.is_open())
            .ok_or(Refusal::UnknownOrder)?;
        let restricted = match restriction {
            None => false,
            Some(CancelRestriction::OnlyNew) => order.status != Status::New,
            Some(CancelRestriction::OnlyPartiallyFilled) => order.status != Status::PartiallyFilled,
        };
        if restricted {
            return Err(Refusal::CancelRestricted);
        }
        let (order, time) = (order.clone(), self.now);
        let ending = Ending::canceled(order.id, client_id);
        self.end(symbol, (account, order.id), ending, time, effects);
        self.conclude(symbol, account, time, effects);
        Ok(self.now_of(&order))
    }

    /// Cancels every open order of a symbol, lists included; returns them as they ended.
    pub fn cancel_all(
        &mut self,
        account: &str,
        symbol: usize,
        now: i64,
        effects: &mut Effects,
    ) -> Result<Vec<Order>, Refusal> {
        self.advance(now, effects);
        let state = self.ledger.account(account).ok_or(Refusal::NoSuchAccount)?;
        let name = &self.markets[symbol].listing.symbol;
        let open: Vec<Order> = state.open_orders(Some(name)).cloned().collect();
        if open.is_empty() {
            return Err(Refusal::UnknownOrder);
        }
        for order in &open {
            let ending = Ending::canceled(order.id, None);
            self.end(symbol, (account, order.id), ending, self.now, effects);
        }
        self.conclude(symbol, account, self.now, effects);
        Ok(open.iter().map(|order| self.now_of(order)).collect())
    }
}
