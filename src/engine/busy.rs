//! What is remembered of an agent only while something is going on, the rarer the deeper.

use crate::domain::{Both, CxoneStatus, RowId, TimeMs};
use crate::rules::Settings;

use super::flapping::Flapping;
use super::kept::{Intent, Observed, Offset, ROWS_KEPT};
use super::ring::Ring;
use super::timer::Armed;
use super::{Epoch, GivenUp, Sequence};

/// What an agent who is not at rest has besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Busy {
    pub(super) ring: Ring,
    pub(super) flapping: Flapping,
    pub(super) waiting: Both<Waiting>,
    pub(super) armed: Option<Armed>,
    pub(super) contact: Option<Contact>,
    pub(super) pending_close: Option<PendingClose>,
    pub(super) rare: Option<Box<Rare>>,
}

/// What hardly anybody has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rare {
    pub(super) early_close: Option<EarlyClose>,
    pub(super) replaced: Option<Replaced>,
    /// The observed row, where it is none of the last.
    pub(super) row: Option<RowId>,
    pub(super) far: Option<Box<Far>>,
}

/// What only those have whose ids lie far apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Far {
    /// Rows that are far apart.
    pub(super) rows: Option<[Option<RowId>; ROWS_KEPT]>,
    /// An epoch that does not fit into its place.
    pub(super) epoch: Option<Epoch>,
}

/// What one platform has yet to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(Rust, packed)]
pub struct Waiting {
    /// The newest command that is not yet confirmed; 0 where there is none.
    pub outstanding: Sequence,
    /// When it was last seen reachable, while there are commands.
    pub up_at: TimeMs,
    /// How many commands for the target have lapsed.
    pub lapsed: u8,
    /// A command for the target has lapsed, and was not issued again yet.
    pub owes_correction: bool,
    /// It is not commanded any more.
    pub diverged: Option<GivenUp>,
}

impl Waiting {
    /// There is nothing to do.
    pub const EMPTY: Waiting = Waiting {
        outstanding: Sequence::NONE,
        up_at: TimeMs::ZERO,
        lapsed: 0,
        owes_correction: false,
        diverged: None,
    };
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting::EMPTY
    }
}

/// A contact in CXone: an overlay, never an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contact {
    /// What CXone shows of it.
    pub status: CxoneStatus,
    /// Its start, by our clock.
    pub since: TimeMs,
    /// What CXone showed before it.
    pub before: Option<CxoneStatus>,
}

/// The close of the observed row, until another row follows or the grace is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PendingClose {
    /// When it was closed, by Salesforce's clock.
    pub at_raw: TimeMs,
    /// How far that clock was ahead of ours.
    pub offset: Offset,
    /// When the grace is over.
    pub due: TimeMs,
}

/// The close of a row that was not seen yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EarlyClose {
    /// The row.
    pub row: RowId,
    /// When it was closed, by Salesforce's clock.
    pub at_raw: TimeMs,
    /// How far that clock was ahead of ours.
    pub offset: Offset,
}

/// What an inferred Offline replaced: a row that came late takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Replaced {
    /// The close it was inferred from, by Salesforce's clock.
    pub close_raw: TimeMs,
    /// What Salesforce showed before.
    pub observed: Option<Observed>,
    /// Whether it was reachable before.
    pub reachable: bool,
    /// The intent before, where that Offline is the intent now; and who had caught up.
    pub intent: Option<(Option<Intent>, Both<bool>)>,
}

impl Busy {
    pub(super) fn touch(&self) -> u8 {
        let ring = self.ring.newest().map_or(0, |entry| entry.sequence.0 as u8);
        ring ^ self.waiting.cxone.lapsed ^ self.contact.is_some() as u8 ^ self.armed.is_some() as u8
    }

    /// The bytes it takes in memory, all of it.
    pub(super) fn bytes(&self) -> usize {
        let far = |rare: &Rare| rare.far.as_ref().map_or(0, |_| size_of::<Far>());
        let rare = self.rare.as_deref().map_or(0, |rare| size_of::<Rare>() + far(rare));
        size_of::<Self>() + rare + self.ring.heap_bytes() + self.flapping.heap_bytes()
    }

    /// What is over and done with goes.
    pub(super) fn forget_old(&mut self, now: TimeMs, settings: &Settings) {
        self.ring.forget_old(now, [self.waiting.salesforce.outstanding, self.waiting.cxone.outstanding]);
        if self.ring.is_empty() {
            self.waiting.salesforce.up_at = TimeMs::ZERO;
            self.waiting.cxone.up_at = TimeMs::ZERO;
        }
        self.flapping.forget_old(now, settings);
    }

    /// Boxes with nothing in them go.
    pub(super) fn trim(&mut self) {
        if let Some(rare) = &mut self.rare {
            if rare.far.as_deref() == Some(&Far::default()) {
                rare.far = None;
            }
            if **rare == Rare::default() {
                self.rare = None;
            }
        }
    }

    /// Whether nothing is going on.
    pub(super) fn is_at_rest(&self) -> bool {
        self.ring.is_empty()
            && self.armed.is_none()
            && self.contact.is_none()
            && self.pending_close.is_none()
            && self.rare.is_none()
            && self.waiting == Both::default()
            && self.flapping.is_at_rest()
    }
}
