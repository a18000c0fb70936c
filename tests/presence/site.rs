//! A contact centre with both platforms, its people with their browsers, and the processes that keep them in step.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use lockstep::bus::Topic;
use lockstep::codec::{Command, Decision, Event, Order, What};
use lockstep::directory::{Directory, agent_id};
use lockstep::domain::{AgentId, CxoneStatus, Link, OutStateId, Platform, SalesforceStatus, Status, UserId};
use lockstep::engine::Verdict;
use lockstep::simulators::cxone::Settings as SimulatesCxone;
use lockstep::simulators::salesforce::consoles::Settings as ConsoleSettings;
use lockstep::simulators::salesforce::{BridgeKey, Consoles, Reason, Settings};
use secrecy::SecretString;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::deployment::Deployment;
use crate::ground::{Ground, On};
use crate::linked::{self, FIRST, link};
use crate::openssl::rsa;
use crate::platforms;
use crate::port::free_port;
use crate::process::Process;
use crate::program::{Said, lockstep};
use crate::reading::read;
use crate::simulated::Simulated;
use crate::simulated_org::SimulatedOrg;
use crate::waiting::PATIENCE;

pub(crate) const PARTITIONS: u32 = 4;
const ORIGIN: &str = "https://simulated.lightning.force.com";

/// What can be chosen: the status in Salesforce, and what CXone shows with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) cxone: (u64, Option<i64>),
}

pub(crate) const AVAILABLE: Choice = Choice { name: "Available", cxone: (1, None) };
pub(crate) const LUNCH: Choice = Choice { name: "Lunch", cxone: (2, Some(1_017)) };
pub(crate) const BREAK: Choice = Choice { name: "On_Break", cxone: (2, Some(1_001)) };
pub(crate) const CHOICES: [Choice; 3] = [AVAILABLE, LUNCH, BREAK];

const RULES: &str = r#"
[settings]
confirm_ms = 1500
grace_ms = 1000
flap_window_ms = 1000
cool_down_ms = 1000
cool_down_ms_max = 2000

[[rule]]
name = "All"
teams = ["Support DE", "Support AT", "Sales", "Retention", "Back Office"]
[rule.cxone_to_salesforce]
"Available" = "Available"
"Unavailable/Lunch" = "Lunch"
"Unavailable/Break" = "On_Break"
[rule.salesforce_to_cxone]
"Available" = "Available"
"Lunch" = "Unavailable/Lunch"
"On_Break" = "Unavailable/Break"
"#;

/// An RSA key of the org, which signs for the bridge, and what the gateway is given of it.
static KEY: LazyLock<(String, PathBuf)> = LazyLock::new(|| {
    rsa(Path::new(env!("CARGO_TARGET_TMPDIR")), &format!("presence-{}", std::process::id()))
});

/// Somebody on both platforms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) agent: AgentId,
    pub(crate) link: Link,
    pub(crate) user: UserId,
    /// His number in CXone.
    pub(crate) number: u32,
}

/// How a site is to be.
pub(crate) struct How {
    pub(crate) people: u32,
    pub(crate) salesforce: Settings,
    pub(crate) consoles: ConsoleSettings,
    /// How many gateways may run.
    pub(crate) gateways: usize,
    pub(crate) snapshot_interval_s: u32,
}

impl How {
    pub(crate) fn of(people: u32) -> How {
        let key = BridgeKey {
            pem: SecretString::from(KEY.0.clone()),
            key_id: "Lockstep_Bridge".to_owned(),
            issuer: "lockstep-emea".to_owned(),
            audience: "lockstep-bridge".to_owned(),
        };
        let salesforce = Settings { users: people, bridge_key: Some(key), ..Settings::default() };
        let consoles = ConsoleSettings { origin: ORIGIN.to_owned(), ..ConsoleSettings::default() };
        How { people, salesforce, consoles, gateways: 1, snapshot_interval_s: 3_600 }
    }
}

/// A contact centre.
pub(crate) struct Site {
    deployment: Deployment,
    pub(crate) salesforce: SimulatedOrg,
    pub(crate) cxone: Simulated,
    pub(crate) people: Vec<Person>,
    pub(crate) consoles: Consoles,
    _browsers: Runtime,
    /// Where gateways are.
    gateways: Vec<SocketAddr>,
    statuses: BTreeMap<String, SalesforceStatus>,
    snapshot_interval_s: u32,
}

