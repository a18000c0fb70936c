//! What sources and sinks write, until it is committed.

use std::borrow::Cow;
use std::sync::Arc;

use crate::bus::{
    self, Bus, Outgoing, Partition, Progress, Topic, TopicName, TopicsPlan, Writer, partition_for,
};
use crate::codec::{
    self, Buffer, Codec, DeadCause, DeadLetter, Event, Origin, Position, Record, Sha256, What,
};
use crate::domain::{Account, AgentId, TimeMs};
use crate::engine;

/// The topics that are written, in the order in which the writer knows them.
const TOPICS: [Topic; 3] = [Topic::Events, Topic::Positions, Topic::DeadLetters];
const EVENTS: usize = 0;
const POSITIONS: usize = 1;
const DEAD_LETTERS: usize = 2;
/// A transaction has no more records: it must be over in time.
const RECORDS_MAX: usize = 20_000;

/// Who writes.
#[derive(Clone, Debug)]
pub struct Author {
    /// `ROLE/ACCOUNT/NAME`.
    pub name: String,
    /// The account.
    pub account: Account,
    /// Tells this life of the process from every other.
    pub seed: u128,
    /// Whether dead letters keep what could not be read.
    pub keeps_payload: bool,
}

/// Records that wait to be committed, in their order. After a transaction that failed they are written again: what is read twice
/// changes nothing.
pub struct Outbox {
    codec: Arc<Codec>,
    plan: TopicsPlan,
    author: Author,
    number: u64,
    buffer: Buffer,
    bytes: Vec<u8>,
    staged: Vec<Staged>,
}

/// Where a record is in the bytes, and where it goes.
#[derive(Clone, Copy)]
struct Staged {
    topic: usize,
    partition: Partition,
    key: usize,
    value: usize,
    end: usize,
}

impl Outbox {
    /// An empty one.
    pub fn new(codec: Arc<Codec>, plan: TopicsPlan, author: Author) -> Outbox {
        let (bytes, staged) = (Vec::new(), Vec::new());
        Outbox { codec, plan, author, number: 0, buffer: Buffer::new(), bytes, staged }
    }

    /// The topics that its writer has to know.
    pub fn topics(plan: &TopicsPlan) -> Vec<TopicName> {
        TOPICS.iter().map(|topic| plan.name(*topic)).collect()
    }

    /// How many records wait.
    pub const fn len(&self) -> usize {
        self.staged.len()
    }

    /// Whether nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.staged.is_empty()
    }

    fn put<'b, R: Record<'b>>(
        &mut self,
        (topic, partition): (usize, Partition),
        key: &str,
        record: &R,
    ) -> Result<(), codec::Error> {
        self.buffer.clear();
        self.codec.encode(record, &mut self.buffer)?;
        let key_at = self.bytes.len();
        self.bytes.extend_from_slice(key.as_bytes());
        let value = self.bytes.len();
        self.bytes.extend_from_slice(self.buffer.as_slice());
        self.staged.push(Staged { topic, partition, key: key_at, value, end: self.bytes.len() });
        Ok(())
    }

    fn event<'w>(&mut self, what: What<'w>, agent: Option<AgentId>, now: TimeMs) -> Event<'w> {
        self.number += 1;
        let seed = [self.author.name.as_bytes(), &self.author.seed.to_be_bytes(), &self.number.to_be_bytes()];
        Event {
            id: Sha256::of(&seed.concat()).uuid(),
            agent,
            account: Some(self.author.account),
            written_at: now,
            writer: Cow::Owned(self.author.name.clone()),
            engine_version: engine::VERSION,
            what,
        }
    }

    /// Something that happened to an agent.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_event(&mut self, agent: AgentId, what: What<'_>, now: TimeMs) -> Result<(), codec::Error> {
        let event = self.event(what, Some(agent), now);
        let partition = partition_for(&agent.text(), self.plan.partitions);
        self.put((EVENTS, partition), &event.key(), &event)
    }

    /// Something that concerns the whole account: every partition is told.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_for_all(&mut self, what: What<'_>, now: TimeMs) -> Result<(), codec::Error> {
        let event = self.event(what, None, now);
        (0..self.plan.partitions)
            .try_for_each(|partition| self.put((EVENTS, Partition(partition)), &event.key(), &event))
    }

    /// How far the account has been read.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_position(&mut self, last_poll_time: Option<&str>, now: TimeMs) -> Result<(), codec::Error> {
        let author = self.author.clone();
        let position = Position {
            account: author.account,
            read_at: now,
            writer: Cow::Borrowed(&author.name),
            replay_id: None,
            last_poll_time: last_poll_time.map(Cow::Borrowed),
        };
        self.put((POSITIONS, Partition(0)), &author.account.to_string(), &position)
    }

    /// Sets something aside that could not be read.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_dead_letter(
        &mut self,
        origin: &Origin<'_>,
        key: &str,
        why: (DeadCause, &str),
        payload: &[u8],
    ) -> Result<(), codec::Error> {
        let author = self.author.clone();
        let letter = DeadLetter::new(origin, &author.name, why, (payload, author.keeps_payload));
        self.put((DEAD_LETTERS, Partition(0)), key, &letter)
    }

    /// Commits what waits, and, with the lease, how far commands were dealt with, in as many transactions as it takes. After an
    /// error all that is left waits on; the transaction is to be given up.
    ///
    /// # Errors
    /// Those of the bus.
    pub fn commit<B: Bus>(
        &mut self,
        writer: &mut B::Writer,
        read: Option<(&B::Member, &[Progress])>,
    ) -> Result<(), bus::Error> {
        while self.staged.len() > RECORDS_MAX {
            self.add_first::<B>(writer, RECORDS_MAX)?;
            // Only the lease is proven with it: how far commands are dealt with is true once all of it is there.
            writer.commit(read.map(|(member, progress)| (member, progress.get(..1).unwrap_or_default())))?;
            self.forget_first(RECORDS_MAX);
        }
        let all = self.staged.len();
        self.add_first::<B>(writer, all)?;
        writer.commit(read)?;
        self.forget_first(all);
        Ok(())
    }

    fn add_first<B: Bus>(&self, writer: &mut B::Writer, count: usize) -> Result<(), bus::Error> {
        for staged in self.staged.iter().take(count) {
            let Staged { topic, partition, key, value, end } = *staged;
            writer.add(&Outgoing {
                topic,
                partition,
                key: self.bytes.get(key..value).unwrap_or_default(),
                value: self.bytes.get(value..end),
                headers: &[],
            })?;
        }
        Ok(())
    }

    fn forget_first(&mut self, count: usize) {
        self.staged.drain(..count);
        if self.staged.is_empty() {
            self.bytes.clear();
        }
    }
}
