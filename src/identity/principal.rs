//! Principals: the verified answer to "who calls".

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A caller's role. The permissions of a role are in the generated table, never here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Runs the platform.
    Admin,
    /// Trades on granted accounts.
    Trader,
    /// Sets limits, halts and resumes.
    Risk,
    /// Reads.
    Viewer,
    /// A program that trades on granted accounts.
    Bot,
    /// A service of the platform itself.
    Service,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 6] = [
        Role::Admin,
        Role::Trader,
        Role::Risk,
        Role::Viewer,
        Role::Bot,
        Role::Service,
    ];

    /// The role's name in tokens and in the API, lowercase.
    pub fn as_str(self) -> &'static str {
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

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == name)
            .ok_or_else(|| Error::invalid("ROLE_UNKNOWN", format!("unknown role '{name}'")).with("role", name))
    }
}

/// The accounts that a caller may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// Every account.
    All,
    /// These accounts.
    Accounts(BTreeSet<String>),
}

impl Grants {
    /// Reads grants as a token carries them: account ids, or `*` for all.
    pub fn from_names<I, S>(names: I) -> Grants
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let accounts: BTreeSet<String> = names.into_iter().map(Into::into).collect();
        if accounts.contains("*") {
            Grants::All
        } else {
            Grants::Accounts(accounts)
        }
    }

    /// The grants as a token carries them.
    pub fn names(&self) -> Vec<String> {
        match self {
            Grants::All => vec!["*".to_owned()],
            Grants::Accounts(accounts) => accounts.iter().cloned().collect(),
        }
    }
}

/// A verified caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user's name, the client id, or the service's name.
    pub subject: String,
    /// The roles.
    pub roles: BTreeSet<Role>,
    /// The accounts that it may touch.
    pub grants: Grants,
    /// The id of the token that proved it.
    pub token_id: String,
    /// When that token expires, in µs since the Unix epoch.
    pub expires_at_micros: i64,
}

impl Principal {
    /// Whether one of the roles holds the permission.
    pub fn allows(&self, permission: &str) -> bool {
        self.roles
            .iter()
            .any(|role| crate::pb::tables::role_permissions(*role).contains(&permission))
    }

    /// Whether the grants cover the account.
    pub fn may_access(&self, account: &str) -> bool {
        match &self.grants {
            Grants::All => true,
            Grants::Accounts(accounts) => accounts.contains(account),
        }
    }

    /// Whether this is a service of the platform.
    pub fn is_service(&self) -> bool {
        self.roles.contains(&Role::Service)
    }
}

#[cfg(test)]
mod tests {
    use super::{Grants, Principal, Role};

    fn principal(grants: Grants) -> Principal {
        Principal {
            subject: "ada".to_owned(),
            roles: [Role::Trader].into(),
            grants,
            token_id: "t".to_owned(),
            expires_at_micros: 0,
        }
    }

    #[test]
    fn every_role_reads_back_from_its_name() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
        }
        let refusal = "root".parse::<Role>().unwrap_err();
        assert_eq!(refusal.reason(), "ROLE_UNKNOWN");
    }

    #[test]
    fn a_star_grants_every_account() {
        assert_eq!(Grants::from_names(["*", "a"]), Grants::All);
        assert_eq!(Grants::All.names(), ["*"]);
        assert!(principal(Grants::All).may_access("anything"));
    }

    #[test]
    fn a_list_grants_only_its_accounts() {
        let principal = principal(Grants::from_names(["paper-2", "paper-1"]));
        assert_eq!(principal.grants.names(), ["paper-1", "paper-2"]);
        assert!(principal.may_access("paper-1"));
        assert!(!principal.may_access("paper-3"));
        assert!(!principal.may_access("*"));
    }

    #[test]
    fn only_services_are_services() {
        let mut principal = principal(Grants::All);
        assert!(!principal.is_service());
        principal.roles.insert(Role::Service);
        assert!(principal.is_service());
    }
}
