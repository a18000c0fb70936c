//! An org, as its source has it. Its commands are done by browsers (`http/bridge`).

use std::sync::Arc;
use std::time::Duration;

use super::org::Org;
use super::source::Source;
use super::wire;
use crate::bus::Topic;
use crate::codec::Position;
use crate::connectors::lease::Lease;
use crate::connectors::sink::Setter;
use crate::connectors::{Edge, Observer};
use crate::domain::AccountName;

/// An org, as its source has it.
#[derive(Clone)]
pub struct Attached {
    /// Its name.
    pub account: AccountName,
    /// Its calls.
    pub org: Arc<Org>,
    /// Between two questions what has changed.
    pub poll_interval: Duration,
    /// Between two snapshots.
    pub snapshot_interval: Duration,
}

impl Edge for Attached {
    type Source = Source;

    const COMMANDS: Topic = Topic::CommandsSalesforce;

    fn source(&self, position: Option<&Position<'_>>, observer: Arc<dyn Observer>) -> Source {
        let cursor = position.and_then(|position| position.last_poll_time.as_deref()).and_then(wire::time);
        Source::new(self.clone(), observer, cursor)
    }

    fn setter(&self, _: Arc<Lease>) -> Option<Arc<dyn Setter>> {
        // No server can set a presence: only a browser can.
        None
    }
}
