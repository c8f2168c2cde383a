//! Checks of requests: a function a message, which refuses the first value that its field's rules do not allow.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use heck::ToSnakeCase;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::field::{FORMATS, Rules};
use crate::model::{Api, is_optional, real_oneof};
use crate::rust;

/// The messages that have something to check, with the body of their function.
pub(crate) struct Checks(BTreeMap<String, (String, String)>);

impl Checks {
    /// Finds what there is to check in the requests of an API.
    pub(crate) fn of(api: &Api) -> Checks {
        let mut reached = BTreeMap::new();
        for rpc in api.rpcs().iter().filter(|rpc| !rpc.descriptor.is_client_streaming()) {
            reach(&rpc.descriptor.input(), &mut reached);
        }
        // A message is checked for its own sake, or for that of what it holds: until nothing is added.
        let mut checked: Vec<String> = Vec::new();
        loop {
            let is_new = |message: &MessageDescriptor| {
                let is_checked = |field: FieldDescriptor| {
                    is_ruled(&field)
                        || inner(&field).is_some_and(|inner| checked.contains(&inner.full_name().to_owned()))
                };
                !checked.contains(&message.full_name().to_owned()) && message.fields().any(is_checked)
            };
            let more: Vec<String> = reached
                .values()
                .filter(|message| is_new(message))
                .map(|message| message.full_name().to_owned())
                .collect();
            if more.is_empty() {
                break;
            }
            checked.extend(more);
        }
        let functions = checked.iter().map(|name| {
            let message = &reached[name];
            let mut body = String::new();
            for field in message.fields() {
                write_field(&field, &checked, &mut body);
            }
            (name.clone(), (rust::message(message), body))
        });
        Checks(functions.collect())
    }

    /// The statement of a wrapper that checks a request; empty when there is nothing to check.
    pub(crate) fn statement(&self, message: &MessageDescriptor) -> String {
        if self.0.contains_key(message.full_name()) {
            format!(
                "super::checks::{}(request.get_ref())?;\n        ",
                function(message.full_name())
            )
        } else {
            String::new()
        }
    }

    /// Generates `checks.rs`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from("use crate::wire::form;\n\n");
        for (name, (message, body)) in &self.0 {
            let _ = writeln!(
                text,
                "/// Refuses a `{name}` with a value that its field does not allow.\n\
                 pub fn {}(message: &{message}) -> crate::Result<()> {{\n{body}    Ok(())\n}}\n",
                function(name)
            );
        }
        text.push_str(
            "/// Every form of a text: its check, the pattern that the API page states, and its most characters.\n\
             #[cfg(test)]\npub static FORMS: &[(&str, form::Check, &str, usize)] = &[\n",
        );
        for format in FORMATS.iter().filter(|format| !format.is_page_size()) {
            let (check, pattern, longest) = (format.check, format.pattern, format.max_length);
            let _ = writeln!(
                text,
                "    ({check:?}, form::{check}, {:?}, {longest}),",
                anchored(pattern)
            );
        }
        text.push_str("];\n");
        text
    }
}

/// The pattern of a whole text.
pub(crate) fn anchored(pattern: &str) -> String {
    format!("^({pattern})$")
}

fn function(full_name: &str) -> String {
    full_name.replace('.', "_").to_snake_case()
}

fn reach(message: &MessageDescriptor, reached: &mut BTreeMap<String, MessageDescriptor>) {
    if reached
        .insert(message.full_name().to_owned(), message.clone())
        .is_none()
    {
        for field in message.fields() {
            if let Some(inner) = inner(&field) {
                reach(&inner, reached);
            }
        }
    }
}

/// The message of a field that is looked into: none of Google's, and not in a oneof or map.
fn inner(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    let kind = field.kind();
    let message = kind.as_message()?;
    let is_plain = !field.is_map() && !real_oneof(field);
    (is_plain && !message.full_name().starts_with("google.protobuf.")).then(|| message.clone())
}

fn is_ruled(field: &FieldDescriptor) -> bool {
    let is_enum = matches!(field.kind(), Kind::Enum(_)) && !real_oneof(field) && !field.is_map();
    is_enum || Rules::of(field) != Rules::default()
}

