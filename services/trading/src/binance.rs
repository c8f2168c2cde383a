//! The adapter to a venue that speaks Binance's spot API: the simulated exchange, or a live one, by URL and keys alone.
//!
//! Requests are signed with HMAC-SHA256 over their parameters. New orders and cancels go over the WebSocket API while a
//! connection of it is open, and otherwise, as all queries do, over REST with kept connections; what happens to the accounts
//! comes over the WebSocket API. Sources: Binance's "REST API", "WebSocket API" and "User Data Streams" for spot.

pub mod keys;
mod limits;
mod order_entry;
mod params;
mod refusal;
mod user_data;
mod wire;

use crate::config::Config;
use crate::core::{Trade, VenueState};
use crate::metrics;
use crate::venue::{
    Holding, OpenOrder, Pace, Placement, PlacementKind, Subject, UserData, Venue, VenueClock, VenueError,
};
use async_trait::async_trait;
use domain::{AccountId, Symbol, Timestamp, Venue as VenueName};
use futures::future::BoxFuture;
use keys::Key;
use limits::{Budget, Purpose};
use mesh::app::Shutdown;
use mesh::time::{Chance, Clock};
use mesh::{Error, Result};
use order_entry::{OrderEntry, Terms};
use params::Params;
use parking_lot::Mutex;
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// How many idle connections are kept.
const IDLE_CONNECTIONS: usize = 256;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The least time between two readings of the venue's clock because it refused the time of a request.
const DOUBT_INTERVAL: Duration = Duration::from_secs(1);

/// Trades of one order in one answer.
const TRADES_PAGE: usize = 1_000;

/// Answers that one order's trades may take.
const MOST_TRADE_PAGES: usize = 1_000;

/// The adapter.
pub struct Binance {
    name: VenueName,
    client: reqwest::Client,
    rest_url: String,
    ws_api_url: String,
    recv_window_ms: u32,
    request_timeout: Duration,
    max_backoff: Duration,
    accounts_per_connection: usize,
    order_entry: OrderEntry,
    keys: BTreeMap<AccountId, Key>,
    clock: Clock,
    chance: Chance,
    venue_clock: VenueClock,
    /// When the venue's clock was last read because a request's time was refused, on our monotonic clock.
    doubted: Mutex<Option<Duration>>,
    budget: Mutex<Budget>,
    /// The symbols with icebergs and their most parts, as last told.
    icebergs: Mutex<BTreeMap<Symbol, u64>>,
}

/// One endpoint of the REST API, and its method of the WebSocket API where it may go there.
struct Call<'a> {
    method: Method,
    path: &'static str,
    over_websocket: Option<&'static str>,
    weight: u64,
    purpose: Purpose,
    /// Whose key signs, and at which time of the venue; none is a public endpoint.
    signed: Option<(&'a AccountId, Timestamp)>,
    params: Params,
}

/// What the venue answered, whichever way.
struct Answer<'a> {
    status: u16,
    /// The weight used in this minute, as it counts it.
    used: Option<u64>,
    /// When to come back.
    retry_after: Option<Duration>,
    body: &'a [u8],
}

impl Binance {
    /// An adapter with these keys. [`Binance::enter_orders`] opens what orders go over.
    ///
    /// # Errors
    /// `INTERNAL / VENUE_CLIENT` when the HTTP client cannot be made.
    pub fn new(config: &Config, keys: BTreeMap<AccountId, Key>, clock: Clock, chance: Chance) -> Result<Binance> {
        // The first service of a process installs it; an error says that it is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request_timeout = Config::millis(config.request_timeout_ms);
        let client = reqwest::Client::builder()
            .timeout(request_timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(request_timeout))
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .tcp_nodelay(true)
            .http1_only()
            .no_proxy()
            // A signed order goes to the venue that was named, once.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| Error::internal("VENUE_CLIENT", error.to_string()))?;
        let name = VenueName::parse(&config.venue)
            .map_err(|error| Error::invalid("CONFIG_VALUE", format!("trading.venue: {error}")))?;
        Ok(Binance {
            name,
            client,
            rest_url: config.rest_url.trim_end_matches('/').to_owned(),
            ws_api_url: config.ws_api(),
            recv_window_ms: config.recv_window_ms,
            request_timeout,
            max_backoff: Config::millis(config.max_backoff_ms),
            accounts_per_connection: config.accounts_per_connection,
            order_entry: OrderEntry::new(config.order_connections),
            keys,
            venue_clock: VenueClock::new(clock.clone()),
            doubted: Mutex::new(None),
            clock,
            chance,
            budget: Mutex::new(Budget::new(config.reserved_percent, config.reconcile_percent)),
            icebergs: Mutex::default(),
        })
    }

