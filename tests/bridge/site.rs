//! A small site: people who are linked, rules, an org whose browsers come, and gateways as processes of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Mutex;
use std::time::Duration;

use lockstep::directory::agent_id;
use lockstep::domain::{AgentId, Link};

use crate::apex::{AUDIENCE, ISSUER, KEY_ID, ORG};
use crate::ask;
use crate::browser::{Address, Browser, ORIGIN, Way, page};
use crate::deployment::Deployment;
use crate::ground::On;
use crate::linked::{FIRST, RULES, directory, link};
use crate::log::{Log, Writers};
use crate::platforms::{of_salesforce, secrets};
use crate::port::free_port;
use crate::process::Process;
use crate::program::{Said, lockstep};

pub(crate) const PARTITIONS: u32 = 4;
pub(crate) const AVAILABLE: &str = "0N5000000000101";
pub(crate) const LUNCH: &str = "0N5000000000102";
pub(crate) const BREAK: &str = "0N5000000000103";
/// A user of the org who is not linked.
pub(crate) const STRANGER: &str = "0055g0009999999";

/// Somebody who is linked.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) agent: AgentId,
    pub(crate) link: Link,
    /// His user in Salesforce.
    pub(crate) user: String,
}

/// A site.
pub(crate) struct Site {
    // What reads and writes goes before what it reads.
    pub(crate) log: Mutex<Log>,
    pub(crate) writers: Mutex<Writers>,
    deployment: Deployment,
    pub(crate) people: Vec<Person>,
}

impl Deref for Site {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

/// A gateway that runs.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) address: Address,
    /// The configuration that it has.
    pub(crate) config: PathBuf,
    ops: SocketAddr,
}

fn person(number: u32) -> Person {
    let user = format!("0055g000{number:07}");
    let link = link(number, &user);
    Person { agent: agent_id(&link), link, user }
}

impl Site {
    /// One with so many people who are linked. From now on a process may own its directory.
    pub(crate) fn new(on: On, test: &str, people: u32) -> Site {
        let deployment = Deployment::new(on, &format!("bridge-{test}"), PARTITIONS);
        let people: Vec<_> = (FIRST..FIRST + people).map(person).collect();
        let statuses = [(AVAILABLE, "Available", true), (LUNCH, "Lunch", false), (BREAK, "Break", false)];
        let links: Vec<Link> = people.iter().map(|person| person.link).collect();
        deployment.begin(RULES, &directory(&statuses, &links));
        deployment.ground.hand_over();
        let (log, writers) = (Mutex::default(), Mutex::new(BTreeMap::new()));
        Site { log, writers, deployment, people }
    }

    /// The configuration of a process, with further lines in its section `[bridge]`.
    fn config(&self, name: &str, listen: SocketAddr, ops: SocketAddr, further: &str) -> PathBuf {
        let key = ORG.public_file.display();
        // A gateway calls nobody.
        let org = of_salesforce(SocketAddr::from(([127, 0, 0, 1], 9)), "00D000000000062EAA");
        let text = format!(
            r#"
[processor]
commit_interval_ms = 20
[ops]
listen = "{ops}"
{org}
[salesforce.emea.bridge]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
keys = {{ {KEY_ID} = "{key}" }}
[bridge]
listen = "{listen}"
origins = ["{ORIGIN}"]
{further}
"#
        );
        self.configure(&format!("{name}-{}", listen.port()), &text)
    }

    /// What `lockstep check` tells of the gateway that has this configuration: a row, and what it found.
    pub(crate) fn checked(&self, config: &Path, id: &str) -> (String, String) {
        let mut command = lockstep(["check", "--json"]);
        let said = Said::by(command.arg("--config").arg(config).args(self.data()).envs(secrets()));
        let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let rows = told["checks"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{told:#}"));
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        (text("result"), text("what"))
    }

    /// Starts a gateway, and waits until browsers may come.
    pub(crate) fn gateway(&self, name: &str) -> Gateway {
        self.gateway_with(name, "bridge", "")
    }

    /// The same with other roles, or further lines in its section `[bridge]`.
    pub(crate) fn gateway_with(&self, name: &str, roles: &str, further: &str) -> Gateway {
        let (listen, ops) = (free_port(), free_port());
        let config = self.config(name, listen, ops, further);
        let process = Process::run(&self.place.0, name, self.arguments(&config, roles), secrets());
        // Either may be the first.
        process.says("browsers may connect", 1);
        process.says("links are read: browsers may come", 1);
        Gateway { process, address: Address::plain(listen), config, ops }
    }
}

impl Gateway {
    /// A page of somebody comes, for the first time.
    pub(crate) fn open(&self, way: Way, person: &Person) -> Browser {
        Browser::open(way, &self.address, &person.user, &page(), 0)
    }

    /// A number of `/metrics`: 0 where it is not there yet.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = ask::page(self.ops, "/metrics");
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.map_or(0, |value| value.parse().unwrap())
    }

    /// How many connections it has ended for this reason.
    pub(crate) fn ended(&self, reason: &str) -> u64 {
        self.metric(&format!("lockstep_bridge_ended_total{{reason=\"{reason}\"}}"))
    }

    /// How often it has refused somebody for this.
    pub(crate) fn refused(&self, why: &str) -> u64 {
        self.metric(&format!("lockstep_bridge_refused_total{{why=\"{why}\"}}"))
    }

    /// Asks it to stop; it ends cleanly. Tells how long that took.
    pub(crate) fn end(self) -> Duration {
        self.process.end()
    }

    /// It ends by itself, and says why. Tells how.
    pub(crate) fn ends_by_itself(self, why: &str) -> ExitStatus {
        self.process.ends_by_itself(why)
    }
}
