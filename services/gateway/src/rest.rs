//! REST: the generated handlers behind the doorkeeper. One request: who calls → how often → which route → may they → a bounded
//! body → the call, under a deadline → JSON or server-sent events.

use crate::Gateway;
use crate::edge::RequestId;
use axum::body::Body;
use http::{Request, Response};
use mesh::deadline;
use mesh::error::{Error, Result};
use mesh::identity::{self, Caller};
use mesh::rest::{Input, Matched, Reply, StreamOptions, error_response, respond};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;
use tonic::metadata::{MetadataMap, MetadataValue};

/// A stream that is quiet for so long sends a comment.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Answers one REST request.
pub(crate) async fn handle(gateway: &Gateway, peer: IpAddr, id: &RequestId, request: Request<Body>) -> Response<Body> {
    let caller = match gateway.access.caller(request.headers()) {
        Ok(caller) => caller,
        Err(error) => return error_response(&error, id.as_str()),
    };
    let allowance = match gateway.access.count(caller.as_ref(), peer) {
        Ok(allowance) => allowance,
        Err(error) => return error_response(&error, id.as_str()),
    };
    let answer = call(gateway, caller, id, request).await;
    let mut response = respond(answer, id.as_str(), StreamOptions { heartbeat: HEARTBEAT });
    allowance.write(response.headers_mut());
    response
}

async fn call(gateway: &Gateway, caller: Option<Caller>, id: &RequestId, request: Request<Body>) -> Result<Reply> {
    let matched = gateway.routes.find(request.method(), request.uri().path())?;
    let rpc = matched.route.rpc;
    let subject = caller.as_ref().map(|caller| caller.principal.subject.clone());
    let answer = authorised(gateway, matched, caller, id, request).await;
    if rpc.audit {
        let (status, reason) = match &answer {
            Ok(_) => ("ok", ""),
            Err(error) => (error.kind().as_str(), error.reason()),
        };
        let subject = subject.as_deref().unwrap_or("nobody");
        tracing::info!(target: "audit", subject, method = rpc.path, status, reason, request_id = id.as_str(), "call");
    }
    answer
}

async fn authorised(
    gateway: &Gateway,
    matched: Matched,
    caller: Option<Caller>,
    id: &RequestId,
    request: Request<Body>,
) -> Result<Reply> {
    let rpc = matched.route.rpc;
    gateway.access.allow(rpc, caller.as_ref(), matched.account())?;
    let input = input_of(gateway, id, request).await?;
    let answer = identity::with(caller, matched.call(input, &gateway.channels));
    if rpc.server_streaming {
        return answer.await;
    }
    let until = Instant::now() + Duration::from_millis(gateway.config.request_timeout_ms);
    let in_time = tokio::time::timeout_at(until, deadline::with(Some(until), answer)).await;
    in_time.unwrap_or_else(|_| {
        Err(Error::deadline(
            "DEADLINE_EXCEEDED",
            "no answer in time; its outcome is unknown",
        ))
    })
}

async fn input_of(gateway: &Gateway, id: &RequestId, request: Request<Body>) -> Result<Input> {
    let (parts, body) = request.into_parts();
    let limit = gateway.config.max_body_bytes;
    let body = axum::body::to_bytes(body, limit).await.map_err(|error| {
        if std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
            Error::invalid("BODY_TOO_LARGE", "the body is too large").with("limit", limit)
        } else {
            Error::invalid("BODY_BROKEN", "the body ended early")
        }
    })?;
    let mut metadata = MetadataMap::new();
    if let Ok(value) = MetadataValue::try_from(id.as_str()) {
        metadata.insert("x-request-id", value);
    }
    Ok(Input {
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
        metadata,
    })
}
