//! A small site: people who are linked, rules, an org whose browsers come, and gateways as processes of their own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockstep::bus::{AnyBus, Bus, TopicsPlan};
use lockstep::codec::{Codec, Operator};
use lockstep::control::Control;
use lockstep::directory::{Directory, agent_id};
use lockstep::document::{Document, Mistakes, Syntax};
use lockstep::domain::{AgentId, CxoneAgent, CxoneAgentId, Link, SalesforceUser};
use lockstep::rules;

use crate::apex::{AUDIENCE, ISSUER, KEY_ID, ORG};
use crate::browser::{Address, Browser, CLIENT, ORIGIN, RUNTIME, Way, page};
use crate::child::Process;
use crate::ground::{Brokers, Folder, Ground, On};
use crate::log::{Log, Writers};
use crate::waiting::{now_ms, patiently, servers};

pub(crate) const PARTITIONS: u32 = 4;
pub(crate) const AVAILABLE: &str = "0N5000000000101";
pub(crate) const LUNCH: &str = "0N5000000000102";
pub(crate) const BREAK: &str = "0N5000000000103";
/// A user of the org who is not linked.
pub(crate) const STRANGER: &str = "0055g0009999999";
const FIRST: u32 = 293_001;
const PASSWORD: &str = "simulated password";

const RULES: &str = r#"
[settings]
confirm_ms = 1500
flap_window_ms = 1000
cool_down_ms = 1000
cool_down_ms_max = 2000

[[rule]]
name = "All"
teams = ["Support"]
[rule.cxone_to_salesforce]
"Available" = "Available"
"Unavailable/Lunch" = "Lunch"
"Unavailable/Break" = "Break"
"LoggedOut" = "Offline"
[rule.salesforce_to_cxone]
"Available" = "Available"
"Lunch" = "Unavailable/Lunch"
"Break" = "Unavailable/Break"
"Offline" = "LoggedOut"
"#;

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
    pub(crate) ground: Ground,
    pub(crate) plan: TopicsPlan,
    pub(crate) codec: Arc<Codec>,
    pub(crate) people: Vec<Person>,
    /// Where configurations and logs of processes are.
    folder: PathBuf,
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
    let account = "emea".parse().unwrap();
    let user = format!("0055g000{number:07}");
    let link = Link {
        salesforce: SalesforceUser { account, user: user.parse().unwrap() },
        cxone: CxoneAgent { account, agent: CxoneAgentId::new(number) },
    };
    Person { agent: agent_id(&link), link, user }
}

/// Who is who, as a file says it.
fn directory(people: &[Person]) -> String {
    let mut text = "[salesforce.emea]\nstatuses = [\n".to_owned();
    for (id, name, channels) in
        [(AVAILABLE, "Available", "[\"Chat\"]"), (LUNCH, "Lunch", "[]"), (BREAK, "Break", "[]")]
    {
        text += &format!(
            "{{ id = \"{id}\", developer_name = \"{name}\", label = \"{name}\", channels = {channels} }},\n"
        );
    }
    text += "]\nusers = [\n";
    for Person { user, .. } in people {
        text += &format!(
            "{{ id = \"{user}\", user_name = \"{user}@example.com\", email = \"{user}@example.com\" }},\n"
        );
    }
    text += "]\n[cxone.emea]\ncodes = [{ id = 1017, name = \"Lunch\" }, { id = 1001, name = \"Break\" }]\n";
    text += "teams = [{ id = 1, name = \"Support\", codes = [1001, 1017] }]\nagents = [\n";
    for Person { link, .. } in people {
        let number = link.cxone.agent.get();
        text += &format!("{{ id = {number}, user_name = \"a{number}@example.com\", team = 1 }},\n");
    }
    text += "]\n";
    for Person { link, .. } in people {
        text += &format!("[[links]]\nsalesforce = \"{}\"\ncxone = \"{}\"\n", link.salesforce, link.cxone);
    }
    text
}

fn operator() -> Operator<'static> {
    Operator { actor: Cow::Borrowed("tests"), reason: Cow::Borrowed("a test wants it") }
}

/// Links people, and lets rules take effect.
fn begin(bus: &AnyBus, codec: &Codec, plan: &TopicsPlan, people: &[Person]) {
    let mut mistakes = Mistakes::new();
    let text = directory(people);
    let known = Directory::read(&Document::new("d", &text, Syntax::Toml), &mut mistakes).unwrap();
    let revision = rules::check(&Document::new("r", RULES, Syntax::Toml), Some(&known), &mut mistakes);
    assert_eq!(mistakes.errors(), 0, "{:?}", mistakes.in_order());
    let mut control: Control<'_, AnyBus> = patiently("control", || {
        Control::begin(bus, codec, plan).map_err(|error| match error {
            lockstep::control::Error::Bus(error) => error,
            other => panic!("{other}"),
        })
    });
    let (saved, _) = control.save(&revision.unwrap(), &operator()).unwrap();
    control.activate(&saved, &operator()).unwrap();
    control.import(&known, &operator()).unwrap();
}

