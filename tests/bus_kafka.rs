//! The bus on a real Kafka: what every bus must do, and what only Kafka has.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod conformance;
#[path = "kafka/servers.rs"]
mod servers;

use std::time::Instant;

use conformance::{Owned, PATIENCE, Rig, outgoing, read_all, write};
use lockstep::bus::kafka::{Connection, Kafka};
use lockstep::bus::{Bus, Offset, Outgoing, TopicName, TopicPartition, Writer, partition_for};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use servers::servers;

/// The Kafka of the environment.
struct OnKafka {
    names: String,
}

fn connection(servers: &str) -> Connection {
    let (servers, further) = (vec![servers.to_owned()], Vec::new());
    Connection { servers, prefix: "test".to_owned(), tls: None, sasl: None, further }
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers());
    config
}

impl Rig for OnKafka {
    type Bus = Kafka;

    fn named(names: String) -> OnKafka {
        OnKafka { names }
    }

    fn names(&self) -> &str {
        &self.names
    }

    fn bus(&self) -> Kafka {
        Kafka::connect(connection(&servers())).unwrap()
    }

    fn log_end(&self, place: &TopicPartition) -> Option<Offset> {
        let consumer: BaseConsumer = client().set("isolation.level", "read_uncommitted").create().unwrap();
        let (topic, partition) = (place.topic.as_str(), place.partition.0 as i32);
        let (_, end) = consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap();
        Some(Offset(end as u64))
    }

    fn quickly_compacted(&self) -> TopicName {
        let name = self.topic_name("state");
        let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
        let topic = NewTopic::new(name.as_str(), 1, TopicReplication::Fixed(1))
            .set("cleanup.policy", "compact")
            .set("segment.ms", "100")
            .set("min.cleanable.dirty.ratio", "0.01")
            .set("message.timestamp.type", "LogAppendTime");
        let made = runtime().block_on(admin.create_topics(&[topic], &AdminOptions::new())).unwrap();
        assert!(made[0].is_ok(), "{made:?}");
        name
    }

    /// A segment ends when a record comes after its time; then the cleaner takes it.
    fn compact(&self, topic: &TopicName, records_max: usize) {
        let bus = self.bus();
        let begun = Instant::now();
        while read_all(&bus, topic, 1).len() > records_max {
            assert!(begun.elapsed() < PATIENCE, "the cleaner does not come");
            let mut writer = bus.writer(&self.name("filler"), std::slice::from_ref(topic)).unwrap();
            writer.add(&outgoing(0, b"filler", b"")).unwrap();
            writer.commit(None).unwrap();
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

conforms!(OnKafka);
conforms!(OnKafka: loading: what_is_loaded_is_where_it_was);

/// Not a test by itself: a process that the tests kill.
#[test]
#[ignore = "other tests start it as a process of its own"]
fn child_that_copies() {
    conformance::killed::copy::<OnKafka>();
}

/// A key is in the partition in which every client of Kafka looks for it.
#[test]
fn keys_are_where_other_clients_put_them() {
    const PARTITIONS: u32 = 7;
    let rig = OnKafka::new("keys_are_where_other_clients_put_them");
    let topic = rig.topic("events", PARTITIONS);
    let producer: BaseProducer = client().set("partitioner", "murmur2_random").create().unwrap();
    for number in 0..500 {
        let key = format!("{:0width$}", number, width = number % 40);
        producer
            .send(BaseRecord::to(topic.as_str()).key(&key).payload(""))
            .map_err(|(error, _)| error)
            .unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let all = read_all(&rig.bus(), &topic, PARTITIONS);
    assert_eq!(all.len(), 500);
    for record in all {
        assert_eq!(partition_for(&record.key, PARTITIONS).0, record.partition, "{:?}", record.key);
    }
}

/// Kafka's own console consumer sees what was committed, and only that.
#[test]
fn kafkas_own_consumer_sees_the_same() {
    let rig = OnKafka::new("kafkas_own_consumer_sees_the_same");
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    write(&rig, &topic, 0, &["a", "b"]);
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&topic)).unwrap();
    writer.add(&outgoing(0, b"key", b"aborted")).unwrap();
    rig.push_to_log(&mut writer, &topic.partition(0));
    writer.abort().unwrap();
    let headers = [lockstep::bus::Header { name: "n", value: b"v" }];
    writer.add(&Outgoing { headers: &headers, ..outgoing(0, b"agent", b"c") }).unwrap();
    writer.commit(None).unwrap();
    let lib = std::env::var("KAFKA_LIB").expect("KAFKA_LIB names Kafka's jars: run under scripts/kafka run");
    let java = std::env::var("JAVA_HOME").map_or("java".to_owned(), |home| format!("{home}/bin/java"));
    let seen = std::process::Command::new(java)
        .args(["-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"])
        .arg(format!("{lib}/*"))
        .args(["org.apache.kafka.tools.consumer.ConsoleConsumer", "--from-beginning"])
        .args(["--bootstrap-server", &servers(), "--topic", topic.as_str(), "--max-messages", "3"])
        .args(["--timeout-ms", "30000", "--isolation-level", "read_committed"])
        .args(["--formatter-property", "print.key=true", "--formatter-property", "print.headers=true"])
        .args(["--formatter-property", "print.timestamp=true"])
        .output()
        .unwrap();
    let text = String::from_utf8(seen.stdout).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split('\t').map(|part| part.split_once("LogAppendTime:").map_or(part, |_| "time")))
        .map(|parts| parts.collect::<Vec<_>>().join(" "))
        .collect();
    let told = String::from_utf8_lossy(&seen.stderr);
    assert_eq!(lines, ["time NO_HEADERS key a", "time NO_HEADERS key b", "time n:v agent c"], "{told}");
    assert_eq!(read_all(&bus, &topic, 1).iter().map(Owned::text).collect::<Vec<_>>(), ["a", "b", "c"]);
}
