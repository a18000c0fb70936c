//! For how long a process may act for an account.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The lease of an account. Whoever has it proves it again and again by a commit of his; who cannot, stops in time, so that
/// another may begin.
#[derive(Debug)]
pub struct Lease {
    holds_for: Duration,
    proven: Mutex<Option<Instant>>,
}

impl Lease {
    /// One that was not proven yet. A proof holds for so long.
    pub const fn new(holds_for: Duration) -> Lease {
        Lease { holds_for, proven: Mutex::new(None) }
    }

    /// It was proven by something that began then.
    pub fn prove(&self, began: Instant) {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        *proven = (*proven).max(Some(began));
    }

    /// It is another's, or may be.
    pub fn lose(&self) {
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.left(Instant::now()).is_some_and(|left| !left.is_zero())
    }

    /// For how long it holds; none where it was never proven.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let proven = *self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven.map(|proven| (proven + self.holds_for).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_as_long_as_it_was_proven_for() {
        let (lease, now) = (Lease::new(Duration::from_secs(1)), Instant::now());
        let at = |ms: u64| now + Duration::from_millis(ms);
        assert_eq!((lease.left(now), lease.holds()), (None, false));
        lease.prove(at(100));
        assert_eq!(lease.left(at(400)), Some(Duration::from_millis(700)));
        // An answer that comes late says nothing new.
        lease.prove(at(50));
        assert_eq!(lease.left(at(1_100)), Some(Duration::ZERO));
        assert!(lease.holds());
        lease.lose();
        assert_eq!((lease.left(at(100)), lease.holds()), (None, false));
    }
}
