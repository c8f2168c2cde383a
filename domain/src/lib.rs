//! The trading vocabulary: pure types and rules, with no IO, no async, no clock and no randomness.
//!
//! Every service speaks in these words, and every decision core is built from them. Numbers are exact
//! ([`Price`], [`Quantity`], [`Money`]); what cannot be held exactly is an error, and the two places that
//! round say so in their names ([`Money::fee`], [`Money::share`]). Time is handed in ([`Timestamp`]).

pub mod bar;
pub mod book;
pub mod fill;
pub mod ids;
pub mod instrument;
pub mod ledger;
pub mod matching;
pub mod number;
pub mod order;
pub mod pairs;
pub mod position;
pub mod reservation;
pub mod time;

#[cfg(test)]
mod testing;

pub use bar::{Bar, BarBuilder, BarError, Interval, Trade};
pub use book::{Book, BookLevel, Known};
pub use fill::{Fill, Liquidity};
pub use ids::{AccountId, Asset, ClientOrderId, CounterAccount, IdError, OrderId, StrategyId, Symbol, TradeId, Venue};
pub use instrument::{Instrument, InstrumentFault, InstrumentRefusal, InstrumentStatus};
pub use ledger::{Ledger, LedgerError, Owner, Posting};
pub use number::{Money, NumberError, Price, Quantity, Rate};
pub use order::{
    Conditions, Expiry, GroupKind, IllegalTransition, Membership, Order, OrderError, OrderEvent, OrderEventKind,
    OrderReport, OrderStatus, OrderTerms, OrderType, ParseTermError, Side, TimeInForce, Trail, Trigger,
};
pub use position::{Lot, Position, PositionError};
pub use reservation::{Reservation, ReservationError};
pub use time::Timestamp;
