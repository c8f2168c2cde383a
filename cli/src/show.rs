//! `trademesh config`: what is in force, and where it comes from.

use crate::args::Serve;
use crate::config;
use crate::output::{Format, print, table};
use mesh::error::{Error, Result};
use serde_json::{Value, json};

/// Prints every key with its value and source.
///
/// # Errors
/// When the configuration is wrong.
pub fn config(options: &Serve) -> Result<()> {
    let loaded = config::read(options)?;
    let tree = serde_json::to_value(&loaded.value)
        .map_err(|error| Error::internal("ENCODING_FAILED", format!("the configuration does not encode: {error}")))?;
    let mut keys = Vec::new();
    flatten("", &tree, &mut keys);
    let rows: Vec<Value> = keys
        .into_iter()
        .map(|(key, value)| {
            let source = loaded.provenance.get(&key).map_or_else(|| "default".to_owned(), ToString::to_string);
            json!({"key": key, "value": value, "source": source})
        })
        .collect();
    print(Format::from_flag(options.json), &rows, |rows| {
        table(&["key", "value", "source"], rows.iter().map(row).collect())
    })
}

fn row(entry: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    vec![text(&entry["key"]), text(&entry["value"]), text(&entry["source"])]
}

fn flatten(prefix: &str, value: &Value, keys: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&key, field, keys);
            }
        }
        leaf => keys.push((prefix.to_owned(), leaf.clone())),
    }
}
