//! The names that prost and tonic give to what the protos name.

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{EnumDescriptor, FieldDescriptor, MessageDescriptor, ServiceDescriptor};

/// A field of a generated struct.
pub(crate) fn field(field: &FieldDescriptor) -> String {
    match field.name() {
        // The keywords that `rules` lets pass.
        name @ ("type" | "use") => format!("r#{name}"),
        name => name.to_owned(),
    }
}

/// A method of a generated client or server.
pub(crate) fn method(name: &str) -> String {
    name.to_snake_case()
}

/// A message's type, seen from a module beside the packages.
pub(crate) fn message(message: &MessageDescriptor) -> String {
    match message.full_name() {
        "google.protobuf.Empty" => "::pbjson_types::Empty".into(),
        full_name => type_path(message.package_name(), full_name),
    }
}

/// An enum's type, seen from a module beside the packages.
pub(crate) fn enumeration(enumeration: &EnumDescriptor) -> String {
    type_path(enumeration.package_name(), enumeration.full_name())
}

/// Outer messages are modules of their nested types.
fn type_path(package: &str, full_name: &str) -> String {
    let names: Vec<&str> = full_name[package.len() + 1..].split('.').collect();
    let (name, outer) = names.split_last().expect("a full name ends in a name");
    let mut path = module(package);
    for name in outer {
        path.push_str(&format!("::{}", name.to_snake_case()));
    }
    format!("{path}::{}", name.to_upper_camel_case())
}

/// A package's module, seen from a module beside the packages.
pub(crate) fn module(package: &str) -> String {
    format!("super::{}", package.replace('.', "::"))
}

/// The client of a service.
pub(crate) fn client(service: &ServiceDescriptor) -> String {
    let name = service.name();
    format!(
        "{}::{}_client::{}Client",
        module(service.package_name()),
        name.to_snake_case(),
        name.to_upper_camel_case()
    )
}

/// The server trait of a service.
pub(crate) fn server_trait(service: &ServiceDescriptor) -> String {
    let name = service.name();
    format!(
        "{}::{}_server::{}",
        module(service.package_name()),
        name.to_snake_case(),
        name.to_upper_camel_case()
    )
}
