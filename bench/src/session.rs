//! A platform under load: the settings that let the load through, its quotes kept fresh, and a run at one rate.

use crate::platform::Platform;
use bench::orders::{Door, Grpc, Load, Market, Plan, Rest};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A request that has no answer after this failed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often quotes are read again.
const REFRESH: Duration = Duration::from_secs(1);
/// HTTP/2 connections; each carries many requests.
const GRPC_CONNECTIONS: u32 = 4;
/// Orders of one list.
const PAGE: usize = 1_000;

/// Open orders of an account.
pub(crate) const MAX_OPEN_ORDERS: usize = 100_000;
/// New orders of an account a second.
pub(crate) const MAX_ORDERS_PER_SECOND: usize = 100_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A platform of its own with these settings beside the accounts.
///
/// # Errors
/// When it does not start.
pub(crate) fn platform(binary: &Path, accounts: u32, more: &[String]) -> Result<Platform, Failure> {
    Platform::up(binary, &settings(accounts, more))
}

/// The settings of a platform under load.
pub(crate) fn settings(accounts: u32, more: &[String]) -> Vec<String> {
    // The limits of a person's account would stop the load; none of these changes the path of an order.
    let mut settings = vec![
        "exchange.limits=bench".to_owned(),
        format!("exchange.max_open_orders={MAX_OPEN_ORDERS}"),
        "trading.limits.duplicate_window_ms=0".to_owned(),
        format!("trading.limits.max_orders_per_second={MAX_ORDERS_PER_SECOND}"),
        format!("trading.limits.max_open_orders={MAX_OPEN_ORDERS}"),
        "gateway.requests_per_second=1000000".to_owned(),
        "gateway.request_burst=1000000".to_owned(),
        "auth.access_token_s=3600".to_owned(),
    ];
    settings.push(format!("paper.accounts={accounts}"));
    settings.extend_from_slice(more);
    settings
}

/// A runtime for the client: one thread leaves the rest of a small machine to the platform.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn client_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
}

/// Somebody who is logged in and sends orders.
pub(crate) struct Session {
    rest: Rest,
    door: Door,
    market: Arc<Market>,
    accounts: Vec<String>,
    refreshing: tokio::task::JoinHandle<()>,
}

impl Session {
    /// Logs in and waits until every quote is live.
    ///
    /// # Errors
    /// When the platform does not answer.
    pub(crate) async fn open(
        platform: &Platform,
        is_grpc: bool,
        accounts: u32,
        connections: u32,
    ) -> Result<Self, Failure> {
        let gateway = platform.url("gateway-http");
        let rest = log_in(platform, connections).await?;
        let door = match is_grpc {
            true => Grpc::connect(&gateway, &rest.token(), GRPC_CONNECTIONS, TIMEOUT)
                .await?
                .into(),
            false => rest.clone().into(),
        };
        Self::begin(rest, door, accounts).await
    }

    /// The same over REST with a server at `url` that asks nobody who they are.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn with_bare(url: &str, accounts: u32, connections: u32) -> Result<Self, Failure> {
        let rest = Rest::new(url, connections, TIMEOUT)?;
        let door = rest.clone().into();
        Self::begin(rest, door, accounts).await
    }

    async fn begin(rest: Rest, door: Door, accounts: u32) -> Result<Self, Failure> {
        let market = Arc::new(Market::live(&rest).await?);
        let refreshing = tokio::spawn(refresh(rest.clone(), market.clone()));
        Ok(Self {
            rest,
            door,
            market,
            accounts: (1..=accounts).map(|number| format!("paper-{number}")).collect(),
            refreshing,
        })
    }

    /// How many orders of all accounts are open, counted order by order.
    ///
    /// # Errors
    /// When a list is refused.
    pub(crate) async fn open_orders(&self) -> Result<usize, Failure> {
        let mut count = 0;
        for account in &self.accounts {
            let mut token = String::new();
            loop {
                let path = format!("/v1/accounts/{account}/orders?openOnly=true&pageSize={PAGE}&pageToken={token}");
                let answer = self.rest.get(&path).await;
                if !answer.is_good() {
                    return Err(answer.error().into());
                }
                count += answer.body["orders"].as_array().map_or(0, Vec::len);
                answer.body["nextPageToken"]
                    .as_str()
                    .unwrap_or_default()
                    .clone_into(&mut token);
                if token.is_empty() {
                    break;
                }
            }
        }
        Ok(count)
    }

    /// A generator at this rate; the prefix of its ids is to be new.
    pub(crate) fn load(&self, rate: u32, connections: u32, seed: u64, prefix: &str) -> Arc<Load> {
        let plan = Plan {
            rate,
            accounts: self.accounts.clone(),
            connections,
            seed,
            prefix: prefix.to_owned(),
        };
        Arc::new(Load::new(self.door.clone(), self.market.clone(), plan))
    }
}

/// The administrator, over REST.
///
/// # Errors
/// When the login is refused, or not answered.
pub(crate) async fn log_in(platform: &Platform, connections: u32) -> Result<Rest, Failure> {
    let rest = Rest::new(&platform.url("gateway-http"), connections, TIMEOUT)?;
    rest.login("admin", &platform.admin_password()?).await?;
    Ok(rest)
}

impl Drop for Session {
    fn drop(&mut self) {
        self.refreshing.abort();
    }
}

async fn refresh(rest: Rest, market: Arc<Market>) {
    loop {
        tokio::time::sleep(REFRESH).await;
        // The last quotes stay until there are others; the load goes on.
        let _ = market.refresh(&rest).await;
    }
}
