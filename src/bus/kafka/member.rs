//! Reading partitions as one of a group.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;

use super::native::{Batch, Consumer, Entry, Fault, GroupMetadata, List, Rebalance, Run};
use super::settings::Connection;
use super::{ANSWER_TIMEOUT, explain};
use crate::bus::{
    Committed, Error, Member, Membership, Offset, Polled, Progress, Records, TopicName, TopicPartition,
};

/// librdkafka's number for an offset that is not known.
const UNKNOWN: i64 = -1001;
const ASKING: &str = "asking for the committed offsets";

/// Reads partitions of a cluster as one of a group.
pub struct KafkaMember {
    consumer: Consumer,
    group: String,
    name: Option<String>,
    topics: Vec<TopicName>,
    servers: String,
    /// Gained, and not read yet.
    waiting: BTreeSet<TopicPartition>,
    /// Being read, with the first record that was not given yet.
    reading: BTreeMap<TopicPartition, Offset>,
    /// Told to be going, and let go with the next poll.
    going: Option<Vec<TopicPartition>>,
    /// What went wrong, once the records before it have been given.
    errors: VecDeque<Error>,
}

impl KafkaMember {
    pub(super) fn new(connection: &Connection, membership: &Membership) -> Result<KafkaMember, Error> {
        let Membership { group, name, topics } = membership;
        let servers = connection.shown();
        let consumer = Consumer::new(&connection.member(group, name.as_deref()), "member");
        let consumer = consumer.map_err(|error| explain::creation(&error))?;
        let joined = consumer.subscribe(topics.iter().map(|topic| topic.as_str()));
        joined.map_err(|fault| explain::outside(&format!("joining the group {group}"), &servers, &fault))?;
        Ok(KafkaMember {
            consumer,
            group: group.clone(),
            name: name.clone(),
            topics: topics.clone(),
            servers,
            waiting: BTreeSet::new(),
            reading: BTreeMap::new(),
            going: None,
            errors: VecDeque::new(),
        })
    }

    /// The group.
    pub(super) fn group(&self) -> &str {
        &self.group
    }

    /// Whether it reads all of these that it joined for, and one at least.
    pub(super) fn reads(&self, progress: &[Progress]) -> bool {
        let reads = |progress: &Progress| self.reading.contains_key(&progress.partition);
        let is_foreign = |progress: &Progress| !self.topics.contains(&progress.partition.topic);
        progress.iter().any(reads) && progress.iter().all(|progress| reads(progress) || is_foreign(progress))
    }

    /// With whom offsets are committed; none once the group gave this member up.
    pub(super) fn metadata(&self) -> Option<GroupMetadata> {
        self.consumer.group_metadata()
    }

    /// Answers that partitions are let go.
    fn let_go(&mut self) -> Result<(), Error> {
        let Some(going) = &self.going else { return Ok(()) };
        // librdkafka knows only of those that were started; even where these are none it waits for the answer.
        let started = going.iter().filter(|place| self.reading.contains_key(place));
        let list = List::of(started.map(|place| (place, UNKNOWN)));
        self.consumer.unassign(&list).map_err(|fault| self.failed("letting partitions go", &fault))?;
        for place in self.going.take().into_iter().flatten() {
            self.waiting.remove(&place);
            self.reading.remove(&place);
        }
        Ok(())
    }

    fn failed(&self, operation: &str, fault: &Fault) -> Error {
        let operation = format!("{operation} of the group {}", self.group);
        // What is fatal comes with a code that says only that.
        let fatal = self.consumer.client().fatal().filter(|_| fault.is(Code::Fatal));
        let fault = fatal.as_ref().unwrap_or(fault);
        if fault.is(Code::FencedInstanceId) {
            return Error::Fenced { identity: self.name.clone().unwrap_or_default() };
        }
        if fault.is(Code::PollExceeded)
            || fault.is(Code::AssignmentLost)
            || fault.is(Code::UnknownMemberId)
            || fault.is(Code::IllegalGeneration)
        {
            return Error::Evicted { operation, group: self.group.clone() };
        }
        explain::outside(&operation, &self.servers, fault)
    }

    /// Takes out what was given before: at a rebalance librdkafka may begin anew from a place that it notes late.
    fn only_new(&mut self, batch: &mut Batch) {
        let mut again = Vec::new();
        for Run { place, rows } in batch.runs() {
            let offset = |row: usize| batch.get(row).map(|record| record.offset);
            let next = self.reading.get_mut(&place);
            let old = match &next {
                None => rows.clone(),
                Some(next) => {
                    rows.start..rows.clone().find(|row| offset(*row) >= Some(**next)).unwrap_or(rows.end)
                }
            };
            if let (Some(next), Some(Offset(last))) = (next, offset(rows.end - 1)) {
                *next = (*next).max(Offset(last + 1));
            }
            again.push(old);
        }
        again.into_iter().rev().filter(|rows| !rows.is_empty()).for_each(|rows| batch.remove(rows));
    }

    fn rebalanced(&mut self, rebalance: Rebalance) -> Polled<Batch> {
        let places = |entries: Vec<Entry>| entries.iter().map(Entry::place).collect::<Vec<_>>();
        match rebalance {
            Rebalance::Assigned(entries) => {
                let gained = places(entries);
                self.waiting.extend(gained.iter().cloned());
                Polled::Gained(gained)
            }
            Rebalance::Revoked(entries) => {
                let going = places(entries);
                self.going = Some(going.clone());
                Polled::Losing(going)
            }
            Rebalance::Lost(entries) => {
                let going = places(entries);
                self.going = Some(going.clone());
                Polled::Lost(going)
            }
        }
    }

