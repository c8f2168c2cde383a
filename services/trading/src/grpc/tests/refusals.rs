//! A refusal as a test compares it: kind, reason, field.

use mesh::error::Kind;
use tonic::{Response, Status};

pub(super) fn reason<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Kind, String, String) {
    let error = mesh::Error::from(answer.unwrap_err());
    let field = error.context().get("field").cloned().unwrap_or_default();
    (error.kind(), error.reason().to_owned(), field)
}

pub(super) fn invalid(field: &str) -> (Kind, String, String) {
    (Kind::Invalid, "INVALID_FIELD".to_owned(), field.to_owned())
}

/// A field that does not go with the others.
pub(super) fn mismatch(field: &str) -> (Kind, String, String) {
    (Kind::Refused, "FIELD_COMBINATION".to_owned(), field.to_owned())
}

pub(super) fn plain(kind: Kind, reason: &str) -> (Kind, String, String) {
    (kind, reason.to_owned(), String::new())
}
