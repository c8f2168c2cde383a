//! Order entry over the WebSocket API, and over REST where that cannot be.

use super::{NOW, Rig, Script, adapter_of, order, placement, rest, subject};
use crate::binance::keys::Key;
use crate::config::Config;
use crate::core::{VenueState, VenueStatus};
use crate::venue::{Placement, Venue, VenueError};
use axum::Router;
use domain::Timestamp;
use futures::stream::FuturesUnordered;
use futures::{SinkExt, StreamExt};
use mesh::app::Shutdown;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// The adapter with one connection for order entry, and both sides of the venue.
struct Both {
    rig: Arc<Rig>,
    listener: TcpListener,
    shutdown: Shutdown,
}

/// The venue's side of a connection.
struct Line(WebSocketStream<TcpStream>);

type Placing = JoinHandle<Result<VenueState, VenueError>>;

impl Both {
    async fn start(connections: usize) -> Both {
        let script = Arc::new(Script::default());
        let rest_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config {
            rest_url: format!("http://{}", rest_listener.local_addr().unwrap()),
            ws_api_url: format!("ws://{}/ws-api/v3", listener.local_addr().unwrap()),
            request_timeout_ms: 300,
            max_backoff_ms: 5,
            order_connections: connections,
            ..Config::default()
        };
        let router = Router::new().fallback(rest).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(rest_listener, router).await });
        let venue = adapter_of(&config);
        let (shutdown, _) = Shutdown::new();
        venue.enter_orders(&shutdown);
        let rig = Arc::new(Rig { script, venue });
        Both {
            rig,
            listener,
            shutdown,
        }
    }

    /// The next connection, once it is open on both sides.
    async fn line(&self) -> Line {
        let (stream, _) = self.listener.accept().await.unwrap();
        let line = Line(tokio_tungstenite::accept_async(stream).await.unwrap());
        self.until(true).await;
        line
    }

    async fn until(&self, is_open: bool) {
        while self.rig.venue.order_entry.is_open() != is_open {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn place(&self, venue_id: &str) -> Placing {
        let (rig, placement) = (
            Arc::clone(&self.rig),
            Placement {
                venue_id: venue_id.to_owned(),
                ..placement()
            },
        );
        tokio::spawn(async move { rig.venue.place(&placement).await })
    }

    /// Places an order while no connection is open.
    async fn place_over_rest(&self) {
        let before = self.rig.script.requests.lock().len();
        self.rig.answer(200, order("NEW", "0"));
        self.rig.venue.place(&placement()).await.unwrap();
        assert_eq!(self.rig.script.requests.lock().len(), before + 1);
    }
}

impl Line {
    async fn request(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.next().await.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    async fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn answer(&mut self, request: &Value, result: Value) {
        self.say(json!({"id": request["id"], "status": 200, "result": result}))
            .await;
    }

    async fn refuse(&mut self, request: &Value, status: u16, error: Value) {
        self.say(json!({"id": request["id"], "status": status, "error": error}))
            .await;
    }
}

#[tokio::test]
async fn orders_and_cancels_are_under_way_together_and_answered_by_their_ids() {
    let both = Both::start(1).await;
    let mut line = both.line().await;
    let placing = ["one", "two"].map(|name| both.place(name));
    let mut asked = BTreeMap::new();
    for _ in &placing {
        let request = line.request().await;
        assert_eq!(request["method"], "order.place");
        asked.insert(
            request["params"]["newClientOrderId"].as_str().unwrap().to_owned(),
            request,
        );
    }
    let params = &asked["one"]["params"];
    let payload = "apiKey=the-key&newClientOrderId=one&newOrderRespType=FULL&price=99.5&quantity=0.1&recvWindow=5000\
        &side=BUY&symbol=BTCUSDT&timeInForce=GTC&timestamp=1699999999993&type=LIMIT";
    assert_eq!(params["signature"], Key::new("", "the-secret").sign(payload));
    assert_eq!(
        (&params["timestamp"], &params["quantity"]),
        (&json!(NOW - 7), &json!("0.1"))
    );
    // The second first, and twice; an answer to nobody, an event and a ping between them.
    for _ in 0..2 {
        line.answer(&asked["two"], order("FILLED", "0.1")).await;
    }
    line.answer(&json!({"id": 77}), json!({})).await;
    line.say(json!({"event": {"e": "outboundAccountPosition"}})).await;
    line.0.send(Message::Ping(Vec::new().into())).await.unwrap();
    line.answer(&asked["one"], order("NEW", "0")).await;
    let mut states = Vec::new();
    for placed in placing {
        states.push(placed.await.unwrap().unwrap().status);
    }
    assert_eq!(states, [VenueStatus::Live, VenueStatus::Filled]);

    let rig = Arc::clone(&both.rig);
    let cancelling = tokio::spawn(async move { rig.venue.cancel(&subject(), Timestamp::from_millis(NOW)).await });
    let request = line.request().await;
    assert_eq!(
        (&request["method"], &request["params"]["origClientOrderId"]),
        (&json!("order.cancel"), &json!("our-id"))
    );
    line.refuse(&request, 400, json!({"code": -2011, "msg": "Unknown order sent."}))
        .await;
    assert!(
        matches!(cancelling.await.unwrap(), Err(VenueError::Rejected { reason, .. }) if reason == "VENUE_CANCEL_REJECTED")
    );
    assert!(both.rig.script.requests.lock().is_empty(), "nothing went over REST");
}

#[tokio::test]
async fn limits_are_kept_as_the_venue_counts_them() {
    let both = Both::start(1).await;
    let mut line = both.line().await;
    let weight = |limit: u64, count: u64| json!({"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit, "count": count});
    both.rig.answer(200, json!({"serverTime": NOW}));
    both.rig.answer(200, json!({"rateLimits": [weight(100, 0)]}));
    both.rig.venue.synchronise().await.unwrap();
    let placing = both.place("one");
    let request = line.request().await;
    line.say(json!({"id": request["id"], "status": 200, "result": order("NEW", "0"), "rateLimits": [weight(100, 80)]}))
        .await;
    placing.await.unwrap().unwrap();
    assert!(
        matches!(both.rig.venue.place(&placement()).await, Err(VenueError::Limited(_))),
        "80 of 100 are used, and the rest is kept for cancels"
    );
    let rig = Arc::clone(&both.rig);
    let cancelling = tokio::spawn(async move { rig.venue.cancel(&subject(), Timestamp::from_millis(NOW)).await });
    let request = line.request().await;
    let error = json!({"code": -1003, "msg": "Too much request weight", "data": {"serverTime": NOW, "retryAfter": NOW + 30_000}});
    line.refuse(&request, 429, error).await;
    let limited = Err(VenueError::Limited(Duration::from_secs(30)));
    assert_eq!(cancelling.await.unwrap(), limited);
    let at_once = both.rig.venue.cancel(&subject(), Timestamp::from_millis(NOW)).await;
    assert_eq!(at_once, limited, "the second was not even sent");
}

#[tokio::test]
async fn what_is_under_way_when_a_connection_breaks_is_unknown_and_the_next_order_goes_over_rest() {
    let both = Both::start(1).await;
    // Not even a handshake.
    drop(both.listener.accept().await.unwrap());
    for unreadable in [None, Some("no json"), Some(r#"{"event": 5}"#)] {
        let mut line = both.line().await;
        let placing = both.place("one");
        line.request().await;
        if let Some(text) = unreadable {
            line.0.send(Message::text(text)).await.unwrap();
        }
        drop(line);
        assert!(matches!(placing.await.unwrap(), Err(VenueError::Unknown(_))));
        both.until(false).await;
        both.place_over_rest().await;
    }
}

#[tokio::test]
async fn an_order_without_an_answer_is_unknown_and_a_connection_without_any_is_given_up() {
    let both = Both::start(1).await;
    let mut line = both.line().await;
    let placing = both.place("one");
    line.request().await;
    line.say(json!({"event": {"e": "outboundAccountPosition"}})).await;
    let unknown = |outcome| matches!(outcome, Err(VenueError::Unknown(why)) if why == "no answer in time");
    assert!(unknown(placing.await.unwrap()));
    assert!(both.rig.venue.order_entry.is_open(), "the venue is still there");
    let placing = both.place("two");
    line.request().await;
    assert!(unknown(placing.await.unwrap()));
    both.until(false).await;
    // The venue's close is an end as well.
    let mut line = both.line().await;
    line.0.close(None).await.unwrap();
    both.until(false).await;
}

#[tokio::test]
async fn a_venue_that_leaves_is_left_with_the_last_answer() {
    let both = Both::start(1).await;
    let mut line = both.line().await;
    let placing = both.place("one");
    let request = line.request().await;
    line.say(json!({"event": {"e": "serverShutdown", "E": NOW}})).await;
    both.until(false).await;
    both.place_over_rest().await;
    line.answer(&request, order("NEW", "0")).await;
    placing.await.unwrap().unwrap();
    while let Some(Ok(message)) = line.0.next().await {
        assert!(message.is_close(), "{message}");
    }
    drop(both.line().await);
}

#[tokio::test]
async fn the_end_waits_for_what_is_under_way() {
    let both = Both::start(1).await;
    let mut line = both.line().await;
    let placing = both.place("one");
    let request = line.request().await;
    both.shutdown.stop(Duration::ZERO).await;
    both.until(false).await;
    line.answer(&request, order("NEW", "0")).await;
    placing.await.unwrap().unwrap();
    while let Some(Ok(message)) = line.0.next().await {
        assert!(message.is_close(), "{message}");
    }
    both.place_over_rest().await;
}

#[tokio::test]
async fn a_venue_that_takes_nothing_more_is_left_and_too_much_is_refused() {
    let both = Both::start(1).await;
    let line = both.line().await;
    let entry = &both.rig.venue.order_entry;
    let large = || "1".repeat(32 << 20);
    let outcome = entry.ask("order.place", large).await;
    assert!(matches!(outcome, Some(Err(VenueError::Unknown(_)))), "nobody read it");
    both.until(false).await;
    drop(line);
    let _line = both.line().await;
    let mut asking: FuturesUnordered<_> = (0..1_025)
        .map(|_| entry.ask("order.place", || "{}".to_owned()))
        .collect();
    assert!(asking.next().await.unwrap().is_none(), "it can go over REST");
}

#[tokio::test]
async fn without_connections_orders_go_over_rest() {
    let both = Both::start(0).await;
    both.place_over_rest().await;
    let (method, path, _, key) = both.rig.last();
    assert_eq!(
        (method.as_str(), path.as_str(), key.as_str()),
        ("POST", "/api/v3/order", "the-key")
    );
}
