//! Too many commands for one agent within a window: all are held, and the agent cools down.

use smallvec::SmallVec;

use crate::domain::{DurationMs, TimeMs};
use crate::rules::Settings;

/// The times of the last commands of both platforms, and the cool-down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Flapping {
    /// When the last commands were issued, the oldest first; no more than count for the window.
    times: SmallVec<[TimeMs; 2]>,
    /// Until when everything is held.
    pub(super) until: Option<TimeMs>,
    /// How long the last cool-down was; zero where the next is a first one.
    length: DurationMs,
}

impl Flapping {
    pub(super) const EMPTY: Flapping =
        Flapping { times: SmallVec::new_const(), until: None, length: DurationMs::ZERO };

    /// Whether there is nothing to remember.
    pub(super) fn is_at_rest(&self) -> bool {
        self.times.is_empty() && self.until.is_none() && self.length == DurationMs::ZERO
    }

    /// Whether one more command would be one too many.
    pub(super) fn is_full(&self, now: TimeMs, settings: &Settings) -> bool {
        let recent = self.times.iter().filter(|time| now.since(**time) < settings.flap_window).count();
        recent >= usize::from(settings.flap_commands)
    }

    /// A command was issued.
    pub(super) fn issued(&mut self, now: TimeMs, settings: &Settings) {
        if self.times.last().is_none_or(|last| now.since(*last) >= settings.flap_window) {
            self.length = DurationMs::ZERO;
        }
        while self.times.len() >= usize::from(settings.flap_commands) {
            self.times.remove(0);
        }
        // There is no need for more.
        self.times.reserve_exact(1);
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

    /// Bytes beside this itself.
    pub(super) fn heap_bytes(&self) -> usize {
        if self.times.spilled() { self.times.capacity() * size_of::<TimeMs>() } else { 0 }
    }

    /// Times that no window counts any more go.
    pub(super) fn forget_old(&mut self, now: TimeMs, settings: &Settings) {
        if self.until.is_none()
            && self.times.last().is_some_and(|last| now.since(*last) >= settings.flap_window)
        {
            *self = Flapping::default();
        }
    }
}
