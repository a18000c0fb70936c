//! The one timer of an agent: armed for the earliest thing he waits for.

use crate::domain::{Platform, TimeMs};

use super::{Generation, Mutation, PLATFORMS, Step, Timer, WakeCause, is_on};

/// A timer that is armed; its generation is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Armed {
    /// When it is due.
    pub at: TimeMs,
    /// What for.
    pub cause: WakeCause,
}

impl Step<'_> {
    /// When a command to this platform has lapsed; `None` where no clock runs. A contact stops CXone's.
    pub(super) fn confirm_due(&self, platform: Platform) -> Option<TimeMs> {
        if platform == Platform::Cxone && self.state.contact().is_some() {
            return None;
        }
        let entry = self.outstanding(platform)?;
        if is_on(Mutation::UnsentLapses) {
            return Some(entry.issued + self.settings.confirm);
        }
        entry.outcome().map(|(_, at)| at + self.settings.confirm)
    }

    /// Arms the timer anew where what is waited for has changed.
    pub(super) fn arm(&mut self) {
        if self.state.is_at_rest() {
            return;
        }
        let mut wanted = None;
        let mut want = |at: Option<TimeMs>, cause| {
            if let Some(at) = at
                && wanted.is_none_or(|earliest| (at, cause) < earliest)
            {
                wanted = Some((at, cause));
            }
        };
        for platform in PLATFORMS {
            want(self.confirm_due(platform), WakeCause::Confirm(platform));
        }
        want(self.state.pending_close().map(|close| close.due), WakeCause::Grace);
        want(self.state.flapping().until, WakeCause::CoolDown);
        let armed = self.state.armed().map(|armed| (armed.at, armed.cause));
        if wanted == armed {
            return;
        }
        self.effects.timer = Some(match wanted {
            None => {
                self.state.set_armed(None);
                Timer::Disarm
            }
            Some((at, cause)) => {
                let generation = Generation(self.state.generation.0.wrapping_add(1));
                self.state.generation = generation;
                self.state.set_armed(Some(Armed { at, cause }));
                Timer::Arm { at, cause, generation }
            }
        });
    }
}
