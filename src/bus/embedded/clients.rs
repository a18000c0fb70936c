//! Who reads and writes, in the owner's own process or another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::batch::Draft;
use super::groups::Session;
use super::records::EmbeddedRecords;
use super::request::{Answer, Appended, Ask, Claim, Read, Request};
use crate::bus::{
    Committed, Error, From, KEY_AND_HEADERS_BYTES_MAX, Member, Membership, Offset, Outgoing, Polled,
    Progress, RECORD_BYTES_MAX, Reader, TopicName, TopicPartition, Until, Writer,
};

/// A batch is at most about so large; what is more is in the next one of the same transaction.
const BATCH_BYTES: usize = 1 << 20;
/// What an outage that was told is waited for at once.
const OUTAGE_WAIT: Duration = Duration::from_millis(100);

pub(super) type Asked = Arc<dyn Ask>;

/// An answer that does not belong to the question.
pub(super) fn unexpected(operation: &str, answer: &Answer) -> Error {
    Error::Odd { operation: operation.to_owned(), why: format!("the answer is {answer:?}") }
}

/// Tells an outage once.
#[derive(Debug, Default)]
struct Outage {
    is_told: bool,
}

impl Outage {
    /// `None` for an outage that was told before.
    fn tell<T>(&mut self, result: Result<T, Error>, wait: Duration) -> Result<Option<T>, Error> {
        match result {
            Err(Error::Unreachable { .. }) if self.is_told => {
                std::thread::sleep(wait.min(OUTAGE_WAIT));
                Ok(None)
            }
            Err(error) => {
                self.is_told = matches!(error, Error::Unreachable { .. });
                Err(error)
            }
            Ok(done) => {
                self.is_told = false;
                Ok(Some(done))
            }
        }
    }
}

/// What was fetched, and how far each place was read with it.
fn records(
    directory: &Path,
    places: &mut [(TopicPartition, Offset)],
    of: &[usize],
    batches: Read,
) -> Result<EmbeddedRecords, Error> {
    let mut records = EmbeddedRecords::default();
    let mut read = places.to_vec();
    for (number, bytes) in of.iter().zip(batches) {
        if let Some((place, next)) = read.get_mut(*number) {
            *next = records.add(directory, place, bytes, *next)?.max(*next);
        }
    }
    // Only once all of it can be given: nothing is passed over.
    places.clone_from_slice(&read);
    Ok(records)
}

/// Reads partitions alone.
pub struct EmbeddedReader {
    ask: Asked,
    places: Vec<(TopicPartition, Offset)>,
    /// Where they ended when they were read last.
    ends: Vec<Offset>,
    /// Where they ended when they were read first.
    first_ends: Vec<Offset>,
    until: Until,
    outage: Outage,
    /// Something cannot be read, so the end is never reached.
    is_broken: bool,
}

impl EmbeddedReader {
    pub(super) fn new(ask: Asked, starts: &[(TopicPartition, From)], until: Until) -> Result<Self, Error> {
        let offsets = match ask.ask(Request::Begin(starts.to_vec()), Vec::new())?.0 {
            Answer::Begun(offsets) => offsets,
            other => return Err(unexpected("reading", &other)),
        };
        let places = starts.iter().map(|(place, _)| place.clone()).zip(offsets).collect();
        Ok(EmbeddedReader {
            ask,
            places,
            ends: Vec::new(),
            first_ends: Vec::new(),
            until,
            outage: Outage::default(),
            is_broken: false,
        })
    }
}

impl Reader for EmbeddedReader {
    type Records = EmbeddedRecords;

    fn read(&mut self, wait: Duration) -> Result<EmbeddedRecords, Error> {
        let wait = if self.until == Until::End { Duration::ZERO } else { wait };
        let answer = self.ask.ask(Request::Fetch { places: self.places.clone(), wait }, Vec::new());
        if let Err(Error::OutOfRange { partition, .. }) = &answer {
            self.places.retain(|(place, _)| place != partition);
            (self.ends, self.first_ends) = (Vec::new(), Vec::new());
            self.is_broken = true;
        }
        match self.outage.tell(answer, wait.max(OUTAGE_WAIT))? {
            None => Ok(EmbeddedRecords::default()),
            Some((Answer::Fetched { of, ends }, batches)) => {
                if self.first_ends.is_empty() {
                    self.first_ends.clone_from(&ends);
                }
                self.ends = ends;
                records(self.ask.directory(), &mut self.places, &of, batches)
            }
            Some((other, _)) => Err(unexpected("reading", &other)),
        }
    }

