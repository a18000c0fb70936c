//! The loop itself: a queue of what happens next, the agent's log, and the engine that is handed each record.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::directory::{Code, CxoneVocabulary, PresenceStatus, SalesforceVocabulary, Vocabulary, agent_id};
use crate::domain::{
    Both, CxoneAgent, CxoneAgentId, CxoneStatus, DurationMs, Link, Platform, SalesforceStatus,
    SalesforceUser, TimeMs,
};
use crate::engine::{self, AgentState, Command, Effects, Event, Membership, Status, Timer, WakeUp, What};
use crate::rules::{
    Assignment, CxoneOrder, CxoneTarget, CxoneTerm, OnConflict, OnLogin, Options, PublisherRow, Revision,
    Rule, SalesforceTarget, SalesforceTerm, Settings, SubscriberRow, Tables, WhileOnContact,
};

use super::check::{self, Finding};
use super::cxone::{self, Cxone};
use super::person::Person;
use super::random::Random;
use super::salesforce::{self, Salesforce};

/// How long the person acts, and how long the world then rests before it is judged.
const ACTING: DurationMs = DurationMs::from_seconds(10 * 60);
const RESTING: DurationMs = DurationMs::from_seconds(60 * 60);

type Rows = &'static [(&'static str, &'static str)];

/// A class of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Each status has one on the other platform.
    OneToOne,
    /// Several CXone statuses show as one in Salesforce.
    ManyToOne,
    /// Statuses without a row, and *previous*.
    Sparse,
    /// Rows that chase each other, which a check refuses.
    Chasing,
}

impl Mapping {
    /// All of them.
    pub const ALL: [Mapping; 4] = [Mapping::OneToOne, Mapping::ManyToOne, Mapping::Sparse, Mapping::Chasing];

