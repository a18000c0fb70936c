//! What happened since it was looked at last, counted where it costs nothing.

use crate::codec::DecidedAs;
use crate::domain::{Both, DurationMs};
use crate::engine::Effects;

/// Counts of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that were dealt with.
    pub events: u64,
    /// Decisions, by reason.
    pub decisions: Vec<(DecidedAs, u64)>,
    /// Commands to the sinks of each platform.
    pub commands: Both<u64>,
    /// State records.
    pub states: u64,
    /// Timers that came due.
    pub wake_ups: u64,
    /// Records that were set aside.
    pub dead_letters: u64,
    /// Agents that were given up on, flapping ones among them.
    pub given_up: u64,
    /// How long it took, each time that a platform came to show what an agent had chosen and a command was needed for it.
    pub synced: Both<Vec<DurationMs>>,
    /// Agents there are.
    pub agents: usize,
}

impl Tally {
    pub(super) fn decided(&mut self, reason: DecidedAs, effects: &Effects) {
        self.decided_for_all(reason);
        let decision = &effects.decision;
        let given_up = decision.diverged.salesforce.is_some() || decision.diverged.cxone.is_some();
        self.given_up += u64::from(given_up || decision.flapping);
    }

    pub(super) fn decided_for_all(&mut self, reason: DecidedAs) {
        match self.decisions.iter_mut().find(|(one, _)| *one == reason) {
            Some((_, count)) => *count += 1,
            None => self.decisions.push((reason, 1)),
        }
    }

    /// Counts anew from here.
    pub(super) fn clear(&mut self) {
        self.decisions.iter_mut().for_each(|(_, count)| *count = 0);
        let decisions = std::mem::take(&mut self.decisions);
        *self = Tally { decisions, agents: self.agents, ..Tally::default() };
    }
}
