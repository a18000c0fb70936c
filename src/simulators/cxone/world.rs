//! Everything that a simulated tenant is at one moment: agents, tokens, faults, and what was called.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::super::faults::Faults;
use super::answer::Done;
use super::people::People;
use super::sessions::Session;
use super::settings::Settings;
use super::tenant::{Changed, Code, Shown, Team, Tenant};
use super::tokens::Tokens;
use super::views::{self, iso};
use crate::connectors::http::Budget;
use crate::domain::{DurationMs, TimeMs};

/// So many changes may be told that nobody has read.
const UNREAD_MAX: usize = 65_536;
/// The number of the first agent.
pub(super) const AGENT_FIRST: u32 = 293_001;
/// The names of teams, which have numbers from 1 on.
const TEAMS: [&str; 5] = ["Support DE", "Support AT", "Sales", "Retention", "Back Office"];
/// A code: number, name, whether it is active, whether it is of after-call work, time-out in minutes, teams that lack it.
type Made = (i32, &'static str, bool, bool, i64, &'static [u32]);

const CODES: [Made; 9] = [
    (1_001, "Break", true, false, 120, &[]),
    (1_017, "Lunch", true, false, 120, &[]),
    (1_018, "Training", true, false, 720, &[]),
    (1_019, "Meeting", true, false, 240, &[]),
    (1_020, "Wrap-up", true, true, 30, &[]),
    (1_021, "Coaching", true, false, 240, &[5]),
    (1_022, "Back office", true, false, 720, &[1, 2, 3, 4]),
    (1_023, "Old break", false, false, 120, &[]),
    (1_024, "Pause für Gespräche", true, false, 120, &[]),
];

/// How often the API was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// All calls, log-ins among them.
    pub calls: u64,
    /// Calls that were refused because there were too many.
    pub too_many: u64,
}

/// A tenant with everything around it.
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) tenant: Tenant,
    pub(super) tokens: Tokens,
    pub(super) faults: Faults,
    /// By name.
    pub(super) sessions: HashMap<String, Session>,
    pub(super) budget: Option<Budget>,
    pub(super) changes: broadcast::Sender<Changed>,
    pub(super) called: Called,
    /// What was accepted and is done later.
    late: BTreeMap<(TimeMs, u64), (u32, Shown)>,
    people: People,
    log: VecDeque<Value>,
    number: u64,
}

impl World {
    pub(super) fn new(settings: Settings, now: TimeMs) -> World {
        let mut tenant = Tenant::new(settings.variant);
        for (number, name, is_active, is_acw, minutes, _) in CODES {
            let timeout = DurationMs::from_seconds(minutes * 60);
            tenant.codes.insert(number, Code { name: name.to_owned(), is_active, is_acw, timeout });
        }
        for (number, name) in (1..).zip(TEAMS) {
            let has = |(code, .., lacking): &Made| (!lacking.contains(&number)).then_some(*code);
            let codes: BTreeSet<i32> = CODES.iter().filter_map(has).collect();
            tenant.teams.insert(number, Team { name: name.to_owned(), codes });
        }
        for number in 0..settings.agents {
            tenant.add(AGENT_FIRST + number, number % TEAMS.len() as u32 + 1, now);
        }
        let budget = settings.rate.map(|rate| Budget::new(rate, Instant::now()));
        let people = People::new(&settings, now);
        World {
            settings,
            tenant,
            tokens: Tokens::default(),
            faults: Faults::default(),
            sessions: HashMap::new(),
            budget,
            changes: broadcast::Sender::new(UNREAD_MAX),
            called: Called::default(),
            late: BTreeMap::new(),
            people,
            log: VecDeque::new(),
            number: 0,
        }
    }

    /// Time goes on: what is due happens.
    pub(super) fn go_on(&mut self, now: TimeMs) {
        while let Some(entry) = self.late.first_entry().filter(|entry| entry.key().0 <= now) {
            let (at, _) = *entry.key();
            let (id, wanted) = entry.remove();
            self.tenant.apply(id, wanted, at);
            let done = Done { agent: Some(id), wanted: Some(wanted), applied: true };
            self.note(at, ("LATE", ""), 202, &done);
        }
        self.tenant.go_on(now);
        if self.settings.behaves {
            self.people.go_on(&mut self.tenant, now);
        }
    }

    /// Tells what has changed.
    pub(super) fn tell(&mut self) {
        for changed in self.tenant.take_news() {
            // Nobody may listen.
            let _ = self.changes.send(changed);
        }
    }

    /// Something that is done later.
    pub(super) fn later(&mut self, at: TimeMs, id: u32, wanted: Shown) {
        self.number += 1;
        self.late.insert((at, self.number), (id, wanted));
    }

    /// A name that nothing else has.
    pub(super) fn name(&mut self, what: &str) -> String {
        self.number += 1;
        format!("{what}-{}", self.number)
    }

    /// Notes a call.
    pub(super) fn note(&mut self, now: TimeMs, (method, path): (&str, &str), status: u16, done: &Done) {
        if self.log.len() >= self.settings.log_max.max(1) {
            self.log.pop_front();
        }
        self.log.push_back(json!({
            "at": iso(now), "method": method, "path": path, "status": status, "agentId": done.agent,
            "wanted": done.wanted.map(views::shown), "applied": done.applied,
        }));
    }

    /// What was called, the oldest first.
    pub(super) fn log(&self) -> Value {
        self.log.iter().cloned().collect()
    }

    pub(super) fn forget_log(&mut self) {
        self.log.clear();
    }
}
