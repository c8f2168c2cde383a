//! What clients ask of an order beside its terms: an end by time, that it only lessens what is held, that the book shows a
//! part of it.

use super::client::Client;
use domain::{Expiry, OrderType, Quantity, Side, Symbol, TimeInForce, Timestamp};
use exchange::core::units::{parse, show};
use trading::core::{Lasts, Submit, Wishes};

/// So long an order is good for that is to rest to the end, in microseconds; less than a wall clock jumps.
const LONG_MICROS: i64 = 600_000_000;

impl Client {
    /// What is asked of an order that has these terms.
    pub(super) fn wishes(&self, plain: &Submit) -> Wishes {
        let rests = plain.order_type != OrderType::Market && plain.time_in_force == TimeInForce::Gtc;
        // A buy reduces nothing, and is refused.
        let one_in = if plain.side == Side::Sell { 6 } else { 60 };
        Wishes {
            trigger: None,
            lasts: if rests { self.lasts() } else { Lasts::Unbounded },
            reduce_only: self.chance.below(one_in) == 0,
            display_quantity: match rests && self.chance.below(6) == 0 {
                true => self.a_part_of(&plain.symbol, plain.quantity),
                false => None,
            },
        }
    }

    /// How long it lasts: seldom until a time that comes soon, or late, or until midnight.
    pub(super) fn lasts(&self) -> Lasts {
        let now = Timestamp::from_micros(self.exchange.now());
        match self.chance.below(16) {
            0..2 => Lasts::Until(now.plus_micros(30_000 + self.chance.below(700_000) as i64)),
            2 => Lasts::Until(now.plus_micros(LONG_MICROS)),
            3..5 => Lasts::Day,
            _ => Lasts::Unbounded,
        }
    }

    /// A half to a quarter of a quantity in whole lots; none of a single lot.
    fn a_part_of(&self, symbol: &Symbol, quantity: Quantity) -> Option<Quantity> {
        let lot = self
            .exchange
            .read(|venue| venue.markets()[venue.symbol(symbol.as_str()).unwrap()].listing.lot());
        let lots = parse(&quantity.to_string()).unwrap() / lot;
        let part = (lots / (2 + i128::from(self.chance.below(3)))).max(1);
        (part < lots).then(|| show(part * lot).parse().unwrap())
    }
}

/// Whether an order is over when it was to be, midnight for one of a day.
pub(super) fn is_until(lasts: Lasts, expiry: Option<Expiry>) -> bool {
    match (lasts, expiry) {
        (Lasts::Unbounded, None) => true,
        (Lasts::Until(time), Some(Expiry::At(end))) => time == end,
        (Lasts::Day, Some(Expiry::Day(end))) => Expiry::end_of_day(end.plus_micros(-1)) == Expiry::Day(end),
        _ => false,
    }
}
