//! Exact decimals behind private fields.
//!
//! Every value has at most [`MAX_DECIMALS`] decimals and [`MAX_DIGITS`] significant digits, is kept without
//! trailing zeros, and therefore prints and parses without loss. `rust_decimal` rounds long sums and products
//! silently; the arithmetic here works on the integer mantissas instead and refuses what it cannot hold.

mod money;
mod price;
mod quantity;
mod rate;
mod wide;

pub use money::{FEE_DECIMALS, Money};
pub use price::Price;
pub use quantity::Quantity;
pub use rate::{MAX_RATE_DECIMALS, Rate};

use rust_decimal::Decimal;

/// The most digits after the decimal point that a value may have.
pub const MAX_DECIMALS: u32 = 18;

/// The most significant digits that a value may have.
pub const MAX_DIGITS: u32 = 28;

/// Longer texts are refused before a digit is read.
const MAX_TEXT: usize = 64;

/// Ten to the power of [`MAX_DIGITS`]: every mantissa is smaller.
const MANTISSA_LIMIT: u128 = 10u128.pow(MAX_DIGITS);

/// Why a number was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not of the form `-?[0-9]+(\.[0-9]+)?`.
    #[error("not a plain decimal number")]
    Malformed,
    /// More decimals than the type holds.
    #[error("too many decimals")]
    TooManyDecimals,
    /// More significant digits than the type holds, or beyond the bound of the type.
    #[error("number is out of range")]
    OutOfRange,
    /// The exact result needs more digits or decimals than a value may have.
    #[error("the result cannot be held exactly")]
    Inexact,
    /// Zero or negative where only a positive value has meaning.
    #[error("must be greater than zero")]
    NotPositive,
    /// Negative where only zero or more has meaning.
    #[error("must not be negative")]
    Negative,
    /// A share of nothing was asked for.
    #[error("division by zero")]
    DivisionByZero,
}

impl NumberError {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            NumberError::Malformed => "NUMBER_MALFORMED",
            NumberError::TooManyDecimals => "NUMBER_TOO_MANY_DECIMALS",
            NumberError::OutOfRange => "NUMBER_OUT_OF_RANGE",
            NumberError::Inexact => "NUMBER_INEXACT",
            NumberError::NotPositive => "NUMBER_NOT_POSITIVE",
            NumberError::Negative => "NUMBER_NEGATIVE",
            NumberError::DivisionByZero => "NUMBER_DIVISION_BY_ZERO",
        }
    }
}

/// Builds the canonical decimal `mantissa × 10^-scale`, or says why no value can hold it.
fn exact(mantissa: i128, scale: u32) -> Result<Decimal, NumberError> {
    let (mantissa, scale) = strip_zeros(mantissa, scale);
    if mantissa.unsigned_abs() >= MANTISSA_LIMIT {
        return Err(NumberError::OutOfRange);
    }
    if scale > MAX_DECIMALS {
        return Err(NumberError::TooManyDecimals);
    }
    Ok(Decimal::from_i128_with_scale(mantissa, scale))
}

/// The canonical form of a decimal from outside, within our bounds.
fn canonical(value: Decimal) -> Result<Decimal, NumberError> {
    exact(value.mantissa(), value.scale())
}

fn strip_zeros(mut mantissa: i128, mut scale: u32) -> (i128, u32) {
    if mantissa == 0 {
        return (0, 0);
    }
    if let Ok(mut short) = i64::try_from(mantissa) {
        while scale > 0 && short % 10 == 0 {
            short /= 10;
            scale -= 1;
        }
        return (i128::from(short), scale);
    }
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    (mantissa, scale)
}

