//! A small contact centre: a simulated CXone, people who are linked, rules, and what keeps them in step. Salesforce is the test
//! itself, which writes what agents choose there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lockstep::bus::{AnyBus, Bus, Outgoing, Topic, Writer, partition_for};
use lockstep::codec::{Buffer, Event, Observation, Uuid, What};
use lockstep::connectors::cxone::{Attached, SetBy, Settings as Called, Tenant};
use lockstep::connectors::http::{
    CallClass, Limits, Observer as CallObserver, Platform as Reached, Rate, Settings as Reach,
};
use lockstep::connectors::{self, Connected, Connector, Noted, Observer};
use lockstep::directory::{Directory, agent_id};
use lockstep::domain::{
    Account, AgentId, Cause, DurationMs, Feed, Link, Platform, SalesforceStatus, Status, TimeMs,
};
use lockstep::engine;
use lockstep::processor::{self, Silent, Stop, Worker};
use lockstep::simulators::cxone::Settings as Simulates;
use serde_json::Value;

use crate::deployment::Deployment;
use crate::ground::On;
pub(crate) use crate::linked::FIRST;
use crate::linked::{self, RULES};
use crate::platforms;
use crate::process::Process;
use crate::simulated::{Simulated, login};
use crate::waiting::{PATIENCE, now_ms, patiently};

pub(crate) const AVAILABLE: (u64, Option<i64>) = (1, None);
pub(crate) const LUNCH: (u64, Option<i64>) = (2, Some(1_017));
pub(crate) const BREAK: (u64, Option<i64>) = (2, Some(1_001));
pub(crate) const PARTITIONS: u32 = 4;

/// What an agent can choose in Salesforce, and what CXone shows then.
pub(crate) const CHOICES: [(&str, (u64, Option<i64>)); 3] =
    [("0N5000000000101", AVAILABLE), ("0N5000000000102", LUNCH), ("0N5000000000103", BREAK)];

/// A contact centre.
pub(crate) struct Centre {
    deployment: Deployment,
    pub(crate) cxone: Simulated,
    /// By their number in CXone.
    pub(crate) people: BTreeMap<u32, AgentId>,
    salesforce: Mutex<Salesforce>,
    /// How many commands of each agent were judged already.
    pub(crate) judged: Mutex<BTreeMap<AgentId, usize>>,
}

impl Deref for Centre {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

/// Who writes what agents choose in Salesforce.
struct Salesforce {
    writer: Option<<AnyBus as Bus>::Writer>,
    rows: u32,
}

/// Who is who with so many people.
fn directory(people: u32) -> Directory {
    let statuses =
        [(CHOICES[0].0, "Available", true), (CHOICES[1].0, "Lunch", false), (CHOICES[2].0, "Break", false)];
    let links: Vec<Link> = (FIRST..FIRST + people).map(link).collect();
    linked::directory(&statuses, &links)
}

fn link(number: u32) -> Link {
    linked::link(number, &format!("0055g000{number:07}"))
}

impl Centre {
    /// So many people, all of them logged in and at lunch in CXone.
    pub(crate) fn new(on: On, test: &str, people: u32) -> Centre {
        Centre::with(on, test, people, Simulates { agents: people, ..Simulates::default() })
    }

    pub(crate) fn with(on: On, test: &str, people: u32, simulates: Simulates) -> Centre {
        let centre = Centre::with_logged_out(on, test, people, simulates);
        for number in centre.people.keys() {
            centre.cxone.put(*number, 2, Some(1_017));
        }
        centre
    }

    /// The same, and nobody is logged in.
    pub(crate) fn with_logged_out(on: On, test: &str, people: u32, simulates: Simulates) -> Centre {
        let deployment = Deployment::new(on, test, PARTITIONS);
        deployment.begin(RULES, &directory(people));
        let cxone = Simulated::new(simulates);
        let people = (FIRST..FIRST + people).map(|number| (number, agent_id(&link(number)))).collect();
        let salesforce = Mutex::new(Salesforce { writer: None, rows: 0 });
        Centre { deployment, cxone, people, salesforce, judged: Mutex::default() }
    }

    /// The directory, if so many were linked.
    pub(crate) fn directory(&self, people: u32) -> Directory {
        directory(people)
    }

    /// From now on a process may own the directory.
    pub(crate) fn release(&self) {
        self.salesforce.lock().unwrap().writer = None;
        self.ground.hand_over();
    }

