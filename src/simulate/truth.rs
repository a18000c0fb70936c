//! What really happened on the platforms, and who did it: what the checkers know, and the engine does not.

use crate::domain::{Cause, DurationMs, Platform, TimeMs};
use crate::engine::{Command, Status};

/// Who changed a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// He himself, or a supervisor for him.
    Person(Cause),
    /// The platform, of its own accord.
    Platform(Cause),
    /// The platform put him back where he was before a contact.
    Return,
    /// A command of ours; `late` if the platform answered first and did it later.
    Command {
        /// Which one.
        command: Command,
        /// Whether newer ones may have overtaken it.
        late: bool,
    },
}

impl By {
    /// What Salesforce's console says of it.
    pub(super) const fn cause(self) -> Cause {
        match self {
            By::Person(cause) | By::Platform(cause) => cause,
            By::Return => Cause::Unknown,
            By::Command { .. } => Cause::Toolkit,
        }
    }
}

/// A platform showed another status from then on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) at: TimeMs,
    pub(super) status: Status,
    pub(super) by: By,
    /// He was logged out there, and is no longer.
    pub(super) is_login: bool,
    /// When an observation of it first reached the log.
    pub(super) seen: Option<TimeMs>,
}

impl Change {
    pub(super) const fn is_choice(&self) -> bool {
        matches!(self.by, By::Person(_))
    }
}

/// Everything that happened.
#[derive(Default)]
pub(super) struct Truth {
    pub(super) changes: Vec<Change>,
    /// When something else happened that the law lets begin anew: a contact, a browser, rules, a link, or the news
    /// of a change.
    pub(super) happenings: Vec<TimeMs>,
    /// When the agent was linked.
    pub(super) links: Vec<TimeMs>,
    /// From when to when a platform told nothing.
    pub(super) outages: Vec<(TimeMs, TimeMs)>,
    /// When contacts ended that no poll had shown.
    pub(super) hidden_contacts: Vec<TimeMs>,
}

/// So long the feeds may take, and may tell of two choices in the wrong order.
const FEEDS: DurationMs = DurationMs::from_seconds(20);

impl Truth {
    /// The number of the last change on a platform.
    pub(super) fn last(&self, platform: Platform) -> Option<usize> {
        self.changes.iter().rposition(|change| change.status.platform() == platform)
    }

    /// An observation of a change reached the log.
    pub(super) fn saw(&mut self, change: usize, now: TimeMs) {
        if let Some(change) = self.changes.get_mut(change) {
            change.seen.get_or_insert(now);
            if !matches!(change.by, By::Command { .. }) {
                self.happenings.push(now);
            }
        }
    }

    /// Whether anything but a command of ours happened, or was told of, after the one moment and up to the
    /// other.
    pub(super) fn happened(&self, after: TimeMs, until: TimeMs) -> bool {
        let others = self.changes.iter().filter(|change| !matches!(change.by, By::Command { .. }));
        let mut times = others.map(|change| change.at).chain(self.happenings.iter().copied());
        times.any(|at| at > after && at <= until)
    }

    /// Whether a platform told nothing at some time from the one moment to the other.
    pub(super) fn was_silent(&self, from: TimeMs, until: TimeMs) -> bool {
        self.outages.iter().any(|(began, ended)| *began <= until && *ended >= from)
    }

    /// Whether an outage, the end of a contact that no poll showed, or a new link lies between.
    pub(super) fn was_hidden(&self, from: TimeMs, until: TimeMs) -> bool {
        let hid = |at: &TimeMs| *at >= from && *at <= until;
        self.was_silent(from, until) || self.hidden_contacts.iter().chain(&self.links).any(hid)
    }

    /// His choices on a platform that the engine can hold for the last one at that time, the newest first: down to
    /// the newest of which an observation had reached the log. A log-out or a log-in need not be a choice.
    pub(super) fn last_choices(&self, platform: Platform, at: TimeMs) -> impl Iterator<Item = &Change> {
        let mut is_known = false;
        let settled = at - FEEDS;
        self.changes
            .iter()
            .rev()
            .filter(move |change| {
                change.at <= at && change.status.platform() == platform && change.is_choice()
            })
            .take_while(move |change| {
                let go_on = !is_known;
                let plain = !change.is_login && !change.status.is_off();
                is_known |= plain && change.at <= settled && change.seen.is_some_and(|seen| seen <= at);
                go_on
            })
    }

    /// His last choice on the other platform.
    pub(super) fn rival(&self, choice: &Change) -> Option<&Change> {
        let other = choice.status.platform().other();
        let mut before = self.changes.iter().rev().filter(|change| change.at <= choice.at);
        before.find(|change| change.status.platform() == other && change.is_choice())
    }

    /// His last choice, if nobody can doubt that it was: no login, nothing that a platform did of its own accord
    /// after it, and long after his last choice on the other platform, his last log-in, his link and an outage.
    pub(super) fn clear_choice(&self, apart: DurationMs) -> Option<&Change> {
        let is_act = |change: &&Change| matches!(change.by, By::Person(_) | By::Platform(_));
        let acts = || self.changes.iter().rev().filter(is_act);
        let last = acts().next().filter(|last| last.is_choice() && !last.is_login)?;
        let other = last.status.platform().other();
        let is_rival =
            |change: &&Change| change.status.platform() == other || change.is_login || !change.is_choice();
        let rival = acts().find(is_rival).map(|rival| rival.at);
        let link = self.links.last().copied();
        let is_clear = [rival, link].into_iter().flatten().all(|rival| last.at.since(rival) > apart);
        let told = !self.was_silent(last.at - apart, last.at + apart);
        (is_clear && told).then_some(last)
    }
}
