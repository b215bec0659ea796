//! Seconds since 1970 as a date of the Gregorian calendar, in UTC.
//!
//! Deliberately absent: other time zones, leap seconds, and reading dates back.

const DAY: u64 = 86_400;

/// Year, month, day.
fn day(seconds: u64) -> (u64, u64, u64) {
    // Counted from 1 March of the year 0, a year ends with its leap day, and months follow one pattern of lengths.
    let days = seconds / DAY + 719_468;
    let (era, day) = (days / 146_097, days % 146_097); // 400 years
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// As in `2026-11-26`.
pub(crate) fn date(seconds: u64) -> String {
    let (year, month, day) = day(seconds);
    format!("{year:04}-{month:02}-{day:02}")
}

/// As in `2026-11-26T20:38:54Z`.
pub(crate) fn instant(seconds: u64) -> String {
    let clock = seconds % DAY;
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", date(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days counted one by one.
    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for number in 0..150_000 {
            assert_eq!(super::day(number * DAY + 5), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn an_instant_has_its_form() {
        assert_eq!(instant(1_795_725_534), "2026-11-26T20:38:54Z");
        assert_eq!(instant(0), "1970-01-01T00:00:00Z");
    }
}
