//! Order entry, queries and market data over the WebSocket API, its limits, and how its connections end.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{Socket, TestVenue, config, hmac};
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::{Signer, SigningKey};
use http::Method;
use serde_json::{Map, Value, json};

/// A request of an account, signed.
fn signed(venue: &TestVenue, account: &str, method: &str, params: Value) -> Value {
    let mut params = params.as_object().cloned().unwrap_or_default();
    params.insert("apiKey".to_owned(), json!(format!("key-{account}")));
    params.insert("timestamp".to_owned(), json!(venue.millis()));
    let signature = hmac(&payload(&params));
    params.insert("signature".to_owned(), json!(signature));
    json!({"id": method, "method": method, "params": params})
}

fn payload(params: &Map<String, Value>) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let sorted: std::collections::BTreeMap<&String, &Value> = params.iter().collect();
    let pairs: Vec<String> = sorted
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    pairs.join("&")
}

fn far_bid(price: i64) -> Value {
    json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "0.01", "price": format!("{price}.00"), "newClientOrderId": "c1",
    })
}

async fn far_price(venue: &TestVenue) -> i64 {
    let (bid, _) = venue.best("BTCUSDT").await;
    bid.split('.').next().unwrap().parse::<i64>().unwrap() * 8 / 10
}

async fn ok(socket: &mut Socket, request: Value) -> Value {
    let mut answer = socket.ask(request).await;
    assert_eq!(answer["status"], 200, "{answer}");
    answer["result"].take()
}

#[tokio::test]
async fn orders_are_placed_queried_and_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let price = far_price(&venue).await;
    let mut socket = venue.socket("/ws-api/v3").await;
    let tested = ok(&mut socket, signed(&venue, "alice", "order.test", far_bid(price))).await;
    assert_eq!(tested, json!({}));
    let placed = socket.ask(signed(&venue, "alice", "order.place", far_bid(price))).await;
    assert_eq!(
        (&placed["id"], &placed["result"]["status"]),
        (&json!("order.place"), &json!("NEW")),
        "{placed}"
    );
    let limits: Vec<(&str, &Value)> = placed["rateLimits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|limit| (limit["rateLimitType"].as_str().unwrap(), &limit["count"]))
        .collect();
    let (orders, weight) = (("ORDERS", &json!(1)), limits[2].0);
    assert_eq!((limits[0], limits[1], weight), (orders, orders, "REQUEST_WEIGHT"));

    let by_id = json!({"symbol": "BTCUSDT", "origClientOrderId": "c1"});
    let found = ok(&mut socket, signed(&venue, "alice", "v3/order.status", by_id.clone())).await;
    assert_eq!(found["orderId"], placed["result"]["orderId"]);
    let open = ok(&mut socket, signed(&venue, "alice", "openOrders.status", json!({}))).await;
    assert_eq!(open.as_array().unwrap().len(), 1);
    let account = ok(
        &mut socket,
        signed(&venue, "alice", "account.status", json!({"omitZeroBalances": true})),
    )
    .await;
    assert!(account["balances"].as_array().unwrap().len() > 1);
    let counted = ok(
        &mut socket,
        signed(&venue, "alice", "account.rateLimits.orders", json!({})),
    )
    .await;
    assert_eq!(counted[0]["count"], 1);
    let cancelled = ok(&mut socket, signed(&venue, "alice", "order.cancel", by_id.clone())).await;
    assert_eq!(cancelled["status"], "CANCELED");
    ok(&mut socket, signed(&venue, "alice", "order.place", far_bid(price))).await;
    let all = ok(
        &mut socket,
        signed(&venue, "alice", "openOrders.cancelAll", json!({"symbol": "BTCUSDT"})),
    )
    .await;
    assert_eq!(all.as_array().unwrap().len(), 1);
    let bought = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"});
    ok(&mut socket, signed(&venue, "alice", "order.place", bought)).await;
    let trades = ok(
        &mut socket,
        signed(&venue, "alice", "myTrades", json!({"symbol": "BTCUSDT"})),
    )
    .await;
    assert!(!trades.as_array().unwrap().is_empty());
    let orders = ok(
        &mut socket,
        signed(&venue, "alice", "allOrders", json!({"symbol": "BTCUSDT"})),
    )
    .await;
    assert_eq!(orders.as_array().unwrap().len(), 3);

    let again = signed(&venue, "alice", "order.cancel", by_id.clone());
    let refused = [
        (again, 400, -2011),
        (
            signed(
                &venue,
                "alice",
                "order.status",
                json!({"symbol": "BTCUSDT", "orderId": 1}),
            ),
            400,
            -2013,
        ),
        (
            json!({"id": 1, "method": "order.status", "params": {"symbol": "BTCUSDT"}}),
            401,
            -2014,
        ),
        (
            json!({"id": 1, "method": "order.place", "params": {"apiKey": "key-alice"}}),
            400,
            -1102,
        ),
    ];
    for (request, status, code) in refused {
        let answer = socket.ask(request.clone()).await;
        assert_eq!(
            (&answer["status"], &answer["error"]["code"]),
            (&json!(status), &json!(code)),
            "{request}"
        );
    }
    let mut late = signed(&venue, "alice", "order.place", far_bid(price));
    late["params"]["timestamp"] = json!(venue.millis() - 60_000);
    let params = late["params"].as_object().unwrap();
    let without: Map<String, Value> = params
        .iter()
        .filter(|(name, _)| *name != "signature")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    late["params"]["signature"] = json!(hmac(&payload(&without)));
    assert_eq!(socket.ask(late).await["error"]["code"], -1021);
}

