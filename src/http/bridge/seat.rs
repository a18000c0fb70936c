//! An agent's connections to a gateway, and the command that he is to be given.

use std::time::{Duration, Instant};

use super::message::{CommandName, Down};
use crate::codec::Outcome;
use crate::domain::{AgentId, DurationMs, Platform, SalesforceStatus, TimeMs};
use crate::engine::{Epoch, Sequence, Verdict};

/// Who has lost his connection and comes back within this goes on where he was.
pub(super) const RESUMED_WITHIN: Duration = Duration::from_secs(5);
/// What is not answered is said again after so long; and where it is for another gateway, which may be gone, done here.
pub(super) const SAID_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// So many commands that were dealt with are remembered, so that nothing is told twice of them.
const FINISHED_MAX: usize = 8;

/// Names a connection of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConnectionId(pub(super) u64);

/// A page that is connected.
#[derive(Clone, Debug)]
pub(super) struct Tab {
    pub(super) connection: ConnectionId,
    pub(super) page: String,
    pub(super) epoch: Epoch,
    /// How far Salesforce's clock is ahead of ours, as this page tells it.
    pub(super) offset: DurationMs,
}

/// A page that holds the agent.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) tab: Tab,
    /// Its connection was lost then.
    pub(super) lost: Option<Instant>,
}

/// A command for the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Whom it is for.
    pub(super) agent: AgentId,
    /// Its number among his commands.
    pub(super) sequence: Sequence,
    /// When it was issued.
    pub(super) issued: TimeMs,
    /// What to set.
    pub(super) status: SalesforceStatus,
}

impl Order {
    pub(super) const fn name(&self) -> CommandName {
        CommandName { agent: self.agent, sequence: self.sequence, issued: self.issued }
    }

    pub(super) fn message(&self) -> Down {
        let status = match self.status {
            SalesforceStatus::Offline => None,
            SalesforceStatus::Presence(id) => Some(id.to_string()),
        };
        let order = (self.issued.as_unix_ms(), self.sequence.0);
        Down::Command { command: self.name().to_string(), order, status }
    }
}

/// What became of a command.
pub(super) fn outcome(name: CommandName, verdict: Verdict, detail: Option<String>) -> Outcome<'static> {
    let CommandName { sequence, issued, .. } = name;
    Outcome { platform: Platform::Salesforce, sequence, issued, verdict, detail: detail.map(Into::into) }
}

/// A command that has no outcome yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) order: Order,
    pub(super) came: Instant,
    /// When it was last sent.
    pub(super) sent: Option<Instant>,
}

/// What a gateway has of a user.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// None while he is not linked.
    pub(super) agent: Option<AgentId>,
    pub(super) holder: Option<Holder>,
    /// The others, in the order in which they came.
    pub(super) tabs: Vec<Tab>,
    /// Another gateway holds him, with this number.
    pub(super) elsewhere: Option<Epoch>,
    pub(super) kept: Option<Kept>,
    /// When he was taken over from a gateway that did not answer.
    pub(super) taken_over: Option<Instant>,
    finished: Vec<CommandName>,
}

impl Seat {
    /// One of somebody who may be linked.
    pub(super) fn of(agent: Option<AgentId>) -> Seat {
        Seat { agent, ..Seat::default() }
    }

    /// How many connections he has.
    pub(super) fn len(&self) -> usize {
        let live = self.holder.as_ref().is_some_and(|holder| holder.lost.is_none());
        self.tabs.len() + usize::from(live)
    }

    /// Whether nothing is left of him.
    pub(super) fn is_empty(&self) -> bool {
        self.holder.is_none() && self.tabs.is_empty()
    }

    /// The connection over which he can be told something.
    pub(super) fn held_by(&self) -> Option<&Tab> {
        self.holder.as_ref().filter(|holder| holder.lost.is_none()).map(|holder| &holder.tab)
    }

    /// His page of that connection.
    pub(super) fn tab_mut(&mut self, connection: ConnectionId) -> Option<&mut Tab> {
        let holder = self.holder.iter_mut().filter(|holder| holder.lost.is_none());
        let mut all = holder.map(|holder| &mut holder.tab).chain(&mut self.tabs);
        all.find(|tab| tab.connection == connection)
    }

    /// A command was dealt with.
    pub(super) fn finish(&mut self, name: CommandName) {
        if self.finished.len() == FINISHED_MAX {
            self.finished.remove(0);
        }
        self.finished.push(name);
        if self.kept.is_some_and(|kept| kept.order.name() == name) {
            self.kept = None;
        }
    }

    /// Whether it was dealt with already.
    pub(super) fn has_finished(&self, name: CommandName) -> bool {
        self.finished.contains(&name)
    }
}
