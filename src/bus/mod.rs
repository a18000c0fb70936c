//! A log of records in topics and partitions, that several processes share.
//!
//! What is written here is the contract; [`kafka`] and [`embedded`] keep it, and `tests/conformance` asks every implementation for it.
//! Calls block, so they belong on a thread of their own and never on that of an async runtime.

mod any;
mod compacted;
pub mod embedded;
mod error;
pub mod kafka;
mod partitioner;
mod topics;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::TimeMs;

pub use any::{Any, AnyBus};
pub use compacted::latest;
pub use error::Error;
pub use partitioner::partition_for;
pub use topics::{Difference, Found, Kept, Replicas, Severity, Topic, TopicSpec, TopicsPlan};

/// A record's value may have so many bytes. Topics and clients take twice as much, for what is around it.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// A record's key and headers together may have so many bytes.
pub const KEY_AND_HEADERS_BYTES_MAX: usize = 64 << 10;

/// The whole name of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TopicName(Arc<str>);

/// One of a topic's partitions, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition(pub u32);

/// A record's place in its partition, from 0. Offsets rise and have gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offset(pub u64);

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// Its partition.
    pub partition: Partition,
}

/// A record as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'b> {
    /// Its partition.
    pub partition: Partition,
    /// Its place there.
    pub offset: Offset,
    /// When the bus appended it. `None` where the topic keeps its writers' times.
    pub appended_at: Option<TimeMs>,
    /// What it is about.
    pub key: Option<&'b [u8]>,
    /// What it says. In a compacted topic, none deletes what was said of the key.
    pub value: Option<&'b [u8]>,
}

/// A record as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'b> {
    /// The topic: its index in the list that the writer was made with.
    pub topic: usize,
    /// Its partition; [`partition_for`] finds the one of a key.
    pub partition: Partition,
    /// What it is about.
    pub key: &'b [u8],
    /// What it says; none deletes what a compacted topic has of the key.
    pub value: Option<&'b [u8]>,
    /// What travels beside the value.
    pub headers: &'b [Header<'b>],
}

/// A named value beside a record's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'b> {
    /// Its name.
    pub name: &'b str,
    /// Its value.
    pub value: &'b [u8],
}

/// Where reading a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum From {
    /// At the oldest record that is kept.
    Beginning,
    /// At this offset, or the next one that there is. An offset that is no longer kept, or not there yet, is
    /// [`Error::OutOfRange`], and never skipped over in silence.
    Offset(Offset),
    /// At the first record that was appended then or later; at the end, where there is none.
    Time(#[serde(with = "time_ms")] TimeMs),
    /// At the end, as it is when the reader is made: what is appended after that is read.
    End,
}

/// How long somebody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the end, and as fast as can be.
    End,
    /// For as long as the process runs; it may wait longer for what is rare.
    Stopped,
}

/// Who reads a topic together with others, each partition by one of them at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The group, as the bus knows it.
    pub group: String,
    /// The member's own name. Who comes back with it soon has his partitions again at once; of two who have it, one is
    /// [`Error::Fenced`]. Without a name a member that goes loses his partitions at once, and one that dies within
    /// seconds.
    pub name: Option<String>,
    /// The topics.
    pub topics: Vec<TopicName>,
}

/// How far a group has read a partition, and what was noted with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// The first record that it has not dealt with.
    pub next: Offset,
    /// What was committed with it.
    pub metadata: String,
}

/// How far a partition has been read, to be committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The partition.
    pub partition: TopicPartition,
    /// The first record that has not been dealt with.
    pub next: Offset,
    /// What is noted with it: at most a few hundred bytes of text.
    pub metadata: String,
}

/// What a member is given.
#[derive(Debug)]
pub enum Polled<R> {
    /// What came; it may be nothing.
    Records(R),
    /// These are his now. He reads them once he has said from where ([`Member::start`]); until then he goes on polling, and
    /// neither what he reads nor the group may move on meanwhile.
    Gained(Vec<TopicPartition>),
    /// Others shall have these. What is open on them must be committed or given up before the next `poll`, which lets
    /// them go.
    Losing(Vec<TopicPartition>),
    /// Others may have these already: what is open on them cannot be committed any more.
    Lost(Vec<TopicPartition>),
}

/// A log of topics.
pub trait Bus: Send + Sync {
    /// Reads partitions alone.
    type Reader: Reader;
    /// Reads partitions as one of a group.
    type Member: Member;
    /// Writes, one transaction after the other.
    type Writer: Writer<Member = Self::Member>;
    /// Fills new topics with what another bus has.
    type Loader: Loader;

