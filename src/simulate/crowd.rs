//! A large centre on an ordinary day, as a workload: a dense slab of agents, most of them at rest, and a log of
//! what happens next. Benchmarks apply it; it comes from the engine itself, so that every event fits its agent.

use std::collections::VecDeque;
use std::fmt::Write;

use crate::directory::Directory;
use crate::document::{Document, Mistakes, Syntax};
use crate::domain::{
    Cause, CxoneStatus, DurationMs, OutStateId, Platform, RowId, SalesforceStatus, Team, TimeMs,
};
use crate::engine::{
    self, AgentState, Command, Effects, Epoch, Event, Membership, Observation, Outcome, Status, Timer,
    Verdict, WakeUp, What,
};
use crate::rules::{self, Tables};

use super::random::Random;

/// So many statuses, each with a code of its own and a row in either direction.
const STATUSES: u8 = 20;

/// Every so many agents one is in the middle of something.
const BUSY_EVERY: usize = 20;

/// How long the log goes on.
const SPAN: DurationMs = DurationMs::from_seconds(600);

/// A centre and what happens in it next.
#[derive(Debug)]
pub struct Crowd {
    /// The agents, by their place in the log.
    pub agents: Vec<Option<AgentState>>,
    /// What happens: the agent's place, and the event. 60 % observations, 20 % outcomes, 20 % wake-ups.
    pub log: Vec<(u32, Event)>,
    /// The rules.
    pub tables: Tables,
}

/// What the platforms show of an agent.
#[derive(Clone, Copy, Default)]
struct Shown {
    salesforce: u8,
    row: u32,
    salesforce_since: TimeMs,
    cxone: u8,
    cxone_since: TimeMs,
}

/// Drives the centre and takes down what happens.
struct Driver {
    crowd: Crowd,
    membership: Membership,
    statuses: Vec<SalesforceStatus>,
    random: Random,
    now: TimeMs,
    rows: u32,
    shown: Vec<Shown>,
    unanswered: VecDeque<(usize, Command)>,
    unseen: VecDeque<(usize, Command)>,
    armed: VecDeque<(TimeMs, usize, WakeUp)>,
    is_recorded: bool,
}

impl Crowd {
    /// Its rules: everybody has a row in either direction for each of 20 statuses.
    ///
    /// Nothing where they do not hold, which would be a mistake in this file.
    pub fn revision() -> Option<rules::Revision> {
        rules(0).map(|(revision, _)| revision)
    }

    /// Other rules: every status has the row of the one before it, so that everybody has another target.
    ///
    /// Nothing as in [`Crowd::revision`].
    pub fn other_revision() -> Option<rules::Revision> {
        rules(1).map(|(revision, _)| revision)
    }

    /// A centre of so many agents, 95 % of them at rest, and a log of so many events.
    ///
    /// Nothing where the built-in rules do not hold, which would be a mistake in this file.
    pub fn new(agents: usize, events: usize, seed: u64) -> Option<Crowd> {
        let (tables, membership) = tables()?;
        let statuses = (1..=STATUSES).map(presence).collect::<Option<Vec<_>>>()?;
        let mut driver = Driver {
            crowd: Crowd { agents: Vec::new(), log: Vec::new(), tables },
            membership,
            statuses,
            random: Random::new(seed),
            now: TimeMs::from_unix_ms(1_770_000_000_000),
            rows: 0,
            shown: vec![Shown::default(); agents],
            unanswered: VecDeque::new(),
            unseen: VecDeque::new(),
            armed: VecDeque::new(),
            is_recorded: false,
        };
        driver.crowd.agents.resize_with(agents, || None);
        driver.day();
        let at_rest = driver.crowd.agents.clone();
        driver.is_recorded = true;
        driver.log(events);
        Some(Crowd { agents: at_rest, ..driver.crowd })
    }
}

impl Driver {
    /// Everybody logs in, changes now and then, and has long been at rest; then every twentieth is in the middle of
    /// something.
    fn day(&mut self) {
        let (begin, agents) = (self.now, self.crowd.agents.len());
        for agent in 0..agents {
            self.now = begin;
            self.apply(agent, What::Linked(self.membership));
            self.apply(agent, What::Connected(Epoch(1)));
            self.choose(agent, Platform::Salesforce);
            self.choose(agent, Platform::Cxone);
            for platform in [Platform::Salesforce, Platform::Cxone, Platform::Salesforce, Platform::Cxone] {
                self.settle();
                self.now = self.now + DurationMs::from_seconds(300);
                self.choose(agent, platform);
            }
            self.settle();
            self.now = self.now + DurationMs::from_seconds(1_200);
            if let Some(Some(state)) = self.crowd.agents.get_mut(agent) {
                state.forget_old(self.now, self.crowd.tables.settings());
            }
            self.armed.clear();
        }
        for agent in (0..agents).step_by(BUSY_EVERY) {
            let platform = if self.random.percent(50) { Platform::Salesforce } else { Platform::Cxone };
            self.choose(agent, platform);
            if self.random.percent(50) {
                self.answer();
            }
        }
    }

