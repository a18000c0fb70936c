//! Filling new topics with what another bus has, at the same offsets and with the same times.
//!
//! Kafka gives offsets one after the other, and stamps append times itself. So a gap is filled with records that say what
//! they are and that our readers pass over, what comes before the first record is filled likewise and then deleted, and the
//! topics keep their writer's times until all is there. Until then `lockstep run` refuses them.

use std::ops::Range;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header as Named, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::native::{COPIED, Fault, GAP, Heard, RECORD};
use super::{Kafka, Listening, explain, topics};
use crate::bus::{Bus, Error, Header, Kept, Loader, Offset, Record, TopicPartition, TopicSpec};

/// How long the brokers may be away before a copy is given up.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// How long it is waited for room before it is looked again.
const ROOM_WITHIN: Duration = Duration::from_millis(100);

/// Fills new topics of a cluster.
pub struct KafkaLoader {
    kafka: Kafka,
    specs: Vec<TopicSpec>,
    producer: BaseProducer<Listening>,
    filling: Option<Filling>,
    /// Where each partition ends that was filled.
    filled: Vec<(TopicPartition, Offset)>,
}

/// A partition that is being filled.
struct Filling {
    place: TopicPartition,
    /// Compacted topics have offsets of their own: nothing else names them.
    keeps_offsets: bool,
    bounds: Range<Offset>,
    next: Offset,
    /// The time of the record before or after: a filler bears it too, and goes when that one goes.
    time_ms: i64,
}

impl KafkaLoader {
    pub(super) fn new(kafka: Kafka, specs: &[TopicSpec]) -> Result<KafkaLoader, Error> {
        let names: Vec<_> = specs.iter().map(|spec| spec.name.clone()).collect();
        let found = kafka.describe(&names)?;
        if let Some((name, _)) = names.iter().zip(&found).find(|(_, found)| found.is_some()) {
            return Err(Error::Refused {
                operation: format!("copying to Kafka at {}", kafka.servers()),
                why: format!("there is a topic {name} already"),
                mend: "set another `prefix` in [bus]; or, if a copy that was not finished has left its topics, delete all of the prefix with kafka-topics.sh --delete".to_owned(),
            });
        }
        let context = Listening::new(Arc::new(Heard::new("loader")));
        let producer = kafka.connection.loader(TAKEN_WITHIN).create_with_context(context);
        let producer = producer.map_err(|error| explain::creation(&error))?;
        topics::create_for_copies(&kafka, specs)?;
        Ok(KafkaLoader { kafka, specs: specs.to_vec(), producer, filling: None, filled: Vec::new() })
    }

    /// What went wrong with what was given away already.
    fn check(&self) -> Result<(), Error> {
        let context = self.producer.context();
        let undelivered = context.undelivered.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(fault) = &*undelivered else { return Ok(()) };
        let text = explain::complaint(&context.heard).filter(|_| explain::is_outage(fault));
        let fault = Fault { text: text.unwrap_or_else(|| fault.text.clone()), ..fault.clone() };
        Err(explain::outside("copying to Kafka", &self.kafka.servers(), &fault))
    }

    fn send(
        &self,
        place: &TopicPartition,
        time_ms: i64,
        (key, value): (Option<&[u8]>, Option<&[u8]>),
        headers: OwnedHeaders,
    ) -> Result<(), Error> {
        let mut record = BaseRecord::<[u8], [u8]>::to(place.topic.as_str())
            .partition(place.partition.0.cast_signed())
            .timestamp(time_ms)
            .headers(headers);
        record.key = key;
        record.payload = value;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), back)) => {
                    self.producer.poll(ROOM_WITHIN);
                    self.check()?;
                    record = back;
                }
                Err((error, _)) => return Err(self.kafka.failed(&format!("copying to {place}"), &error)),
            }
        }
    }

    /// Fills up to an offset.
    fn fill(&self, filling: &mut Filling, end: Offset) -> Result<(), Error> {
        while filling.keeps_offsets && filling.next < end {
            self.send(&filling.place, filling.time_ms, (None, None), marked(GAP, &[]))?;
            filling.next.0 += 1;
        }
        Ok(())
    }

    fn end_of(&mut self, mut filling: Filling) -> Result<(), Error> {
        let end = filling.bounds.end;
        self.fill(&mut filling, end)?;
        let Filling { place, keeps_offsets, bounds, next, .. } = filling;
        let flushed = self.producer.flush(TAKEN_WITHIN + ROOM_WITHIN);
        self.check()?;
        flushed.map_err(|error| self.kafka.failed(&format!("copying to {place}"), &error))?;
        self.ends_at(&place, next)?;
        if keeps_offsets && bounds.start.0 > 0 {
            topics::delete_before(&self.kafka, &place, bounds.start)?;
        }
        self.filled.push((place, next));
        Ok(())
    }

    /// Nobody else has written there.
    fn ends_at(&self, place: &TopicPartition, end: Offset) -> Result<(), Error> {
        let found = self.kafka.bounds(place)?;
        if found.end == end {
            return Ok(());
        }
        Err(Error::Odd {
            operation: format!("copying to {place}"),
            why: format!("it ends at {} and not at {end}: somebody else writes there", found.end),
        })
    }
}

/// The headers of a record, with the one that tells that it was copied.
fn marked(how: &[u8], headers: &[Header<'_>]) -> OwnedHeaders {
    let all = OwnedHeaders::new_with_capacity(headers.len() + 1);
    // The name is ASCII.
    let name = COPIED.to_str().unwrap_or_default();
    headers.iter().fold(all.insert(Named { key: name, value: Some(how) }), |all, header| {
        all.insert(Named { key: header.name, value: Some(header.value) })
    })
}

impl Loader for KafkaLoader {
    fn begin(&mut self, place: &TopicPartition, bounds: Range<Offset>) -> Result<(), Error> {
        let keeps_offsets =
            self.specs.iter().any(|spec| spec.name == place.topic && spec.kept != Kept::Compacted);
        let (place, next) = (place.clone(), Offset(0));
        self.filling = Some(Filling { place, keeps_offsets, bounds, next, time_ms: 0 });
        Ok(())
    }

    fn add(&mut self, record: &Record<'_>, headers: &[Header<'_>]) -> Result<(), Error> {
        let Some(mut filling) = self.filling.take() else { return Ok(()) };
        filling.time_ms = record.appended_at.map_or(filling.time_ms, |at| at.as_unix_ms());
        self.fill(&mut filling, record.offset)?;
        let parts = (record.key, record.value);
        self.send(&filling.place, filling.time_ms, parts, marked(RECORD, headers))?;
        filling.next.0 += 1;
        if filling.next.0 % 1024 == 0 {
            self.producer.poll(Duration::ZERO);
            self.check()?;
        }
        self.filling = Some(filling);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.filling.take().map_or(Ok(()), |filling| self.end_of(filling))
    }

    fn finish(self) -> Result<(), Error> {
        self.filled.iter().try_for_each(|(place, end)| self.ends_at(place, *end))?;
        topics::finish_copies(&self.kafka, &self.specs)
    }
}
