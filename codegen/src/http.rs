//! Reads `google.api.http`, and refuses every form that no handler is generated for.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::model::{Binding, Body, FieldPath, Service, real_oneof};
use crate::policy::string_of;
use crate::template::{Segment, Template};
use crate::{Descriptors, Error, Result};

const HTTP: &str = "google.api.http";
const METHODS: [(&str, &str); 5] = [
    ("get", "GET"),
    ("put", "PUT"),
    ("post", "POST"),
    ("delete", "DELETE"),
    ("patch", "PATCH"),
];

/// Reads the bindings of one rpc: its rule and the additional ones.
pub(crate) fn read(descriptors: &Descriptors, rpc: &MethodDescriptor) -> Result<Vec<Binding>> {
    let options = rpc.options();
    let Some(extension) = descriptors.pool().get_extension_by_name(HTTP) else {
        return Ok(Vec::new());
    };
    if !options.has_extension(&extension) {
        return Ok(Vec::new());
    }
    let broken = |rule: String| Error::rule(rpc.full_name(), format!("its HTTP rule is not supported: {rule}"));
    if rpc.is_client_streaming() {
        return Err(broken("the client streams".into()));
    }
    let value = options.get_extension(&extension);
    let rule = value.as_message().ok_or_else(|| broken("it is no message".into()))?;
    let mut bindings = vec![binding(rpc, rule).map_err(broken)?];
    for additional in messages(rule, "additional_bindings") {
        if !messages(&additional, "additional_bindings").is_empty() {
            return Err(broken("additional bindings do not nest".into()));
        }
        bindings.push(binding(rpc, &additional).map_err(broken)?);
    }
    Ok(bindings)
}

fn messages(message: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let value = message.get_field_by_name(field);
    let list = value.as_ref().and_then(|value| value.as_list()).unwrap_or_default();
    list.iter().filter_map(|value| value.as_message().cloned()).collect()
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message
        .get_field_by_name(field)
        .map(|value| string_of(&value).to_owned())
        .unwrap_or_default()
}

fn binding(rpc: &MethodDescriptor, rule: &DynamicMessage) -> Result<Binding, String> {
    if !text(rule, "selector").is_empty() {
        return Err("it has a selector".into());
    }
    let (method, text_of_path) = METHODS
        .iter()
        .map(|(field, method)| (*method, text(rule, field)))
        .find(|(_, path)| !path.is_empty())
        .ok_or("it has none of get, put, post, delete and patch")?;
    let template = Template::parse(&text_of_path)?;
    let input = rpc.input();
    let path = path_fields(&input, &template)?;
    let body = body(&input, method, &text(rule, "body"))?;
    if let Body::Field(field) = &body
        && path.iter().any(|path| path.0[0] == *field)
    {
        return Err(format!("the path and the body both name '{}'", field.name()));
    }
    let query = match &body {
        Body::Whole => Vec::new(),
        Body::None => query_fields(&input, &path, None)?,
        Body::Field(field) => query_fields(&input, &path, Some(field))?,
    };
    let response_body = response_body(rpc, &text(rule, "response_body"))?;
    Ok(Binding {
        method,
        text: text_of_path,
        template,
        path,
        query,
        body,
        response_body,
    })
}

fn path_fields(input: &MessageDescriptor, template: &Template) -> Result<Vec<FieldPath>, String> {
    let mut fields = Vec::new();
    for variable in &template.variables {
        let name = &variable.field;
        let field = FieldPath::find(input, name).ok_or(format!("the path's field '{name}' does not exist"))?;
        let leaf = field.leaf();
        let is_scalar = !matches!(leaf.kind(), Kind::Message(_) | Kind::Bytes | Kind::Float | Kind::Double);
        if leaf.is_list() || !is_scalar || field.is_in_oneof() {
            return Err(format!(
                "the path's field '{name}' is not a plain string, integer, bool or enum"
            ));
        }
        if !template.is_single(variable) && leaf.kind() != Kind::String {
            return Err(format!("the path's field '{name}' spans segments and is no string"));
        }
        fields.push(field);
    }
    Ok(fields)
}

