//! I9: what is secret, and who somebody is, is looked for wherever it must not be.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::{Bus, Topic, TopicName};
use lockstep::simulators::{cxone, salesforce};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::ask::get;
use crate::process::Process;
use crate::program::{Said, lockstep};
use crate::reading::read;
use crate::run::Folder;

/// The prefix of a demo in a directory.
const PREFIX: &str = "presence";

/// What must not be anywhere.
pub(crate) struct Canary {
    birds: Vec<(&'static str, String)>,
    ops: SocketAddr,
    looked: u32,
}

impl Canary {
    pub(crate) fn new(demo: &Process) -> Canary {
        let ops = demo.comes_to("it tells where its metrics are", || {
            let said = demo.log();
            let at =
                said.rsplit_once('\n')?.0.lines().find_map(|line| line.split_once("metrics: http://"))?.1;
            Some(at.trim().trim_end_matches("/metrics").parse().unwrap())
        });
        let org = salesforce::Credentials::default();
        let tenant = cxone::Credentials::default();
        let birds = vec![
            ("a password", org.password),
            ("a security token", org.security_token),
            ("a client secret of Salesforce", org.client_secret),
            ("a client secret of CXone", tenant.client_secret),
            ("a secret of an access key", tenant.access_key_secret),
            ("a private key", "PRIVATE KEY".to_owned()),
            ("a token", "eyJhbGci".to_owned()),
            ("a token in a header", "Bearer ".to_owned()),
            ("the address of an agent", "agent.29".to_owned()),
            ("the name of an agent", "Agent Number".to_owned()),
        ];
        Canary { birds, ops, looked: 0 }
    }

    /// Nothing of it is in this.
    pub(crate) fn hear(&self, place: &str, text: &str) {
        for (what, bird) in &self.birds {
            let at = text.find(bird.as_str());
            assert!(
                at.is_none(),
                "{what} is in {place}: {:?}",
                at.and_then(|at| text.get(at.saturating_sub(200)..(at + 200).min(text.len())))
            );
        }
    }

    /// Asks the ops endpoint for all that it tells. Who has just been killed does not answer.
    pub(crate) fn look(&mut self) {
        for path in ["/metrics", "/status", "/ready", "/health"] {
            if let Some((_, text)) = get(self.ops, path) {
                self.looked += 1;
                self.hear(path, &text);
            }
        }
    }

    /// What processes have logged, and what lies beside it.
    pub(crate) fn folder(&self, folder: &Folder) {
        assert!(self.looked > 10, "the ops endpoint was seen only {} times", self.looked);
        let mut logs = 0;
        for entry in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if name == "log" {
                continue;
            }
            logs += usize::from(name.ends_with(".log"));
            self.hear(&name, &folder.text(&name));
        }
        assert!(logs >= 1, "nobody has logged anything");
    }

    /// Every topic of a directory but the one that people are in.
    pub(crate) fn directory(&self, path: &Path) {
        let bus = Embedded::own(path, Settings::default()).unwrap();
        let mut people = false;
        for topic in Topic::ALL {
            let name = TopicName::new(&format!("{PREFIX}.{}", topic.suffix()));
            let found = bus.describe(std::slice::from_ref(&name)).unwrap().remove(0).unwrap();
            read(&bus, &name, found.partitions, |record| {
                people |= self.record(topic, record.key, record.value);
            });
        }
        assert!(people, "the directory has nobody in it, so nothing could leak");
    }

    /// The same on a Kafka, with a client of others.
    pub(crate) fn kafka(&self, servers: &str, prefix: &str) {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("group.id", format!("canary-{prefix}"))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut people = false;
        for topic in Topic::ALL {
            let name = format!("{prefix}.{}", topic.suffix());
            let known = consumer.fetch_metadata(Some(&name), Duration::from_secs(10)).unwrap();
            let partitions = known.topics()[0].partitions().len();
            assert!(partitions > 0, "{name} is not there");
            let mut all = TopicPartitionList::new();
            for number in 0..partitions {
                all.add_partition_offset(&name, i32::try_from(number).unwrap(), Offset::Beginning).unwrap();
            }
            consumer.assign(&all).unwrap();
            let mut ended = 0;
            while ended < partitions {
                match consumer
                    .poll(Duration::from_secs(10))
                    .expect("the broker tells the end of each partition")
                {
                    Ok(message) => people |= self.record(topic, message.key(), message.payload()),
                    Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ended += 1,
                    Err(why) => panic!("{name}: {why}"),
                }
            }
        }
        assert!(people, "the directory has nobody in it, so nothing could leak");
    }

    /// Looks at a record. Whether it is one of somebody's, with his address, where that belongs.
    fn record(&self, topic: Topic, key: Option<&[u8]>, value: Option<&[u8]>) -> bool {
        let text = [key.unwrap_or_default(), b" ", value.unwrap_or_default()].concat();
        let text = String::from_utf8_lossy(&text);
        if topic == Topic::Directory {
            return text.contains("agent.29");
        }
        self.hear(topic.suffix(), &text);
        false
    }

    pub(crate) fn config_show(&self, folder: &Folder) {
        let mut command = lockstep(["config", "show", "--config"]);
        let said = Said::by(command.arg(folder.path().join("lockstep.toml")).envs([
            ("LOCKSTEP_DEMO_SALESFORCE_PASSWORD", "simulated password/+"),
            ("LOCKSTEP_DEMO_SALESFORCE_CLIENT_SECRET", "SIMULATEDCLIENTSECRET0001"),
            ("LOCKSTEP_DEMO_CXONE_ACCESS_KEY_SECRET", "SIMULATEDACCESSKEYSECRET===="),
            ("LOCKSTEP_DEMO_CXONE_CLIENT_SECRET", "simulated client secret/+"),
        ]));
        let shown = said.text();
        assert_eq!(said.code, Some(0), "{shown}");
        assert!(shown.contains("access_key_secret"), "{shown}");
        self.hear("config show", &shown);
    }
}
