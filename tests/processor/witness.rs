//! Who looks at the log from outside, and only at what is committed: on Kafka with another client than Lockstep's; a directory
//! has only ours.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use lockstep::bus::embedded::Embedded;
use lockstep::bus::{AnyBus, Bus, From, Reader, Records, Topic, TopicPartition, Until};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message, Timestamp};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::ground::{Brokers, Ground};
use crate::reading::read;
use crate::site::{PATIENCE, Site, patiently};

/// A record as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) offset: u64,
    pub(crate) at_ms: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

fn consumer(brokers: &Brokers, group: &str, wait_ms: u32) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", &brokers.servers)
        // How long a broker waits before it says that there is nothing.
        .set("fetch.wait.max.ms", wait_ms.to_string())
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap()
}

/// All that is committed in a topic, by partition.
pub(crate) fn read_all(site: &Site, topic: Topic) -> BTreeMap<u32, Vec<Seen>> {
    match &site.ground {
        Ground::Kafka(brokers) => read_brokers(site, brokers, topic),
        Ground::Directory(_) => read_directory(site, topic),
    }
}

fn read_brokers(site: &Site, brokers: &Brokers, topic: Topic) -> BTreeMap<u32, Vec<Seen>> {
    let spec = site.plan.spec(topic);
    let consumer = consumer(brokers, "witness", 10);
    let mut list = TopicPartitionList::new();
    for partition in 0..spec.partitions {
        let (topic, number) = (spec.name.as_str(), partition as i32);
        // Only so that it knows who leads the partition: who does not rests for half a second.
        let _ = consumer.fetch_watermarks(topic, number, PATIENCE);
        list.add_partition_offset(topic, number, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut all: BTreeMap<u32, Vec<Seen>> = (0..spec.partitions).map(|number| (number, Vec::new())).collect();
    let (mut ended, begun) = (0, Instant::now());
    while ended < spec.partitions {
        assert!(begun.elapsed() < PATIENCE, "the end of {} does not come", spec.name);
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            // A broker without a processor to run on: the client tries again.
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AllBrokersDown))) => {}
            Some(Err(error)) => panic!("{}: {error}", spec.name),
            Some(Ok(message)) => {
                let at_ms = match (message.timestamp(), copied(&message).as_deref()) {
                    (Timestamp::LogAppendTime(at_ms), None)
                    | (Timestamp::CreateTime(at_ms), Some(b"record")) => at_ms,
                    (Timestamp::CreateTime(_), Some(b"gap")) => continue,
                    other => panic!("no append time: {other:?}"),
                };
                let seen = all.get_mut(&(message.partition() as u32)).unwrap();
                // A client that gives a record again would look like a processor that decides twice.
                let last = seen.last().map(|seen: &Seen| seen.offset);
                assert!(last < Some(message.offset() as u64), "{} after {last:?}", message.offset());
                seen.push(Seen {
                    offset: message.offset() as u64,
                    at_ms,
                    key: message.key().unwrap_or_default().to_vec(),
                    value: message.payload().map(<[u8]>::to_vec),
                });
            }
        }
    }
    all
}

/// As what a record was copied from elsewhere.
fn copied(message: &impl Message) -> Option<Vec<u8>> {
    let header = message.headers()?.iter().find(|header| header.key == "lockstep-copied")?;
    header.value.map(<[u8]>::to_vec)
}

fn read_directory(site: &Site, topic: Topic) -> BTreeMap<u32, Vec<Seen>> {
    let spec = site.plan.spec(topic);
    let mut all: BTreeMap<u32, Vec<Seen>> = (0..spec.partitions).map(|number| (number, Vec::new())).collect();
    read(&site.bus(), &spec.name, spec.partitions, |record| {
        all.get_mut(&record.partition.0).unwrap().push(Seen {
            offset: record.offset.0,
            at_ms: record.appended_at.unwrap().as_unix_ms(),
            key: record.key.unwrap_or_default().to_vec(),
            value: record.value.map(<[u8]>::to_vec),
        });
    });
    all
}

