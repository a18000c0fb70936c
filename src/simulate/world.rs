//! The loop itself: a queue of what happens next, the agent's log, and the engine that is handed each record.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::domain::{Both, DurationMs, Platform, TimeMs};
use crate::engine::{
    self, AgentState, Command, Effects, Event, Reason, Timer, Verdict, WakeCause, WakeUp, What,
};

use super::check::{self, Finding};
use super::cxone::{self, Cxone};
use super::faults::{Fault, Faults};
use super::operator;
use super::random::Random;
use super::rules::{Mapping, Rules};
use super::salesforce::{self, Salesforce};
use super::truth::Truth;

/// When a history begins.
pub(super) const START: TimeMs = TimeMs::from_unix_ms(1_000_000_000);

/// How long the person acts, and how long the world then rests before it is judged.
const ACTING: DurationMs = DurationMs::from_seconds(10 * 60);
const RESTING: DurationMs = DurationMs::from_seconds(60 * 60);

/// A record of the log, and what the engine did with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What happened.
    pub event: Event,
    /// Which of the history's revisions was in force, from 0.
    pub revision: usize,
    /// What the engine did.
    pub effects: Effects,
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// What must not be.
    pub findings: Vec<Finding>,
    /// The log, with every decision.
    pub log: Vec<Record>,
    /// How many commands the engine issued.
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
    /// An observation reaches the log, of the change with this number.
    Shown(What, usize),
    /// The armed timer is due.
    WakeUp(WakeUp),
    /// The person does something.
    Person,
    /// He does one of many things in a second.
    Burst(Option<Platform>),
    /// Something of a platform.
    Salesforce(salesforce::Item),
    /// Something of the other.
    Cxone(cxone::Item),
    /// Something that administrators and operators do.
    Operator(operator::Item),
}

/// A run in progress.
pub(super) struct World {
    pub(super) now: TimeMs,
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) salesforce: Salesforce,
    pub(super) cxone: Cxone,
    pub(super) truth: Truth,
    pub(super) rules: Rules,
    /// The number of his team, from 0, as CXone has it: the directory may be behind.
    pub(super) team: usize,
    pub(super) log: Vec<Record>,
    /// The commands issued.
    pub(super) issued: Vec<(TimeMs, Command)>,
    /// What was given up on, and not tried again since.
    pub(super) gave_up: Both<bool>,
    pub(super) slot: Option<AgentState>,
    queue: BTreeMap<(TimeMs, u64), Item>,
    queued: u64,
    state_bytes_max: usize,
    trace: Option<String>,
}

/// Runs one seed under rules of one class.
pub fn run(seed: u64, mapping: Mapping, with_trace: bool) -> Report {
    let mut random = Random::new(seed);
    let faults = Faults::new(&mut random);
    let Some(rules) = Rules::new(mapping, faults.has(Fault::Activations), &mut random) else {
        return Report { findings: vec![Finding::NoRules], ..Report::default() };
    };
    let mut world = World {
        now: START,
        salesforce: Salesforce::new(&mut random),
        cxone: Cxone::new(START),
        truth: Truth::default(),
        rules,
        team: 0,
        log: Vec::new(),
        issued: Vec::new(),
        gave_up: Both::default(),
        slot: None,
        queue: BTreeMap::new(),
        queued: 0,
        state_bytes_max: 0,
        trace: with_trace.then(String::new),
        random,
        faults,
    };
    let (rest, end) = (START + ACTING, START + ACTING + RESTING);
    world.begin();
    world.live(rest, end);
    let findings = check::check(&world, rest);
    Report {
        findings,
        commands: world.issued.len() as u32,
        log: world.log,
        state_bytes_max: world.state_bytes_max,
        trace: world.trace.unwrap_or_default(),
    }
}

impl World {
    fn begin(&mut self) {
        let faults = self.faults.to_string();
        self.note(|| faults);
        self.link();
        self.begin_salesforce();
        self.begin_cxone();
        self.begin_operator();
        self.at(DurationMs::from_seconds(20), Item::Person);
    }

