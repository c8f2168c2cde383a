//! Public market data over real sockets: formats, limits, streams.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{TestVenue, atoms, config};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[tokio::test]
async fn answers_have_the_documented_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    for _ in 0..50 {
        venue.advance(100_000);
        venue.get("/api/v3/ping", "").await.ok();
    }
    assert_eq!(
        venue.get("/api/v3/time", "").await.ok()["serverTime"].as_i64(),
        Some(venue.millis())
    );
    let info = venue.get("/api/v3/exchangeInfo", "").await.ok();
    assert_eq!(info["symbols"].as_array().unwrap().len(), 3);
    assert_eq!(info["rateLimits"][0]["limit"], 6000);
    let filters: Vec<&str> = info["symbols"][0]["filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|filter| filter["filterType"].as_str().unwrap())
        .collect();
    for filter in [
        "PRICE_FILTER",
        "LOT_SIZE",
        "MARKET_LOT_SIZE",
        "NOTIONAL",
        "MAX_NUM_ORDERS",
        "PERCENT_PRICE_BY_SIDE",
    ] {
        assert!(filters.contains(&filter), "{filter}");
    }
    let one = venue.get("/api/v3/exchangeInfo", "symbol=ETHUSDT").await.ok();
    assert_eq!(one["symbols"][0]["baseAsset"], "ETH");
    let two = venue
        .get("/api/v3/exchangeInfo", "symbols=%5B%22ETHUSDT%22,%22BTCUSDT%22%5D")
        .await
        .ok();
    assert_eq!(two["symbols"].as_array().unwrap().len(), 2);

    let depth = venue.get("/api/v3/depth", "symbol=BTCUSDT&limit=5").await.ok();
    assert_eq!(
        (
            depth["bids"].as_array().unwrap().len(),
            depth["asks"].as_array().unwrap().len()
        ),
        (5, 5)
    );
    assert!(atoms(&depth["bids"][0][0]) > atoms(&depth["bids"][1][0]));
    assert!(atoms(&depth["bids"][0][0]) < atoms(&depth["asks"][0][0]));

    let trades = venue.get("/api/v3/trades", "symbol=BTCUSDT&limit=5").await.ok();
    let first = trades[0]["id"].as_u64().unwrap();
    assert_eq!(trades[4]["id"].as_u64(), Some(first + 4));
    assert_eq!(
        atoms(&trades[0]["price"]) * atoms(&trades[0]["qty"]),
        atoms(&trades[0]["quoteQty"]) * 100_000_000
    );
    let from = venue
        .get(
            "/api/v3/historicalTrades",
            &format!("symbol=BTCUSDT&fromId={first}&limit=2"),
        )
        .await
        .ok();
    assert_eq!(
        (from[0]["id"].as_u64(), from.as_array().unwrap().len()),
        (Some(first), 2)
    );
    let latest = venue
        .get("/api/v3/historicalTrades", "symbol=BTCUSDT&limit=1")
        .await
        .ok();
    assert!(latest[0]["id"].as_u64().unwrap() >= first + 4);
    let aggregates = venue.get("/api/v3/aggTrades", "symbol=BTCUSDT&limit=3").await.ok();
    assert_eq!(aggregates.as_array().unwrap().len(), 3);
    let query = format!(
        "symbol=BTCUSDT&fromId={}&startTime=0&endTime={}",
        aggregates[1]["a"],
        venue.millis()
    );
    assert_eq!(venue.get("/api/v3/aggTrades", &query).await.ok()[0], aggregates[1]);

    let minutes = venue
        .get("/api/v3/klines", "symbol=BTCUSDT&interval=1m&limit=1000")
        .await
        .ok();
    let minutes = minutes.as_array().unwrap();
    assert_eq!(minutes.len(), 501, "500 minutes of the past, and the running one");
    assert!(
        minutes
            .windows(2)
            .all(|pair| pair[0][6].as_i64().unwrap() + 1 == pair[1][0].as_i64().unwrap())
    );
    let start = minutes[10][0].as_i64().unwrap();
    let query = format!(
        "symbol=BTCUSDT&interval=1m&startTime={start}&endTime={}&limit=500",
        start + 120_000
    );
    assert_eq!(
        venue.get("/api/v3/klines", &query).await.ok().as_array().unwrap()[..],
        minutes[10..=12]
    );
    for interval in ["1s", "5m", "1h"] {
        let bars = venue
            .get("/api/v3/klines", &format!("symbol=BTCUSDT&interval={interval}&limit=3"))
            .await
            .ok();
        assert_eq!(bars.as_array().unwrap().len(), 3, "{interval}");
    }

    let day = venue.get("/api/v3/ticker/24hr", "symbol=BTCUSDT").await.ok();
    assert!(
        atoms(&day["highPrice"]) >= atoms(&day["lastPrice"]) && atoms(&day["lastPrice"]) >= atoms(&day["lowPrice"])
    );
    assert_eq!(
        venue
            .get("/api/v3/ticker/24hr", "")
            .await
            .ok()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        venue
            .get("/api/v3/ticker/24hr", "symbols=%5B%22BTCUSDT%22%5D")
            .await
            .ok()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let price = venue.get("/api/v3/ticker/price", "symbol=BTCUSDT").await.ok();
    assert_eq!(price["symbol"], "BTCUSDT");
    assert_eq!(
        venue
            .get("/api/v3/ticker/price", "")
            .await
            .ok()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(venue.get("/api/v3/avgPrice", "symbol=BTCUSDT").await.ok()["mins"], 5);
}

#[tokio::test]
async fn bad_requests_have_their_codes() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let table = [
        ("depth", "", -1102),
        ("depth", "symbol=NOSUCH", -1121),
        ("depth", "symbol=BTCUSDT&limit=0", -1130),
        ("depth", "symbol=BTCUSDT&limit=x", -1100),
        ("klines", "symbol=BTCUSDT", -1102),
        ("klines", "symbol=BTCUSDT&interval=7m", -1120),
        ("exchangeInfo", "symbols=BTC", -1100),
        ("exchangeInfo", "symbol=BTCUSDT&symbols=%5B%22BTCUSDT%22%5D", -1128),
        ("ticker/price", "symbol=NOSUCH", -1121),
        ("trades", "symbol=%ff", -1100),
    ];
    for (path, query, code) in table {
        assert_eq!(
            venue.get(&format!("/api/v3/{path}"), query).await.code(),
            (400, code),
            "{path}?{query}"
        );
    }
    for (method, path) in [
        (Method::GET, "/api/v3/nosuch"),
        (Method::POST, "/api/v3/depth"),
        (Method::GET, "/"),
        (Method::GET, "/api/v1/ping"),
        (Method::GET, "/api"),
        (Method::POST, "/api/v3/sor/order"),
    ] {
        venue.send(method, path, None, "").await.is_of_no_route();
    }
}

#[tokio::test]
async fn weights_and_orders_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let first = venue.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await;
    assert_eq!(first.headers["x-mbx-used-weight-1m"], "250");
    for _ in 0..23 {
        venue.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await.ok();
    }
    let refused = venue.get("/api/v3/ping", "").await;
    assert_eq!(refused.code(), (429, -1003));
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    venue.advance(60_000_000);
    venue.get("/api/v3/ping", "").await.ok();

    let filled = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    for _ in 0..=100 {
        venue.signed(Method::POST, "/api/v3/order", "alice", filled).await.ok();
    }
    let (bid, _) = venue.best("BTCUSDT").await;
    let price = bid.split('.').next().unwrap().parse::<i64>().unwrap() * 8 / 10;
    let order = format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price={price}");
    let mut last = None;
    for _ in 0..=102 {
        last = Some(venue.signed(Method::POST, "/api/v3/order", "alice", &order).await);
    }
    let refused = last.unwrap();
    assert_eq!(refused.code(), (429, -1015));
    assert!(refused.headers.contains_key("retry-after"));
    venue.signed(Method::POST, "/api/v3/order", "bob", &order).await.ok();
}

