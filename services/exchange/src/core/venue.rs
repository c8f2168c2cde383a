//! The venue: every market, the crowd that trades there, and the ledger of the API accounts.
//!
//! Pure: time and randomness come in, [`Effects`] come out. An order is refused first; once its acceptance is recorded
//! nothing can fail. Whoever drives the venue makes the records durable before it tells anyone of the other effects.

use super::bars::Bar;
use super::crowd::{Action, Crowd, Scene};
use super::dice::Dice;
use super::ledger::{Ledger, Pair, Record};
use super::listing::{self, Listing, QUOTE};
use super::market::{Market, Owner};
use super::order::{Fill, NewOrder, Order, OrderKey, Refusal, Side, Status};
use super::past;
use super::terms::{self, Checked};
use super::units::Atoms;
use super::value::{STEP_SECONDS, Values};
use std::collections::BTreeMap;

pub use super::effects::{Effects, Execution, UserEvent, UserEventKind};

/// The crowd acts in slices of this length, µs.
const SLICE: i64 = 10_000;

/// Length of a depth report and of a step of the values, µs.
const TENTH: i64 = 100_000;

/// One second, µs.
const SECOND: i64 = 1_000_000;

/// How often the crowd's values are recorded, µs.
const VALUES_EVERY: i64 = 60 * SECOND;

/// A pause longer than this is not made up for, µs.
const LONGEST_PAUSE: i64 = 2 * SECOND;

/// Ids are reserved when fewer than this are left.
const IDS_LEFT: u64 = 1_000_000;

/// How many ids one reservation covers.
const IDS_RESERVED: u64 = 20_000_000;

/// What shapes a venue.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many symbols.
    pub symbols: usize,
    /// Seed of the crowd.
    pub seed: u64,
    /// Multiplies the crowd's activity.
    pub scale: f64,
    /// Commission of a resting order, in hundredths of a per cent of what is received.
    pub maker_fee_bps: u32,
    /// Commission of a taking order, likewise.
    pub taker_fee_bps: u32,
    /// Open orders of an account in a symbol.
    pub max_open_orders: usize,
    /// Closed orders and fills remembered of each account.
    pub kept: usize,
}

/// An accepted order and what it filled at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The order as it stands now.
    pub order: Order,
    /// Its executions, oldest first.
    pub fills: Vec<Fill>,
}

/// The venue.
pub struct Venue {
    options: Options,
    ledger: Ledger,
    markets: Vec<Market>,
    crowds: Vec<Crowd>,
    values: Values,
    dice: Dice,
    next_id: u64,
    slice: i64,
    now: i64,
    /// Orders taken from accounts in this life.
    pub orders: u64,
}

/// An empty ledger for the symbols of `options`, to fold a journal into.
pub fn ledger(options: &Options) -> Ledger {
    let pair = |listing: Listing| -> (String, Pair) { (listing.symbol, (listing.base, QUOTE.to_owned())) };
    Ledger::new(
        listing::catalogue(options.symbols).into_iter().map(pair).collect(),
        options.kept,
    )
}