    /// Starts a processor.
    pub(crate) fn process(&self) -> Running {
        let settings = processor::Settings {
            name: "processor".to_owned(),
            number: 0,
            commit_interval: Duration::from_millis(20),
            events_max: 10_000,
            keeps_payload: false,
            snapshot_interval: Duration::from_secs(3_600),
        };
        let (bus, codec, plan) = (Arc::new(self.bus()), Arc::clone(&self.codec), self.plan.clone());
        let stop = Stop::default();
        let asked = stop.clone();
        let thread = thread::spawn(move || {
            let worker = Worker::new(bus, codec, &plan, settings, Arc::new(Silent)).unwrap();
            worker.run(&asked).unwrap();
        });
        Running { stop, thread: Some(thread), seen: Arc::default() }
    }

    /// Starts a source and a sink of CXone.
    pub(crate) fn connect(&self, process: &str) -> Running {
        self.connect_with(process, Rate { calls_per_minute: 60_000, burst: 1_000 })
    }

    pub(crate) fn connect_with(&self, process: &str, rate: Rate) -> Running {
        let seen = Arc::new(Seen::default());
        let reach = Reach {
            rate,
            limits: Limits { open_for: Duration::from_secs(1), ..Limits::default() },
            connect_timeout: Duration::from_millis(700),
            answer_timeout: Duration::from_secs(10),
            proxy: None,
            ca_file: None,
            shows_answers: false,
        };
        let watched: Arc<dyn CallObserver> = seen.clone();
        let platform = Arc::new(Reached::new(reach, watched).unwrap());
        let account = Account { platform: Platform::Cxone, name: "emea".parse().unwrap() };
        let settings = Connected {
            account,
            process: process.to_owned(),
            calls_max: 16,
            call_timeout: Duration::from_secs(1),
            keeps_payload: false,
        };
        let called = Called { set_timeout: settings.call_timeout, page_size: 50, ..Called::default() };
        let tenant = Arc::new(Tenant::new(platform, login(self.cxone.addresses.api, false), called));
        let attached = Attached {
            account: account.name,
            tenant,
            poll_interval: Duration::from_millis(200),
            snapshot_interval: Duration::from_secs(3_600),
            set_by: SetBy::Auto,
        };
        let parts = (Arc::new(self.bus()), Arc::clone(&self.codec), self.plan.clone());
        let observer: Arc<dyn Observer> = seen.clone();
        let stop = Stop::default();
        let asked = stop.clone();
        let thread = thread::spawn(move || {
            let calls =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let connector = Connector::new(parts, attached, settings, observer, calls.handle().clone());
            connector.run(&|| asked.is_asked()).unwrap();
            calls.shutdown_background();
        });
        Running { stop, thread: Some(thread), seen }
    }

    /// The configuration of a process that has to do with it.
    pub(crate) fn config(&self) -> PathBuf {
        let cxone = platforms::of_cxone(self.cxone.addresses.api);
        let further = format!(
            r#"
[processor]
commit_interval_ms = 20
[ops]
listen = "127.0.0.1:0"
{cxone}
[cxone.emea.calls]
poll_interval_ms = 200
per_minute = 3000
burst = 5
set_timeout_ms = 1000
"#
        );
        self.configure("lockstep", &further)
    }

    /// Starts `lockstep run` with these roles.
    pub(crate) fn run(&self, name: &str, roles: &str) -> Process {
        let config = self.config();
        Process::run(&self.place.0, name, self.arguments(&config, roles), platforms::secrets())
    }

    /// Agents choose something in Salesforce.
    pub(crate) fn choose(&self, choices: &[(u32, &str)]) {
        let mut salesforce = self.salesforce.lock().unwrap();
        let mut records = Vec::new();
        for (number, status) in choices {
            salesforce.rows += 1;
            let agent = self.people[number];
            let mut buffer = Buffer::new();
            self.codec.encode(&chosen(agent, status, salesforce.rows), &mut buffer).unwrap();
            records.push((agent.text(), buffer));
        }
        let mut writer = salesforce.writer.take().unwrap_or_else(|| {
            let identity = format!("{}.source.salesforce.emea", self.plan.prefix);
            let topics = [self.plan.name(Topic::Events)];
            patiently("becoming Salesforce", || self.bus().writer(&identity, &topics))
        });
        // What is written twice is the same choice.
        patiently("choosing", || {
            let written = records.iter().try_for_each(|(key, buffer)| {
                let partition = partition_for(key, PARTITIONS);
                let value = Some(buffer.as_slice());
                writer.add(&Outgoing { topic: 0, partition, key, value, headers: &[] })
            });
            written.and_then(|()| writer.commit(None)).or_else(|error| {
                writer.abort()?;
                Err(error)
            })
        });
        salesforce.writer = Some(writer);
    }

