//! Maps as lists of pairs in a snapshot: JSON has text for keys alone.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes a map as a list.
pub(super) fn serialize<'m, K, V, M, S>(map: &'m M, serializer: S) -> Result<S::Ok, S::Error>
where
    K: Serialize + 'm,
    V: Serialize + 'm,
    &'m M: IntoIterator<Item = (&'m K, &'m V)>,
    S: Serializer,
{
    serializer.collect_seq(map)
}

/// Reads a map from a list.
pub(super) fn deserialize<'d, K, V, M, D>(deserializer: D) -> Result<M, D::Error>
where
    K: Deserialize<'d>,
    V: Deserialize<'d>,
    M: FromIterator<(K, V)>,
    D: Deserializer<'d>,
{
    Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
}
