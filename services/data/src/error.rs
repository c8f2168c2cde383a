//! The refusals of market data, and what the venue's failures are called.

use crate::binance::messages::Refusal;
use mesh::Error;
use std::time::Duration;

/// A symbol that the platform does not follow.
pub fn unknown_symbol(symbol: &str) -> Error {
    Error::not_found("UNKNOWN_SYMBOL", "no such symbol is followed").with("symbol", symbol)
}

/// Nothing is known yet: the venue has not answered since the start.
pub fn not_loaded() -> Error {
    Error::unavailable("INSTRUMENTS_NOT_LOADED", "the venue's instruments are not loaded yet")
        .retry_after(Duration::from_secs(1))
}

/// The venue could not be reached.
pub fn venue_unreachable(failure: reqwest::Error) -> Error {
    Error::unavailable("VENUE_UNREACHABLE", failure.without_url().to_string())
}

/// The venue's answer is not what it should be.
pub fn venue_answer(path: &str, failure: &serde_json::Error) -> Error {
    let path = path.split('?').next().unwrap_or(path);
    Error::unavailable("VENUE_ANSWER_UNREADABLE", failure.to_string()).with("path", path)
}

/// The venue said that its limits are reached.
pub fn venue_limit(status: u16, wait: Duration) -> Error {
    Error::exhausted("VENUE_LIMIT", "the venue's request limit is reached")
        .with("status", status)
        .retry_after(wait)
}

/// The venue said no.
pub fn venue_refused(status: u16, refusal: Option<Refusal>) -> Error {
    let (code, message) = refusal.map_or((0, "no reason given".to_owned()), |refusal| (refusal.code, refusal.msg));
    let error = if status >= 500 {
        Error::unavailable("VENUE_FAILED", message)
    } else {
        Error::refused("VENUE_REFUSED", message)
    };
    error.with("status", status).with("code", code)
}
