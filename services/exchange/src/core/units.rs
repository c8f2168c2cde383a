//! Amounts inside the venue: whole numbers of 10⁻⁸ of an asset, as Binance counts them.

use serde::{Serialize, Serializer};
use std::fmt;

/// An amount of any asset, in units of 10⁻⁸. Signed, because the crowd's pool may be short.
pub type Atoms = i128;

/// Decimals that the wire carries.
pub const DECIMALS: u32 = 8;

/// One whole unit of an asset.
pub const ONE: Atoms = 100_000_000;

/// Digits that are accepted before the decimal point.
const WHOLE_DIGITS: usize = 20;

/// Digits that are accepted after the decimal point; those beyond [`DECIMALS`] must be zero.
const FRACTION_DIGITS: usize = 20;

/// Why a decimal from the wire was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalFault {
    /// Not of the form `digits[.digits]`.
    Malformed,
    /// More than eight significant decimals.
    TooPrecise,
}

/// Reads an unsigned decimal.
pub fn parse(text: &str) -> Result<Atoms, DecimalFault> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most: usize| {
        !part.is_empty() && part.len() <= most && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, WHOLE_DIGITS) || !digits(fraction, FRACTION_DIGITS) {
        return Err(DecimalFault::Malformed);
    }
    let kept = fraction.len().min(DECIMALS as usize);
    if fraction[kept..].bytes().any(|byte| byte != b'0') {
        return Err(DecimalFault::TooPrecise);
    }
    let number = |part: &str| {
        part.bytes()
            .fold(0, |sum: Atoms, byte| sum * 10 + Atoms::from(byte - b'0'))
    };
    let padding = 10_i128.pow(DECIMALS - kept as u32);
    Ok(number(whole) * ONE + number(&fraction[..kept]) * padding)
}

/// An amount as Binance prints every one: with eight decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub Atoms);

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        let one = ONE.unsigned_abs();
        write!(out, "{sign}{}.{:08}", size / one, size % one)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// [`Decimal`] as a new string.
pub fn show(amount: Atoms) -> String {
    Decimal(amount).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_read_and_print() {
        let table = [
            ("0", Ok(0)),
            ("1", Ok(ONE)),
            ("0.1", Ok(10_000_000)),
            ("12.34567890", Ok(1_234_567_890)),
            ("0.000000010000", Ok(1)),
            ("0.000000001", Err(DecimalFault::TooPrecise)),
            ("1e400", Err(DecimalFault::Malformed)),
            ("-1", Err(DecimalFault::Malformed)),
            ("", Err(DecimalFault::Malformed)),
            (".5", Err(DecimalFault::Malformed)),
            ("5.", Err(DecimalFault::Malformed)),
            ("123456789012345678901", Err(DecimalFault::Malformed)),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(show(1_234_567_890), "12.34567890");
        assert_eq!(show(-1), "-0.00000001");
    }
}