/// A book as a client keeps it.
type Levels = BTreeMap<String, String>;

fn put(levels: &mut Levels, changes: &Value) {
    for change in changes.as_array().unwrap() {
        let price = change[0].as_str().unwrap().to_owned();
        if atoms(&change[1]) == 0 {
            levels.remove(&price);
        } else {
            levels.insert(price, change[1].as_str().unwrap().to_owned());
        }
    }
}

#[tokio::test]
async fn diffs_bridge_a_snapshot_and_keep_it_true() {
    let folder = tempfile::tempdir().unwrap();
    // busy enough that every tenth of a second changes the book
    let busy = exchange::Config { scale: 8.0, ..config() };
    let venue = TestVenue::start(busy, folder.path()).await;
    let mut socket = venue.socket("/stream?streams=btcusdt@depth@100ms").await;
    venue.advance(100_000);
    let mut diff = socket.next().await["data"].take();
    // in the middle of a diff's window
    venue.advance(50_000);
    let snapshot = venue.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await.ok();
    let reached = snapshot["lastUpdateId"].as_u64().unwrap();
    let (mut bids, mut asks) = (Levels::new(), Levels::new());
    put(&mut bids, &snapshot["bids"]);
    put(&mut asks, &snapshot["asks"]);
    let mut expected = None;
    for round in 0..20 {
        let (first, last) = (diff["U"].as_u64().unwrap(), diff["u"].as_u64().unwrap());
        assert!(expected.is_none_or(|expected| first == expected), "no gap");
        if last > reached {
            assert!(expected.is_some() || first <= reached + 1, "the first diff bridges");
            put(&mut bids, &diff["b"]);
            put(&mut asks, &diff["a"]);
        }
        expected = Some(last + 1);
        // the last step ends on a boundary, where the diff says all
        venue.advance(if round == 19 { 50_000 } else { 100_000 });
        diff = socket.next().await["data"].take();
    }
    put(&mut bids, &diff["b"]);
    put(&mut asks, &diff["a"]);
    let now = venue.get("/api/v3/depth", "symbol=BTCUSDT&limit=5000").await.ok();
    assert_eq!(now["lastUpdateId"], diff["u"]);
    let (mut true_bids, mut true_asks) = (Levels::new(), Levels::new());
    put(&mut true_bids, &now["bids"]);
    put(&mut true_asks, &now["asks"]);
    assert_eq!((bids, asks), (true_bids, true_asks));
}

