//! Native gRPC: every service of the mesh behind the gateway's one port. A call is authenticated and authorised, and then
//! forwarded frame by frame, with its trailers; nothing is decoded but the account field of the first message.

use crate::access::Access;
use crate::request_id::RequestId;
use crate::{Gateway, audit, expiry};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use mesh::channel::Channels;
use mesh::error::{Error, Result};
use mesh::identity;
use mesh::policy::{self, Method};
use std::net::IpAddr;
use std::time::Duration;
use tower::ServiceExt;

/// The largest first message that is read for its account, in bytes: that of the servers behind.
const MAX_FIRST_MESSAGE: usize = 4 << 20;
/// The flag byte and the length of a gRPC message (the gRPC protocol over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;
/// The service whose channel answers health and reflection.
const OWN: &str = "gateway";

/// Whether the request is gRPC, by its content type.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value == "application/grpc" || value.starts_with("application/grpc+"))
}

/// Forwards a call to the service that it names.
pub(crate) async fn forward(
    gateway: &Gateway,
    peer: IpAddr,
    id: &RequestId,
    request: Request<Body>,
) -> Response<tonic::body::Body> {
    match try_forward(gateway, peer, id, request).await {
        Ok(response) => response,
        Err(error) => tonic::Status::from(error).into_http(),
    }
}

async fn try_forward(
    gateway: &Gateway,
    peer: IpAddr,
    id: &RequestId,
    request: Request<Body>,
) -> Result<Response<tonic::body::Body>> {
    let path = request.uri().path().to_owned();
    let caller = gateway.access.caller(request.headers()).await;
    gateway.access.count(&caller, peer).1?;
    let Some(method) = policy::method(&path) else {
        return forward_own(&gateway.channels, &path, request).await;
    };
    let known = caller.as_ref().ok().cloned().flatten();
    let answer = match Access::identified(method, caller) {
        Ok(caller) => authorised(gateway, method, caller, request).await,
        Err(error) => Err(error),
    };
    let subject = known.as_ref().map(|caller| caller.principal.subject.as_str());
    audit::record(method, subject, id.as_str(), refusal(&answer).as_ref());
    answer
}

/// How a call was refused: here, or by the service in the head of its answer.
fn refusal(answer: &Result<Response<tonic::body::Body>>) -> Option<Error> {
    match answer {
        Ok(response) => tonic::Status::from_header_map(response.headers())
            .filter(|status| status.code() != tonic::Code::Ok)
            .map(Error::from),
        Err(error) => Some(error.clone()),
    }
}

async fn authorised(
    gateway: &Gateway,
    method: &'static Method,
    caller: Option<identity::Caller>,
    request: Request<Body>,
) -> Result<Response<tonic::body::Body>> {
    gateway.access.allow(method, caller.as_ref(), None)?;
    let within = Duration::from_millis(gateway.config.request_timeout_ms);
    let reading = with_granted_account(&gateway.access, method, caller.as_ref(), request);
    let request = tokio::time::timeout(within, reading).await.unwrap_or_else(|_| {
        Err(Error::deadline(
            "REQUEST_TOO_SLOW",
            "the first message did not come in time",
        ))
    })?;
    let left = caller.as_ref().map(|caller| expiry::left(caller, &gateway.clock));
    let response = identity::with(caller, call(&gateway.channels, method.area, request)).await?;
    Ok(match left {
        Some(left) if method.server_streaming => response.map(|body| until_expiry(body, left)),
        _ => response,
    })
}

/// A stream ends with its caller's token.
fn until_expiry(body: tonic::body::Body, left: Duration) -> tonic::body::Body {
    let frames = expiry::until(BodyStream::new(body), left, || {
        let mut trailers = HeaderMap::new();
        tonic::Status::from(expiry::expired()).add_header(&mut trailers)?;
        Ok(Frame::trailers(trailers))
    });
    tonic::body::Body::new(StreamBody::new(frames))
}

/// Health and reflection are the gateway's own; anything else is not there.
async fn forward_own(channels: &Channels, path: &str, request: Request<Body>) -> Result<Response<tonic::body::Body>> {
    if !path.starts_with("/grpc.") {
        return Err(Error::unimplemented("UNKNOWN_METHOD", "no such method").with("method", path));
    }
    call(channels, OWN, request.map(tonic::body::Body::new)).await
}

async fn call(
    channels: &Channels,
    service: &'static str,
    mut request: Request<tonic::body::Body>,
) -> Result<Response<tonic::body::Body>> {
    // Nobody outside speaks as a service; the channel adds the gateway's own token.
    request.headers_mut().remove("x-trademesh-service");
    channels
        .to(service)
        .oneshot(request)
        .await
        .map_err(|error| Error::unavailable("UNREACHABLE", error.to_string()))
}

/// Reads the first message far enough to know its account, checks the grant, and gives back a request whose body is
/// whole again. A compressed message is left to the service, which checks the same.
async fn with_granted_account(
    access: &Access,
    method: &'static Method,
    caller: Option<&identity::Caller>,
    request: Request<Body>,
) -> Result<Request<tonic::body::Body>> {
    if method.account_field.is_none() {
        return Ok(request.map(tonic::body::Body::new));
    }
    let (parts, body) = request.into_parts();
    let mut frames = body.into_data_stream();
    let mut read = BytesMut::new();
    while read.len() < PREFIX || read.len() < PREFIX + message_length(&read)? {
        match futures::StreamExt::next(&mut frames).await {
            Some(Ok(bytes)) => read.extend_from_slice(&bytes),
            Some(Err(error)) => return Err(Error::unavailable("REQUEST_BROKEN", error.to_string())),
            None => {
                return Err(Error::invalid(
                    "REQUEST_CUT",
                    "the request ended inside its first message",
                ));
            }
        }
    }
    let is_compressed = read[0] != 0;
    if !is_compressed {
        let message = &read[PREFIX..PREFIX + message_length(&read)?];
        access.allow(method, caller, policy::account_of(method, message)?.as_deref())?;
    }
    let first = stream::once(async move { Ok::<Bytes, axum::Error>(read.freeze()) });
    let whole = futures::StreamExt::map(futures::StreamExt::chain(first, frames), |bytes| bytes.map(Frame::data));
    Ok(Request::from_parts(
        parts,
        tonic::body::Body::new(StreamBody::new(whole).map_err(tonic_status)),
    ))
}

fn message_length(read: &BytesMut) -> Result<usize> {
    let length = u32::from_be_bytes([read[1], read[2], read[3], read[4]]) as usize;
    if length > MAX_FIRST_MESSAGE {
        return Err(Error::exhausted("MESSAGE_TOO_LARGE", "the message is too large").with("limit", MAX_FIRST_MESSAGE));
    }
    Ok(length)
}

fn tonic_status(error: axum::Error) -> tonic::Status {
    tonic::Status::unavailable(error.to_string())
}
