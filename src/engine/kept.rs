//! What is kept of an agent, value by value, each in as few bytes as it takes.

use crate::domain::{DurationMs, Platform, RowId, TimeMs};

use super::Status;

/// The last rows of Salesforce that were taken are remembered, so many.
pub const ROWS_KEPT: usize = 4;

/// The number of a command among those of its agent, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u32);

impl Sequence {
    /// No command has it.
    pub const NONE: Sequence = Sequence(0);
}

/// Tells one arming of an agent's timer from the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

/// How far a platform's clock is ahead of ours, in four bytes: it saturates at 24 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offset([u8; 4]);

impl Offset {
    /// Both clocks show the same.
    pub const ZERO: Offset = Offset([0; 4]);

    /// The offset of this length.
    pub fn new(offset: DurationMs) -> Self {
        let ms = offset.as_ms().clamp(i32::MIN.into(), i32::MAX.into());
        Offset((ms as i32).to_ne_bytes())
    }

    /// The length; negative where the platform's clock is behind.
    pub fn get(self) -> DurationMs {
        DurationMs::from_ms(i32::from_ne_bytes(self.0).into())
    }
}

/// The agent's last choice: the thing to mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    /// What he chose, and with it where.
    pub status: Status,
    /// When it began, by our clock; never before the intent it replaced.
    pub since: TimeMs,
    /// How far the platform's clock was ahead of ours.
    pub offset: Offset,
    /// The start of the intent it replaced.
    pub floor: TimeMs,
    /// It was the status at a login.
    pub at_login: bool,
}

impl Intent {
    /// The platform it was chosen on.
    pub(super) const fn platform(&self) -> Platform {
        self.status.platform()
    }

    /// Its start by the platform's own clock.
    pub(super) fn since_raw(&self) -> TimeMs {
        self.since + self.offset.get()
    }
}

/// What a platform shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Observed {
    /// The status, and with it the platform.
    pub status: Status,
    /// When it began, by the platform's own clock.
    pub since_raw: TimeMs,
    /// How far that clock was ahead of ours.
    pub offset: Offset,
    /// The row of Salesforce, where the feed named it.
    pub row: Option<RowId>,
    /// One of our commands caused it.
    pub ours: bool,
}

impl Observed {
    /// When it began, by our clock.
    pub(super) fn since(&self) -> TimeMs {
        self.since_raw - self.offset.get()
    }
}

/// How far apart two rows are, in three bytes: enough for the seven million rows that an org may make meanwhile. Never zero, but for
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Apart([u8; 3]);

impl Apart {
    pub(super) const NONE: Apart = Apart([0; 3]);
    const MAX: i32 = (1 << 23) - 1;

    pub(super) fn new(rows: i32) -> Option<Apart> {
        let [a, b, c, _] = rows.to_le_bytes();
        (rows != 0 && (-Self::MAX..=Self::MAX).contains(&rows)).then_some(Apart([a, b, c]))
    }

    pub(super) const fn get(self) -> i32 {
        let Apart([a, b, c]) = self;
        i32::from_le_bytes([0, a, b, c]) >> 8
    }

    pub(super) fn further(self, rows: i32) -> Option<Apart> {
        Apart::new(self.get().checked_add(rows)?)
    }
}
