//! Who may call what, as a page for people.

use std::fmt::Write as _;

use crate::model::{Idempotency, Role};
use crate::{Descriptors, Result, reader};

/// The policy matrix as a page: a row an rpc, a column a role.
///
/// # Errors
/// A rule of the protos that is broken.
pub fn policy_markdown(descriptors: &Descriptors) -> Result<String> {
    let api = reader::read(descriptors)?;
    let mut page = String::from(
        "# Who may call what\n\nGenerated from the options in `proto/`; a test compares this page with them, and \
         `UPDATE_DOCS=1 cargo test -p codegen` writes it anew.\n\nA dot is a role that holds the permission. Account: the \
         caller also needs a grant on the account that the field names.\nRetry: `hedge` has no side effects, `same id` is \
         idempotent under its client-made id, `never` is neither.\n",
    );
    for service in &api.services {
        let _ = write!(
            page,
            "\n## {}\n\n| rpc | permission | account |",
            service.descriptor.full_name()
        );
        for role in Role::ALL {
            let _ = write!(page, " {} |", role.word());
        }
        page.push_str(" retry | audit |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
        for rpc in &service.rpcs {
            let policy = &rpc.policy;
            let account = policy
                .account
                .as_ref()
                .map_or(String::new(), |path| format!("`{}`", path.proto_name()));
            let _ = write!(
                page,
                "| {} | `{}` | {account} |",
                rpc.descriptor.name(),
                policy.permission
            );
            let holders = &api.permissions[&policy.permission];
            for role in Role::ALL {
                page.push_str(if holders.contains(&role) { " • |" } else { " |" });
            }
            let retry = match policy.idempotency {
                Idempotency::NoSideEffects => "hedge",
                Idempotency::Idempotent => "same id",
                Idempotency::Unknown => "never",
            };
            let _ = writeln!(page, " {retry} | {} |", if policy.audit { "always" } else { "" });
        }
    }
    Ok(page)
}
