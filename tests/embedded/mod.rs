//! What only a directory has: an owner, a disk, a clock, and what else may lie in it.

mod damage;
mod owner;
mod space;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::{Bus, Kept, Replicas, TopicName, TopicSpec, Writer};

use crate::conformance::outgoing;

/// A path of a test's own, which goes with it.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("d-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Place(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub(crate) fn own(&self) -> Embedded {
        Embedded::own(&self.0, Settings::default()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
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
