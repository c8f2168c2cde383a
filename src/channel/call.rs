//! One call: stamped, sent, judged, and repeated where that is allowed.

use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, request};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::body::Body;
use tonic::{Code, Status};

use super::answer::{Answer, Judge};
use super::connect::Http2;
use super::method::{Method, method};
use super::peer::{Peer, Target};
use super::replay::Replay;
use crate::balance::Outcome;
use crate::deadline::{self, TIMEOUT_HEADER};
use crate::error::{Error, Result};
use crate::identity::{self, CALLER_HEADER, SERVICE_HEADER};
use crate::telemetry;

/// How often a request that never left this process is given to another connection.
const UNSENT_ATTEMPTS: u32 = 3;
/// The latency that a failure counts as at least.
const FAILURE_PENALTY: Duration = Duration::from_secs(1);

/// Calls a service. Failures are answers too: gRPC responses with reason and context.
pub(super) async fn call(peer: &Peer, mut request: Request<Body>) -> Response<Body> {
    let method = method(request.uri().path());
    let deadline = deadline_of(peer, method, request.headers());
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return Status::from(too_late(peer)).into_http();
    }
    if let Err(error) = stamp(peer, request.headers_mut(), deadline) {
        return Status::from(error).into_http();
    }
    let answered = match peer.target() {
        Target::Local(local) => within(deadline, local.serve(request))
            .await
            .map(|response| local_answer(response, deadline)),
        Target::Remote => remote(peer, method, request, deadline).await,
    };
    answered.unwrap_or_else(|error| Status::from(error.unwrap_or_else(|| too_late(peer))).into_http())
}

/// The earlier of what the request states and what the running call has left; unary calls have a default.
fn deadline_of(peer: &Peer, method: Method, headers: &HeaderMap) -> Option<Instant> {
    let stated = headers
        .get(TIMEOUT_HEADER)
        .and_then(|value| deadline::parse(value.to_str().ok()?));
    let inherited = deadline::current();
    let own = match (stated, inherited) {
        // The caller's deadline already bounds the call.
        (None, Some(_)) => None,
        _ => peer.config.deadline.allowed(stated, method.streaming),
    };
    let own = own.and_then(|left| Instant::now().checked_add(left));
    own.into_iter().chain(inherited).min()
}

fn stamp(peer: &Peer, headers: &mut HeaderMap, deadline: Option<Instant>) -> Result<()> {
    let token = peer.identity.token()?;
    headers.insert(SERVICE_HEADER, header(&token)?);
    if let (Some(caller), false) = (identity::current(), headers.contains_key(CALLER_HEADER)) {
        headers.insert(CALLER_HEADER, header(&format!("Bearer {}", caller.token))?);
    }
    let trace = telemetry::current().unwrap_or_else(|| telemetry::TraceContext::root(&peer.chance));
    telemetry::inject(&trace, headers);
    stamp_timeout(headers, deadline);
    Ok(())
}

fn stamp_timeout(headers: &mut HeaderMap, deadline: Option<Instant>) {
    headers.remove(TIMEOUT_HEADER);
    let left = deadline.map(|deadline| deadline::format(deadline.saturating_duration_since(Instant::now())));
    if let Some(left) = left.and_then(|left| HeaderValue::from_str(&left).ok()) {
        headers.insert(TIMEOUT_HEADER, left);
    }
}

fn header(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::internal("TOKEN_NOT_A_HEADER", "a token has characters that no header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `Err(None)` when the deadline passes first.
async fn within<F: Future>(deadline: Option<Instant>, work: F) -> std::result::Result<F::Output, Option<Error>> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await.map_err(|_| None),
        None => Ok(work.await),
    }
}

fn local_answer(response: Response<Body>, deadline: Option<Instant>) -> Response<Body> {
    if deadline.is_none() {
        return response;
    }
    response.map(|body| Body::new(Answer::new(body, deadline, None)))
}

