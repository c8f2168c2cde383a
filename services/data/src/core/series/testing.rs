//! Trades for tests.

use domain::Trade;
use domain::{Side, Symbol, Timestamp, TradeId};

/// A trade of BTCUSDT at `millis`.
pub(crate) fn trade(id: u64, millis: i64, price: &str, quantity: &str, buyer_took: bool) -> Trade {
    Trade {
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        trade_id: TradeId::new(id),
        price: price.parse().unwrap(),
        quantity: quantity.parse().unwrap(),
        taker_side: if buyer_took { Side::Buy } else { Side::Sell },
        time: Timestamp::from_millis(millis),
    }
}
