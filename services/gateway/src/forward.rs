//! Native gRPC: every service of the mesh behind the gateway's one port. A call is authenticated and authorised, and then
//! forwarded frame by frame, with its trailers; nothing is decoded but the account field of the first message.

use crate::access::Access;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use mesh::channel::Channels;
use mesh::error::{Error, Result};
use mesh::identity;
use mesh::policy::{self, Method};
use std::net::IpAddr;
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
    access: &Access,
    channels: &Channels,
    peer: IpAddr,
    request: Request<Body>,
) -> Response<tonic::body::Body> {
    match try_forward(access, channels, peer, request).await {
        Ok(response) => response,
        Err(error) => tonic::Status::from(error).into_http(),
    }
}

async fn try_forward(
    access: &Access,
    channels: &Channels,
    peer: IpAddr,
    request: Request<Body>,
) -> Result<Response<tonic::body::Body>> {
    let path = request.uri().path().to_owned();
    let Some(method) = policy::method(&path) else {
        return forward_own(channels, &path, request).await;
    };
    let caller = access.caller(request.headers())?;
    access.count(caller.as_ref(), peer)?;
    access.allow(method, caller.as_ref(), None)?;
    let request = with_granted_account(access, method, caller.as_ref(), request).await?;
    identity::with(caller, call(channels, method.area, request)).await
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
    let whole = futures::StreamExt::map(futures::StreamExt::chain(first, frames), |bytes| {
        bytes.map(http_body::Frame::data)
    });
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
