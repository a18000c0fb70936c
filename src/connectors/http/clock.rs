//! What the headers of an answer say of time: how long to wait, and how far the platform's clock is from ours.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

use crate::domain::TimeMs;

/// An answer that took longer says too little of the platform's clock.
const ANSWER_MS_MAX: i64 = 2_000;
/// A difference that moved by less is the same: `Date` has no more than seconds.
const MOVED_MS_MIN: i64 = 1_000;
/// Nobody waits for longer, whatever he is told.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(text: &str) -> Option<TimeMs> {
    let at = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text.trim()).ok()?;
    Some(TimeMs::from_unix_ms(at.as_millisecond()))
}

/// How long to wait by a `Retry-After`: seconds, or a time by the platform's clock, which its `Date` tells.
pub fn retry_after(text: &str, date: Option<TimeMs>) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let ms = http_date(text)?.since(date?).as_ms();
            Duration::from_millis(u64::try_from(ms).unwrap_or(0))
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// How far a clock is ahead, in ms, by what was known of it and what was found now: what moved by little has not moved, and two
/// that agree are not to differ by what cannot be known.
pub const fn moved(known_ms: i64, found_ms: i64) -> i64 {
    if found_ms.abs_diff(known_ms) <= MOVED_MS_MIN as u64 {
        known_ms
    } else if found_ms.unsigned_abs() <= MOVED_MS_MIN as u64 {
        0
    } else {
        found_ms
    }
}

/// How far a platform's clock is ahead of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockOffset {
    ms: Option<i64>,
}

impl ClockOffset {
    /// In ms; 0 while nothing is known.
    pub fn ms(self) -> i64 {
        self.ms.unwrap_or(0)
    }

    /// Takes note of the `Date` of an answer, and of when it was asked for and came by our clock. Says the new difference
    /// where it moved by more than a second.
    pub fn note(&mut self, date: TimeMs, asked: TimeMs, came: TimeMs) -> Option<i64> {
        let took = came.since(asked).as_ms();
        if !(0..=ANSWER_MS_MAX).contains(&took) {
            return None;
        }
        // Within the second that it names, and between the two.
        let found = date.since(asked).as_ms() + 500 - took / 2;
        let found = moved(self.ms(), found);
        let is_new = self.ms != Some(found);
        self.ms = Some(found);
        is_new.then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> TimeMs {
        TimeMs::from_unix_ms(1_767_607_200_000 + ms)
    }

    #[test]
    fn a_wait_is_read_in_both_forms() {
        let date = http_date("Mon, 05 Jan 2026 10:00:00 GMT").unwrap();
        assert_eq!(date, at(0));
        for (text, wait) in [
            ("7", Some(Duration::from_secs(7))),
            (" 0 ", Some(Duration::ZERO)),
            ("Mon, 05 Jan 2026 10:00:30 GMT", Some(Duration::from_secs(30))),
            ("Mon, 05 Jan 2026 09:00:00 GMT", Some(Duration::ZERO)),
            ("99999999", Some(RETRY_AFTER_MAX)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, Some(date)), wait, "{text:?}");
        }
        assert_eq!(retry_after("Mon, 05 Jan 2026 10:00:30 GMT", None), None, "by which clock?");
    }

    #[test]
    fn a_clock_that_is_off_is_noticed_once() {
        let mut offset = ClockOffset::default();
        assert_eq!(offset.note(at(0), at(100), at(300)), Some(0), "they agree, as far as one can tell");
        assert_eq!(offset.note(at(1_000), at(1_900), at(2_000)), None);
        assert_eq!(offset.note(at(60_000), at(3_000), at(3_200)), Some(57_400));
        assert_eq!(offset.note(at(61_000), at(4_000), at(4_400)), None);
        assert_eq!(offset.note(at(0), at(5_000), at(9_000)), None, "it took too long to say anything");
        assert_eq!(offset.ms(), 57_400);
    }
}
