//! A deployment of a test's own: its topics, its rules, and what happens to its agents.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lockstep::bus::{self, AnyBus, Bus, Outgoing, Partition, Topic, TopicsPlan, Writer, partition_for};
use lockstep::codec::{
    Buffer, Command, Connection as Browser, Event, Linked, Observation, Order, Outcome, RowClosed, TeamMoved,
    Uuid, What,
};
use lockstep::control::{Activation, Control};
use lockstep::directory::{Directory, agent_id};
use lockstep::document::{Document, Mistakes, Syntax};
use lockstep::domain::{
    AgentId, Cause, CxoneAgent, CxoneAgentId, CxoneStatus, DurationMs, Feed, Link, Platform, Remedy,
    SalesforceStatus, SalesforceUser, Status, TeamId, TimeMs,
};
use lockstep::engine::{self, Epoch, Sequence, Verdict};
use lockstep::processor::{self, Observer, Settings, Stop, Worker};
use lockstep::rules::{self, Revision};

use crate::deployment::Deployment;
pub(crate) use crate::deployment::operator;
use crate::ground::{Ground, On};
use crate::place::Place;
pub(crate) use crate::random::Random;
pub(crate) use crate::waiting::{PATIENCE, now_ms, patiently};

impl Random {
    fn uuid(&mut self) -> Uuid {
        let [a, b] = [self.number().to_be_bytes(), self.number().to_be_bytes()];
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&a);
        bytes[8..].copy_from_slice(&b);
        Uuid(bytes)
    }
}

/// An agent of the test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) agent: AgentId,
    pub(crate) link: Link,
    pub(crate) team: TeamId,
}

/// A deployment.
pub(crate) struct Site {
    pub(crate) deployment: Deployment,
    pub(crate) people: Vec<Person>,
}

impl Deref for Site {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

impl Site {
    /// On the Kafka that all tests share.
    pub(crate) fn new(test: &str, partitions: u32, people: u32) -> Site {
        Site::on(On::Kafka, test, partitions, people)
    }

    pub(crate) fn on(on: On, test: &str, partitions: u32, people: u32) -> Site {
        Site::of(Deployment::new(on, test, partitions), people)
    }

    /// The same deployment somewhere else, where nothing of it is yet.
    pub(crate) fn elsewhere(&self, ground: Ground) -> Site {
        let plan = TopicsPlan { replicas: ground.replicas(), ..self.plan.clone() };
        let (codec, place) = (Arc::clone(&self.codec), Place::new("elsewhere"));
        Site { deployment: Deployment { ground, plan, codec, place }, people: self.people.clone() }
    }

    pub(crate) fn at(ground: Ground, test: &str, partitions: u32, people: u32) -> Site {
        Site::of(Deployment::at(ground, test, partitions), people)
    }

    fn of(deployment: Deployment, people: u32) -> Site {
        Site { deployment, people: (1..=people).map(person).collect() }
    }

    /// Saves and activates rules.
    pub(crate) fn activate(&self, rules: &str) -> Activation {
        let bus = self.bus();
        let mut control = Control::begin(&bus, &self.codec, &self.plan).unwrap();
        let (saved, _) = control.save(&revision(rules), &operator()).unwrap();
        control.activate(&saved, &operator()).unwrap()
    }

    pub(crate) fn settings(&self, name: &str, number: u32, commit_ms: u64) -> Settings {
        Settings {
            name: name.to_owned(),
            number,
            commit_interval: Duration::from_millis(commit_ms),
            events_max: 10_000,
            keeps_payload: false,
            snapshot_interval: Duration::from_secs(2),
        }
    }

    /// Starts a worker on a thread of its own.
    pub(crate) fn work(&self, settings: Settings, observer: Arc<dyn Observer>) -> Working {
        let (bus, codec, plan) = (Arc::new(self.bus()), Arc::clone(&self.codec), self.plan.clone());
        let stop = Stop::default();
        let asked = stop.clone();
        let thread = thread::spawn(move || {
            Worker::new(bus, codec, &plan, settings, observer).and_then(|worker| worker.run(&asked))
        });
        Working { stop, thread: Some(thread) }
    }

