//! A contact centre with both platforms, its people with their browsers, and the processes that keep them in step.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lockstep::bus::{AnyBus, Bus, From, Reader, Records, Topic, TopicsPlan, Until};
use lockstep::codec::{Codec, Command, Decision, Event, Operator, Order, What};
use lockstep::control::Control;
use lockstep::directory::{Directory, agent_id};
use lockstep::document::{Document, Mistakes, Syntax};
use lockstep::domain::{
    AgentId, CxoneAgent, CxoneAgentId, CxoneStatus, Link, OutStateId, Platform, SalesforceStatus,
    SalesforceUser, Status, UserId,
};
use lockstep::engine::Verdict;
use lockstep::rules;
use lockstep::simulators::cxone::Settings as SimulatesCxone;
use lockstep::simulators::salesforce::consoles::Settings as ConsoleSettings;
use lockstep::simulators::salesforce::{
    Addresses, BridgeKey, Consoles, Credentials, Org, Reason, Settings, Simulator, serve,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::child::Process;
use crate::ground::{Brokers, Folder, Ground, On};
use crate::simulated::{Simulated, runtime};
use crate::waiting::{PATIENCE, now_ms, patiently, servers};

pub(crate) const PARTITIONS: u32 = 4;
/// The first agent of a simulated tenant.
const FIRST: u32 = 293_001;
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
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |what: &str| folder.join(format!("presence-{}.{what}", std::process::id()));
    let (private, public) = (file("key"), file("pem"));
    let openssl = |arguments: &[&str]| {
        assert!(Program::new("openssl").args(arguments).output().unwrap().status.success())
    };
    openssl(&["genrsa", "-out", private.to_str().unwrap(), "2048"]);
    openssl(&["rsa", "-in", private.to_str().unwrap(), "-pubout", "-out", public.to_str().unwrap()]);
    let pem = fs::read_to_string(&private).unwrap();
    fs::remove_file(private).unwrap();
    (pem, public)
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

/// A simulated org in a thread of the test.
pub(crate) struct SimulatedOrg {
    pub(crate) addresses: Addresses,
    pub(crate) org: Org,
    client: reqwest::Client,
    runtime: Runtime,
    simulator: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl SimulatedOrg {
    fn new(settings: Settings) -> SimulatedOrg {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let any = "127.0.0.1:0".parse().unwrap();
                let simulator =
                    Simulator::bind(settings, Addresses { api: any, control: any }).await.unwrap();
                tell.send((simulator.addresses().unwrap(), simulator.org())).unwrap();
                serve(simulator, async { stopped.await.unwrap_or(()) }).await.unwrap();
            });
        });
        let (addresses, org) = told.recv().unwrap();
        let client = reqwest::Client::new();
        SimulatedOrg { addresses, org, client, runtime: runtime(), simulator: Some((stop, thread)) }
    }

    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("http://{}{path}", self.addresses.control);
        let request = self.client.request(method.parse().unwrap(), url).json(body);
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let status = answer.status();
            let text = answer.text().await.unwrap();
            assert!(status.is_success(), "{path}: {status} {text}");
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
        })
    }

    pub(crate) fn faults(&self, faults: &[Value]) {
        self.control("POST", "/faults", &json!(faults));
    }
}

impl Drop for SimulatedOrg {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.simulator.take() {
            let _ = stop.send(());
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking());
        }
    }
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
    pub(crate) ground: Ground,
    pub(crate) plan: TopicsPlan,
    codec: Arc<Codec>,
    pub(crate) salesforce: SimulatedOrg,
    pub(crate) cxone: Simulated,
    pub(crate) people: Vec<Person>,
    pub(crate) consoles: Consoles,
    _browsers: Runtime,
    ports: Vec<u16>,
    statuses: BTreeMap<String, SalesforceStatus>,
    snapshot_interval_s: u32,
}

/// A port that nobody listens at, below those that the system gives to whoever connects.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 100) as u16 * 100;
    let mut all = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed) % 100);
    all.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

pub(crate) fn operator() -> Operator<'static> {
    Operator { actor: Cow::Borrowed("tests"), reason: Cow::Borrowed("a test wants it") }
}

