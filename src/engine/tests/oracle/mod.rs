//! A second engine, written apart from the law alone: it keeps every event and looks back. The real one must
//! answer every history as this one does.
//!
//! `LOCKSTEP_SEED` and `LOCKSTEP_CASES` choose other histories, and more; `LOCKSTEP_CASE` runs one alone.

mod history;
mod judge;
mod level;
mod others;
mod past;
mod report;
mod world;

use std::collections::BTreeMap;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::domain::Both;
use crate::engine::*;
use crate::rules::Tables;
use history::{History, histories};
use past::Past;
use world::{Happened, Setting};

const SEED: u64 = 1;
const CASES: u64 = 40_000;
/// Of histories that differ, so many kinds are shown.
const SHOWN: usize = 3;

/// What each of these events, in this order, brings about.
fn answers<'t>(events: impl IntoIterator<Item = (Event, &'t Tables)>) -> Vec<Effects> {
    let mut past = None;
    events.into_iter().map(|(event, tables)| answer(&mut past, &event, tables)).collect()
}

fn answer<'t>(slot: &mut Option<Past<'t>>, event: &Event, tables: &'t Tables) -> Effects {
    let Some(past) = slot else {
        let What::Linked(membership) = event.what else { return Effects::of(Reason::NotLinked) };
        *slot = Some(Past::new(membership, tables));
        return Effects::of(Reason::Linked);
    };
    if let What::Unlinked | What::Forgotten = event.what {
        *slot = None;
        let forgotten = event.what == What::Forgotten;
        let reason = if forgotten { Reason::Forgotten } else { Reason::Unlinked };
        return Effects { gone: true, ..Effects::of(reason) };
    }
    past.tables = tables;
    past.begin(event.now);
    past.forget_old();
    let intent = past.intent;
    let reason = match event.what {
        What::Linked(_) => Reason::AlreadyLinked,
        What::TeamMoved(membership) => past.moved(membership),
        What::Observation(observation) => past.observation(observation),
        What::RowClosed(closed) => past.row_closed(closed),
        What::Connected(epoch) => past.connected(epoch),
        What::Disconnected(epoch) => past.disconnected(epoch),
        What::Outcome(outcome) => past.outcome(outcome),
        What::WakeUp(wake_up) => past.wake_up(wake_up),
        What::Activated { assignment } => past.activated(assignment),
        What::Retry | What::Unlinked | What::Forgotten => past.retry(),
    };
    past.level_step();
    past.arm();
    past.forget_old();
    past.effects.decision.reason = reason;
    past.effects.decision.new_intent = past.intent != intent;
    past.effects
}

/// Draws histories, each by its number, and compares.
struct Search {
    setting: Setting,
    seed: u64,
}

impl Search {
    fn new(seed: u64) -> Self {
        Search { setting: Setting::new(), seed }
    }

    fn drawn(&self, case: u64) -> impl ValueTree<Value = History> {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&case.to_le_bytes());
        let config = Config { failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, rng);
        histories(self.setting.tables.len()).new_tree(&mut runner).unwrap()
    }

    fn answers(&self, happened: &[Happened]) -> Vec<Effects> {
        answers(happened.iter().map(|h| (h.event, &self.setting.tables[h.rules])))
    }

    /// The first event on which the two differ.
    fn differs(&self, history: &History) -> Option<usize> {
        let happened = self.setting.live(history);
        let answers = self.answers(&happened);
        happened.iter().zip(answers).position(|(happened, answer)| happened.answer != answer)
    }

    /// What the two said where they differ first.
    fn kind(&self, history: &History) -> String {
        let happened = self.setting.live(history);
        let answers = self.answers(&happened);
        let first = happened.iter().zip(answers).find(|(happened, answer)| happened.answer != *answer);
        first.map(|(h, answer)| format!("{:?} {:?}", h.answer.decision, answer.decision)).unwrap_or_default()
    }

    /// The smallest history like this one on which the two differ.
    fn shrunk(&self, case: u64) -> History {
        let mut tree = self.drawn(case);
        let mut smallest = tree.current();
        for _ in 0..20_000 {
            let still = self.differs(&tree.current()).is_some();
            if still {
                smallest = tree.current();
            }
            if !(if still { tree.simplify() } else { tree.complicate() }) {
                break;
            }
        }
        smallest
    }
}

/// The first of the histories of the test on which the engine and the oracle differ.
pub(super) fn first_difference() -> Option<String> {
    let search = Search::new(SEED);
    let case = (0..CASES).find(|case| search.differs(&search.drawn(*case).current()).is_some())?;
    Some(format!("seed {SEED}, case {case}"))
}

fn number(variable: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test may be told what to draw; the engine is not")]
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

#[test]
fn the_engine_answers_as_the_oracle() {
    let seed = number("LOCKSTEP_SEED").unwrap_or(SEED);
    let search = Search::new(seed);
    let cases = match number("LOCKSTEP_CASE") {
        Some(case) => case..case + 1,
        None => 0..number("LOCKSTEP_CASES").unwrap_or(CASES),
    };
    println!("LOCKSTEP_SEED={seed}, cases {cases:?}");
    let different: Vec<u64> =
        cases.filter(|case| search.differs(&search.drawn(*case).current()).is_some()).collect();
    let Some(first) = different.first() else { return };
    let mut shown = BTreeMap::new();
    for case in &different {
        if shown.len() < SHOWN {
            let smallest = search.shrunk(*case);
            let table = report::table(&search, &smallest);
            shown
                .entry(search.kind(&smallest))
                .or_insert_with(|| format!("\ncase {case}, under rules {}:\n{table}\n", smallest.rules));
        }
    }
    let shown: Vec<String> = shown.into_values().collect();
    let command = format!("LOCKSTEP_SEED={seed} LOCKSTEP_CASE={first} cargo test --lib oracle");
    panic!("{}\n{} histories differ; run the first alone: {command}", shown.concat(), different.len());
}

/// How often each thing occurs in the histories of the test.
fn coverage(search: &Search) -> BTreeMap<String, u32> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for case in 0..CASES / 10 {
        for happened in search.setting.live(&search.drawn(case).current()) {
            let Effects { decision, commands, .. } = happened.answer;
            let Both { salesforce, cxone } = decision.diverged;
            let orders: Vec<Command> = commands.into_array().into_iter().flatten().collect();
            let more = [
                ("command", !orders.is_empty()),
                ("correction", orders.iter().any(|c| c.correction)),
                ("gave up: not seen", [salesforce, cxone].contains(&Some(GivenUp::NotSeen))),
                ("gave up: refused", [salesforce, cxone].contains(&Some(GivenUp::Refused))),
                ("flapping", decision.flapping),
                ("taken back", decision.taken_back),
                ("retargeted", decision.retargeted),
                ("new intent", decision.new_intent),
            ];
            for (what, _) in more.into_iter().filter(|(_, is)| *is) {
                *counts.entry(what.to_owned()).or_default() += 1;
            }
            *counts.entry(format!("{:?}", decision.reason)).or_default() += 1;
        }
    }
    counts
}

#[test]
fn the_histories_reach_everything() {
    let counts = coverage(&Search::new(SEED));
    let mut missing = Vec::new();
    for what in report::EVERYTHING {
        let count = counts.get(what).copied().unwrap_or_default();
        println!("{count:7} {what}");
        if count < 5 {
            missing.push(what);
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
    let unnamed: Vec<_> = counts.keys().filter(|what| !report::EVERYTHING.contains(&what.as_str())).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
}