    fn is_at_end(&self) -> bool {
        !self.is_broken
            && self.ends.len() == self.places.len()
            && self.places.iter().zip(&self.ends).all(|((_, next), end)| next >= end)
    }

    fn has_been_at_end(&self) -> bool {
        !self.is_broken
            && self.first_ends.len() == self.places.len()
            && self.places.iter().zip(&self.first_ends).all(|((_, next), end)| next >= end)
    }
}

/// Reads partitions as one of a group.
pub struct EmbeddedMember {
    ask: Asked,
    membership: Membership,
    session: Session,
    owned: BTreeSet<TopicPartition>,
    /// What is read, and how far it was.
    reading: Vec<(TopicPartition, Offset)>,
    /// What it was told to let go.
    going: Vec<TopicPartition>,
    /// The owner has answered, in this session.
    is_told: bool,
    outage: Outage,
}

impl EmbeddedMember {
    pub(super) fn new(ask: Asked, membership: &Membership) -> Result<Self, Error> {
        let session = join(&*ask, membership)?;
        Ok(EmbeddedMember {
            ask,
            membership: membership.clone(),
            session,
            owned: BTreeSet::new(),
            reading: Vec::new(),
            going: Vec::new(),
            is_told: false,
            outage: Outage::default(),
        })
    }

    fn let_go(&mut self, gone: &[TopicPartition]) {
        self.owned.retain(|place| !gone.contains(place));
        self.reading.retain(|(place, _)| !gone.contains(place));
    }
}

fn join(ask: &dyn Ask, membership: &Membership) -> Result<Session, Error> {
    match ask.ask(Request::Join(membership.clone()), Vec::new())?.0 {
        Answer::Joined(session) => Ok(session),
        other => Err(unexpected("joining a group", &other)),
    }
}

impl Member for EmbeddedMember {
    type Records = EmbeddedRecords;

    fn poll(&mut self, wait: Duration) -> Result<Polled<EmbeddedRecords>, Error> {
        let going = std::mem::take(&mut self.going);
        self.let_go(&going);
        let poll = Request::Poll { session: self.session.clone(), places: self.reading.clone(), wait };
        let answer = match self.ask.ask(poll, Vec::new()) {
            Err(Error::Evicted { .. }) => {
                self.is_told = false;
                self.session = join(&*self.ask, &self.membership)?;
                self.reading.clear();
                let lost: Vec<_> = std::mem::take(&mut self.owned).into_iter().collect();
                return Ok(if lost.is_empty() {
                    Polled::Records(EmbeddedRecords::default())
                } else {
                    Polled::Lost(lost)
                });
            }
            Err(Error::OutOfRange { partition, offset }) => {
                self.reading.retain(|(place, _)| *place != partition);
                return Err(Error::OutOfRange { partition, offset });
            }
            answer => self.outage.tell(answer, wait)?,
        };
        self.is_told |= answer.is_some();
        match answer {
            None => Ok(Polled::Records(EmbeddedRecords::default())),
            Some((Answer::Fetched { of, .. }, batches)) => {
                records(self.ask.directory(), &mut self.reading, &of, batches).map(Polled::Records)
            }
            Some((Answer::Gained(gained), _)) => {
                self.owned.extend(gained.iter().cloned());
                Ok(Polled::Gained(gained))
            }
            Some((Answer::Losing(losing), _)) => {
                self.going.clone_from(&losing);
                Ok(Polled::Losing(losing))
            }
            Some((other, _)) => Err(unexpected("polling", &other)),
        }
    }

    fn start(&mut self, at: &[(TopicPartition, Offset)]) -> Result<(), Error> {
        if at.iter().any(|(place, _)| !self.owned.contains(place)) {
            let operation = "beginning to read partitions that are another's".to_owned();
            return Err(Error::Evicted { operation, group: self.membership.group.clone() });
        }
        self.reading.retain(|(place, _)| !at.iter().any(|(other, _)| other == place));
        self.reading.extend(at.iter().cloned());
        Ok(())
    }

    /// No transaction is ever open on it, so there is no wait.
    fn committed(&self, partitions: &[TopicPartition], _: Duration) -> Result<Vec<Option<Committed>>, Error> {
        committed(&*self.ask, &self.membership.group, partitions)
    }

    fn is_told(&self) -> bool {
        self.is_told
    }
}

