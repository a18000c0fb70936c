//! Topics of a run's own, which go with it.

use std::cell::RefCell;
use std::path::PathBuf;

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use lockstep::bus::{Any, AnyBus, Bus, Kept, Replicas, TopicName, TopicSpec};

use crate::cli::deployment::{self, Deployment};
use crate::cli::output;

/// Where it is measured.
pub(super) struct Scratch {
    pub(super) bus: AnyBus,
    pub(super) partitions: u32,
    prefix: String,
    replicas: Replicas,
    ground: Ground,
    made: RefCell<Vec<TopicName>>,
}

/// What keeps the topics.
enum Ground {
    /// A cluster, and the properties by which any client of librdkafka reaches it.
    Kafka(Box<ClientConfig>),
    /// A directory in the one that was named, which goes with the run.
    Directory(PathBuf),
}

impl Scratch {
    pub(super) fn new(deployment: &Deployment, partitions: u32) -> anyhow::Result<Scratch> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let started = now.context("the clock stands before 1970")?.as_millis();
        let name = format!("bench-{}-{started}", std::process::id());
        let prefix = format!("{}.{name}", deployment.config.bus.prefix);
        let replicas = deployment.topics().replicas;
        let (bus, ground) = match &deployment.data {
            Some(data) => {
                let data = data.join(name);
                (deployment.bus_in(&data)?, Ground::Directory(data))
            }
            None => {
                let properties = deployment::connection(&deployment.config.bus).common();
                (deployment.bus()?, Ground::Kafka(Box::new(properties)))
            }
        };
        Ok(Scratch { bus, partitions, prefix, replicas, ground, made: RefCell::default() })
    }

    /// The properties by which any client of librdkafka reaches the cluster; none where there is no cluster.
    pub(super) fn properties(&self) -> Option<ClientConfig> {
        match &self.ground {
            Ground::Kafka(properties) => Some((**properties).clone()),
            Ground::Directory(_) => None,
        }
    }

    /// Bytes on disk, where they are this run's own.
    pub(super) fn disk_bytes(&self) -> Option<u64> {
        match &self.bus {
            Any::Kafka(_) => None,
            Any::Embedded(bus) => bus.disk_bytes(),
        }
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
        self.bus.create(&[TopicSpec { name: name.clone(), partitions: self.partitions, kept, replicas }])?;
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

impl Drop for Scratch {
    fn drop(&mut self) {
        let gone = match &self.ground {
            Ground::Kafka(properties) => delete_topics(properties, &self.made.borrow()),
            Ground::Directory(path) => std::fs::remove_dir_all(path).map_err(anyhow::Error::from),
        };
        if let Err(error) = gone {
            output::aside(&format!("the topics {}.* could not be deleted: {error:#}\n", self.prefix));
        }
    }
}
