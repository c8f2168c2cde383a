//! The OpenAPI 3.1 page of every rpc with an HTTP rule.

use prost_reflect::FieldDescriptor;
use serde_json::{Map, Value, json};

use crate::Descriptors;
use crate::comments::Comments;
use crate::field::Rules;
use crate::model::{Api, Binding, Body, Rpc, Scope};
use crate::schema::{Schemas, parameter};
use crate::template::Segment;

/// The error responses of every operation.
const REFUSALS: [(u16, &str); 12] = [
    (400, "The request is malformed."),
    (401, "Nobody knows who is calling."),
    (403, "The caller may not do this."),
    (404, "What was named does not exist."),
    (409, "It exists already, or was changed meanwhile."),
    (413, "The body is larger than is taken."),
    (415, "The body is not JSON."),
    (
        422,
        "The request is well formed, and a rule or the present state refuses it.",
    ),
    (429, "A limit is used up."),
    (500, "A defect on this side."),
    (503, "Something that is needed cannot be reached now."),
    (504, "The time allowed has passed; the outcome is unknown."),
];

/// Generates `openapi.json`.
pub(crate) fn generate(descriptors: &Descriptors, api: &Api) -> String {
    let comments = Comments::read(descriptors);
    let mut schemas = Schemas::new(api, &comments);
    let mut paths: Map<String, Value> = Map::new();
    let mut tags = Vec::new();
    for service in &api.services {
        let file = service.descriptor.parent_file();
        if service.rpcs.iter().any(|rpc| !rpc.bindings.is_empty()) {
            let description = comments.of(&file, service.descriptor.path());
            tags.push(json!({"name": service.descriptor.name(), "description": description}));
        }
        for rpc in &service.rpcs {
            for (number, binding) in rpc.bindings.iter().enumerate() {
                let operation = operation(rpc, binding, number, &comments, &mut schemas);
                let item = paths.entry(path(binding)).or_insert_with(|| json!({}));
                item[binding.method.to_lowercase()] = operation;
            }
        }
    }
    let mut components = schemas.into_components();
    components.insert("Error".into(), error_schema());
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "trademesh",
            "version": "v1",
            "description": "Decimals are strings, times are RFC 3339, and fields with their default value are left out. \
                            Unknown fields and parameters are refused. Errors are google.rpc.Status with a stable reason.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": refusals(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    });
    format!("{document:#}\n")
}

/// The path with JSON names; a variable over several segments keeps its literals in the path.
fn path(binding: &Binding) -> String {
    let mut text = String::new();
    for (at, segment) in binding.template.segments.iter().enumerate() {
        text.push('/');
        match segment {
            Segment::Literal(literal) => text.push_str(literal),
            Segment::One | Segment::Rest => text.push_str(&format!("{{{}}}", variable_name(binding, at))),
        }
    }
    if let Some(verb) = &binding.template.verb {
        text.push_str(&format!(":{verb}"));
    }
    text
}

/// The name of what a wildcard takes: the field's, or one of its own when nothing or more than one is taken.
fn variable_name(binding: &Binding, at: usize) -> String {
    let variables = binding.template.variables.iter().zip(&binding.path);
    for (variable, field) in variables {
        let span = variable.first..variable.first + variable.length;
        if span.contains(&at) {
            let wildcards = span
                .clone()
                .filter(|at| !matches!(binding.template.segments[*at], Segment::Literal(_)));
            let number = wildcards.take_while(|wildcard| *wildcard < at).count();
            return if number == 0 {
                field.json_name()
            } else {
                format!("{}.{}", field.json_name(), number + 1)
            };
        }
    }
    format!("segment{}", at + 1)
}

