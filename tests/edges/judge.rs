//! What the log says, and the platform's own: by them a test judges.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use lockstep::bus::Topic;
use lockstep::codec::{Command, Decision, Event, Observation, Order, Outcome, Record, Set, What};
use lockstep::domain::{AgentId, CxoneStatus, OutStateId, Platform, Status};
use lockstep::engine::{self, Sequence};
use lockstep::simulators::cxone::Credentials;
use serde_json::{Value, json};

use crate::centre::{Centre, PARTITIONS};
use crate::reading::read;
use crate::waiting::PATIENCE;

impl Centre {
    /// All records of a topic, in the order of each partition.
    fn read<T>(&self, topic: Topic, partitions: u32, take: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
        let mut all = Vec::new();
        read(&self.bus(), &self.plan.name(topic), partitions, |record| {
            all.extend(record.value.and_then(&take));
        });
        all
    }

    fn decoded<'b, R: Record<'b>>(&self, value: &'b [u8]) -> R {
        self.codec.decode(value).unwrap()
    }

    /// What CXone was seen in, of each agent in the order of the log.
    pub(crate) fn observed(&self) -> BTreeMap<AgentId, Vec<Observation>> {
        let mut all: BTreeMap<AgentId, Vec<Observation>> = BTreeMap::new();
        let found = self.read(Topic::Events, PARTITIONS, |value| {
            let event: Event<'_> = self.decoded(value);
            match (event.agent, event.what) {
                (Some(agent), What::Observation(one)) if one.status.platform() == Platform::Cxone => {
                    Some((agent, one))
                }
                _ => None,
            }
        });
        found.into_iter().for_each(|(agent, one)| all.entry(agent).or_default().push(one));
        all
    }

    /// What was decided about somebody, in the order of the log.
    pub(crate) fn decided(&self, agent: AgentId) -> Vec<String> {
        self.read(Topic::Decisions, PARTITIONS, |value| {
            let decision: Decision<'_> = self.decoded(value);
            let shown = (decision.salesforce_shown, decision.cxone_shown);
            (decision.agent == Some(agent)).then(|| {
                let (at, kind) = (decision.at.as_unix_ms(), decision.event_kind);
                format!("{at} {kind:?} {:?} {shown:?}", decision.reason)
            })
        })
    }

    /// Commands to a platform that set something, of each agent in their order.
    pub(crate) fn commanded(&self, platform: Platform) -> BTreeMap<AgentId, Vec<(Sequence, Status)>> {
        self.sets(platform, |_| true)
    }

    /// The same without corrections: a slow machine may see too late what was set, and have it set again.
    pub(crate) fn chosen(&self, platform: Platform) -> BTreeMap<AgentId, Vec<(Sequence, Status)>> {
        self.sets(platform, |set| !set.correction)
    }

    fn sets(
        &self,
        platform: Platform,
        is_one: impl Fn(&Set) -> bool,
    ) -> BTreeMap<AgentId, Vec<(Sequence, Status)>> {
        let topic = match platform {
            Platform::Salesforce => Topic::CommandsSalesforce,
            Platform::Cxone => Topic::CommandsCxone,
        };
        let mut all: BTreeMap<AgentId, Vec<(Sequence, Status)>> = BTreeMap::new();
        let found = self.read(topic, PARTITIONS, |value| {
            let command: Command<'_> = self.decoded(value);
            match command.order {
                Order::Set(set) if is_one(&set) => Some((command.agent, (set.sequence, set.status))),
                Order::Set(_) | Order::Void => None,
            }
        });
        found.into_iter().for_each(|(agent, one)| all.entry(agent).or_default().push(one));
        all
    }

    /// Outcomes of commands to CXone, of each agent in the order of the log.
    pub(crate) fn outcomes(&self) -> BTreeMap<AgentId, Vec<(Sequence, engine::Verdict)>> {
        let mut all: BTreeMap<AgentId, Vec<(Sequence, engine::Verdict)>> = BTreeMap::new();
        let found = self.read(Topic::Events, PARTITIONS, |value| {
            let event: Event<'_> = self.decoded(value);
            match (event.agent, event.what) {
                (Some(agent), What::Outcome(Outcome { sequence, verdict, .. })) => {
                    Some((agent, (sequence, verdict)))
                }
                _ => None,
            }
        });
        found.into_iter().for_each(|(agent, one)| all.entry(agent).or_default().push(one));
        all
    }

