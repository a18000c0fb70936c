//! What can be asked of the owner of a directory, in his own process or over its socket.

use std::path::Path;
use std::time::Duration;

use fjall::Slice;
use serde::{Deserialize, Serialize};

use super::groups::Session;
use crate::bus::{
    Committed, Error, Found, From, Membership, Offset, Progress, TopicName, TopicPartition, TopicSpec,
};

/// A question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Which topics there are.
    Topics,
    /// What there is of topics.
    Describe(Vec<TopicName>),
    /// Make topics.
    Create(Vec<TopicSpec>),
    /// From where to where a partition goes.
    Bounds(TopicPartition),
    /// At which offsets reading begins.
    Begin(Vec<(TopicPartition, From)>),
    /// What is there from these offsets on; waits for the first.
    Fetch { places: Vec<(TopicPartition, Offset)>, wait: Duration },
    /// Join a group.
    Join(Membership),
    /// The same as `Fetch`, for a member, who is told what comes and goes.
    Poll { session: Session, places: Vec<(TopicPartition, Offset)>, wait: Duration },
    /// Go.
    Leave(Session),
    /// How far a group has read.
    Committed { group: String, partitions: Vec<TopicPartition> },
    /// How many members a group has.
    Members(String),
    /// Become the one who writes as this identity.
    Claim { identity: String, topics: Vec<TopicName> },
    /// Write and commit. The bytes of the records travel beside, in the same order.
    Append { claim: Claim, batches: Vec<Appended>, read: Option<(Session, Vec<Progress>)> },
    /// Whether this is still the one who writes, and whether there is somewhere to write.
    Confirm(Claim),
    /// Compact a topic now.
    Compact(TopicName),
}

/// That somebody writes as an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// The owner who gave it; another, after him, knows nothing of it.
    pub(super) owner: u64,
    pub(super) identity: String,
    /// Who comes later has a higher one.
    pub(super) epoch: u64,
    /// Rises whenever he gives up what he has sent: of that nothing is written any more.
    pub(super) attempt: u64,
}

/// A batch that is to be appended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Appended {
    pub(super) partition: TopicPartition,
    pub(super) records: u32,
    pub(super) span: u64,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Done,
    Topics(Vec<TopicName>),
    Members(usize),
    Found(Vec<Option<Found>>),
    Bounds(Offset, Offset),
    Begun(Vec<Offset>),
    /// For each batch that travels beside, which of the places it is of; and where each place ends now.
    Fetched {
        of: Vec<usize>,
        ends: Vec<Offset>,
    },
    Joined(Session),
    Gained(Vec<TopicPartition>),
    Losing(Vec<TopicPartition>),
    Committed(Vec<Option<Committed>>),
    /// The claim, and how many partitions each topic has.
    Claimed(Claim, Vec<u32>),
}

/// Batches beside a question.
pub(super) type Written = Vec<Vec<u8>>;
/// Batches beside an answer.
pub(super) type Read = Vec<Slice>;

/// Asks the owner.
pub(super) trait Ask: Send + Sync {
    /// What he answers.
    ///
    /// # Errors
    /// What he could not do, or that he cannot be reached.
    fn ask(&self, request: Request, written: Written) -> Result<(Answer, Read), Error>;

    /// The directory, as errors name it.
    fn directory(&self) -> &Path;
}
