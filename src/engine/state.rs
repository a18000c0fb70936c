//! What the engine remembers of an agent. Bounded, whatever happens to him.

use crate::domain::{Both, CxoneStatus, DurationMs, Platform, RowId, SalesforceStatus, TimeMs};

use super::flapping::Flapping;
use super::ring::Ring;
use super::timer::Armed;
use super::{Epoch, GivenUp, Membership, Status};

/// A matched command this old is forgotten.
pub(super) const MATCHED_KEPT: DurationMs = DurationMs::from_seconds(15 * 60);

/// The last rows of Salesforce that were taken are remembered, so many.
const ROWS_KEPT: usize = 4;

/// The number of a command among those of its agent, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub u32);

/// Tells one arming of an agent's timer from the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u32);

/// The agent's last choice: the thing to mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What he chose, and with it where.
    pub status: Status,
    /// When it began, by our clock; never before the intent it replaced.
    pub since: TimeMs,
    /// How far the platform's clock was ahead of ours.
    pub(super) offset: DurationMs,
    /// The start of the intent it replaced.
    pub(super) floor: TimeMs,
    /// It was the status at a login.
    pub at_login: bool,
}

impl Intent {
    /// The platform it was chosen on.
    pub const fn platform(&self) -> Platform {
        self.status.platform()
    }

    /// Its start by the platform's own clock.
    pub(super) fn since_raw(&self) -> TimeMs {
        self.since + self.offset
    }
}

/// What a platform shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) status: Status,
    pub(super) since_raw: TimeMs,
    pub(super) offset: DurationMs,
    pub(super) row: Option<RowId>,
    /// One of our commands caused it.
    pub(super) ours: bool,
}

impl Observed {
    /// When it began, by our clock.
    pub(super) fn since(&self) -> TimeMs {
        self.since_raw - self.offset
    }
}

/// What is known of one platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) observed: Option<Observed>,
    /// The newest command that is not yet confirmed.
    pub(super) outstanding: Option<Sequence>,
    pub(super) ring: Ring,
    pub(super) reachable: bool,
    /// When it was last seen reachable.
    pub(super) up_at: TimeMs,
    /// It showed the target of this intent.
    pub(super) caught_up: bool,
    /// How many commands for the target have lapsed.
    pub(super) lapsed: u8,
    /// A command for the target has lapsed, and was not issued again yet.
    pub(super) owes_correction: bool,
    pub(super) diverged: Option<GivenUp>,
    /// The target at the last event: when it changes, what lapsed is forgotten.
    pub(super) target: Option<Status>,
}

impl Side {
    /// It was seen reachable.
    pub(super) fn reached(&mut self, now: TimeMs) {
        if !self.reachable {
            self.forgive();
        }
        self.reachable = true;
        self.up_at = now;
    }

    /// What lapsed and what was given up on begins anew.
    pub(super) fn forgive(&mut self) {
        self.lapsed = 0;
        self.owes_correction = false;
        self.diverged = None;
    }
}

/// A contact in CXone: an overlay, never an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) status: CxoneStatus,
    /// By our clock.
    pub(super) since: TimeMs,
    /// What CXone showed before it.
    pub(super) before: Option<CxoneStatus>,
}

/// The close of the observed row, until another row follows or the grace is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PendingClose {
    pub(super) at_raw: TimeMs,
    pub(super) offset: DurationMs,
    pub(super) due: TimeMs,
}

/// The close of a row that was not seen yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EarlyClose {
    pub(super) row: RowId,
    pub(super) at_raw: TimeMs,
    pub(super) offset: DurationMs,
}

/// What an inferred Offline replaced: a row that came late takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    /// The close it was inferred from.
    pub(super) close_raw: TimeMs,
    pub(super) observed: Option<Observed>,
    pub(super) reachable: bool,
    /// The intent before, where that Offline became the intent: with its number, and who had caught up.
    pub(super) intent: Option<(Option<Intent>, u32, Both<bool>)>,
}

/// What the engine remembers of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentState {
    pub(super) membership: Membership,
    pub(super) intent: Option<Intent>,
    /// Counts the intents, so that a command knows which it was issued for.
    pub(super) intent_number: u32,
    pub(super) sides: Both<Side>,
    /// The last rows taken, the newest first.
    pub(super) rows: [Option<RowId>; ROWS_KEPT],
    pub(super) contact: Option<Contact>,
    /// The settable CXone status he last chose, or else the first one seen.
    pub(super) previous: Option<CxoneStatus>,
    pub(super) pending_close: Option<PendingClose>,
    pub(super) early_close: Option<EarlyClose>,
    pub(super) replaced: Option<Replaced>,
    pub(super) epoch: Option<Epoch>,
    pub(super) flapping: Flapping,
    pub(super) armed: Option<Armed>,
    pub(super) generation: Generation,
    pub(super) issued: Sequence,
}

impl AgentState {
    pub(super) fn new(membership: Membership) -> Self {
        AgentState {
            membership,
            intent: None,
            intent_number: 0,
            sides: Both::default(),
            rows: [None; ROWS_KEPT],
            contact: None,
            previous: None,
            pending_close: None,
            early_close: None,
            replaced: None,
            epoch: None,
            flapping: Flapping::default(),
            armed: None,
            generation: Generation::default(),
            issued: Sequence::default(),
        }
    }

    /// The agent's last choice.
    pub fn intent(&self) -> Option<&Intent> {
        self.intent.as_ref()
    }

    pub(super) fn side(&self, platform: Platform) -> &Side {
        self.sides.of(platform)
    }

    pub(super) fn side_mut(&mut self, platform: Platform) -> &mut Side {
        self.sides.of_mut(platform)
    }

    /// What a platform counts as showing: CXone during a contact what it showed before.
    pub(super) fn shown(&self, platform: Platform) -> Option<Status> {
        match (platform, &self.contact) {
            (Platform::Cxone, Some(contact)) => contact.before.map(Status::Cxone),
            (_, _) => self.side(platform).observed.map(|observed| observed.status),
        }
    }

    /// Whether the row was taken before.
    pub(super) fn has_row(&self, row: RowId) -> bool {
        self.rows.contains(&Some(row))
    }

    /// Remembers a row as taken.
    pub(super) fn take_row(&mut self, row: Option<RowId>) {
        let Some(row) = row else { return };
        if !self.has_row(row) {
            self.rows.rotate_right(1);
            if let Some(newest) = self.rows.first_mut() {
                *newest = Some(row);
            }
        }
    }

    /// Makes a choice the intent. Only its own platform has caught up with it.
    pub(super) fn choose(&mut self, status: Status, since: TimeMs, offset: DurationMs, at_login: bool) {
        let floor = self.intent.map_or(since, |intent| intent.since);
        self.intent = Some(Intent { status, since: since.max(floor), offset, floor, at_login });
        self.intent_number = self.intent_number.wrapping_add(1);
        for platform in super::PLATFORMS {
            let side = self.side_mut(platform);
            side.caught_up = platform == status.platform();
            side.forgive();
        }
    }

    /// What is over and done with goes, so that an agent at rest is small.
    pub(super) fn forget_old(&mut self, now: TimeMs) {
        let Both { salesforce, cxone } = &mut self.sides;
        salesforce.ring.forget_old(now, salesforce.outstanding);
        cxone.ring.forget_old(now, cxone.outstanding);
        self.flapping.forget_old(now);
    }
}

/// Offline, as a status of either platform.
pub(super) const OFFLINE: Status = Status::Salesforce(SalesforceStatus::Offline);
