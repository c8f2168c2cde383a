//! The answers of Binance's REST API that market data reads.

use crate::core::budget::RateLimit;
use crate::core::sync::{PricedQuantity, Snapshot};
use domain::{Asset, Bar, Instrument, InstrumentStatus, Interval, Money, Price, Quantity, Symbol, Timestamp};
use serde::Deserialize;
use std::time::Duration;

/// `exchangeInfo`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExchangeInfo {
    /// The venue's limits.
    #[serde(default)]
    pub rate_limits: Vec<RateLimitInfo>,
    /// The markets.
    pub symbols: Vec<SymbolInfo>,
}

/// One limit of the venue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimitInfo {
    rate_limit_type: String,
    interval: String,
    interval_num: u32,
    limit: u32,
}

/// One market.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolInfo {
    /// Its name.
    pub symbol: String,
    status: String,
    base_asset: String,
    quote_asset: String,
    #[serde(default)]
    filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    filter_type: String,
    tick_size: Option<String>,
    max_price: Option<String>,
    step_size: Option<String>,
    min_qty: Option<String>,
    max_qty: Option<String>,
    min_notional: Option<String>,
}

impl ExchangeInfo {
    /// The limit of request weight, where the venue states one.
    pub fn weight_limit(&self) -> Option<RateLimit> {
        let stated = self
            .rate_limits
            .iter()
            .find(|limit| limit.rate_limit_type == "REQUEST_WEIGHT")?;
        let seconds = match stated.interval.as_str() {
            "SECOND" => 1,
            "MINUTE" => 60,
            "HOUR" => 3_600,
            "DAY" => 86_400,
            _ => return None,
        };
        let window = Duration::from_secs(seconds * u64::from(stated.interval_num.max(1)));
        Some(RateLimit {
            limit: stated.limit,
            window,
        })
    }
}

impl SymbolInfo {
    /// The instrument, or which of its rules cannot be read.
    pub fn instrument(&self) -> Result<Instrument, String> {
        let price = |filter: &str, field: &'static str, pick: fn(&Filter) -> &Option<String>| {
            self.filter(filter, field, pick)?
                .parse::<Price>()
                .map_err(|error| format!("{field}: {error}"))
        };
        let quantity = |field: &'static str, pick: fn(&Filter) -> &Option<String>| {
            self.filter("LOT_SIZE", field, pick)?
                .parse::<Quantity>()
                .map_err(|error| format!("{field}: {error}"))
        };
        let min_notional = match self.notional() {
            Some(text) => text.parse().map_err(|error| format!("minNotional: {error}"))?,
            None => Money::ZERO,
        };
        let name = |error: domain::IdError| error.to_string();
        let instrument = Instrument {
            symbol: Symbol::parse(&self.symbol).map_err(name)?,
            base: Asset::parse(&self.base_asset).map_err(name)?,
            quote: Asset::parse(&self.quote_asset).map_err(name)?,
            tick_size: price("PRICE_FILTER", "tickSize", |filter| &filter.tick_size)?,
            max_price: price("PRICE_FILTER", "maxPrice", |filter| &filter.max_price)?,
            lot_size: quantity("stepSize", |filter| &filter.step_size)?,
            min_quantity: quantity("minQty", |filter| &filter.min_qty)?,
            max_quantity: quantity("maxQty", |filter| &filter.max_qty)?,
            min_notional,
            status: if self.is_trading() {
                InstrumentStatus::Trading
            } else {
                InstrumentStatus::Halted
            },
        };
        instrument.validate().map_err(|fault| fault.to_string())?;
        Ok(instrument)
    }

    /// Whether the venue takes orders for it.
    pub fn is_trading(&self) -> bool {
        self.status == "TRADING"
    }

    fn notional(&self) -> Option<&str> {
        let named = |name: &str| self.filters.iter().find(|filter| filter.filter_type == name);
        named("NOTIONAL")
            .or_else(|| named("MIN_NOTIONAL"))?
            .min_notional
            .as_deref()
    }

    fn filter(&self, kind: &str, field: &'static str, pick: fn(&Filter) -> &Option<String>) -> Result<&str, String> {
        let filter = self.filters.iter().find(|filter| filter.filter_type == kind);
        filter
            .and_then(|filter| pick(filter).as_deref())
            .ok_or_else(|| format!("{field} of {kind} is missing"))
    }
}

