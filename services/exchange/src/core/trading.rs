//! What becomes of an account's order: refused, or accepted, matched, rested, ended. Part of the venue.

use super::effects::{Effects, Execution};
use super::ledger::Record;
use super::listing::Listing;
use super::market::Owner;
use super::order::{Fill, NewOrder, Order, OrderKey, Refusal, Side, Status};
use super::terms::{self, Checked};
use super::units::Atoms;
use super::venue::{Placed, Venue};

impl Venue {
    /// Takes from a book and tells everyone concerned; what the taker got is returned.
    #[expect(clippy::too_many_arguments, reason = "the parts of one order, used twice")]
    pub(super) fn execute(
        &mut self,
        symbol: usize,
        taker: Option<(&str, u64)>,
        side: Side,
        limit: i64,
        lots: i64,
        time: i64,
        effects: &mut Effects,
    ) -> Vec<Fill> {
        let mut fills = Vec::new();
        let trades = effects.report(symbol, time, |events| {
            self.markets[symbol].take(side, limit, lots, time, events)
        });
        for trade in trades {
            let (ticks, lots) = (trade.print.ticks, trade.print.lots);
            match &trade.owner {
                Owner::Account(name) => {
                    self.fill(
                        symbol,
                        (name, trade.maker),
                        true,
                        trade.print.id,
                        (ticks, lots),
                        time,
                        effects,
                    );
                    effects.position(&self.ledger, name, &self.markets[symbol].listing, time);
                }
                of_the_crowd => self.crowds[symbol].filled(of_the_crowd, side.opposite(), lots, trade.left),
            }
            if let Some(order) = taker {
                fills.extend(self.fill(symbol, order, false, trade.print.id, (ticks, lots), time, effects));
            }
        }
        fills
    }

    /// Records one execution of an account's order, and its end when it is full.
    #[expect(clippy::too_many_arguments, reason = "the parts of one execution")]
    fn fill(
        &mut self,
        symbol: usize,
        (account, id): (&str, u64),
        maker: bool,
        trade: u64,
        (ticks, lots): (i64, i64),
        time: i64,
        effects: &mut Effects,
    ) -> Option<Fill> {
        let order = self.ledger.account(account)?.orders.get(&id)?;
        let listing = &self.markets[symbol].listing;
        let quantity = Atoms::from(lots) * listing.lot();
        let value = listing.value(ticks, lots);
        let (received, unlocked) = match order.side {
            Side::Buy => (
                quantity,
                Atoms::from(lots) * (order.price / listing.tick()) * listing.unit_value(),
            ),
            Side::Sell if order.locked > 0 => (value, quantity),
            Side::Sell => (value, 0),
        };
        let rate = if maker {
            self.options.maker_fee_bps
        } else {
            self.options.taker_fee_bps
        };
        let fill = Fill {
            account: account.to_owned(),
            symbol: order.symbol.clone(),
            order: id,
            trade,
            side: order.side,
            price: Atoms::from(ticks) * listing.tick(),
            quantity,
            value,
            fee: received * Atoms::from(rate) / 10_000, // rounded down, in the account's favour
            maker,
            time,
        };
        let full = order.executed + quantity == order.quantity;
        self.record(
            Record::Filled {
                fill: fill.clone(),
                unlocked,
            },
            effects,
        );
        if full {
            let account = account.to_owned();
            self.record(
                Record::Closed {
                    account,
                    order: id,
                    status: Status::Filled,
                    time,
                },
                effects,
            );
        }
        effects.execution(&self.ledger, account, id, Execution::Trade(fill.clone()), time);
        Some(fill)
    }

    pub(super) fn close(&mut self, account: &str, id: u64, status: Status, time: i64, effects: &mut Effects) {
        self.record(
            Record::Closed {
                account: account.to_owned(),
                order: id,
                status,
                time,
            },
            effects,
        );
        if status == Status::Expired {
            effects.execution(&self.ledger, account, id, Execution::Expired, time);
        }
    }

    /// Checks an order as [`Venue::place`] would, and does nothing.
    pub fn check(&self, order: &NewOrder) -> Result<(), Refusal> {
        terms::check(self, order).map(|_| ())
    }

