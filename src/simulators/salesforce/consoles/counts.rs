//! What is counted of consoles, and what is told of commands as they come and are done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::Serialize;

use super::message::{Bye, Outcome};
use super::transport::Unreached;
use crate::domain::UserId;

/// What happens to a command in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The page has it, be it for the first time or again.
    Received,
    /// It was dealt with.
    Finished(Outcome),
}

/// Something happened to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whose page it is.
    pub user: UserId,
    /// The name of the command.
    pub command: String,
    /// What happened.
    pub step: Step,
    /// When.
    pub at: Instant,
}

/// What was counted since the consoles began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// How many pages are open.
    pub pages: u64,
    /// How many of them are connected and welcome.
    pub connected: u64,
    /// How many of those hold their agent.
    pub holding: u64,
    /// Connections that were welcome.
    pub welcomes: u64,
    /// Tries to connect that were not a page's first.
    pub reconnects: u64,
    /// Tries that have met nobody, or nobody who takes pages of this origin (`origin`).
    pub unreached: BTreeMap<&'static str, u64>,
    /// Connections that a gateway has ended, by its reason.
    pub byes: BTreeMap<&'static str, u64>,
    /// Connections that were lost without a word.
    pub lost: u64,
    /// Commands that came, those that came again among them.
    pub commands: u64,
    /// Commands that were dealt with, by what became of them.
    pub outcomes: BTreeMap<&'static str, u64>,
}

/// A number that many pages change.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Follows whether something of one page is so.
    pub(super) fn follow(&self, was: &mut bool, is: bool) {
        match (*was, is) {
            (false, true) => self.up(),
            (true, false) => self.down(),
            _ => {}
        }
        *was = is;
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All numbers.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) pages: Count,
    pub(super) connected: Count,
    pub(super) holding: Count,
    pub(super) welcomes: Count,
    pub(super) reconnects: Count,
    pub(super) lost: Count,
    pub(super) commands: Count,
    foreign: Count,
    failed: Count,
    byes: [Count; Bye::ALL.len()],
    outcomes: [Count; Outcome::ALL.len()],
}

impl Counts {
    pub(super) fn unreached(&self, why: &Unreached) {
        match why {
            Unreached::Origin => self.foreign.up(),
            Unreached::Failed => self.failed.up(),
        }
    }

    pub(super) fn bye(&self, reason: Bye) {
        let of_reason = Bye::ALL.iter().zip(&self.byes).find(|(one, _)| **one == reason);
        of_reason.into_iter().for_each(|(_, count)| count.up());
    }

    pub(super) fn outcome(&self, outcome: Outcome) {
        let of_kind = Outcome::ALL.iter().zip(&self.outcomes).find(|(one, _)| **one == outcome);
        of_kind.into_iter().for_each(|(_, count)| count.up());
    }

    pub(super) fn read(&self) -> Counted {
        let byes = Bye::ALL.iter().zip(&self.byes);
        let outcomes = Outcome::ALL.iter().zip(&self.outcomes);
        Counted {
            pages: self.pages.get(),
            connected: self.connected.get(),
            holding: self.holding.get(),
            welcomes: self.welcomes.get(),
            reconnects: self.reconnects.get(),
            unreached: [("failed", self.failed.get()), ("origin", self.foreign.get())].into(),
            byes: byes.map(|(reason, count)| (reason.name(), count.get())).collect(),
            lost: self.lost.get(),
            commands: self.commands.get(),
            outcomes: outcomes.map(|(outcome, count)| (outcome.name(), count.get())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_and_outcome_has_its_number() {
        let counts = Counts::default();
        for (times, reason) in (1..).zip(Bye::ALL) {
            (0..times).for_each(|_| counts.bye(reason));
        }
        for (times, outcome) in (1..).zip(Outcome::ALL) {
            (0..times).for_each(|_| counts.outcome(outcome));
        }
        counts.unreached(&Unreached::Origin);
        let (mut one, mut two) = (false, false);
        for is in [true, true, false, true] {
            counts.connected.follow(&mut one, is);
        }
        counts.connected.follow(&mut two, false);
        let read = counts.read();
        assert_eq!((read.byes["token"], read.byes["shutting_down"], read.byes["other"]), (1, 6, 7));
        assert_eq!((read.outcomes["done"], read.outcomes["unreachable"]), (1, 4));
        assert_eq!((read.unreached["origin"], read.unreached["failed"], read.connected), (1, 0, 1));
    }
}
