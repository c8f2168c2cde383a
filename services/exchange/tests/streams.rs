//! Market streams that are told at fixed times, candles of every interval, and statistics.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic, and shares its support module"
)]

mod common;

use common::{Socket, TestVenue, atoms, config};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const INTERVALS: [&str; 16] = [
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
];

/// Keeps the clock going until every one of `wanted` streams has said something; the last frame of each.
async fn heard(venue: &TestVenue, socket: &mut Socket, wanted: &[&str]) -> BTreeMap<String, Value> {
    let mut heard = BTreeMap::new();
    while wanted.iter().any(|stream| !heard.contains_key(*stream)) {
        let mut frame = venue.next_frame(socket).await;
        let stream = frame["stream"].as_str().unwrap().to_owned();
        heard.insert(stream, frame["data"].take());
    }
    heard
}

#[tokio::test]
async fn every_stream_says_what_its_name_says() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut wanted: Vec<String> = [
        "trade",
        "aggTrade",
        "bookTicker",
        "avgPrice",
        "ticker",
        "miniTicker",
        "ticker_1h",
        "ticker_4h",
        "ticker_1d",
        "depth",
        "depth@100ms",
        "depth@1000ms",
        "depth5",
        "depth10@100ms",
        "depth20@1000ms",
    ]
    .iter()
    .map(|kind| format!("btcusdt@{kind}"))
    .collect();
    wanted.extend(INTERVALS.iter().map(|interval| format!("btcusdt@kline_{interval}")));
    wanted.extend(["!ticker@arr", "!miniTicker@arr", "!ticker_4h@arr"].map(str::to_owned));
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let mut socket = venue.socket(&format!("/stream?streams={}", wanted.join("/"))).await;
    let heard = heard(&venue, &mut socket, &wanted).await;

    for interval in INTERVALS {
        let candle = &heard[&format!("btcusdt@kline_{interval}")]["k"];
        assert_eq!(candle["i"], interval);
        assert!(candle["t"].as_i64().unwrap() < candle["T"].as_i64().unwrap());
    }
    let ticker = &heard["btcusdt@ticker"];
    assert_eq!((&ticker["e"], &ticker["s"]), (&json!("24hrTicker"), &json!("BTCUSDT")));
    assert!(atoms(&ticker["h"]) >= atoms(&ticker["c"]) && atoms(&ticker["c"]) >= atoms(&ticker["l"]));
    assert!(atoms(&ticker["b"]) < atoms(&ticker["a"]));
    let mini = &heard["btcusdt@miniTicker"];
    assert_eq!((&mini["e"], mini.get("p")), (&json!("24hrMiniTicker"), None));
    assert_eq!(heard["btcusdt@ticker_4h"]["e"], "4hTicker");
    assert!(atoms(&heard["btcusdt@ticker_1h"]["v"]) < atoms(&heard["btcusdt@ticker_4h"]["v"]));
    assert_eq!(
        (&heard["btcusdt@avgPrice"]["e"], &heard["btcusdt@avgPrice"]["i"]),
        (&json!("avgPrice"), &json!("5m"))
    );
    let all = heard["!miniTicker@arr"].as_array().unwrap();
    let symbols: BTreeSet<&str> = all.iter().map(|entry| entry["s"].as_str().unwrap()).collect();
    assert!(symbols.contains("BTCUSDT") && symbols.len() == all.len());
    assert_eq!(heard["!ticker_4h@arr"][0]["e"], "4hTicker");
    for (stream, levels) in [("depth5", 5), ("depth10@100ms", 10), ("depth20@1000ms", 20)] {
        let partial = &heard[&format!("btcusdt@{stream}")];
        assert_eq!(partial["bids"].as_array().unwrap().len(), levels, "{stream}");
        assert!(partial["lastUpdateId"].is_u64());
    }
}

#[tokio::test]
async fn the_slow_depth_stream_has_no_gaps_and_ends_where_the_fast_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut slow = venue.socket("/ws/btcusdt@depth").await;
    let mut fast = venue.socket("/ws/btcusdt@depth@100ms").await;
    let mut ends = BTreeSet::new();
    let mut last: Option<u64> = None;
    for _ in 0..4 {
        let frame = venue.next_frame(&mut slow).await;
        assert!(
            last.is_none_or(|last| frame["U"] == json!(last + 1)),
            "{last:?} {frame}"
        );
        last = frame["u"].as_u64();
        while ends.last() < last.as_ref() {
            ends.insert(venue.next_frame(&mut fast).await["u"].as_u64().unwrap());
        }
        assert!(ends.contains(&last.unwrap()));
    }
}

