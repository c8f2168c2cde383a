//! Maps as lists of pairs, for `#[serde(with = "domain::pairs")]`: the keys of a JSON object are text alone.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes a map as a list.
///
/// # Errors
/// The serializer's.
pub fn serialize<'m, K, V, M, S>(map: &'m M, serializer: S) -> Result<S::Ok, S::Error>
where
    K: Serialize + 'm,
    V: Serialize + 'm,
    &'m M: IntoIterator<Item = (&'m K, &'m V)>,
    S: Serializer,
{
    serializer.collect_seq(map)
}

/// Reads a map from a list; of pairs with the same key the last counts.
///
/// # Errors
/// The deserializer's, and what is no list of pairs.
pub fn deserialize<'d, K, V, M, D>(deserializer: D) -> Result<M, D::Error>
where
    K: Deserialize<'d>,
    V: Deserialize<'d>,
    M: FromIterator<(K, V)>,
    D: Deserializer<'d>,
{
    Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    #[test]
    fn a_map_is_a_list_of_its_pairs() {
        let map = BTreeMap::from([((1, "a".to_owned()), 2), ((1, "b".to_owned()), 3)]);
        let mut json = Vec::new();
        super::serialize(&map, &mut serde_json::Serializer::new(&mut json)).unwrap();
        assert_eq!(json, br#"[[[1,"a"],2],[[1,"b"],3]]"#);
        let read = |json: &[u8]| {
            super::deserialize::<_, _, BTreeMap<(i32, String), i32>, _>(&mut serde_json::Deserializer::from_slice(json))
        };
        assert_eq!(read(&json).unwrap(), map);
        assert!(read(br#"{"a":2}"#).is_err());
    }
}
