//! A moment as people read it.

/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// A moment in milliseconds since 1970 as `2026-11-27T21:45:14.123Z` (RFC 3339), in UTC.
#[must_use]
pub fn utc(unix_ms: u64) -> String {
    let (days, ms) = (unix_ms / DAY, unix_ms % DAY);
    let (year, month, day) = date(days);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Year, month and day of a day since 1970, by the Gregorian calendar. Years begin in March here, so that a leap day is the last of
/// its year, and come in eras of 400 years.
fn date(days: u64) -> (u64, u64, u64) {
    const FROM_YEAR_ZERO: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = days.saturating_add(FROM_YEAR_ZERO);
    let (era, of_era) = (days / ERA, days % ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (next, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::{DAY, date, utc};

    #[test]
    fn moments_are_as_everybody_writes_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_815_914_123, "2026-11-27T21:45:14.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(ms), text);
        }
    }

    #[test]
    fn days_follow_each_other() {
        let is_leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..400_000_000_000 / DAY * 400 {
            assert_eq!(date(days), (year, month, day));
            let last = match month {
                2 if is_leap(year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > last {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        assert!(utc(u64::MAX).ends_with('Z'));
    }
}
