//! What became of a command.

use crate::domain::Platform;

use super::{GivenUp, Outcome, Reason, Sequence, Step, Verdict};

impl Step<'_> {
    /// The first outcome of a command counts; a 2xx is no proof, so an accepted one only starts the clock.
    pub(super) fn outcome(&mut self, outcome: &Outcome) -> Reason {
        let Outcome { platform, command, .. } = *outcome;
        let now = self.now;
        let shown = self.state.shown(platform);
        let in_contact = platform == Platform::Cxone && self.state.contact().is_some();
        // Who shows as logged out is not in a conflict: he is not there.
        let verdict = match outcome.verdict {
            Verdict::Conflict if shown.is_some_and(|status| status.is_off()) => Verdict::Unreachable,
            verdict => verdict,
        };
        let Some(entry) = self.state.command_mut(command).filter(|e| e.status.platform() == platform) else {
            return Reason::UnknownCommand;
        };
        if entry.outcome().is_some() {
            return Reason::DuplicateOutcome;
        }
        entry.answer(verdict, now);
        if entry.is_taken() && !in_contact {
            entry.settle(now);
        }
        let (issued, status) = (entry.issued, entry.status);
        let target = self.state.target(platform);
        let waiting = self.state.waiting_mut(platform);
        let is_outstanding = { waiting.outstanding } == command;
        match verdict {
            Verdict::Accepted | Verdict::Unknown => {
                if is_outstanding && target.is_some() && shown == target {
                    waiting.outstanding = Sequence::NONE;
                }
            }
            Verdict::Conflict => {}
            Verdict::Superseded | Verdict::Unreachable | Verdict::Permanent => {
                if is_outstanding {
                    waiting.outstanding = Sequence::NONE;
                }
                if verdict == Verdict::Unreachable && waiting.up_at <= issued {
                    self.state.set_reachable(platform, false);
                }
                if verdict == Verdict::Permanent && target == Some(status) {
                    self.give_up(platform, GivenUp::Refused);
                }
            }
        }
        Reason::Outcome(verdict)
    }
}
