//! REST: the generated handlers behind the doorkeeper. One request: who calls → how often → which route → may they → a bounded
//! body → the call, under a deadline → JSON or server-sent events.

use crate::access::Access;
use crate::request_id::RequestId;
use crate::{Gateway, audit, expiry};
use axum::body::Body;
use futures::StreamExt;
use http::{Request, Response};
use mesh::deadline;
use mesh::error::{Error, Result};
use mesh::identity::{self, Caller};
use mesh::rest::{Input, Matched, Reply, StreamOptions, respond};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic::metadata::{MetadataMap, MetadataValue};

/// Answers one REST request.
pub(crate) async fn handle(gateway: &Gateway, peer: IpAddr, id: &RequestId, request: Request<Body>) -> Response<Body> {
    let caller = gateway.access.caller(request.headers()).await;
    let (allowance, counted) = gateway.access.count(&caller, peer);
    let answer = match counted {
        Ok(()) => call(gateway, caller, id, request).await,
        Err(error) => Err(error),
    };
    let heartbeat = Duration::from_millis(gateway.config.stream_heartbeat_ms.max(1));
    let mut response = respond(answer, id.as_str(), StreamOptions { heartbeat });
    allowance.write(response.headers_mut());
    response
}

async fn call(
    gateway: &Gateway,
    caller: Result<Option<Caller>>,
    id: &RequestId,
    request: Request<Body>,
) -> Result<Reply> {
    let matched = gateway.routes.find(request.method(), request.uri().path())?;
    let rpc = matched.route.rpc;
    let known = caller.as_ref().ok().cloned().flatten();
    let answer = match Access::identified(rpc, caller) {
        Ok(caller) => authorised(gateway, matched, caller, id, request).await,
        Err(error) => Err(error),
    };
    let subject = known.as_ref().map(|caller| caller.principal.subject.as_str());
    audit::record(rpc, subject, id.as_str(), answer.as_ref().err());
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
    let until = Instant::now() + Duration::from_millis(gateway.config.request_timeout_ms);
    let input = timeout_at(until, input_of(gateway, id, request))
        .await
        .unwrap_or_else(|_| Err(Error::deadline("BODY_TOO_SLOW", "the body did not come in time")))?;
    let left = caller.as_ref().map(|caller| expiry::left(caller, &gateway.clock));
    let answer = identity::with(caller, matched.call(input, &gateway.channels));
    if rpc.server_streaming {
        return answer.await.map(|reply| until_expiry(reply, left));
    }
    let in_time = timeout_at(until, deadline::with(Some(until), answer)).await;
    in_time.unwrap_or_else(|_| {
        Err(Error::deadline(
            "DEADLINE_EXCEEDED",
            "no answer in time; its outcome is unknown",
        ))
    })
}

/// A stream ends with its caller's token.
fn until_expiry(reply: Reply, left: Option<Duration>) -> Reply {
    match (reply, left) {
        (Reply::Stream(events), Some(left)) => {
            Reply::Stream(expiry::until(events, left, || Err(expiry::expired())).boxed())
        }
        (reply, _) => reply,
    }
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
