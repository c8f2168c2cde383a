//! Typed REST handlers: a function a binding, which builds the request, calls the client and answers.

use std::fmt::Write as _;

use heck::{ToShoutySnakeCase, ToSnakeCase};
use prost_reflect::{FieldDescriptor, Kind};

use crate::model::{Api, Binding, Body, FieldPath, Rpc, enumeration, is_optional, real_oneof};
use crate::rust;
use crate::template::{Segment, Template};

/// Generates `rest.rs`.
pub(crate) fn generate(api: &Api) -> String {
    let mut handlers = String::new();
    let mut routes = String::new();
    for (index, rpc) in api.rpcs().into_iter().enumerate() {
        for (number, binding) in rpc.bindings.iter().enumerate() {
            let name = handler_name(rpc, number);
            write_handler(rpc, binding, &name, &mut handlers);
            let _ = writeln!(
                routes,
                "        Route {{\n            method: {:?},\n            template: {:?},\n            path: {},\n            \
                 rpc: &super::tables::METHODS[{index}],\n            handler: {name},\n        }},",
                binding.method,
                binding.text,
                path(&binding.template),
            );
        }
    }
    format!(
        "use crate::rest::{{Answer, Call, Parameter, Path, Route, Segment, Variable, bind, stream, unary}};\n\n\
         /// Every route of the API.\npub fn routes() -> Vec<Route> {{\n    vec![\n{routes}    ]\n}}\n{handlers}"
    )
}

fn handler_name(rpc: &Rpc, number: usize) -> String {
    let service = rpc.descriptor.parent_service();
    let name = format!(
        "{}_{}_{}",
        service.package_name().replace('.', "_"),
        service.name(),
        rpc.descriptor.name()
    );
    let name = name.to_snake_case();
    if number == 0 { name } else { format!("{name}_{number}") }
}

fn path(template: &Template) -> String {
    let segments: Vec<String> = template
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => format!("Segment::Literal({text:?})"),
            Segment::One => "Segment::One".into(),
            Segment::Rest => "Segment::Rest".into(),
        })
        .collect();
    let variables: Vec<String> = template
        .variables
        .iter()
        .map(|variable| {
            format!(
                "Variable {{ field: {:?}, first: {}, length: {} }}",
                variable.field, variable.first, variable.length
            )
        })
        .collect();
    format!(
        "Path {{ segments: &[{}], verb: {:?}, variables: &[{}] }}",
        segments.join(", "),
        template.verb,
        variables.join(", ")
    )
}

fn write_handler(rpc: &Rpc, binding: &Binding, name: &str, text: &mut String) {
    let tables = name.to_shouty_snake_case();
    write_parameters(&format!("{tables}_PATH"), &binding.path, text);
    write_parameters(&format!("{tables}_QUERY"), &binding.query, text);
    let input = rust::message(&rpc.descriptor.input());
    let _ = writeln!(text, "fn {name}(call: Call) -> Answer {{\n    Box::pin(async move {{");
    match &binding.body {
        Body::None => {
            let _ = writeln!(
                text,
                "        call.no_body()?;\n        let mut request = {input}::default();"
            );
        }
        Body::Whole => {
            let _ = writeln!(
                text,
                "        let mut request: {input} = call.body()?.unwrap_or_default();"
            );
        }
        Body::Field(field) => {
            let field = rust::field(field);
            let _ = writeln!(
                text,
                "        let mut request = {input}::default();\n        request.{field} = call.body()?;"
            );
        }
    }
    let _ = writeln!(
        text,
        "        call.bind({tables}_PATH, {tables}_QUERY, |index, value| match index {{"
    );
    for (index, field) in binding.path.iter().chain(&binding.query).enumerate() {
        let in_path = index < binding.path.len();
        let setter = setter(field, in_path && matches!(binding.body, Body::Whole));
        let _ = writeln!(text, "            {index} => {setter},");
    }
    text.push_str("            _ => bind::unknown(),\n        })?;\n");
    let client = rust::client(rpc.descriptor.parent_service());
    let method = rust::method(rpc.descriptor.name());
    let _ = writeln!(
        text,
        "        let mut client = {client}::new(call.transport());\n        \
         let answer = client.{method}(call.request(request)).await?.into_inner();\n        {}\n    }})\n}}\n",
        answer(rpc, binding)
    );
}