/// The answer to `time`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerTime {
    /// Milliseconds since the Unix epoch.
    pub server_time: i64,
}

/// The answer to `depth`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepthAnswer {
    last_update_id: i64,
    bids: Vec<PricedQuantity>,
    asks: Vec<PricedQuantity>,
}

impl DepthAnswer {
    /// The snapshot, which was asked for with `limit` levels a side.
    pub fn snapshot(self, limit: usize) -> Snapshot {
        Snapshot {
            last_id: self.last_update_id,
            limit,
            bids: self.bids,
            asks: self.asks,
        }
    }
}

/// One row of `klines`.
#[derive(Debug, Deserialize)]
pub struct Kline(
    i64,
    Price,
    Price,
    Price,
    Price,
    Quantity,
    #[allow(dead_code)] i64,
    Money,
    u64,
    Quantity,
    Money,
    #[allow(dead_code)] serde::de::IgnoredAny,
);

impl Kline {
    /// The bar of a kline that was over when it was fetched.
    pub fn closed_bar(self, symbol: &Symbol, interval: Interval) -> Bar {
        let open_time = Timestamp::from_millis(self.0);
        Bar {
            symbol: symbol.clone(),
            interval,
            open_time,
            close_time: interval.close_time(open_time),
            open: self.1,
            high: self.2,
            low: self.3,
            close: self.4,
            volume: self.5,
            quote_volume: self.7,
            trades: self.8,
            taker_buy_volume: self.9,
            taker_buy_quote_volume: self.10,
            closed: true,
        }
    }
}

/// How Binance says no.
#[derive(Debug, Deserialize)]
pub struct Refusal {
    /// Its number for the reason.
    pub code: i64,
    /// The reason.
    pub msg: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(filters: &str) -> SymbolInfo {
        let text = format!(
            r#"{{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{filters}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    const PRICE: &str = r#"{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000.00","tickSize":"0.01"}"#;
    const LOT: &str = r#"{"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000.0","stepSize":"0.00001"}"#;

    #[test]
    fn filters_become_rules() {
        let notional = r#"{"filterType":"NOTIONAL","minNotional":"5.00000000"}"#;
        let instrument = info(&[PRICE, LOT, notional].join(",")).instrument().unwrap();
        assert_eq!(instrument.tick_size.to_string(), "0.01");
        assert_eq!(instrument.lot_size.to_string(), "0.00001");
        assert_eq!(instrument.min_notional.to_string(), "5");
        assert_eq!(instrument.status, InstrumentStatus::Trading);
        let old = r#"{"filterType":"MIN_NOTIONAL","minNotional":"10"}"#;
        assert_eq!(
            info(&[PRICE, LOT, old].join(","))
                .instrument()
                .unwrap()
                .min_notional
                .to_string(),
            "10"
        );
        assert_eq!(
            info(&[PRICE, LOT].join(",")).instrument().unwrap().min_notional,
            Money::ZERO
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(
            info(LOT).instrument().unwrap_err(),
            "tickSize of PRICE_FILTER is missing"
        );
        assert_eq!(info(PRICE).instrument().unwrap_err(), "stepSize of LOT_SIZE is missing");
        let odd = PRICE.replace("\"0.01\"}", "\"0\"}");
        assert!(
            info(&[&odd, LOT].join(","))
                .instrument()
                .unwrap_err()
                .starts_with("tickSize: ")
        );
        let mut named = info(&[PRICE, LOT].join(","));
        named.symbol = "btc/usdt".to_owned();
        assert!(named.instrument().unwrap_err().contains("not a valid symbol"));
    }

    #[test]
    fn the_weight_limit_is_found() {
        let with = |interval: &str| -> Option<RateLimit> {
            let text = format!(
                r#"{{"rateLimits":[{{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":9}},
                {{"rateLimitType":"REQUEST_WEIGHT","interval":"{interval}","intervalNum":2,"limit":6000}}],"symbols":[]}}"#
            );
            serde_json::from_str::<ExchangeInfo>(&text).unwrap().weight_limit()
        };
        for (interval, seconds) in [("SECOND", 2), ("MINUTE", 120), ("HOUR", 7_200), ("DAY", 172_800)] {
            assert_eq!(
                with(interval),
                Some(RateLimit {
                    limit: 6_000,
                    window: Duration::from_secs(seconds)
                })
            );
        }
        assert_eq!(with("FORTNIGHT"), None);
    }
}
