//! What operators ask a gRPC port over HTTP/1: `/metrics`, `/livez`, `/readyz`.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tonic::body::Body;

use crate::registry::LocalService;
use crate::telemetry;

/// Answers what a service still waits for before it is ready; empty when it is.
pub type ReadyCheck = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// Adds the operators' pages to a gRPC service, and refuses what is neither.
pub fn administered(service: LocalService, pending: ReadyCheck) -> LocalService {
    LocalService::new(move |request: Request<Body>| {
        let answer = if is_grpc(&request) {
            None
        } else {
            Some(page(&request, &pending))
        };
        let service = service.clone();
        async move {
            match answer {
                Some(page) => page,
                None => service.serve(request).await,
            }
        }
    })
}

fn is_grpc(request: &Request<Body>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|content_type| content_type.starts_with(b"application/grpc"))
}

fn page(request: &Request<Body>, pending: &ReadyCheck) -> Response<Body> {
    let path = request.uri().path();
    let is_page = matches!(path, "/metrics" | "/livez" | "/readyz");
    if is_page && request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match path {
        "/metrics" => text(StatusCode::OK, telemetry::metrics().render()),
        "/livez" => text(StatusCode::OK, "alive\n".to_owned()),
        "/readyz" => ready(&pending()),
        _ => text(
            StatusCode::NOT_FOUND,
            "this port speaks gRPC, and has /metrics, /livez and /readyz\n".to_owned(),
        ),
    }
}

fn ready(pending: &[String]) -> Response<Body> {
    if pending.is_empty() {
        return text(StatusCode::OK, "ready\n".to_owned());
    }
    text(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready: {}\n", pending.join(", ")),
    )
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
