//! What goes to stdout: tables for people, JSON lines for programs. Everything else goes to stderr.

use comfy_table::{ContentArrangement, Table, presets};
use mesh::error::Error;
use serde::Serialize;
use std::io::Write;

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A table for people.
    Table,
    /// One JSON document a line for programs.
    Json,
}

impl Format {
    /// JSON when the flag is set.
    pub(crate) fn from_flag(json: bool) -> Self {
        if json { Self::Json } else { Self::Table }
    }
}

/// A table with its heading.
pub(crate) fn table(heading: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(heading);
    for row in rows {
        table.add_row(row);
    }
    let drawn = table.to_string();
    drawn.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Writes `message` as JSON, or what `as_text` makes of it.
///
/// # Errors
/// When stdout is gone or the message does not encode.
pub(crate) fn print<T: Serialize>(
    format: Format,
    message: &T,
    as_text: impl FnOnce(&T) -> String,
) -> Result<(), Error> {
    let text = match format {
        Format::Json => serde_json::to_string(message)
            .map_err(|error| Error::internal("ENCODING_FAILED", format!("the answer does not encode: {error}")))?,
        Format::Table => as_text(message),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::internal("STDOUT_CLOSED", format!("cannot write to stdout: {error}")))
}

/// The last part of an enum's full name, for people: `ORDER_STATUS_OPEN` becomes `open`.
pub(crate) fn short(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .unwrap_or(name)
        .to_lowercase()
        .replace('_', "-")
}

/// An empty decimal is shown as a dash.
pub(crate) fn or_dash(decimal: &str) -> String {
    if decimal.is_empty() {
        "-".to_owned()
    } else {
        decimal.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, or_dash, print, short, table};

    #[test]
    fn a_table_lines_up() {
        let drawn = table(&["name", "health"], vec![vec!["trading".into(), "serving".into()]]);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].find("health"), lines[1].find("serving"));
    }

    #[test]
    fn names_are_shortened() {
        assert_eq!(
            short("ORDER_STATUS_PARTIALLY_FILLED", "ORDER_STATUS_"),
            "partially-filled"
        );
        assert_eq!(short("OTHER", "ORDER_STATUS_"), "other");
        assert_eq!(or_dash(""), "-");
        assert_eq!(or_dash("1"), "1");
    }

    #[test]
    fn both_formats_print() {
        assert_eq!(Format::from_flag(true), Format::Json);
        print(Format::Json, &[1, 2], |_| String::new()).unwrap();
        print(Format::Table, &[1, 2], |numbers| format!("{numbers:?}")).unwrap();
    }
}
