//! Names: short checked texts that are cheap to clone.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A text that is no name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: expected 1 to {max_length} characters of {alphabet}")]
pub struct IdError {
    /// What it should have been, for people: "symbol", "client order id".
    pub kind: &'static str,
    /// The longest text allowed.
    pub max_length: usize,
    /// The characters allowed, as a regular expression class.
    pub alphabet: &'static str,
}

impl IdError {
    /// The stable code of this refusal.
    pub fn reason(&self) -> &'static str {
        "ID_INVALID"
    }
}

/// A checked text newtype over `Arc<str>`: its alphabet, its longest length, and text both ways.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $alphabet:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and alphabet.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let allowed: fn(u8) -> bool = $allowed;
                if text.is_empty() || text.len() > $max || !text.bytes().all(allowed) {
                    return Err(IdError { kind: $kind, max_length: $max, alphabet: $alphabet });
                }
                Ok($name(Arc::from(text)))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        /// Maps keyed by this type can be asked with a plain `&str`.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id! {
    /// A market, in the venue's own spelling: `BTCUSDT`.
    Symbol, "symbol", 32, "[A-Z0-9]", |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

text_id! {
    /// A currency or coin: `BTC`.
    Asset, "asset", 16, "[A-Z0-9]", |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

text_id! {
    /// A platform account, which trades as one venue account.
    AccountId, "account id", 64, "[A-Za-z0-9._-]", |byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

text_id! {
    /// The platform's own id of an order.
    OrderId, "order id", 64, "[A-Za-z0-9._:-]", |byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte)
}

text_id! {
    /// The id that the client made for its order; the same alphabet and length as Binance's `newClientOrderId`.
    ClientOrderId, "client order id", 36, "[A-Za-z0-9._:/-]",
    |byte| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte)
}

text_id! {
    /// What an order is traded for, chosen by its client: orders are cancelled and halted by it.
    StrategyId, "strategy", 32, "[A-Za-z0-9._-]", |byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

text_id! {
    /// A trading venue: `binance`, `exchange`.
    Venue, "venue", 32, "[a-z0-9_-]",
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
}

text_id! {
    /// The other side of a ledger posting, by name: `market`, `fees`, `funding`.
    CounterAccount, "counter account", 32, "[a-z0-9_-]",
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
}

/// A venue's number of a trade, growing within its symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TradeId(u64);

impl TradeId {
    /// The trade with this number.
    pub const fn new(number: u64) -> Self {
        TradeId(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for TradeId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn alphabets_and_lengths() {
        assert!(Symbol::parse("1000SATSUSDT").is_ok());
        assert!(Asset::parse("BTC").is_ok());
        assert!(AccountId::parse("paper-1").is_ok());
        assert!(OrderId::parse("01J:0.a_b".replace('_', "-").as_str()).is_ok());
        assert!(ClientOrderId::parse("a.b:c/d-E9").is_ok());
        assert!(Venue::parse("exchange").is_ok());
        assert!(StrategyId::parse("momentum-1.5m").is_ok() && StrategyId::parse("a b").is_err());
        assert!(CounterAccount::parse("fees").is_ok());
        for bad in ["", "btcusdt", "BTC/USDT", "BTC USDT", "ÄÖ", &"A".repeat(33)] {
            assert!(Symbol::parse(bad).is_err(), "{bad}");
        }
        assert!(ClientOrderId::parse(&"x".repeat(36)).is_ok());
        let error = ClientOrderId::parse(&"x".repeat(37)).unwrap_err();
        assert_eq!(error.reason(), "ID_INVALID");
        assert_eq!(
            error.to_string(),
            "not a valid client order id: expected 1 to 36 characters of [A-Za-z0-9._:/-]"
        );
    }

    #[test]
    fn text_both_ways() {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        assert_eq!(format!("{symbol:>9}|{symbol:?}"), "  BTCUSDT|Symbol(BTCUSDT)");
        assert_eq!(symbol.as_ref(), symbol.as_str());
        let map = BTreeMap::from([(symbol, 1)]);
        assert_eq!(map.get("BTCUSDT"), Some(&1));
        assert_eq!(TradeId::new(7).to_string(), "7");
        assert_eq!(TradeId::new(7).get(), 7);
    }
}
