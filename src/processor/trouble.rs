//! A trouble that passes by itself, and is told of once and not in a flood.

use std::time::{Duration, Instant};

use super::Error;

/// How often a trouble that lasts is told again.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether it is over.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A trouble of a worker, or none.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<Lasting>);

#[derive(Debug)]
struct Lasting {
    since: Instant,
    told: Instant,
    looked: Instant,
}

impl Trouble {
    /// Tells of it when it begins, and now and then while it lasts. True where it begins.
    pub(super) fn tell(&mut self, error: &Error) -> bool {
        let now = Instant::now();
        let Some(lasting) = &mut self.0 else {
            self.0 = Some(Lasting { since: now, told: now, looked: now });
            tracing::warn!("{error}; it is tried again until it works");
            return true;
        };
        if lasting.told.elapsed() >= TELL_EVERY {
            lasting.told = now;
            tracing::warn!(for_s = lasting.since.elapsed().as_secs(), "still: {error}");
        }
        false
    }

    /// Whether it is to be looked whether it is over; then, for how long it has lasted.
    pub(super) fn look(&mut self) -> Option<Duration> {
        let lasting = self.0.as_mut().filter(|lasting| lasting.looked.elapsed() >= LOOK_EVERY)?;
        lasting.looked = Instant::now();
        Some(lasting.since.elapsed())
    }

    /// It works. True where it did not.
    pub(super) fn is_over(&mut self) -> bool {
        let Some(lasting) = self.0.take() else { return false };
        tracing::info!(after_s = lasting.since.elapsed().as_secs(), "it works again");
        true
    }
}
