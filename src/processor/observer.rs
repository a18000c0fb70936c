//! Who hears what becomes of a worker's partitions.

use std::time::Duration;

use super::tally::Tally;
use crate::bus::Offset;
use crate::domain::{Platform, TimeMs};
use crate::engine::Standing;

/// The invariant that a processor looks at while it works: the state is what was committed, so nothing of it is lost.
pub const NOTHING_LOST: &str = "I5";

/// Hears what becomes of a worker's partitions.
pub trait Observer: Send + Sync {
    /// Whether the group has told a worker which partitions are its own; it may have none.
    fn joined(&self, worker: u32, is_told: bool);
    /// A partition came, and is being restored.
    fn restoring(&self, partition: u32);
    /// A partition is worked on.
    fn ready(&self, partition: u32, agents: usize, took: Duration);
    /// A partition is worked on no more.
    fn gone(&self, partition: u32);
    /// A transaction was committed: what it held of a partition, and the time of its last event.
    fn committed(&self, partition: u32, tally: &Tally, clock: TimeMs, next: Offset);
    /// So many agents of a partition stand so to their target on a platform.
    fn standings(&self, partition: u32, platform: Platform, standing: Standing, agents: u64);
    /// How long a transaction was open, and how long its commit took.
    fn transaction(&self, open: Duration, commit: Duration);
    /// A transaction was given up.
    fn aborted(&self);
    /// A numbered invariant does not hold.
    fn violated(&self, invariant: &'static str);
    /// A worker waits for the bus or the schema registry, or no more.
    fn waiting(&self, worker: u32, is_waiting: bool);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Observer for Silent {
    fn joined(&self, _: u32, _: bool) {}
    fn restoring(&self, _: u32) {}
    fn ready(&self, _: u32, _: usize, _: Duration) {}
    fn gone(&self, _: u32) {}
    fn committed(&self, _: u32, _: &Tally, _: TimeMs, _: Offset) {}
    fn standings(&self, _: u32, _: Platform, _: Standing, _: u64) {}
    fn transaction(&self, _: Duration, _: Duration) {}
    fn aborted(&self) {}
    fn violated(&self, _: &'static str) {}
    fn waiting(&self, _: u32, _: bool) {}
}
