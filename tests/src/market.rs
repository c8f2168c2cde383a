//! What an order needs before it can be judged: a price that trading has heard of.

use crate::client::Rest;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long trading may take to hear of a price that the market data has.
const PATIENCE: Duration = Duration::from_secs(60);

/// Options that suit a machine without a free core, where quotes may come seconds late: no test with the real binary is
/// about how old they may be.
pub const LATE_QUOTES: [&str; 4] = [
    "--set",
    "trading.limits.mark_max_age_ms=60000",
    "--set",
    "data.quiet_ms=60000",
];

/// Waits until trading knows a price of the symbol, which it hears a moment after the market data has it, and returns the
/// best bid. What is asked is the risk gate itself, with an order at twice the price, of which nothing comes: without a
/// price it is refused for that, and then for its own, or for what else stands in the way of every order.
///
/// # Panics
/// When trading never knows one.
pub async fn known(client: &Rest, account: &str, symbol: &str) -> Decimal {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let is_live = |body: &Value| body["quotes"][0]["state"] == "BOOK_STATE_LIVE";
    let quotes = client.get_until(&format!("/v1/quotes?symbols={symbol}"), is_live).await;
    let bid = quotes["quotes"][0]["bid"]["price"].as_str();
    let bid: Decimal = bid.and_then(|bid| bid.parse().ok()).expect("a live book has a bid");
    let begun = Instant::now();
    loop {
        let number = ASKED.fetch_add(1, Ordering::Relaxed);
        let order = json!({
            // A refusal is kept under its id, over a restart too.
            "clientOrderId": format!("known-{}-{number}", std::process::id()),
            "symbol": symbol, "side": "SIDE_BUY", "type": "ORDER_TYPE_LIMIT",
            "quantity": "1", "price": (bid * Decimal::TWO).to_string(),
        });
        let answer = client.post(&format!("/v1/accounts/{account}/orders"), &order).await;
        assert_ne!(answer.status, 200, "{}", answer.body);
        if !["MARKET_STALE", "ACCOUNT_NOT_READY"].contains(&answer.reason()) {
            return bid;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", answer.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
