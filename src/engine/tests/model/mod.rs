//! Every history of a small closed world around the real `apply`, by `stateright`.
//!
//! A world is two platforms, the engine, and what is under way between them: at most 4 messages (observations, row
//! closes, commands, outcomes), of which one may be lost and one told twice; a person who changes something up to
//! three times; and the one armed timer. `stateright` takes every step from every state, so what holds here holds
//! for every order in which these things can come. Time moves only in named steps, and states that differ by no
//! more than a shift in time are one ([`shift`]).
//!
//! # What may come in which order
//! - CXone is polled: what its feed tells comes in the order in which it was shown ("what is later in the log is
//!   what it shows"). A state may be missed when it is overwritten before the poll; that is a choice of the step
//!   that overwrites it, for a poll can be told from no poll only by what follows.
//! - Salesforce tells rows by Change Data Capture, which is late and repeats itself: any message may overtake any.
//! - A sink keeps the newest command that was not sent; the one it replaces is `superseded`. Outcomes of one
//!   platform come in their order; a late command may take effect after a newer one.
//!
//! # What is lost
//! A command (answered or not), an answer, a command's effect for the time being (late), or what Salesforce told,
//! which the next snapshot makes good. CXone's feed loses nothing but what a poll misses.
//!
//! # What is not explored
//! - Time passes by a wake-up (on time when nothing is under way, else late), by a rest of 16 minutes (when all is
//!   quiet; snapshots of both platforms end it), and by as many free steps (1, 6, 31, 121 s at any moment) as the
//!   budget says: one at most. With 3 changes there is no room for it beside a loss and a duplicate: it is explored
//!   with fewer changes. All else happens at one moment, but for 1 ms between two changes of one platform.
//! - One feed of Salesforce at a time, snapshots asked and told at once, no browser that comes and goes, no
//!   activation, no refusals for good; two or three statuses of a platform. No after-call work and no reserved
//!   states, no status that Salesforce sets by itself, no team that lacks a code; contacts hold commands, and a
//!   login adopts.
//! - 3 changes and a step in time under one-to-one rules: nothing loops and all ends in step, but one history in
//!   2.5 million ends on the choice before the last. A command waits 121 s for its sink, the row of a choice is as
//!   late, and an earlier echo of the same status was taken for the waiting command's own.
//! - A second outcome of a command (the engine's first question about an outcome ends it), a duplicate of a
//!   command, and a change to the status that is shown already.
//! - The flap guard is set out of the way, so that no loop can hide behind it.
//! - Commands are counted from the last change on. A loop that does not need the last change is found with a
//!   smaller budget: each world begins with every number of changes up to its own.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the proof is timed, and can be told to try one class; the engine in it is not"
)]

mod class;
mod mutations;
mod platforms;
mod properties;
mod shift;
mod tell;
mod world;

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::script::row_id;
use crate::domain::RowId;
use crate::engine::mutation::{Mutation, with};
use crate::engine::*;
use crate::rules::Tables;
use class::{Budget, CLASSES, Class};
use properties::SOMETIMES;
use world::{Action, Before, Listen, World};

/// A class of worlds, closed: nothing comes in but what the budget allows.
#[derive(Clone)]
struct Closed {
    class: Class,
    budget: Budget,
    tables: Arc<Tables>,
    membership: Membership,
    mutation: Option<Mutation>,
    rows: Arc<[RowId]>,
    /// A bit for each of [`SOMETIMES`].
    came: Arc<AtomicU64>,
}

impl Closed {
    fn new(class: &Class, budget: Budget, mutation: Option<Mutation>) -> Closed {
        let (tables, membership) = class::compile(class);
        Closed {
            class: *class,
            budget,
            tables: Arc::new(tables),
            membership,
            mutation,
            rows: (1..=16).map(row_id).collect(),
            came: Arc::default(),
        }
    }

    fn row(&self, number: usize) -> RowId {
        self.rows[number]
    }

    fn rows(&self) -> &[RowId] {
        &self.rows
    }

    fn apply(&self, slot: &mut Option<AgentState>, event: &Event) -> Effects {
        match self.mutation {
            None => apply(slot, event, &self.tables),
            // The switch is the thread's, and these threads are stateright's.
            Some(mutation) => with(mutation, || apply(slot, event, &self.tables)),
        }
    }

