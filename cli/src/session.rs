//! The session that `login` keeps for the other commands: tokens in a file that only its owner reads.

use crate::private_file;
use mesh::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The tokens of one login.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Session {
    /// The gateway that gave them.
    pub(crate) server: String,
    /// Who logged in.
    pub(crate) user: String,
    /// The access token.
    pub(crate) access_token: String,
    /// When it expires, in microseconds since the Unix epoch.
    pub(crate) expires_at_micros: i64,
    /// The refresh token, good for one use.
    pub(crate) refresh_token: String,
}

/// Where the session is kept when no flag says otherwise: below `XDG_CONFIG_HOME`, or `HOME`.
///
/// # Errors
/// When neither variable is set.
pub(crate) fn default_path() -> Result<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = from("XDG_CONFIG_HOME").or_else(|| from("HOME").map(|home| home.join(".config")));
    folder
        .map(|folder| folder.join("trademesh").join("session.json"))
        .ok_or_else(|| {
            Error::invalid(
                "NO_SESSION_PATH",
                "neither XDG_CONFIG_HOME nor HOME is set: use --session FILE",
            )
        })
}

impl Session {
    /// Reads the session.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                Error::unauthenticated("NOT_LOGGED_IN", "not logged in: run `trademesh login` first")
            } else {
                Error::invalid("SESSION_UNREADABLE", format!("cannot read {}: {error}", path.display()))
            }
        })?;
        serde_json::from_str(&text).map_err(|error| {
            Error::unauthenticated(
                "SESSION_DAMAGED",
                format!(
                    "{} is not a session ({error}): run `trademesh login` again",
                    path.display()
                ),
            )
        })
    }

    /// Writes the session, whole or not at all, readable by its owner alone.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let failed = |error: std::io::Error| {
            Error::invalid("SESSION_NOT_SAVED", format!("cannot write {}: {error}", path.display()))
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let text = serde_json::to_string_pretty(self).expect("a session holds only strings and an integer");
        private_file::write(path, &text).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::{Session, default_path};
    use std::os::unix::fs::PermissionsExt;

    fn session() -> Session {
        Session {
            server: "http://127.0.0.1:8080".into(),
            user: "admin".into(),
            access_token: "a".into(),
            expires_at_micros: 1,
            refresh_token: "r".into(),
        }
    }

    #[test]
    fn a_session_survives_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("session.json");
        session().save(&path).unwrap();
        assert_eq!(Session::load(&path).unwrap(), session());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_used_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        assert_eq!(Session::load(&path).unwrap_err().reason(), "NOT_LOGGED_IN");
        std::fs::write(&path, "{").unwrap();
        assert_eq!(Session::load(&path).unwrap_err().reason(), "SESSION_DAMAGED");
        assert_eq!(Session::load(folder.path()).unwrap_err().reason(), "SESSION_UNREADABLE");
        let below_a_file = path.join("session.json");
        assert_eq!(session().save(&below_a_file).unwrap_err().reason(), "SESSION_NOT_SAVED");
    }

    #[test]
    fn the_default_is_below_the_users_configuration() {
        assert!(default_path().unwrap().ends_with("trademesh/session.json"));
    }
}
