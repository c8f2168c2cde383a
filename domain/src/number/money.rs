//! A signed amount of some asset: cash, a fee, a profit, a balance.

use super::wide::mul_div;
use super::{NumberError, Price, Quantity, Rate, add, canonical, decimal_text, exact, multiply, parse, power_of_ten};
use rust_decimal::Decimal;

/// Fees are charged in units of `10^-8`, as Binance charges them.
pub const FEE_DECIMALS: u32 = 8;

/// Decimals of an average price, which is for reading only: the exact cost stays beside it.
const AVERAGE_DECIMALS: u32 = 12;

/// A signed amount of one asset. Which asset is said by the field that holds it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(Decimal);

decimal_text!(Money);

impl From<Quantity> for Money {
    fn from(quantity: Quantity) -> Money {
        Money(quantity.decimal())
    }
}

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(Decimal::ZERO);

    /// An amount from a decimal; refuses more digits than a value may have.
    pub fn new(value: Decimal) -> Result<Self, NumberError> {
        Ok(Money(canonical(value)?))
    }

    /// An amount from its text, see the module for the grammar.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        Ok(Money(parse(text)?))
    }

    /// The decimal itself, without trailing zeros.
    pub fn decimal(self) -> Decimal {
        self.0
    }

    /// Whether this is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Whether this is less than nothing.
    pub fn is_negative(self) -> bool {
        self < Money::ZERO
    }

    /// The sum of two amounts.
    pub fn checked_add(self, other: Money) -> Result<Money, NumberError> {
        Ok(Money(add(self.0, other.0)?))
    }

    /// The difference of two amounts.
    pub fn checked_sub(self, other: Money) -> Result<Money, NumberError> {
        Ok(Money(add(self.0, -other.0)?))
    }

    /// The same amount the other way.
    pub fn negated(self) -> Money {
        if self.0.is_zero() { self } else { Money(-self.0) }
    }

    /// The amount without its sign.
    pub fn abs(self) -> Money {
        if self.is_negative() { self.negated() } else { self }
    }

    /// The amount as a quantity; [`NumberError::Negative`] below zero.
    pub fn quantity(self) -> Result<Quantity, NumberError> {
        Quantity::new(self.0)
    }

    /// This amount of the base asset, valued at `price`: exact, signed.
    pub fn valued_at(self, price: Price) -> Result<Money, NumberError> {
        Ok(Money(multiply(self.0, price.decimal())?))
    }

    /// **Rounds up** (against the trader) to [`FEE_DECIMALS`]: the fee on `amount` at `rate`.
    ///
    /// A negative rate is a rebate; up is then towards zero. `amount` is what the fee is taken from: the
    /// notional when it is charged in quote, the quantity's amount when it is charged in base.
    pub fn fee(amount: Money, rate: Rate) -> Result<Money, NumberError> {
        // 28 digits × 8 digits stay below 2^127.
        let product = amount.0.mantissa() * rate.decimal().mantissa();
        let scale = amount.0.scale() + rate.decimal().scale();
        if scale <= FEE_DECIMALS {
            return Ok(Money(exact(product, scale)?));
        }
        let unit = power_of_ten(scale - FEE_DECIMALS).ok_or(NumberError::OutOfRange)?;
        let rounded = product.div_euclid(unit) + i128::from(product.rem_euclid(unit) != 0);
        Ok(Money(exact(rounded, FEE_DECIMALS)?))
    }

    /// **Rounds up** (towards plus infinity): the share `part / whole` of this cost, for a partial close.
    ///
    /// The unit is `10^-8`, or the last decimal of the cost itself where that is finer, so that a share is never
    /// more than the whole. Costs are positive for what was paid and negative for what was received: rounding up
    /// never shows a profit too early, and the last close takes what remains, so that the total is exact.
    pub fn share(self, part: Quantity, whole: Quantity) -> Result<Money, NumberError> {
        if whole.is_zero() {
            return Err(NumberError::DivisionByZero);
        }
        if part == whole {
            return Ok(self);
        }
        let scale = self.0.scale().max(FEE_DECIMALS);
        let (part, whole) = (part.decimal(), whole.decimal());
        // self × part ÷ whole in units of 10^-scale; the powers of ten go where they are positive.
        let up = whole.scale() + scale;
        let down = part.scale() + self.0.scale();
        let (above, below) = (up.saturating_sub(down), down.saturating_sub(up));
        let amount = grown(self.0.mantissa(), above)?;
        let divisor = grown(whole.mantissa(), below)?;
        let quotient = mul_div(
            amount.unsigned_abs(),
            part.mantissa().unsigned_abs(),
            divisor.unsigned_abs(),
        )
        .ok_or(NumberError::OutOfRange)?;
        let floor = i128::try_from(quotient.floor).map_err(|_| NumberError::OutOfRange)?;
        let rounded = if amount < 0 {
            -floor
        } else {
            floor + i128::from(!quotient.is_exact)
        };
        Ok(Money(exact(rounded, scale)?))
    }

    /// This amount for each of `quantity`, rounded down to twelve decimals: an average price **for reading only**.
    ///
    /// `None` when there is nothing to divide by, or the average is no price.
    pub fn average_over(self, quantity: Quantity) -> Option<Price> {
        let average = self
            .0
            .checked_div(quantity.decimal())?
            .trunc_with_scale(AVERAGE_DECIMALS);
        Price::new(average).ok()
    }
}

fn grown(mantissa: i128, exponent: u32) -> Result<i128, NumberError> {
    power_of_ten(exponent)
        .and_then(|power| mantissa.checked_mul(power))
        .ok_or(NumberError::OutOfRange)
}
