//! The whole service in one process: real journals and RPCs, a venue and market data in memory.

mod batch;
mod early;
mod halts;
mod held;
mod life;
mod orders;
mod reconcile;
mod refusals;
mod restarts;
mod rpcs;
mod sessions;

use crate::config::{Config, LimitOptions};
use crate::venue::fake::FakeVenue;
use crate::{build, build_on};
use domain::AccountId;
use mesh::app::Readiness;
use mesh::app::testing::Bed;
use mesh::pb::data as market;
use mesh::pb::data::market_data_service_server::{MarketDataService, MarketDataServiceServer};
use mesh::pb::trading as pb;
use mesh::pb::trading::OrderStatus;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::time::{Chance, Clock};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;
use tonic::codegen::BoxStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

type Client = TradingServiceClient<mesh::channel::Channel>;

/// Market data: BTCUSDT at 100, until it is told another price.
struct StillMarket(watch::Receiver<String>);

#[tonic::async_trait]
impl MarketDataService for StillMarket {
    async fn list_instruments(
        &self,
        request: Request<market::ListInstrumentsRequest>,
    ) -> Result<Response<market::ListInstrumentsResponse>, Status> {
        let instrument = |symbol: &str, base: &str| market::Instrument {
            symbol: symbol.into(),
            venue: "fake".into(),
            base_asset: base.into(),
            quote_asset: "USDT".into(),
            tick_size: "0.01".into(),
            lot_size: "0.001".into(),
            min_quantity: "0.001".into(),
            max_quantity: "1000".into(),
            min_notional: "1".into(),
            tradable: true,
            max_price: "1000000".into(),
        };
        // Two pages, the second with one instrument that makes no sense.
        let answer = match request.into_inner().page_token.as_str() {
            "" => market::ListInstrumentsResponse {
                instruments: vec![instrument("BTCUSDT", "BTC")],
                next_page_token: "2".into(),
            },
            _ => market::ListInstrumentsResponse {
                instruments: vec![instrument("USDTUSDT", "USDT"), instrument("bad", "BTC")],
                next_page_token: String::new(),
            },
        };
        Ok(Response::new(answer))
    }

    async fn stream_quotes(
        &self,
        _: Request<market::StreamQuotesRequest>,
    ) -> Result<Response<BoxStream<market::StreamQuotesResponse>>, Status> {
        let level = |price: &str| {
            Some(market::Level {
                price: price.into(),
                quantity: "1".into(),
            })
        };
        let quote = move |symbol: &str, last: &str| market::StreamQuotesResponse {
            quote: Some(market::Quote {
                symbol: symbol.into(),
                state: market::BookState::Live as i32,
                age_us: 0,
                bid: if last.is_empty() { None } else { level(last) },
                ask: if last.is_empty() { None } else { level(last) },
                last_price: last.into(),
                venue_time: None,
            }),
        };
        let still = tokio_stream::iter([Ok(quote("ETHUSDT", ""))]);
        let moving = WatchStream::new(self.0.clone()).map(move |last| Ok(quote("BTCUSDT", &last)));
        Ok(Response::new(Box::pin(still.chain(moving))))
    }
}

pub(super) struct Bench {
    pub(super) bed: Bed,
    pub(super) venue: Arc<FakeVenue>,
    pub(super) clock: Clock,
    pub(super) readiness: Readiness,
    /// BTCUSDT's price.
    pub(super) price: watch::Sender<String>,
}

pub(super) fn config() -> Config {
    Config {
        shards: 2,
        venue: "fake".to_owned(),
        recv_window_ms: 500,
        processing_bound_ms: 100,
        max_backoff_ms: 10,
        clock_interval_ms: 10,
        stream_buffer: 64,
        // Few, so that every test here also takes snapshots while it works.
        snapshot_records: 7,
        limits: LimitOptions {
            mark_max_age_ms: 600_000,
            duplicate_window_ms: 0,
            ..LimitOptions::default()
        },
        ..Config::default()
    }
}

pub(super) fn accounts() -> Vec<AccountId> {
    ["paper-1", "paper-2", "paper-3"]
        .map(|name| AccountId::parse(name).unwrap())
        .into()
}

/// A running service on this folder, ready.
pub(super) async fn start(folder: &Path, venue: Option<Arc<FakeVenue>>) -> Bench {
    let bench = begin(folder, venue, config()).await;
    bench.quoted().await;
    bench
}