    /// Takes an order.
    pub fn place(&mut self, new: &NewOrder, now: i64, effects: &mut Effects) -> Result<Placed, Refusal> {
        self.advance(now, effects);
        let checked = terms::check(self, new)?;
        let (time, symbol) = (self.now, new.symbol);
        self.next_id += 1;
        self.orders += 1;
        let id = self.next_id;
        let order = accepted(&checked, new, &self.markets[symbol].listing, id, time);
        let account = new.account.as_str();
        self.record(Record::Accepted { order }, effects);
        effects.execution(&self.ledger, account, id, Execution::New, time);
        let mut fills = Vec::new();
        if !checked.must_not_take {
            fills = self.execute(
                symbol,
                Some((account, id)),
                new.side,
                checked.limit,
                checked.take,
                time,
                effects,
            );
        }
        let listing = &self.markets[symbol].listing;
        let filled: Atoms = fills.iter().map(|fill| fill.quantity).sum();
        let left = checked.lots - (filled / listing.lot()) as i64;
        let owner = Owner::Account(account.to_owned());
        let rests = left > 0 && checked.rests && self.markets[symbol].rest(id, owner, new.side, checked.limit, left);
        if left > 0 && !rests {
            self.close(account, id, Status::Expired, time, effects);
        }
        effects.position(&self.ledger, account, &self.markets[symbol].listing, time);
        effects.report(symbol, time, |events| self.markets[symbol].report_best(events));
        let order = self
            .ledger
            .account(account)
            .and_then(|state| state.orders.get(&id))
            .cloned();
        Ok(Placed {
            order: order.expect("the order was accepted above"),
            fills,
        })
    }

    /// Cancels one open order; returns it as it ended.
    pub fn cancel(
        &mut self,
        account: &str,
        symbol: usize,
        key: &OrderKey,
        client_id: Option<&str>,
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
        let (id, time) = (order.id, self.now);
        let removed = self.markets[symbol].cancel(id);
        assert!(removed, "an open order rests in its book");
        self.close(account, id, Status::Canceled, time, effects);
        let client_id = client_id.map_or_else(|| format!("cancel-{id}"), str::to_owned);
        effects.execution(&self.ledger, account, id, Execution::Canceled { client_id }, time);
        effects.position(&self.ledger, account, &self.markets[symbol].listing, time);
        effects.report(symbol, time, |events| self.markets[symbol].report_best(events));
        let order = self
            .ledger
            .account(account)
            .and_then(|state| state.orders.get(&id))
            .cloned();
        order.ok_or(Refusal::UnknownOrder)
    }

    /// Cancels every open order of a symbol.
    pub fn cancel_all(
        &mut self,
        account: &str,
        symbol: usize,
        now: i64,
        effects: &mut Effects,
    ) -> Result<Vec<Order>, Refusal> {
        let state = self.ledger.account(account).ok_or(Refusal::NoSuchAccount)?;
        let name = &self.markets[symbol].listing.symbol;
        let ids: Vec<u64> = state.open_orders(Some(name)).map(|order| order.id).collect();
        if ids.is_empty() {
            return Err(Refusal::UnknownOrder);
        }
        // the crowd may fill one while the time moves to now: that one is no longer to cancel
        let cancelled = ids
            .into_iter()
            .map(|id| self.cancel(account, symbol, &OrderKey::Id(id), None, now, effects));
        Ok(cancelled.filter_map(Result::ok).collect())
    }
}

fn accepted(checked: &Checked, new: &NewOrder, listing: &Listing, id: u64, time: i64) -> Order {
    Order {
        id,
        account: new.account.clone(),
        symbol: listing.symbol.clone(),
        client_id: new.client_id.clone().unwrap_or_else(|| format!("auto-{id}")),
        side: new.side,
        kind: checked.kind,
        time_in_force: checked.time_in_force,
        price: checked.price,
        quantity: Atoms::from(checked.lots) * listing.lot(),
        quote_quantity: checked.quote_quantity,
        executed: 0,
        executed_value: 0,
        locked: checked.locked,
        status: Status::New,
        created: time,
        updated: time,
    }
}
