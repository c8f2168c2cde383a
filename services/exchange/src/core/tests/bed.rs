//! A quiet venue: no crowd acts, so that every trade is made by a test.

use super::super::effects::{Execution, UserEventKind};
use super::super::market::Owner;
use super::super::order::{Order, OrderKey, Refusal, SelfTradePrevention, Side, TimeInForce};
use super::super::record::Record;
use super::super::request::{NewOrder, Terms, Trigger};
use super::super::units::{Atoms, ONE};
use super::super::venue::{self, Effects, Options, Placed, Venue};
use super::{START, options};
use std::collections::BTreeMap;

/// A tick of BTCUSDT is a cent.
pub(super) const CENT: Atoms = ONE / 100;

/// Where the market of a [`Bed`] stands, in USDT.
pub(super) const LAST: Atoms = 60_000;

pub(super) struct Bed {
    pub(super) venue: Venue,
    pub(super) effects: Effects,
    pub(super) all: Vec<Record>,
}

pub(super) fn balances(venue: &Venue) -> BTreeMap<String, Atoms> {
    let bases = venue
        .markets()
        .iter()
        .map(|market| (market.listing.base.clone(), 1_000 * ONE));
    bases.chain([("USDT".to_owned(), 100_000_000 * ONE)]).collect()
}

impl Bed {
    /// Accounts alice and bob; BTCUSDT has an empty book and last traded at [`LAST`].
    pub(super) fn new() -> Self {
        Self::with(Options {
            max_open_orders: 30,
            ..options(4, 1)
        })
    }

    pub(super) fn with(options: Options) -> Self {
        let mut effects = Effects::default();
        let mut venue = Venue::open(options.clone(), venue::ledger(&options), START, &mut effects);
        for name in ["alice", "bob", "carol"] {
            let held = balances(&venue);
            venue.open_account(name, held, &mut effects);
        }
        let mut bed = Self {
            venue,
            effects,
            all: Vec::new(),
        };
        bed.empty_books();
        bed.print(LAST);
        bed
    }

    fn empty_books(&mut self) {
        for market in &mut self.venue.markets {
            let ids: Vec<u64> = market.owners.keys().copied().collect();
            for id in ids {
                let is_crowd = !matches!(market.owners.get(&id), Some(Owner::Account(_)));
                assert!(!is_crowd || market.cancel(id));
            }
        }
    }

    /// Two accounts trade one lot at a price, so that it is the last one.
    pub(super) fn print(&mut self, price: Atoms) {
        let (bid, ask) = (
            self.venue.markets[0].book.best(Side::Buy),
            self.venue.markets[0].book.best(Side::Sell),
        );
        let ticks = i64::try_from(price * 100).unwrap();
        if bid.is_none_or(|(bid, _)| bid < ticks) && ask.is_none_or(|(ask, _)| ask > ticks) {
            self.place("bob", Side::Sell, limit(price, 1)).unwrap();
            self.place("carol", Side::Buy, limit(price, 1)).unwrap();
        } else {
            let (side, taker) = if bid.is_some_and(|(bid, _)| bid >= ticks) {
                (Side::Sell, "bob")
            } else {
                (Side::Buy, "bob")
            };
            self.place(taker, side, limit(price, 1)).unwrap();
        }
        assert!(
            self.venue.markets[0]
                .tape()
                .iter()
                .rev()
                .take(40)
                .any(|print| print.ticks == ticks)
        );
    }

    pub(super) fn place(&mut self, account: &str, side: Side, terms: Terms) -> Result<Placed, Refusal> {
        self.place_with(account, side, terms, SelfTradePrevention::None)
    }

    pub(super) fn place_with(
        &mut self,
        account: &str,
        side: Side,
        terms: Terms,
        prevention: SelfTradePrevention,
    ) -> Result<Placed, Refusal> {
        let new = NewOrder {
            prevention,
            ..order(account, side, terms)
        };
        self.venue.place(&new, START, &mut self.effects)
    }

    pub(super) fn order(&self, placed: &Placed) -> Order {
        self.order_of(&placed.order.account, placed.order.id)
    }

    pub(super) fn order_of(&self, account: &str, id: u64) -> Order {
        self.venue.ledger().account(account).unwrap().orders[&id].clone()
    }

