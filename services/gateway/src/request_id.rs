//! What a request is called.

use http::{HeaderMap, HeaderName, HeaderValue};
use mesh::ids::Ids;

/// The header that carries it.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that a client may give its request.
const MAX_REQUEST_ID: usize = 64;

/// What a request is called in answers, logs and behind the gateway.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The client's id when it is a plain one, else a new one.
    pub(crate) fn of(headers: &HeaderMap, ids: &Ids) -> Self {
        let is_plain = |value: &&HeaderValue| {
            (1..=MAX_REQUEST_ID).contains(&value.len())
                && value
                    .as_bytes()
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        };
        let given = headers.get(REQUEST_ID).filter(is_plain).cloned();
        let fresh = || HeaderValue::try_from(ids.next()).expect("an id is letters and digits");
        Self(given.unwrap_or_else(fresh))
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().expect("an id is letters, digits, and -_.")
    }

    /// The id as the value of its header.
    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}