fn operation(rpc: &Rpc, binding: &Binding, number: usize, comments: &Comments, schemas: &mut Schemas<'_>) -> Value {
    let service = rpc.descriptor.parent_service();
    let description = comments.of(&service.parent_file(), rpc.descriptor.path());
    let suffix = if number == 0 {
        String::new()
    } else {
        format!("_{}", number + 1)
    };
    let mut operation = json!({
        "operationId": format!("{}_{}{suffix}", service.name(), rpc.descriptor.name()),
        "tags": [service.name()],
        "summary": description.split_once(". ").map_or(description, |(first, _)| first).trim_end_matches('.'),
        "description": description,
        "parameters": parameters(binding, comments),
        "responses": responses(rpc, binding, schemas),
    });
    match &binding.body {
        Body::None => {}
        Body::Whole => {
            let input = rpc.descriptor.input();
            let takes_part = binding.path.iter().any(|path| path.parents().is_empty());
            let schema = if takes_part {
                schemas.object(&input, &binding.path)
            } else {
                schemas.message(&input)
            };
            let is_path = |field: &FieldDescriptor| binding.path.iter().any(|path| path.0 == [field.clone()]);
            let is_required = input
                .fields()
                .any(|field| Rules::of(&field).is_required && !is_path(&field));
            operation["requestBody"] =
                json!({"required": is_required, "content": {"application/json": {"schema": schema}}});
        }
        Body::Field(field) => {
            let schema = schemas.field(field, true);
            let is_required = Rules::of(field).is_required;
            operation["requestBody"] =
                json!({"required": is_required, "content": {"application/json": {"schema": schema}}});
        }
    }
    if rpc.policy.scope == Scope::Public {
        operation["security"] = json!([]);
    } else {
        operation["x-permission"] = json!(rpc.policy.permission);
    }
    operation
}

fn parameters(binding: &Binding, comments: &Comments) -> Value {
    let mut parameters = Vec::new();
    for (at, segment) in binding.template.segments.iter().enumerate() {
        if matches!(segment, Segment::Literal(_)) {
            continue;
        }
        let name = variable_name(binding, at);
        let variable = binding.template.variables.iter().zip(&binding.path);
        let field = variable
            .clone()
            .find(|(variable, _)| (variable.first..variable.first + variable.length).contains(&at));
        let (schema, description) = match field {
            Some((_, field)) => {
                let leaf = field.leaf();
                (parameter(leaf, true), comments.of(&leaf.parent_file(), leaf.path()))
            }
            None => (
                json!({"type": "string", "minLength": 1, "pattern": crate::schema::SEGMENT}),
                "",
            ),
        };
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "schema": schema, "description": description,
        }));
    }
    for field in &binding.query {
        let leaf = field.leaf();
        parameters.push(json!({
            "name": field.json_name(),
            "in": "query",
            "required": field.parents().is_empty() && Rules::of(leaf).is_required,
            "schema": parameter(leaf, false),
            "description": comments.of(&leaf.parent_file(), leaf.path()),
        }));
    }
    Value::Array(parameters)
}

fn responses(rpc: &Rpc, binding: &Binding, schemas: &mut Schemas<'_>) -> Value {
    let output = rpc.descriptor.output();
    let success = if rpc.descriptor.is_server_streaming() {
        let event = schemas.message(&output);
        json!({
            "description": "Server-sent events; the data of each is one JSON document. An event named error ends it.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "x-event-schema": event}},
        })
    } else {
        let schema = match &binding.response_body {
            None => schemas.message(&output),
            Some(field) => schemas.field(field, false),
        };
        json!({"description": "The answer.", "content": {"application/json": {"schema": schema}}})
    };
    let mut responses = Map::from_iter([("200".to_owned(), success)]);
    for (code, _) in REFUSALS {
        responses.insert(
            code.to_string(),
            json!({"$ref": format!("#/components/responses/{code}")}),
        );
    }
    Value::Object(responses)
}

fn refusals() -> Value {
    let refusals = REFUSALS.iter().map(|(code, description)| {
        let schema = json!({"$ref": "#/components/schemas/Error"});
        let response = json!({"description": description, "content": {"application/json": {"schema": schema}}});
        (code.to_string(), response)
    });
    Value::Object(refusals.collect())
}

fn error_schema() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "description": "google.rpc.Status: what went wrong, with a stable reason and the id of the request.",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "status", "message", "details"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status."},
                "status": {"type": "string", "description": "The name of the gRPC code."},
                "message": {"type": "string", "description": "A sentence for people; it may change."},
                "details": {"type": "array", "items": {
                    "type": "object",
                    "required": ["@type"],
                    "properties": {
                        "@type": text,
                        "reason": {"type": "string", "description": "A stable code."},
                        "domain": text,
                        "metadata": {"type": "object", "additionalProperties": text},
                        "requestId": text,
                    },
                }},
            },
        }},
    })
}
