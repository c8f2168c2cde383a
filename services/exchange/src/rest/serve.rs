//! From an HTTP request to its endpoint, and from the answer to a response with its headers.

use super::endpoint::{Answer, Api, Route, route};
use super::params::Params;
use super::perform::{Caller, perform};
use crate::error::ApiError;
use crate::faults::End;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode};
use mesh::server::PeerAddress;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// How long a request body may take to arrive.
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(10);

/// What Binance answers where `listenKey`s were given out until 2026-02-20: the page of the proxy before its API, as its
/// callers quote it (<https://github.com/thrasher-corp/gocryptotrader/issues/2190>).
const GONE: &str = "<html>\r\n<head><title>410 Gone</title></head>\r\n<body>\r\n<center><h1>410 Gone</h1></center>\r\n\
                    <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// Routes of the surface.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/api/{*path}", axum::routing::any(serve))
        .route("/sapi/{*path}", axum::routing::any(serve))
        .fallback(not_found)
        .with_state(api)
}

async fn not_found() -> Response {
    let page = "<html><body><h2>404 Not found</h2></body></html>";
    answer(StatusCode::NOT_FOUND, "text/html", page.to_owned())
}

/// What is answered when the table has no such route.
async fn no_route(method: &Method, path: &str) -> Response {
    let gave_listen_keys = [Method::POST, Method::PUT, Method::DELETE].contains(method) && path == "userDataStream";
    if gave_listen_keys {
        return answer(StatusCode::GONE, "text/html", GONE.to_owned());
    }
    not_found().await
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    let path = request.uri().path();
    let path = path.strip_prefix("/api/v3/").unwrap_or(path).to_owned();
    let Some(route) = route(request.method(), &path) else {
        return no_route(request.method(), &path).await;
    };
    let peer = request.extensions().get::<PeerAddress>();
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |PeerAddress(address)| address.ip());
    let fate = api
        .faults
        .request(route.0.scope(), api_key(&request).unwrap_or_default());
    if fate.end == End::CutBefore {
        return cut();
    }
    let mut result = handle(&api, route, address, request).await;
    fate.hold().await;
    match fate.end {
        End::CutAfter => return cut(),
        End::Unknown => result = Err(ApiError::unknown_outcome()),
        End::Reply | End::CutBefore => {}
    }
    let orders = result.as_ref().ok().and_then(|answer| answer.orders);
    let mut response = match result {
        Ok(Answer { body, .. }) => answer(StatusCode::OK, "application/json;charset=UTF-8", body),
        Err(error) => refusal(&error),
    };
    let used = api.meter.lock().weight(address, (api.now)());
    let headers = response.headers_mut();
    headers.insert("x-mbx-used-weight", used.into());
    headers.insert("x-mbx-used-weight-1m", used.into());
    if let Some(count) = orders {
        headers.insert("x-mbx-order-count-10s", count.ten_seconds.into());
        headers.insert("x-mbx-order-count-1d", count.day.into());
    }
    response
}

fn api_key(request: &Request) -> Option<&str> {
    let value = request.headers().get("x-mbx-apikey")?;
    Some(value.to_str().unwrap_or_default())
}

/// A response that ends the connection before a byte of it is sent: its body fails at once.
fn cut() -> Response {
    let broken = futures::stream::iter([Err::<bytes::Bytes, _>(std::io::Error::other("cut on purpose"))]);
    Response::new(Body::from_stream(broken))
}

fn refusal(error: &ApiError) -> Response {
    let mut body = serde_json::json!({"code": error.code, "msg": error.message});
    if let Some(data) = &error.data {
        body["data"] = data.clone();
    }
    let body = body.to_string();
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, "application/json;charset=UTF-8", body);
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn handle(api: &Arc<Api>, route: Route, address: IpAddr, request: Request) -> Result<Answer, ApiError> {
    let api_key = api_key(&request).map(str::to_owned);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = tokio::time::timeout(BODY_TIME, axum::body::to_bytes(request.into_body(), api.max_body_bytes)).await;
    let body = body.map_err(|_| ApiError {
        status: 408,
        ..ApiError::bad(-1007, "Timeout waiting for the request body.")
    })?;
    let body = body.map_err(|_| ApiError {
        status: 413,
        ..ApiError::bad(-1101, "Request body is too large.")
    })?;
    let body =
        std::str::from_utf8(&body).map_err(|_| ApiError::bad(-1100, "Illegal characters found in a parameter."))?;
    let params = Params::read(&query, body);
    perform(api, route, address, Caller::Key(api_key.as_deref()), params).await
}
