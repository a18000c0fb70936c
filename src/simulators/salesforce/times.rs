//! Times as Salesforce writes and reads them.

use jiff::Timestamp;

use crate::domain::TimeMs;

/// `2026-01-05T10:00:00.000+0000`
pub(super) fn iso(at: TimeMs) -> String {
    let at = Timestamp::from_millisecond(at.as_unix_ms()).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

/// `2026-01-05T10:00:00.000Z`, as Apex formats what goes to a browser.
pub(super) fn iso_z(at: TimeMs) -> String {
    let at = Timestamp::from_millisecond(at.as_unix_ms()).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Either, or with another offset, with or without a colon in it.
pub(super) fn of_iso(text: &str) -> Option<TimeMs> {
    let text = text.trim();
    let offset = text.len().checked_sub(4).and_then(|at| text.split_at_checked(at));
    let colon = offset.filter(|(before, digits)| {
        before.ends_with(['+', '-'])
            && before.contains('T')
            && digits.bytes().all(|digit| digit.is_ascii_digit())
    });
    let colon = colon.and_then(|(before, digits)| {
        let (hours, minutes) = digits.split_at_checked(2)?;
        Some(format!("{before}{hours}:{minutes}"))
    });
    let at = colon.as_deref().unwrap_or(text).parse::<Timestamp>().ok()?;
    Some(TimeMs::from_unix_ms(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written() {
        let at = TimeMs::from_unix_ms(1_767_607_200_000);
        assert_eq!(iso(at), "2026-01-05T10:00:00.000+0000");
        assert_eq!(iso_z(at), "2026-01-05T10:00:00.000Z");
        for text in [
            "2026-01-05T10:00:00.000+0000",
            "2026-01-05T10:00:00Z",
            "2026-01-05T10:00:00.000Z",
            "2026-01-05T11:00:00+01:00",
            "2026-01-05T05:00:00.000-0500",
        ] {
            assert_eq!(of_iso(text), Some(at), "{text}");
        }
        for text in ["", "2026-01-05", "2026-01-05T10:00:00", "2026-13-05T10:00:00Z", "+0000", "Ü0000"] {
            assert_eq!(of_iso(text), None, "{text}");
        }
    }
}
