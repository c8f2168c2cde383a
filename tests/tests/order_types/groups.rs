//! Orders that hang together: OCO, OTO, bracket, and one that takes another's place.

use super::desk::{Desk, ORDERS, at, emulated, has_status, limit, order, with};
use super::venue::decimal;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn orders_of_a_group_hang_together_at_the_venue_too() {
    let Some(desk) = Desk::open().await else { return };
    let stop = |name: &str, side: &str, quantity: &str, price: Decimal| {
        with(
            order(name, side, "STOP", quantity),
            json!({"stopPrice": price.to_string()}),
        )
    };
    // One cancels the other: which of them trades is where the market goes.
    for (name, to, trades) in [("oco-up", 70, 0), ("oco-down", -70, 1)] {
        let begun = desk.market.price().await;
        let legs = [
            limit(&format!("{name}-limit"), "SELL", "0.5", at(begun, 60)),
            stop(&format!("{name}-stop"), "SELL", "0.5", at(begun, -60)),
        ];
        let legs = desk.group("GROUP_TYPE_OCO", &legs).await;
        assert_eq!(emulated(&legs[0]), ["GROUP"]);
        assert_eq!(emulated(&legs[1]), ["TRIGGER", "GROUP", "COLLAR"]);
        desk.until(&legs[0], has_status("OPEN")).await;
        assert_eq!(desk.venue.open_orders().await, 1, "{name}: a stop is held here");
        let filled = desk.until_at(at(begun, to), &legs[trades], has_status("FILLED")).await;
        desk.at_the_venue(&filled, "FILLED").await;
        let other = desk.until(&legs[1 - trades], has_status("CANCELLED")).await;
        match trades {
            0 => {
                assert_eq!(other["reason"], "OCO_FILLED");
                desk.never_at_the_venue(&other).await;
            }
            _ => {
                assert_eq!(other["reason"], "OCO_TRIGGERED");
                let record = desk.at_the_venue(&other, "CANCELED").await;
                let later = desk.venue.order(filled["venueOrderId"].as_str().unwrap()).await;
                assert!(
                    record["updateTime"].as_i64() <= later["time"].as_i64(),
                    "{record}\n{later}"
                );
            }
        }
        assert_eq!(desk.venue.open_orders().await, 0, "{name}");
    }

    // One triggers the other.
    let begun = desk.market.price().await;
    let child = limit("oto-child", "SELL", "", at(begun, 60));
    let legs = [limit("oto-entry", "BUY", "0.7", at(begun, -50)), child];
    let legs = desk.group("GROUP_TYPE_OTO", &legs).await;
    desk.until(&legs[0], has_status("OPEN")).await;
    let waits = desk.shown(&legs[1]).await;
    assert_eq!(waits["status"], "ORDER_STATUS_PENDING_TRIGGER");
    assert_eq!(waits["parentOrderId"], legs[0]["orderId"]);
    assert_eq!(desk.venue.open_orders().await, 1, "the child is held here");
    let entry = desk.until_at(at(begun, -60), &legs[0], has_status("FILLED")).await;
    desk.at_the_venue(&entry, "FILLED").await;
    let child = desk.until(&legs[1], has_status("OPEN")).await;
    assert_eq!(child["quantity"], "0.7", "what the entry filled");
    desk.at_the_venue(&child, "NEW").await;
    let child = desk.until_at(at(begun, 70), &legs[1], has_status("FILLED")).await;
    desk.at_the_venue(&child, "FILLED").await;

    // A bracket: the entry, and of its two exits the one that the market meets.
    for (name, to, exits) in [("bracket-up", 70, 1), ("bracket-down", -130, 2)] {
        let begun = desk.market.price().await;
        let orders = [
            limit(&format!("{name}-entry"), "BUY", "0.6", at(begun, -50)),
            limit(&format!("{name}-profit"), "SELL", "", at(begun, 60)),
            stop(&format!("{name}-loss"), "SELL", "", at(begun, -120)),
        ];
        let orders = desk.group("GROUP_TYPE_BRACKET", &orders).await;
        assert_eq!(emulated(&orders[2]), ["TRIGGER", "GROUP", "COLLAR"]);
        desk.until(&orders[0], has_status("OPEN")).await;
        assert_eq!(desk.venue.open_orders().await, 1, "{name}: both exits are held here");
        let entry = desk.until_at(at(begun, -60), &orders[0], has_status("FILLED")).await;
        desk.at_the_venue(&entry, "FILLED").await;
        desk.until(&orders[1], has_status("OPEN")).await;
        let exit = desk.until_at(at(begun, to), &orders[exits], has_status("FILLED")).await;
        assert_eq!(exit["quantity"], "0.6");
        desk.at_the_venue(&exit, "FILLED").await;
        let other = desk.until(&orders[3 - exits], has_status("CANCELLED")).await;
        match exits {
            1 => desk.never_at_the_venue(&other).await,
            _ => drop(desk.at_the_venue(&other, "CANCELED").await),
        }
        assert_eq!(desk.venue.open_orders().await, 0, "{name}");
    }
}