    fn log(&mut self, events: usize) {
        let begin = self.now;
        for number in 0..events {
            let passed = SPAN.as_ms() as f64 * (number as f64 / events as f64);
            self.now = begin + DurationMs::from_ms(passed as i64);
            let agent = self.any();
            match self.random.between(1, 100) {
                1..=10 => self.choose(agent, Platform::Salesforce),
                11..=20 => self.choose(agent, Platform::Cxone),
                21..=40 => self.echo(agent),
                41..=60 => self.repeat(agent),
                61..=80 => self.answer(),
                _ => self.wake(),
            }
        }
    }

    fn any(&mut self) -> usize {
        let last = self.crowd.agents.len().saturating_sub(1) as i64;
        self.random.between(0, last) as usize
    }

    fn settle(&mut self) {
        while !self.unanswered.is_empty() || !self.unseen.is_empty() {
            self.now = self.now + DurationMs::from_ms(300);
            self.answer();
            while let Some((agent, command)) = self.unseen.pop_front() {
                self.take_effect(agent, command.status);
            }
        }
    }

    /// The agent chooses another status.
    fn choose(&mut self, agent: usize, platform: Platform) {
        let Some(shown) = self.shown.get(agent).copied() else { return };
        let before = if platform == Platform::Salesforce { shown.salesforce } else { shown.cxone };
        let other = (before + self.random.between(1, i64::from(STATUSES) - 1) as u8) % STATUSES;
        self.show(
            agent,
            platform,
            other,
            if platform == Platform::Salesforce { Cause::Agent } else { Cause::Unknown },
        );
    }

    /// A command that was answered takes effect; where there is none, the agent chooses.
    fn echo(&mut self, agent: usize) {
        match self.unseen.pop_front() {
            Some((agent, command)) => self.take_effect(agent, command.status),
            None => self.choose(agent, Platform::Salesforce),
        }
    }

    fn take_effect(&mut self, agent: usize, status: Status) {
        let index = match status {
            Status::Salesforce(status) => self.statuses.iter().position(|s| *s == status),
            Status::Cxone(CxoneStatus::Code(code)) => Some(code.get() as usize - 1_001),
            Status::Cxone(_) => None,
        };
        if let Some(index) = index {
            self.show(agent, status.platform(), index as u8, Cause::Unknown);
        }
    }

    fn show(&mut self, agent: usize, platform: Platform, status: u8, cause: Cause) {
        let since = self.now - DurationMs::from_ms(self.random.between(0, 100));
        let Some(shown) = self.shown.get_mut(agent) else { return };
        match platform {
            Platform::Salesforce => {
                self.rows += 1;
                *shown = Shown { salesforce: status, row: self.rows, salesforce_since: since, ..*shown };
            }
            Platform::Cxone => *shown = Shown { cxone: status, cxone_since: since, ..*shown },
        }
        self.observe(agent, platform, cause, None);
    }

    /// A snapshot shows what is known.
    fn repeat(&mut self, agent: usize) {
        let platform = if self.random.percent(50) { Platform::Salesforce } else { Platform::Cxone };
        self.observe(agent, platform, Cause::Unknown, Some(self.now));
    }

    fn observe(&mut self, agent: usize, platform: Platform, cause: Cause, asked: Option<TimeMs>) {
        let Some(shown) = self.shown.get(agent).copied() else { return };
        let observation = match platform {
            Platform::Salesforce => {
                let status = self.statuses.get(usize::from(shown.salesforce)).copied();
                let Some(status) = status else { return };
                // Salesforce's clock is a little ahead.
                let offset = DurationMs::from_ms(120);
                let since_raw = shown.salesforce_since + offset;
                let status = Status::Salesforce(status);
                Observation { status, since_raw, offset, row: row(shown.row), cause, asked }
            }
            Platform::Cxone => {
                let code = OutStateId::new(1_001 + u32::from(shown.cxone));
                let status = Status::Cxone(CxoneStatus::Code(code));
                let (since_raw, offset) = (shown.cxone_since, DurationMs::ZERO);
                Observation { status, since_raw, offset, row: None, cause, asked }
            }
        };
        self.apply(agent, What::Observation(observation));
    }

    /// The oldest command is accepted. Nine of ten will be seen to have worked.
    fn answer(&mut self) {
        let Some((agent, command)) = self.unanswered.pop_front() else { return };
        if self.random.percent(90) || !self.is_recorded {
            self.unseen.push_back((agent, command));
        }
        let outcome =
            Outcome { platform: command.platform(), command: command.sequence, verdict: Verdict::Accepted };
        self.apply(agent, What::Outcome(outcome));
    }

    /// The oldest timer comes due, if it is time; else one that is armed no more.
    fn wake(&mut self) {
        let Some((at, agent, wake_up)) = self.armed.pop_front() else { return };
        if at > self.now {
            self.armed.push_front((at, agent, wake_up));
            let again = self.any();
            return self.apply(again, What::WakeUp(wake_up));
        }
        self.apply(agent, What::WakeUp(wake_up));
    }

