//! What the log says of agents, and what a test writes to it in the place of others.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lockstep::bus::{
    AnyBus, Bus, From, Offset, Outgoing, Reader, Records, Topic, Until, Writer, partition_for,
};
use lockstep::codec::{
    Addressee, Buffer, Codec, Command, Event, Observation, Order, Record, Set, Uuid, What,
};
use lockstep::domain::{
    AgentId, Cause, CxoneStatus, DurationMs, Feed, Platform, RowId, SalesforceStatus, Status, TimeMs,
};
use lockstep::engine::{self, Epoch, Sequence, Verdict};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::reading::read;
use crate::site::{PARTITIONS, Person, Site};
use crate::waiting::{PATIENCE, now_ms, patiently};

/// A reader does not read on for longer at once: others may write all the time.
const READ_AT_ONCE: Duration = Duration::from_secs(1);

/// What a gateway says of an agent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Connected { gateway: String, epoch: u64 },
    Disconnected { gateway: String, epoch: u64 },
    Shows(Shown),
    Outcome { sequence: u32, verdict: Verdict, detail: Option<String> },
}

/// What an agent is in, as a gateway says it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) status: SalesforceStatus,
    pub(crate) cause: Cause,
    pub(crate) row: Option<RowId>,
    pub(crate) since_ms: i64,
    pub(crate) offset_ms: i64,
}

/// What was read of events.
#[derive(Default)]
pub(crate) struct Log {
    reader: Option<<AnyBus as Bus>::Reader>,
    next: BTreeMap<u32, Offset>,
    said: BTreeMap<AgentId, Vec<Said>>,
}

/// Who writes, by topic.
pub(crate) type Writers = BTreeMap<Topic, <AnyBus as Bus>::Writer>;

pub(crate) fn presence(id: &str) -> SalesforceStatus {
    SalesforceStatus::Presence(id.parse().unwrap())
}

impl Said {
    fn of(event: Event<'_>) -> Option<(AgentId, Said)> {
        let said = match event.what {
            What::Connected(one) => Said::Connected { gateway: one.gateway.into_owned(), epoch: one.epoch.0 },
            What::Disconnected(one) => {
                Said::Disconnected { gateway: one.gateway.into_owned(), epoch: one.epoch.0 }
            }
            What::Observation(Observation { status: Status::Salesforce(status), .. }) => {
                let What::Observation(seen) = event.what else { return None };
                assert_eq!((seen.asked, seen.found_by), (None, Feed::Bridge));
                let Observation { cause, row, .. } = seen;
                let (since_ms, offset_ms) = (seen.since_raw.as_unix_ms(), seen.offset.as_ms());
                Said::Shows(Shown { status, cause, row, since_ms, offset_ms })
            }
            What::Outcome(one) if one.platform == Platform::Salesforce => Said::Outcome {
                sequence: one.sequence.0,
                verdict: one.verdict,
                detail: one.detail.map(Cow::into_owned),
            },
            _ => return None,
        };
        Some((event.agent?, said))
    }
}

impl Log {
    /// Reads on, to the end.
    fn read_on(&mut self, site: &Site) {
        let (next, name) = (&self.next, site.plan.name(Topic::Events));
        let reader = self.reader.get_or_insert_with(|| {
            let from = |number| next.get(&number).map_or(From::Beginning, |next| From::Offset(*next));
            let starts: Vec<_> =
                (0..PARTITIONS).map(|number| (name.partition(number), from(number))).collect();
            patiently("reading", || site.bus().reader(&starts, Until::Stopped))
        });
        let begun = Instant::now();
        loop {
            let records = patiently("reading", || reader.read(Duration::from_millis(20)));
            for record in records.iter() {
                self.next.insert(record.partition.0, Offset(record.offset.0 + 1));
                let event = site.codec.decode(record.value.unwrap()).unwrap();
                if let Some((agent, said)) = Said::of(event) {
                    self.said.entry(agent).or_default().push(said);
                }
            }
            if (records.is_empty() && reader.is_at_end()) || begun.elapsed() > READ_AT_ONCE {
                return;
            }
        }
    }
}

impl Site {
    /// All that was said of somebody so far.
    pub(crate) fn said(&self, person: &Person) -> Vec<Said> {
        let mut log = self.log.lock().unwrap();
        log.read_on(self);
        log.said.get(&person.agent).cloned().unwrap_or_default()
    }

    /// Waits until something is said of somebody, and tells all that was.
    pub(crate) fn comes_to_say(&self, person: &Person, what: &Said) -> Vec<Said> {
        self.comes_to(person, &format!("{what:?}"), |said| said.contains(what))
    }

    /// Waits until so much is said of somebody.
    pub(crate) fn comes_to_say_so_much(&self, person: &Person, count: usize) -> Vec<Said> {
        self.comes_to(person, &format!("{count} things"), |said| said.len() >= count)
    }

