//! Timers that are due later: each comes back to its partition as an event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::Now;
use super::agents::Place;
use crate::domain::TimeMs;
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
}

/// Fewer are not looked through for those that are armed no more.
const SWEPT_FROM: usize = 1_024;

impl WakeUps {
    /// A timer was armed for a time of the log, which stands at `clock` and goes on as ours does. Our own clock shortens
    /// that where the log was read late, and cannot lengthen it; a timer that came too early has shown that our clock is
    /// ahead, and then it says nothing.
    pub(super) fn arm(
        &mut self,
        (place, generation): (Place, Generation),
        at: TimeMs,
        clock: TimeMs,
        now: Now,
        came_early: bool,
    ) {
        let longest = at.since(clock).as_ms().max(0);
        let left = if came_early { longest } else { at.since(now.wall).as_ms().clamp(0, longest) };
        let due = now.instant + Duration::from_millis(left.unsigned_abs());
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
