//! When a source asks, and for what. Time is passed in.

use std::time::{Duration, Instant};

/// Who fails again and again asks less often; who is not let in seldom, or whose key it is may be barred.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(10);
const LOG_IN_AGAIN_AFTER_MAX: Duration = Duration::from_secs(60);
/// After an outage of this length all are asked for: nobody knows how far back the platform remembers.
const GAP: Duration = Duration::from_secs(60);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What has changed since the last time.
    Changes,
    /// What everybody is in.
    All,
}

/// When a source asks, and for what. One question at a time.
#[derive(Debug)]
pub(in crate::connectors) struct Schedule {
    poll_interval: Duration,
    snapshot_interval: Duration,
    next: Instant,
    snapshot: Instant,
    asking: Option<(Asked, Instant)>,
    failed: u32,
    failing_since: Option<Instant>,
}

impl Schedule {
    /// One that begins now: with what has changed since a cursor, where there is one, and then with all.
    pub(in crate::connectors) fn new(
        poll_interval: Duration,
        snapshot_interval: Duration,
        has_cursor: bool,
        now: Instant,
    ) -> Schedule {
        let snapshot = if has_cursor { now + Duration::from_nanos(1) } else { now };
        Schedule {
            poll_interval,
            snapshot_interval,
            next: now,
            snapshot,
            asking: None,
            failed: 0,
            failing_since: None,
        }
    }

    /// How long it is until something is to be asked.
    pub(in crate::connectors) fn wait(&self, now: Instant) -> Option<Duration> {
        self.asking.is_none().then(|| self.next.saturating_duration_since(now))
    }

    /// What is to be asked now. It is being asked from then on.
    pub(in crate::connectors) fn begin(&mut self, now: Instant) -> Option<Asked> {
        if self.asking.is_some() || now < self.next {
            return None;
        }
        let asked = if self.snapshot <= now { Asked::All } else { Asked::Changes };
        self.asking = Some((asked, now));
        Some(asked)
    }

    /// An answer came; one that is odd is asked for again.
    pub(in crate::connectors) fn came(&mut self, now: Instant, is_odd: bool) {
        let Some((asked, begun)) = self.asking.take() else { return };
        self.next = (begun + self.poll_interval).max(now);
        if asked == Asked::All && !is_odd {
            self.snapshot = begun + self.snapshot_interval;
        }
        if self.failing_since.take().is_some_and(|since| now.saturating_duration_since(since) >= GAP) {
            self.snapshot = now;
        }
        self.failed = 0;
    }

    /// None came; perhaps as we were not let in. Says whether that is new.
    pub(in crate::connectors) fn failed(&mut self, now: Instant, is_refused: bool) -> bool {
        let Some((_, begun)) = self.asking.take() else { return false };
        let after = self.poll_interval.saturating_mul(1 << self.failed.min(10));
        let most = if is_refused { LOG_IN_AGAIN_AFTER_MAX } else { AGAIN_AFTER_MAX };
        self.next = (begun + after.min(most).max(self.poll_interval)).max(now);
        self.failed = self.failed.saturating_add(1);
        let is_new = self.failing_since.is_none();
        self.failing_since = self.failing_since.or(Some(begun));
        is_new
    }

    /// Nothing is asked before the next snapshot.
    pub(in crate::connectors) fn spare(&mut self, now: Instant) {
        if self.asking.is_none() && self.snapshot > now {
            self.next = self.next.max(self.snapshot);
        }
    }

    /// Since when nothing comes.
    pub(in crate::connectors) const fn failing_since(&self) -> Option<Instant> {
        self.failing_since
    }

    /// All are to be asked for next.
    pub(in crate::connectors) const fn wants_all(&mut self, now: Instant) {
        self.snapshot = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_begins_where_it_was_and_then_asks_for_all() {
        let now = Instant::now();
        let mut schedule = Schedule::new(s(2), s(300), true, now);
        assert_eq!(schedule.begin(now), Some(Asked::Changes));
        assert_eq!((schedule.begin(now + s(9)), schedule.wait(now)), (None, None), "polls never overlap");
        schedule.came(now + s(1), false);
        assert_eq!((schedule.begin(now + s(1)), schedule.wait(now + s(1))), (None, Some(s(1))));
        assert_eq!(schedule.begin(now + s(2)), Some(Asked::All));
        // One that took longer than the interval is followed at once.
        schedule.came(now + s(7), false);
        assert_eq!(schedule.begin(now + s(7)), Some(Asked::Changes));
        schedule.came(now + s(7), false);
        assert_eq!(schedule.begin(now + s(301)), Some(Asked::Changes));
        schedule.came(now + s(301), false);
        assert_eq!(schedule.begin(now + s(303)), Some(Asked::All));
        schedule.came(now + s(303), true);
        assert_eq!(schedule.begin(now + s(305)), Some(Asked::All), "an odd one is asked for again");
        assert_eq!(Schedule::new(s(2), s(300), false, now).begin(now), Some(Asked::All));
    }

    #[test]
    fn who_fails_asks_less_often_and_after_a_gap_for_all() {
        let now = Instant::now();
        let mut schedule = Schedule::new(s(2), s(300), false, now);
        schedule.begin(now);
        schedule.came(now, false);
        let mut at = now + s(2);
        let mut waits = Vec::new();
        for number in 0..7 {
            assert_eq!(schedule.begin(at), Some(Asked::Changes));
            assert_eq!(schedule.failed(at, number == 6), number == 0);
            waits.push(schedule.wait(at).unwrap().as_secs());
            at += schedule.wait(at).unwrap();
        }
        assert_eq!(waits, [2, 4, 8, 10, 10, 10, 60]);
        assert_eq!(schedule.begin(at), Some(Asked::Changes));
        schedule.came(at, false);
        assert_eq!(schedule.begin(at + s(2)), Some(Asked::All));
    }
}