impl Venue {
    /// Opens the venue over what earlier lives recorded.
    pub fn open(options: Options, mut ledger: Ledger, now: i64, effects: &mut Effects) -> Self {
        let listings = listing::catalogue(options.symbols);
        let first_id = ledger.id_ceiling;
        for record in [
            Record::Started,
            Record::Ids {
                ceiling: first_id + IDS_RESERVED,
            },
        ] {
            ledger.fold(&record);
            effects.records.push(record);
        }
        let life = ledger.starts - 1;
        let mut dice = Dice::new(options.seed ^ life.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let value = |each: &Listing| ledger.values.get(&each.symbol).copied().unwrap_or(each.start_price);
        let opening: Vec<f64> = listings.iter().map(value).collect();
        let past = past::minutes(&listings, &opening, now, &mut dice);
        let market = |((each, value), bars): ((&Listing, &f64), &Vec<Bar>)| {
            Market::new(each.clone(), first_id, now, each.ticks_of(*value), bars)
        };
        let slice = now - now.rem_euclid(SLICE);
        let crowd = |(each, value): (&Listing, &f64)| Crowd::new(each, *value, options.scale, slice);
        let mut venue = Self {
            markets: listings.iter().zip(&opening).zip(&past).map(market).collect(),
            crowds: listings.iter().zip(&opening).map(crowd).collect(),
            values: Values::new(&listings, &opening),
            dice,
            next_id: first_id,
            slice,
            now,
            ledger,
            options,
            orders: 0,
        };
        venue.reopen_orders(effects);
        for symbol in 0..venue.markets.len() {
            let scene = Scene {
                market: &venue.markets[symbol],
                value: opening[symbol],
                heat: 1.0,
                now,
            };
            let actions = venue.crowds[symbol].open(&scene, &mut venue.dice);
            venue.perform(symbol, actions, now, effects);
        }
        effects.market.clear();
        venue
    }

    /// Puts the accounts' open orders back into the books, in the order of their ids.
    fn reopen_orders(&mut self, effects: &mut Effects) {
        let open = self
            .ledger
            .accounts()
            .flat_map(|(_, account)| account.open_orders(None).cloned());
        let mut open: Vec<Order> = open.collect();
        open.sort_by_key(|order| order.id);
        for order in open {
            let symbol = self
                .symbol(&order.symbol)
                .expect("the ledger holds listed symbols alone");
            let listing = &self.markets[symbol].listing;
            let (tick, lot, left) = (listing.tick(), listing.lot(), order.quantity - order.executed);
            let ticks = (order.price / tick) as i64;
            let fits = order.price % tick == 0 && left % lot == 0 && left > 0;
            let owner = Owner::Account(order.account.clone());
            if !fits || !self.markets[symbol].rest(order.id, owner, order.side, ticks, (left / lot) as i64) {
                self.close(&order.account, order.id, Status::Expired, self.now, effects);
            }
        }
    }

    /// What shapes it.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Accounts, orders and fills.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The markets, in the order of the catalogue.
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// The index of a symbol.
    pub fn symbol(&self, name: &str) -> Option<usize> {
        self.markets.iter().position(|market| market.listing.symbol == name)
    }

    /// The venue's time, µs.
    pub fn now(&self) -> i64 {
        self.now
    }

    fn record(&mut self, record: Record, effects: &mut Effects) {
        self.ledger.fold(&record);
        effects.records.push(record);
    }

    /// Opens an account with what it owns; nothing happens when it exists.
    pub fn open_account(&mut self, account: &str, balances: BTreeMap<String, Atoms>, effects: &mut Effects) {
        if self.ledger.account(account).is_none() {
            self.record(
                Record::Opened {
                    account: account.to_owned(),
                    balances,
                },
                effects,
            );
        }
    }

    /// Lets the crowd act up to `now`. A time before an earlier one counts as the earlier one.
    pub fn advance(&mut self, now: i64, effects: &mut Effects) {
        let now = now.max(self.now);
        if now - self.slice > LONGEST_PAUSE {
            self.slice = now - now.rem_euclid(SLICE) - SLICE;
            for symbol in 0..self.markets.len() {
                self.crowds[symbol].next = self.crowds[symbol].next.max(self.slice);
                effects.report(symbol, self.slice, |events| {
                    self.markets[symbol].report_bars(self.slice, false, events)
                });
            }
        }
        while self.slice + SLICE <= now {
            self.slice += SLICE;
            self.run_slice(self.slice, effects);
        }
        self.now = now;
    }

    fn run_slice(&mut self, time: i64, effects: &mut Effects) {
        let on_tenth = time % TENTH == 0;
        let on_second = time % SECOND == 0;
        if on_tenth {
            self.values.advance(STEP_SECONDS, &mut self.dice);
        }
        for symbol in 0..self.markets.len() {
            if on_second {
                effects.report(symbol, time, |events| {
                    self.markets[symbol].report_bars(time, true, events)
                });
            }
            while self.crowds[symbol].next <= time {
                let scene = Scene {
                    market: &self.markets[symbol],
                    value: self.values.get(symbol),
                    heat: self.values.heat(),
                    now: time,
                };
                let actions = self.crowds[symbol].act(&scene, &mut self.dice);
                self.perform(symbol, actions, time, effects);
            }
            effects.report(symbol, time, |events| {
                self.markets[symbol].report_best(events);
                if on_tenth {
                    self.markets[symbol].report_depth(events);
                }
            });
        }
        if time % VALUES_EVERY == 0 {
            let named = |(symbol, market): (usize, &Market)| (market.listing.symbol.clone(), self.values.get(symbol));
            let values = self.markets.iter().enumerate().map(named).collect();
            self.record(Record::Values { values }, effects);
        }
        self.reserve_ids(effects);
    }

    fn reserve_ids(&mut self, effects: &mut Effects) {
        let highest = self
            .markets
            .iter()
            .map(Market::highest_id)
            .max()
            .unwrap_or(0)
            .max(self.next_id);
        if highest + IDS_LEFT > self.ledger.id_ceiling {
            self.record(
                Record::Ids {
                    ceiling: highest + IDS_RESERVED,
                },
                effects,
            );
        }
    }

    fn perform(&mut self, symbol: usize, actions: Vec<Action>, time: i64, effects: &mut Effects) {
        for action in actions {
            match action {
                Action::Cancel(id) => {
                    self.markets[symbol].cancel(id);
                }
                Action::Rest {
                    owner,
                    side,
                    ticks,
                    lots,
                } => {
                    let id = self.next_id + 1;
                    if self.markets[symbol].rest(id, owner.clone(), side, ticks, lots) {
                        self.next_id = id;
                        self.crowds[symbol].rested(&owner, side, id, ticks);
                    }
                }
                Action::Take { side, ticks, lots } => {
                    self.execute(symbol, None, side, ticks, lots, time, effects);
                }
            }
        }
    }

    /// Takes from a book and tells everyone concerned; what the taker got is returned.
    #[expect(clippy::too_many_arguments, reason = "the parts of one order, used twice")]
    fn execute(
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

    fn close(&mut self, account: &str, id: u64, status: Status, time: i64, effects: &mut Effects) {
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