fn body(input: &MessageDescriptor, method: &str, body: &str) -> Result<Body, String> {
    if !body.is_empty() && matches!(method, "GET" | "DELETE") {
        return Err(format!("{method} has no body"));
    }
    match body {
        "" => Ok(Body::None),
        "*" => Ok(Body::Whole),
        name => {
            let field = input
                .get_field_by_name(name)
                .ok_or(format!("the body's field '{name}' does not exist"))?;
            if field.is_list() || field.is_map() || field.kind().as_message().is_none() || real_oneof(&field) {
                return Err(format!("the body's field '{name}' is not one message"));
            }
            Ok(Body::Field(field))
        }
    }
}

fn response_body(rpc: &MethodDescriptor, name: &str) -> Result<Option<FieldDescriptor>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    if rpc.is_server_streaming() {
        return Err("a stream has no response_body".into());
    }
    let field = rpc
        .output()
        .get_field_by_name(name)
        .ok_or(format!("the response's field '{name}' does not exist"))?;
    if field.is_map() || field.kind().as_message().is_none() || real_oneof(&field) {
        return Err(format!(
            "the response's field '{name}' is neither a message nor a list of them"
        ));
    }
    Ok(Some(field))
}

/// Every leaf that neither the path nor the body fills.
fn query_fields(
    input: &MessageDescriptor,
    path: &[FieldPath],
    body: Option<&FieldDescriptor>,
) -> Result<Vec<FieldPath>, String> {
    let taken: Vec<String> = path.iter().map(FieldPath::proto_name).collect();
    let mut leaves = Vec::new();
    for field in input.fields().filter(|field| Some(field) != body) {
        collect_leaves(&FieldPath(vec![field]), &taken, &mut leaves)?;
    }
    Ok(leaves)
}

fn collect_leaves(path: &FieldPath, taken: &[String], leaves: &mut Vec<FieldPath>) -> Result<(), String> {
    let name = path.proto_name();
    if taken.contains(&name) {
        return Ok(());
    }
    let field = path.leaf();
    let refuse = |why: &str| Err(format!("the query cannot carry '{name}': {why}"));
    if field.is_map() {
        return refuse("it is a map");
    }
    if real_oneof(field) {
        return refuse("it is in a oneof");
    }
    match field.kind() {
        Kind::Bytes => refuse("it is bytes"),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.BytesValue" | "google.protobuf.Empty" => refuse("it has no text"),
            known if known.starts_with("google.protobuf.") => {
                leaves.push(path.clone());
                Ok(())
            }
            _ if field.is_list() => refuse("it is a list of messages"),
            _ if path.parents().iter().any(|parent| parent.kind() == field.kind()) => refuse("it contains itself"),
            _ => {
                for child in message.fields() {
                    let mut fields = path.0.clone();
                    fields.push(child);
                    collect_leaves(&FieldPath(fields), taken, leaves)?;
                }
                Ok(())
            }
        },
        _ => {
            leaves.push(path.clone());
            Ok(())
        }
    }
}

/// Two rpcs never share a method and path shape.
pub(crate) fn check_conflicts(services: &[Service]) -> Result<()> {
    let mut taken: BTreeMap<(&str, Vec<Segment>, Option<String>), String> = BTreeMap::new();
    for rpc in services.iter().flat_map(|service| &service.rpcs) {
        for binding in &rpc.bindings {
            let shape = (
                binding.method,
                binding.template.segments.clone(),
                binding.template.verb.clone(),
            );
            let name = rpc.descriptor.full_name().to_owned();
            if let Some(other) = taken.insert(shape, name.clone()) {
                let rule = format!(
                    "its HTTP rule {} {} is also that of {other}",
                    binding.method, binding.text
                );
                return Err(Error::rule(name, rule));
            }
        }
    }
    Ok(())
}
