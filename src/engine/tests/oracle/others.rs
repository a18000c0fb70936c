//! Every event but an observation.

use super::past::{Close, Past};
use crate::domain::Platform;
use crate::engine::*;

impl Past<'_> {
    pub(super) fn row_closed(&mut self, closed: RowClosed) -> Reason {
        let Some(view) = self.observed(Platform::Salesforce) else {
            return self.closed_unseen(closed);
        };
        let close = self.close(closed);
        match closed.row {
            None => {
                // A snapshot without a row closes what is observed, unless that began after the question.
                let asked = closed.asked.unwrap_or(self.now);
                if view.status.is_off() || view.since() > asked {
                    return Reason::ClosedLate;
                }
            }
            Some(row) if view.row == Some(row) => {}
            Some(row) if self.knows(row) => return Reason::ClosedLate,
            Some(_) => return self.closed_unseen(closed),
        }
        self.closes(close)
    }

    fn close(&self, closed: RowClosed) -> Close {
        let due = self.now + self.settings().grace;
        Close { row: closed.row, raw: closed.at_raw, offset: closed.offset, due }
    }

    /// A grace begins, unless one runs.
    fn closes(&mut self, close: Close) -> Reason {
        self.closing = self.closing.or(Some(close));
        Reason::Closing
    }

    fn closed_unseen(&mut self, closed: RowClosed) -> Reason {
        if closed.row.is_none() {
            return self.closes(self.close(closed));
        }
        // The newest such close counts.
        if self.closed_early.is_none_or(|other| closed.at_raw >= other.raw) {
            self.closed_early = Some(self.close(closed));
        }
        Reason::ClosedEarly
    }

    pub(super) fn connected(&mut self, epoch: Epoch) -> Reason {
        if self.browsers.iter().any(|known| *known >= epoch) {
            return Reason::StaleEpoch;
        }
        self.browsers.push(epoch);
        let platform = Platform::Salesforce;
        if !self.observed(platform).is_some_and(|view| view.status.is_off()) {
            self.set_reach(platform, true);
        }
        self.reissue = self.outstanding(platform).is_some() || self.is_under_way(platform);
        self.outstanding.salesforce = None;
        Reason::Connected
    }

    pub(super) fn disconnected(&mut self, epoch: Epoch) -> Reason {
        if self.browsers.last() != Some(&epoch) {
            return Reason::StaleEpoch;
        }
        self.set_reach(Platform::Salesforce, false);
        Reason::Disconnected
    }

    pub(super) fn outcome(&mut self, outcome: Outcome) -> Reason {
        let Outcome { platform, command, verdict } = outcome;
        let Some(sent) = self.ring(platform).into_iter().find(|s| s.command.sequence == command) else {
            return Reason::UnknownCommand;
        };
        if sent.outcome.is_some() {
            return Reason::DuplicateOutcome;
        }
        let logged_out = self.shown(platform).is_some_and(|view| view.status.is_off());
        let verdict = if verdict == Verdict::Conflict && logged_out { Verdict::Unreachable } else { verdict };
        let in_contact = self.contacts.len().checked_sub(1);
        let in_contact = in_contact.filter(|_| platform == Platform::Cxone && self.contact().is_some());
        let now = self.now;
        if let Some(sent) = self.sent_mut(command) {
            sent.outcome = Some((verdict, now));
            sent.in_contact = in_contact;
        }
        let is_outstanding = *self.outstanding.of(platform) == Some(command);
        match verdict {
            Verdict::Accepted | Verdict::Unknown => {
                if is_outstanding && self.shows_target(platform) {
                    *self.outstanding.of_mut(platform) = None;
                }
            }
            Verdict::Conflict => {}
            Verdict::Superseded | Verdict::Unreachable | Verdict::Permanent => {
                if is_outstanding {
                    *self.outstanding.of_mut(platform) = None;
                }
            }
        }
        // That another target is refused says nothing of today's.
        let todays = self.targets.of(platform).status() == Some(sent.command.status);
        if verdict == Verdict::Permanent && todays {
            self.give_up(platform, GivenUp::Refused);
        }
        let seen_since = self.up_at(platform).is_some_and(|at| at > sent.command.issued);
        if verdict == Verdict::Unreachable && !seen_since {
            self.set_reach(platform, false);
        }
        Reason::Outcome(verdict)
    }

    pub(super) fn wake_up(&mut self, wake_up: WakeUp) -> Reason {
        let Some(armed) = self.armed else { return Reason::StaleWakeUp };
        if armed.generation != wake_up.generation {
            return Reason::StaleWakeUp;
        }
        self.armed = None;
        if armed.at > self.now {
            return Reason::EarlyWakeUp;
        }
        match armed.cause {
            WakeCause::Confirm(platform) => self.lapse(platform),
            WakeCause::Grace => self.grace_is_over(),
            WakeCause::CoolDown => {
                self.cooling = false;
                if self.commands_within_window() >= usize::from(self.settings().flap_commands) {
                    self.cool_down();
                }
            }
        }
        Reason::Due(armed.cause)
    }

    pub(super) fn moved(&mut self, membership: Membership) -> Reason {
        self.membership = membership;
        self.forget_all_lapses();
        Reason::TeamMoved
    }

    pub(super) fn activated(&mut self, assignment: Option<Assignment>) -> Reason {
        self.membership.assignment = assignment;
        self.forget_all_lapses();
        Reason::Activated
    }

    pub(super) fn retry(&mut self) -> Reason {
        self.forget_all_lapses();
        Reason::Retried
    }
}