    fn live(&mut self, rest: TimeMs, end: TimeMs) {
        let mut is_acting = true;
        while let Some(((at, _), item)) = self.queue.pop_first() {
            if is_acting && at >= rest {
                is_acting = false;
                self.now = rest;
                self.come_to_rest();
            }
            if at >= end {
                break;
            }
            self.now = self.now.max(at);
            match item {
                Item::Log(what) => self.decide(what),
                Item::Shown(what, change) => {
                    self.truth.saw(change, self.now);
                    self.decide(what);
                }
                Item::WakeUp(wake_up) => self.decide(What::WakeUp(wake_up)),
                Item::Person if is_acting => self.act(),
                Item::Burst(platform) if is_acting => self.choose_on(platform),
                Item::Operator(item) if is_acting => self.operator_item(item),
                Item::Person | Item::Burst(_) | Item::Operator(_) => {}
                Item::Salesforce(item) => self.salesforce_item(item),
                Item::Cxone(item) => self.cxone_item(item),
            }
        }
    }

    /// Something happens after a delay.
    pub(super) fn at(&mut self, delay: DurationMs, item: Item) {
        self.queued += 1;
        self.queue.insert((self.now + delay, self.queued), item);
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        let seconds = self.now.since(START).as_ms() as f64 / 1_000.0;
        if let Some(trace) = &mut self.trace {
            // Writing to a String cannot fail.
            let _ = writeln!(trace, "{seconds:9.3}  {}", text());
        }
    }

    /// Hands a record to the engine, then acts on its effects.
    pub(super) fn decide(&mut self, what: What) {
        let event = Event { now: self.now, what };
        let Some(tables) = self.rules.tables() else { return };
        let effects = engine::apply(&mut self.slot, &event, tables);
        self.state_bytes_max = self.state_bytes_max.max(self.slot.as_ref().map_or(0, AgentState::bytes));
        self.log.push(Record { event, revision: self.rules.in_force(), effects });
        self.note(|| told(&what, &effects));
        self.keep_in_mind(&effects);
        if let Some(Timer::Arm { at, cause, generation }) = effects.timer {
            let late = self.random.ms(0, 50);
            self.at(at.since(self.now) + late, Item::WakeUp(WakeUp { cause, generation }));
        }
        if effects.gone {
            self.salesforce.drop_commands();
            self.cxone.drop_commands();
        }
        for command in effects.commands.into_array().into_iter().flatten() {
            self.issued.push((self.now, command));
            match command.platform() {
                Platform::Salesforce => self.command_salesforce(command),
                Platform::Cxone => self.command_cxone(command),
            }
        }
    }

    /// What the engine gave up on stays so until the law says that it is tried again.
    fn keep_in_mind(&mut self, effects: &Effects) {
        let decision = &effects.decision;
        let anew = matches!(
            decision.reason,
            Reason::Activated
                | Reason::TeamMoved
                | Reason::Retried
                | Reason::Linked
                | Reason::Unlinked
                | Reason::Forgotten
        );
        if anew || decision.new_intent {
            self.gave_up = Both::default();
        }
        // A log-out that only a closed row told of is known when the grace is over.
        let told =
            matches!(decision.reason, Reason::Connected | Reason::Contact | Reason::Due(WakeCause::Grace));
        if anew || told {
            self.truth.happenings.push(self.now);
        }
        self.gave_up.salesforce |= decision.diverged.salesforce.is_some();
        self.gave_up.cxone |= decision.diverged.cxone.is_some();
    }

    /// The person stops, contacts end, outages end, the link is there, and his browser is open if he is logged in.
    fn come_to_rest(&mut self) {
        self.note(|| "---- rest".to_owned());
        self.end_contact();
        self.cxone_is_back();
        self.salesforce_is_back();
        self.team_moved();
        self.link();
        self.open_browser();
    }

    /// A sink tells what became of a command; now and then twice.
    pub(super) fn outcome(&mut self, command: Command, verdict: Verdict, low: i64, high: i64) {
        let outcome = engine::Outcome { platform: command.platform(), command: command.sequence, verdict };
        let delay = self.random.ms(low, high);
        self.at(delay, Item::Log(What::Outcome(outcome)));
        if self.random.percent(3) {
            self.at(delay + DurationMs::from_ms(900), Item::Log(What::Outcome(outcome)));
        }
    }
}

/// A record and its effects as the trace shows them.
fn told(what: &What, effects: &Effects) -> String {
    let commands: Vec<String> = effects
        .commands
        .into_array()
        .into_iter()
        .flatten()
        .map(|c| format!("{:?}{}", c.status, if c.correction { " again" } else { "" }))
        .collect();
    let decision = &effects.decision;
    let gave_up = decision.diverged.into_array().iter().any(Option::is_some);
    let marks =
        [(decision.taken_back, "taken back "), (gave_up, "gave up "), (decision.flapping, "flapping ")];
    let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
    format!("    log {what:?}\n           -> {:?} {marks}{}", decision.reason, commands.join(", "))
}