#[tokio::test]
async fn a_replacement_keeps_identity_and_never_doubles() {
    let Some(desk) = Desk::open().await else { return };
    let replace = async |old: &Value, name: &str, fields: Value| {
        let id = old["orderId"].as_str().unwrap();
        let body = with(json!({"clientOrderId": name}), fields);
        let answer = desk.admin.post(&format!("{ORDERS}/{id}:replace"), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    let begun = desk.market.price().await;
    let old = desk.accepted(&limit("old", "BUY", "2", at(begun, -200))).await;
    desk.until(&old, has_status("OPEN")).await;
    let answer = replace(
        &old,
        "new",
        json!({"price": at(begun, -220).to_string(), "quantity": "3"}),
    )
    .await;
    let (new, replaced) = (&answer["order"], &answer["replaced"]);
    assert_eq!(
        (&new["replaces"], &replaced["replacedBy"]),
        (&old["orderId"], &new["orderId"])
    );
    assert_eq!(emulated(new), ["REPLACE"]);
    let old = desk.until(&old, has_status("CANCELLED")).await;
    let new = desk.until(new, has_status("OPEN")).await;
    assert_eq!(old["reason"], "REPLACED");
    let (gone, lives) = (
        desk.at_the_venue(&old, "CANCELED").await,
        desk.at_the_venue(&new, "NEW").await,
    );
    assert_eq!(
        (decimal(&lives["origQty"]), decimal(&lives["price"])),
        (Decimal::from(3), at(begun, -220))
    );
    assert!(gone["updateTime"].as_i64() <= lives["time"].as_i64(), "{gone}\n{lives}");
    assert_eq!(desk.venue.open_orders().await, 1);
    desk.cancelled(&new).await;

    // What the old one filled is taken from the new quantity.
    let begun = desk.market.price().await;
    let price = at(begun, -50);
    let old = desk.accepted(&limit("part", "BUY", "5", price)).await;
    desk.until(&old, has_status("OPEN")).await;
    let part = loop {
        let bids = desk.market.levels("bids").await;
        let above: Decimal = bids
            .iter()
            .filter(|(level, _)| *level > price)
            .map(|(_, quantity)| *quantity)
            .sum();
        desk.market.sell(price, above + Decimal::TWO).await;
        let struck = Instant::now();
        let mut shown = desk.shown(&old).await;
        while decimal(&shown["filledQuantity"]).is_zero() && struck.elapsed() < Duration::from_millis(400) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            shown = desk.shown(&old).await;
        }
        if !decimal(&shown["filledQuantity"]).is_zero() {
            break shown;
        }
    };
    assert_eq!(part["status"], "ORDER_STATUS_PARTIALLY_FILLED", "{part}");
    let answer = replace(
        &old,
        "rest",
        json!({"price": at(begun, -200).to_string(), "quantity": "8"}),
    )
    .await;
    let old = desk.until(&old, has_status("CANCELLED")).await;
    let new = desk.until(&answer["order"], has_status("OPEN")).await;
    desk.at_the_venue(&old, "CANCELED").await;
    let lives = desk.at_the_venue(&new, "NEW").await;
    assert_eq!(
        decimal(&lives["origQty"]),
        Decimal::from(8) - decimal(&old["filledQuantity"]),
        "{old}\n{new}"
    );
    desk.cancelled(&new).await;
}
