//! What keeps a deployment: brokers, or a directory.

use std::path::Path;
use std::sync::Mutex;

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::kafka::{Connection, Kafka};
use lockstep::bus::{Any, AnyBus, Replicas};

use crate::place::Place;
use crate::servers::servers;

/// On what a test is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// The Kafka that all tests share.
    Kafka,
    /// A directory of its own.
    Directory,
}

/// What keeps a deployment.
pub(crate) enum Ground {
    Kafka(Brokers),
    Directory(Folder),
}

/// The brokers of a deployment.
pub(crate) struct Brokers {
    pub(crate) servers: String,
    /// What a processor is told instead, where it is not to reach them directly.
    pub(crate) through: Option<String>,
    pub(crate) replicas: Replicas,
}

/// The directory of a deployment. The test owns it, until it hands it over to processes that it starts.
pub(crate) struct Folder {
    // Who owns it goes before it does.
    owned: Mutex<Option<Embedded>>,
    place: Place,
}

const ONE: Replicas = Replicas { replication_factor: 1, in_sync_min: 1 };

impl Brokers {
    /// One node.
    pub(crate) fn one(servers: String) -> Brokers {
        Brokers { servers, through: None, replicas: ONE }
    }
}

impl Folder {
    pub(crate) fn new(test: &str) -> Folder {
        Folder::with(test, Settings::default())
    }

    pub(crate) fn with(test: &str, settings: Settings) -> Folder {
        let place = Place::new(test);
        let owned = Mutex::new(Some(Embedded::own(&place.0, settings).unwrap()));
        Folder { owned, place }
    }

    /// A path that nothing is at yet.
    #[cfg(feature = "fail-points")]
    pub(crate) fn absent(test: &str) -> Folder {
        Folder { owned: Mutex::new(None), place: Place::new(test) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.place.0
    }

    pub(crate) fn bus(&self) -> Embedded {
        let owned = self.owned.lock().unwrap();
        owned.clone().unwrap_or_else(|| Embedded::attach(self.path()).unwrap())
    }
}

impl Ground {
    pub(crate) fn new(on: On, test: &str) -> Ground {
        match on {
            On::Kafka => Ground::Kafka(Brokers::one(servers())),
            On::Directory => Ground::Directory(Folder::new(test)),
        }
    }

    pub(crate) fn bus(&self, prefix: &str) -> AnyBus {
        match self {
            Ground::Kafka(brokers) => {
                let (servers, prefix) = (vec![brokers.servers.clone()], prefix.to_owned());
                let further = Vec::new();
                let connection = Connection { servers, prefix, tls: None, sasl: None, further };
                Any::Kafka(Kafka::connect(connection).unwrap())
            }
            Ground::Directory(folder) => Any::Embedded(folder.bus()),
        }
    }

    pub(crate) fn replicas(&self) -> Replicas {
        match self {
            Ground::Kafka(brokers) => brokers.replicas,
            Ground::Directory(_) => ONE,
        }
    }

    /// From now on a process may own the directory.
    pub(crate) fn hand_over(&self) {
        if let Ground::Directory(folder) = self {
            *folder.owned.lock().unwrap() = None;
        }
    }

    /// No process owns it any more: the test does.
    pub(crate) fn take_back(&self) {
        if let Ground::Directory(folder) = self {
            *folder.owned.lock().unwrap() = Some(Embedded::own(folder.path(), Settings::default()).unwrap());
        }
    }
}
