//! When a whole account is held: what stands in the way of one call stands in the way of all. Time is passed in.

use std::time::{Duration, Instant};

use crate::codec::HeldCause;

/// So many calls in a row fail before an account is held; a refused log-in holds it at once.
const FAILED_MAX: u32 = 3;
/// After the first failure it is tried again so soon; each further one doubles that.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// It is tried again at least so often; with what is not accepted seldom, or whose it is may be barred.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(5);
const LOG_IN_AGAIN_AFTER_MAX: Duration = Duration::from_secs(60);
/// Who is told to wait for so long is held.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Whether calls can be made for an account.
#[derive(Debug, Default)]
pub struct Hold {
    failed: u32,
    failed_at: Option<Instant>,
    /// No call before that.
    again: Option<Instant>,
    told: Option<HeldCause>,
}

impl Hold {
    /// How long it is until a call may be tried.
    pub fn wait(&self, now: Instant) -> Duration {
        self.again.map_or(Duration::ZERO, |again| again.saturating_duration_since(now))
    }

    /// Whether one call at a time is to be made, to see whether it works again.
    pub const fn is_trying(&self) -> bool {
        self.failed > 0
    }

    /// Why the account is held, where it is.
    pub const fn cause(&self) -> Option<HeldCause> {
        self.told
    }

    /// A call failed by a cause that is not its own. Says so when the account is held from now on, or for another cause.
    pub fn failed(&mut self, now: Instant, cause: HeldCause) -> Option<HeldCause> {
        let most = match cause {
            HeldCause::Unauthorised => LOG_IN_AGAIN_AFTER_MAX,
            _ => AGAIN_AFTER_MAX,
        };
        let after = AGAIN_AFTER.saturating_mul(1 << self.failed.min(16)).min(most);
        self.again = Some(now + after);
        self.failed = self.failed.saturating_add(1);
        self.failed_at = Some(now);
        let is_held = self.told.is_some() || self.failed >= FAILED_MAX || is_certain(cause);
        if !is_held || self.told == Some(cause) {
            return None;
        }
        self.told = Some(cause);
        Some(cause)
    }

    /// The platform was away and answers again: it is tried at once.
    pub const fn may_work_again(&mut self) {
        self.again = None;
    }

    /// The platform wants no calls for so long.
    pub fn is_to_wait(&mut self, wait: Duration) -> Option<HeldCause> {
        if self.told.is_some() || wait < WAIT_MAX {
            return None;
        }
        self.told = Some(HeldCause::AllowanceUsedUp);
        self.told
    }

    /// Whoever had the account before has held it, and not told that it is over.
    pub const fn inherited() -> Hold {
        Hold { failed: 0, failed_at: None, again: None, told: Some(HeldCause::Unknown) }
    }

    /// A call was made that began then, whatever the platform said of it. Whether the account was held until now. What was
    /// under way already when another failed says nothing.
    pub fn worked(&mut self, began: Instant) -> bool {
        if self.failed_at.is_some_and(|failed| began < failed) {
            return false;
        }
        self.failed = 0;
        self.failed_at = None;
        self.again = None;
        self.told.take().is_some()
    }
}

/// Whether it takes no second call to know it.
const fn is_certain(cause: HeldCause) -> bool {
    matches!(cause, HeldCause::Unauthorised | HeldCause::Forbidden | HeldCause::BreakerOpen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_failures_in_a_row_hold_an_account_and_one_that_works_ends_it() {
        let (mut hold, now) = (Hold::default(), Instant::now());
        assert_eq!((hold.wait(now), hold.is_trying()), (Duration::ZERO, false));
        assert_eq!(hold.failed(now, HeldCause::Unavailable), None);
        assert_eq!((hold.wait(now), hold.is_trying()), (AGAIN_AFTER, true));
        assert!(!hold.worked(now), "one alone is nothing to be told");
        for (ms, told) in [(250, None), (500, None), (1_000, Some(HeldCause::Unavailable)), (2_000, None)] {
            assert_eq!(hold.failed(now, HeldCause::Unavailable), told, "{ms}");
            assert_eq!(hold.wait(now), Duration::from_millis(ms));
        }
        assert_eq!(hold.failed(now, HeldCause::BreakerOpen), Some(HeldCause::BreakerOpen));
        for _ in 0..100 {
            assert_eq!(hold.failed(now, HeldCause::BreakerOpen), None);
        }
        assert_eq!(hold.wait(now), AGAIN_AFTER_MAX);
        assert_eq!(hold.wait(now + AGAIN_AFTER_MAX), Duration::ZERO);
        hold.failed(now, HeldCause::Unauthorised);
        assert_eq!(hold.wait(now), LOG_IN_AGAIN_AFTER_MAX);
        hold.may_work_again();
        assert_eq!((hold.wait(now), hold.is_trying()), (Duration::ZERO, true));
        assert!(!hold.worked(now - AGAIN_AFTER), "it had begun before");
        assert!(hold.worked(now));
        assert_eq!((hold.cause(), hold.is_trying()), (None, false));
    }

    #[test]
    fn a_log_in_that_is_refused_holds_it_at_once() {
        let (mut hold, now) = (Hold::default(), Instant::now());
        assert_eq!(hold.failed(now, HeldCause::Unauthorised), Some(HeldCause::Unauthorised));
        assert!(hold.worked(now) && !hold.worked(now));
        assert!(Hold::inherited().worked(now));
    }

    #[test]
    fn a_long_wait_is_told_and_a_short_one_is_not() {
        let mut hold = Hold::default();
        assert_eq!(hold.is_to_wait(Duration::from_secs(4)), None);
        assert_eq!(hold.is_to_wait(Duration::from_secs(30)), Some(HeldCause::AllowanceUsedUp));
        assert_eq!(hold.is_to_wait(Duration::from_secs(30)), None);
        assert!(hold.worked(Instant::now()));
    }
}