    fn mirrored(&self, status: Status) -> Option<Status> {
        self.tables.agent_rule(self.membership.assignment?)?.mirrored(status).map(|(status, _)| status)
    }
}

/// Notes what came up.
struct Note<'c>(&'c AtomicU64);

impl Listen for Note<'_> {
    fn hear(&mut self, before: &Before, what: &What, effects: &Effects) {
        let known = self.0.load(Ordering::Relaxed);
        for (i, (_, came)) in SOMETIMES.iter().enumerate() {
            if known & (1 << i) == 0 && came(before, what, effects) {
                self.0.fetch_or(1 << i, Ordering::Relaxed);
            }
        }
    }
}

impl Model for Closed {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let world = |changes| World::new(self, Budget { changes, ..self.budget });
        (1..=self.budget.changes).map(world).collect()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(&self.class, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        world.step(action, self, &mut Note(&self.came))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::always()
    }
}

/// What an exploration gave.
struct Explored {
    states: usize,
    seconds: f64,
    /// A bit for each of [`SOMETIMES`].
    came: u64,
    /// The property that is broken, with the steps of a history that breaks it, one a line.
    broken: Option<(&'static str, usize, String)>,
}

/// The shortest history that breaks a property; or every one that there is, and none breaks any.
///
/// Stateright looks on for a while after the first discovery and keeps the last: so it is asked again for a
/// shorter one until there is none.
fn shortest(closed: &Closed) -> Explored {
    let start = Instant::now();
    let (mut broken, mut states) = (None, 0);
    let mut depth = usize::MAX;
    loop {
        let checker = closed.clone().checker().finish_when(HasDiscoveries::AnyFailures);
        let checker = checker.target_max_depth(depth).spawn_bfs().join();
        states = states.max(checker.unique_state_count());
        let found = checker.discoveries().into_iter().map(|(name, path)| (name, path.into_vec()));
        let Some((name, steps)) = found.min_by_key(|(name, steps)| (steps.len(), *name)) else { break };
        // A path has one state more than steps, and those at this depth are not looked at.
        depth = steps.len();
        broken = Some((name, depth - 1, tell::history(closed, steps)));
    }
    Explored {
        states,
        seconds: start.elapsed().as_secs_f64(),
        came: closed.came.load(Ordering::Relaxed),
        broken,
    }
}

/// Depth first, for the states that wait to be looked at are few then; the history that is told is a short one.
fn explore(closed: &Closed) -> Explored {
    let start = Instant::now();
    let checker =
        closed.clone().checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    if !checker.discoveries().is_empty() {
        return shortest(closed);
    }
    Explored {
        states: checker.unique_state_count(),
        seconds: start.elapsed().as_secs_f64(),
        came: closed.came.load(Ordering::Relaxed),
        broken: None,
    }
}

fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn nothing_loops_and_all_ends_in_step() {
    let only = std::env::var("LOCKSTEP_MODEL_CLASS").unwrap_or_default();
    let (mut came, mut states, mut wrong) = (0, 0, String::new());
    let start = Instant::now();
    for class in CLASSES.iter().filter(|class| class.name.contains(&only)) {
        for budget in class.budgets {
            let explored = explore(&Closed::new(class, *budget, None));
            let (count, seconds) = (with_commas(explored.states), explored.seconds);
            let fits = class.budgets.iter().any(|budget| budget.changes == 3);
            let note = if fits { "" } else { " (3 changes do not fit)" };
            println!("{}: {budget}: {count} states in {seconds:.1} s{note}", class.name);
            came |= explored.came;
            states += explored.states;
            if let Some((property, steps, history)) = explored.broken {
                let _ =
                    writeln!(wrong, "{}, {budget}: {property}, after {steps} steps\n{history}", class.name);
            }
        }
    }
    println!("{} states in {:.0} s on 2 threads", with_commas(states), start.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "\n{wrong}");
    let missing: Vec<&str> = SOMETIMES
        .iter()
        .enumerate()
        .filter(|(i, _)| came & (1 << i) == 0)
        .map(|(_, (name, _))| *name)
        .collect();
    assert!(missing.is_empty() || !only.is_empty(), "never came up: {missing:?}");
}
