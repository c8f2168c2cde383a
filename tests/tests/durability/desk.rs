//! A running platform and its only shard's journal, and what the exchange's ledger says.

use mesh_tests::client::Rest;
use mesh_tests::market;
use mesh_tests::process::Platform;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const OPTIONS: [&str; 12] = [
    "--set",
    "exchange.symbols=12",
    "--set",
    "exchange.limits=bench",
    "--set",
    "trading.shards=1",
    "--set",
    "trading.limits.max_orders_per_second=10000",
    "--set",
    "trading.limits.max_open_orders=10000",
    "--set",
    "trading.limits.duplicate_window_ms=0",
];
pub const ORDERS: &str = "/v1/accounts/paper-1/orders";
pub const PATIENCE: Duration = Duration::from_secs(60);

pub async fn start(binary: &Path, folder: &Path) -> (Platform, Rest) {
    let platform = Platform::up(binary, folder, &OPTIONS);
    let admin = Rest::new(&platform.gateway())
        .login("admin", &platform.admin_password())
        .await;
    market::known(&admin, "paper-1", "BTCUSDT").await;
    (platform, admin)
}

pub fn order(id: &str, side: &str, quantity: &str, price: Option<f64>) -> Value {
    let mut order = json!({
        "clientOrderId": id, "symbol": "BTCUSDT", "side": side, "type": "ORDER_TYPE_MARKET", "quantity": quantity,
    });
    if let Some(price) = price {
        order["type"] = "ORDER_TYPE_LIMIT".into();
        order["timeInForce"] = "TIME_IN_FORCE_GTC".into();
        order["price"] = format!("{price:.2}").into();
    }
    order
}

pub async fn accepted(admin: &Rest, order: &Value) -> String {
    let answer = admin.post(ORDERS, order).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["order"]["orderId"].as_str().unwrap().to_owned()
}

pub async fn until(admin: &Rest, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let body = admin
        .get_until(&format!("{ORDERS}/{id}"), |body| is_wanted(&body["order"]))
        .await;
    body["order"].clone()
}

pub fn has_status(wanted: &'static [&'static str]) -> impl Fn(&Value) -> bool {
    move |order| {
        wanted
            .iter()
            .any(|status| order["status"] == format!("ORDER_STATUS_{status}"))
    }
}

pub async fn price_of(admin: &Rest, symbol: &str, side: &str) -> f64 {
    let quotes = admin.get(&format!("/v1/quotes?symbols={symbol}")).await.body;
    number(&quotes["quotes"][0][side]["price"])
}

pub fn number(value: &Value) -> f64 {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no decimal"))
        .parse()
        .unwrap()
}

/// What the exchange's ledger says that the account holds.
pub async fn held_at_the_venue(admin: &Rest, asset: &str) -> f64 {
    let venue = admin.get("/v1/exchange/accounts?pageSize=1000").await.body;
    let find = |list: &Value, key: &str, name: &str| {
        let found = list.as_array().into_iter().flatten().find(|one| one[key] == name);
        found.cloned()
    };
    let account = find(&venue["accounts"], "name", "paper-1").expect("the exchange knows the account");
    let balance = find(&account["balances"], "asset", asset);
    balance.map_or(0.0, |balance| number(&balance["free"]) + number(&balance["locked"]))
}

/// The open segment of the one shard's journal.
pub fn segment(folder: &Path) -> PathBuf {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(folder.join("trading/shard-0"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .collect();
    segments.sort();
    segments.pop().unwrap()
}

/// What the exchange's ledger says that these orders have bought is what they say themselves.
pub async fn bought_agrees(admin: &Rest, begun_with: f64, ids: &[String]) {
    let mut bought = 0.0;
    for id in ids {
        // An intent that was on the disk and never sent is never sent again.
        let over = until(admin, id, |order| {
            has_status(&["FILLED", "EXPIRED"])(order)
                || (has_status(&["REJECTED"])(order) && order["reason"] == "NEVER_REACHED_VENUE")
        })
        .await;
        bought += number(&over["filledQuantity"]);
    }
    let held = held_at_the_venue(admin, "BTC").await;
    // The venue takes its fee, at most 0.1 %, in what was bought: less than any order that were lost or doubled.
    assert!(
        (held - begun_with - bought).abs() <= 0.0011 * bought,
        "the orders say {bought}, the exchange {held} after {begun_with}"
    );
}