fn write_field(field: &FieldDescriptor, checked: &[String], text: &mut String) {
    if field.is_map() || real_oneof(field) {
        return;
    }
    let rules = Rules::of(field);
    let (name, place) = (field.name(), format!("message.{}", rust::field(field)));
    let message = inner(field).filter(|inner| checked.contains(&inner.full_name().to_owned()));
    if field.is_list() {
        if rules.is_required || rules.max_items != 0 {
            let least = u8::from(rules.is_required);
            let _ = writeln!(
                text,
                "    form::items({name:?}, {place}.len(), {least}, {})?;",
                rules.max_items
            );
        }
        let statements = of_value(field, &rules, message.as_ref(), "value");
        if statements.is_empty() {
            return;
        }
        // The place of a message within its list is a part of the field's name.
        let head = match message {
            Some(_) => format!("for (index, value) in {place}.iter().enumerate()"),
            None => format!("for value in &{place}"),
        };
        let _ = writeln!(text, "    {head} {{\n{statements}    }}");
        return;
    }
    let is_message = field.kind().as_message().is_some();
    if rules.is_required {
        let given = match field.kind() {
            Kind::String if is_optional(field) => format!("{place}.as_ref().is_some_and(|text| !text.is_empty())"),
            Kind::String => format!("!{place}.is_empty()"),
            Kind::Enum(_) if is_optional(field) => format!("{place}.is_some_and(|number| number != 0)"),
            Kind::Enum(_) => format!("{place} != 0"),
            _ => format!("{place}.is_some()"),
        };
        let _ = writeln!(text, "    form::given({name:?}, {given})?;");
    }
    let statements = of_value(field, &rules, message.as_ref(), "value");
    if statements.is_empty() {
        return;
    }
    let condition = match field.kind() {
        Kind::String if is_optional(field) => format!("if let Some(value) = &{place} && !value.is_empty()"),
        _ if is_message || is_optional(field) => format!("if let Some(value) = &{place}"),
        Kind::String => format!("let value = &{place};\n    if !value.is_empty()"),
        _ => format!("let value = &{place};\n   "),
    };
    let _ = writeln!(text, "    {condition} {{\n{statements}    }}");
}

/// The statements that check one value behind a reference.
fn of_value(field: &FieldDescriptor, rules: &Rules, message: Option<&MessageDescriptor>, value: &str) -> String {
    let name = field.name();
    let mut text = String::new();
    if let Some(message) = message {
        let checked = format!("{}({value})", function(message.full_name()));
        let _ = match field.is_list() {
            true => writeln!(text, "        form::inside_item({name:?}, index, {checked})?;"),
            false => writeln!(text, "        form::inside({name:?}, {checked})?;"),
        };
    }
    if let Kind::Enum(enumeration) = field.kind() {
        let path = rust::enumeration(&enumeration);
        let _ = writeln!(
            text,
            "        form::known({name:?}, {path}::try_from(*{value}).is_ok())?;"
        );
    }
    if let Some(format) = rules.format {
        let value = if format.is_page_size() { "*value" } else { value };
        let _ = writeln!(text, "        form::{}({name:?}, {value})?;", format.check);
    }
    if rules.min_length != 0 || rules.max_length != 0 {
        let _ = writeln!(
            text,
            "        form::length({name:?}, {value}, {}, {})?;",
            rules.min_length, rules.max_length
        );
    }
    if !rules.one_of.is_empty() {
        let _ = writeln!(text, "        form::one_of({name:?}, {value}, &{:?})?;", rules.one_of);
    }
    if rules.min.is_some() || rules.max.is_some() {
        let (min, max) = (rules.min, rules.max);
        let _ = match field.kind() {
            Kind::Double => {
                let real = |bound: Option<i64>| bound.map(|bound| bound as f64);
                let (min, max) = (real(min), real(max));
                writeln!(
                    text,
                    "        form::within_reals({name:?}, *{value}, {min:?}, {max:?})?;"
                )
            }
            _ => writeln!(
                text,
                "        form::within({name:?}, i128::from(*{value}), {min:?}, {max:?})?;"
            ),
        };
    }
    text
}