/// `10^exponent`, for exponents up to 38.
fn power_of_ten(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

/// Both mantissas at the larger of the two scales, or `None` when one does not fit 127 bits.
///
/// A mantissa that does not fit here is more than 10 digits beyond [`MAX_DIGITS`], so that no sum with a
/// canonical value can be canonical.
fn aligned(left: Decimal, right: Decimal) -> Option<(i128, i128, u32)> {
    let scale = left.scale().max(right.scale());
    let left = left.mantissa().checked_mul(power_of_ten(scale - left.scale())?)?;
    let right = right.mantissa().checked_mul(power_of_ten(scale - right.scale())?)?;
    Some((left, right, scale))
}

fn add(left: Decimal, right: Decimal) -> Result<Decimal, NumberError> {
    let (left, right, scale) = aligned(left, right).ok_or(NumberError::OutOfRange)?;
    let sum = left.checked_add(right).ok_or(NumberError::OutOfRange)?;
    exact(sum, scale)
}

fn multiply(left: Decimal, right: Decimal) -> Result<Decimal, NumberError> {
    let (mut a, mut b) = (left.mantissa(), right.mantissa());
    let mut scale = left.scale() + right.scale();
    let product = match a.checked_mul(b) {
        Some(product) => product,
        None => {
            // Tens hidden across the factors (a 2 here, a 5 there) may still bring the product into range.
            scale = cancel_tens(&mut a, &mut b, scale);
            scale = cancel_tens(&mut b, &mut a, scale);
            a.checked_mul(b).ok_or(NumberError::Inexact)?
        }
    };
    exact(product, scale).map_err(|_| NumberError::Inexact)
}

fn cancel_tens(twos: &mut i128, fives: &mut i128, mut scale: u32) -> u32 {
    while scale > 0 && *twos % 2 == 0 && *fives % 5 == 0 {
        *twos /= 2;
        *fives /= 5;
        scale -= 1;
    }
    scale
}

/// How often `unit` goes into `value`, when it does so exactly and the count fits.
fn whole_multiple(value: Decimal, unit: Decimal) -> Option<i128> {
    let (value, unit, _) = aligned(value, unit)?;
    if unit == 0 || value % unit != 0 {
        return None;
    }
    Some(value / unit)
}

/// Reads `-?[0-9]+(\.[0-9]+)?` without allocation; up to 19 digits cost one pass in 64 bits.
fn parse(text: &str) -> Result<Decimal, NumberError> {
    let bytes = text.as_bytes();
    if bytes.len() > MAX_TEXT {
        return Err(NumberError::OutOfRange);
    }
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let (whole, fraction) = match digits.iter().position(|&byte| byte == b'.') {
        Some(point) => {
            let fraction = &digits[point + 1..];
            if fraction.is_empty() {
                return Err(NumberError::Malformed);
            }
            (&digits[..point], fraction)
        }
        None => (digits, &digits[digits.len()..]),
    };
    if whole.is_empty() {
        return Err(NumberError::Malformed);
    }
    if fraction.len() > MAX_DECIMALS as usize {
        let all_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
        return Err(if all_digits {
            NumberError::TooManyDecimals
        } else {
            NumberError::Malformed
        });
    }
    let mantissa = parse_digits(whole, fraction)?;
    let scale = fraction.len() as u32;
    match i64::try_from(mantissa) {
        // The fast path: canonical by construction once the zeros are off.
        Ok(short) if short != 0 => {
            let (short, scale) = strip_short(short, scale);
            let short = short.unsigned_abs();
            Ok(Decimal::from_parts(
                short as u32,
                (short >> 32) as u32,
                0,
                negative,
                scale,
            ))
        }
        _ => exact(if negative { -mantissa } else { mantissa }, scale),
    }
}

fn strip_short(mut mantissa: i64, mut scale: u32) -> (i64, u32) {
    // Binance pads every number to eight decimals: four zeros at a time first.
    while scale >= 4 && mantissa % 10_000 == 0 {
        mantissa /= 10_000;
        scale -= 4;
    }
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    (mantissa, scale)
}

fn parse_digits(whole: &[u8], fraction: &[u8]) -> Result<i128, NumberError> {
    if whole.len() + fraction.len() <= 18 {
        let mut mantissa: i64 = 0;
        for &byte in whole.iter().chain(fraction) {
            mantissa = mantissa * 10 + i64::from(digit(byte)?);
        }
        return Ok(i128::from(mantissa));
    }
    let mut mantissa: i128 = 0;
    let mut too_long = false;
    for &byte in whole.iter().chain(fraction) {
        let digit = i128::from(digit(byte)?);
        match mantissa.checked_mul(10).and_then(|tens| tens.checked_add(digit)) {
            Some(longer) => mantissa = longer,
            None => too_long = true,
        }
    }
    if too_long {
        Err(NumberError::OutOfRange)
    } else {
        Ok(mantissa)
    }
}

fn digit(byte: u8) -> Result<u8, NumberError> {
    let digit = byte.wrapping_sub(b'0');
    if digit > 9 {
        Err(NumberError::Malformed)
    } else {
        Ok(digit)
    }
}

/// Text and serde for a decimal newtype: `Display`, `Debug`, `FromStr`, and a JSON string both ways.
macro_rules! decimal_text {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, formatter)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NumberError;

            fn from_str(text: &str) -> Result<Self, NumberError> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::number::TextVisitor(Self::parse))
            }
        }
    };
}
use decimal_text;

/// Reads a value from a string, never from a JSON number: those have passed through floating point elsewhere.
struct TextVisitor<T>(fn(&str) -> Result<T, NumberError>);

impl<T> serde::de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a decimal number in a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests;
