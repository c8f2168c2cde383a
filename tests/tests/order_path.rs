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
use mesh::pb::trading as pb;
use mesh::pb::trading::OrderStatus;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::time::{Chance, Clock};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tonic::Request;

struct Platform {
    running: Running,
    client: TradingServiceClient<Channel>,
    users: Users,
    clock: Clock,
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
        rest_url,
        accounts_dir: accounts,
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
    let client = TradingServiceClient::new(channels.to(trading::NAME));
    Platform {
        running,
        client,
        users,
        clock,
    }
}

impl Platform {
    fn ask<T>(&self, message: T) -> Request<T> {
        let token = self.users.token(&self.clock, "ada", &["trader"], &["paper-1"]);
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
