//! Candle intervals, and where their candles begin and end in a time zone.

/// One minute, µs.
const MINUTE: i64 = 60_000_000;

/// One hour, µs.
const HOUR: i64 = 60 * MINUTE;

/// One day, µs.
const DAY: i64 = 24 * HOUR;

/// The epoch began on a Thursday; weeks begin on Mondays.
const FIRST_MONDAY: i64 = 4 * DAY;

/// A candle interval of the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interval {
    /// One second.
    S1,
    /// One minute.
    M1,
    /// Three minutes.
    M3,
    /// Five minutes.
    M5,
    /// A quarter of an hour.
    M15,
    /// Half an hour.
    M30,
    /// One hour.
    H1,
    /// Two hours.
    H2,
    /// Four hours.
    H4,
    /// Six hours.
    H6,
    /// Eight hours.
    H8,
    /// Twelve hours.
    H12,
    /// One day.
    D1,
    /// Three days.
    D3,
    /// A week from Monday.
    W1,
    /// A month of the calendar.
    Month,
}

impl Interval {
    /// All of them, shortest first.
    pub const ALL: [Interval; 16] = [
        Interval::S1,
        Interval::M1,
        Interval::M3,
        Interval::M5,
        Interval::M15,
        Interval::M30,
        Interval::H1,
        Interval::H2,
        Interval::H4,
        Interval::H6,
        Interval::H8,
        Interval::H12,
        Interval::D1,
        Interval::D3,
        Interval::W1,
        Interval::Month,
    ];

    /// As the wire names it.
    pub fn name(self) -> &'static str {
        match self {
            Interval::S1 => "1s",
            Interval::M1 => "1m",
            Interval::M3 => "3m",
            Interval::M5 => "5m",
            Interval::M15 => "15m",
            Interval::M30 => "30m",
            Interval::H1 => "1h",
            Interval::H2 => "2h",
            Interval::H4 => "4h",
            Interval::H6 => "6h",
            Interval::H8 => "8h",
            Interval::H12 => "12h",
            Interval::D1 => "1d",
            Interval::D3 => "3d",
            Interval::W1 => "1w",
            Interval::Month => "1M",
        }
    }

    /// From the wire's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interval| interval.name() == name)
    }

    /// Its length in microseconds; of a month the shortest.
    pub fn micros(self) -> i64 {
        match self {
            Interval::S1 => 1_000_000,
            Interval::M1 => MINUTE,
            Interval::M3 => 3 * MINUTE,
            Interval::M5 => 5 * MINUTE,
            Interval::M15 => 15 * MINUTE,
            Interval::M30 => 30 * MINUTE,
            Interval::H1 => HOUR,
            Interval::H2 => 2 * HOUR,
            Interval::H4 => 4 * HOUR,
            Interval::H6 => 6 * HOUR,
            Interval::H8 => 8 * HOUR,
            Interval::H12 => 12 * HOUR,
            Interval::D1 => DAY,
            Interval::D3 => 3 * DAY,
            Interval::W1 => 7 * DAY,
            Interval::Month => 28 * DAY,
        }
    }

    /// How many closed candles a market keeps; those of the other intervals are put together from these.
    pub fn kept(self) -> usize {
        match self {
            Interval::S1 | Interval::M5 | Interval::H1 => 600,
            Interval::M1 => 1_440,
            Interval::D1 => 400,
            _ => 0,
        }
    }

    /// The longest kept interval whose candles add up to this one's in a zone `offset` µs east of UTC.
    pub fn base(self, offset: i64) -> Self {
        let fits = |base: Interval| {
            let length = base.micros();
            let whole = self == Interval::Month || self.micros() % length == 0;
            base <= self && whole && offset % length == 0
        };
        [Interval::D1, Interval::H1, Interval::M5, Interval::M1]
            .into_iter()
            .find(|base| fits(*base))
            .unwrap_or(self)
    }

    /// When the candle that holds `time` begins, in a zone `offset` µs east of UTC.
    pub fn open(self, time: i64, offset: i64) -> i64 {
        let local = time + offset;
        let start = match self {
            Interval::Month => month_start(local, 0),
            Interval::W1 => local - (local - FIRST_MONDAY).rem_euclid(self.micros()),
            _ => local - local.rem_euclid(self.micros()),
        };
        start - offset
    }

    /// When the candle that begins at `open` ends: the first microsecond that it does not hold.
    pub fn end(self, open: i64, offset: i64) -> i64 {
        match self {
            Interval::Month => month_start(open + offset, 1) - offset,
            _ => open + self.micros(),
        }
    }
}

