//! A running platform with one account, seen from both sides, and the market that it trades in.

use super::venue::{Account, Market, SYMBOL, decimal};
use mesh_tests::client::{Answer, Rest};
use mesh_tests::process::{Platform, folder, tool};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const OPTIONS: [&str; 12] = [
    "--set",
    "exchange.symbols=12",
    "--set",
    "exchange.limits=bench",
    // A calm crowd, and accounts that can move its market.
    "--set",
    "exchange.scale=0.2",
    "--set",
    "exchange.opening_base_value=200000",
    "--set",
    "trading.limits.duplicate_window_ms=0",
    "--set",
    "paper.accounts=1",
];
pub const ORDERS: &str = "/v1/accounts/paper-1/orders";
const GROUPS: &str = "/v1/accounts/paper-1/orderGroups";
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running platform, its only account on both sides of it, and the market.
pub struct Desk {
    pub admin: Rest,
    pub venue: Account,
    pub market: Market,
    _platform: Platform,
    _folder: TempDir,
}

impl Desk {
    pub async fn open() -> Option<Desk> {
        let binary = tool("TRADEMESH_BINARY")?;
        let folder = folder();
        let platform = Platform::up(&binary, folder.path(), &OPTIONS);
        let admin = Rest::new(&platform.gateway())
            .login("admin", &platform.admin_password())
            .await;
        admin
            .get_until(&format!("/v1/quotes?symbols={SYMBOL}"), |body| {
                body["quotes"][0]["state"] == "BOOK_STATE_LIVE"
            })
            .await;
        let accounts = folder.path().join("accounts");
        let venue = Account::open(&platform.exchange(), &accounts.join("paper-1.json"));
        let market = Market::open(&platform.exchange(), &accounts).await;
        Some(Desk {
            admin,
            venue,
            market,
            _platform: platform,
            _folder: folder,
        })
    }

    /// Submits until trading has heard of the price that the order was made for.
    pub async fn submit(&self, order: &Value) -> Answer {
        self.post_soon(ORDERS, |attempt| attempted(order, attempt)).await
    }

    /// Posts until trading has heard of the market: as long as it knows no price, or one from before the market was moved,
    /// it refuses. Each attempt is made with ids of its own, because a refusal is kept.
    async fn post_soon(&self, path: &str, body: impl Fn(usize) -> Value) -> Answer {
        let begun = Instant::now();
        let mut attempt = 0;
        loop {
            let answer = self.admin.post(path, &body(attempt)).await;
            let is_early = ["MARKET_STALE", "WOULD_TRIGGER_AT_ONCE"].contains(&answer.reason());
            if !is_early || begun.elapsed() > PATIENCE {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            attempt += 1;
        }
    }

    pub async fn accepted(&self, order: &Value) -> Value {
        let answer = self.submit(order).await;
        assert_eq!(answer.status, 200, "{order}: {}", answer.body);
        answer.body["order"].clone()
    }

    pub async fn group(&self, kind: &str, orders: &[Value]) -> Vec<Value> {
        let group = |attempt| {
            let orders: Vec<Value> = orders.iter().map(|order| attempted(order, attempt)).collect();
            json!({"type": kind, "orders": orders})
        };
        let answer = self.post_soon(GROUPS, group).await;
        assert_eq!(answer.status, 200, "{kind}: {}", answer.body);
        answer.body["orders"].as_array().unwrap().clone()
    }

    /// The order as trading shows it now.
    pub async fn shown(&self, order: &Value) -> Value {
        let id = order["orderId"].as_str().unwrap();
        let answer = self.admin.get(&format!("{ORDERS}/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["order"].clone()
    }

    /// The order once it is as wanted.
    pub async fn until(&self, order: &Value, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let shown = self.shown(order).await;
            if is_wanted(&shown) {
                return shown;
            }
            assert!(begun.elapsed() < PATIENCE, "never as wanted: {shown}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The order once it is as wanted, while the market is moved to this price again and again: the crowd moves it back.
    pub async fn until_at(&self, price: Decimal, order: &Value, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            self.market.move_to(price).await;
            let struck = Instant::now();
            while struck.elapsed() < Duration::from_millis(400) {
                let shown = self.shown(order).await;
                if is_wanted(&shown) {
                    self.market.leave().await;
                    return shown;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let shown = self.shown(order).await;
            assert!(begun.elapsed() < PATIENCE, "never as wanted at {price}: {shown}");
        }
    }

    pub async fn cancelled(&self, order: &Value) -> Value {
        let id = order["orderId"].as_str().unwrap();
        let answer = self.admin.post(&format!("{ORDERS}/{id}:cancel"), &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.until(order, has_status("CANCELLED")).await
    }

    /// The exchange's own record of an order, which agrees with what trading shows of it.
    pub async fn at_the_venue(&self, shown: &Value, status: &str) -> Value {
        let order = self.venue.order(shown["venueOrderId"].as_str().unwrap()).await;
        let executed = decimal(&order["executedQty"]);
        assert_eq!(order["status"], status, "{shown}\n{order}");
        assert_eq!(decimal(&shown["filledQuantity"]), executed, "{shown}\n{order}");
        let (traded, value) = self.venue.traded(&order).await;
        assert_eq!(
            (traded, value),
            (executed, decimal(&order["cummulativeQuoteQty"])),
            "{order}"
        );
        if !executed.is_zero() {
            let average = decimal(&shown["averagePrice"]);
            assert!(
                (average - value / executed).abs() < Decimal::new(1, 6),
                "{shown}\n{order}"
            );
        }
        order
    }

    /// That the exchange has never heard of an order.
    pub async fn never_at_the_venue(&self, shown: &Value) {
        assert_eq!(decimal(&shown["filledQuantity"]), Decimal::ZERO, "{shown}");
        if let Some(id) = shown["venueOrderId"].as_str().filter(|id| !id.is_empty()) {
            assert_eq!(self.venue.order(id).await["code"], -2013, "{shown}");
        }
    }
}

/// The same order under the id of an attempt.
fn attempted(order: &Value, attempt: usize) -> Value {
    let name = order["clientOrderId"].as_str().unwrap();
    with(order.clone(), json!({"clientOrderId": format!("{name}-{attempt}")}))
}

pub fn has_status(wanted: &str) -> impl Fn(&Value) -> bool {
    let wanted = format!("ORDER_STATUS_{wanted}");
    move |order| order["status"] == wanted
}

/// A price so many basis points from another, on a tick.
pub fn at(price: Decimal, basis_points: i64) -> Decimal {
    (price * (Decimal::ONE + Decimal::new(basis_points, 4))).round_dp(3)
}

pub fn order(name: &str, side: &str, kind: &str, quantity: &str) -> Value {
    json!({
        "clientOrderId": name, "symbol": SYMBOL, "side": format!("SIDE_{side}"), "type": format!("ORDER_TYPE_{kind}"),
        "quantity": quantity,
    })
}

/// The same order with more fields.
pub fn with(mut order: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

pub fn limit(name: &str, side: &str, quantity: &str, price: Decimal) -> Value {
    with(
        order(name, side, "LIMIT", quantity),
        json!({"price": price.to_string()}),
    )
}

pub fn emulated(order: &Value) -> Vec<&str> {
    let all = order["emulated"].as_array().into_iter().flatten();
    all.map(|one| one.as_str().unwrap().trim_start_matches("EMULATION_"))
        .collect()
}