fn write_parameters(name: &str, fields: &[FieldPath], text: &mut String) {
    let entries: Vec<String> = fields
        .iter()
        .map(|field| {
            format!(
                "Parameter {{ name: {:?}, proto_name: {:?}, repeated: {} }}",
                field.json_name(),
                field.proto_name(),
                field.leaf().is_list()
            )
        })
        .collect();
    let _ = writeln!(text, "static {name}: &[Parameter] = &[{}];", entries.join(", "));
}

fn answer(rpc: &Rpc, binding: &Binding) -> String {
    if rpc.descriptor.is_server_streaming() {
        return events(rpc);
    }
    match &binding.response_body {
        None => "unary(&answer)".into(),
        Some(field) if field.is_list() => format!("unary(&answer.{})", rust::field(field)),
        Some(field) => format!("unary(&answer.{}.unwrap_or_default())", rust::field(field)),
    }
}

/// A stream of answers; a field `sequence` is what a reader resumes from.
fn events(rpc: &Rpc) -> String {
    let is_sequence = |field: &FieldDescriptor| {
        let is_long = matches!(field.kind(), Kind::Int64 | Kind::Sint64 | Kind::Sfixed64);
        is_long && !field.is_list() && !is_optional(field) && !real_oneof(field)
    };
    let message = rust::message(&rpc.descriptor.output());
    match rpc
        .descriptor
        .output()
        .get_field_by_name("sequence")
        .filter(is_sequence)
    {
        Some(_) => format!("Ok(stream(answer, |message: &{message}| Some(message.sequence)))"),
        None => format!("Ok(stream(answer, |_: &{message}| None))"),
    }
}

/// The call that sets a field from text.
fn setter(path: &FieldPath, body_may_name_it: bool) -> String {
    let mut place = String::from("request");
    for parent in path.parents() {
        let _ = write!(place, ".{}.get_or_insert_default()", rust::field(parent));
    }
    let leaf = path.leaf();
    let field = format!("{place}.{}", rust::field(leaf));
    let is_message = leaf.kind().as_message().is_some();
    // What holds one value: an expression of type `&mut T`, or `T` when it is to be borrowed.
    let (place, borrow) = if leaf.is_list() {
        (format!("bind::push(&mut {field})"), "")
    } else if is_message || is_optional(leaf) {
        (format!("{field}.get_or_insert_default()"), "")
    } else {
        (field, "&mut ")
    };
    match setter_of(leaf) {
        Setter::Plain("text") if body_may_name_it => format!("bind::same_text({borrow}{place}, value)"),
        Setter::Plain(function) => format!("bind::{function}({borrow}{place}, value)"),
        Setter::Wrapped(function) => format!("bind::{function}(&mut {place}.value, value)"),
        Setter::Enumeration(names) => format!("bind::enumeration({borrow}{place}, value, {names}::from_str_name)"),
    }
}

enum Setter {
    Plain(&'static str),
    /// The wrapper messages of `google.protobuf`.
    Wrapped(&'static str),
    Enumeration(String),
}

fn setter_of(leaf: &FieldDescriptor) -> Setter {
    if let Some(enumeration) = enumeration(leaf) {
        return Setter::Enumeration(rust::enumeration(&enumeration));
    }
    match leaf.kind() {
        Kind::String => Setter::Plain("text"),
        Kind::Bool => Setter::Plain("boolean"),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => Setter::Plain("time"),
            "google.protobuf.Duration" => Setter::Plain("duration"),
            "google.protobuf.StringValue" => Setter::Wrapped("text"),
            "google.protobuf.BoolValue" => Setter::Wrapped("boolean"),
            _ => Setter::Wrapped("number"),
        },
        _ => Setter::Plain("number"),
    }
}