    fn key(&self, account: &AccountId) -> Result<&Key, VenueError> {
        self.keys
            .get(account)
            .ok_or_else(|| VenueError::NotSent(format!("no key of account {account}")))
    }

    /// The venue's time as the budget counts it.
    fn budget_time(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.now().as_micros()).unwrap_or_default())
    }

    /// Keeps connections for order entry open until the end; while there are none, orders go over REST.
    pub fn enter_orders(&self, shutdown: &Shutdown) {
        let terms = Terms {
            url: self.ws_api_url.clone(),
            timeout: self.request_timeout,
            max_backoff: self.max_backoff,
            chance: self.chance.clone(),
        };
        self.order_entry.start(&terms, shutdown);
    }

    async fn call<T: DeserializeOwned>(&self, mut call: Call<'_>) -> Result<T, VenueError> {
        let account = call.signed.map(|(account, _)| account);
        let now = self.budget_time();
        self.budget
            .lock()
            .spend(call.purpose, account, call.weight, now)
            .map_err(VenueError::Limited)?;
        let mut key = None;
        if let Some((account, time)) = call.signed {
            key = Some(self.key(account)?);
            call.params = call.params.timed(time, self.recv_window_ms);
        }
        let answer = match self.over_websocket(&call, key).await {
            Some(answer) => answer,
            None => self.over_rest(call, key).await,
        };
        if let Err(VenueError::Rejected { reason, .. }) = &answer
            && reason == refusal::VENUE_TIMESTAMP
        {
            self.doubt_clock().await;
        }
        answer
    }

    /// The answer over the WebSocket API; none when the call does not go there, or nothing was sent.
    async fn over_websocket<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        key: Option<&Key>,
    ) -> Option<Result<T, VenueError>> {
        let (method, key) = (call.over_websocket?, key?);
        let asked = self.order_entry.ask(method, || call.params.signed_json(key)).await?;
        metrics::order_entered("websocket");
        Some(asked.and_then(|frame| self.read_reply(&frame)))
    }

    fn read_reply<T: DeserializeOwned>(&self, frame: &str) -> Result<T, VenueError> {
        let reply: wire::Reply = serde_json::from_str(frame).map_err(unreadable)?;
        let until = |millis: i64| Timestamp::from_millis(millis).micros_since(self.now());
        let body = reply.result.or(reply.error).map_or("", |body| body.get());
        self.read(&Answer {
            status: reply.status,
            used: reply.used_weight(),
            retry_after: reply.retry_after().map(|millis| {
                let wait = u64::try_from(until(millis)).unwrap_or_default();
                Duration::from_micros(wait)
            }),
            body: body.as_bytes(),
        })
    }

    async fn over_rest<T: DeserializeOwned>(&self, call: Call<'_>, key: Option<&Key>) -> Result<T, VenueError> {
        if call.over_websocket.is_some() {
            metrics::order_entered("rest");
        }
        let query = key.map_or_else(|| call.params.query(), |key| call.params.signed_query(key));
        let url = format!("{}{}?{query}", self.rest_url, call.path);
        let mut request = self.client.request(call.method, url);
        if let Some(key) = key {
            request = request.header("X-MBX-APIKEY", &key.api_key);
        }
        let response = request.send().await.map_err(outcome)?;
        let number = |name: &str| response.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
        let (retry_after, used) = (number(RETRY_AFTER.as_str()), number("x-mbx-used-weight-1m"));
        let status = response.status().as_u16();
        let body = response.bytes().await;
        self.read(&Answer {
            status,
            used,
            retry_after: retry_after.map(Duration::from_secs),
            body: &body.map_err(|error| VenueError::Unknown(error.to_string()))?,
        })
    }

    /// What an answer means; its counts are taken over.
    fn read<T: DeserializeOwned>(&self, answer: &Answer<'_>) -> Result<T, VenueError> {
        let now = self.budget_time();
        if let Some(used) = answer.used {
            self.budget.lock().correct(used, now);
        }
        if !(200..300).contains(&answer.status) {
            let refusal = refusal::refusal(answer.status, answer.retry_after, answer.body);
            if let (418 | 429, VenueError::Limited(wait)) = (answer.status, &refusal) {
                self.budget.lock().block(*wait, now);
            }
            return Err(refusal);
        }
        serde_json::from_slice(answer.body).map_err(unreadable)
    }

    /// The venue has refused the time of a request: its clock is read again, at most once in [`DOUBT_INTERVAL`].
    async fn doubt_clock(&self) {
        let now = self.clock.monotonic();
        {
            let mut doubted = self.doubted.lock();
            if doubted.is_some_and(|last| now.saturating_sub(last) < DOUBT_INTERVAL) {
                return;
            }
            *doubted = Some(now);
        }
        tracing::warn!("the venue refused the time of a request: its clock is read again");
        if let Err(error) = self.read_clock().await {
            tracing::warn!(%error, "the venue's clock cannot be read");
        }
    }

    fn read_clock(&self) -> BoxFuture<'_, Result<(), VenueError>> {
        Box::pin(async {
            let asked = self.clock.monotonic();
            let time: wire::TimeBody = self.call(public("/api/v3/time", 1)).await?;
            self.venue_clock.heard(Timestamp::from_millis(time.server_time), asked);
            Ok(())
        })
    }

    fn signed_now<'a>(&self, account: &'a AccountId) -> Option<(&'a AccountId, Timestamp)> {
        Some((account, self.now()))
    }
}

