//! The adapter to a venue that speaks Binance's spot API: the simulated exchange, or a live one, by URL and keys alone.
//!
//! Requests are signed with HMAC-SHA256 over their parameters. Orders and queries go over REST with kept connections;
//! what happens to the accounts comes over the WebSocket API. Sources: Binance's "REST API", "WebSocket API" and "User
//! Data Streams" for spot.

pub mod keys;
mod limits;
mod refusal;
mod user_data;
mod wire;

use crate::config::Config;
use crate::core::{Trade, VenueState};
use crate::venue::{
    Holding, OpenOrder, Pace, Placement, PlacementKind, Subject, UserData, Venue, VenueClock, VenueError,
};
use async_trait::async_trait;
use domain::{AccountId, Symbol, Timestamp, Venue as VenueName};
use futures::future::BoxFuture;
use keys::Key;
use limits::{Budget, Purpose};
use mesh::time::{Chance, Clock};
use mesh::{Error, Result};
use parking_lot::Mutex;
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Write;
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

/// One endpoint of the REST API.
struct Call<'a> {
    method: Method,
    path: &'static str,
    weight: u64,
    purpose: Purpose,
    /// Whose key signs, and at which time of the venue; none is a public endpoint.
    signed: Option<(&'a AccountId, Timestamp)>,
    query: String,
}

impl Binance {
    /// An adapter with these keys.
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

    async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, VenueError> {
        let account = call.signed.map(|(account, _)| account);
        let now = self.budget_time();
        self.budget
            .lock()
            .spend(call.purpose, account, call.weight, now)
            .map_err(VenueError::Limited)?;
        let mut query = call.query;
        let mut request_key = None;
        if let Some((account, time)) = call.signed {
            let key = self.key(account)?;
            let separator = if query.is_empty() { "" } else { "&" };
            let _ = write!(
                query,
                "{separator}recvWindow={}&timestamp={}",
                self.recv_window_ms,
                time.as_millis()
            );
            let signature = key.sign(&query);
            let _ = write!(query, "&signature={signature}");
            request_key = Some(&key.api_key);
        }
        let mut request = self
            .client
            .request(call.method, format!("{}{}?{query}", self.rest_url, call.path));
        if let Some(api_key) = request_key {
            request = request.header("X-MBX-APIKEY", api_key);
        }
        let answer = self.answer(request.send().await.map_err(outcome)?).await;
        if let Err(VenueError::Rejected { reason, .. }) = &answer
            && reason == refusal::VENUE_TIMESTAMP
        {
            self.doubt_clock().await;
        }
        answer
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

    async fn answer<T: DeserializeOwned>(&self, response: reqwest::Response) -> Result<T, VenueError> {
        let status = response.status();
        let number = |name: &str| response.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
        let retry_after = number(RETRY_AFTER.as_str());
        let now = self.budget_time();
        if let Some(used) = number("x-mbx-used-weight-1m") {
            self.budget.lock().correct(used, now);
        }
        let body = response
            .bytes()
            .await
            .map_err(|error| VenueError::Unknown(error.to_string()))?;
        if !status.is_success() {
            let refusal = refusal::refusal(status.as_u16(), retry_after, &body);
            if let (418 | 429, VenueError::Limited(wait)) = (status.as_u16(), &refusal) {
                self.budget.lock().block(*wait, now);
            }
            return Err(refusal);
        }
        serde_json::from_slice(&body).map_err(|error| VenueError::Unknown(format!("unreadable answer: {error}")))
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
        weight,
        purpose: Purpose::Vital,
        signed: None,
        query: String::new(),
    }
}

/// What is certain after a request failed.
fn outcome(error: reqwest::Error) -> VenueError {
    if error.is_connect() || error.is_builder() {
        VenueError::NotSent(error.without_url().to_string())
    } else {
        VenueError::Unknown(error.without_url().to_string())
    }
}

fn order_query(subject: &Subject) -> String {
    format!("symbol={}&origClientOrderId={}", subject.symbol, subject.venue_id)
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
        let mut query = format!(
            "symbol={}&side={}&quantity={}&price={}&newClientOrderId={}&newOrderRespType=FULL",
            placement.symbol, placement.side, placement.quantity, placement.price, placement.venue_id
        );
        let _ = match placement.kind {
            PlacementKind::Limit(time_in_force) => write!(query, "&type=LIMIT&timeInForce={time_in_force}"),
            PlacementKind::LimitMaker => write!(query, "&type=LIMIT_MAKER"),
        };
        if let Some(shown) = placement.display_quantity {
            let _ = write!(query, "&icebergQty={shown}");
        }
        let call = Call {
            method: Method::POST,
            path: "/api/v3/order",
            weight: 1,
            purpose: Purpose::Order,
            signed: Some((&placement.account, placement.signed)),
            query,
        };
        self.call::<wire::OrderBody>(call).await?.state()
    }

    async fn cancel(&self, subject: &Subject, signed: Timestamp) -> Result<VenueState, VenueError> {
        let call = Call {
            method: Method::DELETE,
            path: "/api/v3/order",
            weight: 1,
            purpose: Purpose::Vital,
            signed: Some((&subject.account, signed)),
            query: order_query(subject),
        };
        self.call::<wire::OrderBody>(call).await?.state()
    }

    async fn order(&self, subject: &Subject) -> Result<VenueState, VenueError> {
        let call = Call {
            method: Method::GET,
            path: "/api/v3/order",
            weight: 4,
            purpose: Purpose::Vital,
            signed: self.signed_now(&subject.account),
            query: order_query(subject),
        };
        self.call::<wire::OrderBody>(call).await?.state()
    }

    async fn trades(&self, subject: &Subject, venue_order: &str) -> Result<Vec<Trade>, VenueError> {
        let mut trades = Vec::new();
        let mut from = String::new();
        for _ in 0..MOST_TRADE_PAGES {
            let call = Call {
                method: Method::GET,
                path: "/api/v3/myTrades",
                weight: 5,
                purpose: Purpose::Vital,
                signed: self.signed_now(&subject.account),
                query: format!(
                    "symbol={}&orderId={venue_order}&limit={TRADES_PAGE}{from}",
                    subject.symbol
                ),
            };
            let page: Vec<wire::TradeBody> = self.call(call).await?;
            let is_last = page.len() < TRADES_PAGE;
            trades.extend(page.into_iter().map(wire::TradeBody::trade));
            match trades.last() {
                Some(last) if !is_last => from = format!("&fromId={}", last.trade_id.get().saturating_add(1)),
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
            weight: if symbol.is_some() { 6 } else { 80 },
            purpose: Purpose::of(pace),
            signed: self.signed_now(account),
            query: symbol.map(|symbol| format!("symbol={symbol}")).unwrap_or_default(),
        };
        let orders: Vec<wire::OrderBody> = self.call(call).await?;
        orders.into_iter().map(wire::OrderBody::listed).collect()
    }

    async fn balances(&self, account: &AccountId, pace: Pace) -> Result<Vec<Holding>, VenueError> {
        let call = Call {
            method: Method::GET,
            path: "/api/v3/account",
            weight: 20,
            purpose: Purpose::of(pace),
            signed: self.signed_now(account),
            query: "omitZeroBalances=true".to_owned(),
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
