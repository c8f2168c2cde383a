//! Reads what a field states of its values, and refuses what cannot be checked.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value};

use crate::model::{is_optional, real_oneof};
use crate::{Error, Result};

const OPTION: &str = "trademesh.api.v1.field";

/// The most characters of a decimal: a sum or product of two still fits what `domain` holds.
const DECIMAL_LENGTH: u32 = 20;
/// The most characters of a page token.
const TOKEN_LENGTH: u32 = 256;

/// What a value of a field may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) format: Option<&'static Format>,
    pub(crate) is_required: bool,
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
    pub(crate) min_length: u32,
    /// Zero leaves it to the format.
    pub(crate) max_length: u32,
    /// Zero means any number.
    pub(crate) max_items: u32,
    pub(crate) one_of: Vec<String>,
}

/// A form of texts: its pattern on the API page, and the function of `mesh::wire::form` that checks it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// The value of `trademesh.api.v1.Format`.
    number: i32,
    /// The function.
    pub(crate) check: &'static str,
    /// What a whole text matches; empty for numbers.
    pub(crate) pattern: &'static str,
    /// The most characters, where the pattern does not say.
    pub(crate) max_length: u32,
}

const fn text(number: i32, check: &'static str, pattern: &'static str, max_length: u32) -> Format {
    Format {
        number,
        check,
        pattern,
        max_length,
    }
}

/// The page size is the one form of a number.
const PAGE_SIZE: i32 = 11;

/// Every form.
pub(crate) const FORMATS: [Format; 13] = [
    text(1, "decimal", "(0|[1-9][0-9]*)(\\.[0-9]+)?", DECIMAL_LENGTH),
    text(
        2,
        "positive_decimal",
        "[1-9][0-9]*(\\.[0-9]+)?|0\\.0*[1-9][0-9]*",
        DECIMAL_LENGTH,
    ),
    text(3, "symbol", "[A-Z0-9]{1,32}", 0),
    text(4, "asset", "[A-Z0-9]{1,16}", 0),
    text(5, "account_id", "[A-Za-z0-9._-]{1,64}", 0),
    text(6, "account_grant", "\\*|[A-Za-z0-9._-]{1,64}", 0),
    text(7, "order_id", "[A-Za-z0-9._:-]{1,64}", 0),
    text(8, "client_order_id", "[A-Za-z0-9._:/-]{1,36}", 0),
    text(9, "name", "[a-z0-9._-]{1,64}", 0),
    text(10, "line", "[^\\u0000-\\u001f\\u007f-\\u009f]+", 0),
    text(PAGE_SIZE, "page_size", "", 0),
    // The last character carries only the bits that are left.
    text(
        12,
        "page_token",
        "([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{4}|[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])",
        TOKEN_LENGTH,
    ),
    text(13, "strategy", "[A-Za-z0-9._-]{1,32}", 0),
];

impl Format {
    pub(crate) fn is_page_size(&self) -> bool {
        self.number == PAGE_SIZE
    }

    /// What one segment of a path can hold of it: no slash, which ends the segment.
    pub(crate) fn in_path(&self) -> String {
        self.pattern.replace('/', "")
    }
}

impl Rules {
    /// What the field states; the default when it states nothing.
    pub(crate) fn of(field: &FieldDescriptor) -> Rules {
        stated(field).map(|option| read(&option)).unwrap_or_default()
    }

    /// The most characters of a text; zero for any number.
    pub(crate) fn longest(&self) -> u32 {
        match (self.max_length, self.format.map_or(0, |format| format.max_length)) {
            (0, other) | (other, 0) => other,
            (stated, of_format) => stated.min(of_format),
        }
    }
}

fn stated(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let extension = field.parent_pool().get_extension_by_name(OPTION)?;
    let options = field.options();
    let value = options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension))?;
    value.as_message().cloned()
}

fn read(option: &DynamicMessage) -> Rules {
    let value = |name: &str| option.get_field_by_name(name);
    let length = |name: &str| value(name).and_then(|value| value.as_u32()).unwrap_or_default();
    let bound = |name: &str| {
        let is_set = option.has_field_by_name(name);
        value(name).filter(|_| is_set).and_then(|value| value.as_i64())
    };
    let number = value("format")
        .and_then(|value| value.as_enum_number())
        .unwrap_or_default();
    let words = value("one_of").map_or_else(Vec::new, |words| {
        let words = words.as_list().unwrap_or_default();
        words.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    });
    Rules {
        format: FORMATS.iter().find(|format| format.number == number),
        is_required: value("required").and_then(|value| value.as_bool()).unwrap_or_default(),
        min: bound("min"),
        max: bound("max"),
        min_length: length("min_length"),
        max_length: length("max_length"),
        max_items: length("max_items"),
        one_of: words,
    }
}

/// Refuses rules that the field's type cannot keep.
pub(crate) fn check(field: &FieldDescriptor) -> Result<()> {
    if stated(field).is_none() {
        return Ok(());
    }
    let rules = Rules::of(field);
    let broken = |rule: &str| Err(Error::rule(field.full_name(), rule));
    if real_oneof(field) || field.is_map() {
        return broken("a field of a oneof or a map states nothing of its values");
    }
    let is_text = field.kind() == Kind::String;
    let is_number = matches!(
        field.kind(),
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Double
    );
    let is_page_size = rules.format.is_some_and(Format::is_page_size);
    if is_page_size && (field.kind() != Kind::Int32 || field.is_list()) {
        return broken("only an int32 is a page size");
    }
    if !is_text && rules.format.is_some() && !is_page_size {
        return broken("only a text has a format");
    }
    if !is_text && (rules.min_length, rules.max_length, rules.one_of.len()) != (0, 0, 0) {
        return broken("only a text has a length and words");
    }
    if !is_number && (rules.min, rules.max) != (None, None) {
        return broken("only a number has bounds");
    }
    let is_bounded = rules.min.is_some_and(|min| min >= 0) && rules.max.is_some();
    if field.kind() == Kind::Double && (rules.min, rules.max) != (None, None) && !is_bounded {
        return broken("a number with decimals has both bounds, neither below zero");
    }
    let tells_absence = field.is_list() || is_optional(field);
    let is_plain = !is_text && !matches!(field.kind(), Kind::Enum(_) | Kind::Message(_));
    if rules.is_required && is_plain && !tells_absence {
        return broken("a number or flag that is required is optional to the compiler, which tells 0 from nothing");
    }
    if rules.min_length != 0 && !rules.is_required && !field.is_list() {
        return broken("a text with a shortest length is required");
    }
    if !field.is_list() && rules.max_items != 0 {
        return broken("only a list has a number of items");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::FORMATS;

    #[test]
    fn a_segment_of_a_path_has_no_slash() {
        for format in &FORMATS {
            let (whole, segment) = (format.pattern, format.in_path());
            match format.check {
                "client_order_id" => assert_eq!(segment, "[A-Za-z0-9._:-]{1,36}"),
                _ => assert_eq!(segment, whole, "{}", format.check),
            }
        }
    }
}