/// How far a group has read partitions.
pub(super) fn committed(
    ask: &dyn Ask,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Vec<Option<Committed>>, Error> {
    let request = Request::Committed { group: group.to_owned(), partitions: partitions.to_vec() };
    match ask.ask(request, Vec::new())?.0 {
        Answer::Committed(all) => Ok(all),
        other => Err(unexpected("asking for the committed offsets", &other)),
    }
}

impl Drop for EmbeddedMember {
    fn drop(&mut self) {
        // Where that fails there is nobody who would wait for it.
        let _ = self.ask.ask(Request::Leave(self.session.clone()), Vec::new());
    }
}

/// Writes, one transaction after the other. Until it is committed, all of one is in this one's memory.
pub struct EmbeddedWriter {
    ask: Asked,
    claim: Claim,
    topics: Vec<(TopicName, u32)>,
    drafts: BTreeMap<(usize, u32), Vec<Draft>>,
}

impl EmbeddedWriter {
    pub(super) fn new(ask: Asked, identity: &str, topics: &[TopicName]) -> Result<Self, Error> {
        let claim = Request::Claim { identity: identity.to_owned(), topics: topics.to_vec() };
        match ask.ask(claim, Vec::new())?.0 {
            Answer::Claimed(claim, partitions) => {
                let topics = topics.iter().cloned().zip(partitions).collect();
                Ok(EmbeddedWriter { ask, claim, topics, drafts: BTreeMap::new() })
            }
            other => Err(unexpected("becoming the writer", &other)),
        }
    }
}

impl Writer for EmbeddedWriter {
    type Member = EmbeddedMember;

    fn add(&mut self, record: &Outgoing<'_>) -> Result<(), Error> {
        let (topic, partitions) = self.topics.get(record.topic).ok_or_else(|| Error::Odd {
            operation: "writing a record".to_owned(),
            why: format!("the writer has no topic number {}", record.topic),
        })?;
        if record.partition.0 >= *partitions {
            let partition = topic.partition(record.partition.0);
            return Err(Error::UnknownPartition { partition, partitions: *partitions });
        }
        let headers: usize = record.headers.iter().map(|header| header.name.len() + header.value.len()).sum();
        let (value_bytes, key_bytes) = (record.value.map_or(0, <[u8]>::len), record.key.len() + headers);
        if value_bytes > RECORD_BYTES_MAX || key_bytes > KEY_AND_HEADERS_BYTES_MAX {
            return Err(Error::TooLarge { topic: topic.clone(), value_bytes, key_bytes });
        }
        let drafts = self.drafts.entry((record.topic, record.partition.0)).or_default();
        if drafts.last().is_none_or(|draft| draft.len() >= BATCH_BYTES) {
            drafts.push(Draft::new());
        }
        if let Some(draft) = drafts.last_mut() {
            draft.add(record);
        }
        Ok(())
    }

    fn push(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn commit(&mut self, read: Option<(&EmbeddedMember, &[Progress])>) -> Result<(), Error> {
        let drafts = std::mem::take(&mut self.drafts);
        let read = read.filter(|(_, progress)| !progress.is_empty());
        if drafts.is_empty() && read.is_none() {
            return Ok(());
        }
        let (mut batches, mut written) = (Vec::new(), Vec::new());
        for ((topic, partition), drafts) in drafts {
            let Some((topic, _)) = self.topics.get(topic) else { continue };
            for draft in drafts {
                let partition = topic.partition(partition);
                batches.push(Appended { partition, records: draft.records(), span: draft.span() });
                written.push(draft.into_bytes());
            }
        }
        let read = read.map(|(member, progress)| (member.session.clone(), progress.to_vec()));
        let append = Request::Append { claim: self.claim.clone(), batches, read };
        match self.ask.ask(append, written) {
            Ok((Answer::Done, _)) => Ok(()),
            Ok((other, _)) => Err(unexpected("committing a transaction", &other)),
            // The answer is lost, and what it would have said.
            Err(Error::Unreachable { operation, why, .. }) => Err(Error::Undecided { operation, why }),
            Err(error) => Err(error),
        }
    }

    fn confirm(&mut self) -> Result<(), Error> {
        match self.ask.ask(Request::Confirm(self.claim.clone()), Vec::new())?.0 {
            Answer::Claimed(claim, _) => {
                self.claim = claim;
                Ok(())
            }
            other => Err(unexpected("asking who is the writer", &other)),
        }
    }

    fn abort(&mut self) -> Result<(), Error> {
        self.drafts.clear();
        self.confirm()
    }
}