impl Deref for Site {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

impl Site {
    /// Everybody is linked, available on both platforms, and has no console open.
    pub(crate) fn new(on: On, test: &str, how: How) -> Site {
        let How { people: count, salesforce, mut consoles, gateways, snapshot_interval_s } = how;
        let deployment = Deployment::new(on, test, PARTITIONS);
        let salesforce = SimulatedOrg::new(salesforce);
        let cxone = Simulated::new(SimulatesCxone { agents: count, ..SimulatesCxone::default() });
        let person = |(number, user): (u32, UserId)| {
            let link = link(number, &user.to_string());
            Person { agent: agent_id(&link), link, user, number }
        };
        let users = salesforce.world.users().into_iter().map(|user| user.id);
        let people: Vec<Person> = (FIRST..).zip(users).map(person).collect();
        let statuses = statuses(&salesforce);
        deployment.begin(RULES, &directory(&people, &statuses));
        deployment.ground.hand_over();
        let gateways: Vec<SocketAddr> = (0..gateways).map(|_| free_port()).collect();
        consoles.gateways = gateways.iter().map(|at| format!("http://{at}").parse().unwrap()).collect();
        let browsers =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let consoles = Consoles::new(salesforce.world.clone(), &consoles, browsers.handle()).unwrap();
        let site = Site {
            deployment,
            salesforce,
            cxone,
            people,
            consoles,
            _browsers: browsers,
            gateways,
            statuses,
            snapshot_interval_s,
        };
        for person in &site.people {
            site.cxone.put(person.number, 1, None);
            site.chooses_in_salesforce(person, AVAILABLE);
        }
        site
    }

    /// A status of Salesforce by its developer name.
    pub(crate) fn status(&self, name: &str) -> SalesforceStatus {
        self.statuses[name]
    }

    fn config(&self, name: &str, gateway: Option<usize>) -> PathBuf {
        let (snapshot_interval_s, key) = (self.snapshot_interval_s, KEY.1.display());
        let salesforce = platforms::of_salesforce(self.salesforce.addresses.api, platforms::ORGANISATION);
        let cxone = platforms::of_cxone(self.cxone.addresses.api);
        let mut text = format!(
            r#"
[processor]
commit_interval_ms = 20
[ops]
listen = "127.0.0.1:0"
{salesforce}
[salesforce.emea.calls]
poll_interval_ms = 1000
snapshot_interval_s = {snapshot_interval_s}
per_minute = 6000
burst = 100
read_timeout_s = 5
[salesforce.emea.bridge]
issuer = "lockstep-emea"
audience = "lockstep-bridge"
keys = {{ Lockstep_Bridge = "{key}" }}
{cxone}
[cxone.emea.calls]
poll_interval_ms = 200
per_minute = 60000
burst = 1000
set_timeout_ms = 1000
"#
        );
        if let Some(at) = gateway.map(|gateway| self.gateways[gateway]) {
            text += &format!("[bridge]\nlisten = \"{at}\"\norigins = [\"{ORIGIN}\"]\n");
        }
        self.configure(name, &text)
    }

    /// Starts `lockstep run` with these roles; one with the bridge is that gateway.
    pub(crate) fn run(&self, name: &str, roles: &str, gateway: Option<usize>) -> Process {
        let config = self.config(name, gateway);
        let process = Process::run(&self.place.0, name, self.arguments(&config, roles), platforms::secrets());
        if gateway.is_some() {
            process.says("links are read: browsers may come", 1);
        }
        process
    }

    /// Starts all roles: in one process, or, on a Kafka, in three.
    pub(crate) fn run_all(&self) -> Vec<Process> {
        match self.ground {
            Ground::Directory(_) => vec![self.run("all", "source,processor,sink,bridge", Some(0))],
            Ground::Kafka(_) => vec![
                self.run("processor", "processor", None),
                self.run("edges", "source,sink", None),
                self.run("gateway", "bridge", Some(0)),
            ],
        }
    }

    /// Runs another command of the program on this deployment.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let mut command = lockstep(arguments);
        command.arg("--config").arg(self.config("command", None)).args(self.data());
        Said::by(command.envs(platforms::secrets())).done()
    }

