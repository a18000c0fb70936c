//! Too many commands for one agent within a window: all are held, and the agent cools down.

use crate::domain::{DurationMs, TimeMs};
use crate::rules::Settings;

/// The times of the last commands of both platforms, and the cool-down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Flapping {
    /// When the last commands were issued, the oldest first; no more than count for the window.
    pub(super) times: Vec<TimeMs>,
    /// Until when everything is held.
    pub(super) until: Option<TimeMs>,
    /// How long the last cool-down was; zero where the next is a first one.
    pub(super) length: DurationMs,
    /// The flap window of the revision under which the times were kept.
    pub(super) window: DurationMs,
}

impl Flapping {
    /// Whether one more command would be one too many.
    pub(super) fn is_full(&self, now: TimeMs, settings: &Settings) -> bool {
        let recent = self.times.iter().filter(|time| now.since(**time) < settings.flap_window).count();
        recent >= usize::from(settings.flap_commands)
    }

    /// A command was issued.
    pub(super) fn issued(&mut self, now: TimeMs, settings: &Settings) {
        self.window = settings.flap_window;
        if self.times.last().is_none_or(|last| now.since(*last) >= settings.flap_window) {
            self.length = DurationMs::ZERO;
        }
        while self.times.len() >= usize::from(settings.flap_commands) {
            self.times.remove(0);
        }
        self.times.push(now);
    }

    /// A cool-down begins: the first one, or one twice as long as the last.
    pub(super) fn cool_down(&mut self, now: TimeMs, settings: &Settings) {
        let quiet = self.times.last().is_none_or(|last| now.since(*last) >= settings.flap_window);
        let next =
            if quiet || self.length == DurationMs::ZERO { settings.cool_down } else { self.length.times(2) };
        self.length = next.min(settings.cool_down_max);
        self.until = Some(now + self.length);
    }

    /// Times that no window counts any more go.
    pub(super) fn forget_old(&mut self, now: TimeMs) {
        if self.until.is_none() && self.times.last().is_some_and(|last| now.since(*last) >= self.window) {
            *self = Flapping::default();
        }
    }
}
