//! What generated messages use to be strict ProtoJSON: numbers, enums, maps and timestamps.
//!
//! Stricter than ProtoJSON in three places, so that no input changes its meaning: `null` is no value, numbers are finite,
//! and keys are unique. An enum number that this build does not know is written as a number and refused as input.

mod number;
mod timestamp;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

pub use number::{JsonNumber, Number};
pub use timestamp::{Timestamp, TimestampError};

/// An enum field on its way out: the name if this build knows it, else the number.
#[derive(Debug, Clone, Copy)]
pub struct EnumValue<E> {
    number: i32,
    enumeration: PhantomData<E>,
}

impl<E> EnumValue<E> {
    /// The value of an enum field.
    pub fn new(number: i32) -> Self {
        EnumValue {
            number,
            enumeration: PhantomData,
        }
    }
}

impl<E: TryFrom<i32> + Serialize> Serialize for EnumValue<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match E::try_from(self.number) {
            Ok(known) => known.serialize(serializer),
            Err(_) => serializer.serialize_i32(self.number),
        }
    }
}

/// A map whose keys come once each.
#[derive(Debug, Clone, PartialEq)]
pub struct UniqueMap<K, V>(pub BTreeMap<K, V>);

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = UniqueMap<K, V>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with unique keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, value)) = access.next_entry()? {
                    if map.insert(key, value).is_some() {
                        return Err(A::Error::custom("duplicate key in a map"));
                    }
                }
                Ok(UniqueMap(map))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod map_tests {
    use super::*;

    #[test]
    fn a_map_with_a_repeated_key_is_refused() {
        let map: UniqueMap<Number<i32>, bool> = serde_json::from_str(r#"{"1":true,"2":false}"#).unwrap();
        assert_eq!(map.0.len(), 2);
        let error = serde_json::from_str::<UniqueMap<String, bool>>(r#"{"a":true,"a":true}"#).unwrap_err();
        assert!(error.to_string().starts_with("duplicate key"), "{error}");
        let error = serde_json::from_str::<UniqueMap<String, bool>>("[]").unwrap_err();
        assert!(error.to_string().contains("an object with unique keys"), "{error}");
    }
}