    /// All consoles are open, and held by a gateway.
    pub(crate) fn open_consoles(&self) {
        for person in &self.people {
            self.consoles.open(person.user);
        }
        let all = self.people.len();
        self.comes("all consoles are connected", || self.consoles.counted().connected >= all as u64);
    }

    /// An agent chooses something by hand in his console, or in another browser.
    pub(crate) fn chooses_in_salesforce(&self, person: &Person, choice: Choice) {
        self.salesforce.world.set(person.user, self.status(choice.name), Reason::Manual).unwrap();
    }

    pub(crate) fn chooses_in_cxone(&self, person: &Person, choice: Choice) {
        let (state, out_state) = choice.cxone;
        self.cxone.put(person.number, state as u8, out_state.map(|code| code as i32));
    }

    pub(crate) fn in_salesforce(&self, person: &Person) -> SalesforceStatus {
        self.salesforce.world.current(person.user).status
    }

    pub(crate) fn in_cxone(&self, person: &Person) -> (u64, Option<i64>) {
        self.cxone.shown(person.number)
    }

    /// Whether both platforms show that somebody has chosen this.
    pub(crate) fn shows(&self, person: &Person, choice: Choice) -> bool {
        self.in_salesforce(person) == self.status(choice.name) && self.in_cxone(person) == choice.cxone
    }

