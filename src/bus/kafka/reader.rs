//! Reading partitions alone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;

use super::native::{Batch, Consumer, Entry, Fault, List, Run};
use super::settings::Connection;
use super::{ANSWER_TIMEOUT, explain};
use crate::bus::{Error, From, Offset, Reader, Records, TopicPartition, Until};

/// librdkafka's number for the oldest offset.
const BEGINNING: i64 = -2;

/// Reads partitions of a cluster.
pub struct KafkaReader {
    consumer: Consumer,
    servers: String,
    partitions: BTreeMap<TopicPartition, Reading>,
    /// How many of them are at their end.
    at_end: usize,
    /// How many of them have been there.
    been_at_end: usize,
    /// What went wrong, once the records before it have been given.
    errors: VecDeque<Error>,
}

struct Reading {
    /// Where it began.
    from: i64,
    is_at_end: bool,
    has_been_at_end: bool,
}

impl KafkaReader {
    pub(super) fn new(
        connection: &Connection,
        starts: &[(TopicPartition, From)],
        until: Until,
    ) -> Result<KafkaReader, Error> {
        let consumer = Consumer::new(&connection.reader(until), "reader");
        let consumer = consumer.map_err(|error| explain::creation(&error))?;
        let servers = connection.shown();
        let mut partitions = BTreeMap::new();
        for (place, from) in starts {
            let from = begin(&consumer, &servers, place, *from)?;
            partitions.insert(place.clone(), Reading { from, is_at_end: false, has_been_at_end: false });
        }
        let list = List::of(partitions.iter().map(|(place, reading)| (place, reading.from)));
        let assigned = consumer.assign_alone(&list);
        assigned.map_err(|fault| explain::outside("beginning to read", &servers, &fault))?;
        Ok(KafkaReader { consumer, servers, partitions, at_end: 0, been_at_end: 0, errors: VecDeque::new() })
    }

    fn mark(&mut self, place: &TopicPartition, is_at_end: bool) {
        let Some(reading) = self.partitions.get_mut(place) else { return };
        match (reading.is_at_end, is_at_end) {
            (false, true) => self.at_end += 1,
            (true, false) => self.at_end -= 1,
            _ => {}
        }
        reading.is_at_end = is_at_end;
    }

    /// Takes note of what is no record.
    fn note(&mut self, entry: &Entry, fault: &Fault, lasts: &[(TopicPartition, Offset)]) {
        let place = entry.place();
        if fault.is(Code::PartitionEOF) {
            let goes_on =
                lasts.iter().any(|(other, last)| *other == place && last.0.cast_signed() >= entry.offset);
            self.mark(&place, !goes_on);
            if let Some(reading) = self.partitions.get_mut(&place)
                && !reading.has_been_at_end
            {
                reading.has_been_at_end = true;
                self.been_at_end += 1;
            }
            return;
        }
        let error = if fault.is(Code::AutoOffsetReset) || fault.is(Code::OffsetOutOfRange) {
            let from = self.partitions.get(&place).map_or(0, |reading| reading.from);
            let offset = if entry.offset >= 0 { entry.offset } else { from.max(0) };
            Error::OutOfRange { partition: place, offset: Offset(offset.cast_unsigned()) }
        } else {
            explain::told(&format!("reading {place}"), &self.servers, &entry.topic, fault)
        };
        self.errors.push_back(error);
    }
}

/// Where to begin. What depends on the moment is decided now, and not when the first record comes.
fn begin(consumer: &Consumer, servers: &str, place: &TopicPartition, from: From) -> Result<i64, Error> {
    let (topic, number) = (place.topic.as_str(), place.partition.0.cast_signed());
    let failed = |fault: Fault| {
        explain::told(&format!("looking for where to begin in {place}"), servers, topic, &fault)
    };
    let end = || consumer.bounds(topic, number, ANSWER_TIMEOUT).map(|(_, end)| end).map_err(failed);
    match from {
        // Asked only so that librdkafka knows who leads the partition: where it does not, it rests for half a second before
        // it looks for the beginning.
        From::Beginning => end().map(|_| BEGINNING),
        From::Offset(offset) => Ok(offset.0.cast_signed()),
        From::End => end(),
        From::Time(time) => {
            // The end comes first: what is appended between the two questions is then read.
            let end = end()?;
            let list = List::of([(place, time.as_unix_ms().max(0))]);
            let found = consumer.offsets_for_times(&list, ANSWER_TIMEOUT).map_err(failed)?;
            match found.first() {
                Some(found) if found.code != 0 => Err(failed(Fault::of(found.code))),
                Some(found) if found.offset >= 0 => Ok(found.offset),
                _ => Ok(end),
            }
        }
    }
}

/// The ends of partitions, with what is still open.
pub(super) fn log_ends(connection: &Connection, partitions: &[TopicPartition]) -> Result<Vec<Offset>, Error> {
    let mut properties = connection.reader(Until::End);
    properties.set("isolation.level", "read_uncommitted");
    let consumer =
        Consumer::new(&properties, "asking for ends").map_err(|error| explain::creation(&error))?;
    let ends = partitions.iter().map(|place| {
        let (topic, number) = (place.topic.as_str(), place.partition.0.cast_signed());
        let bounds = consumer.bounds(topic, number, ANSWER_TIMEOUT);
        let (_, end) = bounds.map_err(|fault| {
            explain::told(&format!("asking for the end of {place}"), &connection.shown(), topic, &fault)
        })?;
        Ok(Offset(end.max(0).cast_unsigned()))
    });
    ends.collect()
}

impl Reader for KafkaReader {
    type Records = Batch;

    fn read(&mut self, wait: Duration) -> Result<Batch, Error> {
        if let Some(error) = self.errors.pop_front() {
            return Err(error);
        }
        let consumed = self.consumer.consume(wait);
        if self.at_end > 0 || !consumed.told.is_empty() {
            let lasts: Vec<_> = consumed
                .batch
                .runs()
                .into_iter()
                .filter_map(|Run { place, rows }| {
                    let last = consumed.batch.get(rows.end - 1)?;
                    Some((place, last.offset))
                })
                .collect();
            lasts.iter().for_each(|(place, _)| self.mark(place, false));
            consumed.told.iter().for_each(|(entry, fault)| self.note(entry, fault, &lasts));
        }
        self.errors.extend(explain::outage("reading", &self.servers, self.consumer.client().heard()));
        match self.errors.pop_front() {
            Some(error) if consumed.batch.is_empty() => Err(error),
            Some(error) => {
                self.errors.push_front(error);
                Ok(consumed.batch)
            }
            None => Ok(consumed.batch),
        }
    }

    fn is_at_end(&self) -> bool {
        self.at_end == self.partitions.len()
    }

    fn has_been_at_end(&self) -> bool {
        self.been_at_end == self.partitions.len()
    }
}
