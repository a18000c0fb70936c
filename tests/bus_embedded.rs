//! The bus in a directory: what every bus must do, for its owner and over his socket.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod conformance;
mod embedded;
#[path = "ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;

use std::path::{Path, PathBuf};

use conformance::Rig;
use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::{Bus, Kept, Offset, Replicas, TopicName, TopicPartition, TopicSpec};

/// A directory of a test's own, which goes with it.
struct Folder {
    names: String,
    path: PathBuf,
    bus: Embedded,
}

impl Folder {
    fn named(names: String) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(short(&names));
        let bus = Embedded::open(&path, Settings::default()).unwrap();
        Folder { names, path, bus }
    }

    fn compacted(&self, name: &TopicName) {
        let replicas = Replicas { replication_factor: 1, in_sync_min: 1 };
        let spec = TopicSpec { name: name.clone(), partitions: 1, kept: Kept::Compacted, replicas };
        self.bus.create(&[spec]).unwrap();
    }
}

/// A socket's path must be short.
fn short(names: &str) -> String {
    let sum = names.bytes().fold(14_695_981_039_346_656_037_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
    });
    format!("e-{sum:016x}")
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Other processes of the test have it as well.
        if self.bus.is_owner() && !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// A directory answers within microseconds.
const COPIED: usize = 40_000;
const WORKS_FOR_MS: std::ops::Range<u64> = 20..60;

/// A directory for its owner, or over his socket. Processes that a test starts ask over the socket.
struct Reached<const OVER_SOCKET: bool>(Folder);

type InDirectory = Reached<false>;
type OverSocket = Reached<true>;

impl<const OVER_SOCKET: bool> Rig for Reached<OVER_SOCKET> {
    const CHILD: &'static str =
        if OVER_SOCKET { "over_socket::child_that_copies" } else { "in_directory::child_that_copies" };
    const COPIED: usize = COPIED;
    const WORKS_FOR_MS: std::ops::Range<u64> = WORKS_FOR_MS;

    type Bus = Embedded;

    fn named(names: String) -> Self {
        Reached(Folder::named(names))
    }

    fn names(&self) -> &str {
        &self.0.names
    }

    fn bus(&self) -> Embedded {
        if !OVER_SOCKET {
            return self.0.bus.clone();
        }
        let bus = Embedded::open(&self.0.path, Settings::default()).unwrap();
        assert!(!bus.is_owner());
        bus
    }

    fn quickly_compacted(&self) -> TopicName {
        let name = self.topic_name("state");
        self.0.compacted(&name);
        name
    }

    fn compact(&self, topic: &TopicName, _: usize) {
        self.bus().compact(topic).unwrap();
    }

    fn log_end(&self, _: &TopicPartition) -> Option<Offset> {
        None
    }
}

mod in_directory {
    use super::*;

    conforms!(InDirectory);
    conforms!(InDirectory: loading: what_is_loaded_is_where_it_was);

    /// Not a test by itself: a process that the tests kill.
    #[test]
    #[ignore = "other tests start it as a process of its own"]
    fn child_that_copies() {
        conformance::killed::copy::<InDirectory>();
    }
}

mod over_socket {
    use super::*;

    conforms!(OverSocket);

    /// Not a test by itself: a process that the tests kill.
    #[test]
    #[ignore = "other tests start it as a process of its own"]
    fn child_that_copies() {
        conformance::killed::copy::<OverSocket>();
    }
}
