//! Calls of a command that ends: nobody watches them, and they leave most of the budget to others.

use std::time::Duration;

use lockstep::connectors::http::{CallClass, Observer, Rate};

/// Nobody watches these calls.
pub(super) struct Unwatched;

impl Observer for Unwatched {
    fn called(&self, _: &'static str, _: CallClass, _: Duration) {}

    fn clock(&self, _: i64) {}
}

/// How fast who is beside the process that has the account makes calls: at a tenth of its rate.
pub(super) fn rate_beside(per_minute: u16) -> Rate {
    Rate { calls_per_minute: (u32::from(per_minute) / 10).max(6), burst: 5 }
}
