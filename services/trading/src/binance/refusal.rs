//! What the venue's answers that are no success mean for an order.

use super::wire::ErrorBody;
use crate::venue::VenueError;
use std::time::Duration;

/// How long a venue that limits and does not say until when is left alone.
const WITHOUT_WORD: Duration = Duration::from_secs(1);

/// What an answer that is no success means. The codes are Binance's, from its page "Error codes"; they are negative, and
/// only an answer that carries one is the venue's own refusal. Whatever else stands between (a redirect, a proxy's page)
/// does not know what became of the request.
pub(super) fn refusal(status: u16, retry_after: Option<Duration>, body: &[u8]) -> VenueError {
    let parsed = serde_json::from_slice::<ErrorBody>(body).ok();
    let (code, message) = parsed.map_or((0, String::new()), |error| (error.code, error.msg));
    let wait = retry_after.unwrap_or(WITHOUT_WORD);
    match (status, code) {
        (..400, _) => VenueError::Unknown(format!("{status}: an answer that the venue's API does not give")),
        (418 | 429, _) | (_, -1003 | -1008 | -1015 | -1034) => VenueError::Limited(wait),
        // The request may have been carried out: a timeout inside the venue, or an answer that is not its own.
        (500.., _) | (_, 0.. | -1000 | -1001 | -1006 | -1007) => VenueError::Unknown(format!("{status}: {message}")),
        (_, -2013) => VenueError::NotFound,
        // It has an order under this id: an earlier attempt arrived after all.
        (_, -2010) if message.contains("Duplicate order") => VenueError::Unknown(message),
        (_, code) => VenueError::Rejected {
            reason: reason(code, &message),
            message,
        },
    }
}

/// Our code for a request whose time the venue refused.
pub(super) const VENUE_TIMESTAMP: &str = "VENUE_TIMESTAMP";

/// Our stable code for a refusal of the venue.
fn reason(code: i64, message: &str) -> String {
    let known = match code {
        -1013 => "VENUE_FILTER",
        -1021 => VENUE_TIMESTAMP,
        -1022 | -2014 | -2015 => "VENUE_KEY",
        -1121 => "VENUE_SYMBOL",
        -2010 if message.contains("insufficient balance") => "VENUE_BALANCE",
        -2010 if message.contains("immediately match") => "WOULD_TRADE_AT_ONCE",
        -2010 => "VENUE_ORDER_REJECTED",
        -2011 => "VENUE_CANCEL_REJECTED",
        code => return format!("VENUE_REFUSED_{}", code.unsigned_abs()),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::refusal;
    use crate::venue::VenueError;
    use std::time::Duration;

    #[test]
    fn refusals_say_what_is_certain() {
        let rejected = |reason: &str, message: &str| VenueError::Rejected {
            reason: reason.into(),
            message: message.into(),
        };
        let limited = |seconds| VenueError::Limited(Duration::from_secs(seconds));
        let unknown = |text: &str| VenueError::Unknown(text.into());
        for (status, retry, body, expected) in [
            (429, Some(7), "", limited(7)),
            (418, None, "<html>", limited(1)),
            (400, None, r#"{"code":-1015,"msg":"Too many new orders"}"#, limited(1)),
            (503, None, r#"{"code":-1008,"msg":"overloaded"}"#, limited(1)),
            (503, None, "Service Unavailable", unknown("503: ")),
            (
                400,
                None,
                r#"{"code":-1007,"msg":"Timeout waiting"}"#,
                unknown("400: Timeout waiting"),
            ),
            (
                400,
                None,
                r#"{"code":-2013,"msg":"Order does not exist."}"#,
                VenueError::NotFound,
            ),
            (
                400,
                None,
                r#"{"code":-2011,"msg":"Unknown order sent."}"#,
                rejected("VENUE_CANCEL_REJECTED", "Unknown order sent."),
            ),
            (
                400,
                None,
                r#"{"code":-1013,"msg":"Filter failure: LOT_SIZE"}"#,
                rejected("VENUE_FILTER", "Filter failure: LOT_SIZE"),
            ),
            (
                400,
                None,
                r#"{"code":-1021,"msg":"ahead"}"#,
                rejected("VENUE_TIMESTAMP", "ahead"),
            ),
            (
                401,
                None,
                r#"{"code":-2015,"msg":"Invalid API-key"}"#,
                rejected("VENUE_KEY", "Invalid API-key"),
            ),
            (
                400,
                None,
                r#"{"code":-1121,"msg":"Invalid symbol."}"#,
                rejected("VENUE_SYMBOL", "Invalid symbol."),
            ),
            (
                400,
                None,
                r#"{"code":-2010,"msg":"Account has insufficient balance for requested action."}"#,
                rejected(
                    "VENUE_BALANCE",
                    "Account has insufficient balance for requested action.",
                ),
            ),
            (
                400,
                None,
                r#"{"code":-2010,"msg":"Order would immediately match and take."}"#,
                rejected("WOULD_TRADE_AT_ONCE", "Order would immediately match and take."),
            ),
            (
                400,
                None,
                r#"{"code":-2010,"msg":"Duplicate order sent."}"#,
                unknown("Duplicate order sent."),
            ),
            (
                400,
                None,
                r#"{"code":-2010,"msg":"This symbol is not permitted."}"#,
                rejected("VENUE_ORDER_REJECTED", "This symbol is not permitted."),
            ),
            (400, None, r#"{"code":-1102}"#, rejected("VENUE_REFUSED_1102", "")),
            (
                302,
                None,
                r#"{"code":-2010,"msg":"Account has insufficient balance for requested action."}"#,
                unknown("302: an answer that the venue's API does not give"),
            ),
            (403, None, "<html>", unknown("403: ")),
            (
                404,
                None,
                r#"{"code":404,"msg":"no such page"}"#,
                unknown("404: no such page"),
            ),
        ] {
            let retry = retry.map(Duration::from_secs);
            assert_eq!(refusal(status, retry, body.as_bytes()), expected, "{status} {body}");
        }
    }
}
