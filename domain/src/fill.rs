//! One execution, as one account sees it.

use crate::order::words;
use crate::{
    AccountId, Asset, Money, NumberError, OrderId, ParseTermError, Price, Quantity, Side, Symbol, Timestamp, TradeId,
    Venue,
};
use serde::{Deserialize, Serialize};

/// Whether the order rested or came to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Liquidity {
    /// The order rested in the book.
    Maker,
    /// The order met one that rested.
    Taker,
}

words!(Liquidity, "liquidity", Maker = "MAKER", Taker = "TAKER");

/// One execution of one order. Unique by account, venue, symbol, trade id and order id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub venue: Venue,
    /// In which market.
    pub symbol: Symbol,
    /// The venue's number of the trade.
    pub trade_id: TradeId,
    /// Which order traded.
    pub order_id: OrderId,
    /// Which way.
    pub side: Side,
    /// At which price.
    pub price: Price,
    /// How much of the base asset.
    pub quantity: Quantity,
    /// The fee in `fee_asset`; negative for a rebate.
    pub fee: Money,
    /// What the fee is charged in.
    pub fee_asset: Asset,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// When it traded, by the venue's clock.
    pub time: Timestamp,
}

impl Fill {
    /// Price × quantity, exact.
    pub fn notional(&self) -> Result<Money, NumberError> {
        self.price.notional(self.quantity)
    }
}
