//! The wall clock jumps an hour either way under a running order path: that of the platform alone, as an operator's mistake
//! does, and that of the exchange with it, as on one machine. Sequences, ids and expiries stay right, signing follows the
//! venue's time, and nothing waits for the wall clock.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use mesh::app::testing::Users;
use mesh::app::{App, AppConfig, Running};
use mesh::channel::{Channel, ChannelConfig, Channels};
use mesh::identity::ServiceIdentity;
use mesh::pb::trading as pb;
use mesh::pb::trading::OrderStatus;
use mesh::pb::trading::trading_service_client::TradingServiceClient;
use mesh::time::{Chance, Clock};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tonic::Request;

const HOUR: i64 = 3_600_000_000;
/// A little more than an hour: the tokens of the tests live for one.
const JUMP: i64 = HOUR + 120_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that runs with the real one and can be set.
struct Jumping {
    clock: Clock,
    jump: Arc<AtomicI64>,
    is_over: Arc<AtomicBool>,
}

impl Jumping {
    fn new() -> Self {
        let (clock, hands) = Clock::manual(Clock::system().now_micros());
        let (jump, is_over) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
        let (wanted, ended, shown) = (jump.clone(), is_over.clone(), clock.clone());
        std::thread::spawn(move || {
            let begun = Instant::now();
            let mut passed = Duration::ZERO;
            while !ended.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
                let now = begun.elapsed();
                hands.advance(now - passed);
                passed = now;
                let by = wanted.swap(0, Ordering::SeqCst);
                if by != 0 {
                    hands.set(shown.now_micros() + by);
                }
            }
        });
        Self { clock, jump, is_over }
    }

    /// Sets the wall clock, and returns once it shows the new time.
    fn jump(&self, by: i64) {
        let before = self.clock.now_micros();
        self.jump.store(by, Ordering::SeqCst);
        while (self.clock.now_micros() - before - by).abs() > HOUR / 2 {
            std::thread::yield_now();
        }
    }
}

