//! Topics of a run's own, which go with it.

use std::cell::RefCell;

use rdkafka::ClientConfig;

use lockstep::bus::{AnyBus, Bus, Kept, TopicName, TopicSpec};

use crate::cli::bench::own;
use crate::cli::deployment::{self, Deployment};

/// Where it is measured.
pub(super) struct Scratch {
    pub(super) bus: AnyBus,
    pub(super) partitions: u32,
    deployment: Deployment,
    made: RefCell<Vec<TopicName>>,
}

impl Scratch {
    pub(super) fn new(deployment: Deployment, partitions: u32) -> anyhow::Result<Scratch> {
        Ok(Scratch { bus: deployment.bus()?, partitions, deployment, made: RefCell::default() })
    }

    /// The properties by which any client of librdkafka reaches the cluster; none where there is no cluster.
    pub(super) fn properties(&self) -> Option<ClientConfig> {
        let is_kafka = self.deployment.data.is_none();
        is_kafka.then(|| deployment::connection(&self.deployment.config.bus).common())
    }

    /// A name of this run's own.
    pub(super) fn name(&self, what: &str) -> String {
        format!("{}.{what}", self.deployment.config.bus.prefix)
    }

    /// A new topic.
    pub(super) fn topic(&self, what: &str) -> anyhow::Result<TopicName> {
        let name = TopicName::new(&format!("{}-{}", self.name(what), self.made.borrow().len()));
        let (kept, replicas) = (Kept::Days(1), self.deployment.topics().replicas);
        self.made.borrow_mut().push(name.clone());
        self.bus.create(&[TopicSpec { name: name.clone(), partitions: self.partitions, kept, replicas }])?;
        Ok(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        own::delete(&self.deployment, &self.made.borrow());
    }
}
