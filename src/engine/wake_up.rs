//! A timer that an earlier event armed comes back as an event.

use super::{Reason, Step, WakeCause, WakeUp};

impl Step<'_> {
    /// What was waited for is over, unless the timer is not the one that is armed, or comes too early.
    pub(super) fn wake_up(&mut self, wake_up: &WakeUp) -> Reason {
        let Some(armed) = self.state.armed().filter(|_| self.state.generation == wake_up.generation) else {
            return Reason::StaleWakeUp;
        };
        self.state.set_armed(None);
        if self.now < armed.at {
            return Reason::EarlyWakeUp;
        }
        match armed.cause {
            WakeCause::Confirm(platform) => {
                if self.confirm_due(platform).is_some_and(|due| due <= self.now) {
                    self.lapse(platform);
                }
            }
            WakeCause::Grace => self.grace_over(),
            WakeCause::CoolDown => {
                self.state.flapping_mut().until = None;
                if self.state.flapping().is_full(self.now, self.settings) {
                    let (now, settings) = (self.now, self.settings);
                    self.state.flapping_mut().cool_down(now, settings);
                    self.effects.decision.flapping = true;
                }
            }
        }
        Reason::Due(armed.cause)
    }
}
