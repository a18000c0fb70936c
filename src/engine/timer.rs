//! The one timer of an agent: armed for the earliest thing he waits for.

use crate::domain::{Platform, TimeMs};

use super::{Generation, Mutation, PLATFORMS, Step, Timer, WakeCause, is_on};

/// A timer that is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Armed {
    pub(super) at: TimeMs,
    pub(super) cause: WakeCause,
    pub(super) generation: Generation,
}

impl Step<'_> {
    /// When a command to this platform has lapsed; `None` where no clock runs. A contact stops CXone's.
    pub(super) fn confirm_due(&self, platform: Platform) -> Option<TimeMs> {
        if platform == Platform::Cxone && self.state.contact.is_some() {
            return None;
        }
        let side = self.side(platform);
        let entry = side.ring.get(side.outstanding?)?;
        if is_on(Mutation::UnsentLapses) {
            return Some(entry.issued + self.settings.confirm);
        }
        entry.outcome.map(|(_, at)| at + self.settings.confirm)
    }

    /// Arms the timer anew where what is waited for has changed.
    pub(super) fn arm(&mut self) {
        let confirms = PLATFORMS.map(|p| self.confirm_due(p).map(|at| (at, WakeCause::Confirm(p))));
        let grace = self.state.pending_close.map(|close| (close.due, WakeCause::Grace));
        let cool_down = self.state.flapping.until.map(|until| (until, WakeCause::CoolDown));
        let wanted = confirms.into_iter().chain([grace, cool_down]).flatten().min();
        let armed = self.state.armed.map(|armed| (armed.at, armed.cause));
        if wanted == armed {
            return;
        }
        self.effects.timer = Some(match wanted {
            None => {
                self.state.armed = None;
                Timer::Disarm
            }
            Some((at, cause)) => {
                let generation = Generation(self.state.generation.0.wrapping_add(1));
                self.state.generation = generation;
                self.state.armed = Some(Armed { at, cause, generation });
                Timer::Arm { at, cause, generation }
            }
        });
    }
}
