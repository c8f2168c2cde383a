//! Requests field by field: whatever is wrong is named before a shard hears of it.

use crate::codec::scope_of;
use crate::core::{HaltScope, OrderMatch, SessionId};
use domain::{AccountId, StrategyId, Symbol, Venue};
use mesh::{Error, Result};
use std::fmt::Display;
use std::str::FromStr;

/// The longest reason of a halt and the longest request id, in bytes.
const LONGEST_TEXT: usize = 256;

/// The refusal of a field.
pub(super) fn invalid(field: &'static str, why: impl Display) -> Error {
    Error::invalid("INVALID_FIELD", format!("{field}: {why}")).with("field", field)
}

/// A field that parses.
pub(super) fn parse<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|error| invalid(field, error))
}

/// A field that may be empty.
pub(super) fn optional<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<Option<T>> {
    if text.is_empty() {
        Ok(None)
    } else {
        parse(field, text).map(Some)
    }
}

/// A text for people or a request id.
pub(super) fn text(field: &'static str, text: String) -> Result<String> {
    if text.len() > LONGEST_TEXT {
        return Err(invalid(field, format!("longer than {LONGEST_TEXT} bytes")));
    }
    Ok(text)
}

/// What a halt covers.
pub(super) fn halt_target(scope: i32, target: &str) -> Result<HaltScope> {
    let scope = scope_of(scope).ok_or_else(|| invalid("scope", "not a known scope"))?;
    match scope {
        HaltScope::Global if !target.is_empty() => return Err(invalid("target", "a global halt takes none")),
        HaltScope::Global => {}
        HaltScope::Account => drop(parse::<AccountId>("target", target)?),
        HaltScope::Symbol => drop(parse::<Symbol>("target", target)?),
        HaltScope::Venue => drop(parse::<Venue>("target", target)?),
        HaltScope::Strategy => drop(parse::<StrategyId>("target", target)?),
    }
    Ok(scope)
}

/// Which orders of an account are meant.
pub(super) fn order_match(symbol: &str, strategy: &str) -> Result<OrderMatch> {
    Ok(OrderMatch {
        symbol: optional("symbol", symbol)?,
        strategy: optional("strategy", strategy)?,
    })
}

/// A session's id.
pub(super) fn session_id(text: &str) -> Result<SessionId> {
    parse("session_id", text)
}

/// The grace period when none is asked for, and the longest, in milliseconds.
const GRACE_MS: (i32, i32) = (5_000, 60_000);

/// A session's grace period, in microseconds.
pub(super) fn grace_micros(millis: i32) -> Result<i64> {
    let (usual, longest) = GRACE_MS;
    match millis {
        0 => Ok(i64::from(usual) * 1_000),
        millis if (1..=longest).contains(&millis) => Ok(i64::from(millis) * 1_000),
        _ => Err(invalid("grace_ms", format!("not within 0 to {longest}"))),
    }
}
