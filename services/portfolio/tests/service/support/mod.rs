//! Fakes of the services that the portfolio follows, and a portfolio that follows them.

pub(crate) mod data;
pub(crate) mod trading;

use mesh::app::testing::Bed;
use mesh::app::{Failures, Readiness, Shutdown};
use mesh::channel::Channel;
use mesh::pb::portfolio as pb;
use mesh::pb::portfolio::portfolio_service_client::PortfolioServiceClient;
use mesh::time::{Chance, Clock};
use portfolio::{Config, NAME, build};
use std::time::Duration;
use tempfile::TempDir;
use tonic::{Request, Streaming};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Trading and data, faked, and what portfolios are built from.
pub(crate) struct World {
    bed: Bed,
    clock: Clock,
    pub(crate) trading: trading::Fake,
    pub(crate) data: data::Fake,
    _folder: TempDir,
}

/// A running portfolio.
pub(crate) struct Portfolio {
    pub(crate) readiness: Readiness,
    pub(crate) failures: Failures,
    shutdown: Shutdown,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let bed = Bed::new(folder.path(), clock.clone(), Chance::seeded(1));
        let (trading, data) = (trading::Fake::default(), data::Fake::default());
        bed.register("trading", trading.routes());
        bed.register("data", data.routes());
        Self {
            bed,
            clock,
            trading,
            data,
            _folder: folder,
        }
    }

    /// Builds the portfolio in its folder, where an earlier one may have left its store.
    pub(crate) async fn start(&self) -> Portfolio {
        let config = Config {
            batch_events: 3,
            stream_interval_ms: 2,
            retry_max_ms: 60,
            ..Config::default()
        };
        let (shutdown, failures) = Shutdown::new();
        let mut deps = self.bed.deps(NAME);
        deps.shutdown = shutdown.clone();
        let readiness = deps.readiness.clone();
        let service = build(config, deps).await.unwrap();
        self.bed.register(NAME, service.routes);
        Portfolio {
            readiness,
            failures,
            shutdown,
        }
    }

    /// Builds it, and waits until it is ready.
    pub(crate) async fn ready(&self) -> Portfolio {
        let portfolio = self.start().await;
        soon(portfolio.readiness.ready()).await;
        portfolio
    }

    pub(crate) async fn refused(&self, config: Config) -> mesh::Error {
        build(config, self.bed.deps(NAME)).await.err().unwrap()
    }

    pub(crate) fn client(&self) -> PortfolioServiceClient<Channel> {
        PortfolioServiceClient::new(self.bed.channels("gateway").to(NAME))
    }

    /// A request of somebody who may see every account.
    pub(crate) fn ask<T>(&self, message: T) -> Request<T> {
        self.ask_as("ada", &["viewer"], message)
    }

    pub(crate) fn ask_as<T>(&self, subject: &str, roles: &[&str], message: T) -> Request<T> {
        let token = self.bed.users.token(&self.clock, subject, roles, &["*"]);
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    pub(crate) async fn portfolio(&self, account: &str) -> Result<pb::Portfolio, mesh::Error> {
        let request = pb::GetPortfolioRequest {
            account_id: account.to_owned(),
        };
        let answer = self.client().get_portfolio(self.ask(request)).await?;
        Ok(answer.into_inner().portfolio.unwrap())
    }

    pub(crate) async fn stream(&self, account: &str) -> Streaming<pb::StreamPortfolioResponse> {
        let request = pb::StreamPortfolioRequest {
            account_id: account.to_owned(),
        };
        self.client()
            .stream_portfolio(self.ask(request))
            .await
            .unwrap()
            .into_inner()
    }

    /// Follows the account until its portfolio is as wanted.
    pub(crate) async fn until(&self, account: &str, is_wanted: impl Fn(&pb::Portfolio) -> bool) -> pb::Portfolio {
        // Nothing is known of an account before its first event.
        let known = async {
            while self.portfolio(account).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        soon(known).await;
        let mut stream = self.stream(account).await;
        let wanted = async {
            loop {
                let portfolio = stream.message().await.unwrap().unwrap().portfolio.unwrap();
                if is_wanted(&portfolio) {
                    return portfolio;
                }
            }
        };
        soon(wanted).await
    }

    pub(crate) async fn fills(&self, account: &str) -> Vec<pb::PortfolioFill> {
        let request = pb::ListFillsRequest {
            account_id: account.to_owned(),
            ..Default::default()
        };
        self.client()
            .list_fills(self.ask(request))
            .await
            .unwrap()
            .into_inner()
            .fills
    }
}

impl Portfolio {
    /// Ends it, as the process does.
    pub(crate) async fn stop(self) {
        assert_eq!(self.shutdown.stop(PATIENCE).await, [""; 0]);
    }
}

/// What must come true soon.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it never came true")
}
