//! Deadlines: how long a caller still waits, carried from call to call.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The header that carries the time left (gRPC over HTTP/2, "Timeout").
pub const TIMEOUT_HEADER: &str = "grpc-timeout";

/// The bounds of a call's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadlineConfig {
    /// The time of a unary call whose caller states none, in milliseconds. Streams have none unless they state it.
    pub default_ms: u64,
    /// The most that a caller may ask for, in milliseconds.
    pub max_ms: u64,
}

impl Default for DeadlineConfig {
    fn default() -> Self {
        DeadlineConfig {
            default_ms: 10_000,
            max_ms: 60_000,
        }
    }
}

impl DeadlineConfig {
    /// The time that a call gets. A stream's own timeout is taken as stated; without one it is unbounded.
    pub fn allowed(&self, stated: Option<Duration>, streaming: bool) -> Option<Duration> {
        match (stated, streaming) {
            (Some(stated), true) => Some(stated),
            (None, true) => None,
            (Some(stated), false) => Some(stated.min(Duration::from_millis(self.max_ms))),
            (None, false) => Some(Duration::from_millis(self.default_ms)),
        }
    }
}

tokio::task_local! {
    static CURRENT: Option<Instant>;
}

/// When the running call must have been answered; none outside a call.
pub fn current() -> Option<Instant> {
    CURRENT.try_with(|deadline| *deadline).ok().flatten()
}

/// Runs a future under a deadline that the calls it makes will carry. It does not end the future.
pub fn with<F: Future>(deadline: Option<Instant>, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(deadline, future)
}

/// Runs a closure under a deadline.
pub(crate) fn with_sync<T>(deadline: Option<Instant>, run: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(deadline, run)
}

/// Reads a `grpc-timeout`: at most eight digits and a unit of `H`, `M`, `S`, `m`, `u`, `n`.
pub fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let well_formed = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !well_formed {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// Writes a `grpc-timeout` in the finest unit that fits eight digits, rounded down.
pub fn format(left: Duration) -> String {
    const MOST: u128 = 99_999_999;
    let units = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (u128::from(left.as_secs()), 'S'),
        (u128::from(left.as_secs() / 60), 'M'),
    ];
    let fitting = units.into_iter().find(|(value, _)| *value <= MOST);
    let (value, unit) = fitting.unwrap_or((u128::from(left.as_secs() / 3600).min(MOST), 'H'));
    format!("{value}{unit}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{DeadlineConfig, current, format, parse, with, with_sync};

    #[test]
    fn timeouts_read_as_the_protocol_says() {
        let cases = [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("0S", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("123456789S", None),
            ("1s", None),
            ("-1S", None),
            ("1.5S", None),
            ("1é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn timeouts_are_written_in_the_finest_unit_that_fits() {
        let cases = [
            (Duration::ZERO, "0n"),
            (Duration::from_millis(5), "5000000n"),
            (Duration::from_secs(10), "10000000u"),
            (Duration::from_secs(3600), "3600000m"),
            (Duration::from_secs(99_999_999), "99999999S"),
            (Duration::from_secs(100_000_000), "1666666M"),
            (Duration::from_secs(60 * 100_000_000), "1666666H"),
            (Duration::MAX, "99999999H"),
        ];
        for (left, expected) in cases {
            assert_eq!(format(left), expected);
            assert!(parse(expected).unwrap() <= left);
        }
    }

    #[test]
    fn a_call_gets_what_it_asks_for_within_the_bounds() {
        let config = DeadlineConfig {
            default_ms: 100,
            max_ms: 1_000,
        };
        let ms = Duration::from_millis;
        let cases = [
            (None, false, Some(ms(100))),
            (Some(ms(50)), false, Some(ms(50))),
            (Some(ms(5_000)), false, Some(ms(1_000))),
            (None, true, None),
            (Some(ms(5_000)), true, Some(ms(5_000))),
        ];
        for (stated, streaming, expected) in cases {
            assert_eq!(config.allowed(stated, streaming), expected);
        }
    }

    #[tokio::test]
    async fn the_deadline_is_known_only_inside_its_scope() {
        let deadline = Some(Instant::now());
        assert_eq!(current(), None);
        assert_eq!(with(deadline, async { current() }).await, deadline);
        assert_eq!(with_sync(deadline, current), deadline);
    }
}
