//! `google.protobuf.Timestamp`, written as RFC 3339 in UTC ("Z") and read with any offset.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::ser::{Error as _, Serialize, Serializer};

const SECONDS_PER_DAY: i64 = 86_400;
/// 0001-01-01T00:00:00Z
const EARLIEST: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z
const LATEST: i64 = 253_402_300_799;

/// A moment: seconds and nanoseconds since the Unix epoch, from the year 1 to the year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Message)]
pub struct Timestamp {
    /// Seconds since the Unix epoch.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds within the second, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// A text or moment that is no timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time in RFC 3339 between the years 1 and 9999")]
pub struct TimestampError;

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp {
            seconds: micros.div_euclid(1_000_000),
            nanos: (micros.rem_euclid(1_000_000) * 1_000) as i32,
        }
    }

    /// Microseconds since the Unix epoch; parts of a microsecond are dropped. `None` when out of range.
    pub fn as_micros(&self) -> Option<i64> {
        self.is_valid()
            .then(|| self.seconds * 1_000_000 + i64::from(self.nanos / 1_000))
    }

    fn is_valid(&self) -> bool {
        (EARLIEST..=LATEST).contains(&self.seconds) && (0..=999_999_999).contains(&self.nanos)
    }
}

impl From<Timestamp> for pbjson_types::Timestamp {
    fn from(time: Timestamp) -> Self {
        pbjson_types::Timestamp {
            seconds: time.seconds,
            nanos: time.nanos,
        }
    }
}

/// RFC 3339 with the fewest of 0, 3, 6 or 9 digits that lose nothing.
struct Rfc3339(Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timestamp { seconds, nanos } = self.0;
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        match nanos {
            0 => formatter.write_str("Z"),
            _ if nanos % 1_000_000 == 0 => write!(formatter, ".{:03}Z", nanos / 1_000_000),
            _ if nanos % 1_000 == 0 => write!(formatter, ".{:06}Z", nanos / 1_000),
            _ => write!(formatter, ".{nanos:09}Z"),
        }
    }
}

impl Timestamp {
    /// The text of the moment.
    ///
    /// # Errors
    /// When it is outside the years 1 to 9999.
    pub fn to_rfc3339(&self) -> Result<String, TimestampError> {
        if self.is_valid() {
            Ok(Rfc3339(*self).to_string())
        } else {
            Err(TimestampError)
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.as_bytes()).filter(Timestamp::is_valid).ok_or(TimestampError)
    }
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| date[at] != byte) || !date[10].eq_ignore_ascii_case(&b'T') {
        return None;
    }
    let (year, month, day) = (digits(&date[0..4])?, digits(&date[5..7])?, digits(&date[8..10])?);
    let (hour, minute, second) = (digits(&date[11..13])?, digits(&date[14..16])?, digits(&date[17..19])?);
    let in_range = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, zone) = fraction(rest)?;
    let days = days_from_civil(year, month, day);
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset(zone)?;
    Some(Timestamp { seconds, nanos })
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// The nanoseconds of ".123" and what follows them.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some(after) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let length = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let number = digits(&after[..length])? * 10_i64.pow(9 - length as u32);
    Some((i32::try_from(number).ok()?, &after[length..]))
}

/// The seconds that the zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let seconds = (hours <= 23 && minutes <= 59).then_some(hours * 3600 + minutes * 60)?;
            Some(if *sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, counting years from March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_valid() {
            serializer.collect_str(&Rfc3339(*self))
        } else {
            Err(S::Error::custom(TimestampError))
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a time in RFC 3339")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_writes_rfc3339() {
        let table = [
            ("1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"),
            ("1969-12-31T23:59:59.5Z", -1, 500_000_000, "1969-12-31T23:59:59.500Z"),
            (
                "2024-02-29t12:30:00.000001z",
                1_709_209_800,
                1_000,
                "2024-02-29T12:30:00.000001Z",
            ),
            ("2016-11-08T21:07:09+05:00", 1_478_621_229, 0, "2016-11-08T16:07:09Z"),
            (
                "2016-11-08T11:07:09.123456789-05:00",
                1_478_621_229,
                123_456_789,
                "2016-11-08T16:07:09.123456789Z",
            ),
            ("0001-01-01T00:00:00Z", EARLIEST, 0, "0001-01-01T00:00:00Z"),
            (
                "9999-12-31T23:59:59.999999999Z",
                LATEST,
                999_999_999,
                "9999-12-31T23:59:59.999999999Z",
            ),
        ];
        for (text, seconds, nanos, written) in table {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(time, Timestamp { seconds, nanos }, "{text}");
            assert_eq!(time.to_rfc3339().unwrap(), written);
            assert_eq!(serde_json::to_string(&time).unwrap(), format!("{written:?}"));
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        let table = [
            "",
            "now",
            "2024-01-01",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1234567890Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00+00:60",
            "2024-01-01 00:00:00Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "2024-01-01T00:00:0aZ",
            "2024-04-31T00:00:00Z",
            "1900-02-29T00:00:00Z",
        ];
        for text in table {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
        assert!(serde_json::from_str::<Timestamp>("5").is_err());
        assert!(serde_json::from_str::<Timestamp>("\"5\"").is_err());
    }

    #[test]
    fn a_moment_out_of_range_is_not_written() {
        let late = Timestamp {
            seconds: LATEST + 1,
            nanos: 0,
        };
        assert!(serde_json::to_string(&late).is_err());
        assert_eq!(late.to_rfc3339(), Err(TimestampError));
        assert_eq!(late.as_micros(), None);
        assert_eq!(Timestamp { seconds: 0, nanos: -1 }.as_micros(), None);
    }

    proptest! {
        #[test]
        fn micros_and_text_round_trip(micros in EARLIEST * 1_000_000..LATEST * 1_000_000) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(time.as_micros(), Some(micros));
            prop_assert_eq!(time.to_rfc3339().unwrap().parse::<Timestamp>().unwrap(), time);
        }
    }
}
