//! Orders that wait for a price: stops, take-profits, trailing stops.

use super::desk::{Desk, at, emulated, has_status, order};
use super::venue::decimal;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// An order that waits for a price, and the prices that the market is moved to, in basis points from where it was.
struct Waiting {
    name: &'static str,
    side: &'static str,
    kind: &'static str,
    stop: Option<i64>,
    limit: Option<i64>,
    /// Where the market goes first, and the trail with it.
    away: Option<i64>,
    /// Where it is met, and filled.
    met: i64,
    /// How far a trailing stop stays behind: of which field, and in basis points.
    trail: Option<(&'static str, i64)>,
}

const WAITING: [Waiting; 10] = [
    stop("stop-sells", "SELL", "STOP", -60, None, -70),
    stop("stop-buys", "BUY", "STOP", 60, None, 70),
    stop("stop-limit-sells", "SELL", "STOP_LIMIT", -60, Some(-90), -70),
    stop("stop-limit-buys", "BUY", "STOP_LIMIT", 60, Some(90), 70),
    stop("profit-sells", "SELL", "TAKE_PROFIT", 60, None, 70),
    stop("profit-buys", "BUY", "TAKE_PROFIT", -60, None, -70),
    stop("profit-limit-sells", "SELL", "TAKE_PROFIT_LIMIT", 60, Some(50), 70),
    stop("profit-limit-buys", "BUY", "TAKE_PROFIT_LIMIT", -60, Some(-50), -70),
    trailing("amount-sells", "SELL", 80, -10, ("trail", 50)),
    trailing("share-buys", "BUY", -80, 10, ("trailBasisPoints", 50)),
];

const fn stop(
    name: &'static str,
    side: &'static str,
    kind: &'static str,
    stop: i64,
    limit: Option<i64>,
    met: i64,
) -> Waiting {
    Waiting {
        name,
        side,
        kind,
        stop: Some(stop),
        limit,
        away: None,
        met,
        trail: None,
    }
}

const fn trailing(name: &'static str, side: &'static str, away: i64, met: i64, trail: (&'static str, i64)) -> Waiting {
    Waiting {
        name,
        side,
        kind: "TRAILING_STOP",
        stop: None,
        limit: None,
        away: Some(away),
        met,
        trail: Some(trail),
    }
}

#[tokio::test]
async fn what_waits_for_a_price_goes_when_the_market_is_there() {
    let Some(desk) = Desk::open().await else { return };
    for row in &WAITING {
        let begun = desk.market.price().await;
        let mut wish = order(row.name, row.side, row.kind, "0.5");
        if let Some(stop) = row.stop {
            wish["stopPrice"] = json!(at(begun, stop).to_string());
        }
        if let Some(limit) = row.limit {
            wish["price"] = json!(at(begun, limit).to_string());
        }
        let distance = row.trail.map(|(_, behind)| at(begun, behind) - begun);
        match row.trail {
            Some(("trail", _)) => wish["trail"] = json!(distance.unwrap().to_string()),
            Some((share, behind)) => wish[share] = json!(behind),
            None => {}
        }
        let held = desk.accepted(&wish).await;
        assert_eq!(held["status"], "ORDER_STATUS_PENDING_TRIGGER", "{}: {held}", row.name);
        let expected: &[&str] = match row.limit {
            Some(_) => &["TRIGGER"],
            None => &["TRIGGER", "COLLAR"],
        };
        assert_eq!(emulated(&held), expected, "{}", row.name);
        assert_eq!(
            desk.venue.open_orders().await,
            0,
            "{}: the venue sees nothing of it",
            row.name
        );

        if let Some(away) = row.away {
            let followed = |order: &Value| {
                let gone = decimal(&order["trailExtreme"]) - begun;
                gone.abs() > (at(begun, away) - begun).abs() / Decimal::TWO && (gone > Decimal::ZERO) == (away > 0)
            };
            let moved = desk.until_at(at(begun, away), &held, followed).await;
            let (extreme, stop) = (decimal(&moved["trailExtreme"]), decimal(&moved["stopPrice"]));
            let behind = (extreme - stop).abs();
            let off = (behind - distance.unwrap()).abs();
            assert!(off < distance.unwrap() / Decimal::TEN, "{}: {moved}", row.name);
        }
        let filled = desk.until_at(at(begun, row.met), &held, has_status("FILLED")).await;
        assert!(filled["triggerTime"].is_string(), "{}: {filled}", row.name);
        let record = desk.at_the_venue(&filled, "FILLED").await;
        assert_eq!(decimal(&record["origQty"]), decimal(&held["quantity"]), "{}", row.name);
        let lasts = if row.limit.is_some() { "GTC" } else { "IOC" };
        assert_eq!(
            (&record["type"], &record["timeInForce"], &record["side"]),
            (&json!("LIMIT"), &json!(lasts), &json!(row.side)),
            "{}",
            row.name
        );
        if let Some(limit) = row.limit {
            assert_eq!(decimal(&record["price"]), at(begun, limit), "{}", row.name);
        }
    }
}
