//! Topics of a cluster: made, and looked at. Never deleted, and never given other numbers of partitions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::native::Fault;
use super::{ANSWER_TIMEOUT, Kafka, LOOK_AGAIN, Listening, explain};
use crate::bus::topics::TIMES;
use crate::bus::{Difference, Error, Found, Offset, Severity, TopicName, TopicPartition, TopicSpec};

/// A client for administration.
fn admin(kafka: &Kafka) -> Result<AdminClient<Listening>, Error> {
    let listening = Listening::new(Arc::clone(&kafka.heard));
    kafka.connection.common().create_with_context(listening).map_err(|error| explain::creation(&error))
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_TIMEOUT)).operation_timeout(Some(ANSWER_TIMEOUT))
}

/// Runs a call of the rdkafka package to its end, which the options bound.
fn wait<T>(operation: &str, call: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| Error::Odd {
        operation: operation.to_owned(),
        why: format!("no runtime for the call: {error}"),
    })?;
    Ok(runtime.block_on(call))
}

pub(super) fn describe(kafka: &Kafka, topics: &[TopicName]) -> Result<Vec<Option<Found>>, Error> {
    let mut all = Vec::with_capacity(topics.len());
    for topic in topics {
        all.push(shape(kafka, topic)?);
    }
    let operation = "asking for the settings of topics";
    let there = topics.iter().zip(&all).filter(|(_, found)| found.is_some()).map(|(topic, _)| topic);
    let resources: Vec<_> = there.map(|topic| ResourceSpecifier::Topic(topic.as_str())).collect();
    if resources.is_empty() {
        return Ok(all);
    }
    let described = wait(operation, admin(kafka)?.describe_configs(&resources, &options()))?;
    let described = described.map_err(|error| kafka.failed(operation, &error))?;
    for (found, settings) in all.iter_mut().flatten().zip(described) {
        let settings = settings.map_err(|code| refused(kafka, operation, code))?;
        found.settings =
            settings.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect();
    }
    Ok(all)
}

/// Partitions and replicas of a topic; none where it is missing.
fn shape(kafka: &Kafka, topic: &TopicName) -> Result<Option<Found>, Error> {
    let operation = format!("looking for topic {topic}");
    let metadata = kafka
        .ask(&operation, false, |client, wait| client.fetch_metadata(Some(topic.as_str()), wait).map(Some))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic.as_str()) else {
        return Ok(None);
    };
    match found.error().map(Code::from) {
        None => {}
        Some(Code::UnknownTopicOrPartition) => return Ok(None),
        Some(code) => return Err(refused(kafka, &operation, code)),
    }
    let replicas = found.partitions().iter().map(|partition| partition.replicas().len()).min();
    Ok(Some(Found {
        partitions: u32::try_from(found.partitions().len()).unwrap_or(u32::MAX),
        replication_factor: u16::try_from(replicas.unwrap_or(0)).unwrap_or(u16::MAX),
        settings: Default::default(),
    }))
}

fn refused(kafka: &Kafka, operation: &str, code: Code) -> Error {
    explain::outside(operation, &kafka.servers(), &Fault::new(code, &code.to_string()))
}

pub(super) fn create(kafka: &Kafka, topics: &[TopicSpec]) -> Result<(), Error> {
    create_with(kafka, topics, For::Writers)
}

/// Makes topics that keep the times of who fills them, and that nobody else has made.
pub(super) fn create_for_copies(kafka: &Kafka, topics: &[TopicSpec]) -> Result<(), Error> {
    create_with(kafka, topics, For::Copies)
}

/// What topics are made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Writers,
    Copies,
}