    fn apply(&mut self, agent: usize, what: What) {
        let event = Event { now: self.now, what };
        let Some(slot) = self.crowd.agents.get_mut(agent) else { return };
        let Effects { commands, timer, .. } = engine::apply(slot, &event, &self.crowd.tables);
        if self.is_recorded {
            self.crowd.log.push((agent as u32, event));
        }
        self.unanswered.extend(commands.into_array().into_iter().flatten().map(|command| (agent, command)));
        if let Some(Timer::Arm { at, cause, generation }) = timer {
            self.armed.push_back((at, agent, WakeUp { cause, generation }));
        }
    }
}

fn presence(number: u8) -> Option<SalesforceStatus> {
    format!("0N55g00000{number:05}").parse().ok().map(SalesforceStatus::Presence)
}

/// Row ids as an org gives them: one after the other, in base 62.
fn row(number: u32) -> Option<RowId> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (mut id, mut rest) = (*b"0Ps5g0000000000", number);
    for slot in id.iter_mut().rev().take(6) {
        *slot = DIGITS.get(rest as usize % DIGITS.len()).copied()?;
        rest /= DIGITS.len() as u32;
    }
    std::str::from_utf8(&id).ok()?.parse().ok()
}

/// The rules of the crowd, and the one who is linked in its directory.
fn rules(shift: u8) -> Option<(rules::Revision, Directory)> {
    let partner = |n: u8| (n - 1 + shift) % STATUSES + 1;
    let list = |item: &dyn Fn(u8) -> String| (1..=STATUSES).map(item).collect::<Vec<_>>().join(", ");
    let directory = format!(
        "[salesforce.main]\nstatuses = [{}]\nusers = [{{ id = \"005000000000001\" }}]\n\
         [cxone.main]\ncodes = [{}]\nteams = [{{ id = 1, name = \"All\", codes = [{}] }}]\n\
         agents = [{{ id = 1, team = 1 }}]\n\
         [[links]]\nsalesforce = \"main/005000000000001\"\ncxone = \"main/1\"\n",
        list(&|n| format!("{{ id = \"0N55g00000{n:05}\", developer_name = \"S{n}\" }}")),
        list(&|n| format!("{{ id = {}, name = \"C{n}\" }}", 1_000 + u32::from(n))),
        list(&|n| (1_000 + u32::from(n)).to_string()),
    );
    let mut text = "[[rule]]\nname = \"All\"\nteams = [\"All\"]\n[rule.cxone_to_salesforce]\n".to_owned();
    for n in 1..=STATUSES {
        let _ = writeln!(text, "\"Unavailable/C{}\" = \"S{n}\"", partner(n));
    }
    text.push_str("[rule.salesforce_to_cxone]\n");
    for n in 1..=STATUSES {
        let _ = writeln!(text, "\"S{n}\" = \"Unavailable/C{}\"", partner(n));
    }
    let mut mistakes = Mistakes::new();
    let directory = Directory::read(&Document::new("directory", directory, Syntax::Toml), &mut mistakes)?;
    let rules = Document::new("rules", text, Syntax::Toml);
    let revision = rules::check(&rules, Some(&directory), &mut mistakes)?;
    Some((revision, directory))
}

fn tables() -> Option<(Tables, Membership)> {
    let (revision, directory) = rules(0)?;
    let tables = Tables::compile(&revision);
    let person = directory.people.first()?;
    let team = person.team.map(|team| Team { account: person.link.cxone.account, team });
    let assignment = tables.assignment(person.agent, &person.link, team);
    Some((tables, Membership { team: person.team, assignment }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Reason;

    #[test]
    fn the_log_is_what_it_says() {
        let mut crowd = Crowd::new(2_000, 20_000, 1).unwrap();
        let share = |wanted: &dyn Fn(&What) -> bool| {
            let count = crowd.log.iter().filter(|(_, event)| wanted(&event.what)).count();
            (count as f64 / crowd.log.len() as f64 * 20.0).round() / 20.0
        };
        assert_eq!(share(&|what| matches!(what, What::Observation(_))), 0.6);
        assert_eq!(share(&|what| matches!(what, What::Outcome(_))), 0.2);
        assert_eq!(share(&|what| matches!(what, What::WakeUp(_))), 0.2);

        let at_rest = crowd.agents.iter().flatten().filter(|state| state.is_at_rest()).count();
        assert_eq!(at_rest, 1_900);

        let mut reasons = std::collections::BTreeMap::new();
        for (agent, event) in &crowd.log {
            let effects = engine::apply(&mut crowd.agents[*agent as usize], event, &crowd.tables);
            *reasons.entry(effects.decision.reason).or_insert(0) += 1;
        }
        for reason in [Reason::Choice, Reason::Echo, Reason::Duplicate, Reason::Outcome(Verdict::Accepted)] {
            assert!(reasons.get(&reason).is_some_and(|count| *count > 1_000), "{reasons:?}");
        }
    }
}
