//! How long an order stands, and what else it is told: IOC, FOK, DAY, GTD, post-only, iceberg, reduce-only.

use super::desk::{Desk, at, emulated, has_status, limit, order, with};
use super::venue::decimal;
use mesh::time::Clock;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// An order that is over at once, and how.
struct AtOnce {
    name: &'static str,
    kind: &'static str,
    /// Where its price is, in basis points from the market.
    price: i64,
    quantity: &'static str,
    fields: fn() -> Value,
    ends: &'static str,
    /// The venue's word for its end; none where the venue does not know it.
    venue: Option<&'static str>,
    filled: fn(Decimal) -> bool,
}

/// More than the book holds near the market.
const MUCH: &str = "2500";

fn ioc() -> Value {
    json!({"timeInForce": "TIME_IN_FORCE_IOC"})
}

fn fok() -> Value {
    json!({"timeInForce": "TIME_IN_FORCE_FOK"})
}

fn nothing(filled: Decimal) -> bool {
    filled.is_zero()
}

fn part(filled: Decimal) -> bool {
    !filled.is_zero() && filled < MUCH.parse().unwrap()
}

fn half(filled: Decimal) -> bool {
    filled == Decimal::new(5, 1)
}

const AT_ONCE: [AtOnce; 8] = [
    AtOnce {
        name: "ioc-part",
        kind: "LIMIT",
        price: 30,
        quantity: MUCH,
        fields: ioc,
        ends: "EXPIRED",
        venue: Some("EXPIRED"),
        filled: part,
    },
    AtOnce {
        name: "ioc-nothing",
        kind: "LIMIT",
        price: -100,
        quantity: "0.5",
        fields: ioc,
        ends: "EXPIRED",
        venue: Some("EXPIRED"),
        filled: nothing,
    },
    AtOnce {
        name: "ioc-all",
        kind: "LIMIT",
        price: 100,
        quantity: "0.5",
        fields: ioc,
        ends: "FILLED",
        venue: Some("FILLED"),
        filled: half,
    },
    AtOnce {
        name: "fok-too-much",
        kind: "LIMIT",
        price: 30,
        quantity: MUCH,
        fields: fok,
        ends: "EXPIRED",
        venue: Some("EXPIRED"),
        filled: nothing,
    },
    AtOnce {
        name: "fok-all",
        kind: "LIMIT",
        price: 100,
        quantity: "0.5",
        fields: fok,
        ends: "FILLED",
        venue: Some("FILLED"),
        filled: half,
    },
    AtOnce {
        name: "maker-crosses",
        kind: "LIMIT_MAKER",
        price: 100,
        quantity: "0.5",
        fields: || json!({}),
        ends: "REJECTED",
        venue: None,
        filled: nothing,
    },
    AtOnce {
        name: "post-only-crosses",
        kind: "LIMIT",
        price: 100,
        quantity: "0.5",
        fields: || json!({"postOnly": true}),
        ends: "REJECTED",
        venue: None,
        filled: nothing,
    },
    AtOnce {
        name: "limit-crosses",
        kind: "LIMIT",
        price: 100,
        quantity: "0.5",
        fields: || json!({"timeInForce": "TIME_IN_FORCE_GTC"}),
        ends: "FILLED",
        venue: Some("FILLED"),
        filled: half,
    },
];

#[tokio::test]
async fn what_is_over_at_once_ends_as_the_venue_says() {
    let Some(desk) = Desk::open().await else { return };
    for row in &AT_ONCE {
        let price = at(desk.market.price().await, row.price);
        let wish = with(order(row.name, "BUY", row.kind, row.quantity), (row.fields)());
        let taken = desk.accepted(&with(wish, json!({"price": price.to_string()}))).await;
        assert!(emulated(&taken).is_empty(), "{}: the venue has it", row.name);
        let over = desk.until(&taken, has_status(row.ends)).await;
        assert!((row.filled)(decimal(&over["filledQuantity"])), "{}: {over}", row.name);
        match row.venue {
            Some(status) => {
                let record = desk.at_the_venue(&over, status).await;
                let lasts = over["timeInForce"]
                    .as_str()
                    .unwrap()
                    .trim_start_matches("TIME_IN_FORCE_");
                assert_eq!(record["timeInForce"], lasts, "{}", row.name);
                assert_eq!(decimal(&record["price"]), price, "{}", row.name);
            }
            None => {
                assert_eq!(over["reason"], "WOULD_TRADE_AT_ONCE", "{}: {over}", row.name);
                desk.never_at_the_venue(&over).await;
            }
        }
    }
}

/// A time so many seconds from now, as JSON has it.
fn in_seconds(seconds: i64) -> Value {
    let micros = Clock::system().now_micros() + seconds * 1_000_000;
    json!(mesh::pb::Timestamp::from_micros(micros))
}

