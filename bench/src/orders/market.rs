//! The instruments and their quotes, and valid orders made from them.

use super::client::Rest;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long every quote may take to be live.
const PATIENCE: Duration = Duration::from_secs(60);
/// How far from the best price resting limits are, in hundredths of a per cent.
const AWAY: std::ops::RangeInclusive<i64> = 200..=400;
/// An order's worth, as a multiple of the least that the venue takes.
const WORTH: i64 = 2;

#[derive(Debug)]
struct Instrument {
    symbol: String,
    tick: Decimal,
    lot: Decimal,
    min_quantity: Decimal,
    min_notional: Decimal,
}

#[derive(Debug, Clone, Copy)]
struct Quote {
    bid: Decimal,
    ask: Decimal,
}

/// All symbols.
#[derive(Debug)]
pub struct Market {
    instruments: Vec<Instrument>,
    quotes: Mutex<Vec<Quote>>,
}

impl Market {
    /// Reads the instruments and waits until all quotes are live.
    ///
    /// # Errors
    /// When they cannot be read, or not in time.
    pub async fn live(rest: &Rest) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let answer = rest.get("/v1/instruments?pageSize=1000").await;
        let list = answer.body["instruments"].as_array().ok_or_else(|| answer.error())?;
        let mut instruments = list
            .iter()
            .map(instrument)
            .collect::<Option<Vec<_>>>()
            .ok_or("an instrument is not understood")?;
        instruments.sort_by(|one, other| one.symbol.cmp(&other.symbol));
        let market = Self {
            instruments,
            quotes: Mutex::new(Vec::new()),
        };
        let begun = Instant::now();
        while !market.refresh(rest).await {
            if begun.elapsed() > PATIENCE {
                return Err("not every quote is live".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(market)
    }

    /// Reads the quotes again; whether all of them are live. Otherwise the old ones stay.
    pub async fn refresh(&self, rest: &Rest) -> bool {
        let answer = rest.get("/v1/quotes").await;
        let mut list: Vec<&Value> = answer.body["quotes"].as_array().into_iter().flatten().collect();
        list.sort_by_key(|quote| quote["symbol"].as_str());
        let is_same = list.iter().map(|quote| quote["symbol"].as_str().unwrap_or_default());
        if !is_same.eq(self.instruments.iter().map(|one| one.symbol.as_str())) {
            return false;
        }
        let Some(quotes) = list.into_iter().map(quote).collect::<Option<Vec<_>>>() else {
            return false;
        };
        *self.quotes.lock().expect("no holder panics") = quotes;
        true
    }

    /// A limit order that rests, away from the best price.
    pub(super) fn resting(&self, id: &str, chance: &mut ChaCha8Rng) -> Value {
        let (instrument, quote) = self.pick(chance);
        let away = Decimal::new(chance.random_range(AWAY), 4);
        let is_buy = chance.random_range(0..2) == 0;
        let (side, price) = if is_buy {
            (
                "SIDE_BUY",
                (quote.bid * (Decimal::ONE - away) / instrument.tick).floor() * instrument.tick,
            )
        } else {
            (
                "SIDE_SELL",
                (quote.ask * (Decimal::ONE + away) / instrument.tick).ceil() * instrument.tick,
            )
        };
        json!({
            "clientOrderId": id, "symbol": instrument.symbol, "side": side, "type": "ORDER_TYPE_LIMIT",
            "timeInForce": "TIME_IN_FORCE_GTC", "price": text(price), "quantity": text(instrument.quantity(price)),
        })
    }

    /// A market order.
    pub(super) fn marketable(&self, id: &str, chance: &mut ChaCha8Rng) -> Value {
        let (instrument, quote) = self.pick(chance);
        let side = if chance.random_range(0..2) == 0 {
            "SIDE_BUY"
        } else {
            "SIDE_SELL"
        };
        json!({
            "clientOrderId": id, "symbol": instrument.symbol, "side": side, "type": "ORDER_TYPE_MARKET",
            "quantity": text(instrument.quantity(quote.bid)),
        })
    }

    fn pick(&self, chance: &mut ChaCha8Rng) -> (&Instrument, Quote) {
        let index = chance.random_range(0..self.instruments.len());
        (
            &self.instruments[index],
            self.quotes.lock().expect("no holder panics")[index],
        )
    }
}

impl Instrument {
    /// A small valid quantity at a price.
    fn quantity(&self, price: Decimal) -> Decimal {
        let wanted = self.min_notional * Decimal::from(WORTH) / price;
        (wanted.max(self.min_quantity) / self.lot).ceil() * self.lot
    }
}

fn text(number: Decimal) -> String {
    number.normalize().to_string()
}

fn decimal(value: &Value) -> Option<Decimal> {
    value.as_str()?.parse().ok()
}

fn instrument(value: &Value) -> Option<Instrument> {
    Some(Instrument {
        symbol: value["symbol"].as_str()?.to_owned(),
        tick: decimal(&value["tickSize"])?,
        lot: decimal(&value["lotSize"])?,
        min_quantity: decimal(&value["minQuantity"])?,
        min_notional: decimal(&value["minNotional"])?,
    })
}

fn quote(value: &Value) -> Option<Quote> {
    if value["state"] != "BOOK_STATE_LIVE" {
        return None;
    }
    Some(Quote {
        bid: decimal(&value["bid"]["price"])?,
        ask: decimal(&value["ask"]["price"])?,
    })
}
