//! What an account asks for; prices and quantities have not met the symbol's filters yet.

use super::order::{OrderType, SelfTradePrevention, Side, TimeInForce};
use super::units::Atoms;

/// A new order.
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
    /// What happens when it would trade with its own account.
    pub prevention: SelfTradePrevention,
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
        /// The quantity that the book shows at a time; good-till-cancelled orders alone have one.
        iceberg: Option<Atoms>,
    },
    /// `LIMIT_MAKER`
    LimitMaker {
        /// Limit price.
        price: Atoms,
        /// Base quantity.
        quantity: Atoms,
        /// The quantity that the book shows at a time.
        iceberg: Option<Atoms>,
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
    /// `STOP_LOSS` or `TAKE_PROFIT`: a market order once triggered.
    Stop {
        /// Whether the price must turn in the order's favour.
        take_profit: bool,
        /// What triggers it.
        trigger: Trigger,
        /// Base quantity.
        quantity: Atoms,
    },
    /// `STOP_LOSS_LIMIT` or `TAKE_PROFIT_LIMIT`: a limit order once triggered.
    StopLimit {
        /// Whether the price must turn in the order's favour.
        take_profit: bool,
        /// What triggers it.
        trigger: Trigger,
        /// Limit price.
        price: Atoms,
        /// Base quantity.
        quantity: Atoms,
        /// How long it waits once triggered.
        time_in_force: TimeInForce,
        /// The quantity that the book shows at a time.
        iceberg: Option<Atoms>,
    },
}

/// What an order waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A last price.
    Stop(Atoms),
    /// A price that turns back by so many hundredths of a per cent from the best one since the order was placed, or since
    /// the stop price was reached.
    Trailing {
        /// Hundredths of a per cent.
        delta: u32,
        /// From where it trails.
        from: Option<Atoms>,
    },
}

impl Trigger {
    /// The stop price, zero when there is none.
    pub fn stop_price(self) -> Atoms {
        match self {
            Trigger::Stop(price) => price,
            Trigger::Trailing { from, .. } => from.unwrap_or(0),
        }
    }

    /// The trailing delta, zero when there is none.
    pub fn delta(self) -> u32 {
        match self {
            Trigger::Stop(_) => 0,
            Trigger::Trailing { delta, .. } => delta,
        }
    }
}

impl Terms {
    /// The order type.
    pub fn kind(&self) -> OrderType {
        match self {
            Terms::Limit { .. } => OrderType::Limit,
            Terms::LimitMaker { .. } => OrderType::LimitMaker,
            Terms::Market { .. } | Terms::MarketByValue { .. } => OrderType::Market,
            Terms::Stop { take_profit: false, .. } => OrderType::StopLoss,
            Terms::Stop { take_profit: true, .. } => OrderType::TakeProfit,
            Terms::StopLimit { take_profit: false, .. } => OrderType::StopLossLimit,
            Terms::StopLimit { take_profit: true, .. } => OrderType::TakeProfitLimit,
        }
    }

    /// The limit price, zero when there is none.
    pub fn price(&self) -> Atoms {
        match self {
            Terms::Limit { price, .. } | Terms::LimitMaker { price, .. } | Terms::StopLimit { price, .. } => *price,
            Terms::Market { .. } | Terms::MarketByValue { .. } | Terms::Stop { .. } => 0,
        }
    }

    /// How long the order waits; one without a limit price takes what is there.
    pub fn time_in_force(&self) -> TimeInForce {
        match self {
            Terms::Limit { time_in_force, .. } | Terms::StopLimit { time_in_force, .. } => *time_in_force,
            _ => TimeInForce::Gtc,
        }
    }

    /// What it waits for.
    pub fn trigger(&self) -> Option<Trigger> {
        match self {
            Terms::Stop { trigger, .. } | Terms::StopLimit { trigger, .. } => Some(*trigger),
            _ => None,
        }
    }

    /// The quantity that the book shows at a time.
    pub fn iceberg(&self) -> Option<Atoms> {
        match self {
            Terms::Limit { iceberg, .. } | Terms::LimitMaker { iceberg, .. } | Terms::StopLimit { iceberg, .. } => {
                *iceberg
            }
            _ => None,
        }
    }
}

/// A new order list. The legs are of one account and symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewList {
    /// The client's id of the list, or one is made.
    pub client_id: Option<String>,
    /// Its legs.
    pub legs: Legs,
}

/// The legs of an order list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Legs {
    /// One cancels the other.
    Oco {
        /// The leg above the market.
        above: NewOrder,
        /// The leg below the market.
        below: NewOrder,
    },
    /// One triggers the other.
    Oto {
        /// Acts at once.
        working: NewOrder,
        /// Acts when the working order is full.
        pending: NewOrder,
    },
    /// One triggers a pair, of which one cancels the other.
    Otoco {
        /// Acts at once.
        working: NewOrder,
        /// Of the pair the leg above the market.
        above: NewOrder,
        /// Of the pair the leg below the market.
        below: NewOrder,
    },
}

impl Legs {
    /// All legs in the order in which they are listed.
    pub fn all(&self) -> Vec<&NewOrder> {
        match self {
            Legs::Oco { above, below } => vec![below, above],
            Legs::Oto { working, pending } => vec![working, pending],
            Legs::Otoco { working, above, below } => vec![working, below, above],
        }
    }
}

/// How a cancel-and-replace treats a cancel that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplaceMode {
    /// The new order is not tried.
    StopOnFailure,
    /// The new order is tried all the same.
    AllowFailure,
}

/// The state that an order must be in to be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelRestriction {
    /// Nothing filled yet.
    OnlyNew,
    /// Something filled.
    OnlyPartiallyFilled,
}
