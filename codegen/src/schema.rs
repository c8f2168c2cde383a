//! JSON Schemas of messages and enums: what the strict ProtoJSON of `mesh::protojson` takes and gives, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::checks::anchored;
use crate::comments::Comments;
use crate::field::{Format, Rules};
use crate::model::{Api, Body, FieldPath};
use crate::ranges;

/// Text of a request: PostgreSQL keeps no NUL, so no text has one.
pub(crate) const TEXT: &str = "^[^\\u0000]*$";
/// Text of one path segment.
pub(crate) const SEGMENT: &str = "^[^/\\u0000-\\u001f\\u007f-\\u009f]+$";

/// The most items on one page: `mesh::page::MAX_SIZE`.
const MAX_PAGE: i64 = 1000;

/// Writes schemas, and remembers which of them the document needs.
pub(crate) struct Schemas<'a> {
    comments: &'a Comments,
    /// Messages and enums that a request may carry: they are closed.
    requested: BTreeSet<String>,
    components: BTreeMap<String, Value>,
}

impl<'a> Schemas<'a> {
    pub(crate) fn new(api: &Api, comments: &'a Comments) -> Schemas<'a> {
        let mut requested = BTreeSet::new();
        for rpc in api.rpcs() {
            for binding in &rpc.bindings {
                match &binding.body {
                    Body::None => {}
                    Body::Whole => reach(&rpc.descriptor.input(), &mut requested),
                    Body::Field(field) => reach_field(field, &mut requested),
                }
            }
        }
        Schemas {
            comments,
            requested,
            components: BTreeMap::new(),
        }
    }

    pub(crate) fn into_components(self) -> BTreeMap<String, Value> {
        self.components
    }

    /// A reference to a message, which becomes a component.
    pub(crate) fn message(&mut self, message: &MessageDescriptor) -> Value {
        if let Some(known) = well_known(message) {
            return known;
        }
        let name = message.full_name();
        if !self.components.contains_key(name) {
            // Set first, so that a message that contains itself ends here.
            self.components.insert(name.to_owned(), Value::Null);
            let schema = self.object(message, &[]);
            self.components.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    /// The schema of a message without the fields that the path fills.
    pub(crate) fn object(&mut self, message: &MessageDescriptor, without: &[FieldPath]) -> Value {
        let is_requested = self.requested.contains(message.full_name());
        let taken = |field: &FieldDescriptor| without.iter().any(|path| path.0 == [field.clone()]);
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message.fields().filter(|field| !taken(field)) {
            if is_requested && Rules::of(&field).is_required {
                required.push(field.json_name().to_owned());
            }
            let mut schema = self.field(&field, is_requested);
            describe(&mut schema, self.comments.of(&field.parent_file(), field.path()));
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut schema = json!({"type": "object", "properties": properties});
        describe(&mut schema, self.comments.of(&message.parent_file(), message.path()));
        if is_requested {
            schema["additionalProperties"] = json!(false);
        }
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        let exclusions = exclusions(message);
        if !exclusions.is_empty() {
            schema["allOf"] = Value::Array(exclusions);
        }
        schema
    }

    /// The schema of a field in a body.
    pub(crate) fn field(&mut self, field: &FieldDescriptor, is_requested: bool) -> Value {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                return json!({"type": "object"});
            };
            let value = self.value(&entry.map_entry_value_field(), is_requested);
            return json!({"type": "object", "additionalProperties": value});
        }
        let value = self.value(field, is_requested);
        if field.is_list() && is_requested {
            list(value, &Rules::of(field))
        } else if field.is_list() {
            json!({"type": "array", "items": value})
        } else {
            value
        }
    }

    fn value(&mut self, field: &FieldDescriptor, is_requested: bool) -> Value {
        match field.kind() {
            Kind::Message(message) => self.message(&message),
            Kind::Enum(enumeration) if is_requested && Rules::of(field).is_required => stated(&enumeration),
            Kind::Enum(enumeration) => self.enumeration(&enumeration),
            Kind::String if is_requested => text(&Rules::of(field), may_be_empty(field)),
            kind if is_requested => as_text(bounded(scalar(&kind), &Rules::of(field)), &kind, &Rules::of(field)),
            kind => scalar(&kind),
        }
    }

    fn enumeration(&mut self, enumeration: &EnumDescriptor) -> Value {
        let name = enumeration.full_name();
        let names = names(enumeration);
        let numbers: Vec<i32> = enumeration.values().map(|value| value.number()).collect();
        // A newer service may answer a number that this page does not know; a request may not.
        let number = if self.requested.contains(name) {
            json!({"type": "integer", "enum": numbers})
        } else {
            json!({"type": "integer", "format": "int32"})
        };
        let mut schema = json!({"anyOf": [{"type": "string", "enum": names}, number]});
        let file = enumeration.parent_file();
        let mut description = self.comments.of(&file, enumeration.path()).to_owned();
        for value in enumeration.values() {
            let comment = self.comments.of(&file, value.path());
            description.push_str(&format!("\n\n- `{}`: {comment}", value.name()));
        }
        describe(&mut schema, &description);
        self.components.insert(name.to_owned(), schema);
        reference(name)
    }
}

/// The schema of a value in a query or path, where all is text.
pub(crate) fn parameter(field: &FieldDescriptor, in_path: bool) -> Value {
    let rules = Rules::of(field);
    let value = match field.kind() {
        Kind::String if in_path && rules == Rules::default() => {
            json!({"type": "string", "minLength": 1, "pattern": SEGMENT})
        }
        Kind::String if in_path => {
            let mut schema = text(&rules, false);
            if let Some(format) = rules.format {
                schema["pattern"] = json!(anchored(&format.in_path()));
            }
            schema
        }
        Kind::String => text(&rules, may_be_empty(field)),
        Kind::Enum(enumeration) => {
            let unstated = usize::from(rules.is_required);
            json!({"type": "string", "enum": names(&enumeration)[unstated..]})
        }
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.StringValue" => json!({"type": "string", "pattern": TEXT}),
            "google.protobuf.Timestamp" | "google.protobuf.Duration" => well_known(&message).unwrap_or_default(),
            _ => message
                .get_field_by_name("value")
                .map_or(Value::Null, |value| parameter(&value, in_path)),
        },
        Kind::Bool => json!({"type": "boolean"}),
        kind @ (Kind::Float | Kind::Double) => bounded(json!({"type": "number", "format": format_of(&kind)}), &rules),
        kind => {
            let (minimum, maximum) = bounds(&kind);
            let integer =
                json!({"type": "integer", "format": format_of(&kind), "minimum": minimum, "maximum": maximum});
            bounded(integer, &rules)
        }
    };
    if field.is_list() { list(value, &rules) } else { value }
}

fn may_be_empty(field: &FieldDescriptor) -> bool {
    !field.is_list() && !Rules::of(field).is_required
}

/// The schema of a text; one that is not required may be empty whatever its form.
fn text(rules: &Rules, may_be_empty: bool) -> Value {
    if !rules.one_of.is_empty() {
        let empty = may_be_empty.then(String::new);
        let words: Vec<&String> = rules.one_of.iter().chain(&empty).collect();
        return json!({"type": "string", "enum": words});
    }
    let mut schema = match rules.format {
        Some(format) if may_be_empty => json!({"type": "string", "pattern": anchored(&format!("{}|", format.pattern))}),
        Some(format) => json!({"type": "string", "pattern": anchored(format.pattern)}),
        None => json!({"type": "string", "pattern": TEXT}),
    };
    let least = rules
        .min_length
        .max(u32::from(rules.is_required && rules.format.is_none()));
    if least != 0 {
        schema["minLength"] = json!(least);
    }
    if rules.longest() != 0 {
        schema["maxLength"] = json!(rules.longest());
    }
    schema
}

/// A list's schema with its numbers of items.
fn list(value: Value, rules: &Rules) -> Value {
    let mut schema = json!({"type": "array", "items": value});
    if rules.is_required {
        schema["minItems"] = json!(1);
    }
    if rules.max_items != 0 {
        schema["maxItems"] = json!(rules.max_items);
    }
    schema
}

/// A number's schema within the bounds of its field.
fn bounded(mut schema: Value, rules: &Rules) -> Value {
    let is_page_size = rules.format.is_some_and(Format::is_page_size);
    let (min, max) = if is_page_size {
        (Some(0), Some(MAX_PAGE))
    } else {
        (rules.min, rules.max)
    };
    for (key, bound) in [("minimum", min), ("maximum", max)] {
        if let Some(bound) = bound {
            schema[key] = json!(bound);
        }
    }
    schema
}

/// The same bounds for a number that is written as text, where the field states any.
fn as_text(mut schema: Value, kind: &Kind, rules: &Rules) -> Value {
    if (rules.min, rules.max) == (None, None) {
        return schema;
    }
    let limits = (rules.min.unwrap_or(i64::MIN), rules.max.unwrap_or(i64::MAX));
    let limits = match format_of(kind) {
        "int32" => (limits.0.max(i32::MIN.into()), limits.1.min(i32::MAX.into())),
        "uint32" => (limits.0.max(0), limits.1.min(u32::MAX.into())),
        "uint64" => (limits.0.max(0), limits.1),
        _ => limits,
    };
    schema["pattern"] = json!(anchored(&match kind {
        Kind::Double => ranges::reals(limits.0, limits.1),
        _ => ranges::integers(limits.0, limits.1),
    }));
    schema
}

/// The values of an enum but the unspecified one.
fn stated(enumeration: &EnumDescriptor) -> Value {
    let numbers = enumeration.values().map(|value| value.number());
    let numbers: Vec<i32> = numbers.filter(|number| *number != 0).collect();
    json!({"anyOf": [{"type": "string", "enum": names(enumeration)[1..]}, {"type": "integer", "enum": numbers}]})
}

fn scalar(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        Kind::Float | Kind::Double => json!({
            "type": ["number", "string"],
            "format": format_of(kind),
            "pattern": "^-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$",
        }),
        Kind::String => json!({"type": "string"}),
        kind => {
            let (minimum, maximum) = bounds(kind);
            let is_long = matches!(format_of(kind), "int64" | "uint64");
            // So many digits are within the bounds of the type, whatever they are.
            let digits = if is_long { 18 } else { 9 };
            let sign = if minimum == json!(0) { "" } else { "-?" };
            // 64 bits are written as text, since many readers keep no more than 53; both are taken.
            let types = if is_long {
                json!(["string", "integer"])
            } else {
                json!(["integer", "string"])
            };
            json!({
                "type": types,
                "format": format_of(kind),
                "minimum": minimum,
                "maximum": maximum,
                "pattern": format!("^{sign}[0-9]{{1,{digits}}}$"),
            })
        }
    }
}

