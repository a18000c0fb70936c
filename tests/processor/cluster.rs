//! Faults of a cluster of three nodes. It takes a while to start: one has them all, each with a deployment of its own.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use lockstep::bus::Replicas;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::broker::Broker;
use crate::faults::{pause, short_or_long, through};
use crate::ground::{Brokers, Ground};
use crate::running::Process;
use crate::site::{PATIENCE, Random, Site};

const NODES: [u32; 3] = [1, 2, 3];

/// Who leads a partition, and on which nodes it is, those first that are in sync.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Led {
    leader: i32,
    replicas: Vec<i32>,
    in_sync: usize,
}

type All = BTreeMap<(String, i32), Led>;

impl Broker {
    /// What `scripts/kafka` says of it.
    pub(crate) fn told(&self, name: &str) -> String {
        let env = std::fs::read_to_string(self.dir.join("env")).unwrap();
        let line = env.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("{name} is not told")).to_owned()
    }

    /// Runs one of Kafka's own tools.
    fn tool(&self, class: &str, arguments: &[&str]) {
        let home = std::env::var("JAVA_HOME").ok().filter(|home| !home.is_empty());
        let java = home.map_or("java".to_owned(), |home| format!("{home}/bin/java"));
        let mut java = Command::new(java);
        let java =
            java.args(["-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]);
        let java = java.arg(format!("{}/*", self.told("KAFKA_LIB"))).arg(class);
        let done = java.args(["--bootstrap-server", &self.servers]).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "{class}: {said}");
    }

    /// All partitions of all topics.
    fn partitions(&self) -> All {
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &self.servers).create().unwrap();
        let begun = Instant::now();
        let metadata = loop {
            match client.fetch_metadata(None, Duration::from_secs(5)) {
                Ok(metadata) => break metadata,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
            }
        };
        let all = metadata.topics().iter().flat_map(|topic| {
            topic.partitions().iter().map(|partition| {
                let led = Led {
                    leader: partition.leader(),
                    replicas: partition.replicas().to_vec(),
                    in_sync: partition.isr().len(),
                };
                ((topic.name().to_owned(), partition.id()), led)
            })
        });
        all.collect()
    }

    /// Waits until the partitions are so.
    fn until(&self, what: &str, is_so: impl Fn(&All) -> bool) {
        let begun = Instant::now();
        loop {
            let all = self.partitions();
            if is_so(&all) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not {what}: {all:?}");
            pause(100);
        }
    }

    fn until_in_sync(&self) {
        self.until("all in sync", |all| all.values().all(|led| led.in_sync == led.replicas.len()));
    }

    /// The node that coordinates the transactions of an identity: who leads the partition that is chosen by Java's hash.
    fn coordinator(&self, identity: &str) -> Option<u32> {
        const TOPIC: &str = "__transaction_state";
        let all = self.partitions();
        let partitions = all.keys().filter(|(topic, _)| topic == TOPIC).count() as i32;
        let hash = identity.bytes().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let led = all.get(&(TOPIC.to_owned(), hash.wrapping_abs().max(0).checked_rem(partitions)?))?;
        led.leader.try_into().ok()
    }

    /// Moves the leader of every partition to the next of its nodes.
    fn move_leaders(&self) {
        let moved = self.partitions().into_iter().map(|((topic, partition), mut led)| {
            let at = led.replicas.iter().position(|node| *node == led.leader).unwrap_or_default();
            led.replicas.rotate_left(at + 1);
            let replicas = led.replicas;
            serde_json::json!({ "topic": topic, "partition": partition, "replicas": replicas })
        });
        let moved: Vec<_> = moved.collect();
        let file = self.dir.join("moved.json");
        std::fs::write(&file, serde_json::json!({ "version": 1, "partitions": moved }).to_string()).unwrap();
        let file = file.to_str().unwrap();
        let reassign = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
        self.tool(reassign, &["--reassignment-json-file", file, "--execute"]);
        let elect = "org.apache.kafka.tools.LeaderElectionCommand";
        self.tool(elect, &["--election-type", "preferred", "--all-topic-partitions"]);
    }

    fn site(&self, test: &str, in_sync_min: u16) -> Site {
        let replicas = Replicas { replication_factor: 3, in_sync_min };
        let brokers = Brokers { servers: self.servers.clone(), through: None, replicas };
        Site::at(Ground::Kafka(brokers), test, 4, 60)
    }
}

/// Fault 2.
fn the_coordinator_is_killed(cluster: &Broker) {
    let test = "coordinator-killed";
    let (mut random, site) = (Random::new(test), cluster.site(test, 2));
    through(&site, &mut random, || {
        let process = Process::of(&site, "p", &[]);
        process.says("ready", 1);
        let identity = format!("{}.processor.p.0", site.plan.prefix);
        for _ in 0..short_or_long(2, 5) {
            pause(1_000);
            let node = cluster.coordinator(&identity).expect("a node coordinates it");
            cluster.fault("kill", node);
            let is_another = |_: &All| cluster.coordinator(&identity).is_some_and(|other| other != node);
            cluster.until("coordinated by another", is_another);
            pause(3_000);
            cluster.fault("restart", node);
            cluster.until_in_sync();
        }
        process
    });
}

/// Fault 3.
fn all_nodes_are_restarted_in_turn(cluster: &Broker) {
    let test = "rolling-restart";
    let (mut random, site) = (Random::new(test), cluster.site(test, 2));
    through(&site, &mut random, || {
        let process = Process::of(&site, "p", &[]);
        process.says("ready", 1);
        for node in NODES {
            cluster.until_in_sync();
            cluster.fault("restart", node);
        }
        pause(2_000);
        process
    });
}

/// Fault 4.
fn leaders_are_moved(cluster: &Broker) {
    let test = "leaders-moved";
    let (mut random, site) = (Random::new(test), cluster.site(test, 2));
    cluster.until_in_sync();
    through(&site, &mut random, || {
        let process = Process::of(&site, "p", &[]);
        process.says("ready", 1);
        for _ in 0..short_or_long(2, 5) {
            cluster.until_in_sync();
            let before = cluster.partitions();
            cluster.move_leaders();
            let is_elsewhere = |all: &All| before.iter().all(|(place, led)| all[place].leader != led.leader);
            cluster.until("led by others", is_elsewhere);
            pause(1_500);
        }
        process
    });
}

/// Fault 5.
fn too_few_are_in_sync(cluster: &Broker) {
    let test = "too-few-in-sync";
    let (mut random, site) = (Random::new(test), cluster.site(test, 3));
    cluster.until_in_sync();
    through(&site, &mut random, || {
        let process = Process::of(&site, "p", &[]);
        process.says("ready", 1);
        pause(1_000);
        cluster.fault("kill", NODES[1]);
        pause(short_or_long(15_000, 60_000));
        process.says("a transaction is given up", 1);
        cluster.fault("restart", NODES[1]);
        cluster.until_in_sync();
        pause(2_000);
        process
    });
}

#[test]
fn a_cluster_of_three_nodes() {
    let cluster = Broker::start("nodes", &["--nodes", "3"]);
    leaders_are_moved(&cluster);
    the_coordinator_is_killed(&cluster);
    all_nodes_are_restarted_in_turn(&cluster);
    too_few_are_in_sync(&cluster);
}
