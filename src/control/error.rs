//! What can go wrong on the way of an operator's word into the log.

use crate::codec::{self, Uuid};
use crate::domain::Remedy;
use crate::{bus, engine};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bus did not take or give it.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// A record could not be written or read.
    #[error("a record of {topic}, key {key:?}: {why}")]
    Record {
        /// The topic.
        topic: String,
        /// The record's key.
        key: String,
        /// Why.
        why: codec::Error,
    },
    /// A record could not be written.
    #[error(transparent)]
    Codec(#[from] codec::Error),
    /// There is no such revision.
    #[error("there is no revision {0}: `lockstep rules list` shows those that were saved")]
    NoRevision(String),
    /// Several revisions begin so.
    #[error("several revisions begin with {0}: write more of it")]
    Ambiguous(String),
    /// A record of a revision is missing, or not the one that its manifest names.
    #[error("revision {revision} is not whole: {what}; save the rules anew with `lockstep rules apply`")]
    Damaged {
        /// The revision.
        revision: Uuid,
        /// What is wrong.
        what: String,
    },
    /// The revision was made for a newer engine.
    #[error(
        "revision {revision} was checked with engine version {found}, and this Lockstep has {}: upgrade it",
        engine::VERSION
    )]
    NewerEngine {
        /// The revision.
        revision: Uuid,
        /// The version that it was checked with.
        found: u16,
    },
    /// The configuration has another number of partitions than the topic.
    #[error("{topic} has {found} partitions, and `partitions` of [bus] is {configured}: write {found}")]
    Partitions {
        /// The topic.
        topic: bus::TopicName,
        /// How many it has.
        found: u32,
        /// How many are configured.
        configured: u32,
    },
    /// There is nothing to go back to.
    #[error("there is no activation before the one in force: nothing to go back to")]
    NothingBefore,
    /// Two records of a revision would have one key.
    #[error("two records of the revision would have the key {0:?}: rename the rule")]
    SameKey(String),
}

impl Error {
    /// What to do about it.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Error::Bus(error) => error.remedy(),
            Error::Codec(error) | Error::Record { why: error, .. } => error.remedy(),
            Error::NoRevision(_)
            | Error::Ambiguous(_)
            | Error::Damaged { .. }
            | Error::NewerEngine { .. }
            | Error::NothingBefore
            | Error::Partitions { .. }
            | Error::SameKey(_) => Remedy::Stop,
        }
    }
}
