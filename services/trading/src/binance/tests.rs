//! The adapter against a small server that speaks Binance's formats over real sockets.

mod order_entry;
mod redirects;
mod user_data;

use super::Binance;
use super::keys::Key;
use super::wire::RateLimit;
use crate::config::Config;
use crate::core::VenueStatus;
use crate::venue::{Pace, Placement, PlacementKind, Subject, Venue, VenueClock, VenueError};
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use domain::{AccountId, Side, Symbol, TimeInForce, Timestamp};
use mesh::time::{Chance, Clock};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

const NOW: i64 = 1_700_000_000_000;

/// Status, headers and body.
type Answer = (u16, Vec<(&'static str, &'static str)>, String);

#[derive(Default)]
struct Script {
    /// (method, path, query, api key)
    requests: Mutex<Vec<(String, String, String, String)>>,
    answers: Mutex<VecDeque<Answer>>,
    /// What a subscription is answered, per connection.
    frames: Mutex<VecDeque<Option<Vec<String>>>>,
    subscriptions: Mutex<Vec<Value>>,
}

async fn rest(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let key = headers
        .get("X-MBX-APIKEY")
        .map_or("", |key| key.to_str().unwrap())
        .to_owned();
    let request = (
        method.to_string(),
        uri.path().to_owned(),
        query.unwrap_or_default(),
        key,
    );
    script.requests.lock().push(request);
    let answer = script.answers.lock().pop_front();
    let Some((status, headers, body)) = answer else {
        // The script is over: never answer.
        return std::future::pending().await;
    };
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

async fn stream(State(script): State<Arc<Script>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |mut socket: WebSocket| async move {
        let frames = script.frames.lock().pop_front();
        let Some(frames) = frames else {
            return std::future::pending().await;
        };
        let Some(Ok(Message::Text(text))) = socket.recv().await else {
            return;
        };
        script.subscriptions.lock().push(serde_json::from_str(&text).unwrap());
        let Some(frames) = frames else {
            // Until the other side leaves.
            while let Some(Ok(_)) = socket.recv().await {}
            return;
        };
        for frame in frames {
            let _ = socket.send(Message::Text(frame.into())).await;
        }
        // The connection is closed by leaving.
    })
}

struct Rig {
    script: Arc<Script>,
    venue: Binance,
}

impl Rig {
    fn answer(&self, status: u16, body: Value) {
        self.script
            .answers
            .lock()
            .push_back((status, Vec::new(), body.to_string()));
    }

    fn last(&self) -> (String, String, String, String) {
        self.script.requests.lock().last().cloned().unwrap()
    }
}

async fn rig() -> Rig {
    let script = Arc::new(Script::default());
    let router = Router::new()
        .route("/ws-api/v3", any(stream))
        .fallback(rest)
        .with_state(Arc::clone(&script));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rest_url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Rig {
        script,
        venue: adapter(rest_url),
    }
}

fn adapter(rest_url: String) -> Binance {
    adapter_of(&Config {
        rest_url,
        request_timeout_ms: 300,
        max_backoff_ms: 5,
        ..Config::default()
    })
}

fn adapter_of(config: &Config) -> Binance {
    let keys = BTreeMap::from([(account(), Key::new("the-key", "the-secret"))]);
    let (clock, _) = Clock::manual(NOW * 1_000);
    Binance::new(config, keys, clock, Chance::seeded(1)).unwrap()
}

fn account() -> AccountId {
    AccountId::parse("paper-1").unwrap()
}

fn subject() -> Subject {
    Subject {
        account: account(),
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        venue_id: "our-id".into(),
    }
}

fn placement() -> Placement {
    Placement {
        display_quantity: None,
        account: account(),
        symbol: Symbol::parse("BTCUSDT").unwrap(),
        venue_id: "our-id".into(),
        side: Side::Buy,
        kind: PlacementKind::Limit(TimeInForce::Gtc),
        price: "99.5".parse().unwrap(),
        quantity: "0.10".parse().unwrap(),
        signed: Timestamp::from_millis(NOW - 7),
    }
}

fn order(status: &str, executed: &str) -> Value {
    json!({"symbol": "BTCUSDT", "orderId": 12, "clientOrderId": "our-id", "status": status, "executedQty": executed,
        "transactTime": NOW})
}

