//! The order path in one process: simulated exchange, market data and trading, through the very adapters of a live venue.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

use mesh::app::testing::Users;
use mesh::app::{App, AppConfig, Running};
use mesh::channel::{Channel, ChannelConfig, Channels};
use mesh::identity::ServiceIdentity;
use mesh::pb::data::market_data_service_client::MarketDataServiceClient;
use mesh::pb::data::{Bar, Interval, ListBarsRequest};
use mesh::pb::trading as pb;
use mesh::pb::trading::OrderStatus;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::time::{Chance, Clock};
use rust_decimal::Decimal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tonic::Request;

struct Platform {
    running: Running,
    client: TradingServiceClient<Channel>,
    data: MarketDataServiceClient<Channel>,
    users: Users,
    clock: Clock,
    exchange: String,
}

/// Starts the three services on free ports and waits until they are ready.
async fn start(folder: &Path) -> Platform {
    let accounts = folder.join("accounts");
    std::fs::create_dir_all(&accounts).unwrap();
    let key = r#"{"account":"paper-1","api_key":"key","secret":"secret"}"#;
    std::fs::write(accounts.join("paper-1.json"), key).unwrap();
    let (clock, chance) = (Clock::system(), Chance::from_entropy());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = AppConfig {
        data_dir: folder.join("data"),
        ports: Default::default(),
        ..AppConfig::default()
    };
    let mut app = App::new(config, clock.clone(), chance.clone());
    app.listen_http(exchange::NAME, listener);
    let config = exchange::Config {
        symbols: 4,
        accounts_dir: accounts.clone(),
        ..Default::default()
    };
    app.add(exchange::NAME, move |deps| exchange::build(config.clone(), deps));
    let (rest_url, ws_url) = (format!("http://{address}"), format!("ws://{address}"));
    let config = data::Config {
        rest_url: rest_url.clone(),
        ws_url,
        ..Default::default()
    };
    app.add(data::NAME, move |deps| data::build(config.clone(), deps));
    let config = trading::Config {
        rest_url: rest_url.clone(),
        accounts_dir: accounts,
        reconcile_interval_ms: 100,
        ..Default::default()
    };
    app.add(trading::NAME, move |deps| trading::build(config.clone(), deps));
    let running = app.start().await.unwrap();
    let ready = tokio::time::timeout(Duration::from_secs(60), running.ready()).await;
    assert!(ready.is_ok(), "still pending: {:?}", running.pending());

    let users = Users::seeded(1);
    running.verifier().trust(users.public_key());
    let identity = ServiceIdentity::load_or_create(folder, "tester", &clock, &chance).unwrap();
    running.verifier().trust(identity.public_key().clone());
    let registries = vec![Arc::new(running.in_process().clone()) as _];
    let channels = Channels::new(ChannelConfig::default(), registries, identity, chance);
    Platform {
        running,
        client: TradingServiceClient::new(channels.to(trading::NAME)),
        data: MarketDataServiceClient::new(channels.to(data::NAME)),
        users,
        clock,
        exchange: rest_url,
    }
}

impl Platform {
    fn ask<T>(&self, message: T) -> Request<T> {
        let token = self.users.token(&self.clock, "ada", &["trader", "risk"], &["paper-1"]);
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    }

    async fn submit(&self, id: &str, side: pb::Side, quantity: &str) -> Result<pb::Order, mesh::Error> {
        let order = pb::SubmitOrderRequest {
            account_id: "paper-1".into(),
            client_order_id: id.into(),
            symbol: "BTCUSDT".into(),
            side: side as i32,
            r#type: pb::OrderType::Market as i32,
            time_in_force: 0,
            quantity: quantity.into(),
            price: String::new(),
            ..Default::default()
        };
        let answer = self.client.clone().submit_order(self.ask(order)).await;
        answer
            .map(|answer| answer.into_inner().order.unwrap())
            .map_err(mesh::Error::from)
    }