#[tokio::test]
async fn candles_of_every_interval_meet_and_agree() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    for _ in 0..40 {
        venue.advance(100_000);
        venue.get("/api/v3/ping", "").await.ok();
    }
    let klines = async |rest: &str| -> Vec<Value> {
        let answer = venue
            .get("/api/v3/klines", &format!("symbol=BTCUSDT&limit=1000&{rest}"))
            .await
            .ok();
        answer.as_array().unwrap().clone()
    };
    for interval in INTERVALS {
        for zone in ["0", "8", "-05:30"] {
            if interval == "1s" && zone != "0" {
                continue;
            }
            let bars = klines(&format!("interval={interval}&timeZone={zone}")).await;
            assert!(!bars.is_empty(), "{interval} {zone}");
            for pair in bars.windows(2) {
                assert_eq!(
                    pair[0][6].as_i64().unwrap() + 1,
                    pair[1][0].as_i64().unwrap(),
                    "{interval} {zone}"
                );
            }
            let last = &bars[bars.len() - 1];
            assert!(last[0].as_i64().unwrap() <= venue.millis() && venue.millis() <= last[6].as_i64().unwrap());
        }
    }
    // a longer candle holds what its shorter ones hold
    let hours = klines("interval=1h").await;
    let fours = klines("interval=4h").await;
    let whole = &fours[fours.len() - 2];
    let parts: Vec<&Value> = hours
        .iter()
        .filter(|bar| bar[0].as_i64() >= whole[0].as_i64() && bar[6].as_i64() <= whole[6].as_i64())
        .collect();
    assert_eq!(parts.len(), 4);
    assert_eq!(atoms(&whole[5]), parts.iter().map(|bar| atoms(&bar[5])).sum::<i128>());
    assert_eq!((&whole[1], &whole[4]), (&parts[0][1], &parts[3][4]));
    let day = &klines("interval=1d&timeZone=8").await[1];
    assert_eq!(
        day[0].as_i64().unwrap() % 86_400_000,
        57_600_000,
        "midnight eight hours east of UTC"
    );
    let ui = venue
        .get("/api/v3/uiKlines", "symbol=BTCUSDT&interval=1d&limit=2")
        .await
        .ok();
    assert_eq!(ui.as_array().unwrap().len(), 2);
    let month = klines("interval=1M").await;
    assert_eq!(month[month.len() - 1][0], 1_698_796_800_000_i64);
}

#[tokio::test]
async fn statistics_of_spans_have_their_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    for _ in 0..20 {
        venue.advance(100_000);
        venue.get("/api/v3/ping", "").await.ok();
    }
    let hour = venue.get("/api/v3/ticker", "symbol=BTCUSDT&windowSize=1h").await;
    assert_eq!(hour.headers["x-mbx-used-weight-1m"], "24");
    let hour = hour.ok();
    let span = hour["closeTime"].as_i64().unwrap() - hour["openTime"].as_i64().unwrap();
    assert!((59 * 60_000..=60 * 60_000).contains(&span), "{span}");
    let week = venue
        .get("/api/v3/ticker", "symbols=%5B%22BTCUSDT%22%5D&windowSize=7d&type=MINI")
        .await
        .ok();
    assert_eq!(week[0].get("priceChange"), None);
    assert!(atoms(&week[0]["volume"]) > atoms(&hour["volume"]));
    let today = venue
        .get("/api/v3/ticker/tradingDay", "symbol=BTCUSDT&timeZone=8")
        .await
        .ok();
    assert_eq!(
        today["closeTime"].as_i64().unwrap() - today["openTime"].as_i64().unwrap(),
        86_400_000 - 1
    );
    assert_eq!(today["openTime"].as_i64().unwrap() % 86_400_000, 57_600_000);
    let mini = venue.get("/api/v3/ticker/24hr", "symbol=BTCUSDT&type=MINI").await.ok();
    assert_eq!((mini.get("bidPrice"), mini["count"].is_number()), (None, true));

    let table = [
        ("ticker", "", -1102),
        ("ticker", "symbol=BTCUSDT&windowSize=60m", -1130),
        ("ticker", "symbol=BTCUSDT&windowSize=8d", -1130),
        ("ticker", "symbol=BTCUSDT&windowSize=1x", -1130),
        ("ticker", "symbol=BTCUSDT&windowSize=%2B1m", -1130),
        ("ticker/tradingDay", "", -1102),
        ("ticker/tradingDay", "symbol=BTCUSDT&timeZone=15", -1130),
        ("ticker/24hr", "symbol=BTCUSDT&type=HUGE", -1139),
        ("ticker/24hr", "symbols=%5B%22BTCUSDT%22,%22BTCUSDT%22%5D", -1151),
        ("klines", "symbol=BTCUSDT&interval=1m&timeZone=-12:01", -1130),
        ("klines", "symbol=BTCUSDT&interval=1m&timeZone=1:60", -1130),
        ("klines", "symbol=BTCUSDT&interval=1m&timeZone=x", -1130),
    ];
    for (path, query, code) in table {
        assert_eq!(
            venue.get(&format!("/api/v3/{path}"), query).await.code(),
            (400, code),
            "{path}?{query}"
        );
    }
}

#[tokio::test]
async fn properties_of_a_connection_can_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let venue = TestVenue::start(config(), folder.path()).await;
    let mut socket = venue.socket("/ws/btcusdt@depth@100ms").await;
    assert!(venue.next_frame(&mut socket).await.get("stream").is_none());
    let set = json!({"method": "SET_PROPERTY", "params": ["combined", true], "id": 1});
    assert_eq!(socket.ask(set).await, json!({"result": null, "id": 1}));
    let get = json!({"method": "GET_PROPERTY", "params": ["combined"], "id": 2});
    assert_eq!(socket.ask(get).await["result"], true);
    assert_eq!(
        socket.ask(json!({"method": "GET_PROPERTY", "id": 3})).await["result"],
        true
    );
    loop {
        let frame = venue.next_frame(&mut socket).await;
        // one frame may have been on its way
        if frame["stream"] == "btcusdt@depth@100ms" {
            break;
        }
    }
    for bad in [
        json!({"method": "SET_PROPERTY", "params": ["combined"], "id": 4}),
        json!({"method": "SET_PROPERTY", "params": ["colour", true], "id": 5}),
        json!({"method": "GET_PROPERTY", "params": ["colour"], "id": 6}),
    ] {
        assert_eq!(socket.ask(bad.clone()).await["error"]["code"], 0, "{bad}");
    }
}
