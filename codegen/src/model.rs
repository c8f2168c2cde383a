//! What the generator knows of an API once every rule holds: services, rpcs, their policy and their HTTP bindings.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor};

use crate::template::Template;

/// The whole API.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) services: Vec<Service>,
    /// The roles that hold each permission, with the administrator where it holds it.
    pub(crate) permissions: BTreeMap<String, Vec<Role>>,
}

/// A service and its rpcs.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) descriptor: ServiceDescriptor,
    pub(crate) rpcs: Vec<Rpc>,
}

/// An rpc, its policy and its HTTP bindings.
#[derive(Debug)]
pub(crate) struct Rpc {
    pub(crate) descriptor: MethodDescriptor,
    pub(crate) policy: Policy,
    pub(crate) bindings: Vec<Binding>,
}

/// What the options of an rpc say about who may call it, and how.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) permission: String,
    pub(crate) scope: Scope,
    /// The request field that names the account.
    pub(crate) account: Option<FieldPath>,
    pub(crate) roles: Vec<Role>,
    pub(crate) idempotency: Idempotency,
    pub(crate) audit: bool,
}

/// What a permission is granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Public,
    Platform,
    Account,
}

/// A caller's role, in the order of `trademesh.api.v1.Role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Admin,
    Trader,
    Risk,
    Viewer,
    Bot,
    Service,
}

/// What may be done when the outcome of a call is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idempotency {
    Unknown,
    NoSideEffects,
    Idempotent,
}

/// One HTTP method and path of an rpc.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) method: &'static str,
    pub(crate) text: String,
    pub(crate) template: Template,
    /// The fields that the path's variables name, in their order.
    pub(crate) path: Vec<FieldPath>,
    pub(crate) query: Vec<FieldPath>,
    pub(crate) body: Body,
    pub(crate) response_body: Option<FieldDescriptor>,
}

/// What the request's body fills.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    None,
    /// Every field that the path does not name.
    Whole,
    Field(FieldDescriptor),
}

/// A field of a message within a message within the request.
#[derive(Debug, Clone)]
pub(crate) struct FieldPath(pub(crate) Vec<FieldDescriptor>);

impl FieldPath {
    /// Finds a dotted path.
    pub(crate) fn find(message: &MessageDescriptor, dotted: &str) -> Option<FieldPath> {
        let mut fields = Vec::new();
        let mut message = Some(message.clone());
        for name in dotted.split('.') {
            let field = message?.get_field_by_name(name)?;
            message = field
                .kind()
                .as_message()
                .cloned()
                .filter(|_| !field.is_list() && !field.is_map());
            fields.push(field);
        }
        Some(FieldPath(fields))
    }

    pub(crate) fn leaf(&self) -> &FieldDescriptor {
        &self.0[self.0.len() - 1]
    }

    /// The messages around the leaf, outermost first.
    pub(crate) fn parents(&self) -> &[FieldDescriptor] {
        &self.0[..self.0.len() - 1]
    }

    /// The path in the words of the proto.
    pub(crate) fn proto_name(&self) -> String {
        self.0
            .iter()
            .map(|field| field.name().to_owned())
            .collect::<Vec<_>>()
            .join(".")
    }

    /// The path in the words of JSON.
    pub(crate) fn json_name(&self) -> String {
        self.0
            .iter()
            .map(|field| field.json_name().to_owned())
            .collect::<Vec<_>>()
            .join(".")
    }

    /// Whether a real oneof is on the way.
    pub(crate) fn is_in_oneof(&self) -> bool {
        self.0.iter().any(real_oneof)
    }
}

/// Whether the field is a member of a oneof that somebody wrote.
pub(crate) fn real_oneof(field: &FieldDescriptor) -> bool {
    field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic())
}

/// Whether the field has presence of its own, without being a message or in a oneof.
pub(crate) fn is_optional(field: &FieldDescriptor) -> bool {
    field.field_descriptor_proto().proto3_optional()
}

/// The enum of a field.
pub(crate) fn enumeration(field: &FieldDescriptor) -> Option<EnumDescriptor> {
    match field.kind() {
        Kind::Enum(enumeration) => Some(enumeration),
        _ => None,
    }
}

impl Api {
    /// Every rpc, ordered by its gRPC path.
    pub(crate) fn rpcs(&self) -> Vec<&Rpc> {
        let mut rpcs: Vec<&Rpc> = self.services.iter().flat_map(|service| &service.rpcs).collect();
        rpcs.sort_by_key(|rpc| rpc.grpc_path());
        rpcs
    }
}

impl Rpc {
    /// `/trademesh.trading.v1.TradingService/SubmitOrder`
    pub(crate) fn grpc_path(&self) -> String {
        format!(
            "/{}/{}",
            self.descriptor.parent_service().full_name(),
            self.descriptor.name()
        )
    }

    /// The area: the last segment of the package before its version.
    pub(crate) fn area(&self) -> String {
        let service = self.descriptor.parent_service();
        let segments: Vec<_> = service.package_name().split('.').collect();
        segments.iter().rev().nth(1).unwrap_or(&segments[0]).to_string()
    }
}

impl Role {
    pub(crate) const ALL: [Role; 6] = [
        Role::Admin,
        Role::Trader,
        Role::Risk,
        Role::Viewer,
        Role::Bot,
        Role::Service,
    ];

    /// The role's word in tokens and pages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Trader => "trader",
            Role::Risk => "risk",
            Role::Viewer => "viewer",
            Role::Bot => "bot",
            Role::Service => "service",
        }
    }
}
