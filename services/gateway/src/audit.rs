//! A line in the log for every call that leaves an audit record, with who made it and how it ended.

use mesh::error::Error;
use mesh::policy::Method;

/// Logs the call, if it is one of those.
pub(crate) fn record(method: &Method, subject: Option<&str>, request_id: &str, refusal: Option<&Error>) {
    if !method.audit {
        return;
    }
    let (status, reason) = refusal.map_or(("ok", ""), |error| (error.kind().as_str(), error.reason()));
    let subject = subject.unwrap_or("nobody");
    tracing::info!(target: "audit", subject, method = method.path, status, reason, request_id, "call");
}