    fn comes_to(&self, person: &Person, what: &str, is_so: impl Fn(&[Said]) -> bool) -> Vec<Said> {
        let begun = Instant::now();
        loop {
            let said = self.said(person);
            if is_so(&said) {
                return said;
            }
            assert!(begun.elapsed() < PATIENCE, "the log does not say {what} of {}: {said:#?}", person.user);
        }
    }

    /// All processes have ended: what is in the directory is the test's again, to read what they left.
    pub(crate) fn take_back(&self) {
        self.writers.lock().unwrap().clear();
        self.log.lock().unwrap().reader = None;
        self.ground.take_back();
    }

    /// What commands to CXone set, of somebody in their order.
    pub(crate) fn commanded_at_cxone(&self, person: &Person) -> Vec<Status> {
        let mut all = Vec::new();
        read(&self.bus(), &self.plan.name(Topic::CommandsCxone), PARTITIONS, |record| {
            let command: Command<'_> = self.codec.decode(record.value.unwrap()).unwrap();
            if let (true, Order::Set(set)) = (command.agent == person.agent, command.order) {
                all.push(set.status);
            }
        });
        all
    }

    fn write<'b, R: Record<'b>>(&self, topic: Topic, agent: AgentId, record: &R) {
        let mut buffer = Buffer::new();
        let codec: &Codec = &self.codec;
        codec.encode(record, &mut buffer).unwrap();
        let key = agent.text();
        let (partition, value) = (partition_for(&key, PARTITIONS), Some(buffer.as_slice()));
        self.commit(topic, |writer| {
            writer.add(&Outgoing { topic: 0, partition, key: &key, value, headers: &[] }).unwrap();
        });
    }

    /// Commits what is added to a topic, by the one who writes it.
    fn commit(&self, topic: Topic, add: impl FnOnce(&mut <AnyBus as Bus>::Writer)) {
        let mut writers = self.writers.lock().unwrap();
        let writer = writers.entry(topic).or_insert_with(|| {
            let identity = format!("{}.test.{topic:?}", self.plan.prefix);
            patiently("becoming a writer", || self.bus().writer(&identity, &[self.plan.name(topic)]))
        });
        add(writer);
        writer.commit(None).unwrap();
    }

    /// What comes next is written at once.
    pub(crate) fn is_about_to_command(&self) {
        self.commit(Topic::CommandsSalesforce, |_| ());
    }

    /// Commands somebody, as a processor would; none logs him out. Tells what his browser is to hear.
    pub(crate) fn command(&self, person: &Person, sequence: u32, status: Option<&str>) -> Value {
        let issued_ms = now_ms();
        let set = Set {
            sequence: Sequence(sequence),
            status: Status::Salesforce(status.map_or(SalesforceStatus::Offline, presence)),
            issued: TimeMs::from_unix_ms(issued_ms),
            correction: false,
            epoch: Epoch(1),
            rule: None,
            row: None,
        };
        let command = Command {
            agent: person.agent,
            to: Addressee::Salesforce(person.link.salesforce),
            event_offset: 0,
            engine_version: engine::VERSION,
            order: Order::Set(set),
        };
        self.write(Topic::CommandsSalesforce, person.agent, &command);
        json!({
            "type": "command", "command": format!("{}/{sequence}/{issued_ms}", person.agent),
            "order": [issued_ms, sequence], "status": status,
        })
    }

    /// CXone shows somebody in this since then, as its source would write it.
    pub(crate) fn cxone_shows(&self, person: &Person, status: CxoneStatus, since_ms: i64) {
        let (now, mut id) = (TimeMs::from_unix_ms(now_ms()), [0; 16]);
        id[..8].copy_from_slice(&since_ms.to_be_bytes());
        let observation = Observation {
            status: Status::Cxone(status),
            since_raw: TimeMs::from_unix_ms(since_ms),
            offset: DurationMs::default(),
            row: None,
            cause: Cause::Unknown,
            asked: None,
            found_by: Feed::Poll,
        };
        let event = Event {
            id: Uuid(id),
            agent: Some(person.agent),
            account: None,
            written_at: now,
            writer: Cow::Borrowed("source/cxone.emea/test"),
            engine_version: engine::VERSION,
            what: What::Observation(observation),
        };
        self.write(Topic::Events, person.agent, &event);
    }
}

/// What a page says of a command that it heard.
pub(crate) fn outcome(command: &Value, result: &str) -> Value {
    json!({"type": "outcome", "command": command["command"], "result": result})
}

impl Browser {
    /// What it hears next is this command, and it has dealt with it.
    pub(crate) fn does(&self, command: &Value) {
        assert_eq!(self.hears("command"), *command);
        self.say(&outcome(command, "done"));
    }
}
