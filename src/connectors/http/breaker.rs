//! A platform that fails is left alone for a while. Time is passed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When it opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Only calls of this last time count.
    pub window: Duration,
    /// With fewer calls in it nothing can be said.
    pub calls_min: usize,
    /// It opens when so many of a hundred calls failed.
    pub failed_percent: usize,
    /// For so long nothing is called then; after that, one call is tried.
    pub open_for: Duration,
}

impl Default for Limits {
    /// NICE's own client opens at 20 % in 10 s, for 10 s; with few calls one failure is no reason.
    fn default() -> Limits {
        Limits {
            window: Duration::from_secs(10),
            calls_min: 10,
            failed_percent: 20,
            open_for: Duration::from_secs(10),
        }
    }
}

/// Lets calls pass, none, or one to see whether it is over.
#[derive(Clone, Debug)]
pub struct Breaker {
    limits: Limits,
    /// What became of calls, the oldest first: when, and whether it failed.
    calls: VecDeque<(Instant, bool)>,
    /// So many of them failed.
    failed: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Nothing passes before.
    Open(Instant),
    /// One was let through at that time.
    Trying(Instant),
}

impl Breaker {
    /// One that lets calls pass.
    pub const fn new(limits: Limits) -> Breaker {
        Breaker { limits, calls: VecDeque::new(), failed: 0, state: State::Closed }
    }

    /// Whether a call may be made now.
    ///
    /// # Errors
    /// How long it is until one may be.
    pub fn pass(&mut self, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Closed => Ok(()),
            State::Open(until) if now < until => Err(until - now),
            // Whoever was let through may never have come back.
            State::Trying(since) if now < since + self.limits.open_for => {
                Err(since + self.limits.open_for - now)
            }
            State::Open(_) | State::Trying(_) => {
                self.state = State::Trying(now);
                Ok(())
            }
        }
    }

    /// Takes note of what became of a call. Says whether it opened or closed by that.
    pub fn note(&mut self, now: Instant, has_failed: bool) -> Option<Turned> {
        match self.state {
            State::Trying(_) if has_failed => {
                self.state = State::Open(now + self.limits.open_for);
                return None;
            }
            State::Trying(_) => {
                self.state = State::Closed;
                self.forget();
                return Some(Turned::Closed);
            }
            // It was under way when it opened.
            State::Open(_) => return None,
            State::Closed => {}
        }
        self.calls.push_back((now, has_failed));
        self.failed += usize::from(has_failed);
        let window = self.limits.window;
        while let Some((_, has_failed)) = self.calls.pop_front_if(|(at, _)| *at + window < now) {
            self.failed -= usize::from(has_failed);
        }
        let is_enough = self.calls.len() >= self.limits.calls_min;
        if !is_enough || self.failed * 100 < self.limits.failed_percent * self.calls.len() {
            return None;
        }
        self.state = State::Open(now + self.limits.open_for);
        self.forget();
        Some(Turned::Open)
    }

    fn forget(&mut self) {
        self.calls.clear();
        self.failed = 0;
    }

    /// Whether calls pass.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }
}

/// What a call changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Nothing passes any more.
    Open,
    /// Calls pass again.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn it_opens_when_too_many_fail_and_tries_one_after_a_while() {
        let begun = Instant::now();
        let mut breaker = Breaker::new(Limits::default());
        for call in 0..9 {
            assert_eq!(breaker.note(begun, call < 2), None, "call {call}: too few to say anything");
        }
        assert_eq!(breaker.note(begun, false), Some(Turned::Open), "two of ten");
        assert_eq!(breaker.pass(begun + s(4)), Err(s(6)));
        assert_eq!(breaker.note(begun + s(4), true), None, "it was under way");

        assert_eq!(breaker.pass(begun + s(10)), Ok(()));
        assert_eq!(breaker.pass(begun + s(10)), Err(s(10)), "one at a time");
        assert_eq!(breaker.note(begun + s(11), true), None);
        assert_eq!(breaker.pass(begun + s(12)), Err(s(9)), "that one failed: as before");

        assert_eq!(breaker.pass(begun + s(21)), Ok(()));
        assert_eq!(breaker.note(begun + s(22), false), Some(Turned::Closed));
        assert!(breaker.is_closed() && breaker.pass(begun + s(22)).is_ok());
    }

    #[test]
    fn one_that_was_let_through_and_never_came_back_holds_up_nobody() {
        let begun = Instant::now();
        let mut breaker = Breaker::new(Limits { calls_min: 1, ..Limits::default() });
        assert_eq!(breaker.note(begun, true), Some(Turned::Open));
        assert_eq!(breaker.pass(begun + s(10)), Ok(()));
        assert_eq!(breaker.pass(begun + s(20)), Ok(()));
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let begun = Instant::now();
        let mut breaker = Breaker::new(Limits::default());
        for call in 0..9 {
            assert_eq!(breaker.note(begun, true), None, "call {call}");
        }
        for call in 0..50 {
            assert_eq!(breaker.note(begun + s(11), false), None, "call {call}");
        }
    }
}
