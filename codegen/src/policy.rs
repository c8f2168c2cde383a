//! Reads who may call an rpc, and refuses what is not stated.

use std::collections::BTreeMap;

use prost_reflect::prost_types::method_options::IdempotencyLevel;
use prost_reflect::{DynamicMessage, Kind, MethodDescriptor, Value};

use crate::model::{FieldPath, Idempotency, Policy, Role, Scope, Service, is_optional};
use crate::{Descriptors, Error, Result};

const PERMISSION: &str = "trademesh.api.v1.permission";
const AUDIT: &str = "trademesh.api.v1.audit";
const PUBLIC: &str = "public";

/// Reads the policy of one rpc.
pub(crate) fn read(descriptors: &Descriptors, rpc: &MethodDescriptor) -> Result<Policy> {
    let broken = |rule: &str| Error::rule(rpc.full_name(), rule);
    let options = rpc.options();
    let pool = descriptors.pool();
    let extension = pool.get_extension_by_name(PERMISSION);
    let permission = extension
        .filter(|extension| options.has_extension(extension))
        .and_then(|extension| options.get_extension(&extension).as_message().cloned())
        .ok_or_else(|| broken("it states no permission"))?;
    let name = text(&permission, "name");
    if name.is_empty() {
        return Err(broken("its permission has no name"));
    }
    let roles = roles(&permission).ok_or_else(|| broken("it names an unspecified role"))?;
    let scope = match (name.as_str(), number(&permission, "scope")) {
        (PUBLIC, 0) => Scope::Public,
        (PUBLIC, _) => return Err(broken("a public rpc has no scope")),
        (_, 1) => Scope::Platform,
        (_, 2) => Scope::Account,
        _ => return Err(broken("its permission has no scope")),
    };
    if (scope == Scope::Public) != roles.is_empty() {
        return Err(broken("roles hold a permission, unless it is public"));
    }
    let account = account(rpc, scope, &text(&permission, "account_field"))?;
    let audit = pool.get_extension_by_name(AUDIT).is_some_and(|extension| {
        options.has_extension(&extension) && options.get_extension(&extension).as_enum_number() == Some(1)
    });
    Ok(Policy {
        permission: name,
        scope,
        account,
        roles,
        idempotency: idempotency(rpc),
        audit,
    })
}

fn account(rpc: &MethodDescriptor, scope: Scope, dotted: &str) -> Result<Option<FieldPath>> {
    let broken = |rule: String| Error::rule(rpc.full_name(), rule);
    match (scope, dotted) {
        (Scope::Account, "") => {
            return Err(broken(
                "its scope is the account, and it states no account_field".into(),
            ));
        }
        (Scope::Account, _) => {}
        (_, "") => return Ok(None),
        _ => {
            return Err(broken(
                "only an rpc with the account's scope has an account_field".into(),
            ));
        }
    }
    if rpc.is_client_streaming() {
        return Err(broken("a client-streaming rpc cannot have the account's scope".into()));
    }
    let path = FieldPath::find(&rpc.input(), dotted)
        .ok_or_else(|| broken(format!("its account_field '{dotted}' does not exist")))?;
    let leaf = path.leaf();
    if leaf.kind() != Kind::String || leaf.is_list() || is_optional(leaf) || path.is_in_oneof() {
        return Err(broken(format!("its account_field '{dotted}' is not a plain string")));
    }
    Ok(Some(path))
}

fn idempotency(rpc: &MethodDescriptor) -> Idempotency {
    let level = rpc
        .method_descriptor_proto()
        .options
        .as_ref()
        .map(|options| options.idempotency_level());
    match level {
        Some(IdempotencyLevel::NoSideEffects) => Idempotency::NoSideEffects,
        Some(IdempotencyLevel::Idempotent) => Idempotency::Idempotent,
        Some(IdempotencyLevel::IdempotencyUnknown) | None => Idempotency::Unknown,
    }
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message
        .get_field_by_name(field)
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn number(message: &DynamicMessage, field: &str) -> i32 {
    message
        .get_field_by_name(field)
        .and_then(|value| value.as_enum_number())
        .unwrap_or_default()
}

fn roles(message: &DynamicMessage) -> Option<Vec<Role>> {
    let value = message.get_field_by_name("roles")?;
    let mut roles = Vec::new();
    for role in value.as_list()? {
        let index = usize::try_from(role.as_enum_number()?).ok()?.checked_sub(1)?;
        roles.push(*Role::ALL.get(index)?);
    }
    roles.sort();
    roles.dedup();
    Some(roles)
}

/// The roles of each permission; the administrator holds all but those for services alone.
pub(crate) fn permissions(services: &[Service]) -> Result<BTreeMap<String, Vec<Role>>> {
    let mut stated: BTreeMap<String, (Vec<Role>, String)> = BTreeMap::new();
    for rpc in services.iter().flat_map(|service| &service.rpcs) {
        let policy = &rpc.policy;
        let name = rpc.descriptor.full_name().to_owned();
        let (roles, first) = stated
            .entry(policy.permission.clone())
            .or_insert_with(|| (policy.roles.clone(), name.clone()));
        if *roles != policy.roles {
            let rule = format!("it gives '{}' to other roles than {first} does", policy.permission);
            return Err(Error::rule(name, rule));
        }
    }
    let with_admin = |mut roles: Vec<Role>| {
        if !roles.is_empty() && roles != [Role::Service] && !roles.contains(&Role::Admin) {
            roles.insert(0, Role::Admin);
        }
        roles
    };
    Ok(stated
        .into_iter()
        .map(|(permission, (roles, _))| (permission, with_admin(roles)))
        .collect())
}

/// The text of a value in an option, for the readers of other options.
pub(crate) fn string_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
