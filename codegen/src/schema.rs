//! JSON Schemas of messages and enums: what the strict ProtoJSON of `mesh::protojson` takes and gives, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::comments::Comments;
use crate::model::{Api, Body, FieldPath};

/// Text of a request: PostgreSQL keeps no NUL, so no text has one.
pub(crate) const TEXT: &str = "^[^\\u0000]*$";
/// Text of one path segment.
pub(crate) const SEGMENT: &str = "^[^/\\u0000-\\u001f\\u007f-\\u009f]+$";

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
        for field in message.fields().filter(|field| !taken(field)) {
            let mut schema = self.field(&field, is_requested);
            describe(&mut schema, self.comments.of(&field.parent_file(), field.path()));
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut schema = json!({"type": "object", "properties": properties});
        describe(&mut schema, self.comments.of(&message.parent_file(), message.path()));
        if is_requested {
            schema["additionalProperties"] = json!(false);
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
        if field.is_list() {
            json!({"type": "array", "items": value})
        } else {
            value
        }
    }

    fn value(&mut self, field: &FieldDescriptor, is_requested: bool) -> Value {
        match field.kind() {
            Kind::Message(message) => self.message(&message),
            Kind::Enum(enumeration) => self.enumeration(&enumeration),
            Kind::String if is_requested => json!({"type": "string", "pattern": TEXT}),
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
    let value = match field.kind() {
        Kind::String if in_path => json!({"type": "string", "minLength": 1, "pattern": SEGMENT}),
        Kind::String => json!({"type": "string", "pattern": TEXT}),
        Kind::Enum(enumeration) => json!({"type": "string", "enum": names(&enumeration)}),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.StringValue" => json!({"type": "string", "pattern": TEXT}),
            "google.protobuf.Timestamp" | "google.protobuf.Duration" => well_known(&message).unwrap_or_default(),
            _ => message
                .get_field_by_name("value")
                .map_or(Value::Null, |value| parameter(&value, in_path)),
        },
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Float | Kind::Double => json!({"type": "number", "format": format_of(&field.kind())}),
        kind => {
            let (minimum, maximum) = bounds(&kind);
            json!({"type": "integer", "format": format_of(&kind), "minimum": minimum, "maximum": maximum})
        }
    };
    if field.is_list() {
        json!({"type": "array", "items": value})
    } else {
        value
    }
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
            let digits = if is_long { 20 } else { 10 };
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