impl Site {
    /// Everybody is linked, available on both platforms, and has no console open.
    pub(crate) fn new(on: On, test: &str, how: How) -> Site {
        let How { people: count, salesforce, mut consoles, gateways, snapshot_interval_s } = how;
        let ground = match on {
            On::Kafka => Ground::Kafka(Brokers::one(servers())),
            On::Directory => Ground::Directory(Folder::new(test)),
        };
        let plan = TopicsPlan {
            prefix: format!("{test}-{}-{}", std::process::id(), now_ms()),
            partitions: PARTITIONS,
            retention_days: 7,
            replicas: ground.replicas(),
        };
        let codec = Arc::new(Codec::single_object().unwrap());
        let salesforce = SimulatedOrg::new(salesforce);
        let cxone = Simulated::new(SimulatesCxone { agents: count, ..SimulatesCxone::default() });
        let person = |(number, user): (u32, UserId)| {
            let account = "emea".parse().unwrap();
            let link = Link {
                salesforce: SalesforceUser { account, user },
                cxone: CxoneAgent { account, agent: CxoneAgentId::new(number) },
            };
            Person { agent: agent_id(&link), link, user, number }
        };
        let users = salesforce.org.users().into_iter().map(|user| user.id);
        let people: Vec<Person> = (FIRST..).zip(users).map(person).collect();
        let statuses = statuses(&salesforce);
        {
            let bus = ground.bus(&plan.prefix);
            bus.create(&plan.specs()).unwrap();
            begin(&bus, &codec, &plan, &directory(&people, &statuses));
        }
        ground.hand_over();
        let ports: Vec<u16> = (0..gateways).map(|_| free_port()).collect();
        consoles.gateways =
            ports.iter().map(|port| format!("http://127.0.0.1:{port}").parse().unwrap()).collect();
        let browsers =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let consoles = Consoles::new(salesforce.org.clone(), &consoles, browsers.handle()).unwrap();
        let site = Site {
            ground,
            plan,
            codec,
            salesforce,
            cxone,
            people,
            consoles,
            _browsers: browsers,
            ports,
            statuses,
            snapshot_interval_s,
        };
        for person in &site.people {
            site.cxone.put(person.number, 1, None);
            site.chooses_in_salesforce(person, AVAILABLE);
        }
        site
    }

    pub(crate) fn bus(&self) -> AnyBus {
        self.ground.bus(&self.plan.prefix)
    }

    /// A status of Salesforce by its developer name.
    pub(crate) fn status(&self, name: &str) -> SalesforceStatus {
        self.statuses[name]
    }

