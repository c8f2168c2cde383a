//! Orders over real sockets: life and restarts.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{TestVenue, atoms, config};
use http::Method;
use serde_json::Value;

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
async fn an_order_rests_fills_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let price = far_bid(&venue).await;

    let placed = venue
        .signed(
            Method::POST,
            ORDER,
            "alice",
            &limit("BUY", &price, "0.01", "&newClientOrderId=one"),
        )
        .await;
    assert!(placed.headers.contains_key("x-mbx-order-count-10s"), "{placed:?}");
    let placed = placed.ok();
    assert_eq!(
        (placed["status"].as_str(), placed["clientOrderId"].as_str()),
        (Some("NEW"), Some("one"))
    );
    assert_eq!(placed["fills"], Value::Array(vec![]));
    let id = placed["orderId"].as_u64().unwrap();

    let open = venue
        .signed(Method::GET, "/api/v3/openOrders", "alice", "symbol=BTCUSDT")
        .await
        .ok();
    assert_eq!(open[0]["orderId"].as_u64(), Some(id));
    assert_eq!(
        venue.signed(Method::GET, "/api/v3/openOrders", "bob", "").await.ok(),
        Value::Array(vec![])
    );
    let account = venue
        .signed(Method::GET, "/api/v3/account", "alice", "omitZeroBalances=true")
        .await
        .ok();
    let usdt = account["balances"]
        .as_array()
        .unwrap()
        .iter()
        .find(|balance| balance["asset"] == "USDT")
        .unwrap();
    let worth = exchange::core::units::parse(&price).unwrap() / 100;
    assert_eq!(account["uid"], 1, "accounts are numbered as they were opened");
    assert_eq!(atoms(&usdt["locked"]), worth);
    assert_eq!(atoms(&usdt["free"]) + worth, 1_000_000 * exchange::core::units::ONE);

    // another account can neither see nor cancel it
    let foreign = venue
        .signed(Method::GET, ORDER, "bob", &format!("symbol=BTCUSDT&orderId={id}"))
        .await;
    assert_eq!(foreign.code(), (400, -2013));
    let foreign = venue
        .signed(Method::DELETE, ORDER, "bob", &format!("symbol=BTCUSDT&orderId={id}"))
        .await;
    assert_eq!(foreign.code(), (400, -2011));

    // bob sells into it until it is full: the price is the best only once the crowd's bids are swept, so he asks low
    let cancelled = venue
        .signed(
            Method::DELETE,
            ORDER,
            "alice",
            "symbol=BTCUSDT&origClientOrderId=one&newClientOrderId=end",
        )
        .await
        .ok();
    assert_eq!(cancelled["status"], "CANCELED");
    assert_eq!(
        (
            cancelled["origClientOrderId"].as_str(),
            cancelled["clientOrderId"].as_str()
        ),
        (Some("one"), Some("end"))
    );
    let again = venue
        .signed(Method::DELETE, ORDER, "alice", &format!("symbol=BTCUSDT&orderId={id}"))
        .await;
    assert_eq!(again.code(), (400, -2011));
    let seen = venue
        .signed(Method::GET, ORDER, "alice", "symbol=BTCUSDT&origClientOrderId=one")
        .await
        .ok();
    assert_eq!(seen["status"], "CANCELED");

    // a market order fills at once, and its fee is in what it receives
    let bought = venue
        .signed(
            Method::POST,
            ORDER,
            "alice",
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.002",
        )
        .await
        .ok();
    assert_eq!(bought["status"], "FILLED", "{bought}");
    let fills = bought["fills"].as_array().unwrap();
    assert!(
        fills
            .iter()
            .all(|fill| fill["commissionAsset"] == "BTC" && atoms(&fill["commission"]) == atoms(&fill["qty"]) / 1000)
    );
    assert_eq!(fills.iter().map(|fill| atoms(&fill["qty"])).sum::<i128>(), 200_000);
    let by_value = venue
        .signed(
            Method::POST,
            ORDER,
            "alice",
            "symbol=BTCUSDT&side=SELL&type=MARKET&quoteOrderQty=100",
        )
        .await
        .ok();
    assert_eq!(by_value["status"], "FILLED");
    assert_eq!(atoms(&by_value["origQuoteOrderQty"]), 100 * exchange::core::units::ONE);
    assert!(atoms(&by_value["cummulativeQuoteQty"]) <= 100 * exchange::core::units::ONE);
    assert!(by_value["fills"][0]["commissionAsset"] == "USDT");

    let trades = venue
        .signed(Method::GET, "/api/v3/myTrades", "alice", "symbol=BTCUSDT")
        .await
        .ok();
    let count = fills.len() + by_value["fills"].as_array().unwrap().len();
    assert_eq!(trades.as_array().unwrap().len(), count);
    let query = format!("symbol=BTCUSDT&orderId={}", bought["orderId"]);
    let trades = venue
        .signed(Method::GET, "/api/v3/myTrades", "alice", &query)
        .await
        .ok();
    assert_eq!(trades.as_array().unwrap().len(), fills.len());
    let all = venue
        .signed(Method::GET, "/api/v3/allOrders", "alice", "symbol=BTCUSDT&limit=2")
        .await
        .ok();
    assert_eq!(all[1]["orderId"], by_value["orderId"]);
    let all = venue
        .signed(
            Method::GET,
            "/api/v3/allOrders",
            "alice",
            &format!("symbol=BTCUSDT&orderId={id}&limit=1"),
        )
        .await
        .ok();
    assert_eq!(all[0]["orderId"].as_u64(), Some(id));
    let counts = venue
        .signed(Method::GET, "/api/v3/rateLimit/order", "alice", "")
        .await
        .ok();
    assert_eq!(
        (counts[0]["count"].as_u64(), counts[1]["interval"].as_str()),
        (Some(1), Some("DAY"))
    );
}

