//! Why a command was refused: a stable code with typed context, never a sentence alone.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What kind of refusal it is; the outside maps it to a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// The risk gate, or the order's state, forbids it. Risk refusals are journalled under their key.
    Refused,
    /// The key was used for something else.
    Conflict,
    /// There is no such thing, or not for this account.
    NotFound,
    /// Not now; the same request may pass later. Never journalled.
    Unavailable,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Its kind.
    pub kind: RefusalKind,
    /// Its stable code.
    pub reason: Cow<'static, str>,
    /// What a person reads.
    pub message: String,
    /// The figures behind it.
    pub context: BTreeMap<String, String>,
}

impl Refusal {
    /// A refusal by a rule.
    pub fn refused(reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(RefusalKind::Refused, reason, message)
    }

    /// A refusal of any kind.
    pub fn new(kind: RefusalKind, reason: &'static str, message: impl Into<String>) -> Refusal {
        Refusal {
            kind,
            reason: Cow::Borrowed(reason),
            message: message.into(),
            context: BTreeMap::new(),
        }
    }

    /// Adds a figure.
    pub fn with(mut self, key: &str, value: impl std::fmt::Display) -> Refusal {
        self.context.insert(key.to_owned(), value.to_string());
        self
    }
}
