//! The exchange as its own clients see it: its ledger, and a way to move its price by trading.

use hmac::{Hmac, KeyInit, Mac};
use mesh::time::Clock;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::Sha256;
use std::path::Path;

/// The symbol that all orders of these tests are in: a small one, whose price a single account can move.
pub const SYMBOL: &str = "LTCUSDT";

/// How much is left at the price that the market is moved to, in the base asset.
const LEFT: u32 = 300;

/// One account of the exchange, through its Binance surface.
pub struct Account {
    http: reqwest::Client,
    base: String,
    clock: Clock,
    api_key: String,
    secret: String,
}

impl Account {
    /// The account whose key is in this file.
    pub fn open(base: &str, file: &Path) -> Account {
        let text = std::fs::read_to_string(file).unwrap();
        let key: Value = serde_json::from_str(&text).unwrap();
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        Account {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: base.to_owned(),
            clock: Clock::system(),
            api_key: text("api_key"),
            secret: text("secret"),
        }
    }

    /// A new account, of which the platform knows nothing.
    pub fn stranger(base: &str, folder: &Path, name: &str) -> Account {
        let file = folder.join(format!("{name}.json"));
        let key = json!({"account": name, "api_key": format!("key-of-{name}"), "secret": "secret"});
        std::fs::write(&file, key.to_string()).unwrap();
        Account::open(base, &file)
    }

    /// A signed request, and its answer, whatever it says.
    pub async fn ask(&self, method: Method, path: &str, query: &str) -> Value {
        let separator = if query.is_empty() { "" } else { "&" };
        let now = self.clock.now_millis();
        let payload = format!("{query}{separator}recvWindow=60000&timestamp={now}");
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(payload.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let url = format!("{}/api/v3/{path}?{payload}&signature={signature}", self.base);
        let request = self.http.request(method, url).header("X-MBX-APIKEY", &self.api_key);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// An order of this account, by the id that its client gave it.
    pub async fn order(&self, client_id: &str) -> Value {
        let query = format!("symbol={SYMBOL}&origClientOrderId={client_id}");
        self.ask(Method::GET, "order", &query).await
    }

    /// How many orders of this account the book holds.
    pub async fn open_orders(&self) -> usize {
        let open = self.ask(Method::GET, "openOrders", &format!("symbol={SYMBOL}")).await;
        open.as_array().unwrap_or_else(|| panic!("{open}")).len()
    }

    /// What the trades of an order add up to: quantity and value.
    pub async fn traded(&self, order: &Value) -> (Decimal, Decimal) {
        let query = format!("symbol={SYMBOL}&orderId={}", order["orderId"]);
        let trades = self.ask(Method::GET, "myTrades", &query).await;
        let trades = trades.as_array().unwrap_or_else(|| panic!("{trades}"));
        let sum = |name: &str| trades.iter().map(|trade| decimal(&trade[name])).sum();
        (sum("qty"), sum("quoteQty"))
    }

    /// What the account holds of an asset, free and locked together.
    pub async fn holding(&self, asset: &str) -> Decimal {
        let account = self.ask(Method::GET, "account", "").await;
        let balances = account["balances"].as_array().unwrap_or_else(|| panic!("{account}"));
        let balance = balances.iter().find(|balance| balance["asset"] == asset).unwrap();
        decimal(&balance["free"]) + decimal(&balance["locked"])
    }

    async fn place(&self, side: &str, price: Decimal, quantity: Decimal, time_in_force: &str) {
        let query = format!(
            "symbol={SYMBOL}&side={side}&type=LIMIT&timeInForce={time_in_force}&price={price}&quantity={quantity}"
        );
        let placed = self.ask(Method::POST, "order", &query).await;
        assert!(placed["orderId"].is_number(), "{query}: {placed}");
    }
}

/// The market: the crowd's book, and two accounts that move its price between them.
pub struct Market {
    hammer: Account,
    anvil: Account,
}

impl Market {
    /// The market of an exchange whose accounts are in this folder.
    pub async fn open(base: &str, accounts: &Path) -> Market {
        let market = Market {
            hammer: Account::stranger(base, accounts, "hammer"),
            anvil: Account::stranger(base, accounts, "anvil"),
        };
        // New files are noticed within a second of their first use.
        for account in [&market.hammer, &market.anvil] {
            while !account.ask(Method::GET, "account", "").await["balances"].is_array() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        market
    }

    /// The levels of a side of the book, best first: price and quantity.
    pub async fn levels(&self, side: &str) -> Vec<(Decimal, Decimal)> {
        let depth = self
            .hammer
            .ask(Method::GET, "depth", &format!("symbol={SYMBOL}&limit=5000"))
            .await;
        let levels = depth[side].as_array().unwrap_or_else(|| panic!("{depth}"));
        let pair = |level: &Value| (decimal(&level[0]), decimal(&level[1]));
        levels.iter().map(pair).collect()
    }

    /// The price between the best bid and the best ask, once the crowd has closed the gap that a move left.
    pub async fn price(&self) -> Decimal {
        loop {
            let (bids, asks) = (self.levels("bids").await, self.levels("asks").await);
            if let (Some((bid, _)), Some((ask, _))) = (bids.first(), asks.first())
                && (ask - bid) / bid < Decimal::new(15, 4)
            {
                return ((bid + ask) / Decimal::TWO).round_dp(3);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Whether a price is below what anybody bids or asks now.
    async fn is_below(&self, price: Decimal) -> bool {
        let (bids, asks) = (self.levels("bids").await, self.levels("asks").await);
        let best = bids.first().or(asks.first()).map_or(price, |(level, _)| *level);
        price < best
    }

    /// Takes everything from the book that stands in the way of a price, and trades at that price, where one side is left
    /// for others to trade with.
    pub async fn move_to(&self, price: Decimal) {
        self.anvil
            .ask(Method::DELETE, "openOrders", &format!("symbol={SYMBOL}"))
            .await;
        let is_down = self.is_below(price).await;
        let (rests, takes, side) = match is_down {
            true => ("BUY", "SELL", "bids"),
            false => ("SELL", "BUY", "asks"),
        };
        self.anvil.place(rests, price, LEFT.into(), "GTC").await;
        let is_in_the_way = |level: Decimal| match is_down {
            true => level > price,
            false => level < price,
        };
        let levels = self.levels(side).await;
        let in_the_way = levels.iter().filter(|(level, _)| is_in_the_way(*level));
        let quantity: Decimal = in_the_way.map(|(_, quantity)| quantity).sum();
        self.hammer.place(takes, price, quantity + Decimal::ONE, "IOC").await;
    }

    /// Sells so much at this price or better, as far as the book takes it.
    pub async fn sell(&self, price: Decimal, quantity: Decimal) {
        self.hammer.place("SELL", price, quantity, "IOC").await;
    }

    /// Leaves the book to the crowd.
    pub async fn leave(&self) {
        self.anvil
            .ask(Method::DELETE, "openOrders", &format!("symbol={SYMBOL}"))
            .await;
    }
}

/// A decimal of an answer.
pub fn decimal(value: &Value) -> Decimal {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no decimal"));
    text.parse().unwrap()
}