    /// Reads these partitions from there. Who reads sees what was committed, in the order of each partition, and never
    /// what was aborted or is still open; what comes after something open waits for it.
    ///
    /// # Errors
    /// A topic or partition is unknown, or the bus cannot be reached.
    fn reader(&self, starts: &[(TopicPartition, From)], until: Until) -> Result<Self::Reader, Error>;

    /// Joins a group.
    ///
    /// # Errors
    /// A topic is unknown, or the bus cannot be reached.
    fn join(&self, membership: &Membership) -> Result<Self::Member, Error>;

    /// Becomes the one who writes as `identity`. What a predecessor of this identity left open is aborted before this
    /// returns, and from then on he is [`Error::Fenced`]. (A bus that belongs to one process refuses the second
    /// instead, with the same error.)
    ///
    /// # Errors
    /// A topic is unknown, or the bus cannot be reached.
    fn writer(&self, identity: &str, topics: &[TopicName]) -> Result<Self::Writer, Error>;

    /// From the oldest record that is kept to the end of what may be read now.
    ///
    /// # Errors
    /// The topic or partition is unknown, or the bus cannot be reached.
    fn bounds(&self, partition: &TopicPartition) -> Result<Range<Offset>, Error>;

    /// How far a group has read partitions, in their order, asked by who is no member of it.
    ///
    /// # Errors
    /// A partition is unknown, or the bus cannot be reached.
    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>, Error>;

    /// How many members a group has. One with a name of its own that has gone counts until its session is over.
    ///
    /// # Errors
    /// The bus cannot be reached.
    fn members(&self, group: &str) -> Result<usize, Error>;

    /// Makes topics, to fill them with what another bus has.
    ///
    /// # Errors
    /// There is one of them already, or the bus cannot be reached.
    fn load(&self, topics: &[TopicSpec]) -> Result<Self::Loader, Error>;

    /// The ends of partitions, in their order, with what is still open or was aborted: where all is decided,
    /// [`bounds`](Bus::bounds) ends there too.
    ///
    /// # Errors
    /// A partition is unknown, or the bus cannot be reached.
    fn log_ends(&self, partitions: &[TopicPartition]) -> Result<Vec<Offset>, Error>;

    /// What there is of these topics, in their order.
    ///
    /// # Errors
    /// The bus cannot be reached, or does not tell.
    fn describe(&self, topics: &[TopicName]) -> Result<Vec<Option<Found>>, Error>;

    /// Makes topics. One that is there already is left as it is, whatever it is like.
    ///
    /// # Errors
    /// The bus cannot be reached, or refuses; those before the one that it names may have been made.
    fn create(&self, topics: &[TopicSpec]) -> Result<(), Error>;
}

/// Records that were read together. They stay valid for as long as this is held.
pub trait Records: Send {
    /// How many there are.
    fn len(&self) -> usize;

    /// One of them.
    fn get(&self, index: usize) -> Option<Record<'_>>;

    /// The topic of one of them.
    fn topic(&self, index: usize) -> Option<&str>;

    /// The headers of one of them, in the order in which they were written.
    fn headers(&self, index: usize) -> Vec<Header<'_>>;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them: those of a partition in its order.
    fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// Reads partitions alone.
pub trait Reader: Send {
    /// What is read at once.
    type Records: Records;

    /// What there is; waits so long for the first record.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names a partition that cannot be read from where it should; the others may be read on. An
    /// outage is told once, and reading goes on by itself when it is over.
    fn read(&mut self, wait: Duration) -> Result<Self::Records, Error>;

    /// Whether all that had been committed has been read in every partition, as of the last `read`.
    fn is_at_end(&self) -> bool;

    /// Whether each partition has been at its end since it began, be there more by now: all that had been committed when it began
    /// has been read. Where others write all the time, no moment may come at which all are at their end at once.
    fn has_been_at_end(&self) -> bool;
}

/// Reads partitions as one of a group. A partition belongs to one member at a time.
pub trait Member: Send {
    /// What is read at once.
    type Records: Records;

    /// What there is; waits so long for it. It must be called every few seconds, also while nothing is wanted: who is
    /// silent for minutes is taken for dead.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another came with the same name; or when an outage swallowed the answer to this one's own
    /// return, which looks the same, and which [`Writer::confirm`] tells apart. This member is of no use any more then.
    /// [`Error::Evicted`] when the group gave this member up: poll
    /// on, and what is his comes again. An outage is told once, and polling goes on by itself
    /// when it is over.
    fn poll(&mut self, wait: Duration) -> Result<Polled<Self::Records>, Error>;

