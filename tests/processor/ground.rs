//! What keeps a deployment: brokers, or a directory.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::kafka::{Connection, Kafka};
use lockstep::bus::{Any, AnyBus, Replicas};

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
    pub(crate) path: PathBuf,
    owned: Mutex<Option<Embedded>>,
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
        let path = Folder::path(test);
        let owned = Mutex::new(Some(Embedded::own(&path, settings).unwrap()));
        Folder { path, owned }
    }

    fn path(test: &str) -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}-data", std::process::id()))
    }

    /// A path that nothing is at yet.
    #[cfg(feature = "fail-points")]
    pub(crate) fn absent(test: &str) -> Folder {
        Folder { path: Folder::path(test), owned: Mutex::new(None) }
    }

    pub(crate) fn bus(&self) -> Embedded {
        let owned = self.owned.lock().unwrap();
        owned.clone().unwrap_or_else(|| Embedded::attach(&self.path).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        *self.owned.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if std::thread::panicking() {
            println!("its data is kept: {}", self.path.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

impl Ground {
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
            *folder.owned.lock().unwrap() = Some(Embedded::own(&folder.path, Settings::default()).unwrap());
        }
    }
}