/// Makes topics that were filled such as they should be.
pub(super) fn finish_copies(kafka: &Kafka, topics: &[TopicSpec]) -> Result<(), Error> {
    let operation = "setting topics that were filled";
    let settings: Vec<_> = topics.iter().map(|topic| (&topic.name, topic.settings())).collect();
    // All of a topic's settings: those that are not told are set back.
    let altered = settings.iter().map(|(name, settings)| {
        let topic = AlterConfig::new(ResourceSpecifier::Topic(name.as_str()));
        settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
    });
    let altered: Vec<_> = altered.collect();
    let answers = wait(operation, admin(kafka)?.alter_configs(&altered, &options()))?;
    let answers = answers.map_err(|error| kafka.failed(operation, &error))?;
    for answer in answers {
        answer.map_err(|(_, code)| refused(kafka, operation, code))?;
    }
    // The brokers tell each other in their own time.
    let names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        let found = describe(kafka, &names)?;
        let differs = topics.iter().zip(&found).find_map(|(topic, found)| {
            let mut differences = topic.differences(found.as_ref()).into_iter();
            differences.find(|difference| difference.severity == Severity::Error).map(|found| (topic, found))
        });
        let Some((topic, difference)) = differs else { return Ok(()) };
        if Instant::now() >= deadline {
            let Difference { what, wanted, found, .. } = difference;
            let why = format!("{what} of {} was set to {wanted}, and is {found}", topic.name);
            return Err(Error::Odd { operation: operation.to_owned(), why });
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Deletes what a partition has before an offset.
pub(super) fn delete_before(kafka: &Kafka, place: &TopicPartition, start: Offset) -> Result<(), Error> {
    let operation = format!("deleting what {place} has before {start}");
    let mut list = TopicPartitionList::new();
    let offset = rdkafka::Offset::Offset(start.0.cast_signed());
    list.add_partition_offset(place.topic.as_str(), place.partition.0.cast_signed(), offset)
        .map_err(|error| kafka.failed(&operation, &error))?;
    let deleted = wait(&operation, admin(kafka)?.delete_records(&list, &options()))?;
    let deleted = deleted.map_err(|error| kafka.failed(&operation, &error))?;
    deleted
        .elements()
        .iter()
        .try_for_each(|element| element.error().map_err(|error| kafka.failed(&operation, &error)))
}

fn create_with(kafka: &Kafka, topics: &[TopicSpec], purpose: For) -> Result<(), Error> {
    let admin = admin(kafka)?;
    for topic in topics {
        create_one(kafka, &admin, topic, purpose)?;
    }
    // The brokers tell each other of a new topic in their own time.
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    for topic in topics {
        while shape(kafka, &topic.name)?.is_none_or(|found| found.partitions == 0) {
            if Instant::now() >= deadline {
                let why = "it was made, and is not to be seen".to_owned();
                return Err(Error::Odd { operation: format!("making topic {}", topic.name), why });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

fn create_one(
    kafka: &Kafka,
    admin: &AdminClient<Listening>,
    topic: &TopicSpec,
    purpose: For,
) -> Result<(), Error> {
    let mut settings = topic.settings();
    for (name, value) in &mut settings {
        if purpose == For::Copies && *name == TIMES {
            "CreateTime".clone_into(value);
        }
    }
    let operation = format!("making topic {}", topic.name);
    let odd = |why: &str, mend: &str| Error::Refused {
        operation: operation.clone(),
        why: why.to_owned(),
        mend: mend.to_owned(),
    };
    let (Ok(partitions), replication) =
        (i32::try_from(topic.partitions), i32::from(topic.replicas.replication_factor))
    else {
        return Err(odd("so many partitions are no topic", "set `partitions` of [bus] to fewer"));
    };
    let mut new = NewTopic::new(topic.name.as_str(), partitions, TopicReplication::Fixed(replication));
    for (name, value) in &settings {
        new = new.set(name, value);
    }
    let created = wait(&operation, admin.create_topics([&new], &options()))?;
    let created = created.map_err(|error| kafka.failed(&operation, &error))?;
    match created.into_iter().next() {
        None | Some(Ok(_)) => Ok(()),
        Some(Err((_, Code::TopicAlreadyExists))) if purpose == For::Writers => Ok(()),
        Some(Err((_, Code::TopicAlreadyExists))) => Err(odd(
            "somebody else has made it just now",
            "if another copy is made there, wait for it; else set another `prefix` in [bus]",
        )),
        Some(Err((_, Code::InvalidReplicationFactor))) => Err(odd(
            &format!("the cluster has fewer than {replication} brokers, or some of them are down"),
            "set `replication_factor` of [bus] to as many copies as there are brokers, and `min_insync_replicas` to one less",
        )),
        Some(Err((_, Code::InvalidConfig))) => Err(odd(
            "the brokers do not take its settings",
            "is `min_insync_replicas` of [bus] larger than `replication_factor`?",
        )),
        Some(Err((_, Code::InvalidTopic))) => {
            Err(odd("the brokers do not take its name", "set another `prefix` in [bus]"))
        }
        Some(Err((_, Code::PolicyViolation))) => Err(odd(
            "a policy of the brokers forbids it",
            "ask who runs them to make it, as `lockstep topics describe` shows it",
        )),
        Some(Err((_, code))) => Err(refused(kafka, &operation, code)),
    }
}
