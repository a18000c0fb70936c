//! Timers that are due later: each comes back to its partition as an event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::agents::Place;
use crate::domain::{DurationMs, TimeMs};
use crate::engine::Generation;

/// A timer that was armed. Whether it still is, is looked up when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    at: Instant,
    pub(super) place: Place,
    pub(super) generation: u32,
}

/// The timers of a partition.
#[derive(Debug, Default)]
pub(super) struct WakeUps {
    heap: BinaryHeap<Reverse<Due>>,
    /// How far the last record's time was behind that of the log, which never runs backwards: more than nothing after the
    /// brokers' clock was set back.
    pub(super) behind: DurationMs,
}

/// A timer that cannot be due before the brokers' clock has caught up with the log comes back no later than this, because
/// that clock may be set right at any time.
const EARLY_AGAIN_MAX: DurationMs = DurationMs::from_ms(10_000);
/// Fewer are not looked through for those that are armed no more.
const SWEPT_FROM: usize = 1_024;

impl WakeUps {
    /// How long it is until a time of the log, which stands at `clock` and goes on as ours does. Our own clock shortens
    /// that where the log was read late, and cannot lengthen it.
    pub(super) fn left(&self, at: TimeMs, clock: TimeMs, wall: TimeMs) -> DurationMs {
        let longest = at.since(clock).max(DurationMs::ZERO);
        at.since(wall).clamp(DurationMs::ZERO, longest)
    }

    /// The same for a timer that came too early. That has shown that our clock is ahead, and it says nothing.
    pub(super) fn left_of_early(&self, at: TimeMs, clock: TimeMs) -> DurationMs {
        let longest = at.since(clock).max(DurationMs::ZERO);
        let caught_up = DurationMs::from_ms(longest.as_ms().saturating_add(self.behind.as_ms()));
        longest.max(caught_up.min(EARLY_AGAIN_MAX))
    }

    /// A timer was armed, and is due in so long.
    pub(super) fn arm(&mut self, (place, generation): (Place, Generation), left: DurationMs, now: Instant) {
        let due = now + Duration::from_millis(left.as_ms().unsigned_abs());
        self.heap.push(Reverse(Due { at: due, place, generation: generation.0 }));
    }

    /// The next timer that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Due> {
        let Reverse(next) = *self.heap.peek()?;
        (next.at <= now).then(|| {
            self.heap.pop();
            next
        })
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }

    /// Forgets those that are armed no more, where there have come to be many beside so many that are.
    pub(super) fn sweep(&mut self, armed: usize, is_armed: impl Fn(&Due) -> bool) {
        if self.heap.len() > SWEPT_FROM.max(2 * armed) {
            self.heap.retain(|Reverse(due)| is_armed(due));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// Whatever our clock says, no timer is waited for longer than the rules say.
    #[test]
    fn a_clock_that_is_wrong_delays_no_timer() {
        for (what, at_ms, clock_ms, wall_ms, left_ms) in [
            ("our clock is right", 5_000, 0, 0, 5_000),
            ("the event was read late", 5_000, 0, 3_000, 2_000),
            ("the event was read after it was due", 5_000, 0, 9_000, 0),
            ("our clock was set back by two hours", 5_000, 0, -2 * HOUR_MS, 5_000),
            ("our clock was set ahead by two hours", 5_000, 0, 2 * HOUR_MS, 0),
            ("it was due before the event", 5_000, 6_000, 6_000, 0),
        ] {
            let time = TimeMs::from_unix_ms;
            let left = WakeUps::default().left(time(at_ms), time(clock_ms), time(wall_ms));
            assert_eq!(left.as_ms(), left_ms, "{what}");
        }
    }

    /// One that came early is waited for by the log's time alone, and comes neither all the time nor too late.
    #[test]
    fn a_timer_that_came_early_comes_again() {
        for (what, behind_ms, left_ms) in [
            ("our clock is ahead", 0, 1_000),
            ("the brokers' clock was set back a little", 2_000, 3_000),
            ("the brokers' clock was set back by two hours", 2 * HOUR_MS, 10_000),
        ] {
            let wake_ups = WakeUps { behind: DurationMs::from_ms(behind_ms), ..WakeUps::default() };
            let left = wake_ups.left_of_early(TimeMs::from_unix_ms(5_000), TimeMs::from_unix_ms(4_000));
            assert_eq!(left.as_ms(), left_ms, "{what}");
        }
        let far = WakeUps { behind: DurationMs::from_ms(2 * HOUR_MS), ..WakeUps::default() };
        let left = far.left_of_early(TimeMs::from_unix_ms(60_000), TimeMs::ZERO);
        assert_eq!(left.as_ms(), 60_000, "it is never waited for less than the log says");
    }
}
