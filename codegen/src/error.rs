//! Why the generator refuses.

use std::path::Path;

/// A refusal. Its text names the rpc, message or field at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The protos do not compile.
    #[error("{0}")]
    Compile(String),
    /// A proto breaks a rule of the platform.
    #[error("{subject}: {rule}")]
    Rule {
        /// The full name of the rpc, message or field.
        subject: String,
        /// What is wrong with it.
        rule: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        error: String,
    },
}

impl Error {
    pub(crate) fn rule(subject: impl Into<String>, rule: impl Into<String>) -> Self {
        Error::Rule {
            subject: subject.into(),
            rule: rule.into(),
        }
    }

    pub(crate) fn io(path: &Path, error: &std::io::Error) -> Self {
        Error::Io {
            path: path.display().to_string(),
            error: error.to_string(),
        }
    }
}