    /// Begins to read partitions that are his at these offsets, or anew, where they are read already. What had been
    /// fetched of them before is dropped.
    ///
    /// # Errors
    /// The partitions are not his any more, or the bus cannot be reached.
    fn start(&mut self, at: &[(TopicPartition, Offset)]) -> Result<(), Error>;

    /// How far the group has read these partitions, in their order; waits so long for an answer, and until no transaction
    /// is open on that.
    ///
    /// # Errors
    /// The bus cannot be reached, or the wait was too short.
    fn committed(
        &self,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> Result<Vec<Option<Committed>>, Error>;

    /// Whether the group has told it what is its own, and [`poll`](Member::poll) has given all of that: it may be nothing.
    fn is_told(&self) -> bool;
}

/// Writes, one transaction after the other: all of one is seen, or nothing.
///
/// After an error whose remedy is *abort*, [`abort`](Writer::abort) makes the writer ready for a new transaction; what
/// was committed is then decided, and must be read again before going on.
pub trait Writer: Send {
    /// Whose progress is committed along.
    type Member: Member;

    /// Adds a record, beginning a transaction where none is open. Its bytes are copied. Records of a partition are read
    /// in the order in which they were added.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::UnknownPartition`] and [`Error::Odd`] are about the record, and leave the transaction
    /// as it was. Every other error is one of the transaction.
    fn add(&mut self, record: &Outgoing<'_>) -> Result<(), Error>;

    /// Sends off what was added, so that less is left to do when it is committed.
    ///
    /// # Errors
    /// As for the transaction.
    fn push(&mut self) -> Result<(), Error>;

    /// Commits what was added, and how far the member has read, as one: all of it, or nothing. Beside a partition that he
    /// reads there may be those of topics that he did not join for: that he is the one who may say it is proven by his own.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another writes as this identity. [`Error::Evicted`] when the partitions may be another
    /// member's by now. After [`Error::Undecided`] it may have been committed; `abort` decides it.
    fn commit(&mut self, read: Option<(&Self::Member, &[Progress])>) -> Result<(), Error>;

    /// Makes sure that nobody else has become the one who writes as this identity. No transaction may be open.
    ///
    /// # Errors
    /// [`Error::Fenced`] when somebody has. After any other error it is not known: [`abort`](Writer::abort), and ask again.
    fn confirm(&mut self) -> Result<(), Error>;

    /// Gives up what was added since the last commit.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another writes as this identity; the bus cannot be reached: try again.
    fn abort(&mut self) -> Result<(), Error>;
}

/// Fills new topics with what another bus has, one partition after the other. Records keep their append times and headers
/// and, but for compacted topics, their offsets: what names a place in the log names it there too. Before it is
/// [finished](Loader::finish), no processor takes the topics for whole.
///
/// After an error it is of no use any more, and the topics are to be deleted.
pub trait Loader {
    /// Begins a partition, which begins and ends there, whatever records it has.
    ///
    /// # Errors
    /// The partition is unknown.
    fn begin(&mut self, partition: &TopicPartition, bounds: Range<Offset>) -> Result<(), Error>;

    /// Adds a record of the partition. Offsets rise.
    ///
    /// # Errors
    /// The bus does not take it.
    fn add(&mut self, record: &Record<'_>, headers: &[Header<'_>]) -> Result<(), Error>;

    /// All of the partition was added.
    ///
    /// # Errors
    /// The bus did not take all of it.
    fn end(&mut self) -> Result<(), Error>;

    /// All is there, and safe on disk: the topics become as they should be.
    ///
    /// # Errors
    /// The bus cannot be reached.
    fn finish(self) -> Result<(), Error>;
}

impl TopicName {
    /// A topic with this name.
    pub fn new(name: &str) -> TopicName {
        TopicName(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One of its partitions.
    pub fn partition(&self, partition: u32) -> TopicPartition {
        TopicPartition { topic: self.clone(), partition: Partition(partition) }
    }
}

impl std::convert::From<String> for TopicName {
    fn from(name: String) -> TopicName {
        TopicName(name.into())
    }
}

impl std::convert::From<TopicName> for String {
    fn from(name: TopicName) -> String {
        name.as_str().to_owned()
    }
}

/// A time as it goes from process to process.
mod time_ms {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::TimeMs;

    pub(super) fn serialize<S: Serializer>(time: &TimeMs, to: S) -> Result<S::Ok, S::Error> {
        time.as_unix_ms().serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<TimeMs, D::Error> {
        i64::deserialize(from).map(TimeMs::from_unix_ms)
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}
