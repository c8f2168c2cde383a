//! What every proto must keep to, whatever is derived from it.

use prost_reflect::{FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, Syntax};

use crate::{Descriptors, Error, Result, field};

/// The types of `google.protobuf` whose ProtoJSON form is generated right.
const WELL_KNOWN: [&str; 12] = [
    "Timestamp",
    "Duration",
    "Empty",
    "BoolValue",
    "BytesValue",
    "DoubleValue",
    "FloatValue",
    "Int32Value",
    "Int64Value",
    "StringValue",
    "UInt32Value",
    "UInt64Value",
];

/// Keywords of every edition, with the reserved ones.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// The two keywords that are names all the same: the field's own words ("order type", and "use" of RFC 7517), which every
/// generator here escapes alike.
const ALLOWED_KEYWORDS: [&str; 2] = ["type", "use"];

/// Checks every file.
pub(crate) fn check(descriptors: &Descriptors) -> Result<()> {
    for file in descriptors.files() {
        check_file(&file)?;
        for message in file.messages() {
            check_message(&message)?;
        }
    }
    Ok(())
}

fn check_file(file: &FileDescriptor) -> Result<()> {
    if file.syntax() != Syntax::Proto3 {
        return Err(Error::rule(file.name(), "only proto3 is supported"));
    }
    Ok(())
}

fn check_message(message: &MessageDescriptor) -> Result<()> {
    if message.is_map_entry() {
        return Ok(());
    }
    for field in message.fields() {
        check_field(&field)?;
    }
    for nested in message.child_messages() {
        check_message(&nested)?;
    }
    Ok(())
}

fn check_field(field: &FieldDescriptor) -> Result<()> {
    let name = field.name();
    if KEYWORDS.contains(&name) && !ALLOWED_KEYWORDS.contains(&name) {
        return Err(Error::rule(field.full_name(), format!("'{name}' is a Rust keyword")));
    }
    if heck::AsSnakeCase(name).to_string() != name {
        return Err(Error::rule(field.full_name(), "field names are lower_snake_case"));
    }
    let kind = match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
        kind => kind,
    };
    field::check(field)?;
    if let Kind::Message(message) = kind {
        check_type(field, message.full_name())?;
    }
    Ok(())
}

fn check_type(field: &FieldDescriptor, type_name: &str) -> Result<()> {
    match type_name.strip_prefix("google.protobuf.") {
        Some(name) if !WELL_KNOWN.contains(&name) => Err(Error::rule(
            field.full_name(),
            format!("google.protobuf.{name} has no exact JSON here"),
        )),
        _ => Ok(()),
    }
}