/// A port that nobody listened at just now.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Site {
    /// One with so many people who are linked. From now on a process may own its directory.
    pub(crate) fn new(on: On, test: &str, people: u32) -> Site {
        let test = format!("bridge-{test}");
        let ground = match on {
            On::Kafka => Ground::Kafka(Brokers::one(servers())),
            On::Directory => Ground::Directory(Folder::new(&test)),
        };
        let plan = TopicsPlan {
            prefix: format!("{test}-{}-{}", std::process::id(), now_ms()),
            partitions: PARTITIONS,
            retention_days: 7,
            replicas: ground.replicas(),
        };
        let people: Vec<_> = (FIRST..FIRST + people).map(person).collect();
        let codec = Arc::new(Codec::single_object().unwrap());
        {
            let bus = ground.bus(&plan.prefix);
            bus.create(&plan.specs()).unwrap();
            begin(&bus, &codec, &plan, &people);
        }
        ground.hand_over();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&plan.prefix);
        fs::create_dir_all(&folder).unwrap();
        let (log, writers) = (Mutex::default(), Mutex::new(BTreeMap::new()));
        Site { ground, plan, codec, people, log, writers, folder }
    }

    pub(crate) fn bus(&self) -> AnyBus {
        self.ground.bus(&self.plan.prefix)
    }

    /// Where this site keeps files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The configuration of a process, with further lines in its section `[bridge]`.
    fn config(&self, name: &str, listen: SocketAddr, ops: SocketAddr, further: &str) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let config = self.file(&format!("{name}-{number}.toml"));
        let servers = match &self.ground {
            Ground::Kafka(brokers) => brokers.servers.replace(',', "\", \""),
            Ground::Directory(_) => "127.0.0.1:9".to_owned(),
        };
        let (prefix, key) = (&self.plan.prefix, ORG.public_file.display());
        let text = format!(
            r#"
[bus]
bootstrap_servers = ["{servers}"]
prefix = "{prefix}"
partitions = {PARTITIONS}
replication_factor = 1
[privacy]
retention_days = 7
[processor]
commit_interval_ms = 20
[ops]
listen = "{ops}"
[salesforce.emea]
environment = "production"
organisation_id = "00D000000000062EAA"
user_name = "lockstep@example.com"
password = {{ secret_env = "TEST_PASSWORD" }}
client_id = "app"
client_secret = {{ secret_env = "TEST_CLIENT" }}
admin_email = "admin@example.com"
login_url = "http://127.0.0.1:9"
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
        fs::write(&config, text).unwrap();
        config
    }

    /// What `lockstep check` tells of the gateway that has this configuration: a row, and what it found.
    pub(crate) fn checked(&self, config: &Path, id: &str) -> (String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
        command.args(["check", "--json", "--config"]).arg(config);
        if let Ground::Directory(folder) = &self.ground {
            command.arg("--data").arg(&folder.path);
        }
        let output = command.env("TEST_PASSWORD", PASSWORD).env("TEST_CLIENT", PASSWORD).output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
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
        // Somebody else may take the port meanwhile, but not twice.
        let started = self.start(name, roles, further);
        let gateway = started.or_else(|| self.start(name, roles, further)).expect("all ports are taken");
        gateway.process.says("links are read: browsers may come", 1);
        gateway
    }

    fn start(&self, name: &str, roles: &str, further: &str) -> Option<Gateway> {
        const LISTENS: &str = "browsers may connect";
        let (listen, ops) = (free_port(), free_port());
        let mut arguments = vec![OsStr::new("--roles"), OsStr::new(roles)];
        if let Ground::Directory(folder) = &self.ground {
            arguments.extend([OsStr::new("--data"), folder.path.as_os_str()]);
        }
        let env = [("TEST_PASSWORD", PASSWORD), ("TEST_CLIENT", PASSWORD)];
        let config = self.config(name, listen, ops, further);
        let process = Process::run(&config, name, arguments, &env);
        process.says_one_of(&[LISTENS, "cannot be listened on"], 1);
        let listens = process.log().contains(LISTENS);
        listens.then(|| Gateway { process, address: Address::plain(listen), config, ops })
    }
}

impl Gateway {
    /// A page of somebody comes, for the first time.
    pub(crate) fn open(&self, way: Way, person: &Person) -> Browser {
        Browser::open(way, &self.address, &person.user, &page(), 0)
    }

    /// A number of `/metrics`: 0 where it is not there yet.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = RUNTIME.block_on(async {
            let answer = CLIENT.get(format!("http://{}/metrics", self.ops)).send().await.unwrap();
            answer.text().await.unwrap()
        });
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
