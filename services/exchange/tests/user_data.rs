//! The WebSocket API: sessions and user data.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{SECRET, TestVenue, atoms, config, hmac};
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::{Signer, SigningKey};
use http::Method;
use serde_json::{Value, json};

fn by_signature(venue: &TestVenue, account: &str, id: u32) -> Value {
    let time = venue.millis();
    let signature = hmac(&format!("apiKey=key-{account}&timestamp={time}"));
    json!({
        "id": id, "method": "userDataStream.subscribe.signature",
        "params": {"apiKey": format!("key-{account}"), "timestamp": time, "signature": signature},
    })
}

#[tokio::test]
async fn events_follow_an_order() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = venue.socket("/ws-api/v3").await;
    let answer = socket.ask(by_signature(&venue, "alice", 1)).await;
    assert_eq!(
        (&answer["status"], &answer["result"]),
        (&json!(200), &json!({"subscriptionId": 0})),
        "{answer}"
    );
    assert_eq!(
        answer["rateLimits"][0]["count"], 4,
        "connecting and subscribing weigh two each"
    );
    assert_eq!(
        socket.ask(by_signature(&venue, "alice", 2)).await["error"]["code"],
        -2035
    );
    assert_eq!(
        socket.ask(by_signature(&venue, "bob", 3)).await["result"]["subscriptionId"],
        1
    );

    let (bid, _) = venue.best("BTCUSDT").await;
    let price = format!("{}.00", bid.split('.').next().unwrap().parse::<i64>().unwrap() * 8 / 10);
    let query =
        format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price={price}&newClientOrderId=c1");
    let placed = venue.signed(Method::POST, "/api/v3/order", "alice", &query).await.ok();
    let report = socket.next().await;
    assert_eq!(report["subscriptionId"], 0);
    let event = &report["event"];
    assert_eq!(
        (&event["e"], &event["x"], &event["X"], &event["c"]),
        (&json!("executionReport"), &json!("NEW"), &json!("NEW"), &json!("c1"))
    );
    assert_eq!(
        (&event["i"], &event["t"], &event["N"]),
        (&placed["orderId"], &json!(-1), &Value::Null)
    );
    let position = socket.next().await["event"].take();
    assert_eq!(
        (&position["e"], &position["B"][1]["a"]),
        (&json!("outboundAccountPosition"), &json!("USDT"))
    );
    assert!(atoms(&position["B"][1]["l"]) > 0);

    venue
        .signed(
            Method::DELETE,
            "/api/v3/order",
            "alice",
            "symbol=BTCUSDT&origClientOrderId=c1&newClientOrderId=c2",
        )
        .await
        .ok();
    let event = socket.next().await["event"].take();
    assert_eq!(
        (&event["x"], &event["c"], &event["C"]),
        (&json!("CANCELED"), &json!("c2"), &json!("c1"))
    );
    assert_eq!(atoms(&socket.next().await["event"]["B"][1]["l"]), 0);

    let bought = venue
        .signed(
            Method::POST,
            "/api/v3/order",
            "bob",
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001",
        )
        .await
        .ok();
    let new = socket.next().await;
    assert_eq!((&new["subscriptionId"], &new["event"]["x"]), (&json!(1), &json!("NEW")));
    for fill in bought["fills"].as_array().unwrap() {
        let event = socket.next().await["event"].take();
        assert_eq!(
            (&event["x"], &event["t"], &event["n"], &event["N"]),
            (&json!("TRADE"), &fill["tradeId"], &fill["commission"], &json!("BTC"))
        );
    }
    socket.next().await;

    // fill or kill that cannot fill, immediate or cancel that finds nothing
    for time_in_force in ["FOK", "IOC"] {
        let query =
            format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce={time_in_force}&quantity=0.01&price={price}");
        let ended = venue.signed(Method::POST, "/api/v3/order", "alice", &query).await.ok();
        assert_eq!((&ended["status"], atoms(&ended["executedQty"])), (&json!("EXPIRED"), 0));
        assert_eq!(socket.next().await["event"]["x"], "NEW");
        assert_eq!(socket.next().await["event"]["x"], "EXPIRED");
        socket.next().await;
    }

    let listed = socket.ask(json!({"id": 5, "method": "session.subscriptions"})).await;
    assert_eq!(listed["result"], json!([{"subscriptionId": 0}, {"subscriptionId": 1}]));
    assert_eq!(
        socket
            .ask(json!({"id": 6, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": 0}}))
            .await["status"],
        200
    );
    assert_eq!(
        socket
            .ask(json!({"id": 7, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": 0}}))
            .await["error"]["code"],
        -2036
    );
    assert_eq!(
        socket
            .ask(json!({"id": 8, "method": "userDataStream.unsubscribe"}))
            .await["status"],
        200
    );
    assert_eq!(
        socket.ask(json!({"id": 9, "method": "session.status"})).await["result"]["userDataStream"],
        false
    );
}

#[tokio::test]
async fn a_session_logs_on_with_an_ed25519_key() {
    let folder = tempfile::tempdir().unwrap();
    let signing = SigningKey::from_bytes(&[9; 32]);
    let pem = signing.verifying_key().to_public_key_pem(Default::default()).unwrap();
    let file = json!({"account": "dora", "api_key": "key-dora", "public_key": pem});
    std::fs::write(folder.path().join("dora.json"), file.to_string()).unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = venue.socket("/ws-api/v3").await;
    let sign = |payload: &str| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(signing.sign(payload.as_bytes()).to_bytes())
    };

    assert_eq!(
        socket.ask(json!({"id": 1, "method": "userDataStream.subscribe"})).await["status"],
        401
    );
    let status = socket.ask(json!({"id": 2, "method": "session.status"})).await["result"].take();
    assert_eq!(
        (&status["apiKey"], &status["authorizedSince"]),
        (&Value::Null, &Value::Null)
    );
    let time = venue.millis();
    let logon = json!({"id": "a", "method": "session.logon", "params": {
        "apiKey": "key-dora", "timestamp": time, "recvWindow": 4000,
        "signature": sign(&format!("apiKey=key-dora&recvWindow=4000&timestamp={time}")),
    }});
    let answer = socket.ask(logon).await;
    assert_eq!(
        (&answer["id"], &answer["result"]["apiKey"]),
        (&json!("a"), &json!("key-dora")),
        "{answer}"
    );
    assert_eq!(
        socket.ask(json!({"id": 3, "method": "userDataStream.subscribe"})).await["result"]["subscriptionId"],
        0
    );

    // the same key signs REST requests: base64, percent-encoded
    let payload = format!(
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.001&timestamp={}",
        venue.millis()
    );
    let signature = sign(&payload)
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let sold = venue
        .send(
            Method::POST,
            "/api/v3/order",
            Some("key-dora"),
            &format!("{payload}&signature={signature}"),
        )
        .await
        .ok();
    assert_eq!(sold["status"], "FILLED");
    assert_eq!(socket.next().await["event"]["x"], "NEW");
    let mut last = socket.next().await;
    while last["event"]["e"] != "outboundAccountPosition" {
        last = socket.next().await;
    }
    let answer = socket.ask(json!({"id": 4, "method": "session.logout"})).await;
    assert_eq!(
        (&answer["result"]["apiKey"], &answer["result"]["userDataStream"]),
        (&Value::Null, &json!(false))
    );
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = venue.socket("/ws-api/v3").await;
    let time = venue.millis();
    let with = |signature: String| json!({"id": 1, "method": "session.logon", "params": {"apiKey": "key-alice", "timestamp": time, "signature": signature}});
    let table = [
        (json!([]), -1135),
        (json!({"id": 1}), -1102),
        (json!({"id": 1, "method": "time", "params": {"a": []}}), -1130),
        (json!({"id": 1, "method": "session.logon"}), -1102),
        (
            json!({"id": 1, "method": "userDataStream.subscribe.signature", "params": {"apiKey": "nobody"}}),
            -1102,
        ),
        (with("00".to_owned()), -1022),
        (with(hmac(&format!("apiKey=key-alice&timestamp={time}"))), -4056),
    ];
    for (request, code) in table {
        assert_eq!(socket.ask(request.clone()).await["error"]["code"], code, "{request}");
    }
    // The published error of what is not there: -1020 UNSUPPORTED_OPERATION. Methods that Binance has and the venue has
    // not, and those that ended, answer like those that never were.
    for method in [
        "dance",
        "sor.order.place",
        "myAllocations",
        "userDataStream.start",
        "order.Place",
        "",
    ] {
        let mut answer = socket.ask(json!({"id": "x", "method": method})).await;
        assert!(answer["rateLimits"].take().is_array(), "{answer}");
        let expected = json!({
            "id": "x", "status": 400, "rateLimits": null,
            "error": {"code": -1020, "msg": "This operation is not supported."},
        });
        assert_eq!(answer, expected, "{method}");
    }
    assert_eq!(
        socket.ask(json!({"id": 2, "method": "ping"})).await["result"],
        json!({})
    );
    assert_eq!(
        socket.ask(json!({"id": 3, "method": "time"})).await["result"]["serverTime"],
        time
    );
    assert!(!SECRET.is_empty());
}

#[tokio::test]
async fn listen_keys_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let path = "/api/v3/userDataStream";
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let reply = venue.send(method, path, Some("key-alice"), "listenKey=one").await;
        let page = reply.body.as_str().unwrap();
        assert_eq!((reply.status, page.len()), (410, 136), "what Binance's log lines count");
        assert!(page.contains("<center><h1>410 Gone</h1></center>"), "{page}");
        assert_eq!(reply.headers["content-type"], "text/html");
    }
    venue.get(path, "").await.is_of_no_route();
    venue
        .send(Method::POST, "/api/v1/userDataStream", None, "")
        .await
        .is_of_no_route();
}
