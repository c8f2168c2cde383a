//! The one error of every service, and the one place that maps its kinds to gRPC and HTTP.
//!
//! A kind says what happened in general and is closed: every mapping below is an exhaustive `match`, so that a new kind
//! does not compile until it is classified. A reason says what happened in particular: a stable code that programs may
//! compare. Both travel in the gRPC status, as `google.rpc.ErrorInfo`, with the typed context beside them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of our reasons in `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "trademesh";

/// The longest message that leaves a process, in bytes: a status travels in headers, which peers bound.
const MAX_MESSAGE: usize = 1024;

/// The longest context value that leaves a process, in bytes.
const MAX_CONTEXT_VALUE: usize = 256;

/// The most context entries that leave a process.
const MAX_CONTEXT_ENTRIES: usize = 16;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What happened, in general.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The request is malformed, whatever the state of the system.
    Invalid,
    /// Nobody knows who is calling.
    Unauthenticated,
    /// The caller is known and may not do this.
    Denied,
    /// What was named does not exist.
    NotFound,
    /// It exists already, or somebody changed it meanwhile.
    Conflict,
    /// The request is well formed, and a rule or the present state refuses it.
    Refused,
    /// A limit is used up: a rate, a quota, a queue.
    Exhausted,
    /// The service or something that it needs cannot be reached now.
    Unavailable,
    /// The time allowed has passed; the outcome is unknown.
    Deadline,
    /// A defect or damage on our side.
    Internal,
    /// The call is not built.
    Unimplemented,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 11] = [
        Kind::Invalid,
        Kind::Unauthenticated,
        Kind::Denied,
        Kind::NotFound,
        Kind::Conflict,
        Kind::Refused,
        Kind::Exhausted,
        Kind::Unavailable,
        Kind::Deadline,
        Kind::Internal,
        Kind::Unimplemented,
    ];

    /// The lowercase name, as in logs and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Invalid => "invalid",
            Kind::Unauthenticated => "unauthenticated",
            Kind::Denied => "denied",
            Kind::NotFound => "not_found",
            Kind::Conflict => "conflict",
            Kind::Refused => "refused",
            Kind::Exhausted => "exhausted",
            Kind::Unavailable => "unavailable",
            Kind::Deadline => "deadline",
            Kind::Internal => "internal",
            Kind::Unimplemented => "unimplemented",
        }
    }

    /// The gRPC status code.
    pub fn code(self) -> Code {
        match self {
            Kind::Invalid => Code::InvalidArgument,
            Kind::Unauthenticated => Code::Unauthenticated,
            Kind::Denied => Code::PermissionDenied,
            Kind::NotFound => Code::NotFound,
            Kind::Conflict => Code::AlreadyExists,
            Kind::Refused => Code::FailedPrecondition,
            Kind::Exhausted => Code::ResourceExhausted,
            Kind::Unavailable => Code::Unavailable,
            Kind::Deadline => Code::DeadlineExceeded,
            Kind::Internal => Code::Internal,
            Kind::Unimplemented => Code::Unimplemented,
        }
    }

    /// The HTTP status.
    pub fn http_status(self) -> u16 {
        match self {
            Kind::Invalid => 400,
            Kind::Unauthenticated => 401,
            Kind::Denied => 403,
            Kind::NotFound => 404,
            Kind::Conflict => 409,
            Kind::Refused => 422,
            Kind::Exhausted => 429,
            Kind::Internal => 500,
            Kind::Unimplemented => 501,
            Kind::Unavailable => 503,
            Kind::Deadline => 504,
        }
    }

    /// Whether the same request may succeed later. Whether it may be *sent* again is a matter of the method's
    /// idempotency, which the retry layer adds: after `Deadline` the outcome is unknown, and the time is gone.
    pub fn is_retryable(self) -> bool {
        match self {
            Kind::Exhausted | Kind::Unavailable => true,
            Kind::Invalid
            | Kind::Unauthenticated
            | Kind::Denied
            | Kind::NotFound
            | Kind::Conflict
            | Kind::Refused
            | Kind::Deadline
            | Kind::Internal
            | Kind::Unimplemented => false,
        }
    }

    /// The kind and the reason of a status that carries no reason of ours.
    fn of_foreign(code: Code) -> (Kind, &'static str) {
        match code {
            // An OK that somebody handles as an error is a defect.
            Code::Ok => (Kind::Internal, "OK_AS_ERROR"),
            // The peer stopped before an answer: nothing is known, and asking again is right.
            Code::Cancelled => (Kind::Unavailable, "CANCELLED"),
            Code::Unknown => (Kind::Internal, "UNKNOWN"),
            Code::InvalidArgument => (Kind::Invalid, "INVALID_ARGUMENT"),
            Code::DeadlineExceeded => (Kind::Deadline, "DEADLINE_EXCEEDED"),
            Code::NotFound => (Kind::NotFound, "NOT_FOUND"),
            Code::AlreadyExists => (Kind::Conflict, "ALREADY_EXISTS"),
            Code::PermissionDenied => (Kind::Denied, "PERMISSION_DENIED"),
            Code::ResourceExhausted => (Kind::Exhausted, "RESOURCE_EXHAUSTED"),
            Code::FailedPrecondition => (Kind::Refused, "FAILED_PRECONDITION"),
            Code::Aborted => (Kind::Conflict, "ABORTED"),
            Code::OutOfRange => (Kind::Invalid, "OUT_OF_RANGE"),
            Code::Unimplemented => (Kind::Unimplemented, "UNIMPLEMENTED"),
            Code::Internal => (Kind::Internal, "INTERNAL"),
            Code::Unavailable => (Kind::Unavailable, "UNAVAILABLE"),
            Code::DataLoss => (Kind::Internal, "DATA_LOSS"),
            Code::Unauthenticated => (Kind::Unauthenticated, "UNAUTHENTICATED"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A refusal or a failure: its kind, a stable reason, a sentence for people, and typed context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    reason: Cow<'static, str>,
    message: String,
    context: BTreeMap<String, String>,
    retry_after: Option<Duration>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
                Error::new(Kind::$kind, reason, message)
            }
        )*
    };
}