#[tokio::test]
async fn an_order_is_signed_with_its_intents_time_and_its_fills_are_read() {
    let rig = rig().await;
    let mut filled = order("FILLED", "0.10000000");
    filled["fills"] = json!([{"price": "99.40000000", "qty": "0.10000000", "commission": "0.00010000",
        "commissionAsset": "BTC", "tradeId": 5}]);
    rig.answer(200, filled);
    let state = rig.venue.place(&placement()).await.unwrap();
    assert_eq!((state.status, state.venue_order.as_str()), (VenueStatus::Filled, "12"));
    assert_eq!(
        (state.trades[0].price.to_string(), state.trades[0].trade_id.get()),
        ("99.4".into(), 5)
    );
    let (method, path, query, key) = rig.last();
    assert_eq!(
        (method.as_str(), path.as_str(), key.as_str()),
        ("POST", "/api/v3/order", "the-key")
    );
    let (payload, signature) = query.rsplit_once("&signature=").unwrap();
    assert_eq!(
        payload,
        "newClientOrderId=our-id&newOrderRespType=FULL&price=99.5&quantity=0.1&recvWindow=5000&side=BUY&symbol=BTCUSDT\
         &timeInForce=GTC&timestamp=1699999999993&type=LIMIT"
    );
    assert_eq!(signature, Key::new("", "the-secret").sign(payload));

    rig.answer(200, order("NEW", "0"));
    let maker = Placement {
        kind: PlacementKind::LimitMaker,
        display_quantity: Some("0.02".parse().unwrap()),
        ..placement()
    };
    assert_eq!(rig.venue.place(&maker).await.unwrap().status, VenueStatus::Live);
    let (_, _, query, _) = rig.last();
    assert!(
        query.starts_with("icebergQty=0.02&") && query.contains("&type=LIMIT_MAKER&") && !query.contains("timeInForce")
    );
}

#[tokio::test]
async fn every_other_endpoint() {
    let rig = rig().await;
    let mut cancelled = order("CANCELED", "0.05");
    cancelled["origClientOrderId"] = "our-id".into();
    cancelled["clientOrderId"] = "request".into();
    rig.answer(200, cancelled.clone());
    let state = rig.venue.cancel(&subject(), Timestamp::from_millis(NOW)).await.unwrap();
    assert_eq!(
        (state.status, state.executed.to_string()),
        (VenueStatus::Cancelled, "0.05".into())
    );
    assert_eq!(rig.last().0, "DELETE");
    rig.answer(200, order("PARTIALLY_FILLED", "0.05"));
    assert_eq!(rig.venue.order(&subject()).await.unwrap().status, VenueStatus::Live);
    assert!(
        rig.last()
            .2
            .starts_with("origClientOrderId=our-id&recvWindow=5000&symbol=BTCUSDT&timestamp=")
    );
    rig.answer(
        200,
        json!([{"id": 5, "price": "99", "qty": "0.05", "commission": "0.1", "commissionAsset": "USDT",
        "time": NOW, "isMaker": true}]),
    );
    let trades = rig.venue.trades(&subject(), "12").await.unwrap();
    assert_eq!(
        (trades[0].trade_id.get(), trades[0].liquidity),
        (5, domain::Liquidity::Maker)
    );
    assert!(rig.last().2.contains("orderId=12"));
    let mut open = order("NEW", "0");
    (open["side"], open["price"], open["origQty"]) = ("BUY".into(), "99".into(), "2".into());
    rig.answer(200, json!([open]));
    let listed = rig.venue.open_orders(&account(), None, Pace::Now).await.unwrap();
    assert_eq!(listed[0].order.venue_id, "our-id");
    assert_eq!(
        (
            listed[0].terms.symbol.as_str(),
            listed[0].terms.price.unwrap().to_string().as_str()
        ),
        ("BTCUSDT", "99")
    );
    assert!(!rig.last().2.contains("symbol="));
    rig.answer(
        200,
        json!({"balances": [{"asset": "USDT", "free": "1.5", "locked": "0.5"}]}),
    );
    let holdings = rig.venue.balances(&account(), Pace::Now).await.unwrap();
    assert_eq!(
        (holdings[0].total.to_string(), holdings[0].locked.to_string()),
        ("2".into(), "0.5".into())
    );
    rig.answer(200, json!({"serverTime": NOW + 1_500}));
    rig.answer(
        200,
        json!({"rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 141},
        ], "symbols": [
            {"symbol": "BTCUSDT", "status": "TRADING", "icebergAllowed": true, "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000", "tickSize": "0.01"},
                {"filterType": "ICEBERG_PARTS", "limit": 10},
            ]},
            {"symbol": "ETHUSDT", "icebergAllowed": false},
            {"symbol": "XRPUSDT"},
            {"symbol": "SOLUSDT", "icebergAllowed": true},
            {"symbol": "odd/name", "icebergAllowed": true},
        ]}),
    );
    assert!(rig.venue.icebergs().is_empty());
    rig.venue.synchronise().await.unwrap();
    assert_eq!(
        rig.venue.icebergs(),
        BTreeMap::from(
            [("BTCUSDT", 10), ("SOLUSDT", u64::MAX)].map(|(name, parts)| (Symbol::parse(name).unwrap(), parts))
        )
    );
    assert_eq!(rig.venue.now(), Timestamp::from_millis(NOW + 1_500));
    assert_eq!(rig.venue.name().as_str(), "exchange");
    // 1 + 4 + 5 + 80 + 20 + 1 + 20 are spent: orders may use 80 % of 141, and what is left is for the rest.
    assert!(matches!(
        rig.venue.place(&placement()).await,
        Err(VenueError::Limited(_))
    ));
    rig.answer(200, cancelled);
    rig.venue.cancel(&subject(), Timestamp::from_millis(NOW)).await.unwrap();
}

