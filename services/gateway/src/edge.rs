//! The one port: what every answer carries, and which of the four ways in a request takes.

use crate::pages;
use crate::request_id::{REQUEST_ID, RequestId};
use crate::{Gateway, forward, rest, websocket};
use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, State};
use axum::middleware::{self, Next};
use axum::response::Redirect;
use axum::routing::get;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use mesh::error::{Error, Result};
use mesh::rest::error_response;
use mesh::server::PeerAddress;
use mesh::telemetry::{self, TraceContext};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tower_http::compression::CompressionLayer;
use tracing::{Instrument, Span};

/// The gateway's HTTP surface.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .merge(pages::docs())
        .route("/", get(|| async { Redirect::temporary("/docs/") }))
        .route("/openapi.json", get(pages::openapi))
        .route("/ws", get(upgrade))
        .fallback(dispatch)
        .method_not_allowed_fallback(only_read)
        // Innermost: bodies of unary answers shrink; streams, gRPC and small answers pass as they are.
        .layer(CompressionLayer::new().gzip(true))
        // Outermost: every answer, of whatever way in, has its id and its headers.
        .layer(middleware::from_fn_with_state(gateway.clone(), frame))
        .with_state(gateway)
}

/// Gives the request its id, and the answer its headers.
async fn frame(State(gateway): State<Arc<Gateway>>, mut request: Request<Body>, next: Next) -> Response<Body> {
    let id = RequestId::of(request.headers(), &gateway.ids);
    let is_grpc = forward::is_grpc(request.headers());
    request.headers_mut().insert(REQUEST_ID, id.clone().into_header());
    request.extensions_mut().insert(id.clone());
    let trace = trace_of(request.headers(), &id, &gateway);
    let span = span_of(&request, &trace);
    let begun = gateway.clock.monotonic();
    let served = telemetry::with(Some(trace), next.run(request));
    let mut response = served.instrument(span).await;
    let seconds = (gateway.clock.monotonic() - begun).as_secs_f64();
    let kind = if is_grpc { "grpc" } else { "rest" };
    let status = response.status().as_u16().to_string();
    metrics::histogram!("trademesh_gateway_seconds", "kind" => kind, "status" => status).record(seconds);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.into_header());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(pages::API_POLICY));
    response
}

/// The client's trace, or a new one; what is called behind the gateway carries it together with the request's id.
fn trace_of(headers: &HeaderMap, id: &RequestId, gateway: &Gateway) -> TraceContext {
    let (trace, _) = telemetry::extract(headers);
    let trace = trace.map_or_else(
        || TraceContext::root(&gateway.chance),
        |trace| trace.child(&gateway.chance),
    );
    TraceContext {
        request_id: id.as_str().into(),
        ..trace
    }
}

/// The request as a span of its caller's trace, by the HTTP names of OpenTelemetry.
fn span_of(request: &Request<Body>, trace: &TraceContext) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.name = request.method().as_str(),
        service = "gateway",
        http.request.method = request.method().as_str(),
        url.path = request.uri().path(),
        request_id = &*trace.request_id,
    );
    if let (Some(caller), _) = telemetry::extract(request.headers()) {
        telemetry::link(&span, &caller);
    }
    span
}

/// The pages are only read.
async fn only_read(request: Request<Body>) -> Response<Body> {
    let error = Error::invalid("METHOD_NOT_ALLOWED", "this path does not take this method").with("allow", "GET, HEAD");
    error_response(&error, id_of(&request).as_str())
}

/// gRPC by content type, else REST.
async fn dispatch(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    let (peer, id) = (peer_of(&request), id_of(&request));
    if forward::is_grpc(request.headers()) {
        return forward::forward(&gateway, peer, &id, request).await.map(Body::new);
    }
    rest::handle(&gateway, peer, &id, request).await
}

/// Opens a WebSocket.
async fn upgrade(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    let id = id_of(&request);
    open(gateway, request)
        .await
        .unwrap_or_else(|error| error_response(&error, id.as_str()))
}

async fn open(gateway: Arc<Gateway>, request: Request<Body>) -> Result<Response<Body>> {
    let peer = peer_of(&request);
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| Error::invalid("NOT_A_WEBSOCKET", "this path is a WebSocket: send an upgrade request"))?;
    let caller = websocket::caller_of(&gateway, &parts, peer).await?;
    let place = gateway.sockets.clone().try_acquire_owned().map_err(|_| {
        Error::exhausted("TOO_MANY_WEB_SOCKETS", "too many WebSockets are open").retry_after(Duration::from_secs(5))
    })?;
    let bound = gateway.config.max_frame_bytes;
    let upgrade = upgrade.max_message_size(bound).max_frame_size(bound);
    let trace = telemetry::current();
    Ok(upgrade.on_upgrade(move |socket| async move {
        telemetry::with(trace, websocket::serve(gateway, caller, socket)).await;
        drop(place);
    }))
}

fn peer_of(request: &Request<Body>) -> IpAddr {
    let peer = request.extensions().get::<PeerAddress>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |PeerAddress(address)| address.ip())
}

fn id_of(request: &Request<Body>) -> RequestId {
    request
        .extensions()
        .get()
        .cloned()
        .expect("the frame gives every request an id")
}
