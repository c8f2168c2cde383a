//! What clients come up with that waits for a price: stops, take-profits, trailing stops, and orders that hang together.

use super::client::Client;
use super::draw::opposite;
use super::wish::{Asked, Wish};
use domain::{GroupKind, OrderType, Price, Side, Symbol, TimeInForce, Trail, Trigger};
use trading::core::{GroupSubmit, Submit, Wishes};

impl Client {
    /// A price so many basis points from the mark, to the good of the side or to its harm.
    fn about(&self, symbol: &Symbol, side: Side, for_better: bool) -> Price {
        let away = 3 + self.chance.below(25) as i64;
        let is_up = (side == Side::Sell) == for_better;
        self.exchange.price_about(symbol, if is_up { away } else { -away })
    }

    /// An order that goes once its price is met.
    fn waiting(&self, plain: Submit, trigger: Trigger) -> Submit {
        let is_limited = !matches!(trigger, Trigger::Trailing(_)) && self.chance.below(3) == 0;
        Submit {
            order_type: if is_limited {
                OrderType::Limit
            } else {
                OrderType::Market
            },
            time_in_force: if is_limited { TimeInForce::Gtc } else { TimeInForce::Ioc },
            price: trigger.stated_price().filter(|_| is_limited),
            wishes: Wishes {
                trigger: Some(trigger),
                lasts: self.lasts(),
                display_quantity: plain.wishes.display_quantity.filter(|_| is_limited),
                ..plain.wishes
            },
            ..plain
        }
    }

    /// What limits a loss.
    fn loss(&self, plain: Submit) -> Submit {
        let trigger = match self.chance.below(3) {
            0 => Trigger::Trailing(Trail::BasisPoints(4 + self.chance.below(30) as u32)),
            _ => Trigger::Stop(self.about(&plain.symbol, plain.side, false)),
        };
        self.waiting(plain, trigger)
    }

    /// What takes a profit: an order that rests, or one that waits.
    fn profit(&self, plain: Submit) -> Submit {
        let price = self.about(&plain.symbol, plain.side, true);
        match self.chance.below(2) {
            0 => self.waiting(plain, Trigger::TakeProfit(price)),
            _ => self.resting(plain, price),
        }
    }

    fn resting(&self, plain: Submit, price: Price) -> Submit {
        Submit {
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: Some(price),
            ..plain
        }
    }

    /// A stop, a take-profit or a trailing stop.
    pub(super) fn new_stop(&self, number: usize) -> Submit {
        let plain = self.new_order(number);
        match self.chance.below(4) {
            0 => {
                let price = self.about(&plain.symbol, plain.side, true);
                self.waiting(plain, Trigger::TakeProfit(price))
            }
            _ => self.loss(plain),
        }
    }

    /// Orders that hang together, numbered from this one on.
    pub(super) fn new_group(&self, first: usize) -> Asked {
        let kind = *self.pick(&[GroupKind::Oco, GroupKind::Oto, GroupKind::Bracket]);
        let mut plain = self.new_order(first);
        let mut price = self.about(&plain.symbol, plain.side, true);
        if kind != GroupKind::Oco && self.chance.below(2) == 0 {
            // So much that a part of it trades at once, and the rest waits.
            let worth = 1_000 + self.chance.below(6_500);
            let beyond = self.chance.below(6) as i64;
            (price, plain.quantity) = self.terms_worth(&plain.symbol, plain.side, beyond, worth);
            plain.wishes = self.wishes(&plain);
        }
        let plain = plain;
        let exit = |number: usize| Submit {
            side: opposite(plain.side),
            client_order_id: self.id(number),
            ..plain.clone()
        };
        let orders = match kind {
            GroupKind::Oco => {
                let other = Submit {
                    client_order_id: self.id(first + 1),
                    ..plain.clone()
                };
                match self.chance.below(2) {
                    0 => vec![self.profit(plain.clone()), self.loss(other)],
                    _ => vec![self.loss(plain.clone()), self.profit(other)],
                }
            }
            GroupKind::Oto => {
                let child = match self.chance.below(2) {
                    0 => self.loss(exit(first + 1)),
                    _ => self.profit(exit(first + 1)),
                };
                vec![self.resting(plain.clone(), price), child]
            }
            GroupKind::Bracket => vec![
                self.resting(plain.clone(), price),
                self.profit(exit(first + 1)),
                self.loss(exit(first + 2)),
            ],
        };
        Asked {
            symbol: plain.symbol.clone(),
            side: plain.side,
            wish: Wish::Group(GroupSubmit { kind, orders }),
            made: 0,
            said: None,
        }
    }
}
