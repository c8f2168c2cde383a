//! What is refused, with its code, changing nothing.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{TestVenue, config, hmac};
use http::Method;

const ORDER: &str = "/api/v3/order";

fn limit(side: &str, price: &str, quantity: &str, rest: &str) -> String {
    format!("symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&quantity={quantity}&price={price}{rest}")
}

/// A bid price far from the market, so that nothing meets it.
async fn far_bid(venue: &TestVenue) -> String {
    let (bid, _) = venue.best("BTCUSDT").await;
    format!("{}.00", bid.split('.').next().unwrap().parse::<i64>().unwrap() * 8 / 10)
}

#[tokio::test]
async fn every_refusal_changes_nothing_and_has_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let price = far_bid(&venue).await;
    venue
        .signed(
            Method::POST,
            ORDER,
            "alice",
            &limit("BUY", &price, "0.01", "&newClientOrderId=taken"),
        )
        .await
        .ok();
    let (_, ask) = venue.best("BTCUSDT").await;
    let before = venue.signed(Method::GET, "/api/v3/account", "alice", "").await.ok();
    let records = venue.memory.records.lock().len();

    let market = |rest: &str| format!("symbol=BTCUSDT&side=BUY&type=MARKET&{rest}");
    let table: Vec<(String, i64, &str)> = vec![
        (
            limit("BUY", &price, "0.01", "&newClientOrderId=taken"),
            -2010,
            "Duplicate order sent.",
        ),
        (
            limit("BUY", &price, "0.01", "").replace("BTCUSDT", "NOSUCH"),
            -1121,
            "Invalid symbol.",
        ),
        (
            limit("BUY", &price, "0.01", "").replace("BTCUSDT", "B$"),
            -1100,
            "Illegal characters found in parameter 'symbol'",
        ),
        (
            limit("BUY", "50000.001", "0.01", ""),
            -1013,
            "Filter failure: PRICE_FILTER",
        ),
        (
            limit("BUY", "99999999", "0.01", ""),
            -1013,
            "Filter failure: PRICE_FILTER",
        ),
        (
            limit("BUY", "1000", "0.01", ""),
            -1013,
            "Filter failure: PERCENT_PRICE_BY_SIDE",
        ),
        (limit("BUY", &price, "0.000001", ""), -1013, "Filter failure: LOT_SIZE"),
        (limit("BUY", &price, "99999999", ""), -1013, "Filter failure: LOT_SIZE"),
        (limit("BUY", &price, "0.00001", ""), -1013, "Filter failure: NOTIONAL"),
        (market("quantity=0.00001"), -1013, "Filter failure: NOTIONAL"),
        (market("quantity=900"), -1013, "Filter failure: MARKET_LOT_SIZE"),
        (market("quoteOrderQty=1"), -1013, "Filter failure: NOTIONAL"),
        (
            limit("BUY", &price, "100", ""),
            -2010,
            "Account has insufficient balance for requested action.",
        ),
        (
            limit("SELL", &ask, "10", ""),
            -2010,
            "Account has insufficient balance for requested action.",
        ),
        (
            format!("symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01&price={ask}"),
            -2010,
            "Order would immediately match and take.",
        ),
        (
            limit("BUY", "1e400", "0.01", ""),
            -1100,
            "Illegal characters found in parameter 'price'",
        ),
        (limit("BUY", "1.123456789", "0.01", ""), -1111, "too much precision"),
        (limit("BUY", "0", "0.01", ""), -1102, "Mandatory parameter 'price'"),
        (limit("BUY", "", "0.01", ""), -1102, "Mandatory parameter 'price'"),
        (limit("HOLD", &price, "0.01", ""), -1117, "Invalid side."),
        (
            limit("BUY", &price, "0.01", "").replace("GTC", "GTX"),
            -1115,
            "Invalid timeInForce.",
        ),
        (
            limit("BUY", &price, "0.01", "").replace("LIMIT", "PEGGED"),
            -1116,
            "Invalid orderType.",
        ),
        (
            limit("BUY", &price, "0.01", "").replace("LIMIT", "STOP_LOSS"),
            -1106,
            "Parameter 'price' sent when not required.",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=TAKE_PROFIT&quantity=0.01".to_owned(),
            -1102,
            "Param 'stopPrice' or 'trailingDelta' must be sent",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=TAKE_PROFIT&quantity=0.01&stopPrice=0".to_owned(),
            -1102,
            "Mandatory parameter 'stopPrice'",
        ),
        (
            "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&stopPrice=200000".to_owned(),
            -2010,
            "Order would trigger immediately.",
        ),
        (
            "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&trailingDelta=5".to_owned(),
            -1013,
            "Filter failure: TRAILING_DELTA",
        ),
        (
            "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&trailingDelta=9999999999".to_owned(),
            -1013,
            "Filter failure: TRAILING_DELTA",
        ),
        (
            limit("BUY", &price, "0.01", "&icebergQty=0.02"),
            -2010,
            "IcebergQty exceeds QTY.",
        ),
        (
            limit("BUY", &price, "0.01", "&icebergQty=0.0009"),
            -1013,
            "Filter failure: ICEBERG_PARTS",
        ),
        (
            limit("BUY", &price, "0.01", "&icebergQty=0.005").replace("GTC", "IOC"),
            -1014,
            "Unsupported order combination.",
        ),
        (
            limit("BUY", &price, "0.01", "&selfTradePreventionMode=TRANSFER"),
            -1013,
            "This symbol does not allow the specified self-trade prevention mode.",
        ),
        (
            limit("BUY", &price, "0.01", "&selfTradePreventionMode=MAYBE"),
            -1130,
            "selfTradePreventionMode",
        ),
        (
            limit("BUY", &price, "0.01", "&stopPrice=1"),
            -1106,
            "Parameter 'stopPrice' sent when not required.",
        ),
        (
            limit("BUY", &price, "0.01", "&newOrderRespType=ALL"),
            -1130,
            "newOrderRespType",
        ),
        (
            limit("BUY", &price, "0.01", "&newClientOrderId=a%20b"),
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'",
        ),
        (limit("BUY", &price, "0.01", "&newClientOrderId="), -1105, "was empty"),
        (limit("BUY", &price, "0.01", "&price=1"), -1101, "Duplicate values"),
        (market("quantity=1&quoteOrderQty=1"), -1106, "quoteOrderQty"),
        (market("quantity=1&price=1"), -1106, "price"),
        (market("x=1"), -1102, "Param 'quantity' or 'quoteOrderQty' must be sent"),
        ("side=BUY".to_owned(), -1102, "Mandatory parameter 'symbol'"),
    ];
    for (query, code, message) in table {
        for path in [ORDER, "/api/v3/order/test"] {
            let reply = venue.signed(Method::POST, path, "alice", &query).await;
            assert_eq!(reply.code(), (400, code), "{query}: {:?}", reply.body);
            assert!(
                reply.body["msg"].as_str().unwrap().contains(message),
                "{query}: {:?}",
                reply.body
            );
        }
    }
    let reads = [
        (Method::GET, ORDER, "symbol=BTCUSDT&orderId=999999999", -2013),
        (Method::GET, ORDER, "symbol=ETHUSDT&origClientOrderId=taken", -2013),
        (Method::GET, ORDER, "symbol=BTCUSDT", -1102),
        (Method::DELETE, ORDER, "symbol=BTCUSDT&origClientOrderId=absent", -2011),
        (Method::DELETE, "/api/v3/openOrders", "symbol=ETHUSDT", -2011),
        (
            Method::GET,
            "/api/v3/myTrades",
            "symbol=BTCUSDT&startTime=1&endTime=86400002",
            -1127,
        ),
        (Method::GET, "/api/v3/orderList", "orderListId=999999999", -2018),
        (Method::GET, "/api/v3/orderList", "", -1102),
        (
            Method::DELETE,
            "/api/v3/orderList",
            "symbol=BTCUSDT&orderListId=999999999",
            -2011,
        ),
        (Method::GET, "/api/v3/allOrderList", "fromId=1&startTime=1", -1128),
        (Method::GET, "/api/v3/myPreventedMatches", "symbol=BTCUSDT", -1128),
        (Method::GET, "/api/v3/order/amendments", "symbol=BTCUSDT", -1102),
        (
            Method::PUT,
            "/api/v3/order/amend/keepPriority",
            "symbol=BTCUSDT&orderId=999999999&newQty=1",
            -2013,
        ),
        (
            Method::PUT,
            "/api/v3/order/amend/keepPriority",
            "symbol=BTCUSDT&origClientOrderId=taken&newQty=1",
            -2038,
        ),
        (Method::POST, "/sapi/v1/bnbBurn", "", -1102),
        (Method::POST, "/sapi/v1/bnbBurn", "spotBNBBurn=maybe", -1100),
        (Method::GET, "/api/v3/account", "recvWindow=60001", -1131),
        (Method::GET, "/api/v3/account", "recvWindow=x", -1100),
    ];
    for (method, path, query, code) in reads {
        assert_eq!(
            venue.signed(method, path, "alice", query).await.code(),
            (400, code),
            "{path} {query}"
        );
    }
    assert_eq!(
        venue.signed(Method::GET, "/api/v3/account", "alice", "").await.ok(),
        before
    );
    assert_eq!(venue.memory.records.lock().len(), records);
    let tested = venue
        .signed(
            Method::POST,
            "/api/v3/order/test",
            "alice",
            &limit("BUY", &price, "0.01", ""),
        )
        .await
        .ok();
    assert_eq!(tested, serde_json::json!({}));
}

