//! Points at which a process can be made to end at once, and a clock that can be set, for the tests of what it must live
//! through. Without the feature `fail-points`, which no release has, there is nothing of it.

#[cfg(all(feature = "fail-points", not(debug_assertions)))]
compile_error!("fail-points are for tests: a release must not have them");

/// Ends the process here, as SIGKILL would, where `LOCKSTEP_FAIL` is `NAME:N` and this is the Nth time that it passes.
#[cfg(feature = "fail-points")]
pub fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("LOCKSTEP_FAIL").ok()?;
        let (name, number) = text.rsplit_once(':')?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    if let Some((wanted, number)) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *number
    {
        tracing::error!("it ends {name}, as a test wants it");
        std::process::abort();
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
