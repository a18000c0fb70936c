//! What a processor writes, on its way into the transaction.

use super::Error;
use crate::bus::{self, Offset, Outgoing, Partition, Record as Consumed, Topic, TopicName, Writer};
use crate::codec::{
    Addressee, Buffer, Codec, Command, DeadLetter, Decision, Event, Order, Origin, Record, SnapshotChunk,
    State,
};
use crate::domain::{AgentId, Link, Platform, TimeMs};

/// The topics that a processor writes, in the order in which its writer knows them.
pub(super) const OUTPUTS: [Topic; 7] = [
    Topic::Events,
    Topic::CommandsSalesforce,
    Topic::CommandsCxone,
    Topic::State,
    Topic::Decisions,
    Topic::DeadLetters,
    Topic::Snapshots,
];

const EVENTS: usize = 0;
const COMMANDS: [usize; 2] = [1, 2];
const STATE: usize = 3;
const DECISIONS: usize = 4;
const DEAD_LETTERS: usize = 5;
const SNAPSHOTS: usize = 6;

/// Writes into the transaction that is open.
pub(super) struct Stage<'s, W> {
    pub(super) writer: &'s mut W,
    pub(super) codec: &'s Codec,
    pub(super) buffer: &'s mut Buffer,
    /// Who writes: `processor/NAME/N`.
    pub(super) name: &'s str,
    /// Whether dead letters keep what could not be read.
    pub(super) keeps_payload: bool,
}

impl<W: Writer> Stage<'_, W> {
    fn put<'b, R: Record<'b>>(
        &mut self,
        (topic, partition): (usize, u32),
        key: &[u8],
        record: &R,
        what: &'static str,
    ) -> Result<(), Error> {
        self.buffer.clear();
        self.codec.encode(record, self.buffer).map_err(|why| Error::Unwritable { what, why })?;
        let value = Some(self.buffer.as_slice());
        Ok(self.writer.add(&Outgoing { topic, partition: Partition(partition), key, value, headers: &[] })?)
    }

    pub(super) fn event(&mut self, partition: u32, key: &[u8], event: &Event<'_>) -> Result<(), Error> {
        self.put((EVENTS, partition), key, event, "an event")
    }

    pub(super) fn decision(
        &mut self,
        partition: u32,
        key: &[u8],
        decision: &Decision<'_>,
    ) -> Result<(), Error> {
        self.put((DECISIONS, partition), key, decision, "a decision")
    }

    /// A command to the sinks of a platform.
    pub(super) fn command(
        &mut self,
        (partition, event_offset): (u32, Offset),
        (agent, key): (AgentId, &[u8]),
        (platform, link): (Platform, &Link),
        engine_version: u16,
        order: Order<'_>,
    ) -> Result<(), Error> {
        let to = match platform {
            Platform::Salesforce => Addressee::Salesforce(link.salesforce),
            Platform::Cxone => Addressee::Cxone(link.cxone),
        };
        let event_offset = event_offset.0.cast_signed();
        let command = Command { agent, to, event_offset, engine_version, order };
        let [salesforce, cxone] = COMMANDS;
        let topic = if platform == Platform::Salesforce { salesforce } else { cxone };
        self.put((topic, partition), key, &command, "a command")
    }

    /// The Avro body of a state, for its hash.
    pub(super) fn state_body(&mut self, state: &State<'_>) -> Result<&[u8], Error> {
        self.buffer.clear();
        let framing = self
            .codec
            .encode(state, self.buffer)
            .map_err(|why| Error::Unwritable { what: "a state", why })?;
        Ok(self.buffer.as_slice().get(framing..).unwrap_or_default())
    }

    /// The state whose body was asked for last.
    pub(super) fn state(&mut self, partition: u32, key: &[u8]) -> Result<(), Error> {
        let (topic, value) = (STATE, Some(self.buffer.as_slice()));
        Ok(self.writer.add(&Outgoing { topic, partition: Partition(partition), key, value, headers: &[] })?)
    }

    /// The agent is gone, and his state with him.
    pub(super) fn no_state(&mut self, partition: u32, key: &[u8]) -> Result<(), Error> {
        let (topic, partition) = (STATE, Partition(partition));
        Ok(self.writer.add(&Outgoing { topic, partition, key, value: None, headers: &[] })?)
    }

    /// A part of a snapshot.
    pub(super) fn snapshot(&mut self, partition: u32, part: &SnapshotChunk<'_>) -> Result<(), Error> {
        self.put((SNAPSHOTS, 0), partition.to_string().as_bytes(), part, "a snapshot")
    }

    /// Sets a record aside that could not be read.
    pub(super) fn dead_letter(
        &mut self,
        topic: &TopicName,
        record: &Consumed<'_>,
        at: TimeMs,
        why: &crate::codec::Error,
    ) -> Result<(), Error> {
        let origin = Origin {
            topic: topic.as_str(),
            partition: record.partition.0.cast_signed(),
            offset: record.offset.0.cast_signed(),
            at,
        };
        let payload = (record.value.unwrap_or_default(), self.keeps_payload);
        let message = why.to_string();
        let letter = DeadLetter::new(&origin, self.name, (why.cause(), &message), payload);
        let key = record.key.filter(|key| key.len() <= bus::KEY_AND_HEADERS_BYTES_MAX).unwrap_or_default();
        self.put((DEAD_LETTERS, 0), key, &letter, "a dead letter")
    }
}
