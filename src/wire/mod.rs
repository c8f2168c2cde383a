//! Between the wire and the domain: the only place that knows both.
//!
//! From the wire, a function has the name of what it makes, takes the name of the field, and its error says which field
//! is wrong and why. To the wire, it has the prefix `pb_` and cannot fail. Every enum is an exhaustive table both ways,
//! so that a new value does not compile until it has its counterpart; an unknown or unstated one is an error. [`form`] holds
//! the checks of single values that the protos state.

mod enums;
pub mod form;
mod market;
mod scalar;
mod trading;

pub use enums::{
    interval, liquidity, optional_time_in_force, order_status, order_type, pb_interval, pb_liquidity, pb_order_status,
    pb_order_type, pb_side, pb_taker_side, pb_time_in_force, side, taker_side, time_in_force,
};
pub use market::{bar, instrument, level, pb_bar, pb_instrument, pb_level, pb_trade, trade};
pub use scalar::{
    account, asset, client_order_id, money, optional_price, optional_symbol, optional_timestamp, order_id, pb_price,
    pb_timestamp, pb_trade_id, price, quantity, symbol, timestamp, trade_id, venue,
};
pub use trading::{fill, pb_fill};

use std::fmt::Display;

use crate::error::Error;

/// The reason of every error of this module.
pub const INVALID_FIELD: &str = "INVALID_FIELD";

/// A field that is not what it should be.
pub fn invalid(field: &str, why: impl Display) -> Error {
    Error::invalid(INVALID_FIELD, format!("{field}: {why}")).with("field", field)
}

#[cfg(test)]
mod tests;
