//! How many calls an account may make. Time is passed in, so that a test needs none.

use std::time::{Duration, Instant};

/// How fast calls may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many on average; at least 1.
    pub calls_per_minute: u32,
    /// So many at once, after a rest; at least 1.
    pub burst: u32,
}

/// What is left of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// So many calls could be made at once.
    pub calls: u32,
    /// So many are added in a minute.
    pub calls_per_minute: u32,
}

/// A token bucket: it holds `burst` calls when it is full, and fills at the rate.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Between two calls, where they are made evenly.
    interval: Duration,
    /// How far the bucket may be ahead of an even pace.
    ahead_max: Duration,
    /// When the bucket is full again.
    full_at: Instant,
    /// The platform wants no calls before.
    held_until: Option<Instant>,
}

impl Budget {
    /// A full one.
    pub fn new(rate: Rate, now: Instant) -> Budget {
        let interval = Duration::from_secs(60) / rate.calls_per_minute.max(1);
        let ahead_max = interval.saturating_mul(rate.burst.max(1));
        Budget { interval, ahead_max, full_at: now, held_until: None }
    }

    /// Takes a call out, or tells how long it is until there is one.
    ///
    /// # Errors
    /// The time until there is one.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let wait = self.wait(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.held_until = None;
        self.full_at = self.full_at.max(now) + self.interval;
        Ok(())
    }

    /// How long it is until there is a call.
    pub fn wait(&self, now: Instant) -> Duration {
        let held = self.held_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let next = (self.full_at + self.interval).saturating_duration_since(now);
        held.max(next.saturating_sub(self.ahead_max))
    }

    /// The platform wants no calls until then. It may say so several times: the longest counts.
    pub fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(Some(until));
    }

    /// How many calls could be made at once.
    pub fn left(&self, now: Instant) -> u32 {
        if self.held_until.is_some_and(|until| until > now) {
            return 0;
        }
        let used = self.full_at.saturating_duration_since(now);
        let left = self.ahead_max.saturating_sub(used).as_nanos() / self.interval.as_nanos().max(1);
        u32::try_from(left).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    #[test]
    fn a_burst_passes_and_then_one_by_one() {
        let begun = Instant::now();
        let mut budget = Budget::new(Rate { calls_per_minute: 600, burst: 3 }, begun);
        assert_eq!(budget.left(begun), 3);
        for _ in 0..3 {
            assert_eq!(budget.take(begun), Ok(()));
        }
        assert_eq!(budget.take(begun), Err(ms(100)));
        assert_eq!(budget.take(begun + ms(60)), Err(ms(40)));
        assert_eq!(budget.take(begun + ms(100)), Ok(()));
        assert_eq!(budget.left(begun + ms(10_000)), 3);
    }

    #[test]
    fn what_the_platform_wants_comes_first() {
        let begun = Instant::now();
        let mut budget = Budget::new(Rate { calls_per_minute: 600, burst: 3 }, begun);
        budget.hold(begun + ms(2_000));
        budget.hold(begun + ms(1_000));
        assert_eq!((budget.take(begun), budget.left(begun)), (Err(ms(2_000)), 0));
        assert_eq!(budget.take(begun + ms(2_000)), Ok(()));
    }

    proptest! {
        /// In no span of time are there more calls than a full bucket and what runs into it meanwhile; and who waits as long
        /// as he is told gets one.
        #[test]
        fn no_span_has_more_calls_than_it_may(
            per_minute in 1_u32..6_000,
            burst in 1_u32..50,
            steps in prop::collection::vec(0_u64..2_000, 1..300),
        ) {
            let begun = Instant::now();
            let mut budget = Budget::new(Rate { calls_per_minute: per_minute, burst }, begun);
            let interval = Duration::from_secs(60) / per_minute;
            let (mut now, mut calls) = (begun, Vec::new());
            for step in steps {
                now += ms(step);
                let left = budget.left(now);
                match budget.take(now) {
                    Ok(()) => {
                        prop_assert!(left >= 1);
                        calls.push(now);
                    }
                    Err(wait) => {
                        prop_assert_eq!(left, 0);
                        prop_assert!(wait <= interval, "{:?}", wait);
                        prop_assert_eq!(budget.clone().take(now + wait), Ok(()));
                    }
                }
            }
            for (first, from) in calls.iter().enumerate() {
                for (last, to) in calls.iter().enumerate().skip(first) {
                    let ran_in = (*to - *from).as_nanos() / interval.as_nanos();
                    let most = u128::from(burst) + ran_in;
                    prop_assert!(((last - first) as u128) < most);
                }
            }
        }
    }
}
