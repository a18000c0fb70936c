//! What can happen to an agent: the input of [`super::apply`].

use crate::domain::{Cause, DurationMs, Platform, RowId, Status, TeamId, TimeMs};

use super::{Assignment, Generation, Sequence};

/// Something that happened, at the moment at which the log took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The record's append time, clamped so that it never runs backwards. The only clock there is.
    pub now: TimeMs,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A link was made: there is an agent now.
    Linked(Membership),
    /// The link was removed.
    Unlinked,
    /// Everything about the agent is to be forgotten.
    Forgotten,
    /// The agent belongs to another team now.
    TeamMoved(Membership),
    /// A platform shows the agent in a status.
    Observation(Observation),
    /// A row of Salesforce was closed.
    RowClosed(RowClosed),
    /// A browser with this epoch holds the agent's connection.
    Connected(Epoch),
    /// The browser with this epoch is gone.
    Disconnected(Epoch),
    /// What became of a command.
    Outcome(Outcome),
    /// A timer that an earlier event armed.
    WakeUp(WakeUp),
    /// A revision takes effect; the tables handed in are its tables.
    Activated {
        /// Which table of the revision holds for the agent.
        assignment: Option<Assignment>,
    },
    /// An operator says that what diverged is to be tried again.
    Retry,
}

/// The agent's team, and the table that follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Membership {
    /// The team in CXone, where it is known.
    pub team: Option<TeamId>,
    /// Which table of the revision in force holds for the agent.
    pub assignment: Option<Assignment>,
}

/// Counts the browsers of an agent: the newest holds his connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// A platform shows the agent in a status since a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The status, and with it the platform.
    pub status: Status,
    /// When it began, by the platform's own clock, unaltered.
    pub since_raw: TimeMs,
    /// How far the platform's clock is ahead of ours.
    pub offset: DurationMs,
    /// The row of Salesforce, where the feed names it.
    pub row: Option<RowId>,
    /// What made it, where the platform tells.
    pub cause: Cause,
    /// When the snapshot that found it was asked, by our clock; `None` where a feed brought it.
    pub asked: Option<TimeMs>,
}

/// A row of Salesforce has ended, or a snapshot shows no current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowClosed {
    /// The row; `None` where a snapshot found no current row.
    pub row: Option<RowId>,
    /// When it ended, by Salesforce's clock.
    pub at_raw: TimeMs,
    /// How far Salesforce's clock is ahead of ours.
    pub offset: DurationMs,
    /// When the snapshot that found it was asked, by our clock; `None` where a feed brought it.
    pub asked: Option<TimeMs>,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The platform the command was for.
    pub platform: Platform,
    /// Which command.
    pub command: Sequence,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a command, as the sink saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The platform took it; only an observation confirms it.
    Accepted,
    /// The platform refused it, and would refuse it again.
    Permanent,
    /// The platform refused it for the state the agent is in just now.
    Conflict,
    /// The agent has no session, or no browser holds him.
    Unreachable,
    /// A newer command took its place before it was sent.
    Superseded,
    /// It was sent, and no answer came.
    Unknown,
}

/// A timer that has come due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeUp {
    /// What it was armed for.
    pub cause: WakeCause,
    /// Which arming it belongs to: a later one makes it stale.
    pub generation: Generation,
}

/// What a timer is armed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WakeCause {
    /// A command that should have been seen by then.
    Confirm(Platform),
    /// A closed row of Salesforce that no new one followed.
    Grace,
    /// The end of a cool-down after flapping.
    CoolDown,
}
