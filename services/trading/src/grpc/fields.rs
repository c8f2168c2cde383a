//! Requests field by field: whatever is wrong is named before a shard hears of it. What a single field may be is stated in
//! the proto and checked before this; here is what depends on another field.

use crate::codec::scope_of;
use crate::core::{HaltScope, OrderMatch, SessionId};
use domain::{AccountId, StrategyId, Symbol, Venue};
use mesh::{Error, Result};
use std::fmt::Display;
use std::str::FromStr;

/// The refusal of a field.
pub(super) fn invalid(field: &'static str, why: impl Display) -> Error {
    Error::invalid("INVALID_FIELD", format!("{field}: {why}")).with("field", field)
}

/// The refusal of a field that does not go with the others.
pub(super) fn mismatch(field: impl Display, why: impl Display) -> Error {
    Error::refused("FIELD_COMBINATION", format!("{field}: {why}")).with("field", field)
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

/// What a halt covers.
pub(super) fn halt_target(scope: i32, target: &str) -> Result<HaltScope> {
    let scope = scope_of(scope).ok_or_else(|| invalid("scope", "not a known scope"))?;
    match scope {
        HaltScope::Global if !target.is_empty() => return Err(mismatch("target", "a global halt takes none")),
        HaltScope::Global => {}
        HaltScope::Account => names::<AccountId>(target)?,
        HaltScope::Symbol => names::<Symbol>(target)?,
        HaltScope::Venue => names::<Venue>(target)?,
        HaltScope::Strategy => names::<StrategyId>(target)?,
    }
    Ok(scope)
}

/// Whether a target has the form that its scope asks for.
fn names<T: FromStr<Err: Display>>(target: &str) -> Result<()> {
    let named = target.parse::<T>();
    named.map(drop).map_err(|error| mismatch("target", error))
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

/// The grace period when none is asked for, in milliseconds.
const USUAL_GRACE_MS: i32 = 5_000;

/// A session's grace period, in microseconds.
pub(super) fn grace_micros(millis: i32) -> i64 {
    let millis = if millis == 0 { USUAL_GRACE_MS } else { millis };
    i64::from(millis) * 1_000
}
