//! Points in time, as handed in by whoever has a clock.

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros)
    }

    /// From milliseconds since the Unix epoch; beyond ±292,000 years the nearest end.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis.saturating_mul(1_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This time and `micros` more (less when negative); the nearest end where that overflows.
    pub const fn plus_micros(self, micros: i64) -> Self {
        Timestamp(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this time; negative when `earlier` is later.
    pub const fn micros_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}us", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn units_convert_both_ways_and_saturate() {
        let time = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(time.as_micros(), 1_700_000_000_123_000);
        assert_eq!(time.plus_micros(999).as_millis(), 1_700_000_000_123);
        assert_eq!(Timestamp::from_micros(-1).as_millis(), -1);
        assert_eq!(Timestamp::from_millis(i64::MAX).as_micros(), i64::MAX);
        assert_eq!(Timestamp::from_micros(i64::MAX).plus_micros(1).as_micros(), i64::MAX);
        assert_eq!(time.plus_micros(5).micros_since(time), 5);
        assert_eq!(Timestamp::EPOCH.to_string(), "0us");
        assert_eq!(Timestamp::default(), Timestamp::EPOCH);
    }
}
