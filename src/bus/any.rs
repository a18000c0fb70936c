//! A bus of which it is decided at run time what keeps it.

use std::ops::Range;
use std::time::Duration;

use super::embedded::{
    Embedded, EmbeddedLoader, EmbeddedMember, EmbeddedReader, EmbeddedRecords, EmbeddedWriter,
};
use super::kafka::{Kafka, KafkaLoader, KafkaMember, KafkaReader, KafkaRecords, KafkaWriter};
use super::{
    Bus, Committed, Error, Found, From, Header, Loader, Member, Membership, Offset, Outgoing, Polled,
    Progress, Reader, Record, Records, TopicName, TopicPartition, TopicSpec, Until, Writer,
};

/// A bus, or what reads or writes it, or what was read: on Kafka, or in a directory.
#[derive(Clone, Debug)]
pub enum Any<K, E> {
    /// On Kafka.
    Kafka(K),
    /// In a directory.
    Embedded(E),
}

/// A bus on Kafka, or in a directory.
pub type AnyBus = Any<Kafka, Embedded>;

/// Does the same with either.
macro_rules! either {
    ($any:expr, $one:pat => $done:expr) => {
        match $any {
            Any::Kafka($one) => $done,
            Any::Embedded($one) => $done,
        }
    };
    ($any:expr, $one:pat => $done:expr, wrapped) => {
        match $any {
            Any::Kafka($one) => $done.map(Any::Kafka),
            Any::Embedded($one) => $done.map(Any::Embedded),
        }
    };
}

impl Bus for AnyBus {
    type Reader = Any<KafkaReader, EmbeddedReader>;
    type Member = Any<KafkaMember, EmbeddedMember>;
    type Writer = Any<KafkaWriter, EmbeddedWriter>;
    type Loader = Any<KafkaLoader, EmbeddedLoader>;

    fn reader(&self, starts: &[(TopicPartition, From)], until: Until) -> Result<Self::Reader, Error> {
        either!(self, bus => bus.reader(starts, until), wrapped)
    }

    fn join(&self, membership: &Membership) -> Result<Self::Member, Error> {
        either!(self, bus => bus.join(membership), wrapped)
    }

    fn writer(&self, identity: &str, topics: &[TopicName]) -> Result<Self::Writer, Error> {
        either!(self, bus => bus.writer(identity, topics), wrapped)
    }

    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>, Error> {
        either!(self, bus => bus.committed(group, partitions))
    }

    fn members(&self, group: &str) -> Result<usize, Error> {
        either!(self, bus => bus.members(group))
    }

    fn load(&self, topics: &[TopicSpec]) -> Result<Self::Loader, Error> {
        either!(self, bus => bus.load(topics), wrapped)
    }

    fn bounds(&self, partition: &TopicPartition) -> Result<Range<Offset>, Error> {
        either!(self, bus => bus.bounds(partition))
    }

    fn log_ends(&self, partitions: &[TopicPartition]) -> Result<Vec<Offset>, Error> {
        either!(self, bus => bus.log_ends(partitions))
    }

    fn describe(&self, topics: &[TopicName]) -> Result<Vec<Option<Found>>, Error> {
        either!(self, bus => bus.describe(topics))
    }

    fn create(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        either!(self, bus => bus.create(topics))
    }
}

impl Records for Any<KafkaRecords, EmbeddedRecords> {
    fn len(&self) -> usize {
        either!(self, records => records.len())
    }

    fn get(&self, index: usize) -> Option<Record<'_>> {
        either!(self, records => records.get(index))
    }

    fn topic(&self, index: usize) -> Option<&str> {
        either!(self, records => records.topic(index))
    }

    fn headers(&self, index: usize) -> Vec<Header<'_>> {
        either!(self, records => records.headers(index))
    }
}

impl Reader for Any<KafkaReader, EmbeddedReader> {
    type Records = Any<KafkaRecords, EmbeddedRecords>;

    fn read(&mut self, wait: Duration) -> Result<Self::Records, Error> {
        either!(self, reader => reader.read(wait), wrapped)
    }

    fn is_at_end(&self) -> bool {
        either!(self, reader => reader.is_at_end())
    }

    fn has_been_at_end(&self) -> bool {
        either!(self, reader => reader.has_been_at_end())
    }
}

impl Member for Any<KafkaMember, EmbeddedMember> {
    type Records = Any<KafkaRecords, EmbeddedRecords>;

    fn poll(&mut self, wait: Duration) -> Result<Polled<Self::Records>, Error> {
        match self {
            Any::Kafka(member) => member.poll(wait).map(|polled| of_records(polled, Any::Kafka)),
            Any::Embedded(member) => member.poll(wait).map(|polled| of_records(polled, Any::Embedded)),
        }
    }

    fn start(&mut self, at: &[(TopicPartition, Offset)]) -> Result<(), Error> {
        either!(self, member => member.start(at))
    }

    fn committed(
        &self,
        partitions: &[TopicPartition],
        wait: Duration,
    ) -> Result<Vec<Option<Committed>>, Error> {
        either!(self, member => member.committed(partitions, wait))
    }

    fn is_told(&self) -> bool {
        either!(self, member => member.is_told())
    }
}

fn of_records<R, S>(polled: Polled<R>, wrap: impl FnOnce(R) -> S) -> Polled<S> {
    match polled {
        Polled::Records(records) => Polled::Records(wrap(records)),
        Polled::Gained(places) => Polled::Gained(places),
        Polled::Losing(places) => Polled::Losing(places),
        Polled::Lost(places) => Polled::Lost(places),
    }
}

impl Writer for Any<KafkaWriter, EmbeddedWriter> {
    type Member = Any<KafkaMember, EmbeddedMember>;

    fn add(&mut self, record: &Outgoing<'_>) -> Result<(), Error> {
        either!(self, writer => writer.add(record))
    }

    fn push(&mut self) -> Result<(), Error> {
        either!(self, writer => writer.push())
    }

    fn commit(&mut self, read: Option<(&Self::Member, &[Progress])>) -> Result<(), Error> {
        match (self, read) {
            (Any::Kafka(writer), None) => writer.commit(None),
            (Any::Embedded(writer), None) => writer.commit(None),
            (Any::Kafka(writer), Some((Any::Kafka(member), read))) => writer.commit(Some((member, read))),
            (Any::Embedded(writer), Some((Any::Embedded(member), read))) => {
                writer.commit(Some((member, read)))
            }
            _ => Err(Error::Odd {
                operation: "committing a transaction".to_owned(),
                why: "the member is one of another bus".to_owned(),
            }),
        }
    }

    fn confirm(&mut self) -> Result<(), Error> {
        either!(self, writer => writer.confirm())
    }

    fn abort(&mut self) -> Result<(), Error> {
        either!(self, writer => writer.abort())
    }
}

impl Loader for Any<KafkaLoader, EmbeddedLoader> {
    fn begin(&mut self, partition: &TopicPartition, bounds: Range<Offset>) -> Result<(), Error> {
        either!(self, loader => loader.begin(partition, bounds))
    }

    fn add(&mut self, record: &Record<'_>, headers: &[Header<'_>]) -> Result<(), Error> {
        either!(self, loader => loader.add(record, headers))
    }

    fn end(&mut self) -> Result<(), Error> {
        either!(self, loader => loader.end())
    }

    fn finish(self) -> Result<(), Error> {
        either!(self, loader => loader.finish())
    }
}
