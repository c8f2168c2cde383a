//! What clients come up with: orders about the last price, and others in their places.

use super::client::Client;
use super::process::accounts;
use super::wish::{Asked, Wish};
use domain::{ClientOrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce};
use exchange::core::units::show;
use trading::core::{Replace, Submit, Wishes};

impl Client {
    pub(super) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.chance.below(from.len() as u64) as usize]
    }

    pub(super) fn id(&self, number: usize) -> ClientOrderId {
        ClientOrderId::parse(&format!("c{}-{number}", self.name)).unwrap()
    }

    fn symbol(&self) -> Symbol {
        let symbols: Vec<Symbol> = self.exchange.marks().into_keys().collect();
        self.pick(&symbols).clone()
    }

    pub(super) fn new_order(&self, number: usize) -> Submit {
        let (symbol, side) = (self.symbol(), *self.pick(&[Side::Buy, Side::Sell]));
        let order_type = *self.pick(&[
            OrderType::Limit,
            OrderType::Limit,
            OrderType::Limit,
            OrderType::Market,
            OrderType::LimitMaker,
        ]);
        let time_in_force = match order_type {
            OrderType::Limit => *self.pick(&[TimeInForce::Gtc, TimeInForce::Gtc, TimeInForce::Ioc]),
            OrderType::Market => TimeInForce::Ioc,
            OrderType::LimitMaker => TimeInForce::Gtc,
        };
        let (price, quantity) = self.terms(&symbol, side);
        let plain = Submit {
            account: self.pick(&accounts()).clone(),
            client_order_id: self.id(number),
            symbol,
            side,
            order_type,
            time_in_force,
            quantity,
            price: (order_type != OrderType::Market).then_some(price),
            strategy: None,
            wishes: Wishes::default(),
        };
        let wishes = self.wishes(&plain);
        Submit { wishes, ..plain }
    }

    /// Several orders of one account, numbered from this one on.
    pub(super) fn new_orders(&self, first: usize, several: usize) -> Vec<Asked> {
        let account = self.pick(&accounts()).clone();
        let orders = (first..).take(several).map(|number| Submit {
            account: account.clone(),
            ..self.new_order(number)
        });
        orders.map(Asked::order).collect()
    }

    /// A price from 30 basis points away from the last one to 10 beyond it, and a quantity, seldom of far too much.
    fn terms(&self, symbol: &Symbol, side: Side) -> (Price, Quantity) {
        let beyond = self.chance.below(41) as i64 - 30;
        let value = match self.chance.below(20) {
            0 => 9_000,
            _ => 8 + self.chance.below(500),
        };
        self.terms_worth(symbol, side, beyond, value)
    }

    /// A price so many basis points beyond the last one, at which it would trade, and a quantity worth so much.
    pub(super) fn terms_worth(&self, symbol: &Symbol, side: Side, beyond: i64, value: u64) -> (Price, Quantity) {
        let up = if side == Side::Buy { beyond } else { -beyond };
        self.exchange.read(|venue| {
            let market = &venue.markets()[venue.symbol(symbol.as_str()).unwrap()];
            let (listing, ticks) = (&market.listing, i128::from(market.last_ticks()));
            let price = (ticks + ticks * i128::from(up) / 10_000).max(1) * listing.tick();
            let lots = listing.lots_worth(value as f64, listing.price_of(market.last_ticks()));
            let quantity = show(i128::from(lots) * listing.lot());
            (show(price).parse().unwrap(), quantity.parse().unwrap())
        })
    }

    /// Another price to wait for, where one was stated.
    fn new_stop_price(&self, old: &Asked) -> Option<Price> {
        let Wish::Order(submit) = &old.wish else { return None };
        submit.wishes.trigger?.stated_price()?;
        let away = self.chance.below(60) as i64 - 30;
        (self.chance.below(2) == 0).then(|| self.exchange.price_about(&old.symbol, away))
    }

    /// An order in place of one that rests, or did when it was answered; none when there is none.
    pub(super) fn new_replacement(&self, number: usize) -> Option<Asked> {
        let log = self.log.lock();
        let answered = log.answered().into_iter();
        let resting: Vec<&Asked> = answered.filter(|asked| is_worth_replacing(asked)).collect();
        // Rather one that may still be there.
        let newest = &resting[resting.len().saturating_sub(6)..];
        if newest.is_empty() {
            return None;
        }
        let old = (*self.pick(newest)).clone();
        drop(log);
        let (price, quantity) = self.terms(&old.symbol, old.side);
        let (prices, quantities) = *self.pick(&[(true, false), (false, true), (true, true)]);
        let replace = Replace {
            account: old.wish.account().clone(),
            order_id: self.pick(&old.orders()).clone(),
            client_order_id: self.id(number),
            quantity: quantities.then_some(quantity),
            price: prices.then_some(price),
            stop_price: self.new_stop_price(&old),
        };
        Some(Asked {
            wish: Wish::Replace(replace),
            said: None,
            ..old
        })
    }
}

/// The side across.
pub(super) fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

/// Whether it was accepted and is an order that rests; now and then one that never does.
fn is_worth_replacing(asked: &Asked) -> bool {
    let rests = match &asked.wish {
        Wish::Order(submit) => submit.time_in_force == TimeInForce::Gtc || submit.wishes.trigger.is_some(),
        Wish::Replace(_) | Wish::Group(_) => true,
    };
    rests && !asked.orders().is_empty()
}
