//! Times and durations in milliseconds, with arithmetic that saturates instead of failing.

use std::fmt;
use std::ops::{Add, Sub};

/// A moment, in ms since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeMs(i64);

/// A length of time in ms; negative when it points back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationMs(i64);

impl TimeMs {
    /// The moment `ms` milliseconds after the epoch.
    pub const fn from_unix_ms(ms: i64) -> Self {
        TimeMs(ms)
    }

    /// Milliseconds since the epoch.
    pub const fn as_unix_ms(self) -> i64 {
        self.0
    }

    /// How long this is after `earlier`; negative when it is before.
    pub const fn since(self, earlier: TimeMs) -> DurationMs {
        DurationMs(self.0.saturating_sub(earlier.0))
    }
}

impl DurationMs {
    /// No time at all.
    pub const ZERO: DurationMs = DurationMs(0);

    /// `ms` milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        DurationMs(ms)
    }

    /// `seconds` seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        DurationMs(seconds.saturating_mul(1_000))
    }

    /// The length in ms.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// The length without its direction.
    pub const fn abs(self) -> DurationMs {
        DurationMs(self.0.saturating_abs())
    }

    /// `times` times as long.
    pub const fn times(self, times: i64) -> DurationMs {
        DurationMs(self.0.saturating_mul(times))
    }
}

impl Add<DurationMs> for TimeMs {
    type Output = TimeMs;

    fn add(self, length: DurationMs) -> TimeMs {
        TimeMs(self.0.saturating_add(length.0))
    }
}

impl Sub<DurationMs> for TimeMs {
    type Output = TimeMs;

    fn sub(self, length: DurationMs) -> TimeMs {
        TimeMs(self.0.saturating_sub(length.0))
    }
}

impl Add for DurationMs {
    type Output = DurationMs;

    fn add(self, length: DurationMs) -> DurationMs {
        DurationMs(self.0.saturating_add(length.0))
    }
}

/// Seconds where the length is whole seconds, else milliseconds.
impl fmt::Display for DurationMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % 1_000 == 0 { write!(f, "{} s", self.0 / 1_000) } else { write!(f, "{} ms", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let end = TimeMs::from_unix_ms(i64::MAX);
        assert_eq!(end + DurationMs::from_ms(1), end);
        assert_eq!(TimeMs::from_unix_ms(i64::MIN) - DurationMs::from_ms(1), TimeMs::from_unix_ms(i64::MIN));
        assert_eq!(TimeMs::from_unix_ms(i64::MIN).since(end), DurationMs::from_ms(i64::MIN));
        assert_eq!(DurationMs::from_ms(i64::MIN).abs(), DurationMs::from_ms(i64::MAX));
        assert_eq!(DurationMs::from_seconds(i64::MAX).times(-1), DurationMs::from_ms(-i64::MAX));
    }

    #[test]
    fn lengths_read_well() {
        assert_eq!(DurationMs::from_seconds(30).to_string(), "30 s");
        assert_eq!(DurationMs::from_ms(1_500).to_string(), "1500 ms");
    }
}