#[tokio::test]
async fn a_session_needs_no_signatures_but_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let signing = SigningKey::from_bytes(&[9; 32]);
    let pem = signing.verifying_key().to_public_key_pem(Default::default()).unwrap();
    let file = json!({"account": "dora", "api_key": "key-dora", "public_key": pem});
    std::fs::write(folder.path().join("dora.json"), file.to_string()).unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let price = far_price(&venue).await;
    let mut socket = venue.socket("/ws-api/v3?returnRateLimits=false").await;
    let time = venue.millis();
    let signature = {
        use base64::Engine;
        let bytes = signing
            .sign(format!("apiKey=key-dora&timestamp={time}").as_bytes())
            .to_bytes();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let logon = json!({"id": 1, "method": "session.logon", "params": {
        "apiKey": "key-dora", "timestamp": time, "signature": signature,
    }});
    assert_eq!(ok(&mut socket, logon).await["returnRateLimits"], false);
    let mut order = far_bid(price);
    let untimed = socket
        .ask(json!({"id": 2, "method": "order.place", "params": order}))
        .await;
    assert_eq!(untimed["error"]["code"], -1102);
    assert_eq!(untimed.get("rateLimits"), None);
    order["timestamp"] = json!(venue.millis());
    let placed = ok(&mut socket, json!({"id": 3, "method": "order.place", "params": order})).await;
    assert_eq!(placed["clientOrderId"], "c1");
    ok(&mut socket, json!({"id": 4, "method": "userDataStream.subscribe"})).await;
    socket.send(json!({"id": 5, "method": "session.logout"})).await;
    let ended = socket.next().await;
    assert_eq!(
        (&ended["subscriptionId"], &ended["event"]["e"]),
        (&json!(0), &json!("eventStreamTerminated"))
    );
    assert_eq!(socket.next().await["id"], 5);
    let shown = json!({"id": 6, "method": "time", "params": {"returnRateLimits": true}});
    assert!(socket.ask(shown).await["rateLimits"].is_array());
}

#[tokio::test]
async fn an_unsubscribed_stream_says_that_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = venue.socket("/ws-api/v3").await;
    for account in ["alice", "bob"] {
        ok(
            &mut socket,
            signed(&venue, account, "userDataStream.subscribe.signature", json!({})),
        )
        .await;
    }
    for (params, id) in [(json!({"subscriptionId": 1}), 1), (json!({}), 0)] {
        socket
            .send(json!({"id": 2, "method": "userDataStream.unsubscribe", "params": params}))
            .await;
        let ended = socket.next().await;
        assert_eq!(
            (&ended["subscriptionId"], &ended["event"]["e"]),
            (&json!(id), &json!("eventStreamTerminated"))
        );
        assert_eq!(socket.next().await["status"], 200);
    }
}

#[tokio::test]
async fn market_data_is_the_same_as_over_rest() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = venue.socket("/ws-api/v3").await;
    let table = [
        (
            "depth",
            json!({"symbol": "BTCUSDT", "limit": 5}),
            "depth",
            "symbol=BTCUSDT&limit=5",
        ),
        (
            "trades.recent",
            json!({"symbol": "BTCUSDT"}),
            "trades",
            "symbol=BTCUSDT",
        ),
        (
            "trades.aggregate",
            json!({"symbol": "BTCUSDT"}),
            "aggTrades",
            "symbol=BTCUSDT",
        ),
        (
            "klines",
            json!({"symbol": "BTCUSDT", "interval": "1h"}),
            "klines",
            "symbol=BTCUSDT&interval=1h",
        ),
        ("avgPrice", json!({"symbol": "BTCUSDT"}), "avgPrice", "symbol=BTCUSDT"),
        (
            "ticker.24hr",
            json!({"symbol": "BTCUSDT"}),
            "ticker/24hr",
            "symbol=BTCUSDT",
        ),
        (
            "ticker.price",
            json!({"symbols": ["BTCUSDT", "ETHUSDT"]}),
            "ticker/price",
            "symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D",
        ),
        ("ticker.book", json!({}), "ticker/bookTicker", ""),
        (
            "exchangeInfo",
            json!({"symbol": "BTCUSDT"}),
            "exchangeInfo",
            "symbol=BTCUSDT",
        ),
    ];
    for (method, params, path, query) in table {
        let over_socket = ok(&mut socket, json!({"id": 1, "method": method, "params": params})).await;
        assert_eq!(
            over_socket,
            venue.get(&format!("/api/v3/{path}"), query).await.ok(),
            "{method}"
        );
    }
    assert_eq!(ok(&mut socket, json!({"id": 1, "method": "ping"})).await, json!({}));
}

