//! What an order asks for.

use super::Conditions;
use crate::{AccountId, ClientOrderId, OrderId, Price, Quantity, StrategyId, Symbol, Venue};
use serde::{Deserialize, Serialize};

/// A word that is none of the known ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known {0}")]
pub struct ParseTermError(pub &'static str);

/// Binance's words for an enum, both ways.
macro_rules! words {
    ($name:ident, $kind:literal, $($variant:ident = $word:literal),+) => {
        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word that Binance and our wire use.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseTermError;

            fn from_str(text: &str) -> Result<Self, ParseTermError> {
                match text {
                    $($word => Ok($name::$variant),)+
                    _ => Err(ParseTermError($kind)),
                }
            }
        }
    };
}
pub(crate) use words;

/// Which way an order or a fill goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Side {
    /// Base in, quote out.
    Buy,
    /// Base out, quote in.
    Sell,
}

words!(Side, "side", Buy = "BUY", Sell = "SELL");

impl Side {
    /// The side across.
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}

/// How an order meets the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderType {
    /// Trades at its price or better.
    Limit,
    /// Trades at what is there.
    Market,
    /// Rests at its price, or is refused if it would trade at once.
    LimitMaker,
}

words!(
    OrderType,
    "order type",
    Limit = "LIMIT",
    Market = "MARKET",
    LimitMaker = "LIMIT_MAKER"
);

/// How long an order stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimeInForce {
    /// Good till cancelled: what does not trade rests.
    Gtc,
    /// Immediate or cancel: what does not trade at once expires.
    Ioc,
    /// Fill or kill: all at once, or nothing.
    Fok,
}

words!(TimeInForce, "time in force", Gtc = "GTC", Ioc = "IOC", Fok = "FOK");

/// Who an order belongs to and what it asks for; fixed for its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    /// The platform's id.
    pub order_id: OrderId,
    /// The client's id.
    pub client_order_id: ClientOrderId,
    /// Whose order it is.
    pub account: AccountId,
    /// Where it trades.
    pub venue: Venue,
    /// What it trades.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// How it meets the book.
    pub order_type: OrderType,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// The limit; absent for a market order.
    pub price: Option<Price>,
    /// The worst price assumed for a market order, from which its reservation is computed; absent for a limit.
    pub collar: Option<Price>,
    /// How much. Less may be sent: see [`super::Order::quantity`].
    pub quantity: Quantity,
    /// What it is traded for.
    pub strategy: Option<StrategyId>,
    /// What it asks for beyond meeting the book.
    pub conditions: Conditions,
}

impl OrderTerms {
    /// The worst price this order can trade at: its limit, or its collar.
    pub fn price_bound(&self) -> Option<Price> {
        self.price.or(self.collar)
    }
}
