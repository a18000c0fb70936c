//! What calls tell beside their answers: how far the clocks are apart. And what to do about those that fail.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lockstep::connectors::http::{CallClass, Error, Observer};

use super::report::Report;

/// Clocks that differ by more are to be looked at.
const OFFSET_WARNED_MS: u64 = 2_000;
/// With more than this browsers' tokens, which last a minute, are none any more when they come.
const OFFSET_MS_MAX: u64 = 30_000;

/// Takes note of the clock of a platform.
#[derive(Default)]
pub(super) struct Watching(Mutex<Option<i64>>);

impl Watching {
    /// How far it is ahead, in ms; none where no answer told.
    pub(super) fn offset_ms(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watching {
    fn called(&self, _: &'static str, _: CallClass, _: Duration) {}

    fn clock(&self, offset_ms: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset_ms);
    }
}

/// It cannot be called at all, and so nothing is asked of it.
pub(super) fn not_called(about: &str, error: &anyhow::Error, not: &[&'static str], report: &mut Report) {
    let mend = format!("look at `proxy` and `ca_file` of [{about}.calls]");
    report.failed("log-in", about, format!("{error:#}"), mend);
    not_asked(about, "it cannot be called", not, report);
}

/// Something before them keeps these from being asked.
pub(super) fn not_asked(about: &str, because: &str, not: &[&'static str], report: &mut Report) {
    for id in not {
        report.unknown(id, about, because, "mend the log-in first, and check again");
    }
}

/// How far a platform's clock is from this machine's.
pub(super) fn clock(about: &str, offset_ms: Option<i64>, report: &mut Report) {
    const ID: &str = "clock";
    const MEND: &str =
        "set this machine's clock by a time server (`timedatectl` tells): tokens of browsers last a minute";
    let Some(offset_ms) = offset_ms else {
        let because = "no answer told what time it is there";
        return report.unknown(ID, about, because, "mend what keeps it from answering, and check again");
    };
    let seconds = offset_ms.unsigned_abs() as f64 / 1_000.0;
    let what = match offset_ms {
        0 => "its clock and this machine's agree, within a second".to_owned(),
        1.. => format!("its clock is {seconds:.1} s ahead of this machine's"),
        _ => format!("its clock is {seconds:.1} s behind this machine's"),
    };
    match offset_ms.unsigned_abs() {
        off if off > OFFSET_MS_MAX => report.failed(ID, about, what, MEND),
        off if off > OFFSET_WARNED_MS => report.warning(ID, about, what, MEND),
        _ => report.ok(ID, about, what),
    }
}

/// What to do about a call that failed.
pub(super) const fn mend_of(error: &Error) -> &'static str {
    match error {
        Error::Setting { .. } => "change that in the configuration",
        Error::LeftAlone { .. } | Error::Withheld { .. } => {
            "check again in a minute: the platform wants no calls for a while"
        }
        Error::NotSent { .. } => {
            "look at the address, at this machine's network, and at `proxy` and `ca_file` of the account's calls"
        }
        Error::NoAnswer { .. } | Error::Odd { .. } => {
            "look whether the address is the platform's and what stands between; then check again"
        }
        Error::Refused { status: 401, .. } => "look at what one logs in with: the token was refused",
        Error::Refused { status: 403, .. } => "give the user whom Lockstep logs in as the permission for it",
        Error::Refused { status: 429, .. } => "lower `per_minute` of the account's calls",
        Error::Refused { status: 500.., .. } => "the platform is out of order: check again later",
        Error::Refused { .. } => "look at the addresses and `api_version` of the account",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_two_seconds() {
        for (offset_ms, verdict) in [
            (Some(0), "ok"),
            (Some(2_000), "ok"),
            (Some(-2_000), "ok"),
            (Some(2_001), "warning"),
            (Some(-30_000), "warning"),
            (Some(30_001), "failed"),
            (Some(-90_000), "failed"),
            (None, "unknown"),
        ] {
            let mut report = Report::default();
            clock("cxone.emea", offset_ms, &mut report);
            let told = serde_json::to_value(report.told()).unwrap();
            assert_eq!(told["checks"][0]["result"], verdict, "{offset_ms:?}");
        }
    }
}
