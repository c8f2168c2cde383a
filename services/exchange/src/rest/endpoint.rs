//! From an HTTP request to an endpoint and back: one table of routes and weights, limits, headers.

use super::params::Params;
use super::{market_data, trade};
use crate::accounts::Accounts;
use crate::actor::{Handle, Now};
use crate::core::listing::Listing;
use crate::error::ApiError;
use crate::hub::Hub;
use crate::limits::{Meter, OrderCount};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode};
use mesh::server::PeerAddress;
use parking_lot::Mutex;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// How long a request body may take to arrive.
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(10);

/// What the surface stands on.
pub struct Api {
    /// The venue.
    pub handle: Handle,
    /// Streams.
    pub hub: Arc<Hub>,
    /// Keys.
    pub accounts: Accounts,
    /// Used limits.
    pub meter: Mutex<Meter>,
    /// The time in µs.
    pub now: Now,
    /// What is traded, in the venue's order.
    pub listings: Vec<Listing>,
    /// `symbols` of exchangeInfo, in the same order.
    pub info: Vec<Value>,
    /// Maker and taker commission.
    pub fees_bps: (u32, u32),
    /// Largest request body.
    pub max_body_bytes: usize,
    /// Stream connections now.
    pub connections: AtomicUsize,
    /// How stream connections are kept.
    pub streams: crate::ws::Bounds,
}

impl Api {
    /// The index of the symbol that the request names.
    pub fn symbol(&self, params: &Params) -> Result<usize, ApiError> {
        self.symbol_named(params.required("symbol")?)
    }

    /// The index of a symbol.
    pub fn symbol_named(&self, name: &str) -> Result<usize, ApiError> {
        if name.is_empty()
            || name.len() > 20
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return Err(ApiError::illegal("symbol", "^[A-Z0-9-_.]{1,20}$"));
        }
        self.listings
            .iter()
            .position(|listing| listing.symbol == name)
            .ok_or_else(ApiError::symbol)
    }

    /// The current time in milliseconds.
    pub fn millis(&self) -> i64 {
        crate::wire::millis((self.now)())
    }
}

/// Every endpoint of the surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    HistoricalTrades,
    AggTrades,
    Klines,
    AvgPrice,
    TickerDay,
    TickerPrice,
    TickerBook,
    NewOrder,
    TestOrder,
    QueryOrder,
    CancelOrder,
    OpenOrders,
    CancelAll,
    AllOrders,
    MyTrades,
    Account,
    OrderCount,
}

use Endpoint as E;

/// Method, path below `/api/v3`, endpoint, weight.
const ROUTES: [(Method, &str, Endpoint, u32); 22] = [
    (Method::GET, "ping", E::Ping, 1),
    (Method::GET, "time", E::Time, 1),
    (Method::GET, "exchangeInfo", E::ExchangeInfo, 20),
    (Method::GET, "depth", E::Depth, 5),
    (Method::GET, "trades", E::Trades, 25),
    (Method::GET, "historicalTrades", E::HistoricalTrades, 25),
    (Method::GET, "aggTrades", E::AggTrades, 4),
    (Method::GET, "klines", E::Klines, 2),
    (Method::GET, "avgPrice", E::AvgPrice, 2),
    (Method::GET, "ticker/24hr", E::TickerDay, 2),
    (Method::GET, "ticker/price", E::TickerPrice, 2),
    (Method::GET, "ticker/bookTicker", E::TickerBook, 2),
    (Method::POST, "order", E::NewOrder, 1),
    (Method::POST, "order/test", E::TestOrder, 1),
    (Method::GET, "order", E::QueryOrder, 4),
    (Method::DELETE, "order", E::CancelOrder, 1),
    (Method::GET, "openOrders", E::OpenOrders, 6),
    (Method::DELETE, "openOrders", E::CancelAll, 1),
    (Method::GET, "allOrders", E::AllOrders, 20),
    (Method::GET, "myTrades", E::MyTrades, 20),
    (Method::GET, "account", E::Account, 20),
    (Method::GET, "rateLimit/order", E::OrderCount, 40),
];

/// The weight where it depends on the parameters.
fn weight(endpoint: Endpoint, base: u32, params: &Params) -> u32 {
    let all_symbols = params.text("symbol").ok().flatten().is_none();
    match endpoint {
        E::Depth => match params.limit(100, 5_000) {
            Ok(limit) if limit > 1_000 => 250,
            Ok(limit) if limit > 500 => 50,
            Ok(limit) if limit > 100 => 25,
            _ => base,
        },
        E::TickerDay if all_symbols => match params.symbols() {
            Ok(Some(some)) if some.len() <= 20 => 2,
            Ok(Some(some)) if some.len() <= 100 => 40,
            _ => 80,
        },
        E::TickerPrice | E::TickerBook if all_symbols => 4,
        E::OpenOrders if all_symbols => 80,
        _ => base,
    }
}

/// What an endpoint answers with.
pub(super) struct Answer {
    pub(super) body: String,
    pub(super) orders: Option<OrderCount>,
}

impl Answer {
    pub(super) fn text(body: String) -> Self {
        Self { body, orders: None }
    }

    pub(super) fn json(body: &Value) -> Self {
        Self::text(body.to_string())
    }
}

/// Routes of the surface.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/api/{*path}", axum::routing::any(serve))
        .fallback(not_found)
        .with_state(api)
}

async fn not_found() -> Response {
    let page = "<html><body><h2>404 Not found</h2></body></html>";
    answer(StatusCode::NOT_FOUND, "text/html", page.to_owned())
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
    let path = request
        .uri()
        .path()
        .strip_prefix("/api/v3/")
        .unwrap_or_default()
        .to_owned();
    let route = ROUTES
        .iter()
        .find(|(method, name, ..)| method == request.method() && *name == path);
    let Some((_, _, endpoint, base)) = route else {
        return not_found().await;
    };
    let peer = request.extensions().get::<PeerAddress>();
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |PeerAddress(address)| address.ip());
    let result = handle(&api, *endpoint, *base, address, request).await;
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

fn refusal(error: &ApiError) -> Response {
    let body = serde_json::json!({"code": error.code, "msg": error.message}).to_string();
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer(status, "application/json;charset=UTF-8", body);
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn handle(
    api: &Arc<Api>,
    endpoint: Endpoint,
    base: u32,
    address: IpAddr,
    request: Request,
) -> Result<Answer, ApiError> {
    let api_key = request
        .headers()
        .get("x-mbx-apikey")
        .map(|value| value.to_str().unwrap_or_default().to_owned());
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
    let cost = params.as_ref().map_or(base, |params| weight(endpoint, base, params));
    api.meter.lock().weigh(address, cost, (api.now)())?;
    let params = params?;
    match endpoint {
        E::Ping => Ok(Answer::text("{}".to_owned())),
        E::Time => Ok(Answer::text(format!("{{\"serverTime\":{}}}", api.millis()))),
        E::ExchangeInfo => market_data::exchange_info(api, &params),
        E::Depth => market_data::depth(api, &params).await,
        E::Trades => market_data::trades(api, &params).await,
        E::HistoricalTrades => market_data::historical_trades(api, &params).await,
        E::AggTrades => market_data::aggregates(api, &params).await,
        E::Klines => market_data::klines(api, &params).await,
        E::AvgPrice => market_data::average_price(api, &params).await,
        E::TickerDay | E::TickerPrice | E::TickerBook => market_data::ticker(api, endpoint, &params).await,
        private => {
            let account = api.accounts.authenticate(api_key.as_deref(), &params).await?.account;
            trade::handle(api, private, account, &params).await
        }
    }
}
