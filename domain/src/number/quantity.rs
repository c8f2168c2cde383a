//! How much of the base asset.

use super::{Money, NumberError, add, canonical, decimal_text, exact, parse, whole_multiple};
use rust_decimal::Decimal;

/// A quantity of the base asset: zero or more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(Decimal);

decimal_text!(Quantity);

impl Quantity {
    /// Nothing.
    pub const ZERO: Quantity = Quantity(Decimal::ZERO);

    /// A quantity from a decimal; refuses negatives, and more digits than a value may have.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        Self::not_negative(canonical(value)?)
    }

    /// A quantity from its text, see the module for the grammar.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        Self::not_negative(parse(text)?)
    }

    fn not_negative(value: Decimal) -> Result<Self, NumberError> {
        if value.is_sign_negative() {
            return Err(NumberError::Negative);
        }
        Ok(Quantity(value))
    }

    /// The decimal itself, without trailing zeros.
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// Whether this is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The sum of two quantities.
    pub fn checked_add(self, other: Quantity) -> Result<Quantity, NumberError> {
        Self::not_negative(add(self.0, other.0)?)
    }

    /// The difference of two quantities; [`NumberError::Negative`] when `other` is larger.
    pub fn checked_sub(self, other: Quantity) -> Result<Quantity, NumberError> {
        Self::not_negative(add(self.0, -other.0)?)
    }

    /// How many lots this quantity is, or `None` when it is no whole number of them or beyond `u64`.
    pub fn lots(self, lot_size: Quantity) -> Option<u64> {
        u64::try_from(whole_multiple(self.0, lot_size.0)?).ok()
    }

    /// The quantity of `lots` lots.
    pub fn from_lots(lots: u64, lot_size: Quantity) -> Result<Quantity, NumberError> {
        let mantissa = i128::from(lots)
            .checked_mul(lot_size.0.mantissa())
            .ok_or(NumberError::OutOfRange)?;
        Self::not_negative(exact(mantissa, lot_size.0.scale())?)
    }

    /// The same amount as a signed amount of the base asset.
    pub fn amount(self) -> Money {
        Money::from(self)
    }
}