    /// Who writes events, as a source or a sink does.
    pub(crate) fn source(&self, name: &str) -> Source<'_> {
        let topics = [self.plan.name(Topic::Events)];
        let identity = format!("{}.{name}", self.plan.prefix);
        let bus = self.bus();
        let writer = patiently("becoming a source", || bus.writer(&identity, &topics));
        Source { site: self, writer, buffer: Buffer::new(), added: Vec::new() }
    }
}

/// A worker that runs.
pub(crate) struct Working {
    pub(crate) stop: Stop,
    thread: Option<JoinHandle<Result<(), processor::Error>>>,
}

impl Working {
    /// Asks it to stop, and says what came of it.
    pub(crate) fn end(mut self) -> Result<(), processor::Error> {
        self.stop.ask();
        self.thread.take().unwrap().join().unwrap()
    }

    /// Waits until it stops by itself.
    pub(crate) fn ended(mut self) -> Result<(), processor::Error> {
        let begun = Instant::now();
        while !self.thread.as_ref().unwrap().is_finished() {
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
            thread::park_timeout(Duration::from_millis(10));
        }
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.stop.ask();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes events, as often as it takes.
pub(crate) struct Source<'s> {
    site: &'s Site,
    writer: <AnyBus as Bus>::Writer,
    buffer: Buffer,
    /// What is written with the next commit.
    added: Vec<(Partition, Vec<u8>, Option<Vec<u8>>)>,
}

impl Source<'_> {
    pub(crate) fn add(&mut self, event: &Event<'_>) {
        let agent = event.agent.unwrap();
        self.buffer.clear();
        self.site.codec.encode(event, &mut self.buffer).unwrap();
        let value = self.buffer.as_slice().to_vec();
        self.add_raw(agent, &agent.text(), Some(&value));
    }

    /// Bytes as they are, into the partition of an agent.
    pub(crate) fn add_raw(&mut self, agent: AgentId, key: &[u8], value: Option<&[u8]>) {
        let partition = partition_for(&agent.text(), self.site.plan.partitions);
        self.added.push((partition, key.to_vec(), value.map(<[u8]>::to_vec)));
    }

    pub(crate) fn commit(&mut self) {
        let begun = Instant::now();
        while let Err(error) = self.try_to_commit() {
            println!("a source: {error}");
            assert!(begun.elapsed() < PATIENCE, "{error}");
            while let Err(error) = self.writer.abort() {
                assert!(begun.elapsed() < PATIENCE && error.remedy() == Remedy::Retry, "{error}");
            }
        }
        self.added.clear();
    }

    fn try_to_commit(&mut self) -> Result<(), bus::Error> {
        for (partition, key, value) in &self.added {
            let (partition, value) = (*partition, value.as_deref());
            self.writer.add(&Outgoing { topic: 0, partition, key, value, headers: &[] })?;
        }
        self.writer.commit(None)
    }

    /// Links everybody.
    pub(crate) fn link_all(&mut self, random: &mut Random) {
        for person in &self.site.people {
            self.add(&event(random, person.agent, linked(person)));
        }
        self.commit();
    }
}

pub(crate) fn linked(person: &Person) -> What<'static> {
    What::Linked(Linked { link: person.link, team: Some(person.team), operator: operator() })
}

pub(crate) fn event<'b>(random: &mut Random, agent: AgentId, what: What<'b>) -> Event<'b> {
    Event {
        id: random.uuid(),
        agent: Some(agent),
        account: None,
        written_at: TimeMs::from_unix_ms(now_ms()),
        writer: Cow::Borrowed("source/test"),
        engine_version: engine::VERSION,
        what,
    }
}

fn person(number: u32) -> Person {
    let link = Link {
        salesforce: SalesforceUser {
            account: "emea".parse().unwrap(),
            user: format!("0055g000{number:07}").parse().unwrap(),
        },
        cxone: CxoneAgent { account: "emea".parse().unwrap(), agent: CxoneAgentId::new(100_000 + number) },
    };
    Person { agent: agent_id(&link), link, team: TeamId::new(11 + number % 5) }
}

/// The rules of the examples, with short times, so that a test sees timers come due.
pub(crate) fn rules() -> String {
    let rules = include_str!("../../examples/rules.toml");
    let seven = rules.find("[[rule]]\nname = \"Agent seven\"").unwrap();
    format!(
        "[settings]\nconfirm_ms = 1000\ngrace_ms = 1000\ncool_down_ms = 1000\ncool_down_ms_max = 2000\nflap_window_ms = 5000\n{}",
        &rules[..seven]
    )
}

