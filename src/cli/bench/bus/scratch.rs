//! Topics of a run's own, which go with it.

use std::cell::RefCell;

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use lockstep::bus::kafka::{Connection, Kafka};
use lockstep::bus::{Bus, Kept, Replicas, TopicName, TopicSpec};

use crate::cli::output;

/// Where it is measured.
pub(super) struct Scratch<'k> {
    pub(super) kafka: &'k Kafka,
    pub(super) partitions: u32,
    prefix: String,
    replicas: Replicas,
    properties: ClientConfig,
    made: RefCell<Vec<TopicName>>,
}

impl<'k> Scratch<'k> {
    pub(super) fn new(
        kafka: &'k Kafka,
        connection: &Connection,
        partitions: u32,
        replicas: Replicas,
    ) -> anyhow::Result<Scratch<'k>> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let started = now.context("the clock stands before 1970")?.as_millis();
        let prefix = format!("{}.bench-{}-{started}", connection.prefix, std::process::id());
        let properties = connection.common();
        Ok(Scratch { kafka, partitions, prefix, replicas, properties, made: RefCell::default() })
    }

    /// The properties by which any client of librdkafka reaches the cluster.
    pub(super) fn properties(&self) -> ClientConfig {
        self.properties.clone()
    }

    /// A name of this run's own.
    pub(super) fn name(&self, what: &str) -> String {
        format!("{}.{what}", self.prefix)
    }

    /// A new topic.
    pub(super) fn topic(&self, what: &str) -> anyhow::Result<TopicName> {
        let name = TopicName::new(&format!("{}-{}", self.name(what), self.made.borrow().len()));
        let (kept, replicas) = (Kept::Days(1), self.replicas);
        self.made.borrow_mut().push(name.clone());
        self.kafka.create(&[TopicSpec {
            name: name.clone(),
            partitions: self.partitions,
            kept,
            replicas,
        }])?;
        Ok(name)
    }
}

/// Deletes topics that a benchmark has made.
pub(in crate::cli::bench) fn delete_topics(
    properties: &ClientConfig,
    names: &[TopicName],
) -> anyhow::Result<()> {
    let names: Vec<&str> = names.iter().map(TopicName::as_str).collect();
    let admin: AdminClient<DefaultClientContext> = properties.create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for deleted in runtime.block_on(admin.delete_topics(&names, &AdminOptions::new()))? {
        deleted.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    Ok(())
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if let Err(error) = delete_topics(&self.properties, &self.made.borrow()) {
            output::aside(&format!("the topics {}.* could not be deleted: {error:#}\n", self.prefix));
        }
    }
}
