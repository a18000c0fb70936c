//! What only a directory has: an owner, a disk, a clock, and what else may lie in it.

mod damage;
mod owner;
mod space;

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::{Bus, Kept, Replicas, TopicName, TopicSpec, Writer};

use crate::conformance::outgoing;
pub(crate) use crate::place::Place;

impl Place {
    pub(crate) fn own(&self) -> Embedded {
        Embedded::own(&self.0, Settings::default()).unwrap()
    }
}

/// A topic with one partition.
pub(crate) fn topic(bus: &Embedded, name: &str, kept: Kept) -> TopicName {
    let (name, replicas) = (TopicName::new(name), Replicas { replication_factor: 1, in_sync_min: 1 });
    bus.create(&[TopicSpec { name: name.clone(), partitions: 1, kept, replicas }]).unwrap();
    name
}

/// Writes texts in one transaction.
pub(crate) fn write(bus: &Embedded, topic: &TopicName, texts: &[String]) {
    let mut writer = bus.writer("writer", std::slice::from_ref(topic)).unwrap();
    for text in texts {
        writer.add(&outgoing(0, b"key", text.as_bytes())).unwrap();
    }
    writer.commit(None).unwrap();
}
