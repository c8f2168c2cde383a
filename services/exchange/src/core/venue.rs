//! The venue: every market, the crowd that trades there, and the ledger of the API accounts.
//!
//! Pure: time and randomness come in, [`Effects`] come out. An order is refused first; once its acceptance is recorded
//! nothing can fail. Whoever drives the venue makes the records durable before it tells anyone of the other effects.

use super::crowd::{Action, Crowd, Scene};
use super::dice::Dice;
use super::ledger::{Ledger, Pair, Record};
use super::listing::{self, Listing, QUOTE};
use super::market::{Market, Owner};
use super::order::{Fill, Order, PreventedMatch, Stage};
use super::past::{self, Past};
use super::trading::{Due, Ending, Take};
use super::units::Atoms;
use super::value::{STEP_SECONDS, Values};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use super::effects::Effects;

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
    /// Trades that did not happen, oldest first.
    pub prevented: Vec<PreventedMatch>,
}

/// The venue.
#[derive(Clone)]
pub struct Venue {
    pub(super) options: Options,
    pub(super) ledger: Ledger,
    pub(super) markets: Vec<Market>,
    pub(super) crowds: Vec<Crowd>,
    values: Values,
    dice: Dice,
    pub(super) next_id: u64,
    slice: i64,
    pub(super) now: i64,
    /// Symbols in which nothing trades until they are resumed.
    halted: BTreeSet<usize>,
    /// What orders have set off; empty between two inputs.
    pub(super) due: VecDeque<Due>,
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
        let past = past::candles(&listings, &opening, now, &mut dice);
        let market = |((each, value), past): ((&Listing, &f64), &Past)| {
            Market::new(each.clone(), first_id, now, each.ticks_of(*value), past)
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
            halted: BTreeSet::new(),
            ledger,
            options,
            due: VecDeque::new(),
            orders: 0,
        };
        venue.reopen_orders(effects);
        for (symbol, value) in opening.into_iter().enumerate() {
            let scene = Scene {
                market: &venue.markets[symbol],
                value,
                heat: 1.0,
                now,
            };
            let actions = venue.crowds[symbol].open(&scene, &mut venue.dice);
            venue.perform(symbol, actions, now, effects);
        }
        effects.market.clear();
        venue
    }

    /// Lets the accounts' open orders wait again where they waited, in the order of their ids.
    fn reopen_orders(&mut self, effects: &mut Effects) {
        let open = self
            .ledger
            .accounts()
            .flat_map(|(_, account)| account.open_orders(None).cloned());
        let mut open: Vec<Order> = open.collect();
        open.sort_by_key(|order| order.id);
        let listed = self.markets.iter().map(|market| market.listing.symbol.clone());
        let places: BTreeMap<String, usize> = listed.zip(0..).collect();
        for order in open {
            let symbol = *places
                .get(&order.symbol)
                .expect("the ledger holds listed symbols alone");
            let fits = match order.stage {
                Stage::Working => self.rest_again(symbol, &order),
                Stage::Waiting => {
                    self.markets[symbol].stops.add(&order);
                    true
                }
                Stage::Pending => true,
            };
            if !fits {
                let name = (order.account.as_str(), order.id);
                self.end(symbol, name, Ending::expired(), self.now, effects);
            }
        }
    }

    fn rest_again(&mut self, symbol: usize, order: &Order) -> bool {
        let listing = &self.markets[symbol].listing;
        let (tick, lot, left) = (listing.tick(), listing.lot(), order.left());
        let fits = order.price % tick == 0 && left % lot == 0 && left > 0;
        let (ticks, lots) = ((order.price / tick) as i64, (left / lot) as i64);
        let part = (order.iceberg > 0).then_some((order.iceberg / lot).max(1) as i64);
        let owner = Owner::Account(order.account.clone());
        fits && self.markets[symbol].rest_in_parts(order.id, owner, order.side, ticks, lots, part)
    }

    /// What shapes it.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Accounts, orders and fills.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Accounts, orders and fills, of a venue that has ended.
    pub fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// The markets, in the order of the catalogue.
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// The index of a symbol.
    pub fn symbol(&self, name: &str) -> Option<usize> {
        self.markets.iter().position(|market| market.listing.symbol == name)
    }

    /// Stops the crowd in a symbol, or lets it go on; the book stays as it is.
    pub fn set_halted(&mut self, symbol: usize, halted: bool) {
        if halted {
            self.halted.insert(symbol);
        } else {
            self.halted.remove(&symbol);
        }
    }

    /// The venue's time, µs.
    pub fn now(&self) -> i64 {
        self.now
    }

    pub(super) fn record(&mut self, record: Record, effects: &mut Effects) {
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
            if self.halted.contains(&symbol) {
                // what the crowd would have done is not made up for
                self.crowds[symbol].next = self.crowds[symbol].next.max(time + SLICE);
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
                    let take = Take {
                        taker: None,
                        side,
                        limit: ticks,
                        lots,
                    };
                    self.execute(symbol, take, time, effects);
                    self.settle(time, effects);
                }
            }
        }
    }
}
