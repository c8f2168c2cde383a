//! Requests to the venue, each within the weight budget.

use super::messages::{DepthAnswer, ExchangeInfo, Kline, Refusal, ServerTime};
use crate::core::budget::WeightBudget;
use crate::core::sync::Snapshot;
use crate::error;
use domain::{Bar, Interval, Symbol, Timestamp};
use mesh::time::Clock;
use parking_lot::Mutex;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use std::time::Duration;

const INFO_WEIGHT: u32 = 20;
const TIME_WEIGHT: u32 = 1;
const KLINES_WEIGHT: u32 = 2;

/// When the venue refuses without naming a time.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Longer answers are refused: `exchangeInfo` of every market of the largest venue is about a third of it.
const MAX_ANSWER: usize = 64 << 20;

/// What a depth request of `limit` levels costs, by Binance's table.
pub fn depth_weight(limit: usize) -> u32 {
    match limit {
        0..=100 => 5,
        101..=500 => 25,
        501..=1_000 => 50,
        _ => 250,
    }
}

/// The venue's REST API.
pub struct Rest {
    http: reqwest::Client,
    base: String,
    budget: Mutex<WeightBudget>,
    clock: Clock,
}

impl Rest {
    /// A client of the API at `base`, for example `https://api.binance.com`.
    pub fn new(base: &str, timeout: Duration, budget: WeightBudget, clock: Clock) -> mesh::Result<Self> {
        // Fails only when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .build()
            .map_err(|failure| mesh::Error::internal("HTTP_CLIENT", failure.to_string()))?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            budget: Mutex::new(budget),
            clock,
        })
    }

    /// The markets and limits; of `symbols` only, unless that is empty.
    pub async fn exchange_info(&self, symbols: &[String]) -> mesh::Result<ExchangeInfo> {
        let names: Vec<String> = symbols.iter().map(|symbol| format!("%22{symbol}%22")).collect();
        let query = if names.is_empty() {
            String::new()
        } else {
            format!("?symbols=%5B{}%5D", names.join(","))
        };
        let info: ExchangeInfo = self.get(&format!("/api/v3/exchangeInfo{query}"), INFO_WEIGHT).await?;
        if let Some(limit) = info.weight_limit() {
            self.budget.lock().set_rate(limit, self.clock.monotonic());
        }
        Ok(info)
    }

    /// The venue's clock.
    pub async fn server_time(&self) -> mesh::Result<Timestamp> {
        let answer: ServerTime = self.get("/api/v3/time", TIME_WEIGHT).await?;
        Ok(Timestamp::from_millis(answer.server_time))
    }

    /// The book of a symbol, at most `limit` levels a side.
    pub async fn depth(&self, symbol: &Symbol, limit: usize) -> mesh::Result<Snapshot> {
        let path = format!("/api/v3/depth?symbol={symbol}&limit={limit}");
        let answer: DepthAnswer = self.get(&path, depth_weight(limit)).await?;
        Ok(answer.snapshot(limit))
    }

    /// The `limit` latest klines that closed before `end`, oldest first.
    pub async fn klines(
        &self,
        symbol: &Symbol,
        interval: Interval,
        end: Timestamp,
        limit: usize,
    ) -> mesh::Result<Vec<Bar>> {
        let last = end.as_millis() - 1;
        let path = format!("/api/v3/klines?symbol={symbol}&interval={interval}&endTime={last}&limit={limit}");
        let rows: Vec<Kline> = self.get(&path, KLINES_WEIGHT).await?;
        let bars = rows.into_iter().map(|row| row.closed_bar(symbol, interval));
        Ok(bars.filter(|bar| bar.close_time < end).collect())
    }

    /// The part of the weight budget that is left, 0 to 1.
    pub fn budget_level(&self) -> f64 {
        self.budget.lock().level(self.clock.monotonic())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, weight: u32) -> mesh::Result<T> {
        loop {
            let taken = self.budget.lock().take(weight, self.clock.monotonic());
            match taken {
                Ok(()) => break,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
        let url = format!("{}{path}", self.base);
        let response = self.http.get(url).send().await.map_err(error::venue_unreachable)?;
        self.observe(response.headers());
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(status, response).await);
        }
        let body = bounded_body(response).await?;
        serde_json::from_slice(&body).map_err(|failure| error::venue_answer(path, &failure))
    }

    fn observe(&self, headers: &HeaderMap) {
        if let Some(used) = number(headers, "x-mbx-used-weight-1m") {
            let used = u32::try_from(used).unwrap_or(u32::MAX);
            self.budget.lock().observe_used(used, self.clock.monotonic());
        }
    }

    async fn refusal(&self, status: StatusCode, response: Response) -> mesh::Error {
        if matches!(status.as_u16(), 429 | 418) {
            let wait = number(response.headers(), "retry-after").map_or(DEFAULT_RETRY_AFTER, Duration::from_secs);
            self.budget.lock().close_for(wait, self.clock.monotonic());
            metrics::counter!("data_venue_limited_total").increment(1);
            return error::venue_limit(status.as_u16(), wait);
        }
        let body = bounded_body(response).await.unwrap_or_default();
        error::venue_refused(status.as_u16(), serde_json::from_slice::<Refusal>(&body).ok())
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

async fn bounded_body(mut response: Response) -> mesh::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(error::venue_unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(mesh::Error::unavailable(
                "VENUE_ANSWER_TOO_LONG",
                "the venue's answer is too long",
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