impl Drop for Jumping {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

struct Platform {
    venue: Running,
    running: Running,
    client: TradingServiceClient<Channel>,
    users: Users,
    clock: Clock,
}

async fn ready(running: &Running) {
    let ready = tokio::time::timeout(PATIENCE, running.ready()).await;
    assert!(ready.is_ok(), "still pending: {:?}", running.pending());
}

/// Starts the exchange on one clock, and data and trading on another.
async fn start(folder: &Path, venue_clock: &Clock, clock: &Clock) -> Platform {
    let accounts = folder.join("accounts");
    std::fs::create_dir_all(&accounts).unwrap();
    let key = r#"{"account":"paper-1","api_key":"key","secret":"secret"}"#;
    std::fs::write(accounts.join("paper-1.json"), key).unwrap();
    let chance = Chance::from_entropy();
    let config = |name: &str| AppConfig {
        data_dir: folder.join(name),
        ports: Default::default(),
        ..AppConfig::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut app = App::new(config("venue"), venue_clock.clone(), chance.clone());
    app.listen_http(exchange::NAME, listener);
    let options = exchange::Config {
        symbols: 4,
        accounts_dir: accounts.clone(),
        ..Default::default()
    };
    app.add(exchange::NAME, move |deps| exchange::build(options.clone(), deps));
    let venue = app.start().await.unwrap();
    ready(&venue).await;

    let mut app = App::new(config("data"), clock.clone(), chance.clone());
    let (rest_url, ws_url) = (format!("http://{address}"), format!("ws://{address}"));
    let options = data::Config {
        rest_url: rest_url.clone(),
        ws_url,
        ..Default::default()
    };
    app.add(data::NAME, move |deps| data::build(options.clone(), deps));
    let options = trading::Config {
        rest_url,
        accounts_dir: accounts,
        ..Default::default()
    };
    app.add(trading::NAME, move |deps| trading::build(options.clone(), deps));
    let running = app.start().await.unwrap();
    ready(&running).await;

    let users = Users::seeded(1);
    running.verifier().trust(users.public_key());
    let identity = ServiceIdentity::load_or_create(folder, "tester", clock, &chance).unwrap();
    running.verifier().trust(identity.public_key().clone());
    let registries = vec![Arc::new(running.in_process().clone()) as _];
    let channels = Channels::new(ChannelConfig::default(), registries, identity, chance);
    let client = TradingServiceClient::new(channels.to(trading::NAME));
    Platform {
        venue,
        running,
        client,
        users,
        clock: clock.clone(),
    }
}

/// A limit at which an order rests, below the market.
const LOW: &str = "0.97";

impl Platform {
    fn token(&self) -> String {
        self.users.token(&self.clock, "ada", &["trader"], &["paper-1"])
    }

    fn ask<T>(&self, message: T) -> Request<T> {
        with(message, &self.token())
    }

    async fn submit(&self, id: &str, price: &str) -> Result<pb::Order, mesh::Error> {
        self.submit_until(id, price, None).await
    }

    /// Submits an order; one that is good for a while only, if that is said.
    async fn submit_until(&self, id: &str, price: &str, good_for: Option<Duration>) -> Result<pb::Order, mesh::Error> {
        let end = good_for.map(|time| self.clock.now_micros() + i64::try_from(time.as_micros()).unwrap());
        let order = pb::SubmitOrderRequest {
            account_id: "paper-1".into(),
            client_order_id: id.into(),
            symbol: "BTCUSDT".into(),
            side: pb::Side::Buy.into(),
            r#type: if price.is_empty() {
                pb::OrderType::Market
            } else {
                pb::OrderType::Limit
            }
            .into(),
            quantity: "0.01".into(),
            price: price.into(),
            time_in_force: end.map_or(0, |_| pb::TimeInForce::Gtd.into()),
            expire_time: end.map(mesh::pb::Timestamp::from_micros),
            ..Default::default()
        };
        let answer = self.client.clone().submit_order(self.ask(order)).await;
        answer
            .map(|answer| answer.into_inner().order.unwrap())
            .map_err(mesh::Error::from)
    }

    /// Submits under fresh ids until the market is known, which a jump may make unknown for a moment.
    async fn submit_soon(&self, id: &str, price: &str) -> pb::Order {
        self.submit_soon_until(id, price, None).await
    }

    /// As [`Platform::submit_soon`], an order that is good for a while only.
    async fn submit_soon_until(&self, id: &str, price: &str, good_for: Option<Duration>) -> pb::Order {
        let soon = async {
            for attempt in 0.. {
                match self.submit_until(&format!("{id}-{attempt}"), price, good_for).await {
                    Ok(order) => return order,
                    Err(error) => assert!(["MARKET_STALE", "DUPLICATE_ORDER"].contains(&error.reason()), "{error}"),
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            unreachable!("the attempts do not end")
        };
        tokio::time::timeout(PATIENCE, soon)
            .await
            .expect("the market is known again")
    }

    /// Submits until one is filled. The venue may refuse the time of the first ones after its own clock was set: that is
    /// an end of the order, and of no other.
    async fn filled(&self, id: &str) -> Vec<pb::Order> {
        let mut orders = Vec::new();
        loop {
            let order = self.submit_soon(&format!("{id}-{}", orders.len()), "").await;
            let order = self.until(&order, |order| is_over(order.status())).await;
            let is_filled = order.status() == OrderStatus::Filled;
            let is_excused = order.reason == "VENUE_TIMESTAMP" || order.status() == OrderStatus::Expired;
            assert!(is_filled || is_excused, "{order:?}");
            orders.push(order);
            if is_filled {
                return orders;
            }
        }
    }

    async fn until(&self, order: &pb::Order, is_wanted: impl Fn(&pb::Order) -> bool) -> pb::Order {
        let looking = async {
            loop {
                let request = pb::GetOrderRequest {
                    account_id: "paper-1".into(),
                    order_id: order.order_id.clone(),
                };
                let now = self
                    .client
                    .clone()
                    .get_order(self.ask(request))
                    .await
                    .unwrap()
                    .into_inner()
                    .order
                    .unwrap();
                if is_wanted(&now) {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking)
            .await
            .expect("the order gets there")
    }

    async fn cancel(&self, order: &pb::Order) {
        let request = pb::CancelOrderRequest {
            account_id: "paper-1".into(),
            order_id: order.order_id.clone(),
            request_id: String::new(),
        };
        self.client.clone().cancel_order(self.ask(request)).await.unwrap();
        let end = self.until(order, |order| is_over(order.status())).await;
        assert_eq!(end.status(), OrderStatus::Cancelled, "{end:?}");
    }

    async fn orders(&self) -> Vec<pb::Order> {
        let request = pb::ListOrdersRequest {
            account_id: "paper-1".into(),
            page_size: 1_000,
            ..Default::default()
        };
        self.client
            .clone()
            .list_orders(self.ask(request))
            .await
            .unwrap()
            .into_inner()
            .orders
    }

    async fn shutdown(self) {
        self.running.shutdown().await;
        self.venue.shutdown().await;
    }
}

fn with<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

fn is_over(status: OrderStatus) -> bool {
    use OrderStatus::{Cancelled, Expired, Filled, Rejected};
    matches!(status, Filled | Cancelled | Expired | Rejected)
}

/// A price at which an order rests.
fn low(filled: &pb::Order) -> String {
    let (price, share) = (
        filled.average_price.parse::<f64>().unwrap(),
        LOW.parse::<f64>().unwrap(),
    );
    format!("{:.1}", price * share)
}

/// What a token that was made before the jump is answered after it.
async fn old_token(platform: &Platform, token: &str) -> String {
    let request = pb::ListOrdersRequest {
        account_id: "paper-1".into(),
        ..Default::default()
    };
    let answer = platform.client.clone().list_orders(with(request, token)).await;
    mesh::Error::from(answer.unwrap_err()).reason().to_owned()
}

async fn orders_survive(venue: &Jumping, own: &Jumping, jumps: &[&Jumping], by: i64) {
    let folder = tempfile::tempdir().unwrap();
    let platform = start(folder.path(), &venue.clock, &own.clock).await;
    let before = platform.filled("before").await;
    let resting = platform.submit_soon("rests", &low(before.last().unwrap())).await;
    let resting = platform
        .until(&resting, |order| order.status() == OrderStatus::Open)
        .await;
    let token = platform.users.token(&platform.clock, "eve", &["trader"], &["paper-1"]);

    jumps.iter().for_each(|clock| clock.jump(by));

    // Tokens live by the wall clock: those of the past have expired, those of the future are not valid yet, unless they
    // were verified before. A new login gives one that is good.
    let refusal = old_token(&platform, &token).await;
    assert_eq!(refusal, if by > 0 { "TOKEN_EXPIRED" } else { "TOKEN_NOT_YET_VALID" });
    let repeated = platform.submit(&resting.client_order_id, &resting.price).await.unwrap();
    assert_eq!(repeated.order_id, resting.order_id, "a key is known whatever the time");
    let after = platform.filled("after").await;
    platform.cancel(&resting).await;

    let orders = platform.orders().await;
    let ids: BTreeSet<&str> = orders.iter().map(|order| order.order_id.as_str()).collect();
    let venue_ids: BTreeSet<&str> = orders.iter().map(|order| order.venue_order_id.as_str()).collect();
    assert_eq!((ids.len(), venue_ids.len()), (orders.len(), orders.len()), "{orders:?}");
    let newest: Vec<&str> = orders
        .iter()
        .take(after.len())
        .map(|order| order.order_id.as_str())
        .collect();
    let expected: Vec<&str> = after.iter().rev().map(|order| order.order_id.as_str()).collect();
    assert_eq!(newest, expected, "newest first is by sequence, not by time");
    assert!(after[0].sequence > resting.sequence);
    platform.shutdown().await;

    // A journal whose times go back is as good as any.
    let platform = start(folder.path(), &venue.clock, &own.clock).await;
    assert_eq!(platform.orders().await, orders);
    platform.filled("again").await;
    platform.shutdown().await;
}

/// Expiries follow the venue's time: set ahead, our clock ends nothing early; set back, it keeps nothing alive.
#[tokio::test]
async fn orders_end_at_their_time_whatever_the_platforms_clock_shows() {
    for by in [JUMP, -JUMP] {
        let folder = tempfile::tempdir().unwrap();
        let (venue, own) = (Jumping::new(), Jumping::new());
        let platform = start(folder.path(), &venue.clock, &own.clock).await;
        let price = low(platform.filled("before").await.last().unwrap());
        let long = Some(Duration::from_secs(1_800));
        let long = platform.submit_soon_until("long", &price, long).await;
        let long = platform.until(&long, |order| order.status() == OrderStatus::Open).await;
        let short = Some(Duration::from_secs(2));
        let begun = Instant::now();
        let short = platform.submit_soon_until("short", &price, short).await;

        own.jump(by);

        let short = platform.until(&short, |order| is_over(order.status())).await;
        assert_eq!(
            (short.status(), short.reason.as_str()),
            (OrderStatus::Expired, "EXPIRE_TIME")
        );
        assert!(
            begun.elapsed() >= Duration::from_secs(1),
            "it ended early: {:?}",
            begun.elapsed()
        );
        let long = platform.until(&long, |_| true).await;
        assert_eq!(long.status(), OrderStatus::Open, "{by}");
        platform.shutdown().await;
    }
}

#[tokio::test]
async fn orders_survive_a_jump_of_the_platforms_clock() {
    for by in [JUMP, -JUMP] {
        let (venue, own) = (Jumping::new(), Jumping::new());
        orders_survive(&venue, &own, &[&own], by).await;
    }
}

#[tokio::test]
async fn orders_survive_a_jump_of_every_clock() {
    for by in [JUMP, -JUMP] {
        let (venue, own) = (Jumping::new(), Jumping::new());
        orders_survive(&venue, &own, &[&own, &venue], by).await;
    }
}