    /// Waits until something is so, and tells how long it took.
    pub(crate) fn comes(&self, what: &str, is_so: impl Fn() -> bool) -> Duration {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "{what}: {}", self.tell());
            thread::park_timeout(Duration::from_millis(20));
        }
        begun.elapsed()
    }

    /// Waits until both platforms show what everybody has chosen, and that is known: nobody chooses something else within the same
    /// moment. Who does may choose what we are just setting, and no feed can tell that.
    pub(crate) fn comes_into_step(&self, what: &str, chosen: &[Choice]) {
        let begun = Instant::now();
        loop {
            let out = self.people.iter().zip(chosen).find(|(person, choice)| !self.shows(person, **choice));
            let out = out.or_else(|| {
                let known = self.known();
                self.people.iter().zip(chosen).find(|(person, choice)| {
                    let (state, code) = choice.cxone;
                    let cxone = match code {
                        Some(code) => CxoneStatus::Code(OutStateId::new(code as u32)),
                        None if state == 1 => CxoneStatus::Available,
                        None => CxoneStatus::LoggedOut,
                    };
                    let shown = [Status::Salesforce(self.status(choice.name)), Status::Cxone(cxone)];
                    known.get(&person.agent) != Some(&shown.map(Some))
                })
            });
            let Some((person, choice)) = out else { return };
            if begun.elapsed() >= PATIENCE / 2 {
                let decided = self.decided(person.agent).join("\n");
                panic!("{what}: {} is not in {choice:?}:\n{decided}{}", person.number, self.tell());
            }
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// What everybody was seen in last: in Salesforce, and in CXone.
    fn known(&self) -> BTreeMap<AgentId, [Option<Status>; 2]> {
        let seen = self.events(|event| match &event.what {
            What::Observation(seen) => event.agent.map(|agent| (agent, seen.status)),
            _ => None,
        });
        let mut known = BTreeMap::new();
        for (agent, status) in seen {
            let of_agent: &mut [Option<Status>; 2] = known.entry(agent).or_default();
            of_agent[usize::from(status.platform() == Platform::Cxone)] = Some(status);
        }
        known
    }

    /// What everybody shows, for who looks for what is wrong.
    fn tell(&self) -> String {
        let one = |person: &Person| {
            let (salesforce, cxone) = (self.in_salesforce(person), self.in_cxone(person));
            let name = self.statuses.iter().find(|(_, status)| **status == salesforce);
            format!("\n{} {}: {:?}, {cxone:?}", person.number, person.agent, name.map(|(name, _)| name))
        };
        let people: String = self.people.iter().map(one).collect();
        format!("{people}\n{:?}", self.consoles.counted())
    }

    /// What records of a topic say, those of a partition in their order.
    fn read<T>(&self, topic: Topic, take: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
        let mut all = Vec::new();
        read(&self.bus(), &self.plan.name(topic), PARTITIONS, |record| {
            all.extend(take(record.value.unwrap()))
        });
        all
    }

    /// What events say.
    pub(crate) fn events<T>(&self, take: impl Fn(&Event<'_>) -> Option<T>) -> Vec<T> {
        self.read(Topic::Events, |value| take(&self.codec.decode::<Event<'_>>(value).unwrap()))
    }

    /// What became of commands to Salesforce of an agent, in the order of the log.
    pub(crate) fn outcomes(&self, of: AgentId) -> Vec<Verdict> {
        self.events(|event| match &event.what {
            What::Outcome(one) if event.agent == Some(of) && one.platform == Platform::Salesforce => {
                Some(one.verdict)
            }
            _ => None,
        })
    }

    /// What somebody was told to be in, in Salesforce.
    pub(crate) fn commands(&self, of: AgentId) -> Vec<SalesforceStatus> {
        self.read(Topic::CommandsSalesforce, |value| {
            let command: Command<'_> = self.codec.decode(value).unwrap();
            match command.order {
                Order::Set(set) if command.agent == of => match set.status {
                    Status::Salesforce(status) => Some(status),
                    Status::Cxone(_) => None,
                },
                _ => None,
            }
        })
    }

    /// What was decided about somebody, in the order of the log.
    fn decided(&self, of: AgentId) -> Vec<String> {
        self.read(Topic::Decisions, |value| {
            let decision: Decision<'_> = self.codec.decode(value).unwrap();
            let shown = (decision.salesforce_shown, decision.cxone_shown);
            (decision.agent == Some(of)).then(|| {
                let (at, kind) = (decision.at.as_unix_ms(), decision.event_kind);
                let commands = (
                    decision.to_salesforce.map(|one| one.sequence),
                    decision.to_cxone.map(|one| one.sequence),
                );
                let intent = if decision.new_intent { "intent" } else { "" };
                format!("{at} {kind:?} {:?} {shown:?} {intent} {commands:?}", decision.reason)
            })
        })
    }

    /// What is wrong with what browsers did, judged by Salesforce's own log: an older command after a newer one.
    pub(crate) fn judge(&self) {
        let log = self.salesforce_log();
        for person in &self.people {
            let (id, commands) = (person.user.to_string(), self.commands(person.agent));
            let is_done = |one: &&Value| {
                one["who"] == "toolkit" && one["user"].as_str().is_some_and(|user| user.starts_with(&id))
            };
            let mut at = 0;
            for done in log.iter().filter(is_done).filter(|one| one["reason"] == "OmniToolkitStatusChange") {
                let status = match &done["status"] {
                    Value::Null => SalesforceStatus::Offline,
                    id => SalesforceStatus::Presence(id.as_str().unwrap().parse().unwrap()),
                };
                let found = commands[at..].iter().position(|command| *command == status);
                at += found.unwrap_or_else(|| {
                    panic!(
                        "{id}: an older command after a newer one, or none at all\n{log:#?}\n{commands:#?}"
                    )
                });
            }
        }
    }

    /// What Salesforce itself has logged: each change, who made it, and by what.
    pub(crate) fn salesforce_log(&self) -> Vec<Value> {
        self.salesforce.control("GET", "/log", &Value::Null).as_array().unwrap().clone()
    }
}

/// The statuses of an org, by their developer names.
fn statuses(salesforce: &SimulatedOrg) -> BTreeMap<String, SalesforceStatus> {
    let told = salesforce.control("GET", "/statuses", &Value::Null);
    let one = |status: &Value| {
        let id = status["id"].as_str().unwrap().parse().unwrap();
        (status["developerName"].as_str().unwrap().to_owned(), SalesforceStatus::Presence(id))
    };
    told.as_array().unwrap().iter().map(one).collect()
}

/// Who is who, with the statuses that the org has.
fn directory(people: &[Person], statuses: &BTreeMap<String, SalesforceStatus>) -> Directory {
    let ids: Vec<(String, &str)> = statuses
        .iter()
        .filter_map(|(name, status)| match status {
            SalesforceStatus::Presence(id) => Some((id.to_string(), name.as_str())),
            SalesforceStatus::Offline => None,
        })
        .collect();
    let statuses: Vec<_> =
        ids.iter().map(|(id, name)| (id.as_str(), *name, name.starts_with("Available"))).collect();
    let links: Vec<Link> = people.iter().map(|person| person.link).collect();
    linked::directory(&statuses, &links)
}