    /// What CXone shows of everybody.
    pub(crate) fn shown(&self) -> BTreeMap<u32, (u64, Option<i64>)> {
        let all = self.cxone.control("GET", "/agents", &Value::Null);
        let one = |agent: &Value| {
            let number = agent["agentId"].as_u64().unwrap() as u32;
            (number, (agent["agentStateId"].as_u64().unwrap(), agent["outStateId"].as_i64()))
        };
        all.as_array().unwrap().iter().map(one).collect()
    }

    /// Waits until CXone shows these.
    pub(crate) fn comes_to_show(&self, wanted: &BTreeMap<u32, (u64, Option<i64>)>) -> Duration {
        let is_shown =
            |shown: &BTreeMap<u32, _>| wanted.iter().all(|(number, what)| shown.get(number) == Some(what));
        let begun = Instant::now();
        loop {
            let shown = self.shown();
            if is_shown(&shown) {
                return begun.elapsed();
            }
            if begun.elapsed() > PATIENCE {
                let missing: Vec<_> = wanted.iter().filter(|(n, what)| shown.get(n) != Some(what)).collect();
                let agent = &self.people[missing[0].0];
                let (commands, outcomes) = (self.commanded(Platform::Cxone), self.outcomes());
                panic!(
                    "CXone does not show {missing:?}; of the first: {:?}; {:?}; seen in {:?}; held {:?}; decided {:#?}",
                    commands.get(agent),
                    outcomes.get(agent),
                    self.observed().get(agent).and_then(|all| all.last()),
                    self.held(),
                    self.decided(*agent)
                );
            }
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// What an agent chooses in Salesforce, as its source would write it.
fn chosen(agent: AgentId, status: &str, row: u32) -> Event<'static> {
    let observation = Observation {
        status: Status::Salesforce(SalesforceStatus::Presence(status.parse().unwrap())),
        since_raw: TimeMs::from_unix_ms(now_ms()),
        offset: DurationMs::ZERO,
        row: Some(format!("0Ps5g{row:010}").parse().unwrap()),
        cause: Cause::Agent,
        asked: None,
        found_by: Feed::Bridge,
    };
    let mut id = [0; 16];
    id[..4].copy_from_slice(&row.to_be_bytes());
    Event {
        id: Uuid(id),
        agent: Some(agent),
        account: None,
        written_at: TimeMs::from_unix_ms(now_ms()),
        writer: Cow::Borrowed("source/salesforce.emea/test"),
        engine_version: engine::VERSION,
        what: What::Observation(observation),
    }
}

/// What a source and a sink told.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) noted: Mutex<Vec<Noted>>,
    has_lease: AtomicBool,
}

impl CallObserver for Seen {
    fn called(&self, _: &'static str, _: CallClass, _: Duration) {}

    fn clock(&self, _: i64) {}
}

impl connectors::Observer for Seen {
    fn note(&self, noted: Noted) {
        match noted {
            Noted::Lease(is_held) => self.has_lease.store(is_held, Ordering::Release),
            Noted::Backlog { .. } => {}
            noted => self.noted.lock().unwrap().push(noted),
        }
    }
}

/// A thread that runs until it is asked to stop.
pub(crate) struct Running {
    pub(crate) stop: Stop,
    thread: Option<JoinHandle<()>>,
    pub(crate) seen: Arc<Seen>,
}

impl Running {
    pub(crate) fn has_lease(&self) -> bool {
        self.seen.has_lease.load(Ordering::Acquire)
    }

    /// Waits until it has the account.
    pub(crate) fn comes_to_have_the_lease(&self) -> Duration {
        let begun = Instant::now();
        while !self.has_lease() {
            assert!(begun.elapsed() < PATIENCE, "it does not get the account");
            thread::park_timeout(Duration::from_millis(5));
        }
        begun.elapsed()
    }

    pub(crate) fn end(mut self) {
        self.stop.ask();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.ask();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