#[tokio::test]
async fn accounts_trade_with_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let (bid, ask) = venue.best("BTCUSDT").await;
    let tick = |text: &str, by: i128| {
        exchange::core::units::show(exchange::core::units::parse(text).unwrap() + by * 1_000_000)
    };
    // inside the spread, so that bob meets alice first
    let (inside, response) = (tick(&bid, 1), "&newOrderRespType=RESULT");
    assert_ne!(inside, ask, "the spread holds a price of its own");
    let maker = venue
        .signed(
            Method::POST,
            ORDER,
            "alice",
            &format!("symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.001&price={inside}"),
        )
        .await
        .ok();
    assert_eq!(maker.get("status"), None, "LIMIT_MAKER is only acknowledged");
    let taker = venue
        .signed(
            Method::POST,
            ORDER,
            "bob",
            &format!("symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=IOC&quantity=0.001&price={inside}{response}"),
        )
        .await
        .ok();
    assert_eq!((taker["status"].as_str(), taker.get("fills")), (Some("FILLED"), None));
    let order = venue
        .signed(
            Method::GET,
            ORDER,
            "alice",
            &format!("symbol=BTCUSDT&orderId={}", maker["orderId"]),
        )
        .await
        .ok();
    assert_eq!(order["status"], "FILLED");
    let (hers, his) = (
        venue
            .signed(Method::GET, "/api/v3/myTrades", "alice", "symbol=BTCUSDT")
            .await
            .ok(),
        venue
            .signed(Method::GET, "/api/v3/myTrades", "bob", "symbol=BTCUSDT")
            .await
            .ok(),
    );
    assert_eq!(hers[0]["id"], his[0]["id"]);
    assert_eq!(
        (&hers[0]["isMaker"], &his[0]["isMaker"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!(
        (&hers[0]["commissionAsset"], &his[0]["commissionAsset"]),
        (&"BTC".into(), &"USDT".into())
    );
}

#[tokio::test]
async fn a_restart_keeps_accounts_orders_trades_and_the_reach_of_ids() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let price = far_bid(&venue).await;
    let resting = venue
        .signed(
            Method::POST,
            ORDER,
            "alice",
            &limit("BUY", &price, "0.01", "&newClientOrderId=rests"),
        )
        .await
        .ok();
    let bought = venue
        .signed(
            Method::POST,
            ORDER,
            "alice",
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.002",
        )
        .await
        .ok();
    let update = venue.get("/api/v3/depth", "symbol=BTCUSDT&limit=5").await.ok()["lastUpdateId"]
        .as_u64()
        .unwrap();
    let seen = |venue: TestVenue| async move {
        let mut seen = Vec::new();
        for (path, query) in [
            ("account", ""),
            ("openOrders", ""),
            ("myTrades", "symbol=BTCUSDT"),
            ("allOrders", "symbol=BTCUSDT"),
        ] {
            seen.push(
                venue
                    .signed(Method::GET, &format!("/api/v3/{path}"), "alice", query)
                    .await
                    .ok(),
            );
        }
        (venue, seen)
    };
    let (venue, before) = seen(venue).await;
    let time = venue.clock.load(std::sync::atomic::Ordering::Acquire);
    let memory = venue.stop().await;

    let venue = TestVenue::over(config(), folder.path(), memory, time + 60_000_000).await;
    let (venue, after) = seen(venue).await;
    assert_eq!(before, after);
    let later = venue
        .signed(
            Method::POST,
            ORDER,
            "alice",
            "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.002",
        )
        .await
        .ok();
    let largest = |order: &Value| {
        order["fills"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fill| fill["tradeId"].as_u64().unwrap())
            .max()
    };
    assert!(later["orderId"].as_u64() > bought["orderId"].as_u64());
    assert!(largest(&later) > largest(&bought));
    assert!(
        venue.get("/api/v3/depth", "symbol=BTCUSDT&limit=5").await.ok()["lastUpdateId"]
            .as_u64()
            .unwrap()
            > update
    );
    let cancelled = venue
        .signed(Method::DELETE, "/api/v3/openOrders", "alice", "symbol=BTCUSDT")
        .await
        .ok();
    assert_eq!(cancelled[0]["orderId"], resting["orderId"]);
    let memory = venue.stop().await;

    // fewer symbols than the journal names: refused, not forgotten
    let fewer = exchange::Config { symbols: 1, ..config() };
    let records = memory.records.lock().clone();
    assert!(exchange::surface::replay(&fewer, records.clone()).is_ok());
    assert!(exchange::surface::replay(&fewer, [b"?".to_vec()]).is_err());
    let text = String::from_utf8(records.concat())
        .unwrap()
        .replace("BTCUSDT", "GONEUSDT");
    let renamed = records.iter().map(|bytes| {
        String::from_utf8(bytes.clone())
            .unwrap()
            .replace("BTCUSDT", "GONEUSDT")
            .into_bytes()
    });
    assert!(text.contains("GONEUSDT"));
    assert!(exchange::surface::replay(&fewer, renamed).is_err());
}

#[tokio::test]
async fn a_failed_disk_ends_the_venue() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let price = far_bid(&venue).await;
    venue.memory.broken.store(true, std::sync::atomic::Ordering::Release);
    let refused = venue
        .signed(Method::POST, ORDER, "alice", &limit("BUY", &price, "0.01", ""))
        .await;
    assert_eq!(refused.code(), (503, -1001));
    assert_eq!(venue.actor.await.unwrap(), Err("disk gone".to_owned()));
}
