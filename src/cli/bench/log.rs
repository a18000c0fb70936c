//! What benchmarks write into a log and read from it, in place of those who do where Lockstep is at work.

use std::borrow::Cow;

use lockstep::bus::{AnyBus, Bus, From, Outgoing, Topic, TopicsPlan, Until, Writer, partition_for};
use lockstep::codec::{
    Addressee, Buffer, Codec, Command, DirectoryEntry, Entry, LinkEntry, Operator, Order, Record, Set,
};
use lockstep::connectors::http;
use lockstep::domain::{AgentId, Link, Status, TimeMs};
use lockstep::engine::{self, Epoch, Sequence};

use crate::cli::simulated::{NUMBER_FIRST, linked};

/// So many records are in a transaction of what is written beforehand.
pub(super) const TRANSACTION: usize = 20_000;

/// Who writes to a topic.
pub(super) struct Log {
    writer: <AnyBus as Bus>::Writer,
    codec: Codec,
    buffer: Buffer,
    partitions: u32,
}

impl Log {
    pub(super) fn begin(bus: &AnyBus, plan: &TopicsPlan, topic: Topic) -> anyhow::Result<Log> {
        let spec = plan.spec(topic);
        let writer = bus.writer(&format!("{}.bench", spec.name), &[spec.name])?;
        let (codec, buffer) = (Codec::single_object()?, Buffer::new());
        Ok(Log { writer, codec, buffer, partitions: spec.partitions })
    }

    /// Adds a record of an agent to the transaction.
    pub(super) fn add<'r>(&mut self, agent: AgentId, record: &impl Record<'r>) -> anyhow::Result<()> {
        self.buffer.clear();
        self.codec.encode(record, &mut self.buffer)?;
        let key = agent.text();
        let (partition, value) = (partition_for(&key, self.partitions), Some(self.buffer.as_slice()));
        Ok(self.writer.add(&Outgoing { topic: 0, partition, key: &key, value, headers: &[] })?)
    }

    /// Adds a command for an agent to the transaction, and tells when it was issued.
    pub(super) fn command(
        &mut self,
        agent: AgentId,
        to: Addressee,
        status: Status,
        sequence: u32,
    ) -> anyhow::Result<TimeMs> {
        let issued = http::now();
        let set = Set {
            sequence: Sequence(sequence),
            status,
            issued,
            correction: false,
            epoch: Epoch(1),
            rule: None,
            row: None,
        };
        let (engine_version, order) = (engine::VERSION, Order::Set(set));
        self.add(agent, &Command { agent, to, event_offset: 0, engine_version, order })?;
        Ok(issued)
    }

    /// Commits what was added.
    pub(super) fn commit(&mut self) -> anyhow::Result<()> {
        Ok(self.writer.commit(None)?)
    }
}

/// Makes the topics, and links everybody, as an operator does before Lockstep is at work.
pub(super) fn link_all(bus: &AnyBus, plan: &TopicsPlan, people: &[(AgentId, Link)]) -> anyhow::Result<()> {
    bus.create(&plan.specs())?;
    let mut log = Log::begin(bus, plan, Topic::Directory)?;
    for people in people.chunks(TRANSACTION) {
        for (agent, link) in people {
            let entry = Entry::Link(LinkEntry { agent: *agent, link: *link, operator: operator() });
            log.add(*agent, &DirectoryEntry { account: None, read_at: http::now(), entry })?;
        }
        log.commit()?;
    }
    Ok(())
}

/// Reads what is written to a topic from now on.
pub(super) fn read_from_now(
    bus: &AnyBus,
    plan: &TopicsPlan,
    topic: Topic,
) -> anyhow::Result<<AnyBus as Bus>::Reader> {
    let spec = plan.spec(topic);
    let starts: Vec<_> =
        (0..spec.partitions).map(|partition| (spec.name.partition(partition), From::End)).collect();
    Ok(bus.reader(&starts, Until::Stopped)?)
}

/// Somebody of a benchmark's own, by his place.
pub(super) fn person(place: u32) -> anyhow::Result<(AgentId, Link)> {
    linked(NUMBER_FIRST + place, format!("0055g000{place:07}").parse()?)
}

/// Who does what an operator would, and why.
pub(super) fn operator() -> Operator<'static> {
    Operator { actor: Cow::Borrowed("bench"), reason: Cow::Borrowed("a benchmark") }
}
