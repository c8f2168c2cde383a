//! `trademesh config`: what is in force, and where it comes from.

use crate::args::Settings;
use crate::config;
use crate::output::{Format, print, table};
use mesh::error::Result;

/// Prints every key with its value and source.
///
/// # Errors
/// When the configuration is wrong.
pub(crate) fn config(options: &Settings) -> Result<()> {
    let entries = config::read(options)?.entries()?;
    let rows: Vec<Vec<String>> = entries
        .into_iter()
        .map(|entry| vec![entry.key, entry.value, entry.source.to_string()])
        .collect();
    print(Format::from_flag(options.json), &rows, |rows| {
        table(&["key", "value", "source"], rows.clone())
    })
}
