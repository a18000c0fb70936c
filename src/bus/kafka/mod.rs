//! The bus on Apache Kafka, through librdkafka: groups, transactions, fencing.

mod explain;
mod loader;
mod member;
mod native;
mod reader;
mod settings;
mod topics;
mod watched;
mod writer;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};

use super::{
    Bus, Committed, Error, Found, From, Membership, Offset, TopicName, TopicPartition, TopicSpec, Until,
};
use native::{Fault, Heard};

pub use loader::KafkaLoader;
pub use member::KafkaMember;
pub use native::Batch as KafkaRecords;
pub use reader::KafkaReader;
pub use settings::{ClientCertificate, Connection, Sasl, Tls};
pub use writer::KafkaWriter;

/// How long the brokers may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Who hangs up on us for so long means us.
const HANG_UPS_FOR: Duration = Duration::from_secs(3);
/// How soon it is looked whether they said something else meanwhile; each time it takes twice as long.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A Kafka cluster.
pub struct Kafka {
    connection: Connection,
    /// Asks what is there; nothing is written with it.
    asking: BaseProducer<Listening>,
    heard: Arc<Heard>,
}

/// Hears what a client of the rdkafka package says by itself, and which record it could not deliver first.
struct Listening {
    heard: Arc<Heard>,
    undelivered: Mutex<Option<Fault>>,
}

impl Listening {
    fn new(heard: Arc<Heard>) -> Listening {
        Listening { heard, undelivered: Mutex::new(None) }
    }
}

impl ClientContext for Listening {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.heard.log(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.heard.complain(Fault::new(code, reason));
        }
    }
}

impl ProducerContext for Listening {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
            let mut first = self.undelivered.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| Fault::new(code, &error.to_string()));
        }
    }
}

/// It shows where it is, never with whom it is known.
impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kafka").field("servers", &self.connection.servers).finish_non_exhaustive()
    }
}

impl Kafka {
    /// Reaches a cluster.
    ///
    /// # Errors
    /// A setting cannot be used, the brokers do not let us in, or nobody answers within ten seconds.
    pub fn connect(connection: Connection) -> Result<Kafka, Error> {
        let heard = Arc::new(Heard::new("asking"));
        let asking = connection.common().create_with_context(Listening::new(Arc::clone(&heard)));
        let kafka = Kafka { asking: asking.map_err(|error| explain::creation(&error))?, connection, heard };
        kafka.ask("reaching Kafka", true, |client, wait| Ok(client.fetch_cluster_id(wait)))?;
        Ok(kafka)
    }

    /// The brokers, as messages name them.
    pub fn servers(&self) -> String {
        self.connection.shown()
    }

    /// Asks until there is an answer, be it the first from this cluster. There it ends early where a person has to mend
    /// something; later the same may pass, as a name does that is not found while its machine restarts.
    fn ask<T>(
        &self,
        operation: &str,
        is_first: bool,
        question: impl Fn(&Client<Listening>, Duration) -> Result<Option<T>, KafkaError>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut wait = LOOK_AGAIN;
        let mut last = Fault::new(Code::OperationTimedOut, "nobody answered in time");
        let mut hangs_up_since: Option<Instant> = None;
        let mut is_complaint = false;
        loop {
            match question(self.asking.client(), wait) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(error) => {
                    let code = error.rdkafka_error_code().filter(|code| *code != Code::OperationTimedOut);
                    if let Some(code) = code {
                        (last, is_complaint) = (Fault::new(code, &error.to_string()), false);
                    }
                }
            }
            // A question that is not answered in time costs its connection: who asks each time for an answer sooner than a
            // slow broker gives one never gets it.
            wait = (wait * 2).min(deadline.saturating_duration_since(Instant::now())).max(LOOK_AGAIN);
            // What the client says by itself is heard while it is polled.
            self.asking.poll(Duration::ZERO);
            for fault in self.heard.complaints() {
                if is_first && let Some(refused) = explain::refusal(operation, &fault) {
                    return Err(refused);
                }
                // That all brokers are down says less than what came before it.
                if !fault.is(Code::AllBrokersDown) {
                    hangs_up_since =
                        explain::is_hang_up(&fault).then(|| hangs_up_since.unwrap_or_else(Instant::now));
                    (last, is_complaint) = (fault, true);
                }
            }
            if is_first && hangs_up_since.is_some_and(|at| at.elapsed() >= HANG_UPS_FOR) {
                return Err(explain::hung_up(operation));
            }
            if Instant::now() >= deadline && is_complaint && !is_first {
                let (operation, why) = (operation.to_owned(), explain::cut(&last.text));
                return Err(Error::Unreachable { operation, servers: self.servers(), why });
            }
            if Instant::now() >= deadline {
                return Err(explain::outside(operation, &self.servers(), &last));
            }
        }
    }

    /// How many partitions a topic has.
    fn partitions(&self, topic: &TopicName) -> Result<u32, Error> {
        let operation = format!("looking for topic {topic}");
        let metadata = self.ask(&operation, false, |client, wait| {
            client.fetch_metadata(Some(topic.as_str()), wait).map(Some)
        })?;
        let found = metadata.topics().iter().find(|found| found.name() == topic.as_str());
        let Some(found) = found else { return Err(Error::UnknownTopic(topic.clone())) };
        match found.error().map(Code::from) {
            None => Ok(u32::try_from(found.partitions().len()).unwrap_or(u32::MAX)),
            Some(Code::UnknownTopicOrPartition) => Err(Error::UnknownTopic(topic.clone())),
            Some(code) => {
                Err(explain::outside(&operation, &self.servers(), &Fault::new(code, &code.to_string())))
            }
        }
    }

    /// Whether these partitions exist.
    fn expect<'t>(&self, partitions: impl Iterator<Item = &'t TopicPartition>) -> Result<(), Error> {
        let mut known: Vec<(&TopicName, u32)> = Vec::new();
        for partition in partitions {
            let found = known.iter().find(|(topic, _)| **topic == partition.topic);
            let count = match found {
                Some((_, count)) => *count,
                None => {
                    let count = self.partitions(&partition.topic)?;
                    known.push((&partition.topic, count));
                    count
                }
            };
            if partition.partition.0 >= count {
                return Err(Error::UnknownPartition { partition: partition.clone(), partitions: count });
            }
        }
        Ok(())
    }
}

