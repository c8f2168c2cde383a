//! Which part of a history is asked for: its span of time, and how much of it one answer holds.

use super::params::Params;
use crate::error::ApiError;
use crate::wire::millis;

/// Entries that one page holds at most.
pub(super) const MOST: usize = 1_000;

/// Longest span of `startTime` to `endTime`, in milliseconds.
const LONGEST_SPAN: i64 = 86_400_000;

/// `startTime` and `endTime`, at most a day apart.
pub(super) fn span(params: &Params) -> Result<(Option<i64>, Option<i64>), ApiError> {
    let (start, end) = (params.number("startTime")?, params.number("endTime")?);
    if let (Some(start), Some(end)) = (start, end)
        && end.saturating_sub(start) > LONGEST_SPAN
    {
        return Err(ApiError::bad(
            -1127,
            "More than 24 hours between startTime and endTime.",
        ));
    }
    Ok((start, end))
}

pub(super) fn within((start, end): (Option<i64>, Option<i64>), micros: i64) -> bool {
    let time = millis(micros);
    start.is_none_or(|start| time >= start) && end.is_none_or(|end| time <= end)
}

/// From a start forwards the first `limit`, else the latest.
pub(super) fn page<T>(all: Vec<T>, forwards: bool, limit: usize) -> impl Iterator<Item = T> {
    let skipped = if forwards { 0 } else { all.len().saturating_sub(limit) };
    all.into_iter().skip(skipped).take(limit)
}
