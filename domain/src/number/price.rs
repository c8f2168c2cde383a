//! What one unit of the base asset costs in the quote asset.

use super::{
    Money, NumberError, Quantity, add, aligned, canonical, decimal_text, exact, multiply, parse, whole_multiple,
};
use rust_decimal::Decimal;

/// A price: quote per base, always greater than zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(Decimal);

decimal_text!(Price);

impl Price {
    /// A price from a decimal; refuses zero, negatives, and more digits than a value may have.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        Self::positive(canonical(value)?)
    }

    /// A price from its text, see the module for the grammar.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        Self::positive(parse(text)?)
    }

    fn positive(value: Decimal) -> Result<Self, NumberError> {
        if value.is_zero() || value.is_sign_negative() {
            return Err(NumberError::NotPositive);
        }
        Ok(Price(value))
    }

    /// The decimal itself, without trailing zeros.
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// Price × quantity, exact; a product that cannot be held exactly is [`NumberError::Inexact`].
    pub fn notional(self, quantity: Quantity) -> Result<Money, NumberError> {
        Money::new(multiply(self.0, quantity.decimal())?)
    }

    /// The sum of two prices.
    pub fn checked_add(self, other: Price) -> Result<Price, NumberError> {
        Self::positive(add(self.0, other.0)?)
    }

    /// The difference of two prices; refuses what is not a price any more.
    pub fn checked_sub(self, other: Price) -> Result<Price, NumberError> {
        Self::positive(add(self.0, -other.0)?)
    }

    /// How many ticks this price is, or `None` when it lies between two ticks or beyond `i64`.
    pub fn ticks(self, tick_size: Price) -> Option<i64> {
        i64::try_from(whole_multiple(self.0, tick_size.0)?).ok()
    }

    /// The price at `ticks` ticks.
    pub fn from_ticks(ticks: i64, tick_size: Price) -> Result<Price, NumberError> {
        let mantissa = i128::from(ticks)
            .checked_mul(tick_size.0.mantissa())
            .ok_or(NumberError::OutOfRange)?;
        Self::positive(exact(mantissa, tick_size.0.scale())?)
    }

    /// The highest price on the tick grid that is at most `basis_points` hundredths of a percent above this one.
    ///
    /// Rounds down to the tick: a collar never allows more than it says.
    pub fn collar_above(self, basis_points: u32, tick_size: Price) -> Result<Price, NumberError> {
        let bound = multiply(self.0, Decimal::new(10_000 + i64::from(basis_points), 4))?;
        let (bound, tick, _) = aligned(bound, tick_size.0).ok_or(NumberError::OutOfRange)?;
        Self::at_ticks(bound.div_euclid(tick), tick_size)
    }

    /// The lowest price on the tick grid that is at most `basis_points` below this one; rounds up to the tick.
    ///
    /// A collar of 100 % or more has no lowest price: [`NumberError::NotPositive`].
    pub fn collar_below(self, basis_points: u32, tick_size: Price) -> Result<Price, NumberError> {
        if basis_points >= 10_000 {
            return Err(NumberError::NotPositive);
        }
        let bound = multiply(self.0, Decimal::new(10_000 - i64::from(basis_points), 4))?;
        let (bound, tick, _) = aligned(bound, tick_size.0).ok_or(NumberError::OutOfRange)?;
        let ticks = bound.div_euclid(tick) + i128::from(bound.rem_euclid(tick) != 0);
        Self::at_ticks(ticks, tick_size)
    }

    fn at_ticks(ticks: i128, tick_size: Price) -> Result<Price, NumberError> {
        let ticks = i64::try_from(ticks).map_err(|_| NumberError::OutOfRange)?;
        Self::from_ticks(ticks, tick_size)
    }
}
