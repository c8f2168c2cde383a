//! Wrappers that implement the server traits: they authorise each decoded request, check its fields, then call the service.

use std::fmt::Write as _;

use heck::{ToSnakeCase, ToUpperCamelCase};

use crate::checks::Checks;
use crate::model::{Api, FieldPath, Rpc, Service};
use crate::rust;

/// Generates `guard.rs`.
pub(crate) fn generate(api: &Api, checks: &Checks) -> String {
    let paths: Vec<String> = api.rpcs().iter().map(|rpc| rpc.grpc_path()).collect();
    let mut text = String::new();
    for service in &api.services {
        write_service(service, &paths, checks, &mut text);
    }
    text
}

fn write_service(service: &Service, paths: &[String], checks: &Checks, text: &mut String) {
    let name = service.descriptor.name().to_upper_camel_case();
    let function = service.descriptor.name().to_snake_case();
    let server = rust::server_trait(&service.descriptor);
    let _ = writeln!(
        text,
        "/// `{0}` behind its policy.\n#[derive(Debug, Clone)]\npub struct {name}Guard<T> {{\n    inner: T,\n}}\n\n\
         /// Authorises and checks each request of `{0}` before `inner` sees it.\n\
         pub fn {function}<T: {server}>(inner: T) -> {name}Guard<T> {{\n    {name}Guard {{ inner }}\n}}\n\n\
         #[tonic::async_trait]\nimpl<T: {server}> {server} for {name}Guard<T> {{",
        service.descriptor.full_name(),
    );
    for rpc in &service.rpcs {
        let index = paths.binary_search(&rpc.grpc_path()).expect("the list holds every rpc");
        write_rpc(rpc, index, checks, text);
    }
    text.push_str("}\n\n");
}

fn write_rpc(rpc: &Rpc, index: usize, checks: &Checks, text: &mut String) {
    let method = rust::method(rpc.descriptor.name());
    let (input, output) = (
        rust::message(&rpc.descriptor.input()),
        rust::message(&rpc.descriptor.output()),
    );
    let request = if rpc.descriptor.is_client_streaming() {
        format!("tonic::Streaming<{input}>")
    } else {
        input
    };
    let response = if rpc.descriptor.is_server_streaming() {
        format!("tonic::codegen::BoxStream<{output}>")
    } else {
        output
    };
    let account = rpc
        .policy
        .account
        .as_ref()
        .map_or("None".into(), |path| format!("Some({})", read(path)));
    let check = if rpc.descriptor.is_client_streaming() {
        String::new()
    } else {
        checks.statement(&rpc.descriptor.input())
    };
    let _ = writeln!(
        text,
        "    async fn {method}(&self, request: tonic::Request<{request}>) -> Result<tonic::Response<{response}>, tonic::Status> {{\n        \
         crate::policy::authorise(&super::tables::METHODS[{index}], request.extensions(), {account})?;\n        \
         {check}self.inner.{method}(request).await\n    }}",
    );
}

/// The expression that reads a string field of the request; an absent message reads as the empty string.
fn read(path: &FieldPath) -> String {
    let leaf = rust::field(path.leaf());
    let Some((first, others)) = path.parents().split_first() else {
        return format!("request.get_ref().{leaf}.as_str()");
    };
    let mut text = format!("request.get_ref().{}.as_ref()", rust::field(first));
    for parent in others {
        let _ = write!(text, ".and_then(|message| message.{}.as_ref())", rust::field(parent));
    }
    format!("{text}.map_or(\"\", |message| message.{leaf}.as_str())")
}