    /// How often a platform was held, and how often resumed, by partition 0.
    pub(crate) fn held(&self) -> Vec<String> {
        self.read(Topic::Events, 1, |value| match self.decoded::<Event<'_>>(value).what {
            What::PlatformHeld(held) => Some(format!("held {:?}", held.cause)),
            What::PlatformResumed(_) => Some("resumed".to_owned()),
            _ => None,
        })
    }

    /// What is wrong with what was called, judged by the platform's own log: an older command after a newer one.
    pub(crate) fn judge(&self) {
        let log = self.cxone.control("GET", "/log", &Value::Null);
        let mut applied: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
        for call in log.as_array().unwrap() {
            // What the platform itself does late is none of our calls.
            if call["applied"].as_bool().unwrap() && call["method"] == "POST" {
                let agent = call["agentId"].as_u64().unwrap() as u32;
                applied.entry(agent).or_default().push(call["wanted"].clone());
            }
        }
        let commanded = self.commanded(Platform::Cxone);
        let mut judged = self.judged.lock().unwrap();
        for (number, calls) in applied {
            let agent = self.people[&number];
            let before = judged.get(&agent).copied().unwrap_or_default();
            let commands: Vec<Value> =
                commanded[&agent][before..].iter().map(|(_, one)| wanted(*one)).collect();
            // Each call is one of the commands, and not before that of the call before it.
            let mut at = 0;
            for call in &calls {
                let found = commands[at..].iter().position(|command| command == call);
                let found = found.unwrap_or_else(|| {
                    let of_agent = |call: &&Value| call["agentId"].as_u64() == Some(number.into());
                    let calls: Vec<_> = log.as_array().unwrap().iter().filter(of_agent).collect();
                    panic!("agent {number}: an older command after a newer one\ncalls: {calls:#?}\ncommands: {commands:#?}")
                });
                at += found;
            }
        }
        *judged = commanded.into_iter().map(|(agent, all)| (agent, all.len())).collect();
        self.cxone.control("DELETE", "/log", &Value::Null);
    }

    /// How many calls there were by this method to paths with this in them, since they were judged last.
    pub(crate) fn calls(&self, method: &str, path: &str) -> usize {
        let log = self.cxone.control("GET", "/log", &Value::Null);
        let calls = log.as_array().unwrap().iter();
        calls.filter(|call| call["path"].as_str().unwrap().contains(path) && call["method"] == method).count()
    }

    /// How many calls were accepted and not done at once.
    pub(crate) fn unapplied(&self) -> usize {
        let log = self.cxone.control("GET", "/log", &Value::Null);
        let is_one =
            |call: &&Value| call["status"] == 202 && !call["wanted"].is_null() && call["applied"] == false;
        log.as_array().unwrap().iter().filter(is_one).count()
    }

    /// The budget of the account was kept, by the platform's own log, though so many processes had it one after the other, each
    /// of which began with a full bucket. Tells how many calls there were.
    pub(crate) fn keeps_budget(&self, per_minute: i64, burst: i64, processes: i64) -> usize {
        let log = self.cxone.control("GET", "/log", &Value::Null);
        let counted = |call: &&Value| call["path"].as_str().unwrap().contains("incontactapi");
        let mut at: Vec<i64> = log
            .as_array()
            .unwrap()
            .iter()
            .filter(counted)
            .map(|call| call["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond())
            .collect();
        at.sort_unstable();
        for (first, from) in at.iter().enumerate() {
            for (last, to) in at.iter().enumerate().skip(first) {
                // A call may arrive later than it was sent, by so much.
                let most = processes * burst + (to - from + 500) * per_minute / 60_000;
                let calls = (last - first + 1) as i64;
                assert!(calls <= most.max(1), "{calls} calls in {} ms", to - from);
            }
        }
        at.len()
    }

    /// No name, no address and no secret is in any topic but the directory, nor in this text.
    pub(crate) fn nobody_is_named(&self, text: &str) {
        let Credentials { client_secret, access_key_secret, .. } = Credentials::default();
        let secrets = [&*client_secret, &access_key_secret, "@example.com"];
        for topic in Topic::ALL.into_iter().filter(|topic| *topic != Topic::Directory) {
            let partitions = if topic.is_keyed_by_agent() { PARTITIONS } else { 1 };
            for value in self.read(topic, partitions, |value| Some(value.to_vec())) {
                let value = String::from_utf8_lossy(&value);
                assert!(!secrets.iter().any(|secret| value.contains(secret)), "{topic:?}: {value}");
            }
        }
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    }

    /// Waits until every command has an outcome.
    pub(crate) fn settles(&self) {
        let begun = Instant::now();
        loop {
            let (commanded, outcomes) = (self.commanded(Platform::Cxone), self.outcomes());
            let is_answered = |agent: &AgentId, sequence: Sequence| {
                outcomes.get(agent).is_some_and(|all| all.iter().any(|(of, _)| *of == sequence))
            };
            let is_one = |(agent, all): (&AgentId, &Vec<(Sequence, Status)>)| {
                all.iter().all(|(sequence, _)| is_answered(agent, *sequence))
            };
            if commanded.iter().all(is_one) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "commands have no outcome: {commanded:?} {outcomes:?}");
            thread::park_timeout(Duration::from_millis(50));
        }
    }
}

/// A status as the platform's log has it.
fn wanted(status: Status) -> Value {
    let (state, code) = match status {
        Status::Cxone(CxoneStatus::Available) => (1, None),
        Status::Cxone(CxoneStatus::Unavailable) => (2, None),
        Status::Cxone(CxoneStatus::Code(code)) => (2, Some(code)),
        Status::Cxone(CxoneStatus::LoggedOut) => (0, None),
        other => panic!("{other:?}"),
    };
    json!({"agentStateId": state, "outStateId": code.map(OutStateId::get), "isACW": false})
}