#[tokio::test]
async fn signatures_and_times_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let path = "/api/v3/account";
    let at = |millis: i64| {
        let payload = format!("timestamp={millis}");
        format!("{payload}&signature={}", hmac(&payload))
    };
    let now = venue.millis();
    let table = [
        (None, at(now), (401, -2014)),
        (Some("key alice"), at(now), (401, -2014)),
        (Some("key-nobody"), at(now), (401, -2015)),
        (Some("key-alice"), format!("timestamp={now}"), (400, -1102)),
        (Some("key-alice"), "signature=00".to_owned(), (400, -1102)),
        (Some("key-alice"), format!("timestamp={now}&signature=00"), (400, -1022)),
        (Some("key-alice"), format!("{}&recvWindow=9", at(now)), (400, -1022)),
        (Some("key-alice"), at(now - 5_001), (400, -1021)),
        (Some("key-alice"), at(now + 1_000), (400, -1021)),
        (Some("key-alice"), at(now), (200, 0)),
    ];
    for (key, query, expected) in table {
        assert_eq!(
            venue.send(Method::GET, path, key, &query).await.code(),
            expected,
            "{key:?} {query}"
        );
    }
    // query string and body together are one payload, without anything between them
    let price = far_bid(&venue).await;
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT";
    let body = format!("timeInForce=GTC&quantity=0.01&price={price}&timestamp={now}");
    let signature = hmac(&format!("{query}{body}"));
    let url = format!("http://{}{ORDER}?{query}", venue.address);
    let request = common::client().post(url).header("X-MBX-APIKEY", "key-alice");
    let response = request
        .body(format!("{body}&signature={signature}"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    let large = common::client()
        .post(format!("http://{}{ORDER}", venue.address))
        .body("x".repeat(20_000));
    assert_eq!(large.send().await.unwrap().status(), 413);
    // an account that appears while the venue runs is found
    let file = serde_json::json!({"account": "carol", "api_key": "key-carol", "secret": common::SECRET});
    std::fs::write(folder.path().join("carol.json"), file.to_string()).unwrap();
    venue.advance(2_000_000);
    venue.signed(Method::GET, path, "carol", "").await.ok();
}
