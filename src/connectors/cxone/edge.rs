//! A tenant, as its source and its sink have it.

use std::sync::Arc;
use std::time::Duration;

use super::set::{Calls, SetBy};
use super::source::Source;
use super::tenant::Tenant;
use crate::bus::Topic;
use crate::codec::Position;
use crate::connectors::lease::Lease;
use crate::connectors::sink::Setter;
use crate::connectors::{Edge, Observer};
use crate::domain::AccountName;

/// A tenant, as its source and its sink have it.
#[derive(Clone)]
pub struct Attached {
    /// Its name.
    pub account: AccountName,
    /// Its calls.
    pub tenant: Arc<Tenant>,
    /// Between two polls.
    pub poll_interval: Duration,
    /// Between two snapshots.
    pub snapshot_interval: Duration,
    /// By which call a status is set.
    pub set_by: SetBy,
}

impl Edge for Attached {
    type Source = Source;

    const COMMANDS: Topic = Topic::CommandsCxone;

    fn source(&self, position: Option<&Position<'_>>, observer: Arc<dyn Observer>) -> Source {
        let cursor = position.and_then(|position| position.last_poll_time.as_deref()).map(str::to_owned);
        let intervals = (self.poll_interval, self.snapshot_interval);
        Source::new(self.account, Arc::clone(&self.tenant), observer, cursor, intervals)
    }

    fn setter(&self, lease: Arc<Lease>) -> Option<Arc<dyn Setter>> {
        Some(Arc::new(Calls::new(Arc::clone(&self.tenant), lease, self.set_by)))
    }
}
