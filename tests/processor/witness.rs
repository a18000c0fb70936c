//! Who looks at the log from outside: with another client than Lockstep's, and only at what is committed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lockstep::bus::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, Timestamp};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::site::{PATIENCE, Site};

/// A record as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) offset: u64,
    pub(crate) at_ms: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

fn consumer(site: &Site, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", &site.brokers.servers)
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap()
}

/// All that is committed in a topic, by partition.
pub(crate) fn read_all(site: &Site, topic: Topic) -> BTreeMap<u32, Vec<Seen>> {
    let spec = site.plan.spec(topic);
    let consumer = consumer(site, "witness");
    let mut list = TopicPartitionList::new();
    for partition in 0..spec.partitions {
        list.add_partition_offset(spec.name.as_str(), partition as i32, Offset::Beginning).unwrap();
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
                let Timestamp::LogAppendTime(at_ms) = message.timestamp() else { panic!("no append time") };
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

/// How far the processor has read, with what was noted.
pub(crate) fn committed(site: &Site) -> BTreeMap<u32, (u64, String)> {
    let topic = site.plan.name(Topic::Events);
    let consumer = consumer(site, &format!("{}.processor", site.plan.prefix));
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
pub(crate) struct Commands {
    consumer: BaseConsumer,
}

impl Commands {
    pub(crate) fn of(site: &Site) -> Commands {
        let consumer = consumer(site, "commands");
        let mut list = TopicPartitionList::new();
        for topic in [Topic::CommandsSalesforce, Topic::CommandsCxone] {
            for partition in 0..site.plan.partitions {
                let name = site.plan.name(topic);
                list.add_partition_offset(name.as_str(), partition as i32, Offset::Beginning).unwrap();
            }
        }
        consumer.assign(&list).unwrap();
        Commands { consumer }
    }

    pub(crate) fn next(&self, wait: Duration) -> Option<Vec<u8>> {
        match self.consumer.poll(wait)? {
            Ok(message) => message.payload().map(<[u8]>::to_vec),
            Err(_) => None,
        }
    }
}
