//! Why a processor cannot go on.

use crate::codec::{self, StateHash};
use crate::domain::Remedy;
use crate::{bus, control, engine};

/// Why a processor cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bus.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// A record could not be read, and is not to be skipped.
    #[error("{partition}, offset {offset}: {why}")]
    Record {
        /// Where it is.
        partition: bus::TopicPartition,
        /// Its offset.
        offset: bus::Offset,
        /// Why it cannot be read.
        why: codec::Error,
    },
    /// A record could not be written.
    #[error("writing {what}: {why}")]
    Unwritable {
        /// What it is.
        what: &'static str,
        /// Why.
        why: codec::Error,
    },
    /// A revision that was activated could not be loaded.
    #[error("{partition} meets activation {epoch} of revision {revision}, which cannot be loaded: {why}")]
    Revision {
        /// The partition.
        partition: bus::TopicPartition,
        /// The activation.
        epoch: u64,
        /// The revision.
        revision: codec::Uuid,
        /// Why not.
        why: Box<control::Error>,
    },
    /// The records of the state are not those that were committed.
    #[error(
        "the state of {partition} has hash {found}, and {committed} was committed with the offset: records of the state were lost, changed or added by another program. Do not go on with it: restore the topic, or delete it together with the committed offsets of group {group}, so that the state is made anew from the events that are kept"
    )]
    StateHash {
        /// The partition of the state.
        partition: bus::TopicPartition,
        /// The group.
        group: String,
        /// What was committed.
        committed: StateHash,
        /// What was found.
        found: StateHash,
    },
    /// The same, and it may pass: a transaction that another left open hides what comes after it.
    #[error("the state of {partition} has hash {found}, and {committed} was committed with the offset")]
    Unsettled {
        /// The partition of the state.
        partition: bus::TopicPartition,
        /// What was committed.
        committed: StateHash,
        /// What was found.
        found: StateHash,
    },
    /// The group has an offset before one that this process has committed.
    #[error(
        "group {group} says that {partition} is dealt with up to {found}, and this process has committed {known}: the brokers tell what was true before, or have lost what came after it. Where they have lost it, restart this process: it goes on from what they have"
    )]
    Behind {
        /// The partition of the events.
        partition: bus::TopicPartition,
        /// The group.
        group: String,
        /// What was committed.
        known: bus::Offset,
        /// What the group says.
        found: bus::Offset,
    },
    /// There is state, and no offset that it belongs to.
    #[error(
        "{partition} has state, and group {group} has no committed offset: the brokers forget offsets of a group that was away for long (offsets.retention.minutes). Delete the topic of the state, so that it is made anew from the events that are kept"
    )]
    NoOffset {
        /// The partition of the state.
        partition: bus::TopicPartition,
        /// The group.
        group: String,
    },
    /// What was committed with an offset is not ours.
    #[error("what was committed with the offset is no checkpoint of Lockstep's: {0:?}")]
    Checkpoint(String),
    /// What was committed, or an event, needs a newer engine.
    #[error("engine version {found} is in force, and this Lockstep has {ours}: upgrade it", ours = engine::VERSION)]
    NewerEngine {
        /// The version in force.
        found: u16,
    },
    /// Records have their writers' times.
    #[error(
        "{0} keeps its writers' times and not those at which records were appended, on which every decision rests: `lockstep topics check` says how to mend that"
    )]
    NoAppendTime(bus::TopicPartition),
    /// The system gives no thread.
    #[error("no thread for {what}: {why}")]
    Thread {
        /// What for.
        what: String,
        /// Why.
        why: std::io::Error,
    },
}

impl Error {
    /// What to do about it.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Error::Bus(error) => error.remedy(),
            Error::Revision { why, .. } => why.remedy(),
            Error::Record { why, .. } => match why.remedy() {
                Remedy::Retry => Remedy::Retry,
                Remedy::Abort | Remedy::Reject | Remedy::Stop => Remedy::Stop,
            },
            Error::Unsettled { .. } | Error::Behind { .. } => Remedy::Retry,
            Error::Unwritable { .. }
            | Error::StateHash { .. }
            | Error::NoOffset { .. }
            | Error::Checkpoint(_)
            | Error::NewerEngine { .. }
            | Error::NoAppendTime(_)
            | Error::Thread { .. } => Remedy::Stop,
        }
    }
}