impl Error {
    /// An error of a kind. `reason` is stable and in SCREAMING_SNAKE_CASE; `message` is for people and may change.
    pub fn new(kind: Kind, reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Error {
            kind,
            reason: reason.into(),
            message: message.into(),
            context: BTreeMap::new(),
            retry_after: None,
        }
    }

    constructors! {
        /// A malformed request ([`Kind::Invalid`]).
        invalid => Invalid;
        /// An unknown caller ([`Kind::Unauthenticated`]).
        unauthenticated => Unauthenticated;
        /// A caller without the right ([`Kind::Denied`]).
        denied => Denied;
        /// Something that does not exist ([`Kind::NotFound`]).
        not_found => NotFound;
        /// Something that exists already, or was changed meanwhile ([`Kind::Conflict`]).
        conflict => Conflict;
        /// A rule or the present state refuses ([`Kind::Refused`]).
        refused => Refused;
        /// A limit is used up ([`Kind::Exhausted`]).
        exhausted => Exhausted;
        /// Something cannot be reached now ([`Kind::Unavailable`]).
        unavailable => Unavailable;
        /// The time allowed has passed ([`Kind::Deadline`]).
        deadline => Deadline;
        /// A defect or damage on our side ([`Kind::Internal`]).
        internal => Internal;
        /// A call that is not built ([`Kind::Unimplemented`]).
        unimplemented => Unimplemented;
    }

    /// Adds a typed fact that a program may read, such as the field or the limit. The last value of a key stands.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.context.insert(key.to_owned(), value.to_string());
        self
    }

    /// Says how long to wait before asking again (`google.rpc.RetryInfo`).
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// What happened, in general.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened, in particular: a stable code.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Typed facts by name.
    pub fn context(&self) -> &BTreeMap<String, String> {
        &self.context
    }

    /// How long to wait before asking again, if somebody said so.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the same request may succeed later, by its kind alone.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.message, self.reason)
    }
}

impl std::error::Error for Error {}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let metadata: HashMap<String, String> = error
            .context
            .into_iter()
            .take(MAX_CONTEXT_ENTRIES)
            .map(|(key, value)| (key, shortened(value, MAX_CONTEXT_VALUE)))
            .collect();
        let mut details = ErrorDetails::new();
        details.set_error_info(error.reason, DOMAIN, metadata);
        if let Some(delay) = error.retry_after {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(error.kind.code(), shortened(error.message, MAX_MESSAGE), details)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let (kind, foreign_reason) = Kind::of_foreign(status.code());
        let mut error = match status.get_details_error_info() {
            Some(info) => {
                let mut error = Error::new(kind, info.reason, status.message());
                error.context.extend(info.metadata);
                if info.domain != DOMAIN {
                    error.context.insert("domain".to_owned(), info.domain);
                }
                error
            }
            None if is_transport_failure(&status) => Error::unavailable("TRANSPORT_FAILED", status.message()),
            None => Error::new(kind, foreign_reason, status.message()),
        };
        error.retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
        error
    }
}

/// Whether our own side of the connection made this status up. A status that came over the wire has no source; one
/// that tonic derived from a broken connection names it.
fn is_transport_failure(status: &Status) -> bool {
    if std::error::Error::source(status).is_none() {
        return false;
    }
    match status.code() {
        Code::Cancelled | Code::Unknown | Code::Internal | Code::Unavailable => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

/// The text, cut at a character within `limit` bytes.
fn shortened(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit - '…'.len_utf8()));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
