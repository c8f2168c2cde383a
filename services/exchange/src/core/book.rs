//! The resting orders of one symbol, in ticks and lots: the domain's matching book in the venue's words.

use super::order::Side;
use domain::TimeInForce;
use domain::matching::{DepthLevel, Effects, Execution, MatchingBook, NewOrder, RestingOrder};

/// A level or an order: price in ticks, quantity in lots.
pub type Quote = (i64, i64);

/// The id of a taker that will never rest. Resting orders have ids from 1.
const NEVER_RESTS: u64 = 0;

/// One match of a taker with a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// Id of the resting order.
    pub maker: u64,
    /// Its price in ticks.
    pub ticks: i64,
    /// Matched lots.
    pub lots: i64,
    /// What is left of the resting order, in lots.
    pub left: i64,
}

/// What the book holds of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Its id.
    pub id: u64,
    /// Buy or sell.
    pub side: Side,
    /// Its price in ticks.
    pub ticks: i64,
    /// Its lots.
    pub lots: i64,
}

/// The book.
#[derive(Clone, Debug, Default)]
pub struct Book {
    book: MatchingBook,
    effects: Effects,
}

fn quote(level: DepthLevel) -> Quote {
    (level.tick, signed(level.lots))
}

fn resting(order: RestingOrder) -> Resting {
    Resting {
        id: order.id,
        side: order.side,
        ticks: order.tick,
        lots: signed(order.lots),
    }
}

/// Every quantity enters as an `i64`; a level that sums to more than one holds is shown as that.
fn signed(lots: u64) -> i64 {
    i64::try_from(lots).unwrap_or(i64::MAX)
}

impl Book {
    /// The best level of a side.
    pub fn best(&self, side: Side) -> Option<Quote> {
        self.book.best(side).map(quote)
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Quote> + '_ {
        self.book.depth(side).map(quote)
    }

    /// Lots resting at a price.
    pub fn lots_at(&self, side: Side, ticks: i64) -> i64 {
        signed(self.book.lots_at(side, ticks))
    }

    /// Lots that a taker finds at `limit` or better, counted up to `enough`.
    pub fn available(&self, side: Side, limit: i64, enough: i64) -> i64 {
        signed(self.book.takeable(side, Some(limit), enough.unsigned_abs()))
    }

    /// Whether an order on `side` at `ticks` would meet a resting order.
    pub fn would_take(&self, side: Side, ticks: i64) -> bool {
        self.available(side, ticks, 1) > 0
    }

    /// Takes up to `lots` from the other side at `limit` or better, best price and oldest order first.
    pub fn take(&mut self, side: Side, limit: i64, lots: i64) -> Vec<Match> {
        self.effects.clear();
        let order = NewOrder::limit(NEVER_RESTS, side, TimeInForce::Ioc, limit, lots.unsigned_abs());
        if self.book.submit(order, &mut self.effects).is_err() {
            return Vec::new(); // nothing to take, or no price to take at
        }
        let matched = |execution: &Execution| Match {
            maker: execution.maker_id,
            ticks: execution.tick,
            lots: signed(execution.lots),
            left: signed(execution.maker_left),
        };
        self.effects.executions.iter().map(matched).collect()
    }

    /// Adds an order behind those of its price; false when it would cross, or the book is full.
    pub fn rest(&mut self, id: u64, side: Side, ticks: i64, lots: i64) -> bool {
        self.effects.clear();
        self.book
            .submit(
                NewOrder::limit_maker(id, side, ticks, lots.unsigned_abs()),
                &mut self.effects,
            )
            .is_ok()
    }

    /// The orders that a taker on `side` meets at `limit` or better, in the order in which it meets them.
    pub fn ahead(&self, side: Side, limit: i64) -> impl Iterator<Item = Resting> + '_ {
        let within = move |ticks: i64| match side {
            Side::Buy => ticks <= limit,
            Side::Sell => ticks >= limit,
        };
        let orders = self.book.orders(side.opposite()).map(resting);
        orders.take_while(move |order| within(order.ticks))
    }

    /// What rests of an order.
    pub fn resting(&self, id: u64) -> Option<Resting> {
        self.book.order(id).map(resting)
    }

    /// Takes lots off an order, which keeps its place and some of its lots; false when it cannot.
    pub fn reduce(&mut self, id: u64, lots: i64) -> bool {
        self.effects.clear();
        self.book.reduce(id, lots.unsigned_abs(), &mut self.effects).is_some()
    }

    /// Removes an order, and says where it was.
    pub fn cancel(&mut self, id: u64) -> Option<(Side, i64)> {
        self.effects.clear();
        self.book
            .cancel(id, &mut self.effects)
            .map(|order| (order.side, order.tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_rest_match_and_leave() {
        let mut book = Book::default();
        assert!(book.rest(1, Side::Sell, 101, 5) && book.rest(2, Side::Sell, 101, 5) && book.rest(3, Side::Buy, 99, 7));
        assert!(!book.rest(4, Side::Buy, 101, 1), "it would cross");
        assert!(!book.rest(5, Side::Buy, 0, 1) && !book.rest(1, Side::Buy, 98, 1));
        assert_eq!(
            (book.best(Side::Sell), book.best(Side::Buy)),
            (Some((101, 10)), Some((99, 7)))
        );
        assert_eq!(
            (book.available(Side::Buy, 101, 100), book.would_take(Side::Sell, 100)),
            (10, false)
        );
        let matches = book.take(Side::Buy, i64::MAX, 6);
        let expected = [
            Match {
                maker: 1,
                ticks: 101,
                lots: 5,
                left: 0,
            },
            Match {
                maker: 2,
                ticks: 101,
                lots: 1,
                left: 4,
            },
        ];
        assert_eq!(matches, expected);
        assert_eq!(book.take(Side::Buy, 0, 6), []);
        assert_eq!(book.cancel(2), Some((Side::Sell, 101)));
        assert_eq!(book.cancel(2), None);
        assert_eq!(
            (
                book.lots_at(Side::Sell, 101),
                book.levels(Side::Buy).collect::<Vec<_>>()
            ),
            (0, vec![(99, 7)])
        );
    }
}