    /// The rows from CXone to Salesforce, and back.
    fn rows(self) -> (Rows, Rows) {
        const BACK: &[(&str, &str)] = &[
            ("Available", "S1"),
            ("Unavailable/C2", "S2"),
            ("Unavailable/C3", "S3"),
            ("InboundContact", "S4"),
            ("LoggedOut", "Offline"),
        ];
        const THERE: &[(&str, &str)] = &[
            ("S1", "Available"),
            ("S2", "Unavailable/C2"),
            ("S3", "Unavailable/C3"),
            ("Offline", "LoggedOut"),
        ];
        match self {
            Mapping::OneToOne => (BACK, THERE),
            Mapping::ManyToOne => (
                &[
                    ("Available", "S1"),
                    ("Unavailable", "S2"),
                    ("Unavailable/C2", "S2"),
                    ("Unavailable/C3", "S2"),
                    ("InboundContact", "S4"),
                    ("AfterCallWork", "S4"),
                ],
                &[
                    ("S1", "Available"),
                    ("S2", "Unavailable/C2"),
                    ("S3", "Unavailable/C2"),
                    ("Offline", "LoggedOut"),
                ],
            ),
            Mapping::Sparse => (
                &[("Available", "S1"), ("InboundContact", "S4")],
                &[("S1", "Available"), ("S2", "Unavailable/C2"), ("S3", "previous")],
            ),
            Mapping::Chasing => (
                &[("Available", "S1"), ("Unavailable/C2", "S3"), ("Unavailable/C3", "S2")],
                &[("S1", "Available"), ("S2", "Unavailable/C2"), ("S3", "Unavailable/C3")],
            ),
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// What must not be.
    pub findings: Vec<Finding>,
    /// How many events the engine decided.
    pub events: u32,
    /// How many commands it issued.
    pub commands: u32,
    /// The most bytes the agent's state took.
    pub state_bytes_max: usize,
    /// What happened, a line each, if that was asked for.
    pub trace: String,
}

/// What is still to happen.
pub(super) enum Item {
    /// A record reaches the log.
    Log(What),
    /// The armed timer is due.
    WakeUp(WakeUp),
    /// The person does something.
    Person,
    /// Something of a platform.
    Salesforce(salesforce::Item),
    /// Something of the other.
    Cxone(cxone::Item),
}

/// A run in progress.
pub(super) struct World {
    pub(super) now: TimeMs,
    pub(super) random: Random,
    pub(super) salesforce: Salesforce,
    pub(super) cxone: Cxone,
    pub(super) person: Person,
    pub(super) tables: Tables,
    pub(super) assignment: Option<Assignment>,
    /// The commands issued, with the number of corrections in a row for the same target.
    pub(super) issued: Vec<(TimeMs, Command)>,
    pub(super) gave_up: Both<bool>,
    slot: Option<AgentState>,
    queue: BTreeMap<(TimeMs, u64), Item>,
    queued: u64,
    events: u32,
    state_bytes_max: usize,
    trace: Option<String>,
}

/// Runs one seed under rules of one class.
pub fn run(seed: u64, mapping: Mapping, with_trace: bool) -> Report {
    let mut random = Random::new(seed);
    let Some((tables, assignment)) = tables(mapping, &mut random) else {
        return Report {
            findings: vec![Finding::NoRules],
            events: 0,
            commands: 0,
            state_bytes_max: 0,
            trace: String::new(),
        };
    };
    let assignment = Some(assignment);
    let now = TimeMs::from_unix_ms(1_000_000_000);
    let mut world = World {
        now,
        salesforce: Salesforce::new(&mut random),
        cxone: Cxone::new(now),
        person: Person::default(),
        tables,
        assignment,
        issued: Vec::new(),
        gave_up: Both::default(),
        slot: None,
        queue: BTreeMap::new(),
        queued: 0,
        events: 0,
        state_bytes_max: 0,
        trace: with_trace.then(String::new),
        random,
    };
    world.decide(What::Linked(Membership { team: None, assignment }));
    world.begin_salesforce();
    world.begin_cxone();
    world.at(DurationMs::from_seconds(20), Item::Person);
    let (rest, end) = (now + ACTING, now + ACTING + RESTING);
    let mut is_acting = true;
    while let Some(((at, _), item)) = world.queue.pop_first() {
        if is_acting && at >= rest {
            is_acting = false;
            world.now = rest;
            world.come_to_rest();
        }
        if at >= end {
            break;
        }
        world.now = world.now.max(at);
        match item {
            Item::Log(what) => world.decide(what),
            Item::WakeUp(wake_up) => world.decide(What::WakeUp(wake_up)),
            Item::Person if is_acting => world.act(),
            Item::Person => {}
            Item::Salesforce(item) => world.salesforce_item(item),
            Item::Cxone(item) => world.cxone_item(item),
        }
    }
    let findings = check::check(&world, rest);
    Report {
        findings,
        events: world.events,
        commands: world.issued.len() as u32,
        state_bytes_max: world.state_bytes_max,
        trace: world.trace.unwrap_or_default(),
    }
}

impl World {
    /// Something happens after a delay.
    pub(super) fn at(&mut self, delay: DurationMs, item: Item) {
        self.queued += 1;
        self.queue.insert((self.now + delay, self.queued), item);
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        let seconds = (self.now.as_unix_ms() - 1_000_000_000) as f64 / 1_000.0;
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "{seconds:9.3}  {}", text());
        }
    }

    /// Hands a record to the engine, then acts on its effects.
    fn decide(&mut self, what: What) {
        let event = Event { now: self.now, what };
        let Effects { decision, commands, timer, .. } = engine::apply(&mut self.slot, &event, &self.tables);
        self.events += 1;
        self.state_bytes_max = self.state_bytes_max.max(self.slot.as_ref().map_or(0, AgentState::bytes));
        self.note(|| {
            let commands: Vec<String> = commands
                .into_array()
                .into_iter()
                .flatten()
                .map(|c| format!("{:?}{}", c.status, if c.correction { " again" } else { "" }))
                .collect();
            format!("    log {what:?}\n           -> {:?} {}", decision.reason, commands.join(", "))
        });
        self.gave_up.salesforce |= decision.diverged.salesforce.is_some();
        self.gave_up.cxone |= decision.diverged.cxone.is_some();
        if let Some(Timer::Arm { at, cause, generation }) = timer {
            let late = self.random.ms(0, 50);
            self.at(at.since(self.now) + late, Item::WakeUp(WakeUp { cause, generation }));
        }
        for command in commands.into_array().into_iter().flatten() {
            self.issued.push((self.now, command));
            match command.platform() {
                Platform::Salesforce => self.command_salesforce(command),
                Platform::Cxone => self.command_cxone(command),
            }
        }
    }

