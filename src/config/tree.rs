//! A configuration as a tree of JSON values, addressed by dotted keys.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A typed value as a tree; absent options are `null`.
pub(super) fn of(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| {
        Error::internal(
            "CONFIG_DEFAULT",
            format!("a configuration that cannot be written: {error}"),
        )
    })
}

/// Every leaf with its dotted key. An empty table is a leaf: a map without entries.
pub(super) fn leaves(tree: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(tree, "", &mut found);
    found
}

fn collect(value: &Value, key: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            for (name, value) in table {
                collect(value, &join(key, name), found);
            }
        }
        leaf => found.push((key.to_owned(), leaf.clone())),
    }
}

pub(super) fn join(key: &str, name: &str) -> String {
    if key.is_empty() {
        name.to_owned()
    } else {
        format!("{key}.{name}")
    }
}

/// What a key leads to in the tree of defaults.
pub(super) enum Known<'t> {
    /// A leaf, or a table.
    Here(&'t Value),
    /// Something within an option that is absent, or within a map that is empty, by default.
    Within,
    /// Nothing: `table` has no `name`.
    Unknown,
}

pub(super) fn lookup<'t>(defaults: &'t Value, key: &str) -> Known<'t> {
    let mut at = defaults;
    for name in key.split('.') {
        match at {
            Value::Null => return Known::Within,
            Value::Object(table) if table.is_empty() => return Known::Within,
            Value::Object(table) => match table.get(name) {
                Some(next) => at = next,
                None => return Known::Unknown,
            },
            _ => return Known::Unknown,
        }
    }
    Known::Here(at)
}

/// Puts a value at a key, making tables on the way.
pub(super) fn put(tree: &mut Value, key: &str, value: Value) {
    let mut at = tree;
    for name in key.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = match at {
            Value::Object(table) => table.entry(name.to_owned()).or_insert(Value::Null),
            _ => return,
        };
    }
    *at = value;
}

/// What a text may mean where the default is `default`, the likeliest first; never empty.
pub(super) fn readings(default: Option<&Value>, text: &str) -> Vec<Value> {
    let plain = Value::String(text.to_owned());
    match default {
        Some(Value::Bool(_)) => vec![text.parse().map_or(plain, Value::Bool)],
        Some(Value::Number(number)) => vec![parse_number(text, number.is_f64()).unwrap_or(plain)],
        Some(Value::String(_) | Value::Object(_)) => vec![plain],
        Some(Value::Array(_)) => vec![parse_list(text)],
        Some(Value::Null) if text.is_empty() => vec![Value::Null],
        Some(Value::Null) | None => {
            let literal = parse_number(text, false).or_else(|| parse_literal(text));
            literal.into_iter().chain([plain, parse_list(text)]).collect()
        }
    }
}

fn parse_number(text: &str, is_fraction: bool) -> Option<Value> {
    if is_fraction {
        return text
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number);
    }
    let signed = text.parse::<i64>().ok().map(Value::from);
    signed.or_else(|| text.parse::<u64>().ok().map(Value::from))
}

fn parse_list(text: &str) -> Value {
    if let Some(list @ Value::Array(_)) = parse_literal(text) {
        return list;
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
}

/// A TOML value: a number, a boolean, a list, an inline table.
fn parse_literal(text: &str) -> Option<Value> {
    let document: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    if document.len() != 1 {
        return None;
    }
    from_toml(document.get("value")?).ok()
}

/// A TOML value as JSON; an error says what cannot be.
pub(super) fn from_toml(value: &toml::Value) -> Result<Value, &'static str> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => {
            Value::Number(serde_json::Number::from_f64(*number).ok_or("a number must be finite")?)
        }
        toml::Value::Boolean(flag) => Value::Bool(*flag),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(items.iter().map(from_toml).collect::<Result<_, _>>()?),
        toml::Value::Table(table) => {
            let mut entries = Map::new();
            for (name, value) in table {
                entries.insert(name.clone(), from_toml(value)?);
            }
            Value::Object(entries)
        }
    })
}