/// As [`start`], with another config, and perhaps no order can be placed.
pub(super) async fn begin(folder: &Path, venue: Option<Arc<FakeVenue>>, config: Config) -> Bench {
    let bench = launch(folder, venue, config, accounts()).await;
    bench.readiness.ready().await;
    bench
}

/// As [`begin`], with other accounts, and not ready yet.
pub(super) async fn launch(
    folder: &Path,
    venue: Option<Arc<FakeVenue>>,
    config: Config,
    accounts: Vec<AccountId>,
) -> Bench {
    let clock = Clock::system();
    let bed = Bed::new(folder, clock.clone(), Chance::seeded(1));
    let (price, quotes) = watch::channel("100".to_owned());
    bed.register("data", Routes::new(MarketDataServiceServer::new(StillMarket(quotes))));
    let venue = venue.unwrap_or_else(|| Arc::new(FakeVenue::new(clock.clone())));
    let deps = bed.deps("trading");
    let readiness = deps.readiness.clone();
    let service = build_on(config, deps, venue.clone(), accounts).await.unwrap();
    bed.register("trading", service.routes);
    Bench {
        bed,
        venue,
        clock,
        readiness,
        price,
    }
}

impl Bench {
    pub(super) fn client(&self) -> Client {
        TradingServiceClient::new(self.bed.channels("tester").to("trading"))
    }

    /// A request of somebody with all grants.
    pub(super) fn ask<T>(&self, message: T) -> Request<T> {
        self.ask_as(message, &["trader", "risk"], &["*"])
    }

    pub(super) fn ask_as<T>(&self, message: T, roles: &[&str], accounts: &[&str]) -> Request<T> {
        let token = self.bed.users.token(&self.clock, "ada", roles, accounts);
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    /// Until the mark has arrived: before that an order is refused as stale, under a key that is not used again.
    pub(super) async fn quoted(&self) {
        for attempt in 0.. {
            let order = submit(&format!("probe-{attempt}"), "1", "50");
            match self.client().submit_order(self.ask(order)).await {
                Ok(response) => {
                    let order = response.into_inner().order.unwrap();
                    let cancel = pb::CancelOrderRequest {
                        account_id: order.account_id,
                        order_id: order.order_id.clone(),
                        request_id: String::new(),
                    };
                    self.client().cancel_order(self.ask(cancel)).await.unwrap();
                    self.until(&order.order_id, OrderStatus::Cancelled).await;
                    return;
                }
                Err(status) => assert_eq!(mesh::Error::from(status).reason(), "MARKET_STALE"),
            }
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn place(&self, id: &str, quantity: &str, price: &str) -> pb::Order {
        let response = self.client().submit_order(self.ask(submit(id, quantity, price))).await;
        response.unwrap().into_inner().order.unwrap()
    }

    /// Follows the account's events from the beginning until the order has this status.
    pub(super) async fn until(&self, order_id: &str, status: OrderStatus) -> pb::Order {
        self.until_order(order_id, |order| order.status == status as i32).await
    }

    pub(super) async fn until_order(&self, order_id: &str, is_it: impl Fn(&pb::Order) -> bool) -> pb::Order {
        let request = pb::StreamOrderEventsRequest {
            account_id: "paper-1".into(),
            from_sequence: 1,
        };
        let mut events = self
            .client()
            .stream_order_events(self.ask(request))
            .await
            .unwrap()
            .into_inner();
        let waiting = async {
            loop {
                let order = events.message().await.unwrap().unwrap().order.unwrap();
                if order.order_id == order_id && is_it(&order) {
                    return order;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting)
            .await
            .expect("the order comes there")
    }

    /// Ends everything and frees the journals.
    pub(super) async fn stop(self) -> Arc<FakeVenue> {
        assert_eq!(
            self.bed.shutdown().stop(Duration::from_secs(5)).await,
            Vec::<String>::new()
        );
        self.venue
    }
}

/// Asks again and again until the answer is the one awaited.
pub(super) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), asking).await;
    found.expect("what is awaited comes")
}

pub(super) fn submit(id: &str, quantity: &str, price: &str) -> pb::SubmitOrderRequest {
    pb::SubmitOrderRequest {
        account_id: "paper-1".into(),
        client_order_id: id.into(),
        symbol: "BTCUSDT".into(),
        side: pb::Side::Buy as i32,
        r#type: if price.is_empty() {
            pb::OrderType::Market
        } else {
            pb::OrderType::Limit
        } as i32,
        time_in_force: 0,
        quantity: quantity.into(),
        price: price.into(),
        ..Default::default()
    }
}
