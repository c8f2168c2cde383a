//! The stream of user data: what is told of orders, and how it is subscribed again.

use super::{NOW, account, rig};
use crate::binance::keys::Key;
use crate::venue::{UserData, Venue};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

#[tokio::test]
async fn user_data_reconnects_and_says_what_was_lost() {
    let rig = rig().await;
    let subscribed = json!({"id": 0, "status": 200, "result": {"subscriptionId": 3}}).to_string();
    let report = json!({"subscriptionId": 3, "event": {
        "e": "executionReport", "s": "BTCUSDT", "c": "our-id", "C": "", "x": "TRADE", "X": "PARTIALLY_FILLED",
        "r": "NONE", "i": 12, "l": "0.04", "z": "0.05", "L": "99", "n": "0.1", "N": "USDT", "T": NOW, "t": 6, "m": true,
    }});
    let position = json!({"subscriptionId": 3, "event": {"e": "outboundAccountPosition"}}).to_string();
    let ended = json!({"subscriptionId": 3, "event": {"e": "eventStreamTerminated"}}).to_string();
    let refused = |status: u16| json!({"id": 0, "status": status, "error": {"code": -1, "msg": "no"}}).to_string();
    let unreadable = json!({"subscriptionId": 3, "event": {"e": "executionReport"}}).to_string();
    let connections = [
        vec![
            subscribed.clone(),
            position,
            json!({"id": 77}).to_string(),
            report.to_string(),
        ],
        vec!["no json".to_owned()],
        vec![refused(429)],
        vec![refused(400)],
        vec![subscribed.clone(), unreadable],
        vec![subscribed, ended],
    ];
    rig.script.frames.lock().extend(connections.map(Some));
    let (sink, mut news) = mpsc::channel(16);
    let script = Arc::clone(&rig.script);
    let following = tokio::spawn(async move { rig.venue.follow(vec![account()], sink).await });
    let mut next = async || {
        tokio::time::timeout(Duration::from_secs(10), news.recv())
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(next().await, UserData::Subscribed(account()));
    let UserData::Order(of, order) = next().await else {
        panic!()
    };
    assert_eq!((of, order.venue_id.as_str()), (account(), "our-id"));
    let trade = &order.state.trades[0];
    assert_eq!(
        (trade.quantity.to_string(), trade.fee.to_string(), trade.trade_id.get()),
        ("0.04".into(), "0.1".into(), 6)
    );
    assert_eq!(next().await, UserData::Lost(account()));
    for _ in 0..2 {
        assert_eq!(next().await, UserData::Subscribed(account()));
        assert_eq!(next().await, UserData::Lost(account()));
    }
    let first = script.subscriptions.lock()[0].clone();
    assert_eq!(first["method"], "userDataStream.subscribe.signature");
    let payload = format!("apiKey=the-key&recvWindow=5000&timestamp={NOW}");
    assert_eq!(first["params"]["signature"], Key::new("", "the-secret").sign(&payload));
    drop(news);
    tokio::time::timeout(Duration::from_secs(10), following)
        .await
        .expect("it ends when nobody listens")
        .unwrap();
}

#[tokio::test]
async fn a_subscription_without_an_answer_or_at_a_refused_time_is_made_again() {
    let rig = rig().await;
    let refused = json!({"id": 0, "status": 400, "error": {"code": -1021, "msg": "ahead"}}).to_string();
    let subscribed = json!({"id": 0, "status": 200, "result": {"subscriptionId": 3}}).to_string();
    let ended = json!({"subscriptionId": 3, "event": {"e": "serverShutdown"}}).to_string();
    rig.answer(200, json!({"serverTime": NOW + 60_000}));
    // None: the connection stays open, and nobody answers on it.
    rig.script
        .frames
        .lock()
        .extend([None, Some(vec![refused]), Some(vec![subscribed, ended])]);
    let (sink, mut news) = mpsc::channel(16);
    let script = Arc::clone(&rig.script);
    let following = tokio::spawn(async move { rig.venue.follow(vec![account()], sink).await });
    let first = tokio::time::timeout(Duration::from_secs(10), news.recv())
        .await
        .unwrap();
    assert_eq!(first, Some(UserData::Subscribed(account())));
    let times: Vec<i64> = script
        .subscriptions
        .lock()
        .iter()
        .map(|request| request["params"]["timestamp"].as_i64().unwrap())
        .collect();
    assert_eq!(times, [NOW, NOW, NOW + 60_000]);
    drop(news);
    tokio::time::timeout(Duration::from_secs(10), following)
        .await
        .expect("it ends when nobody listens")
        .unwrap();
}
