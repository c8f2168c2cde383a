//! A ratio that money is multiplied with: a fee rate.

use super::{NumberError, canonical, decimal_text, parse};
use rust_decimal::Decimal;

/// The most decimals of a rate; with them every fee fits 128 bits before it is rounded.
pub const MAX_RATE_DECIMALS: u32 = 8;

/// A fee rate from -1 to 1: `0.001` is ten basis points, a negative rate is a rebate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(Decimal);

decimal_text!(Rate);

impl Rate {
    /// Free of charge.
    pub const ZERO: Rate = Rate(Decimal::ZERO);

    /// A rate from a decimal; refuses more than [`MAX_RATE_DECIMALS`] decimals and anything beyond ±1.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        Self::bounded(canonical(value)?)
    }

    /// A rate from its text, see the module for the grammar.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        Self::bounded(parse(text)?)
    }

    fn bounded(value: Decimal) -> Result<Self, NumberError> {
        if value.scale() > MAX_RATE_DECIMALS {
            return Err(NumberError::TooManyDecimals);
        }
        if value.abs() > Decimal::ONE {
            return Err(NumberError::OutOfRange);
        }
        Ok(Rate(value))
    }

    /// The decimal itself, without trailing zeros.
    pub fn decimal(self) -> Decimal {
        self.0
    }
}
