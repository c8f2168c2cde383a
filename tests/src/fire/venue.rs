//! The exchange's own ledger, read through its Binance surface with each account's key: the one witness that has no part in
//! what the platform claims.

use bench::supervisor::key_of;
use hmac::{Hmac, KeyInit, Mac};
use mesh::time::Clock;
use rust_decimal::Decimal;
use serde_json::Value;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::error::Error;

/// What one account has at the venue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    /// Its orders, by the venue's id.
    pub orders: BTreeMap<u64, Order>,
    /// Its trades, by symbol, trade and order.
    pub trades: BTreeMap<TradeKey, Trade>,
    /// What it holds of each asset, free and locked together; no zeros.
    pub balances: BTreeMap<String, Decimal>,
}

/// An order of the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The id that trading gave it.
    pub client_id: String,
    /// The symbol.
    pub symbol: String,
    /// The venue's word for its status.
    pub status: String,
    /// What is filled.
    pub executed: Decimal,
}

/// What a trade is known by.
pub type TradeKey = (String, i64);

/// A trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// The venue's id of the order; empty where only the platform's is known.
    pub order: String,
    /// Whether the account bought.
    pub is_buy: bool,
    /// The price.
    pub price: Decimal,
    /// The quantity.
    pub quantity: Decimal,
    /// The commission.
    pub fee: Decimal,
    /// What it is in.
    pub fee_asset: String,
}

/// A reader of the exchange.
#[derive(Debug, Clone)]
pub struct Venue {
    http: reqwest::Client,
    base: String,
    clock: Clock,
    /// Symbols with their base and quote assets.
    pub symbols: BTreeMap<String, (String, String)>,
}

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Entries of one page.
const PAGE: usize = 1_000;

impl Venue {
    /// Connects, and reads the symbols.
    ///
    /// # Errors
    /// When the exchange does not answer as it should.
    pub async fn open(base: &str) -> Outcome<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let info: Value = http
            .get(format!("{base}/api/v3/exchangeInfo"))
            .send()
            .await?
            .json()
            .await?;
        let symbols = info["symbols"].as_array().ok_or("no symbols")?.iter().map(|symbol| {
            let text = |name: &str| symbol[name].as_str().unwrap_or_default().to_owned();
            (text("symbol"), (text("baseAsset"), text("quoteAsset")))
        });
        Ok(Self {
            symbols: symbols.collect(),
            http,
            base: base.to_owned(),
            clock: Clock::system(),
        })
    }

    /// What an account holds, without its orders and trades.
    ///
    /// # Errors
    /// When the exchange refuses, or does not answer.
    pub async fn balances(&self, account: u32) -> Outcome<BTreeMap<String, Decimal>> {
        let answer = self.signed(account, "account", "omitZeroBalances=true").await?;
        let mut balances = BTreeMap::new();
        for balance in answer["balances"].as_array().ok_or("no balances")? {
            let total = decimal(&balance["free"])? + decimal(&balance["locked"])?;
            if !total.is_zero() {
                balances.insert(text(&balance["asset"]), total.normalize());
            }
        }
        Ok(balances)
    }

    /// The orders that an account has open, over all symbols: the id that trading gave each, and the venue's word for its
    /// status.
    ///
    /// # Errors
    /// When the exchange refuses, or does not answer.
    pub async fn open_orders(&self, account: u32) -> Outcome<BTreeMap<String, String>> {
        let answer = self.signed(account, "openOrders", "").await?;
        let open = answer.as_array().ok_or_else(|| format!("openOrders: {answer}"))?;
        let of = |order: &Value| (text(&order["clientOrderId"]), text(&order["status"]));
        Ok(open.iter().map(of).collect())
    }

    /// Everything that an account has.
    ///
    /// # Errors
    /// When the exchange refuses, or does not answer.
    pub async fn book(&self, account: u32) -> Outcome<Book> {
        let mut book = Book {
            balances: self.balances(account).await?,
            ..Book::default()
        };
        for symbol in self.symbols.keys() {
            for order in self.pages(account, "allOrders", symbol, "orderId", "orderId").await? {
                let id = order["orderId"].as_u64().ok_or("an order has an id")?;
                let order = Order {
                    client_id: text(&order["clientOrderId"]),
                    symbol: symbol.clone(),
                    status: text(&order["status"]),
                    executed: decimal(&order["executedQty"])?.normalize(),
                };
                book.orders.insert(id, order);
            }
            for trade in self.pages(account, "myTrades", symbol, "fromId", "id").await? {
                let id = trade["id"].as_i64().ok_or("a trade has an id")?;
                let trade = Trade {
                    order: trade["orderId"].to_string(),
                    is_buy: trade["isBuyer"] == true,
                    price: decimal(&trade["price"])?.normalize(),
                    quantity: decimal(&trade["qty"])?.normalize(),
                    fee: decimal(&trade["commission"])?.normalize(),
                    fee_asset: text(&trade["commissionAsset"]),
                };
                if book.trades.insert((symbol.clone(), id), trade).is_some() {
                    return Err(format!("the exchange lists trade {symbol} {id} of one account twice").into());
                }
            }
        }
        Ok(book)
    }

    /// All pages of a list, from id 0 on.
    async fn pages(&self, account: u32, what: &str, symbol: &str, from: &str, id: &str) -> Outcome<Vec<Value>> {
        let mut all: Vec<Value> = Vec::new();
        let mut next = 0;
        loop {
            let query = format!("symbol={symbol}&limit={PAGE}&{from}={next}");
            let answer = self.signed(account, what, &query).await?;
            let page = answer.as_array().ok_or_else(|| format!("{what}: {answer}"))?;
            next = page.last().and_then(|last| last[id].as_i64()).unwrap_or_default() + 1;
            all.extend_from_slice(page);
            if page.len() < PAGE {
                return Ok(all);
            }
        }
    }

    async fn signed(&self, account: u32, what: &str, query: &str) -> Outcome<Value> {
        let (api_key, secret) = key_of(account);
        let separator = if query.is_empty() { "" } else { "&" };
        let now = self.clock.now_millis();
        let payload = format!("{query}{separator}recvWindow=60000&timestamp={now}");
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
        mac.update(payload.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let url = format!("{}/api/v3/{what}?{payload}&signature={signature}", self.base);
        let response = self.http.get(url).header("X-MBX-APIKEY", api_key).send().await?;
        let status = response.status();
        let body = response.text().await?;
        if !status.is_success() {
            return Err(format!("{what} of paper-{account}: {status} {body}").into());
        }
        Ok(serde_json::from_str(&body)?)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A decimal of an answer.
///
/// # Errors
/// When it is none.
pub fn decimal(value: &Value) -> Outcome<Decimal> {
    let text = value.as_str().ok_or_else(|| format!("{value} is no decimal"))?;
    Ok(text.parse::<Decimal>().map_err(|error| format!("{text}: {error}"))?)
}
