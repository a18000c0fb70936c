//! The last commands to a platform: what an observation may be the echo of.

use crate::domain::TimeMs;

use super::state::{MATCHED_KEPT, Sequence};
use super::{Status, Verdict};

/// So many of the last commands are kept.
const KEPT: usize = 8;

/// A command that was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) sequence: Sequence,
    pub(super) status: Status,
    pub(super) issued: TimeMs,
    /// The number of the intent it was issued for.
    pub(super) intent: u32,
    pub(super) outcome: Option<(Verdict, TimeMs)>,
    /// From when on its echo may be only so late; `None` until then.
    pub(super) settled: Option<TimeMs>,
    /// The start of the observation that was its echo, by the platform's clock.
    pub(super) matched: Option<TimeMs>,
}

impl Entry {
    /// It can have no echo.
    pub(super) fn is_dead(&self) -> bool {
        let verdict = self.outcome.map(|(verdict, _)| verdict);
        matches!(
            verdict,
            Some(Verdict::Permanent | Verdict::Conflict | Verdict::Superseded | Verdict::Unreachable)
        )
    }

    /// The platform took it, or may have.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.outcome, Some((Verdict::Accepted | Verdict::Unknown, _)))
    }
}

/// The last commands, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ring(Vec<Entry>);

impl Ring {
    pub(super) fn push(&mut self, entry: Entry) {
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        if self.0.is_empty() {
            self.0.reserve_exact(1);
        }
        self.0.push(entry);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.0.iter_mut()
    }

    pub(super) fn get(&self, sequence: Sequence) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.sequence == sequence)
    }

    pub(super) fn get_mut(&mut self, sequence: Sequence) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.sequence == sequence)
    }

    /// A command that may still reach the platform: it has no outcome, and none that was issued after it has
    /// been taken or refused by the platform, for the sink sends an agent's commands in order.
    pub(super) fn has_one_under_way(&self) -> bool {
        let answered = self.0.iter().rposition(|e| {
            matches!(
                e.outcome,
                Some((Verdict::Accepted | Verdict::Unknown | Verdict::Permanent | Verdict::Conflict, _))
            )
        });
        self.0.iter().skip(answered.map_or(0, |i| i + 1)).any(|entry| entry.outcome.is_none())
    }

    /// A matched or dead command goes when it is old, but never the one that is outstanding: its outcome, or that
    /// it lapses, is still to come.
    pub(super) fn forget_old(&mut self, now: TimeMs, outstanding: Option<Sequence>) {
        let is_old =
            |entry: &Entry| now.since(entry.issued) >= MATCHED_KEPT && Some(entry.sequence) != outstanding;
        if self.0.iter().any(is_old) {
            self.0.retain(|entry| !is_old(entry) || !(entry.matched.is_some() || entry.is_dead()));
            if self.0.is_empty() {
                self.0 = Vec::new();
            }
        }
    }
}
