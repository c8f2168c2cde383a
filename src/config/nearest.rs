//! The known key that somebody most likely meant.

use serde_json::Value;

use super::tree;

/// Below this similarity a suggestion would only confuse.
const LIKELY: f64 = 0.6;

/// The known key most like `key`, by edits.
pub(super) fn nearest(defaults: &Value, key: &str) -> Option<String> {
    let mut keys: Vec<String> = tree::leaves(defaults).into_iter().map(|(key, _)| key).collect();
    let mut tables: Vec<String> = keys.iter().flat_map(|key| parents(key)).collect();
    keys.append(&mut tables);
    let scored = keys.into_iter().map(|known| (likeness(&known, key), known));
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(score, _)| *score >= LIKELY).map(|(_, known)| known)
}

fn parents(key: &str) -> Vec<String> {
    key.match_indices('.').map(|(at, _)| key[..at].to_owned()).collect()
}

/// The whole key, or its last name if somebody forgot or mistook the section.
fn likeness(known: &str, key: &str) -> f64 {
    let last = |key: &str| key.rsplit('.').next().map_or_else(String::new, str::to_owned);
    let whole = strsim::normalized_damerau_levenshtein(known, key);
    let name = strsim::normalized_damerau_levenshtein(&last(known), &last(key));
    whole.max(name * 0.9)
}
