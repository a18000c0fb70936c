//! Calls of a command that ends: nobody watches them, and they leave most of the budget to others.

use std::time::Duration;

use lockstep::connectors::http::{CallClass, Observer, Rate};

/// Nobody watches these calls.
pub(super) struct Unwatched;

impl Observer for Unwatched {
    fn called(&self, _: &'static str, _: CallClass, _: Duration) {}

    fn clock(&self, _: i64) {}
}

/// How long it is, in s, between two calls of who is beside the process that has the account.
pub(super) fn seconds_between(per_minute: u16) -> f64 {
    60.0 / f64::from(rate_beside(per_minute).calls_per_minute)
}

/// How fast who is beside the process that has the account makes calls: at a tenth of its rate.
pub(super) fn rate_beside(per_minute: u16) -> Rate {
    Rate { calls_per_minute: (u32::from(per_minute) / 10).max(6), burst: 5 }
}