    /// Submits under fresh ids until the market is known.
    async fn submit_soon(&self, id: &str, side: pb::Side, quantity: &str) -> pb::Order {
        for attempt in 0.. {
            match self.submit(&format!("{id}-{attempt}"), side, quantity).await {
                Ok(order) => return order,
                Err(error) => assert_eq!(error.reason(), "MARKET_STALE", "{error}"),
            }
            tokio::task::yield_now().await;
        }
        unreachable!("the attempts do not end")
    }

    /// What somebody does at the exchange by other means, with the account's own key.
    async fn by_hand(&self, method: reqwest::Method, query: &str) -> serde_json::Value {
        let time = self.clock.now_millis();
        let payload = format!("{query}&recvWindow=60000&timestamp={time}");
        let signature = trading::binance::keys::Key::new("key", "secret").sign(&payload);
        let url = format!("{}/api/v3/order?{payload}&signature={signature}", self.exchange);
        let request = reqwest::Client::new()
            .request(method, url)
            .header("X-MBX-APIKEY", "key");
        let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer["orderId"].is_number(), "{answer}");
        answer
    }

    /// The bars of one second of BTCUSDT that began after a time, in milliseconds since the Unix epoch, once so many of
    /// them are over and had trades.
    async fn closed_bars(&self, since: i64, count: usize) -> Vec<Bar> {
        let list = ListBarsRequest {
            symbol: "BTCUSDT".into(),
            interval: Interval::Interval1s as i32,
            ..Default::default()
        };
        let waiting = async {
            loop {
                let answer = self.data.clone().list_bars(self.ask(list.clone())).await;
                let mut bars = answer.unwrap().into_inner().bars;
                bars.retain(|bar| bar.closed && opened(bar) > since);
                if bars.iter().filter(|bar| bar.trade_count > 0).count() >= count {
                    return bars;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap()
    }

    /// The external orders, once there are so many.
    async fn external(&self, count: usize) -> Vec<pb::ExternalOrder> {
        let list = pb::ListExternalOrdersRequest {
            account_id: "paper-1".into(),
            ..Default::default()
        };
        let waiting = async {
            loop {
                let answer = self.client.clone().list_external_orders(self.ask(list.clone())).await;
                let orders = answer.unwrap().into_inner().orders;
                if orders.len() == count {
                    return orders;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap()
    }

    /// Follows the order's events, from its acceptance, to its end; returns it with its fills.
    async fn end_of(&self, order: &pb::Order) -> (pb::Order, Vec<pb::Fill>) {
        let follow = pb::StreamOrderEventsRequest {
            account_id: "paper-1".into(),
            from_sequence: order.sequence,
        };
        let mut events = self
            .client
            .clone()
            .stream_order_events(self.ask(follow))
            .await
            .unwrap()
            .into_inner();
        let mut fills = Vec::new();
        loop {
            let event = tokio::time::timeout(Duration::from_secs(30), events.message())
                .await
                .unwrap();
            let event = event.unwrap().unwrap();
            let Some(now) = event.order.filter(|now| now.order_id == order.order_id) else {
                continue;
            };
            fills.extend(event.fill);
            let is_over = matches!(
                now.status(),
                OrderStatus::Filled | OrderStatus::Expired | OrderStatus::Rejected
            );
            if is_over {
                return (now, fills);
            }
        }
    }
}

#[tokio::test]
async fn an_order_is_filled_once_and_a_restart_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let order = platform.submit_soon("buy", pb::Side::Buy, "0.01").await;
    assert_eq!(order.status(), OrderStatus::PendingNew);
    let (end, fills) = platform.end_of(&order).await;
    assert_eq!(end.status(), OrderStatus::Filled, "{end:?}");
    let filled: f64 = fills.iter().map(|fill| fill.quantity.parse::<f64>().unwrap()).sum();
    assert!((filled - 0.01).abs() < 1e-12, "{fills:?}");
    let again = platform
        .submit(&order.client_order_id, pb::Side::Buy, "0.01")
        .await
        .unwrap();
    assert_eq!(again, order, "a repeat is answered as its original was");
    platform.running.shutdown().await;

    let platform = start(folder.path()).await;
    assert_eq!(platform.end_of(&order).await, (end, fills));
    let again = platform
        .submit(&order.client_order_id, pb::Side::Buy, "0.01")
        .await
        .unwrap();
    assert_eq!(again, order);
    platform.running.shutdown().await;
}

#[tokio::test]
async fn what_somebody_does_at_the_venue_by_other_means_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    let bought = platform.submit_soon("buy", pb::Side::Buy, "0.01").await;
    let (_, fills) = platform.end_of(&bought).await;
    // Above the market, and within the venue's own bounds.
    let price = fills[0].price.parse::<f64>().unwrap() * 1.03;
    let resting = format!(
        "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price:.0}&newClientOrderId=mine"
    );
    platform.by_hand(reqwest::Method::POST, &resting).await;
    let found = platform.external(1).await;
    assert_eq!(
        (
            found[0].client_order_id.as_str(),
            found[0].reserved.as_str(),
            found[0].reserved_asset.as_str()
        ),
        ("mine", "0.01", "BTC")
    );
    let alerts = async || {
        let list = pb::ListAlertsRequest::default();
        platform
            .client
            .clone()
            .list_alerts(platform.ask(list))
            .await
            .unwrap()
            .into_inner()
            .alerts
    };
    assert!(alerts().await.iter().any(|alert| alert.reason == "EXTERNAL_ORDER"));

    // A restart knows it still; once it is gone, so is what it set aside.
    platform.running.shutdown().await;
    let platform = start(folder.path()).await;
    assert_eq!(platform.external(1).await, found);
    platform
        .by_hand(reqwest::Method::DELETE, "symbol=BTCUSDT&origClientOrderId=mine")
        .await;
    platform.external(0).await;

    // What is bought by other means arrives as a difference of the holdings, and is adopted.
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.02";
    platform.by_hand(reqwest::Method::POST, market).await;
    let adjusted = async {
        loop {
            let list = pb::ListAlertsRequest::default();
            let answer = platform.client.clone().list_alerts(platform.ask(list)).await;
            let alerts = answer.unwrap().into_inner().alerts;
            if alerts.iter().any(|alert| alert.reason == "BALANCE_ADJUSTED") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), adjusted).await.unwrap();
    platform.running.shutdown().await;
}

/// When a bar began, in milliseconds since the Unix epoch.
fn opened(bar: &Bar) -> i64 {
    bar.open_time.map_or(0, |time| time.seconds * 1_000)
}

#[tokio::test]
async fn bars_that_are_over_equal_the_exchanges_own_klines() {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path()).await;
    // What began before was read from the venue's history.
    let bars = platform.closed_bars(platform.clock.now_millis(), 3).await;
    let url = format!(
        "{}/api/v3/klines?symbol=BTCUSDT&interval=1s&limit=1000",
        platform.exchange
    );
    let klines: Vec<serde_json::Value> = reqwest::get(url).await.unwrap().json().await.unwrap();
    for bar in &bars {
        let theirs = klines.iter().find(|kline| kline[0] == opened(bar));
        let theirs = theirs.unwrap_or_else(|| panic!("the exchange has no kline of {bar:?}"));
        let number = |text: &str| text.parse::<Decimal>().unwrap();
        let numbers = [
            (&bar.open, 1),
            (&bar.high, 2),
            (&bar.low, 3),
            (&bar.close, 4),
            (&bar.volume, 5),
            (&bar.quote_volume, 7),
            (&bar.taker_buy_volume, 9),
            (&bar.taker_buy_quote_volume, 10),
        ];
        for (ours, field) in numbers {
            let same = number(ours) == number(theirs[field].as_str().unwrap());
            assert!(same, "field {field} of {theirs}: {bar:?}");
        }
        assert_eq!(theirs[8], bar.trade_count, "{theirs}: {bar:?}");
    }
    platform.running.shutdown().await;
}