    /// Takes note of what is no record.
    fn note(&mut self, entry: &Entry, fault: &Fault) {
        if fault.is(Code::Fatal) {
            // Why is asked for apart.
            return;
        }
        let place = entry.place();
        let error = if fault.is(Code::AutoOffsetReset) || fault.is(Code::OffsetOutOfRange) {
            Error::OutOfRange { partition: place, offset: Offset(entry.offset.max(0).cast_unsigned()) }
        } else if fault.is(Code::UnknownTopicOrPartition) || fault.is(Code::UnknownTopic) {
            Error::UnknownTopic(place.topic)
        } else {
            self.failed("reading as a member", fault)
        };
        self.errors.push_back(error);
    }
}

impl Member for KafkaMember {
    type Records = Batch;

    fn poll(&mut self, wait: Duration) -> Result<Polled<Batch>, Error> {
        self.let_go()?;
        if let Some(error) = self.errors.pop_front() {
            return Err(error);
        }
        if let Some(rebalance) = self.consumer.rebalance() {
            return Ok(self.rebalanced(rebalance));
        }
        let mut consumed = self.consumer.consume(wait);
        self.only_new(&mut consumed.batch);
        consumed.told.iter().for_each(|(entry, fault)| self.note(entry, fault));
        if let Some(fault) = self.consumer.client().fatal() {
            self.errors.push_back(self.failed("reading as a member", &fault));
        }
        let outage = explain::outage("reading as a member", &self.servers, self.consumer.client().heard());
        self.errors.extend(outage);
        if !consumed.batch.is_empty() {
            return Ok(Polled::Records(consumed.batch));
        }
        if let Some(error) = self.errors.pop_front() {
            return Err(error);
        }
        match self.consumer.rebalance() {
            Some(rebalance) => Ok(self.rebalanced(rebalance)),
            None => Ok(Polled::Records(consumed.batch)),
        }
    }

    fn start(&mut self, at: &[(TopicPartition, Offset)]) -> Result<(), Error> {
        let pairs = |is_one: &dyn Fn(&TopicPartition) -> bool| {
            at.iter().filter(|(place, _)| is_one(place)).cloned().collect::<Vec<_>>()
        };
        let new = pairs(&|place| self.waiting.contains(place));
        let again = pairs(&|place| self.reading.contains_key(place));
        let operation = "beginning to read as a member";
        if new.len() + again.len() < at.len() {
            return Err(Error::Evicted { operation: operation.to_owned(), group: self.group.clone() });
        }
        let list = |of: &[(TopicPartition, Offset)]| {
            List::of(of.iter().map(|(place, offset)| (place, offset.0.cast_signed())))
        };
        if !new.is_empty() {
            self.consumer.assign(&list(&new)).map_err(|fault| self.failed(operation, &fault))?;
            for (place, next) in new {
                self.waiting.remove(&place);
                self.reading.insert(place, next);
            }
        }
        if !again.is_empty() {
            let sought = self.consumer.seek(&list(&again), ANSWER_TIMEOUT);
            // Some may have been sought even where it failed, and nothing that comes of them may be taken for old.
            self.reading.extend(again);
            sought.map_err(|fault| self.failed(operation, &fault))?;
        }
        Ok(())
    }

    fn committed(
        &self,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> Result<Vec<Option<Committed>>, Error> {
        let failed = |fault: Fault| self.failed(ASKING, &fault);
        ask(&self.consumer, partitions, wait).map_err(failed)
    }

    fn is_told(&self) -> bool {
        self.metadata().is_some() && !self.consumer.has_rebalances()
    }
}

/// How far a group has read partitions, asked by who is no member of it.
pub(super) fn committed(
    connection: &Connection,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Vec<Option<Committed>>, Error> {
    let consumer = Consumer::new(&connection.member(group, None), "asking for offsets");
    let consumer = consumer.map_err(|error| explain::creation(&error))?;
    let operation = format!("{ASKING} of the group {group}");
    ask(&consumer, partitions, ANSWER_TIMEOUT)
        .map_err(|fault| explain::outside(&operation, &connection.shown(), &fault))
}

fn ask(
    consumer: &Consumer,
    partitions: &[TopicPartition],
    wait: Duration,
) -> Result<Vec<Option<Committed>>, Fault> {
    let answer = consumer.committed(&List::of(partitions.iter().map(|place| (place, UNKNOWN))), wait)?;
    partitions
        .iter()
        .map(|place| match answer.iter().find(|entry| entry.place() == *place) {
            None => Err(Fault::of(Code::Fail as i32)),
            Some(entry) if entry.code != 0 => Err(Fault::of(entry.code)),
            Some(entry) => Ok(u64::try_from(entry.offset).ok().map(|next| Committed {
                next: Offset(next),
                metadata: String::from_utf8_lossy(&entry.metadata).into_owned(),
            })),
        })
        .collect()
}

impl Drop for KafkaMember {
    /// A rebalance without an answer would keep the group waiting, and this too.
    fn drop(&mut self) {
        let _ = self.let_go();
        while let Some(rebalance) = self.consumer.rebalance() {
            let _ = self.rebalanced(rebalance);
            let _ = self.let_go();
        }
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            let list = List::of(waiting.iter().map(|place| (place, UNKNOWN)));
            let _ = self.consumer.assign(&list).and_then(|()| self.consumer.unassign(&list));
        }
        self.consumer.leave();
    }
}
