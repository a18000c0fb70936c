//! All that is remembered of an agent as plain values: what is written down of a state, and read again.

use smallvec::SmallVec;

use crate::domain::{Both, CxoneStatus, RowId, SalesforceStatus, TimeMs};
use crate::rules::Assignment;

use super::busy::{Contact, EarlyClose, PendingClose, Replaced, Waiting};
use super::flapping::Flapping;
use super::kept::{Generation, Intent, Observed, Offset, ROWS_KEPT, Sequence};
use super::ring::{self, Entry, Ring};
use super::state::{AgentState, Flags, Side};
use super::timer::Armed;
use super::{Epoch, PLATFORMS, Platform, Status};

/// A state as plain values. It leaves out which table holds for the agent: that is for the revision in force to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered<'r> {
    /// The agent's last choice.
    pub intent: Option<Intent>,
    /// What Salesforce shows and should show.
    pub salesforce: RememberedSide<SalesforceStatus>,
    /// What CXone shows and should show.
    pub cxone: RememberedSide<CxoneStatus>,
    /// The settable CXone status he last chose, or else the first one seen.
    pub previous: Option<CxoneStatus>,
    /// The row of Salesforce that is observed.
    pub observed_row: Option<RowId>,
    /// The last rows that were taken, the newest first.
    pub rows: [Option<RowId>; ROWS_KEPT],
    /// The newest browser.
    pub epoch: Option<Epoch>,
    /// The newest arming of his timer.
    pub generation: Generation,
    /// The number of his newest command.
    pub issued: Sequence,
    /// The last commands, the oldest first; no more than [`Remembered::COMMANDS_MAX`].
    pub commands: &'r [Entry],
    /// When the last commands were issued, the oldest first; no more than [`Remembered::TIMES_MAX`].
    pub command_times: &'r [TimeMs],
    /// Until when everything is held.
    pub cool_down_until: Option<TimeMs>,
    /// How many cool-downs followed one another.
    pub doublings: u8,
    /// What each platform has yet to do.
    pub waiting: Both<Waiting>,
    /// His timer.
    pub armed: Option<Armed>,
    /// The contact that lasts.
    pub contact: Option<Contact>,
    /// The close of the observed row.
    pub pending_close: Option<PendingClose>,
    /// The close of a row that was not seen yet.
    pub early_close: Option<EarlyClose>,
    /// What an inferred Offline replaced.
    pub replaced: Option<Replaced>,
}

/// What a platform shows and should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RememberedSide<S> {
    /// What it shows.
    pub shown: Option<Shown<S>>,
    /// Whether it is reachable.
    pub reachable: bool,
    /// Whether it showed the target of this intent.
    pub caught_up: bool,
    /// The target at the last event.
    pub target: Option<S>,
}

/// What a platform shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<S> {
    /// The status.
    pub status: S,
    /// When it began, by the platform's own clock.
    pub since_raw: TimeMs,
    /// How far that clock was ahead of ours.
    pub offset: Offset,
    /// One of our commands caused it.
    pub ours: bool,
}

impl<S> Default for RememberedSide<S> {
    fn default() -> Self {
        RememberedSide { shown: None, reachable: false, caught_up: false, target: None }
    }
}

impl Remembered<'_> {
    /// The most commands that are remembered.
    pub const COMMANDS_MAX: usize = PLATFORMS.len() * ring::KEPT;
    /// The most times of commands that are remembered: what a revision's flap window may count.
    pub const TIMES_MAX: usize = crate::rules::FLAP_COMMANDS_MAX as usize;
}

