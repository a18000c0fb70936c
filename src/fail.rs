//! Points at which a process can be made to end at once or to stand still, and a clock that can be set, for the tests of what it must live
//! through. Without the feature `fail-points`, which no release has, there is nothing of it.

#[cfg(all(feature = "fail-points", not(debug_assertions)))]
compile_error!("fail-points are for tests: a release must not have them");

/// Ends the process here, as SIGKILL would, where `LOCKSTEP_FAIL` is `NAME:N` and this is the Nth time that it passes; with
/// `LOCKSTEP_SLEEP` it stands still here, until it gets SIGCONT.
#[cfg(feature = "fail-points")]
pub fn point(name: &str) {
    use std::process::{Command, abort, id};
    static FAIL: Trap = Trap::new("LOCKSTEP_FAIL");
    static SLEEP: Trap = Trap::new("LOCKSTEP_SLEEP");
    if FAIL.springs(name) {
        tracing::error!("it ends {name}, as a test wants it");
        abort();
    }
    if SLEEP.springs(name) {
        tracing::error!("it falls asleep {name}, as a test wants it");
        let stopped = Command::new("kill").args(["-STOP", &id().to_string()]).status();
        tracing::error!("it wakes up: {stopped:?}");
    }
}

/// A point that an environment variable names.
#[cfg(feature = "fail-points")]
struct Trap {
    variable: &'static str,
    wanted: std::sync::OnceLock<Option<(String, u64)>>,
    passed: std::sync::atomic::AtomicU64,
}

#[cfg(feature = "fail-points")]
impl Trap {
    const fn new(variable: &'static str) -> Trap {
        Trap { variable, wanted: std::sync::OnceLock::new(), passed: std::sync::atomic::AtomicU64::new(0) }
    }

    fn springs(&self, name: &str) -> bool {
        let wanted = self.wanted.get_or_init(|| {
            let text = std::env::var(self.variable).ok()?;
            let (name, number) = text.rsplit_once(':')?;
            Some((name.to_owned(), number.parse().ok()?))
        });
        let Some((wanted, number)) = wanted else { return false };
        wanted == name && self.passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == *number
    }
}

/// Nothing.
#[cfg(not(feature = "fail-points"))]
#[inline(always)]
pub const fn point(_: &str) {}

/// How many seconds the clock is ahead: as many as the file says that `LOCKSTEP_CLOCK` names, at any time.
#[cfg(feature = "fail-points")]
pub fn clock_ahead_s() -> i64 {
    let said = std::env::var_os("LOCKSTEP_CLOCK").and_then(|file| std::fs::read_to_string(file).ok());
    said.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Nothing.
#[cfg(not(feature = "fail-points"))]
#[inline(always)]
pub const fn clock_ahead_s() -> i64 {
    0
}
