//! The whole platform inside the test's process, and people who type commands at it.

use clap::Parser;
use mesh::error::{Error, Result};
use mesh::pb::data::market_data_service_client::MarketDataServiceClient;
use mesh::pb::data::{BookState, Quote, StreamQuotesRequest};
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::pb::trading::{ListOrdersRequest, Order, OrderType, Side, SubmitOrderRequest};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};
use trademesh::args::{Cli, Command, Serve};
use trademesh::up::Process;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Small, and quick in a build that is not optimised.
const SMALL: [&str; 9] = [
    "exchange.symbols=4",
    "exchange.scale=0.2",
    "paper.accounts=3",
    "auth.argon2.memory_kib=64",
    "auth.argon2.passes=1",
    "monitoring.interval_ms=200",
    "telemetry.log=off",
    // On a machine without a free core quotes may come seconds late, and no test here is about how old they may be.
    "trading.limits.mark_max_age_ms=60000",
    "data.quiet_ms=60000",
];

/// How often it was asked whether trading knows a price.
static ASKED: AtomicUsize = AtomicUsize::new(0);

static PLATFORM: OnceLock<Platform> = OnceLock::new();

/// A platform that runs until the test's process ends.
pub(crate) struct Platform {
    pub(crate) server: String,
    pub(crate) folder: PathBuf,
}

/// The platform that the tests of one process share.
pub(crate) fn platform() -> &'static Platform {
    PLATFORM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("platform");
        // What an earlier run left.
        let _ = std::fs::remove_dir_all(&folder);
        let options = options("up", &folder, &[]);
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let ready = Process::up(&options)
                    .await
                    .unwrap()
                    .ready(false, std::future::pending())
                    .await
                    .unwrap()
                    .unwrap();
                sender
                    .send(ready.running().http_address(gateway::NAME).unwrap())
                    .unwrap();
                ready.run_until(std::future::pending()).await.unwrap();
            });
        });
        let address = receiver.recv_timeout(PATIENCE).expect("the platform is ready in time");
        Platform {
            server: format!("http://{address}"),
            folder,
        }
    })
}

/// What `up` or `serve` is told, on free ports with data below the folder.
pub(crate) fn options(command: &str, folder: &Path, settings: &[&str]) -> Serve {
    let mut arguments = vec!["trademesh".to_owned(), command.to_owned()];
    arguments.extend((command == "serve").then(|| "data".to_owned()));
    arguments.push("--any-port".to_owned());
    let data_dir = format!("mesh.data_dir={}", folder.display());
    for setting in SMALL.iter().chain(settings).copied().chain([data_dir.as_str()]) {
        arguments.extend(["--set".to_owned(), setting.to_owned()]);
    }
    match parse(&arguments) {
        Command::Up(options) | Command::Serve { options, .. } => options,
        other => panic!("{other:?} starts nothing"),
    }
}

pub(crate) fn parse<S: AsRef<str>>(arguments: &[S]) -> Command {
    Cli::try_parse_from(arguments.iter().map(AsRef::as_ref))
        .unwrap()
        .command
}

/// Somebody with a session file.
pub(crate) struct Person {
    pub(crate) server: String,
    pub(crate) session: PathBuf,
    password_file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Person {
    /// Nobody is logged in yet.
    pub(crate) fn new(server: &str, data_dir: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            server: server.to_owned(),
            session: folder.path().join("session.json"),
            password_file: data_dir.join("auth").join("admin-password"),
            _folder: folder,
        }
    }

    /// The administrator of the shared platform.
    pub(crate) async fn admin() -> Self {
        let platform = platform();
        let person = Self::new(&platform.server, &platform.folder);
        person.login().await.unwrap();
        person
    }

    pub(crate) async fn login(&self) -> Result<()> {
        self.call(&["login", "--password-file", self.password_file.to_str().unwrap()])
            .await
    }