/// A call that nobody signs.
fn public(path: &'static str, weight: u64) -> Call<'static> {
    Call {
        method: Method::GET,
        path,
        over_websocket: None,
        weight,
        purpose: Purpose::Vital,
        signed: None,
        params: Params::default(),
    }
}

fn unreadable(error: serde_json::Error) -> VenueError {
    VenueError::Unknown(format!("unreadable answer: {error}"))
}

/// What is certain after a request failed.
fn outcome(error: reqwest::Error) -> VenueError {
    if error.is_connect() || error.is_builder() {
        VenueError::NotSent(error.without_url().to_string())
    } else {
        VenueError::Unknown(error.without_url().to_string())
    }
}

fn named(subject: &Subject) -> Params {
    Params::default()
        .text("symbol", &subject.symbol)
        .text("origClientOrderId", &subject.venue_id)
}

#[async_trait]
impl Venue for Binance {
    fn name(&self) -> &VenueName {
        &self.name
    }

    fn now(&self) -> Timestamp {
        self.venue_clock.now()
    }

    async fn synchronise(&self) -> Result<(), VenueError> {
        self.read_clock().await?;
        let info: wire::InfoBody = self.call(public("/api/v3/exchangeInfo", 20)).await?;
        self.budget.lock().adopt(&info.rate_limits);
        *self.icebergs.lock() = info.icebergs();
        Ok(())
    }

    fn icebergs(&self) -> BTreeMap<Symbol, u64> {
        self.icebergs.lock().clone()
    }

    async fn place(&self, placement: &Placement) -> Result<VenueState, VenueError> {
        let mut params = Params::default()
            .text("symbol", &placement.symbol)
            .text("side", placement.side)
            .text("quantity", placement.quantity)
            .text("price", placement.price)
            .text("newClientOrderId", &placement.venue_id)
            .text("newOrderRespType", "FULL");
        params = match placement.kind {
            PlacementKind::Limit(time_in_force) => params.text("type", "LIMIT").text("timeInForce", time_in_force),
            PlacementKind::LimitMaker => params.text("type", "LIMIT_MAKER"),
        };
        if let Some(shown) = placement.display_quantity {
            params = params.text("icebergQty", shown);
        }
        let call = Call {
            method: Method::POST,
            path: "/api/v3/order",
            over_websocket: Some("order.place"),
            weight: 1,
            purpose: Purpose::Order,
            signed: Some((&placement.account, placement.signed)),
            params,
        };
        self.call::<wire::OrderBody>(call).await?.state()
    }

    async fn cancel(&self, subject: &Subject, signed: Timestamp) -> Result<VenueState, VenueError> {
        let call = Call {
            method: Method::DELETE,
            path: "/api/v3/order",
            over_websocket: Some("order.cancel"),
            weight: 1,
            purpose: Purpose::Vital,
            signed: Some((&subject.account, signed)),
            params: named(subject),
        };
        self.call::<wire::OrderBody>(call).await?.state()
    }

    async fn order(&self, subject: &Subject) -> Result<VenueState, VenueError> {
        let call = Call {
            method: Method::GET,
            path: "/api/v3/order",
            over_websocket: None,
            weight: 4,
            purpose: Purpose::Vital,
            signed: self.signed_now(&subject.account),
            params: named(subject),
        };
        self.call::<wire::OrderBody>(call).await?.state()
    }

    async fn trades(&self, subject: &Subject, venue_order: &str) -> Result<Vec<Trade>, VenueError> {
        let mut trades = Vec::new();
        let mut from = None;
        let of_order = || {
            Params::default()
                .text("symbol", &subject.symbol)
                .text("orderId", venue_order)
                .text("limit", TRADES_PAGE)
        };
        for _ in 0..MOST_TRADE_PAGES {
            let call = Call {
                method: Method::GET,
                path: "/api/v3/myTrades",
                over_websocket: None,
                weight: 5,
                purpose: Purpose::Vital,
                signed: self.signed_now(&subject.account),
                params: from.map_or(of_order(), |from: u64| of_order().text("fromId", from)),
            };
            let page: Vec<wire::TradeBody> = self.call(call).await?;
            let is_last = page.len() < TRADES_PAGE;
            trades.extend(page.into_iter().map(wire::TradeBody::trade));
            match trades.last() {
                Some(last) if !is_last => from = Some(last.trade_id.get().saturating_add(1)),
                _ => return Ok(trades),
            }
        }
        Err(VenueError::Unknown(format!(
            "order {venue_order} has more than {MOST_TRADE_PAGES} pages of trades"
        )))
    }

    async fn open_orders(
        &self,
        account: &AccountId,
        symbol: Option<&Symbol>,
        pace: Pace,
    ) -> Result<Vec<OpenOrder>, VenueError> {
        let call = Call {
            method: Method::GET,
            path: "/api/v3/openOrders",
            over_websocket: None,
            weight: if symbol.is_some() { 6 } else { 80 },
            purpose: Purpose::of(pace),
            signed: self.signed_now(account),
            params: symbol.map_or_else(Params::default, |symbol| Params::default().text("symbol", symbol)),
        };
        let orders: Vec<wire::OrderBody> = self.call(call).await?;
        orders.into_iter().map(wire::OrderBody::listed).collect()
    }

    async fn balances(&self, account: &AccountId, pace: Pace) -> Result<Vec<Holding>, VenueError> {
        let call = Call {
            method: Method::GET,
            path: "/api/v3/account",
            over_websocket: None,
            weight: 20,
            purpose: Purpose::of(pace),
            signed: self.signed_now(account),
            params: Params::default().text("omitZeroBalances", true),
        };
        let body: wire::AccountBody = self.call(call).await?;
        body.balances.iter().map(wire::BalanceBody::holding).collect()
    }

    async fn follow(&self, accounts: Vec<AccountId>, sink: mpsc::Sender<UserData>) {
        let connections = accounts.chunks(self.accounts_per_connection.max(1));
        let following = connections.map(|accounts| user_data::follow(self, accounts, sink.clone()));
        futures::future::join_all(following).await;
    }
}

#[cfg(test)]
mod tests;
