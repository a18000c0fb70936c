//! Waiting for what has to come.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lockstep::bus;
use lockstep::domain::Remedy;

/// Waiting for something that has to come. Only a test that fails waits for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Tries until it works, as long as there is nobody who answers.
pub(crate) fn patiently<T>(what: &str, mut attempt: impl FnMut() -> Result<T, bus::Error>) -> T {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => {
                let may_pass =
                    matches!(error.remedy(), Remedy::Retry | Remedy::Abort) && begun.elapsed() < PATIENCE;
                assert!(may_pass, "{what}: {error}");
                thread::park_timeout(Duration::from_millis(20));
            }
        }
    }
}

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// Waits until this is so, and tells how long it took.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::park_timeout(Duration::from_millis(20));
    }
    begun.elapsed()
}