/// How far the processor has read, with what was noted.
pub(crate) fn committed(site: &Site) -> BTreeMap<u32, (u64, String)> {
    let group = format!("{}.processor", site.plan.prefix);
    match &site.ground {
        Ground::Kafka(brokers) => committed_at_brokers(site, brokers, &group),
        Ground::Directory(folder) => committed_in_directory(site, &folder.bus(), &group),
    }
}

fn committed_in_directory(site: &Site, bus: &Embedded, group: &str) -> BTreeMap<u32, (u64, String)> {
    let topic = site.plan.name(Topic::Events);
    let places: Vec<TopicPartition> =
        (0..site.plan.partitions).map(|number| topic.partition(number)).collect();
    let all = patiently("asking", || bus.committed(group, &places));
    let found = (0..).zip(all).filter_map(|(number, one)| Some((number, one?)));
    found.map(|(number, committed)| (number, (committed.next.0, committed.metadata))).collect()
}

fn committed_at_brokers(site: &Site, brokers: &Brokers, group: &str) -> BTreeMap<u32, (u64, String)> {
    let topic = site.plan.name(Topic::Events);
    let consumer = consumer(brokers, group, 10);
    let mut list = TopicPartitionList::new();
    for partition in 0..site.plan.partitions {
        list.add_partition(topic.as_str(), partition as i32);
    }
    let begun = Instant::now();
    let list = loop {
        match consumer.committed_offsets(list.clone(), Duration::from_secs(20)) {
            Ok(list) => break list,
            // A broker without a processor to run on loses what it coordinates for a while.
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
    };
    let found = list.elements();
    let found = found.iter().filter_map(|element| match element.offset() {
        Offset::Offset(offset) => {
            Some((element.partition() as u32, (offset as u64, element.metadata().to_owned())))
        }
        _ => None,
    });
    found.collect()
}

/// Reads the commands of both platforms as they come.
pub(crate) enum Commands {
    Brokers(Box<BaseConsumer>),
    Directory(Box<<AnyBus as Bus>::Reader>, VecDeque<Vec<u8>>),
}

impl Commands {
    pub(crate) fn of(site: &Site) -> Commands {
        let topics = [Topic::CommandsSalesforce, Topic::CommandsCxone].map(|topic| site.plan.name(topic));
        let places =
            topics.iter().flat_map(|topic| (0..site.plan.partitions).map(|number| topic.partition(number)));
        match &site.ground {
            Ground::Kafka(brokers) => {
                let consumer = consumer(brokers, "commands", 500);
                let mut list = TopicPartitionList::new();
                for place in places {
                    let (topic, number) = (place.topic.as_str(), place.partition.0 as i32);
                    list.add_partition_offset(topic, number, Offset::Beginning).unwrap();
                }
                consumer.assign(&list).unwrap();
                Commands::Brokers(Box::new(consumer))
            }
            Ground::Directory(_) => {
                let starts: Vec<_> = places.map(|place| (place, From::Beginning)).collect();
                let bus = site.bus();
                let reader = patiently("waiting for commands", || bus.reader(&starts, Until::Stopped));
                Commands::Directory(Box::new(reader), VecDeque::new())
            }
        }
    }

    pub(crate) fn next(&mut self, wait: Duration) -> Option<Vec<u8>> {
        match self {
            Commands::Brokers(consumer) => consumer.poll(wait)?.ok()?.payload().map(<[u8]>::to_vec),
            Commands::Directory(reader, read) => {
                if read.is_empty() {
                    match reader.read(wait) {
                        Ok(records) => {
                            read.extend(records.iter().filter_map(|record| Some(record.value?.to_vec())));
                        }
                        // Nobody is there who answers.
                        Err(_) => std::thread::park_timeout(wait),
                    }
                }
                read.pop_front()
            }
        }
    }
}
