//! What somebody may do: roles, and the accounts that they reach.

use std::collections::BTreeSet;

use mesh::identity::{Grants, Role};
use mesh::{Error, Result};

/// Roles and account grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// At least one role, never [`Role::Service`].
    pub(crate) roles: BTreeSet<Role>,
    /// The accounts.
    pub(crate) grants: Grants,
}

impl Access {
    /// Reads roles and accounts as the API names them. Their fields state which words and how many there may be.
    ///
    /// # Errors
    /// `Invalid` for an unknown role and for that of services, `Refused` for `*` beside other accounts.
    pub(crate) fn parse(roles: &[String], accounts: &[String]) -> Result<Access> {
        let roles = roles
            .iter()
            .map(|name| user_role(name))
            .collect::<Result<BTreeSet<Role>>>()?;
        let has_star = accounts.iter().any(|account| account == "*");
        if has_star && accounts.len() > 1 {
            let message = "\"*\" grants all accounts and stands alone";
            return Err(Error::refused("ACCOUNTS_BESIDE_ALL", message).with("field", "access.accounts"));
        }
        Ok(Access {
            roles,
            grants: Grants::from_names(accounts.iter().cloned()),
        })
    }

    /// The roles' names, in order.
    pub(crate) fn role_names(&self) -> Vec<String> {
        self.roles.iter().map(Role::to_string).collect()
    }
}

fn user_role(name: &str) -> Result<Role> {
    match name.parse::<Role>() {
        Ok(role) if role != Role::Service => Ok(role),
        _ => Err(Error::invalid("ROLE_UNKNOWN", format!("unknown role '{name}'")).with("field", "access.roles")),
    }
}

/// What a session may do while its user still has to change the password: see the market and the session itself, and
/// touch no account.
pub(crate) fn access_until_password_changed() -> Access {
    Access {
        roles: [Role::Viewer].into(),
        grants: Grants::Accounts(BTreeSet::new()),
    }
}

/// What a change would make of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PersonChange {
    /// Whether the user is an enabled administrator now.
    pub(crate) was_admin: bool,
    /// Whether the user would be one afterwards.
    pub(crate) is_admin: bool,
}

/// Whether the change would take away the last enabled administrator.
pub(crate) fn leaves_no_admin(change: PersonChange, enabled_admins: u64) -> bool {
    change.was_admin && !change.is_admin && enabled_admins <= 1
}

#[cfg(test)]
mod tests {
    use mesh::identity::{Grants, Role};

    use super::{Access, PersonChange, access_until_password_changed, leaves_no_admin};

    fn parse(roles: &[&str], accounts: &[&str]) -> mesh::Result<Access> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Access::parse(&owned(roles), &owned(accounts))
    }

    #[test]
    fn access_reads_back() {
        let access = parse(&["viewer", "admin", "viewer"], &["paper-2", "paper-1"]).unwrap();
        assert_eq!(access.role_names(), ["admin", "viewer"]);
        assert_eq!(access.grants.names(), ["paper-1", "paper-2"]);
        assert_eq!(parse(&["bot"], &["*"]).unwrap().grants, Grants::All);
        assert!(parse(&["risk"], &[]).is_ok());
    }

    #[test]
    fn bad_access_is_refused_with_its_field() {
        let cases: [(&[&str], &[&str], &str, &str); 4] = [
            (&["root"], &[], "ROLE_UNKNOWN", "access.roles"),
            (&["Admin"], &[], "ROLE_UNKNOWN", "access.roles"),
            (&["service"], &[], "ROLE_UNKNOWN", "access.roles"),
            (&["bot"], &["*", "paper-1"], "ACCOUNTS_BESIDE_ALL", "access.accounts"),
        ];
        for (roles, accounts, reason, field) in cases {
            let refusal = parse(roles, accounts).unwrap_err();
            assert_eq!((refusal.reason(), refusal.context()["field"].as_str()), (reason, field));
        }
    }

    #[test]
    fn until_the_password_is_changed_no_account_is_reached() {
        let access = access_until_password_changed();
        assert_eq!(access.roles, [Role::Viewer].into());
        assert!(access.grants.names().is_empty());
    }

    #[test]
    fn the_last_enabled_admin_stays() {
        // was admin, is admin, enabled admins → refused
        let cases = [
            (true, false, 1, true),
            (true, false, 2, false),
            (true, true, 1, false),
            (false, false, 1, false),
            (false, true, 1, false),
        ];
        for (was_admin, is_admin, admins, refused) in cases {
            assert_eq!(leaves_no_admin(PersonChange { was_admin, is_admin }, admins), refused);
        }
    }
}