impl AgentState {
    /// All that is remembered of the agent.
    #[inline]
    pub fn remembered(&self) -> Remembered<'_> {
        let busy = self.busy.as_deref();
        let rare = busy.and_then(|busy| busy.rare.as_deref());
        let waiting =
            busy.map_or(Both { salesforce: Waiting::EMPTY, cxone: Waiting::EMPTY }, |busy| busy.waiting);
        Remembered {
            intent: self.intent(),
            salesforce: self.remembered_side(Platform::Salesforce, &self.salesforce),
            cxone: self.remembered_side(Platform::Cxone, &self.cxone),
            previous: self.previous,
            observed_row: self.observed_row(),
            rows: self.rows(),
            epoch: self.epoch(),
            generation: self.generation,
            issued: self.issued,
            commands: self.ring().entries(),
            command_times: &self.flapping().times,
            cool_down_until: self.flapping().until,
            doublings: self.flapping().doublings,
            waiting,
            armed: busy.and_then(|busy| busy.armed),
            contact: busy.and_then(|busy| busy.contact),
            pending_close: busy.and_then(|busy| busy.pending_close),
            early_close: rare.and_then(|rare| rare.early_close),
            replaced: rare.and_then(|rare| rare.replaced),
        }
    }

    #[inline]
    fn remembered_side<S: Copy>(&self, platform: Platform, side: &Side<S>) -> RememberedSide<S> {
        let shown = side.shown.map(|status| Shown {
            status,
            since_raw: side.since_raw,
            offset: side.offset,
            ours: self.flags.has(Flags::of(Flags::OURS, platform)),
        });
        RememberedSide {
            shown,
            reachable: self.is_reachable(platform),
            caught_up: self.is_caught_up(platform),
            target: side.target,
        }
    }

    /// The state of which this is remembered. Of more commands than are kept only the newest count.
    pub fn recalled(remembered: &Remembered<'_>, assignment: Option<Assignment>) -> AgentState {
        let mut state = AgentState::new(assignment);
        state.generation = remembered.generation;
        state.issued = remembered.issued;
        state.previous = remembered.previous;
        state.set_intent(remembered.intent);
        state.set_rows(remembered.rows);
        if let Some(epoch) = remembered.epoch {
            state.set_epoch(epoch);
        }
        state.recall_sides(remembered);
        if !remembered.is_at_rest() {
            let busy = state.busy.get_or_insert_default();
            busy.ring = Ring::of_newest(remembered.commands);
            let skipped = remembered.command_times.len().saturating_sub(Remembered::TIMES_MAX);
            let mut times = SmallVec::new();
            let newest = remembered.command_times.get(skipped..).unwrap_or_default();
            times.reserve_exact(newest.len());
            times.extend_from_slice(newest);
            busy.flapping =
                Flapping { times, until: remembered.cool_down_until, doublings: remembered.doublings };
            busy.waiting = remembered.waiting;
            busy.armed = remembered.armed;
            busy.contact = remembered.contact;
            busy.pending_close = remembered.pending_close;
            state.set_early_close(remembered.early_close);
            state.set_replaced(remembered.replaced);
        }
        state.trim();
        state
    }

    fn recall_sides(&mut self, remembered: &Remembered<'_>) {
        let (salesforce, cxone) = (remembered.salesforce, remembered.cxone);
        let row = remembered.observed_row;
        let observed = salesforce.shown.map(|Shown { status, since_raw, offset, ours }| Observed {
            status: Status::Salesforce(status),
            since_raw,
            offset,
            row,
            ours,
        });
        self.observe(Platform::Salesforce, observed);
        let observed = cxone.shown.map(|Shown { status, since_raw, offset, ours }| Observed {
            status: Status::Cxone(status),
            since_raw,
            offset,
            row: None,
            ours,
        });
        self.observe(Platform::Cxone, observed);
        self.set_target(Platform::Salesforce, salesforce.target.map(Status::Salesforce));
        self.set_target(Platform::Cxone, cxone.target.map(Status::Cxone));
        self.set_reachable(Platform::Salesforce, salesforce.reachable);
        self.set_reachable(Platform::Cxone, cxone.reachable);
        self.set_caught_up(Platform::Salesforce, salesforce.caught_up);
        self.set_caught_up(Platform::Cxone, cxone.caught_up);
    }
}

impl Remembered<'_> {
    fn is_at_rest(&self) -> bool {
        self.commands.is_empty()
            && self.command_times.is_empty()
            && self.cool_down_until.is_none()
            && self.doublings == 0
            && self.waiting == Both::default()
            && self.armed.is_none()
            && self.contact.is_none()
            && self.pending_close.is_none()
            && self.early_close.is_none()
            && self.replaced.is_none()
    }
}