#[tokio::test]
async fn open_orders_that_cannot_be_read_are_no_empty_list() {
    let rig = rig().await;
    let symbol = Symbol::parse("BTCUSDT").unwrap();
    let listed = |key: &str, value: Value| {
        let mut open = order("NEW", "0");
        (open["side"], open["price"], open["origQty"]) = ("SELL".into(), "0.00".into(), "2".into());
        open[key] = value;
        json!([open])
    };
    rig.answer(200, listed("side", "SELL".into()));
    let found = rig
        .venue
        .open_orders(&account(), Some(&symbol), Pace::Background)
        .await
        .unwrap();
    assert_eq!((found[0].terms.side, found[0].terms.price), (Side::Sell, None));
    assert!(rig.last().2.contains("&symbol=BTCUSDT&"));
    for (key, value) in [
        ("side", json!("UP")),
        ("symbol", json!("btc/usdt")),
        ("origQty", Value::Null),
        ("status", json!("MELTED")),
    ] {
        rig.answer(200, listed(key, value));
        let answer = rig.venue.open_orders(&account(), Some(&symbol), Pace::Now).await;
        assert!(matches!(answer, Err(VenueError::Unknown(_))), "{key}");
    }
}

#[tokio::test]
async fn all_trades_of_an_order_are_fetched_page_by_page() {
    let rig = rig().await;
    let page = |ids: std::ops::Range<u64>| {
        let trade = |id| {
            json!({"id": id, "price": "99", "qty": "0.01", "commission": "0", "commissionAsset": "USDT",
            "time": NOW, "isMaker": true})
        };
        Value::from(ids.map(trade).collect::<Vec<_>>())
    };
    for (pages, count) in [
        (vec![10..1_010, 1_010..2_010, 2_010..2_011], 2_001),
        (vec![10..1_010, 0..0], 1_000),
    ] {
        for ids in pages {
            rig.answer(200, page(ids));
        }
        let trades = rig.venue.trades(&subject(), "12").await.unwrap();
        assert_eq!(trades.len(), count);
        let last = format!("fromId={}&", 10 + count / 1_000 * 1_000);
        assert!(rig.last().2.starts_with(&last), "{}", rig.last().2);
    }
}

#[tokio::test]
async fn what_is_certain_after_a_failure() {
    let rig = rig().await;
    rig.answer(
        400,
        json!({"code": -2010, "msg": "Account has insufficient balance for requested action."}),
    );
    assert!(
        matches!(rig.venue.place(&placement()).await, Err(VenueError::Rejected { reason, .. }) if reason == "VENUE_BALANCE")
    );
    rig.answer(400, json!({"code": -2013, "msg": "Order does not exist."}));
    assert_eq!(rig.venue.order(&subject()).await.unwrap_err(), VenueError::NotFound);
    rig.answer(502, json!("<html>"));
    assert!(matches!(
        rig.venue.place(&placement()).await,
        Err(VenueError::Unknown(_))
    ));
    rig.answer(200, json!({"surprise": true}));
    assert!(matches!(
        rig.venue.place(&placement()).await,
        Err(VenueError::Unknown(_))
    ));
    rig.answer(200, order("MELTED", "0"));
    assert!(matches!(
        rig.venue.place(&placement()).await,
        Err(VenueError::Unknown(_))
    ));
    // No answer at all.
    assert!(matches!(
        rig.venue.place(&placement()).await,
        Err(VenueError::Unknown(_))
    ));
    let stranger = Subject {
        account: AccountId::parse("nobody").unwrap(),
        ..subject()
    };
    assert!(matches!(rig.venue.order(&stranger).await, Err(VenueError::NotSent(_))));
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let lonely = adapter(format!("http://{closed}"));
    assert!(matches!(lonely.place(&placement()).await, Err(VenueError::NotSent(_))));
}

