//! A deployment of a test's own: its topics, the files of its processes, and those themselves.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockstep::bus::{AnyBus, Bus, TopicsPlan};
use lockstep::codec::{Codec, Operator};

use crate::ground::{Ground, On};
use crate::place::Place;
use crate::waiting::now_ms;

/// A deployment.
pub(crate) struct Deployment {
    pub(crate) ground: Ground,
    pub(crate) plan: TopicsPlan,
    pub(crate) codec: Arc<Codec>,
    /// Where processes have their configurations, and what they log.
    pub(crate) place: Place,
}

/// Who does by hand what a test does.
pub(crate) fn operator() -> Operator<'static> {
    Operator { actor: Cow::Borrowed("tests"), reason: Cow::Borrowed("a test wants it") }
}

impl Deployment {
    pub(crate) fn new(on: On, test: &str, partitions: u32) -> Deployment {
        Deployment::at(Ground::new(on, test), test, partitions)
    }

    /// Its topics are there, and nothing is in them.
    pub(crate) fn at(ground: Ground, test: &str, partitions: u32) -> Deployment {
        let plan = TopicsPlan {
            prefix: format!("{test}-{}-{}", std::process::id(), now_ms()),
            partitions,
            retention_days: 7,
            replicas: ground.replicas(),
        };
        let (codec, place) = (Arc::new(Codec::single_object().unwrap()), Place::new(test));
        let deployment = Deployment { ground, plan, codec, place };
        deployment.bus().create(&deployment.plan.specs()).unwrap();
        deployment
    }

    pub(crate) fn bus(&self) -> AnyBus {
        self.ground.bus(&self.plan.prefix)
    }

    /// A configuration: what all of its processes have in common, and this.
    pub(crate) fn configure(&self, name: &str, further: &str) -> PathBuf {
        let servers = match &self.ground {
            Ground::Kafka(brokers) => brokers.through.as_ref().unwrap_or(&brokers.servers),
            // None: what a directory holds needs no server.
            Ground::Directory(_) => "127.0.0.1:9",
        };
        let (servers, TopicsPlan { prefix, partitions, retention_days, replicas }) =
            (servers.replace(',', "\", \""), &self.plan);
        let (factor, in_sync_min) = (replicas.replication_factor, replicas.in_sync_min);
        let text = format!(
            r#"
[bus]
bootstrap_servers = ["{servers}"]
prefix = "{prefix}"
partitions = {partitions}
replication_factor = {factor}
min_insync_replicas = {in_sync_min}
[privacy]
retention_days = {retention_days}
{further}
"#
        );
        self.place.file(&format!("{name}.toml"), text)
    }

    /// What a command is told of where its log is.
    pub(crate) fn data(&self) -> Vec<&OsStr> {
        match &self.ground {
            Ground::Kafka(_) => Vec::new(),
            Ground::Directory(folder) => vec![OsStr::new("--data"), folder.path().as_os_str()],
        }
    }

    /// The arguments of a process with this configuration and these roles.
    pub(crate) fn arguments<'d>(&'d self, config: &'d Path, roles: &'d str) -> Vec<&'d OsStr> {
        let ours = [OsStr::new("--config"), config.as_os_str(), OsStr::new("--roles"), OsStr::new(roles)];
        [&ours[..], &self.data()].concat()
    }
}
