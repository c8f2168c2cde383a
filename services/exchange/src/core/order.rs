//! Orders of API accounts, and what becomes of them.

use super::units::Atoms;
pub use domain::{OrderType, Side, TimeInForce};
use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Accepted, nothing filled.
    New,
    /// Some filled, and the rest waits.
    PartiallyFilled,
    /// All filled.
    Filled,
    /// Cancelled by its owner.
    Canceled,
    /// Ended by its own rules.
    Expired,
}

impl Status {
    /// Whether the order can still fill.
    pub fn is_open(self) -> bool {
        matches!(self, Status::New | Status::PartiallyFilled)
    }
}

/// One order of an API account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The venue's id, never given twice.
    pub id: u64,
    /// Name of the account.
    pub account: String,
    /// Name of the symbol.
    pub symbol: String,
    /// The client's id, unique among the account's open orders of the symbol.
    pub client_id: String,
    /// Buy or sell.
    pub side: Side,
    /// How it is priced.
    pub kind: OrderType,
    /// How long it waits.
    pub time_in_force: TimeInForce,
    /// Limit price; zero for a market order.
    pub price: Atoms,
    /// Ordered base quantity; for a market order by value what filled.
    pub quantity: Atoms,
    /// Ordered value of a market order by value, else zero.
    pub quote_quantity: Atoms,
    /// Filled base quantity.
    pub executed: Atoms,
    /// Filled value.
    pub executed_value: Atoms,
    /// What is still locked: quote of a buy, base of a sell.
    pub locked: Atoms,
    /// Where it stands.
    pub status: Status,
    /// Time of acceptance, µs.
    pub created: i64,
    /// Time of the last change, µs.
    pub updated: i64,
}

/// One execution from the view of one API account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Name of the account.
    pub account: String,
    /// Name of the symbol.
    pub symbol: String,
    /// The order that filled.
    pub order: u64,
    /// Trade id of the symbol.
    pub trade: u64,
    /// Side of the account.
    pub side: Side,
    /// Execution price.
    pub price: Atoms,
    /// Base quantity.
    pub quantity: Atoms,
    /// Quote value.
    pub value: Atoms,
    /// Commission, in the asset that the account receives.
    pub fee: Atoms,
    /// Whether the account's order was resting.
    pub maker: bool,
    /// µs.
    pub time: i64,
}

/// What an account asks for; prices and quantities have not met the symbol's filters yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Name of the account.
    pub account: String,
    /// Index of the symbol.
    pub symbol: usize,
    /// The client's id, or one is made.
    pub client_id: Option<String>,
    /// Buy or sell.
    pub side: Side,
    /// What exactly.
    pub terms: Terms,
}

/// The terms of a new order, so that only combinations that make sense can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// `LIMIT`
    Limit {
        /// Limit price.
        price: Atoms,
        /// Base quantity.
        quantity: Atoms,
        /// How long it waits.
        time_in_force: TimeInForce,
    },
    /// `LIMIT_MAKER`
    LimitMaker {
        /// Limit price.
        price: Atoms,
        /// Base quantity.
        quantity: Atoms,
    },
    /// `MARKET` with a base quantity.
    Market {
        /// Base quantity.
        quantity: Atoms,
    },
    /// `MARKET` with a value to spend or to receive.
    MarketByValue {
        /// Quote value.
        value: Atoms,
    },
}

/// Why the venue did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A filter of the symbol, by name.
    Filter(&'static str),
    /// The account has too little free.
    InsufficientBalance,
    /// The client id is in use by an open order.
    DuplicateOrder,
    /// A `LIMIT_MAKER` would take.
    WouldTake,
    /// A market order by value finds less than the smallest quantity.
    NoLiquidity,
    /// Nothing to cancel under this id.
    UnknownOrder,
    /// No such order of this account.
    NoSuchOrder,
    /// No such account.
    NoSuchAccount,
}

/// Names an order of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderKey {
    /// By the venue's id.
    Id(u64),
    /// By the client's id.
    Client(String),
}