#[tokio::test]
async fn a_venue_that_limits_is_left_alone() {
    let rig = rig().await;
    let body = json!({"code": -1003, "msg": "Too many requests"}).to_string();
    rig.script
        .answers
        .lock()
        .push_back((429, vec![("Retry-After", "30")], body));
    assert_eq!(
        rig.venue.order(&subject()).await,
        Err(VenueError::Limited(Duration::from_secs(30)))
    );
    assert_eq!(
        rig.venue.order(&subject()).await,
        Err(VenueError::Limited(Duration::from_secs(30)))
    );
    assert_eq!(rig.script.requests.lock().len(), 1, "the second was not even sent");
}

#[tokio::test]
async fn the_venues_own_count_of_weight_is_believed() {
    let rig = rig().await;
    let used = |count| {
        (
            200,
            vec![("x-mbx-used-weight-1m", count)],
            order("NEW", "0").to_string(),
        )
    };
    rig.script.answers.lock().push_back(used("6000"));
    rig.venue.place(&placement()).await.unwrap();
    // Once it has stated its limits, that is.
    rig.venue.budget.lock().adopt(&[RateLimit {
        rate_limit_type: "REQUEST_WEIGHT".to_owned(),
        interval: "MINUTE".to_owned(),
        interval_num: 1,
        limit: 6_000,
        count: None,
    }]);
    rig.script.answers.lock().push_back(used("6000"));
    rig.venue.place(&placement()).await.unwrap();
    assert!(matches!(rig.venue.order(&subject()).await, Err(VenueError::Limited(_))));
}

#[tokio::test]
async fn the_venues_time_does_not_follow_our_wall_clock() {
    let mut rig = rig().await;
    let (clock, hands) = Clock::manual(NOW * 1_000);
    rig.venue.venue_clock = VenueClock::new(clock.clone());
    rig.venue.clock = clock;
    rig.answer(200, json!({"serverTime": NOW + 5_000}));
    rig.venue.read_clock().await.unwrap();
    for wall in [NOW + 3_600_000, NOW - 3_600_000] {
        hands.set(wall * 1_000);
        assert_eq!(rig.venue.now().as_millis(), NOW + 5_000);
    }
    hands.advance(Duration::from_secs(2));
    assert_eq!(rig.venue.now().as_millis(), NOW + 7_000);
}

#[tokio::test]
async fn a_refused_time_reads_the_venues_clock_again_at_most_once_a_second() {
    let mut rig = rig().await;
    let (clock, hands) = Clock::manual(NOW * 1_000);
    rig.venue.venue_clock = VenueClock::new(clock.clone());
    rig.venue.clock = clock;
    let ahead = |rig: &Rig| rig.answer(400, json!({"code": -1021, "msg": "ahead"}));
    let refused = |error| matches!(error, VenueError::Rejected { reason, .. } if reason == "VENUE_TIMESTAMP");
    ahead(&rig);
    rig.answer(200, json!({"serverTime": NOW + 9_000}));
    assert!(refused(rig.venue.place(&placement()).await.unwrap_err()));
    assert_eq!(rig.venue.now().as_millis(), NOW + 9_000);
    ahead(&rig);
    assert!(refused(rig.venue.place(&placement()).await.unwrap_err()));
    assert_eq!(rig.last().1, "/api/v3/order", "it was read a moment ago");
    hands.advance(Duration::from_secs(1));
    ahead(&rig);
    rig.answer(500, json!({}));
    assert!(refused(rig.venue.place(&placement()).await.unwrap_err()));
    assert_eq!(rig.last().1, "/api/v3/time");
    assert_eq!(rig.venue.now().as_millis(), NOW + 10_000, "what was known stays");
}