    pub(super) fn cancel(&mut self, order: &Order) -> Result<Order, Refusal> {
        let key = OrderKey::Id(order.id);
        self.venue
            .cancel(&order.account, 0, &key, None, START, &mut self.effects)
    }

    pub(super) fn free(&self, account: &str, asset: &str) -> Atoms {
        self.venue.ledger().account(account).unwrap().balance(asset).free
    }

    pub(super) fn locked(&self, account: &str, asset: &str) -> Atoms {
        self.venue.ledger().account(account).unwrap().balance(asset).locked
    }

    /// Names of the executions told of an order since the last look.
    pub(super) fn told(&mut self, order: u64) -> Vec<&'static str> {
        let events = self.effects.user.iter().filter_map(|event| match &event.kind {
            UserEventKind::Execution { order: of, execution } if of.id == order => Some(match execution {
                Execution::New => "NEW",
                Execution::Trade(_) => "TRADE",
                Execution::Canceled { .. } => "CANCELED",
                Execution::Replaced(_) => "REPLACED",
                Execution::Rejected => "REJECTED",
                Execution::Expired => "EXPIRED",
                Execution::Prevented(_) => "TRADE_PREVENTION",
            }),
            _ => None,
        });
        events.collect()
    }

    /// The whole venue again, from the records alone, and both agree.
    pub(super) fn restart(&mut self) {
        self.all.append(&mut self.effects.records);
        let mut ledger = venue::ledger(self.venue.options());
        self.all.iter().for_each(|record| ledger.fold(record));
        assert_eq!(self.venue.ledger(), &ledger);
        self.effects = Effects::default();
        self.venue = Venue::open(self.venue.options().clone(), ledger, START, &mut self.effects);
        self.empty_books();
    }

    /// Nothing appeared or vanished, and what is locked is what open orders hold.
    pub(super) fn check(&self) {
        super::conservation::check(&self.venue).unwrap();
    }
}

pub(super) fn order(account: &str, side: Side, terms: Terms) -> NewOrder {
    NewOrder {
        account: account.into(),
        symbol: 0,
        client_id: None,
        side,
        terms,
        prevention: SelfTradePrevention::None,
    }
}

/// Quantities of tests are in thousandths of a bitcoin.
pub(super) fn milli(quantity: i64) -> Atoms {
    Atoms::from(quantity) * ONE / 1_000
}

pub(super) fn limit(price: Atoms, quantity: i64) -> Terms {
    Terms::Limit {
        price: price * ONE,
        quantity: milli(quantity),
        time_in_force: TimeInForce::Gtc,
        iceberg: None,
    }
}

pub(super) fn maker(price: Atoms, quantity: i64) -> Terms {
    Terms::LimitMaker {
        price: price * ONE,
        quantity: milli(quantity),
        iceberg: None,
    }
}

pub(super) fn iceberg(price: Atoms, quantity: i64, shown: i64) -> Terms {
    Terms::Limit {
        price: price * ONE,
        quantity: milli(quantity),
        time_in_force: TimeInForce::Gtc,
        iceberg: Some(milli(shown)),
    }
}

pub(super) fn immediate(price: Atoms, quantity: i64, time_in_force: TimeInForce) -> Terms {
    Terms::Limit {
        price: price * ONE,
        quantity: milli(quantity),
        time_in_force,
        iceberg: None,
    }
}

pub(super) fn stop(take_profit: bool, price: Atoms, quantity: i64) -> Terms {
    Terms::Stop {
        take_profit,
        trigger: Trigger::Stop(price * ONE),
        quantity: milli(quantity),
    }
}

pub(super) fn stop_limit(take_profit: bool, stop: Atoms, price: Atoms, quantity: i64) -> Terms {
    Terms::StopLimit {
        take_profit,
        trigger: Trigger::Stop(stop * ONE),
        price: price * ONE,
        quantity: milli(quantity),
        time_in_force: TimeInForce::Gtc,
        iceberg: None,
    }
}

pub(super) fn trailing(delta: u32, from: Option<Atoms>, quantity: i64) -> Terms {
    Terms::Stop {
        take_profit: false,
        trigger: Trigger::Trailing {
            delta,
            from: from.map(|price| price * ONE),
        },
        quantity: milli(quantity),
    }
}
