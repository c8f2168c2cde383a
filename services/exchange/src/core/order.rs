//! Orders of API accounts, and what becomes of them.

use super::units::{Atoms, ONE};
pub use domain::{Side, TimeInForce};
use serde::{Deserialize, Serialize};

/// How an order is priced, and what must happen before it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderType {
    /// Trades at its price or better.
    Limit,
    /// Trades at what is there.
    Market,
    /// Rests at its price, or is refused if it would trade at once.
    LimitMaker,
    /// Becomes a market order when the price turns against it.
    StopLoss,
    /// Becomes a limit order when the price turns against it.
    StopLossLimit,
    /// Becomes a market order when the price turns in its favour.
    TakeProfit,
    /// Becomes a limit order when the price turns in its favour.
    TakeProfitLimit,
}

impl OrderType {
    /// Every type, as `exchangeInfo` lists them.
    pub const ALL: [OrderType; 7] = [
        OrderType::Limit,
        OrderType::LimitMaker,
        OrderType::Market,
        OrderType::StopLoss,
        OrderType::StopLossLimit,
        OrderType::TakeProfit,
        OrderType::TakeProfitLimit,
    ];

    /// Binance's word.
    pub fn as_str(self) -> &'static str {
        match self {
            OrderType::Limit => "LIMIT",
            OrderType::Market => "MARKET",
            OrderType::LimitMaker => "LIMIT_MAKER",
            OrderType::StopLoss => "STOP_LOSS",
            OrderType::StopLossLimit => "STOP_LOSS_LIMIT",
            OrderType::TakeProfit => "TAKE_PROFIT",
            OrderType::TakeProfitLimit => "TAKE_PROFIT_LIMIT",
        }
    }

    /// The type of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it waits for a price: what Binance's filters call an algo order.
    pub fn is_contingent(self) -> bool {
        self.is_stop_loss() || self.is_take_profit()
    }

    /// Whether it waits for the price to turn against it.
    pub fn is_stop_loss(self) -> bool {
        matches!(self, OrderType::StopLoss | OrderType::StopLossLimit)
    }

    /// Whether it waits for the price to turn in its favour.
    pub fn is_take_profit(self) -> bool {
        matches!(self, OrderType::TakeProfit | OrderType::TakeProfitLimit)
    }

    /// Whether it trades at any price once it acts.
    pub fn is_market(self) -> bool {
        matches!(self, OrderType::Market | OrderType::StopLoss | OrderType::TakeProfit)
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Accepted, nothing filled.
    New,
    /// A leg that waits for the working order of its list.
    PendingNew,
    /// Some filled, and the rest waits.
    PartiallyFilled,
    /// All filled.
    Filled,
    /// Cancelled by its owner.
    Canceled,
    /// A pending leg whose turn came, and which was refused then.
    Rejected,
    /// Ended by its own rules.
    Expired,
    /// Ended because it would have traded with its own account.
    ExpiredInMatch,
}

impl Status {
    /// Whether the order can still fill.
    pub fn is_open(self) -> bool {
        matches!(self, Status::New | Status::PendingNew | Status::PartiallyFilled)
    }
}

/// What an open order is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It is in the book, or was when it ended.
    #[default]
    Working,
    /// It waits for the price that triggers it.
    Waiting,
    /// It waits for the working order of its list.
    Pending,
}

/// What happens to an order that would trade with its own account; the taker's mode counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SelfTradePrevention {
    /// They trade.
    #[default]
    None,
    /// The taker ends.
    ExpireTaker,
    /// The resting order ends, and the taker goes on.
    ExpireMaker,
    /// Both end.
    ExpireBoth,
    /// Both lose the quantity that would have traded.
    Decrement,
}

impl SelfTradePrevention {
    /// Every mode.
    pub const ALL: [SelfTradePrevention; 5] = [
        SelfTradePrevention::None,
        SelfTradePrevention::ExpireTaker,
        SelfTradePrevention::ExpireMaker,
        SelfTradePrevention::ExpireBoth,
        SelfTradePrevention::Decrement,
    ];

    /// Binance's word.
    pub fn as_str(self) -> &'static str {
        match self {
            SelfTradePrevention::None => "NONE",
            SelfTradePrevention::ExpireTaker => "EXPIRE_TAKER",
            SelfTradePrevention::ExpireMaker => "EXPIRE_MAKER",
            SelfTradePrevention::ExpireBoth => "EXPIRE_BOTH",
            SelfTradePrevention::Decrement => "DECREMENT",
        }
    }

    /// The mode of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    fn is_none(&self) -> bool {
        *self == SelfTradePrevention::None
    }
}

fn is_zero(amount: &Atoms) -> bool {
    *amount == 0
}

