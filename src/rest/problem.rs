//! Errors over HTTP: `google.rpc.Status` as JSON, with the reason and the id of the request.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::error::{DOMAIN, Error, Kind};

/// The HTTP status of an error. HTTP tells a few refusals apart that gRPC does not know: they go by reason.
pub fn status_of(error: &Error) -> StatusCode {
    match (error.kind(), error.reason()) {
        (Kind::Invalid, "METHOD_NOT_ALLOWED") => StatusCode::METHOD_NOT_ALLOWED,
        (Kind::Invalid, "BODY_TOO_LARGE") => StatusCode::PAYLOAD_TOO_LARGE,
        (Kind::Invalid, "UNSUPPORTED_MEDIA_TYPE") => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        (kind, _) => StatusCode::from_u16(kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The response of an error, with `allow`, `retry-after` and `www-authenticate` where they belong.
pub fn error_response(error: &Error, request_id: &str) -> Response<Body> {
    let status = status_of(error);
    let mut response = Response::new(Body::from(error_json(error, request_id).to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let allow = error
        .context()
        .get("allow")
        .and_then(|methods| HeaderValue::from_str(methods).ok());
    if let (StatusCode::METHOD_NOT_ALLOWED, Some(allow)) = (status, allow) {
        headers.insert(header::ALLOW, allow);
    }
    if let Some(delay) = error.retry_delay() {
        // Whole seconds, rounded up: nobody is told to come back too early.
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(super) fn error_json(error: &Error, request_id: &str) -> Value {
    json!({
        "error": {
            "code": status_of(error).as_u16(),
            "status": status_word(error.kind()),
            "message": error.message(),
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": error.reason(),
                    "domain": DOMAIN,
                    "metadata": error.context(),
                },
                {
                    "@type": "type.googleapis.com/google.rpc.RequestInfo",
                    "requestId": request_id,
                },
            ],
        }
    })
}

/// The name of a kind's gRPC code, for example `PERMISSION_DENIED`.
pub fn status_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "INVALID_ARGUMENT",
        Kind::Unauthenticated => "UNAUTHENTICATED",
        Kind::Denied => "PERMISSION_DENIED",
        Kind::NotFound => "NOT_FOUND",
        Kind::Conflict => "ALREADY_EXISTS",
        Kind::Refused => "FAILED_PRECONDITION",
        Kind::Exhausted => "RESOURCE_EXHAUSTED",
        Kind::Unavailable => "UNAVAILABLE",
        Kind::Deadline => "DEADLINE_EXCEEDED",
        Kind::Internal => "INTERNAL",
        Kind::Unimplemented => "UNIMPLEMENTED",
    }
}