async fn remote(
    peer: &Peer,
    method: Method,
    request: Request<Body>,
    deadline: Option<Instant>,
) -> std::result::Result<Response<Body>, Option<Error>> {
    peer.budget.deposit();
    let (head, body) = request.into_parts();
    let mut replay = if method.class.may_repeat() && !method.streaming {
        within(deadline, Replay::keep(body, peer.config.retry.replay_bytes)).await?
    } else {
        Replay::Once(body)
    };
    let mut attempt = 0;
    loop {
        let (body, kept) = replay.next();
        let response = within(deadline, send(peer, method, &head, body, deadline)).await;
        let Some(kept) = kept else { return flat(response) };
        let pause = peer.config.retry.backoff().full_jitter(attempt, &peer.chance);
        attempt += 1;
        let in_time = deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
        let again = is_worth_repeating(&response) && attempt < peer.config.retry.attempts && in_time;
        if !again || !peer.budget.withdraw() {
            return flat(response);
        }
        metrics::counter!("rpc_client_retries_total", "service" => peer.service.clone()).increment(1);
        sleep(pause).await;
        replay = kept;
    }
}

type Sent = std::result::Result<Result<Response<Body>>, Option<Error>>;

fn flat(sent: Sent) -> std::result::Result<Response<Body>, Option<Error>> {
    sent?.map_err(Some)
}

/// Only a peer that cannot be reached, or says that it is not available, is asked again.
fn is_worth_repeating(sent: &Sent) -> bool {
    match sent {
        Ok(Ok(response)) => code_of(response.headers()) == Some(Code::Unavailable),
        Ok(Err(error)) => error.kind() == crate::error::Kind::Unavailable,
        Err(_deadline_passed) => false,
    }
}

/// The outcome that an answer without messages carries in its head.
fn code_of(headers: &HeaderMap) -> Option<Code> {
    Some(Code::from_bytes(headers.get("grpc-status")?.as_bytes()))
}

async fn send(
    peer: &Peer,
    method: Method,
    head: &request::Parts,
    body: Body,
    deadline: Option<Instant>,
) -> Result<Response<Body>> {
    let mut body = Some(body);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let lease = peer.balancer.lease().await?;
        let Http2(mut sender) = lease.connection().clone();
        let request = addressed(head, lease.address(), body.take().unwrap_or_default(), deadline)?;
        let judge = Judge::new(lease, &peer.service, method.label, FAILURE_PENALTY);
        match sender.try_send_request(request).await {
            Ok(response) => return Ok(judged(response, judge, deadline)),
            Err(mut failure) => {
                judge.end(Outcome::Failure, Code::Unavailable);
                // A request that hyper hands back was never sent, so another connection may have it.
                let unsent = failure.take_message().map(Request::into_body);
                if unsent.is_none() || attempt == UNSENT_ATTEMPTS {
                    return Err(lost(peer, &failure.into_error()));
                }
                body = unsent;
            }
        }
    }
}

fn addressed(head: &request::Parts, address: &str, body: Body, deadline: Option<Instant>) -> Result<Request<Body>> {
    let mut uri = head.uri.clone().into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(Authority::try_from(address).map_err(|error| bad_address(address, &error))?);
    let uri = Uri::from_parts(uri).map_err(|error| bad_address(address, &error))?;
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.version_mut() = http::Version::HTTP_2;
    *request.uri_mut() = uri;
    *request.headers_mut() = head.headers.clone();
    stamp_timeout(request.headers_mut(), deadline);
    Ok(request)
}

fn judged(response: Response<hyper::body::Incoming>, judge: Judge, deadline: Option<Instant>) -> Response<Body> {
    let answered = match code_of(response.headers()) {
        Some(code) => Some(code),
        None if response.status().is_success() => None,
        None => Some(Code::Unavailable),
    };
    match answered {
        Some(code) => {
            judge.end(Judge::outcome(code), code);
            response.map(Body::new)
        }
        None => response.map(|body| {
            let body = body.map_err(|error| Status::from(stream_lost(&error)));
            Body::new(Answer::new(Body::new(body), deadline, Some(judge)))
        }),
    }
}

fn too_late(peer: &Peer) -> Error {
    let message = format!("{} did not answer in time", peer.service);
    Error::deadline("DEADLINE_PASSED", message).with("service", &peer.service)
}

fn lost(peer: &Peer, error: &hyper::Error) -> Error {
    let message = format!("the connection to {} failed: {error}", peer.service);
    Error::unavailable("CONNECTION_LOST", message).with("service", &peer.service)
}

fn stream_lost(error: &hyper::Error) -> Error {
    Error::unavailable(
        "CONNECTION_LOST",
        format!("the connection failed before the answer was complete: {error}"),
    )
}

fn bad_address(address: &str, error: &dyn std::fmt::Display) -> Error {
    Error::internal("ADDRESS_INVALID", format!("'{address}' cannot be called: {error}"))
}