#[tokio::test]
async fn who_goes_on_after_429_is_banned_and_disconnected() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = venue.socket("/ws-api/v3").await;
    while venue.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await.status == 200 {}
    let depth = json!({"id": 1, "method": "depth", "params": {"symbol": "BTCUSDT", "limit": 5000}});
    let refused = socket.ask(depth.clone()).await;
    assert_eq!(
        (&refused["status"], &refused["error"]["code"]),
        (&json!(429), &json!(-1003))
    );
    let data = &refused["error"]["data"];
    assert!(data["retryAfter"].as_i64() > data["serverTime"].as_i64(), "{refused}");
    let mut last = refused;
    while last["status"] == 429 {
        last = socket.ask(depth.clone()).await;
    }
    assert_eq!(
        (&last["status"], &last["error"]["code"]),
        (&json!(418), &json!(-1003)),
        "{last}"
    );
    assert!(last["error"]["msg"].as_str().unwrap().contains("IP banned until"));
    socket.ended().await;
    let banned = venue.get("/api/v3/ping", "").await;
    assert_eq!(
        (banned.status, banned.headers["retry-after"].to_str().unwrap()),
        (418, "120")
    );
    assert!(
        tokio_tungstenite::connect_async(format!("ws://{}/ws-api/v3", venue.address))
            .await
            .is_err()
    );
    venue.advance(120_000_000);
    assert_eq!(venue.get("/api/v3/ping", "").await.status, 200);
}

#[tokio::test]
async fn connections_end_with_a_word_at_their_age_and_with_the_venue() {
    let folder = tempfile::tempdir().unwrap();
    let short = exchange::Config {
        max_connection_age_s: 1,
        ..config()
    };
    let venue = TestVenue::start(short, folder.path()).await;
    let mut old = venue.socket("/ws").await;
    assert_eq!(old.next().await["e"], "serverShutdown");
    old.ended().await;

    let folder = tempfile::tempdir().unwrap();
    let endless = exchange::Config {
        max_connection_age_s: 0,
        ..config()
    };
    let venue = TestVenue::start(endless, folder.path()).await;
    let mut api = venue.socket("/ws-api/v3").await;
    let mut combined = venue.socket("/stream").await;
    for socket in [&mut api, &mut combined] {
        // they are served before the venue closes
        socket.send(json!({"id": 1, "method": "LIST_SUBSCRIPTIONS"})).await;
        socket.next().await;
    }
    venue.api.clients.close();
    assert_eq!(api.next().await["event"]["e"], "serverShutdown");
    assert_eq!(
        combined.next().await,
        json!({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": venue.millis()}})
    );
    api.ended().await;
    combined.ended().await;
    let placed = venue.signed(Method::GET, "/api/v3/account", "alice", "").await;
    assert_eq!(placed.status, 200, "requests are still answered");
}

/// The ids of answers, in the order in which they come.
async fn answered(socket: &mut Socket, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let answer = socket.next().await;
        assert_eq!(answer["status"], 200, "{answer}");
        ids.push(answer["id"].as_str().unwrap().to_owned());
    }
    ids
}

#[tokio::test]
async fn requests_of_a_connection_go_on_beside_each_other_and_are_begun_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let slow = exchange::Config {
        commit_interval_ms: 100,
        ..config()
    };
    let venue = TestVenue::start(slow, folder.path()).await;
    let price = far_price(&venue).await;
    let mut socket = venue.socket("/ws-api/v3").await;
    ok(&mut socket, signed(&venue, "alice", "order.place", far_bid(price))).await;
    // The venue has just written, so that what it is asked to write now waits; what is only looked at does not.
    let by_id = json!({"symbol": "BTCUSDT", "origClientOrderId": "c1"});
    socket.send(signed(&venue, "alice", "order.cancel", by_id)).await;
    socket
        .send(signed(&venue, "alice", "order.place", far_bid(price)))
        .await;
    socket.send(json!({"id": "ping", "method": "ping"})).await;
    // Each in its turn: the id was free again when the second order came.
    assert_eq!(answered(&mut socket, 3).await, ["ping", "order.cancel", "order.place"]);
}