    fn config(&self, name: &str, gateway: Option<usize>) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&self.plan.prefix).join(name);
        fs::create_dir_all(&folder).unwrap();
        let config = folder.join("lockstep.toml");
        let servers = match &self.ground {
            Ground::Kafka(brokers) => brokers.servers.replace(',', "\", \""),
            Ground::Directory(_) => "127.0.0.1:9".to_owned(),
        };
        let (prefix, key) = (&self.plan.prefix, KEY.1.display());
        let Credentials { client_id, username, .. } = Credentials::default();
        let (salesforce, cxone) = (self.salesforce.addresses.api, self.cxone.addresses.api);
        let cxone_login = lockstep::simulators::cxone::Credentials::default();
        let (cxone_client, cxone_key) = (cxone_login.client_id, cxone_login.access_key_id);
        let snapshot_interval_s = self.snapshot_interval_s;
        let mut text = format!(
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
listen = "127.0.0.1:0"
[salesforce.emea]
environment = "production"
organisation_id = "00D5g0000000001"
user_name = "{username}"
password = {{ secret_env = "TEST_PASSWORD" }}
client_id = "{client_id}"
client_secret = {{ secret_env = "TEST_APP" }}
admin_email = "admin@example.com"
login_url = "http://{salesforce}"
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
[cxone.emea]
issuer = "http://{cxone}"
user_name = "lockstep"
access_key_id = "{cxone_key}"
access_key_secret = {{ secret_env = "TEST_KEY" }}
client_id = "{cxone_client}"
client_secret = {{ secret_env = "TEST_CLIENT" }}
[cxone.emea.calls]
poll_interval_ms = 200
per_minute = 60000
burst = 1000
set_timeout_ms = 1000
"#
        );
        if let Some(port) = gateway.map(|gateway| self.ports[gateway]) {
            text += &format!("[bridge]\nlisten = \"127.0.0.1:{port}\"\norigins = [\"{ORIGIN}\"]\n");
        }
        fs::write(&config, text).unwrap();
        config
    }

    /// Starts `lockstep run` with these roles; one with the bridge is that gateway.
    pub(crate) fn run(&self, name: &str, roles: &str, gateway: Option<usize>) -> Process {
        let Credentials { client_secret, password, security_token, .. } = Credentials::default();
        let cxone = lockstep::simulators::cxone::Credentials::default();
        let mut arguments: Vec<OsString> = vec!["--roles".into(), roles.into()];
        if let Ground::Directory(folder) = &self.ground {
            arguments.extend([OsString::from("--data"), folder.path.clone().into()]);
        }
        let password = password + &security_token;
        let env = [
            ("TEST_PASSWORD", &*password),
            ("TEST_APP", &*client_secret),
            ("TEST_KEY", &*cxone.access_key_secret),
            ("TEST_CLIENT", &*cxone.client_secret),
        ];
        let process = Process::run(&self.config(name, gateway), name, arguments, &env);
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
        let mut command = Program::new(env!("CARGO_BIN_EXE_lockstep"));
        command.args(arguments).arg("--config").arg(self.config("command", None));
        if let Ground::Directory(folder) = &self.ground {
            command.args([OsStr::new("--data"), folder.path.as_os_str()]);
        }
        for name in ["TEST_PASSWORD", "TEST_APP", "TEST_KEY", "TEST_CLIENT"] {
            command.env(name, "none");
        }
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
        said
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
        self.salesforce.org.set(person.user, self.status(choice.name), Reason::Manual).unwrap();
    }

    pub(crate) fn chooses_in_cxone(&self, person: &Person, choice: Choice) {
        let (state, out_state) = choice.cxone;
        self.cxone.put(person.number, state as u8, out_state.map(|code| code as i32));
    }

    pub(crate) fn in_salesforce(&self, person: &Person) -> SalesforceStatus {
        self.salesforce.org.current(person.user).status
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

    /// Waits until everybody shows on both platforms what was chosen.
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
        let (bus, name) = (self.bus(), self.plan.name(topic));
        let starts: Vec<_> =
            (0..PARTITIONS).map(|number| (name.partition(number), From::Beginning)).collect();
        let mut reader = bus.reader(&starts, Until::End).unwrap();
        let mut all = Vec::new();
        loop {
            let records = patiently("reading", || reader.read(Duration::from_millis(50)));
            all.extend(records.iter().filter_map(|record| take(record.value.unwrap())));
            if records.is_empty() && reader.is_at_end() {
                return all;
            }
        }
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

/// Who is who, as a file says it.
fn directory(people: &[Person], statuses: &BTreeMap<String, SalesforceStatus>) -> String {
    let mut text = "[salesforce.emea]\nstatuses = [\n".to_owned();
    for (name, status) in statuses {
        let SalesforceStatus::Presence(id) = status else { continue };
        let channels = if name.starts_with("Available") { "[\"Chat\"]" } else { "[]" };
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
    text += "]\n[cxone.emea]\ncodes = [{ id = 1017, name = \"Lunch\" }, { id = 1001, name = \"Break\" }]\nteams = [\n";
    for (number, name) in (1..).zip(["Support DE", "Support AT", "Sales", "Retention", "Back Office"]) {
        text += &format!("{{ id = {number}, name = \"{name}\", codes = [1001, 1017] }},\n");
    }
    text += "]\nagents = [\n";
    for Person { number, .. } in people {
        let team = (number - FIRST) % 5 + 1;
        text += &format!("{{ id = {number}, user_name = \"a{number}@example.com\", team = {team} }},\n");
    }
    text += "]\n";
    for Person { link, .. } in people {
        text += &format!("[[links]]\nsalesforce = \"{}\"\ncxone = \"{}\"\n", link.salesforce, link.cxone);
    }
    text
}

/// Links people, and lets rules take effect.
fn begin(bus: &AnyBus, codec: &Codec, plan: &TopicsPlan, directory: &str) {
    let mut mistakes = Mistakes::new();
    let known = Directory::read(&Document::new("d", directory, Syntax::Toml), &mut mistakes).unwrap();
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