impl Bus for Kafka {
    type Reader = KafkaReader;
    type Member = KafkaMember;
    type Writer = KafkaWriter;
    type Loader = KafkaLoader;

    fn reader(&self, starts: &[(TopicPartition, From)], until: Until) -> Result<KafkaReader, Error> {
        self.expect(starts.iter().map(|(partition, _)| partition))?;
        KafkaReader::new(&self.connection, starts, until)
    }

    fn join(&self, membership: &Membership) -> Result<KafkaMember, Error> {
        for topic in &membership.topics {
            self.partitions(topic)?;
        }
        KafkaMember::new(&self.connection, membership)
    }

    fn writer(&self, identity: &str, topics: &[TopicName]) -> Result<KafkaWriter, Error> {
        let counted = topics.iter().map(|topic| Ok((topic.clone(), self.partitions(topic)?)));
        KafkaWriter::new(&self.connection, identity, counted.collect::<Result<_, Error>>()?)
    }

    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<Committed>>, Error> {
        member::committed(&self.connection, group, partitions)
    }

    fn members(&self, group: &str) -> Result<usize, Error> {
        let operation = format!("asking who is in the group {group}");
        let found =
            self.ask(&operation, false, |client, wait| client.fetch_group_list(Some(group), wait).map(Some))?;
        Ok(found.groups().iter().map(|found| found.members().len()).sum())
    }

    fn load(&self, topics: &[TopicSpec]) -> Result<KafkaLoader, Error> {
        KafkaLoader::new(Kafka::connect(self.connection.clone())?, topics)
    }

    fn bounds(&self, partition: &TopicPartition) -> Result<Range<Offset>, Error> {
        self.expect([partition].into_iter())?;
        let (topic, number) = (partition.topic.as_str(), partition.partition.0.cast_signed());
        let asked = self.asking.client().fetch_watermarks(topic, number, ANSWER_TIMEOUT);
        let (low, high) =
            asked.map_err(|error| self.failed(&format!("asking for the ends of {partition}"), &error))?;
        Ok(Offset(low.max(0).cast_unsigned())..Offset(high.max(0).cast_unsigned()))
    }

    fn log_ends(&self, partitions: &[TopicPartition]) -> Result<Vec<Offset>, Error> {
        self.expect(partitions.iter())?;
        reader::log_ends(&self.connection, partitions)
    }

    fn describe(&self, topics: &[TopicName]) -> Result<Vec<Option<Found>>, Error> {
        topics::describe(self, topics)
    }

    fn create(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        topics::create(self, topics)
    }
}

impl Kafka {
    /// What a call of the rdkafka package says.
    fn failed(&self, operation: &str, error: &KafkaError) -> Error {
        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
        self.asking.poll(Duration::ZERO);
        let heard = self.heard.complaints();
        let refused = heard.iter().find_map(|fault| explain::refusal(operation, fault));
        refused.unwrap_or_else(|| {
            explain::outside(operation, &self.servers(), &Fault::new(code, &error.to_string()))
        })
    }
}