fn format_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Float => "float",
        Kind::Double => "double",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "int32",
        Kind::Uint32 | Kind::Fixed32 => "uint32",
        Kind::Uint64 | Kind::Fixed64 => "uint64",
        _ => "int64",
    }
}

fn bounds(kind: &Kind) -> (Value, Value) {
    match format_of(kind) {
        "int32" => (json!(i32::MIN), json!(i32::MAX)),
        "uint32" => (json!(0), json!(u32::MAX)),
        "uint64" => (json!(0), json!(u64::MAX)),
        _ => (json!(i64::MIN), json!(i64::MAX)),
    }
}

fn names(enumeration: &EnumDescriptor) -> Vec<String> {
    enumeration.values().map(|value| value.name().to_owned()).collect()
}

fn well_known(message: &MessageDescriptor) -> Option<Value> {
    match message.full_name().strip_prefix("google.protobuf.")? {
        "Timestamp" => Some(json!({"type": "string", "format": "date-time"})),
        "Duration" => Some(json!({"type": "string", "pattern": "^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$"})),
        "Empty" => Some(json!({"type": "object", "additionalProperties": false})),
        _ => message.get_field_by_name("value").map(|value| scalar(&value.kind())),
    }
}

/// At most one member of each oneof.
fn exclusions(message: &MessageDescriptor) -> Vec<Value> {
    let mut pairs = Vec::new();
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let members: Vec<FieldDescriptor> = oneof.fields().collect();
        for (index, first) in members.iter().enumerate() {
            for second in &members[index + 1..] {
                pairs.push(json!({"not": {"required": [first.json_name(), second.json_name()]}}));
            }
        }
    }
    pairs
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn describe(schema: &mut Value, comment: &str) {
    if !comment.is_empty() {
        schema["description"] = json!(comment);
    }
}

fn reach(message: &MessageDescriptor, reached: &mut BTreeSet<String>) {
    if reached.insert(message.full_name().to_owned()) {
        for field in message.fields() {
            reach_field(&field, reached);
        }
    }
}

fn reach_field(field: &FieldDescriptor, reached: &mut BTreeSet<String>) {
    match field.kind() {
        Kind::Message(message) => reach(&message, reached),
        Kind::Enum(enumeration) => {
            reached.insert(enumeration.full_name().to_owned());
        }
        _ => {}
    }
}
