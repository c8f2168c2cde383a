//! The policy tables: every rpc with its options, and what each role may do.

use std::fmt::Write as _;

use crate::model::{Api, Binding, Body, Idempotency, Role, Rpc, Scope};

/// Generates `tables.rs`.
pub(crate) fn generate(api: &Api) -> String {
    let mut text = String::from(
        "use crate::identity::Role;\nuse crate::policy::{Body, HttpBinding, Idempotency, Method, Scope};\n\n\
         /// Every rpc, ordered by its path.\npub static METHODS: &[Method] = &[\n",
    );
    for rpc in api.rpcs() {
        text.push_str(&entry(api, rpc));
    }
    text.push_str(
        "];\n\n/// The rpc at a gRPC path such as `/trademesh.trading.v1.TradingService/SubmitOrder`.\n\
         pub fn method(path: &str) -> Option<&'static Method> {\n    \
         METHODS.binary_search_by(|method| method.path.cmp(path)).ok().map(|index| &METHODS[index])\n}\n\n\
         /// The permissions that a role holds, in order.\n\
         pub fn role_permissions(role: Role) -> &'static [&'static str] {\n    match role {\n",
    );
    for role in Role::ALL {
        let held = api
            .permissions
            .iter()
            .filter(|(_, roles)| roles.contains(&role))
            .map(|(name, _)| name);
        let names: Vec<String> = held.map(|name| format!("{name:?}")).collect();
        let _ = writeln!(text, "        Role::{role:?} => &[{}],", names.join(", "));
    }
    text.push_str("    }\n}\n");
    text
}

fn entry(api: &Api, rpc: &Rpc) -> String {
    let policy = &rpc.policy;
    let service = rpc.descriptor.parent_service();
    let scope = match policy.scope {
        Scope::Public => "Public",
        Scope::Platform => "Platform",
        Scope::Account => "Account",
    };
    let idempotency = match policy.idempotency {
        Idempotency::Unknown => "Unknown",
        Idempotency::NoSideEffects => "NoSideEffects",
        Idempotency::Idempotent => "Idempotent",
    };
    let field = policy
        .account
        .as_ref()
        .map_or("None".into(), |path| format!("Some({:?})", path.proto_name()));
    let fields = policy.account.iter().flat_map(|path| &path.0);
    let tags: Vec<String> = fields.map(|field| field.number().to_string()).collect();
    let roles: Vec<String> = api.permissions[&policy.permission]
        .iter()
        .map(|role| format!("Role::{role:?}"))
        .collect();
    let bindings: Vec<String> = rpc.bindings.iter().map(binding).collect();
    format!(
        "    Method {{\n        path: {:?},\n        service: {:?},\n        area: {:?},\n        name: {:?},\n        \
         permission: {:?},\n        scope: Scope::{scope},\n        account_field: {field},\n        \
         account_field_tags: &[{}],\n        roles: &[{}],\n        idempotency: Idempotency::{idempotency},\n        \
         audit: {},\n        client_streaming: {},\n        server_streaming: {},\n        http: &[{}],\n    }},\n",
        rpc.grpc_path(),
        service.full_name(),
        rpc.area(),
        rpc.descriptor.name(),
        policy.permission,
        tags.join(", "),
        roles.join(", "),
        policy.audit,
        rpc.descriptor.is_client_streaming(),
        rpc.descriptor.is_server_streaming(),
        bindings.join(", "),
    )
}

fn binding(binding: &Binding) -> String {
    let body = match &binding.body {
        Body::None => "Body::None".into(),
        Body::Whole => "Body::Whole".into(),
        Body::Field(field) => format!("Body::Field({:?})", field.name()),
    };
    let response = binding
        .response_body
        .as_ref()
        .map_or("None".into(), |field| format!("Some({:?})", field.name()));
    format!(
        "HttpBinding {{ method: {:?}, template: {:?}, body: {body}, response_body: {response} }}",
        binding.method, binding.text
    )
}
