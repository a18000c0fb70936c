//! The bus on Apache Kafka, through librdkafka: groups, transactions, fencing.

mod explain;
mod member;
mod native;
mod reader;
mod settings;
mod topics;
mod watched;
mod writer;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::admin::AdminClient;
use rdkafka::client::Client;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::{Bus, Error, Found, From, Membership, Offset, TopicName, TopicPartition, TopicSpec, Until};
use native::{Fault, Heard};

pub use member::KafkaMember;
pub use native::Batch as KafkaRecords;
pub use reader::KafkaReader;
pub use settings::{ClientCertificate, Connection, Sasl, Tls};
pub use writer::KafkaWriter;

/// How long the brokers may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether they said something else meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A Kafka cluster.
pub struct Kafka {
    connection: Connection,
    admin: AdminClient<Listening>,
    heard: Arc<Heard>,
}

/// Hears what the client for administration says by itself.
struct Listening(Arc<Heard>);

impl ClientContext for Listening {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.0.log(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.0.complain(Fault::new(code, reason));
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
        let heard = Arc::new(Heard::new("admin"));
        // An answer that never comes is known by the deadline of each call, not of the socket.
        let admin = AdminClient::from_config_and_context(&connection.common(), Listening(Arc::clone(&heard)));
        let kafka = Kafka { admin: admin.map_err(|error| explain::creation(&error))?, connection, heard };
        kafka.ask("reaching Kafka", |client| Ok(client.fetch_cluster_id(LOOK_AGAIN)))?;
        Ok(kafka)
    }

    /// The brokers, as messages name them.
    pub fn servers(&self) -> String {
        self.connection.shown()
    }

    /// Asks until there is an answer. Ends early where a person has to mend something.
    fn ask<T>(
        &self,
        operation: &str,
        question: impl Fn(&Client<Listening>) -> Result<Option<T>, KafkaError>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut last = Fault::new(Code::OperationTimedOut, "nobody answered in time");
        loop {
            match question(self.admin.inner()) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(error) => {
                    let code = error.rdkafka_error_code().filter(|code| *code != Code::OperationTimedOut);
                    if let Some(code) = code {
                        last = Fault::new(code, &error.to_string());
                    }
                }
            }
            for fault in self.heard.complaints() {
                if let Some(refused) = explain::refusal(operation, &fault) {
                    return Err(refused);
                }
                // That all brokers are down says less than what came before it.
                if !fault.is(Code::AllBrokersDown) {
                    last = fault;
                }
            }
            if Instant::now() >= deadline {
                return Err(explain::outside(operation, &self.servers(), &last));
            }
        }
    }

    /// How many partitions a topic has.
    fn partitions(&self, topic: &TopicName) -> Result<u32, Error> {
        let operation = format!("looking for topic {topic}");
        let metadata =
            self.ask(&operation, |client| client.fetch_metadata(Some(topic.as_str()), LOOK_AGAIN).map(Some))?;
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

    fn bounds(&self, partition: &TopicPartition) -> Result<Range<Offset>, Error> {
        self.expect([partition].into_iter())?;
        let (topic, number) = (partition.topic.as_str(), partition.partition.0.cast_signed());
        let asked = self.admin.inner().fetch_watermarks(topic, number, ANSWER_TIMEOUT);
        let (low, high) =
            asked.map_err(|error| self.failed(&format!("asking for the ends of {partition}"), &error))?;
        Ok(Offset(low.max(0).cast_unsigned())..Offset(high.max(0).cast_unsigned()))
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
        let heard = self.heard.complaints();
        let refused = heard.iter().find_map(|fault| explain::refusal(operation, fault));
        refused.unwrap_or_else(|| {
            explain::outside(operation, &self.servers(), &Fault::new(code, &error.to_string()))
        })
    }
}
