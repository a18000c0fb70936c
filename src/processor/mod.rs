//! The processor: it turns the log of events into decisions, commands and states, exactly once.
//!
//! A [`Worker`] is one thread with one member, one writer and any number of partitions. It reads events, applies them to the
//! agents in memory, writes what was decided into the transaction that is open, and commits that together with how far it
//! has read. Decide first, then commit: nothing acts on what is not committed. Whatever goes wrong in a transaction, it
//! is given up, and its partitions are restored from what was committed.

mod agents;
mod check;
mod checkpoint;
mod error;
mod in_force;
mod ingest;
mod observer;
mod partition;
mod restore;
mod revisions;
mod snapshot;
mod stage;
mod stop;
mod syncs;
mod tally;
mod trouble;
mod wake_ups;
mod worker;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::bus::{Topic, TopicName, TopicsPlan};
use crate::codec::Codec;
use crate::domain::{DurationMs, TimeMs};
use crate::fail;

pub use check::{States, states};
pub use error::Error;
pub use observer::{NOTHING_LOST, Observer, Silent};
pub use stop::Stop;
pub use tally::Tally;
pub use worker::Worker;

/// For so many events at once states are brought near.
const AHEAD: usize = 32;

/// What a worker needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of the process, and the number of the worker in it: together they are its identity, which comes back
    /// after a restart, and which nobody else has.
    pub name: String,
    /// The number of the worker in its process, from 0.
    pub number: u32,
    /// How long a transaction gathers.
    pub commit_interval: Duration,
    /// So many events are the most in a transaction.
    pub events_max: usize,
    /// Whether dead letters keep what could not be read.
    pub keeps_payload: bool,
    /// How much time of the log is between two snapshots.
    pub snapshot_interval: Duration,
}

/// The group that reads the events of a deployment.
pub fn group(plan: &TopicsPlan) -> String {
    format!("{}.processor", plan.prefix)
}

/// What does not change while a worker runs.
struct Context {
    settings: Settings,
    codec: Arc<Codec>,
    plan: TopicsPlan,
    events: TopicName,
    state: TopicName,
    partitions: u32,
    group: String,
    /// `PREFIX.processor.NAME.N`.
    identity: String,
    /// `processor/NAME/N`.
    writer: String,
}

impl Context {
    fn new(settings: Settings, plan: TopicsPlan, codec: Arc<Codec>) -> Context {
        let Settings { name, number, .. } = &settings;
        Context {
            codec,
            events: plan.name(Topic::Events),
            state: plan.name(Topic::State),
            partitions: plan.partitions,
            group: group(&plan),
            identity: format!("{}.processor.{name}.{number}", plan.prefix),
            writer: format!("processor/{name}/{number}"),
            plan,
            settings,
        }
    }
}

/// The time, by both of our clocks.
#[derive(Clone, Copy, Debug)]
struct Now {
    /// It goes on evenly.
    instant: Instant,
    /// It may jump, and be wrong.
    wall: TimeMs,
}

impl Now {
    fn get() -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = TimeMs::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            + DurationMs::from_seconds(fail::clock_ahead_s());
        Now { instant: Instant::now(), wall }
    }
}
