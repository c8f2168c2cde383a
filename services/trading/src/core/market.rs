//! What the shards know of the market: rules and marks, as last heard.

use domain::{Instrument, Price, Symbol, Timestamp};
use std::collections::BTreeMap;

/// The price that orders are judged at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The last trade's price, held within the best bid and ask.
    pub price: Price,
    /// Whether the book behind it is in step with the venue.
    pub live: bool,
}

impl Mark {
    /// The mark of a quote: the last trade's price held within the touch; none without any price.
    pub fn of(bid: Option<Price>, ask: Option<Price>, last: Option<Price>, live: bool) -> Option<Mark> {
        let mut price = last.or(bid).or(ask)?;
        if let Some(ask) = ask {
            price = price.min(ask);
        }
        if let Some(bid) = bid {
            price = price.max(bid);
        }
        Some(Mark { price, live })
    }
}

/// Instruments and marks.
#[derive(Debug, Clone, Default)]
pub struct Market {
    /// The rules by symbol.
    pub instruments: BTreeMap<Symbol, Instrument>,
    /// The marks by symbol.
    pub marks: BTreeMap<Symbol, Mark>,
    /// The symbols of which the venue shows a part of an order when asked to, each with how many such parts an order may have.
    pub icebergs: BTreeMap<Symbol, u64>,
    /// When the quotes' stream said anything for the last time.
    pub heard: Timestamp,
}

impl Market {
    /// The mark of a symbol, if it can be trusted: its book is live, and the stream spoke within `max_age_micros`.
    pub fn fresh_mark(&self, symbol: &Symbol, now: Timestamp, max_age_micros: i64) -> Option<Price> {
        let mark = self.marks.get(symbol)?;
        // Heard in the future is from before our clock was set back: how old that is nobody knows.
        let is_fresh = (0..=max_age_micros).contains(&now.micros_since(self.heard));
        (mark.live && is_fresh).then_some(mark.price)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Market};
    use domain::{Price, Symbol, Timestamp};

    fn price(text: &str) -> Option<Price> {
        (!text.is_empty()).then(|| text.parse().unwrap())
    }

    #[test]
    fn a_mark_is_the_last_price_within_the_touch() {
        for (bid, ask, last, mark) in [
            ("9", "11", "10", "10"),
            ("9", "11", "8", "9"),
            ("9", "11", "12", "11"),
            ("9", "11", "", "9"),
            ("", "11", "", "11"),
            ("", "", "10", "10"),
            ("", "", "", ""),
        ] {
            let found = Mark::of(price(bid), price(ask), price(last), true).map(|mark| mark.price);
            assert_eq!(found, price(mark), "{bid} {ask} {last}");
        }
    }

    #[test]
    fn an_old_or_dead_mark_is_none() {
        let symbol = Symbol::parse("AB").unwrap();
        let mut market = Market {
            heard: Timestamp::from_micros(100),
            ..Market::default()
        };
        assert_eq!(market.fresh_mark(&symbol, Timestamp::from_micros(100), 10), None);
        market.marks.insert(
            symbol.clone(),
            Mark {
                price: price("5").unwrap(),
                live: true,
            },
        );
        assert_eq!(market.fresh_mark(&symbol, Timestamp::from_micros(110), 10), price("5"));
        assert_eq!(market.fresh_mark(&symbol, Timestamp::from_micros(111), 10), None);
        assert_eq!(market.fresh_mark(&symbol, Timestamp::from_micros(99), 10), None);
        market.marks.insert(
            symbol.clone(),
            Mark {
                price: price("5").unwrap(),
                live: false,
            },
        );
        assert_eq!(market.fresh_mark(&symbol, Timestamp::from_micros(100), 10), None);
    }
}
