//! Numbers as ProtoJSON has them: a JSON number or a decimal in a string; whole where whole is meant, and finite.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A number read from JSON.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Eq, Ord, Hash)]
pub struct Number<T>(pub T);

/// A numeric field type.
pub trait JsonNumber: Sized {
    /// What is expected, for error messages.
    const EXPECTED: &'static str;
    /// From a whole JSON number.
    fn from_whole(value: i128) -> Option<Self>;
    /// From a JSON number with a fraction or exponent.
    fn from_float(value: f64) -> Option<Self>;
    /// From the text in a JSON string or a query parameter.
    fn from_text(text: &str) -> Option<Self>;
}

macro_rules! whole {
    ($($type:ty, $expected:literal;)*) => {$(
        impl JsonNumber for $type {
            const EXPECTED: &'static str = $expected;

            fn from_whole(value: i128) -> Option<Self> {
                Self::try_from(value).ok()
            }

            fn from_float(value: f64) -> Option<Self> {
                // Beyond 2^53 a float is not the number that was written: 2^63 + 1 would be taken for 2^63.
                let is_whole = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
                if is_whole { Self::try_from(value as i128).ok() } else { None }
            }

            fn from_text(text: &str) -> Option<Self> {
                if text.starts_with('+') { None } else { text.parse().ok() }
            }
        }
    )*};
}

whole! {
    i32, "a 32-bit integer";
    i64, "a 64-bit integer";
    u32, "an unsigned 32-bit integer";
    u64, "an unsigned 64-bit integer";
}

macro_rules! fraction {
    ($($type:ty),*) => {$(
        impl JsonNumber for $type {
            const EXPECTED: &'static str = "a finite number";

            fn from_whole(value: i128) -> Option<Self> {
                Self::from_float(value as f64)
            }

            fn from_float(value: f64) -> Option<Self> {
                let narrowed = value as $type;
                narrowed.is_finite().then_some(narrowed)
            }

            fn from_text(text: &str) -> Option<Self> {
                // The standard parser also takes words such as "inf" and "nan": digits, sign, point and exponent only.
                let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
                if !plain || text.starts_with(['+', '.', 'e', 'E']) || text.ends_with('.') {
                    return None;
                }
                text.parse().ok().filter(|value: &$type| value.is_finite())
            }
        }
    )*};
}

fraction!(f32, f64);

impl<'de, T: JsonNumber> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor(PhantomData))
    }
}

struct NumberVisitor<T>(PhantomData<T>);

impl<T: JsonNumber> NumberVisitor<T> {
    fn answer<E: Error>(value: Option<T>, given: impl fmt::Display) -> Result<Number<T>, E> {
        value
            .map(Number)
            .ok_or_else(|| E::custom(format_args!("invalid value: {given}, expected {}", T::EXPECTED)))
    }
}

impl<T: JsonNumber> Visitor<'_> for NumberVisitor<T> {
    type Value = Number<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(T::EXPECTED)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Self::answer(T::from_whole(value.into()), value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Self::answer(T::from_whole(value.into()), value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Self::answer(T::from_float(value), value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Self::answer(T::from_text(value), format_args!("{value:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: JsonNumber>(json: &str) -> Option<T> {
        serde_json::from_str::<Number<T>>(json).ok().map(|number| number.0)
    }

    #[test]
    fn whole_numbers() {
        let table: [(&str, Option<i32>); 12] = [
            ("1", Some(1)),
            ("-1", Some(-1)),
            ("1.0", Some(1)),
            ("1e3", Some(1000)),
            (r#""7""#, Some(7)),
            (r#""+7""#, None),
            (r#"" 7""#, None),
            ("1.5", None),
            ("2147483648", None),
            ("1e300", None),
            ("true", None),
            ("null", None),
        ];
        for (json, wanted) in table {
            assert_eq!(read::<i32>(json), wanted, "{json}");
        }
        assert_eq!(read::<u64>("18446744073709551615"), Some(u64::MAX));
        assert_eq!(read::<i64>(r#""-9223372036854775808""#), Some(i64::MIN));
        assert_eq!(read::<u32>("-1"), None);
        assert_eq!(read::<i64>("9007199254740992.0"), Some(1 << 53));
        // The parser makes floats of these, and rounds them into the range.
        for beyond in ["-9223372036854775809", "9223372036854775808", "1e18"] {
            assert_eq!(read::<i64>(beyond), None, "{beyond}");
        }
    }

    #[test]
    fn fractions_are_finite() {
        let table: [(&str, Option<f64>); 12] = [
            ("1", Some(1.0)),
            ("-2.5", Some(-2.5)),
            ("1e400", None),
            (r#""1e400""#, None),
            (r#""1e3""#, Some(1000.0)),
            (r#""NaN""#, None),
            (r#""Infinity""#, None),
            (r#""inf""#, None),
            (r#"".5""#, None),
            (r#""5.""#, None),
            (r#""""#, None),
            ("18446744073709551615", Some(18_446_744_073_709_551_615.0)),
        ];
        for (json, wanted) in table {
            assert_eq!(read::<f64>(json), wanted, "{json}");
        }
        assert_eq!(read::<f32>("1e39"), None);
        assert_eq!(read::<f32>("0.5"), Some(0.5));
    }

    #[test]
    fn the_refusal_says_what_was_expected() {
        let error = serde_json::from_str::<Number<i32>>("true").unwrap_err().to_string();
        assert!(error.contains("expected a 32-bit integer"), "{error}");
        let error = serde_json::from_str::<Number<u32>>("-1").unwrap_err().to_string();
        assert!(
            error.contains("invalid value: -1, expected an unsigned 32-bit integer"),
            "{error}"
        );
    }
}