#[tokio::test]
async fn what_rests_says_how_long_and_how_much_of_it_shows() {
    let Some(desk) = Desk::open().await else { return };
    let begun = desk.market.price().await;

    // Good till a time: the venue has no such thing, so it is cancelled there.
    let gtd = json!({"timeInForce": "TIME_IN_FORCE_GTD", "expireTime": in_seconds(4)});
    let gtd = desk
        .accepted(&with(limit("gtd", "BUY", "0.5", at(begun, -200)), gtd))
        .await;
    assert_eq!(emulated(&gtd), ["EXPIRY"]);
    let rests = desk.until(&gtd, has_status("OPEN")).await;
    assert_eq!(desk.at_the_venue(&rests, "NEW").await["timeInForce"], "GTC");
    let over = desk.until(&gtd, has_status("EXPIRED")).await;
    assert_eq!(over["reason"], "EXPIRE_TIME");
    desk.at_the_venue(&over, "CANCELED").await;

    let day = json!({"timeInForce": "TIME_IN_FORCE_DAY"});
    let day = desk
        .accepted(&with(limit("day", "BUY", "0.5", at(begun, -200)), day))
        .await;
    assert_eq!(emulated(&day), ["EXPIRY"]);
    assert!(day["expireTime"].as_str().unwrap().contains("T00:00:00"), "{day}");
    let rests = desk.until(&day, has_status("OPEN")).await;
    desk.at_the_venue(&rests, "NEW").await;
    let over = desk.cancelled(&day).await;
    desk.at_the_venue(&over, "CANCELED").await;

    // What only rests.
    for (name, kind, fields) in [
        ("maker", "LIMIT_MAKER", json!({})),
        ("post-only", "LIMIT", json!({"postOnly": true})),
    ] {
        let wish = with(
            order(name, "BUY", kind, "0.5"),
            json!({"price": at(begun, -200).to_string()}),
        );
        let rests = desk.accepted(&with(wish, fields)).await;
        assert!(emulated(&rests).is_empty(), "{name}: the venue has it");
        let rests = desk.until(&rests, has_status("OPEN")).await;
        assert_eq!(desk.at_the_venue(&rests, "NEW").await["type"], "LIMIT_MAKER", "{name}");
        let over = desk.cancelled(&rests).await;
        desk.at_the_venue(&over, "CANCELED").await;
    }

    // An iceberg: the venue's book shows a part of it, and all of it trades.
    let price = at(desk.market.price().await, -90);
    let iceberg = with(limit("iceberg", "BUY", "5", price), json!({"displayQuantity": "1"}));
    let iceberg = desk.accepted(&iceberg).await;
    assert!(emulated(&iceberg).is_empty(), "the venue has it");
    let rests = desk.until(&iceberg, has_status("OPEN")).await;
    let record = desk.at_the_venue(&rests, "NEW").await;
    assert_eq!(
        (decimal(&record["origQty"]), decimal(&record["icebergQty"])),
        (Decimal::from(5), Decimal::ONE)
    );
    let bids = desk.market.levels("bids").await;
    let shown = bids
        .iter()
        .find(|(level, _)| *level == price)
        .map(|(_, quantity)| *quantity);
    assert_eq!(shown, Some(Decimal::ONE));
    let filled = desk
        .until_at(price - Decimal::new(5, 3), &iceberg, has_status("FILLED"))
        .await;
    desk.at_the_venue(&filled, "FILLED").await;
}

#[tokio::test]
async fn reduce_only_never_sells_more_than_is_held() {
    let Some(desk) = Desk::open().await else { return };
    let begun = desk.market.price().await;
    let held = desk.venue.holding("LTC").await;
    let more = held + Decimal::from(10);
    let only = json!({"reduceOnly": true});

    let wish = limit("all", "SELL", &more.to_string(), at(begun, 200));
    let cut = desk.accepted(&with(wish, only.clone())).await;
    assert_eq!(emulated(&cut), ["REDUCE_ONLY"]);
    assert_eq!(decimal(&cut["quantity"]), held, "more than is held is cut to it");
    let rests = desk.until(&cut, has_status("OPEN")).await;
    for told in [&cut, &rests] {
        assert_eq!(told["reason"], "REDUCE_ONLY_SHRUNK", "{told}");
    }
    let record = desk.at_the_venue(&rests, "NEW").await;
    assert_eq!(decimal(&record["origQty"]), held);
    // All of it is set aside: nothing is left to reduce, and a buy never reduces anything on a spot venue.
    for (name, side) in [("nothing-left", "SELL"), ("buys", "BUY")] {
        let refused = desk.submit(&with(limit(name, side, "0.5", begun), only.clone())).await;
        assert_eq!(
            (refused.status, refused.reason()),
            (422, "REDUCE_ONLY_NOTHING_TO_REDUCE"),
            "{name}: {}",
            refused.body
        );
    }
    let over = desk.cancelled(&rests).await;
    desk.at_the_venue(&over, "CANCELED").await;

    // One that waits, and then lessens what is held by what it says.
    let stop = with(order("stop", "SELL", "STOP", "5"), only);
    let stop = desk
        .accepted(&with(stop, json!({"stopPrice": at(begun, -60).to_string()})))
        .await;
    assert_eq!(emulated(&stop), ["TRIGGER", "REDUCE_ONLY", "COLLAR"]);
    let filled = desk.until_at(at(begun, -70), &stop, has_status("FILLED")).await;
    desk.at_the_venue(&filled, "FILLED").await;
    assert_eq!(desk.venue.holding("LTC").await, held - Decimal::from(5));
}
