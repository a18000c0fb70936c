//! Times and durations in milliseconds, with arithmetic that saturates instead of failing.

use std::fmt;
use std::ops::{Add, Sub};

/// A signed number of 48 bits that saturates, without padding: an agent's state holds many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed)]
struct Saturating {
    high: i16,
    low: u32,
}

impl Saturating {
    const MAX: i64 = (1 << 47) - 1;

    const fn new(number: i64) -> Self {
        let number = if number > Self::MAX {
            Self::MAX
        } else if number < -Self::MAX - 1 {
            -Self::MAX - 1
        } else {
            number
        };
        Saturating { high: (number >> 32) as i16, low: number as u32 }
    }

    const fn get(self) -> i64 {
        (self.high as i64) << 32 | self.low as i64
    }
}

/// A moment, in ms since 1970-01-01T00:00:00Z. It saturates some 4,400 years before and after.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeMs(Saturating);

/// A length of time in ms; negative when it points back. It saturates at some 4,400 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationMs(Saturating);

impl Default for TimeMs {
    fn default() -> Self {
        TimeMs::ZERO
    }
}

impl Default for DurationMs {
    fn default() -> Self {
        DurationMs::ZERO
    }
}

impl fmt::Debug for TimeMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeMs({})", self.as_unix_ms())
    }
}

impl fmt::Debug for DurationMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurationMs({})", self.as_ms())
    }
}

impl TimeMs {
    /// 1970-01-01T00:00:00Z.
    pub const ZERO: TimeMs = TimeMs::from_unix_ms(0);

    /// The moment `ms` milliseconds after the epoch.
    pub const fn from_unix_ms(ms: i64) -> Self {
        TimeMs(Saturating::new(ms))
    }

    /// Milliseconds since the epoch.
    pub const fn as_unix_ms(self) -> i64 {
        self.0.get()
    }

    /// How long this is after `earlier`; negative when it is before.
    pub const fn since(self, earlier: TimeMs) -> DurationMs {
        DurationMs::from_ms(self.as_unix_ms() - earlier.as_unix_ms())
    }
}

impl DurationMs {
    /// No time at all.
    pub const ZERO: DurationMs = DurationMs::from_ms(0);

    /// `ms` milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        DurationMs(Saturating::new(ms))
    }

    /// `seconds` seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        DurationMs::from_ms(seconds.saturating_mul(1_000))
    }

    /// The length in ms.
    pub const fn as_ms(self) -> i64 {
        self.0.get()
    }

    /// The length without its direction.
    pub const fn abs(self) -> DurationMs {
        DurationMs::from_ms(self.as_ms().abs())
    }

    /// `times` times as long.
    pub const fn times(self, times: i64) -> DurationMs {
        DurationMs::from_ms(self.as_ms().saturating_mul(times))
    }
}

impl Add<DurationMs> for TimeMs {
    type Output = TimeMs;

    fn add(self, length: DurationMs) -> TimeMs {
        TimeMs::from_unix_ms(self.as_unix_ms() + length.as_ms())
    }
}

impl Sub<DurationMs> for TimeMs {
    type Output = TimeMs;

    fn sub(self, length: DurationMs) -> TimeMs {
        TimeMs::from_unix_ms(self.as_unix_ms() - length.as_ms())
    }
}

impl Add for DurationMs {
    type Output = DurationMs;

    fn add(self, length: DurationMs) -> DurationMs {
        DurationMs::from_ms(self.as_ms() + length.as_ms())
    }
}

/// Seconds where the length is whole seconds, else milliseconds.
impl fmt::Display for DurationMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.as_ms();
        if ms % 1_000 == 0 { write!(f, "{} s", ms / 1_000) } else { write!(f, "{ms} ms") }
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
        assert_eq!(DurationMs::from_seconds(i64::MAX).times(-2), DurationMs::from_ms(i64::MIN));
    }

    #[test]
    fn lengths_read_well() {
        assert_eq!(DurationMs::from_seconds(30).to_string(), "30 s");
        assert_eq!(DurationMs::from_ms(1_500).to_string(), "1500 ms");
    }
}