    /// Does what is typed, against the server and with the session.
    pub(crate) async fn call(&self, typed: &[&str]) -> Result<()> {
        let session = self.session.to_str().unwrap();
        let mut arguments = vec!["trademesh"];
        arguments.extend(typed);
        arguments.extend(["--server", &self.server, "--session", session]);
        tokio::time::timeout(PATIENCE, trademesh::run_async(parse(&arguments)))
            .await
            .expect("an answer in time")
    }

    /// Does it twice: for people, and for programs.
    pub(crate) async fn both(&self, typed: &[&str]) -> Result<()> {
        self.call(typed).await?;
        let mut as_json = typed.to_vec();
        as_json.push("--json");
        self.call(&as_json).await
    }

    /// The exit code and reason of what goes wrong.
    pub(crate) async fn refusal(&self, typed: &[&str]) -> (u8, String) {
        told(&self.call(typed).await.unwrap_err())
    }

    /// What the session file holds.
    pub(crate) fn kept(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(&self.session).unwrap()).unwrap()
    }

    /// Writes one field of the session.
    pub(crate) fn keep(&self, field: &str, value: Value) {
        let mut kept = self.kept();
        kept[field] = value;
        std::fs::write(&self.session, kept.to_string()).unwrap();
    }

    /// An account's orders, newest first, as the gateway has them.
    pub(crate) async fn orders(&self, account: &str, open_only: bool) -> Vec<Order> {
        let request = ListOrdersRequest {
            account_id: account.to_owned(),
            open_only,
            ..Default::default()
        };
        let mut client = TradingServiceClient::new(self.channel().await);
        client.list_orders(self.ask(request)).await.unwrap().into_inner().orders
    }

    /// Waits until the symbol's book is live with both sides.
    pub(crate) async fn live(&self, symbol: &str) -> Quote {
        let mut client = MarketDataServiceClient::new(self.channel().await);
        let request = StreamQuotesRequest {
            symbols: vec![symbol.to_owned()],
        };
        let mut quotes = client.stream_quotes(self.ask(request)).await.unwrap().into_inner();
        let live = async {
            loop {
                let quote = quotes.message().await.unwrap().unwrap().quote.unwrap();
                if quote.state() == BookState::Live && quote.bid.is_some() && quote.ask.is_some() {
                    return quote;
                }
            }
        };
        tokio::time::timeout(PATIENCE, live).await.expect("a live book in time")
    }

    /// Waits until trading knows a price of the symbol too, which it hears a moment later. What is asked is its risk gate,
    /// with an order at twice the price, of which nothing comes: without a price it is refused for that.
    pub(crate) async fn known(&self, symbol: &str) -> Quote {
        let quote = self.live(symbol).await;
        let bid: f64 = quote.bid.as_ref().unwrap().price.parse().unwrap();
        let mut client = TradingServiceClient::new(self.channel().await);
        let known = async {
            loop {
                let number = ASKED.fetch_add(1, Ordering::Relaxed);
                let order = SubmitOrderRequest {
                    account_id: "paper-3".to_owned(),
                    client_order_id: format!("known-{number}"),
                    symbol: symbol.to_owned(),
                    side: Side::Buy as i32,
                    r#type: OrderType::Limit as i32,
                    quantity: "1".to_owned(),
                    price: format!("{:.2}", bid * 2.0),
                    ..Default::default()
                };
                let refused = client.submit_order(self.ask(order)).await.unwrap_err();
                if !["MARKET_STALE", "ACCOUNT_NOT_READY"].contains(&Error::from(refused).reason()) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, known)
            .await
            .expect("a known price in time");
        quote
    }

    async fn channel(&self) -> Channel {
        Endpoint::from_shared(self.server.clone())
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", self.kept()["access_token"].as_str().unwrap());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request
    }
}

/// The exit code and reason of an error.
pub(crate) fn told(error: &Error) -> (u8, String) {
    (trademesh::exit::code_of(error), error.reason().to_owned())
}