fn no_delta(delta: &u32) -> bool {
    *delta == 0
}

fn no_time(time: &i64) -> bool {
    *time == 0
}

fn is_working(stage: &Stage) -> bool {
    *stage == Stage::Working
}

/// One order of an API account.
///
/// Fields with a default came after the first release; a journal of before reads as if none of them had been used.
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
    /// Limit price; zero for an order without one.
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
    /// What it is doing.
    #[serde(default, skip_serializing_if = "is_working")]
    pub stage: Stage,
    /// Since when it works, µs; zero for one that works since it was accepted, or never did.
    #[serde(default, skip_serializing_if = "no_time")]
    pub working_since: i64,
    /// The price that triggers it, or from which it trails; zero for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stop_price: Atoms,
    /// How far the price may turn back before a trailing order acts, in hundredths of a per cent; zero for none.
    #[serde(default, skip_serializing_if = "no_delta")]
    pub trailing_delta: u32,
    /// The best price that a trailing order has seen since it trails; zero before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub trail: Atoms,
    /// Since when it trails, µs; zero before.
    #[serde(default, skip_serializing_if = "no_time")]
    pub trailing_since: i64,
    /// The quantity that the book shows of it at a time; zero for all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub iceberg: Atoms,
    /// The order list that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<u64>,
    /// What happens when it would trade with its own account.
    #[serde(default, skip_serializing_if = "SelfTradePrevention::is_none")]
    pub prevention: SelfTradePrevention,
    /// Base quantity that it lost because it would have traded with its own account.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prevented: Atoms,
    /// Times that its quantity was reduced.
    #[serde(default, skip_serializing_if = "no_delta")]
    pub amends: u32,
}

impl Order {
    /// The base quantity that can still fill.
    pub fn left(&self) -> Atoms {
        self.quantity - self.executed - self.prevented
    }

    /// What a part of it locks: its base, or its value at its limit.
    pub fn lock_of(&self, quantity: Atoms) -> Atoms {
        match self.side {
            Side::Buy => self.price * quantity / ONE,
            Side::Sell => quantity,
        }
    }

    /// Whether it is in the book, or was when it ended.
    pub fn is_working(&self) -> bool {
        self.stage == Stage::Working
    }

    /// Since when it is in the book, µs.
    pub fn working_time(&self) -> Option<i64> {
        let since = if self.working_since == 0 {
            self.created
        } else {
            self.working_since
        };
        self.is_working().then_some(since)
    }
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
    /// Commission, in `fee_asset`.
    pub fee: Atoms,
    /// Whether the account's order was resting.
    pub maker: bool,
    /// µs.
    pub time: i64,
    /// The asset of the commission; none stands for the one that the account receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_asset: Option<String>,
    /// The order list of the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<u64>,
}

/// A trade that did not happen, because both sides were the same account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreventedMatch {
    /// Its id.
    pub id: u64,
    /// Name of the account.
    pub account: String,
    /// Name of the symbol.
    pub symbol: String,
    /// The order that came.
    pub taker: u64,
    /// The order that rested.
    pub maker: u64,
    /// The mode that decided.
    pub mode: SelfTradePrevention,
    /// Where it would have traded.
    pub price: Atoms,
    /// What the taker lost; zero when it lost nothing.
    pub taker_quantity: Atoms,
    /// What the maker lost; zero when it lost nothing.
    pub maker_quantity: Atoms,
    /// µs.
    pub time: i64,
}

/// A change of an order's quantity that kept its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// Its id.
    pub id: u64,
    /// The order.
    pub order: u64,
    /// The client's id before.
    pub old_client_id: String,
    /// The client's id now.
    pub client_id: String,
    /// The quantity before.
    pub old_quantity: Atoms,
    /// The quantity now.
    pub quantity: Atoms,
    /// µs.
    pub time: i64,
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
    /// The price that should trigger the order has been passed already.
    WouldTrigger,
    /// The visible quantity is more than the whole.
    IcebergExceeds,
    /// The prices of a list's legs do not enclose the last price.
    PriceRelation,
    /// A market order by value finds less than the smallest quantity.
    NoLiquidity,
    /// Nothing to cancel under this id.
    UnknownOrder,
    /// The order is not in the state that the cancel asked for.
    CancelRestricted,
    /// No such order of this account.
    NoSuchOrder,
    /// No such order list of this account.
    NoSuchList,
    /// No such account.
    NoSuchAccount,
    /// The new quantity is more than the old one.
    AmendIncrease,
    /// The order is one of a list, or the new quantity is filled already.
    AmendRejected,
    /// The amendment would change nothing.
    AmendNothing,
}

/// Names an order, or an order list, of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderKey {
    /// By the venue's id.
    Id(u64),
    /// By the client's id.
    Client(String),
}