pub(crate) fn revision(rules: &str) -> Revision {
    let mut mistakes = Mistakes::new();
    let directory = Document::new("directory", include_str!("../../examples/directory.toml"), Syntax::Toml);
    let directory = Directory::read(&directory, &mut mistakes).unwrap();
    let rules = Document::new("rules", rules, Syntax::Toml);
    let revision = rules::check(&rules, Some(&directory), &mut mistakes);
    assert_eq!(mistakes.errors(), 0, "{:?}", mistakes.in_order());
    revision.unwrap()
}

/// Something that may happen to an agent.
pub(crate) fn anything(random: &mut Random, person: &Person) -> What<'static> {
    let now = TimeMs::from_unix_ms(now_ms());
    // Fault 17: most are told soon, and some hours late.
    let late_ms = if random.below(20) == 0 { 7_200_000 } else { 3_000 };
    let since = now - DurationMs::from_ms(random.below(late_ms) as i64);
    match random.below(100) {
        0..40 => {
            let row = random.below(2) == 0;
            let row = row.then(|| format!("0Ps5g{:010}", random.below(1 << 30)).parse().unwrap());
            let number = random.below(8);
            let status = if number == 7 {
                SalesforceStatus::Offline
            } else {
                SalesforceStatus::Presence(format!("0N5000000000{:03}", 101 + number).parse().unwrap())
            };
            observed(Status::Salesforce(status), since, row, random)
        }
        40..70 => {
            use lockstep::domain::{ContactState, OutStateId};
            let status = match random.below(9) {
                0 => CxoneStatus::LoggedOut,
                1..=3 => CxoneStatus::Available,
                4 => CxoneStatus::Unavailable,
                5 => CxoneStatus::Contact(ContactState::InboundContact),
                6 => CxoneStatus::AfterCallWork(None),
                code => CxoneStatus::Code(OutStateId::new(1_010 + code as u32)),
            };
            observed(Status::Cxone(status), since, None, random)
        }
        70..75 => What::RowClosed(RowClosed {
            row: None,
            at_raw: since,
            offset: DurationMs::ZERO,
            asked: Some(now),
            found_by: Feed::Snapshot,
        }),
        75..80 => What::Connected(Browser {
            gateway: Cow::Borrowed("gateway-1"),
            epoch: Epoch(1 + random.below(1 << 20)),
        }),
        80..90 => What::Outcome(Outcome {
            platform: if random.below(2) == 0 { Platform::Salesforce } else { Platform::Cxone },
            sequence: Sequence(1 + random.below(4) as u32),
            issued: since,
            verdict: Verdict::Accepted,
            detail: None,
        }),
        90..92 => What::Unlinked(operator()),
        92..96 => linked(person),
        96..98 => What::TeamMoved(TeamMoved { team: Some(TeamId::new(11 + random.below(5) as u32)) }),
        _ => What::Retry(operator()),
    }
}

fn observed(
    status: Status,
    since_raw: TimeMs,
    row: Option<lockstep::domain::RowId>,
    random: &mut Random,
) -> What<'static> {
    let cause = if random.below(3) == 0 { Cause::Agent } else { Cause::Unknown };
    What::Observation(Observation {
        status,
        since_raw,
        offset: DurationMs::ZERO,
        row,
        cause,
        asked: None,
        found_by: Feed::Poll,
    })
}

/// What a platform does with a command: it takes it, and mostly shows it.
pub(crate) fn answer(random: &mut Random, command: &Command<'_>) -> Vec<Event<'static>> {
    let Order::Set(set) = &command.order else { return Vec::new() };
    let outcome = What::Outcome(Outcome {
        platform: set.status.platform(),
        sequence: set.sequence,
        issued: set.issued,
        verdict: if random.below(8) == 0 { Verdict::Unreachable } else { Verdict::Accepted },
        detail: None,
    });
    let mut events = vec![event(random, command.agent, outcome)];
    if random.below(3) > 0 {
        let since = TimeMs::from_unix_ms(now_ms());
        let seen = observed(set.status, since, None, random);
        events.push(event(random, command.agent, seen));
    }
    events
}