#[tokio::test]
async fn streams_are_chosen_while_connected() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = venue.socket("/ws").await;
    let answer = socket.ask(json!({"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@kline_1m", "btcusdt@aggTrade", "btcusdt@bookTicker"], "id": 1})).await;
    assert_eq!(answer, json!({"result": null, "id": 1}));
    let listed = socket.ask(json!({"method": "LIST_SUBSCRIPTIONS", "id": 2})).await;
    assert_eq!(listed["result"].as_array().unwrap().len(), 4);
    assert_eq!(
        socket
            .ask(json!({"method": "GET_PROPERTY", "params": ["combined"], "id": 3}))
            .await["result"],
        false
    );
    let mut kinds = BTreeMap::new();
    while kinds.len() < 4 {
        let frame = venue.next_frame(&mut socket).await;
        let kind = frame["e"].as_str().unwrap_or("bookTicker").to_owned();
        kinds.insert(kind, frame);
    }
    assert!(kinds["trade"]["t"].is_u64() && kinds["aggTrade"]["f"].is_u64());
    assert_eq!(kinds["kline"]["k"]["i"], "1m");
    assert!(atoms(&kinds["bookTicker"]["b"]) < atoms(&kinds["bookTicker"]["a"]));

    let bad = [
        (json!({"method": "SUBSCRIBE", "params": ["nosuch@trade"], "id": 4}), 2),
        (json!({"method": "SUBSCRIBE", "params": "x", "id": 5}), 2),
        (json!({"method": "SUBSCRIBE", "params": [1], "id": 6}), 2),
        (json!({"method": "DANCE", "id": 7}), 2),
        (json!({"id": 8}), 2),
    ];
    for (request, code) in bad {
        assert_eq!(socket.ask(request.clone()).await["error"]["code"], code, "{request}");
    }
    let gone = socket.ask(json!({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@kline_1m", "btcusdt@aggTrade", "btcusdt@bookTicker"], "id": 9})).await;
    assert_eq!(gone["result"], Value::Null);
    assert_eq!(
        socket.ask(json!({"method": "LIST_SUBSCRIPTIONS", "id": 10})).await["result"],
        json!([])
    );

    let mut single = venue.socket("/ws/btcusdt@trade").await;
    let trade = venue.next_frame(&mut single).await;
    assert_eq!(trade["s"], "BTCUSDT");
    for path in ["/ws/nosuch@trade", "/stream?streams=btcusdt@dance"] {
        let refused = tokio_tungstenite::connect_async(format!("ws://{}{path}", venue.address)).await;
        assert!(refused.is_err(), "{path}");
    }
}

#[tokio::test]
async fn as_many_symbols_as_are_allowed_are_listed_followed_and_traded() {
    let folder = tempfile::tempdir().unwrap();
    let many = exchange::Config {
        symbols: 1_200,
        step_ms: 1_000,
        ..config()
    };
    many.check().unwrap();
    let venue = TestVenue::start(many, folder.path()).await;
    let info = venue.get("/api/v3/exchangeInfo", "").await.ok();
    let names: Vec<&str> = info["symbols"]
        .as_array()
        .unwrap()
        .iter()
        .map(|symbol| symbol["symbol"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 1_200);
    let last = names[1_199];
    let bought = format!("symbol={last}&side=BUY&type=MARKET&quoteOrderQty=100");
    let filled = venue.signed(Method::POST, "/api/v3/order", "alice", &bought).await.ok();
    assert_eq!((&filled["symbol"], &filled["status"]), (&json!(last), &json!("FILLED")));

    // Binance's bound of streams on one connection.
    let mut socket = venue.socket("/stream").await;
    let stream = |name: &&str| format!("{}@bookTicker", name.to_lowercase());
    let most: Vec<String> = names.iter().take(1_024).map(stream).collect();
    let followed = socket
        .ask(json!({"id": 1, "method": "SUBSCRIBE", "params": most}))
        .await;
    assert_eq!(followed, json!({"id": 1, "result": null}));
    let more = json!({"id": 2, "method": "SUBSCRIBE", "params": [stream(&last)]});
    let refused = socket.ask(more).await;
    assert_eq!(refused["error"]["msg"], "Invalid request: too many streams");
}
