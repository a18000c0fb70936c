//! Too many commands for one agent within a window: all are held, and the agent cools down.

use smallvec::SmallVec;

use crate::domain::TimeMs;
use crate::rules::Settings;

/// A cool-down of a second is a year long by then.
const DOUBLINGS_MAX: u8 = 25;

/// The times of the last commands of both platforms, and the cool-down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Flapping {
    /// When the last commands were issued, the oldest first; no more than count for the window.
    pub(super) times: SmallVec<[TimeMs; 2]>,
    /// Until when everything is held.
    pub(super) until: Option<TimeMs>,
    /// How many cool-downs followed one another, each twice as long as the one before.
    pub(super) doublings: u8,
}

impl Flapping {
    pub(super) const EMPTY: Flapping = Flapping { times: SmallVec::new_const(), until: None, doublings: 0 };

    /// Whether there is nothing to remember.
    pub(super) fn is_at_rest(&self) -> bool {
        self.times.is_empty() && self.until.is_none() && self.doublings == 0
    }

    /// Whether one more command would be one too many.
    pub(super) fn is_full(&self, now: TimeMs, settings: &Settings) -> bool {
        let recent = self.times.iter().filter(|time| now.since(**time) < settings.flap_window).count();
        recent >= usize::from(settings.flap_commands)
    }

    /// A command was issued.
    pub(super) fn issued(&mut self, now: TimeMs, settings: &Settings) {
        if self.times.last().is_none_or(|last| now.since(*last) >= settings.flap_window) {
            self.doublings = 0;
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
        self.doublings = if quiet { 1 } else { self.doublings.saturating_add(1) };
        let times = 1 << (self.doublings - 1).min(DOUBLINGS_MAX);
        self.until = Some(now + settings.cool_down.times(times).min(settings.cool_down_max));
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
