//! What can go wrong with a bus, and what to do about it.

use serde::{Deserialize, Serialize};

use super::{KEY_AND_HEADERS_BYTES_MAX, Offset, RECORD_BYTES_MAX, TopicName, TopicPartition};
use crate::domain::Remedy;

/// What went wrong with the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// Nobody answers, for now.
    #[error("{operation}: the bus at {servers} does not answer: {why}")]
    Unreachable {
        /// What was tried.
        operation: String,
        /// Where.
        servers: String,
        /// Why, as far as it is known.
        why: String,
    },
    /// Somebody answers, and does not let us in, or not do that.
    #[error("{operation}: {why}: {mend}")]
    Refused {
        /// What was tried.
        operation: String,
        /// What is wrong.
        why: String,
        /// Which setting to look at.
        mend: String,
    },
    /// A setting cannot be used.
    #[error("{name} in the configuration cannot be used: {why}")]
    Setting {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// There is no such topic.
    #[error("there is no topic {0}: `lockstep topics create` makes it")]
    UnknownTopic(TopicName),
    /// The topic has fewer partitions.
    #[error(
        "there is no partition {partition}, the topic has {partitions}: `lockstep topics check` says what differs"
    )]
    UnknownPartition {
        /// What was asked for.
        partition: TopicPartition,
        /// How many there are.
        partitions: u32,
    },
    /// A record is larger than one may be. Nothing of it was written.
    #[error(
        "a record for {topic} has {value_bytes} bytes and {key_bytes} of key and headers: {RECORD_BYTES_MAX} and {KEY_AND_HEADERS_BYTES_MAX} are allowed"
    )]
    TooLarge {
        /// Where it should have gone.
        topic: TopicName,
        /// The size of its value.
        value_bytes: usize,
        /// The size of its key and headers.
        key_bytes: usize,
    },
    /// The log does not have that place any more, or not yet.
    #[error(
        "{partition} cannot be read from offset {offset}: it is older than what is kept, or the log was made anew"
    )]
    OutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// Where it should have been read.
        offset: Offset,
    },
    /// Another process has this identity.
    #[error(
        "another process has the identity {identity}, or this one stood still in a transaction for more than 15 s: every process needs a name of its own"
    )]
    Fenced {
        /// The identity.
        identity: String,
    },
    /// Another process owns the directory.
    #[error("{directory} is owned by {holder}: end that one first, or name another directory")]
    Owned {
        /// The directory.
        directory: String,
        /// Who owns it.
        holder: String,
    },
    /// The group has given this member up: others may have its partitions.
    #[error(
        "{operation}: the group {group} has given this member up; it was silent for too long, or the group was reordered"
    )]
    Evicted {
        /// What was tried.
        operation: String,
        /// The group.
        group: String,
    },
    /// The transaction cannot be committed.
    #[error("{operation}: the transaction cannot be committed: {why}")]
    Aborted {
        /// What was tried.
        operation: String,
        /// Why.
        why: String,
    },
    /// Whether the transaction was committed is not known.
    #[error("{operation}: it is not known whether the transaction was committed: {why}")]
    Undecided {
        /// What was tried.
        operation: String,
        /// Why.
        why: String,
    },
    /// Something that should not happen.
    #[error("{operation}: {why}")]
    Odd {
        /// What was tried.
        operation: String,
        /// What happened.
        why: String,
    },
    /// This was closed, or what it belongs to.
    #[error("{operation}: it is closed")]
    Closed {
        /// What was tried.
        operation: String,
    },
}

impl Error {
    /// What to do about it.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Error::Unreachable { .. } => Remedy::Retry,
            Error::TooLarge { .. } => Remedy::Reject,
            Error::Evicted { .. } | Error::Aborted { .. } | Error::Undecided { .. } => Remedy::Abort,
            Error::Refused { .. }
            | Error::Setting { .. }
            | Error::UnknownTopic(_)
            | Error::UnknownPartition { .. }
            | Error::OutOfRange { .. }
            | Error::Fenced { .. }
            | Error::Owned { .. }
            | Error::Odd { .. }
            | Error::Closed { .. } => Remedy::Stop,
        }
    }
}