/// Midnight of the first day of the month that holds `time`, or of a later month (Howard Hinnant's `civil_from_days` and
/// `days_from_civil`).
fn month_start(time: i64, later: i64) -> i64 {
    let days = time.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // months are counted from March, so that the leap day comes last
    let month = (5 * of_year + 2) / 153;
    let months = (era * 400 + year_of_era) * 12 + month + later;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    (era * 146_097 + of_era - 719_468) * DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14 22:13:20 UTC, a Tuesday.
    const TIME: i64 = 1_700_000_000_000_000;

    #[test]
    fn intervals_have_names() {
        for interval in Interval::ALL {
            assert_eq!(Interval::parse(interval.name()), Some(interval));
            assert!(Interval::ALL.windows(2).all(|pair| pair[0].micros() < pair[1].micros()));
        }
        assert_eq!(Interval::parse("2d"), None);
        assert_eq!(Interval::parse("1D"), None);
    }

    #[test]
    fn candles_begin_where_the_calendar_says() {
        let seconds = |interval: Interval, offset: i64| interval.open(TIME, offset * MINUTE) / 1_000_000;
        let table = [
            (Interval::S1, 0, 1_700_000_000),
            (Interval::M1, 0, 1_699_999_980),
            (Interval::H1, 0, 1_699_999_200),
            (Interval::D1, 0, 1_699_920_000),    // 2023-11-14
            (Interval::W1, 0, 1_699_833_600),    // Monday 2023-11-13
            (Interval::Month, 0, 1_698_796_800), // 2023-11-01
            (Interval::D1, 480, 1_699_977_600),  // 2023-11-15 00:00 +08:00
            (Interval::D1, -720, 1_699_963_200), // 2023-11-14 00:00 -12:00
            (Interval::H1, 345, 1_699_996_500),  // 03:00 +05:45 of the 15th
            (Interval::Month, 480, 1_698_796_800 - 28_800),
        ];
        for (interval, offset, expected) in table {
            assert_eq!(seconds(interval, offset), expected, "{interval:?} {offset}");
        }
    }

    #[test]
    fn candles_meet_without_gap_or_overlap() {
        for interval in Interval::ALL {
            for offset in [0, 480 * MINUTE, -345 * MINUTE] {
                let mut open = interval.open(TIME, offset);
                for _ in 0..50 {
                    let end = interval.end(open, offset);
                    assert_eq!(interval.open(end - 1, offset), open, "{interval:?}");
                    assert_eq!(interval.open(end, offset), end, "{interval:?}");
                    open = end;
                }
            }
        }
        // 2024 is a leap year, 2100 is none
        let february = |start: i64| (Interval::Month.end(start, 0) - start) / DAY;
        assert_eq!(february(1_706_745_600_000_000), 29);
        assert_eq!(february(4_105_123_200_000_000), 28);
    }

    #[test]
    fn every_interval_is_made_of_a_kept_one() {
        let table = [
            (Interval::S1, 0, Interval::S1),
            (Interval::M1, 0, Interval::M1),
            (Interval::M3, 0, Interval::M1),
            (Interval::M5, 0, Interval::M5),
            (Interval::M30, 0, Interval::M5),
            (Interval::H8, 480, Interval::H1),
            (Interval::H8, 345, Interval::M5),
            (Interval::D1, 0, Interval::D1),
            (Interval::D1, 480, Interval::H1),
            (Interval::W1, 0, Interval::D1),
            (Interval::Month, 0, Interval::D1),
            (Interval::Month, 7, Interval::M1),
        ];
        for (interval, offset, expected) in table {
            assert_eq!(interval.base(offset * MINUTE), expected, "{interval:?} {offset}");
            assert!(expected.kept() > 0);
        }
    }
}