    /// The person stops, contacts end, outages end, and his browser is open if he is logged in.
    fn come_to_rest(&mut self) {
        self.note(|| "---- rest".to_owned());
        self.end_contact();
        self.cxone_is_back();
        self.open_browser();
    }

    /// What the rule makes of a status, as far as it is one plain status.
    pub(super) fn mirrored(&self, status: Status) -> Option<Status> {
        let assignment = self.assignment?;
        match status {
            Status::Salesforce(status) => match self.tables.cxone_target(assignment, status) {
                CxoneTarget::Set(status, _) => Some(Status::Cxone(status)),
                _ => None,
            },
            Status::Cxone(status) => match self.tables.salesforce_target(assignment, status) {
                SalesforceTarget::Set(status, _) => Some(Status::Salesforce(status)),
                SalesforceTarget::Nothing => None,
            },
        }
    }
}

/// The presence statuses of the simulated org, by their numbers from 1.
pub(super) fn presence(number: i64) -> SalesforceStatus {
    let id = format!("0N5{number:012}").parse();
    id.map_or(SalesforceStatus::Offline, SalesforceStatus::Presence)
}

/// The codes of the simulated tenant.
pub(super) fn code(number: u32) -> CxoneStatus {
    CxoneStatus::Code(crate::domain::OutStateId::new(100 + number))
}

/// The rules of a class with options by chance. They are not checked: some would be refused.
fn tables(mapping: Mapping, random: &mut Random) -> Option<(Tables, Assignment)> {
    let account = "main".parse().ok()?;
    let status = |number: i64| {
        let SalesforceStatus::Presence(id) = presence(number) else { return None };
        let name: Box<str> = format!("S{number}").into();
        Some(PresenceStatus {
            id,
            developer_name: name.clone(),
            label: name,
            channels: Vec::new(),
            granted_to: None,
        })
    };
    let code = |number: u32| {
        let CxoneStatus::Code(id) = code(number) else { return None };
        Some(Code { id, name: format!("C{number}").into(), active: true, after_call_work: false })
    };
    let salesforce = SalesforceVocabulary::new((1..=4).filter_map(status).collect());
    let cxone = CxoneVocabulary::new((2..=3).filter_map(code).collect(), Vec::new());
    let vocabulary =
        Vocabulary { salesforce: [(account, salesforce)].into(), cxone: [(account, cxone)].into() };
    let link = Link {
        salesforce: SalesforceUser { account, user: "005000000000001".parse().ok()? },
        cxone: CxoneAgent { account, agent: CxoneAgentId::new(1) },
    };
    let agent = agent_id(&link);
    let (back, there) = mapping.rows();
    let order = |name: &str| match name {
        "previous" => Some(CxoneOrder::Previous),
        name => CxoneTerm::parse(name).ok().map(CxoneOrder::Status),
    };
    let publisher = back.iter().filter_map(|(from, to)| {
        Some(PublisherRow { from: CxoneTerm::parse(from).ok()?, to: SalesforceTerm::parse(to) })
    });
    let subscriber = there
        .iter()
        .filter_map(|(from, to)| Some(SubscriberRow { from: SalesforceTerm::parse(from), to: order(to)? }));
    let rule = Rule {
        name: format!("{mapping:?}"),
        teams: Vec::new(),
        agents: vec![agent],
        options: Options {
            skip_code_validation: false,
            on_conflict: random.pick(&[OnConflict::Latest, OnConflict::Salesforce, OnConflict::Cxone])?,
            while_on_contact: random.pick(&[
                WhileOnContact::Hold,
                WhileOnContact::Hold,
                WhileOnContact::Send,
            ])?,
            on_login: random.pick(&[OnLogin::Adopt, OnLogin::Publish])?,
        },
        publisher: publisher.collect(),
        subscriber: subscriber.collect(),
    };
    let revision = Revision { rules: vec![rule], vocabulary, settings: Settings::default() };
    let tables = Tables::compile(&revision);
    let assignment = tables.assignment(agent, &link, None)?;
    Some((tables, assignment))
}
