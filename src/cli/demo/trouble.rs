//! Faults as they are done to the platforms, the processes and the people of a demo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use reqwest::Method;
use serde_json::{Value, json};

use lockstep::domain::{Platform, UserId};
use lockstep::simulate::Random;

use super::choices::CHOICES;
use super::faults::Kind;
use super::people::Doing;
use super::platforms::Platforms;
use super::processes::{Operator, Processes, stand_still};
use crate::cli::simulated::ACCOUNT;

/// Of so many agents one has his link removed.
const UNLINKED_OF: usize = 20;
/// As many links are removed at most: each is a command of its own.
pub(super) const UNLINKED_MAX: usize = 3;
/// A bridge that is cut is cut again and again.
const CUT_EACH: Duration = Duration::from_millis(300);
/// An operator says it again while processes go and come.
const OPERATOR_TRIES: usize = 20;
const OPERATOR_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What an operator is to do.
enum Order {
    /// It has to work in the end. Who says it again says the second one, where there is one.
    Do(Operator, Option<Box<Operator>>),
    /// It has to be refused.
    Refused(Operator),
}

/// What goes wrong at the moment, and who does it.
pub(super) struct Trouble {
    lasting: BTreeMap<Kind, Duration>,
    counts: BTreeMap<Kind, u64>,
    random: Random,
    brokers: Vec<u32>,
    orders: Option<Sender<Order>>,
    operator: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    refused: u64,
    waiting: Arc<AtomicUsize>,
    failed: Receiver<String>,
    rules: Rules,
    unlinked: Vec<usize>,
    allowed: Option<Value>,
    cut_at: Duration,
}

/// Files with rules: those that hold, and others.
pub(super) struct Rules {
    pub(super) usual: PathBuf,
    pub(super) other: PathBuf,
}

/// What a fault is done to.
pub(super) struct Victims<'v> {
    pub(super) platforms: &'v Platforms,
    pub(super) processes: &'v mut Processes,
    /// Since the demo began.
    pub(super) now: Duration,
}

impl Trouble {
    /// Nothing is wrong. `brokers` are processes that may stand still.
    pub(super) fn new(seed: u64, brokers: Vec<u32>, rules: Rules) -> anyhow::Result<Trouble> {
        let (orders, to_do) = channel();
        let (tell, failed) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (left, is_over) = (Arc::clone(&waiting), Arc::<AtomicBool>::default());
        let ends = Arc::clone(&is_over);
        let operate = move || {
            for order in to_do {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                if let Err(error) = operate(order, &ends) {
                    // Who would listen is gone with the demo.
                    let _ = tell.send(format!("{error:#}"));
                }
                left.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let operator = thread::Builder::new().name("operator".to_owned()).spawn(operate);
        let operator = operator.context("the system gives no thread")?;
        Ok(Trouble {
            lasting: BTreeMap::new(),
            counts: BTreeMap::new(),
            random: Random::new(!seed),
            brokers,
            orders: Some(orders),
            operator: Some(operator),
            is_over,
            refused: 0,
            waiting,
            failed,
            rules,
            unlinked: Vec::new(),
            allowed: None,
            cut_at: Duration::ZERO,
        })
    }

    pub(super) const fn has_brokers(&self) -> bool {
        !self.brokers.is_empty()
    }

    pub(super) fn is_on(&self, kind: Kind) -> bool {
        self.lasting.contains_key(&kind)
    }

    /// What there was, and how often.
    pub(super) const fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    /// Whether an operator has still something to do.
    pub(super) fn is_operated(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// What operators could not do.
    pub(super) fn failed(&mut self) -> Vec<String> {
        let failed: Vec<String> = self.failed.try_iter().collect();
        self.refused += failed.len() as u64;
        failed
    }

    /// How many orders an operator could not carry out.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// Nobody operates any more: what is being done is waited for, and the rest is left.
    pub(super) fn stop_operating(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.orders = None;
        if let Some(thread) = self.operator.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }

    fn brokers_go_on(&self) {
        for pid in &self.brokers {
            // One that has ended has no need of it.
            let _ = stand_still(*pid, false);
        }
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // The thread is there for as long as this is.
            let _ = orders.send(order);
        }
    }

    /// It begins. Tells in words what happened, and what people do of it.
    pub(super) fn begin(
        &mut self,
        kind: Kind,
        victims: &mut Victims<'_>,
    ) -> anyhow::Result<(String, Vec<(usize, Doing)>)> {
        *self.counts.entry(kind).or_default() += 1;
        if kind.lasts() {
            self.lasting.insert(kind, victims.now);
        }
        let (mut told, mut doings) = (kind.name().to_owned(), Vec::new());
        let platforms = victims.platforms;
        let count = platforms.people.len();
        match kind {
            Kind::Killed => told = format!("{} killed, and started again", victims.processes.kill_one()?),
            Kind::Stopped => {
                told = format!("{} stopped, and started again", victims.processes.restart_one()?)
            }
            Kind::BrokerGone => self.brokers.iter().try_for_each(|pid| stand_still(*pid, true))?,
            Kind::OtherRules => {
                let apply = apply(&self.rules.other, "training is a meeting now", victims.processes);
                self.order(Order::Do(apply, None));
            }
            Kind::LinksRemoved => self.unlink(victims),
            Kind::TokensExpire => {
                platforms.control(Platform::Cxone, Method::POST, "/tokens/expire", None)?;
                platforms.control(
                    Platform::Salesforce,
                    Method::POST,
                    "/sessions/expire",
                    Some(&json!({})),
                )?;
            }
            Kind::AllowanceUsedUp => {
                let told = platforms.control(Platform::Salesforce, Method::GET, "/settings", None)?;
                self.allowed = told.get("dailyRequests").cloned();
                let used = json!({"dailyRequests": 1});
                platforms.control(Platform::Salesforce, Method::POST, "/settings", Some(&used))?;
            }
            Kind::Asleep => self.some(platforms, 3, |user| {
                platforms.consoles.sleep(user);
            }),
            // Those that he had before are closed: a gateway lets in twice as many browsers as there are people, and no more.
            Kind::Tabs => self.some(platforms, 10, |user| {
                platforms.consoles.close(user);
                platforms.consoles.open(user);
                platforms.consoles.second_tab(user);
            }),
            Kind::Burst => {
                let person = self.one_of(count);
                for number in 0..20 {
                    let choice = self.one_of(CHOICES.len());
                    doings.push((
                        person,
                        if number % 2 == 0 { Doing::Salesforce(choice) } else { Doing::Cxone(choice) },
                    ));
                }
            }
            Kind::SameSecond => {
                for person in 0..count.div_ceil(10) {
                    let (one, other) = (self.one_of(CHOICES.len()), self.one_of(CHOICES.len()));
                    doings.push((person * 10, Doing::Both(one, other)));
                }
            }
            Kind::LoginStorm => doings.extend((0..count).step_by(2).map(|person| (person, Doing::Leaves))),
            Kind::Mistaken => self.order(Order::Refused(victims.processes.mistaken())),
            _ => {}
        }
        self.tell_platforms(kind, platforms)?;
        Ok((told, doings))
    }

    /// It ends.
    pub(super) fn end(
        &mut self,
        kind: Kind,
        victims: &mut Victims<'_>,
    ) -> anyhow::Result<Vec<(usize, Doing)>> {
        if self.lasting.remove(&kind).is_none() {
            return Ok(Vec::new());
        }
        let platforms = victims.platforms;
        let mut doings = Vec::new();
        match kind {
            Kind::BrokerGone => self.brokers_go_on(),
            Kind::OtherRules => {
                let arguments = ["rules", "rollback", "--reason", "training is training"];
                // One that was not sure whether it had worked would lead back if it was said again.
                let again = apply(&self.rules.usual, arguments[3], victims.processes);
                self.order(Order::Do(victims.processes.operator(&arguments), Some(Box::new(again))));
            }
            Kind::LinksRemoved => self.link(victims),
            Kind::AllowanceUsedUp => {
                let allowed = json!({"dailyRequests": self.allowed.take()});
                platforms.control(Platform::Salesforce, Method::POST, "/settings", Some(&allowed))?;
            }
            Kind::Asleep => platforms.people.iter().for_each(|person| {
                platforms.consoles.wake(person.user);
            }),
            Kind::LoginStorm => {
                doings.extend((0..platforms.people.len()).step_by(2).map(|person| (person, Doing::Comes)))
            }
            _ => {}
        }
        self.tell_platforms(kind, platforms)?;
        Ok(doings)
    }

    /// Time goes on.
    pub(super) fn go_on(&mut self, victims: &Victims<'_>) {
        if self.is_on(Kind::BridgeCut) && victims.now >= self.cut_at {
            self.cut_at = victims.now + CUT_EACH;
            victims.platforms.people.iter().for_each(|person| {
                victims.platforms.consoles.cut(person.user);
            });
        }
    }

    /// What calls meet: of all that lasts.
    fn tell_platforms(&self, changed: Kind, platforms: &Platforms) -> anyhow::Result<()> {
        for platform in Platform::ALL {
            if changed.met(platform).is_empty() {
                continue;
            }
            let met: Vec<Value> = self.lasting.keys().flat_map(|kind| kind.met(platform)).collect();
            platforms.control(platform, Method::POST, "/faults", Some(&json!(met)))?;
        }
        Ok(())
    }

    fn one_of(&mut self, count: usize) -> usize {
        self.random.between(0, count.max(1) as i64 - 1) as usize
    }

    /// Something happens to one of so many users.
    fn some(&mut self, platforms: &Platforms, of: usize, act: impl Fn(UserId)) {
        let first = self.one_of(of);
        platforms.people.iter().skip(first).step_by(of).for_each(|person| act(person.user));
    }

    fn unlink(&mut self, victims: &Victims<'_>) {
        let count = victims.platforms.people.len();
        let first = self.one_of(UNLINKED_OF);
        self.unlinked = (first..count).step_by(UNLINKED_OF).take(UNLINKED_MAX).collect();
        for place in self.unlinked.clone() {
            let Some(person) = victims.platforms.people.get(place) else { continue };
            let agent = person.agent.to_string();
            let arguments = ["directory", "unlink", &agent, "--reason", "a demo"];
            self.order(Order::Do(victims.processes.operator(&arguments), None));
        }
    }

    fn link(&mut self, victims: &Victims<'_>) {
        for place in std::mem::take(&mut self.unlinked) {
            let Some(person) = victims.platforms.people.get(place) else { continue };
            let (user, agent) =
                (format!("{ACCOUNT}/{}", person.user), format!("{ACCOUNT}/{}", person.number));
            let arguments = ["directory", "link", &user, &agent, "--reason", "a demo"];
            self.order(Order::Do(victims.processes.operator(&arguments), None));
        }
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.stop_operating();
        if self.is_on(Kind::BrokerGone) {
            self.brokers_go_on();
        }
    }
}

fn apply(rules: &Path, reason: &str, processes: &Processes) -> Operator {
    processes.operator(&["rules", "apply", &rules.to_string_lossy(), "--activate", "--reason", reason])
}

/// Does what an operator does, who says it again where somebody was just starting or ending.
fn operate(order: Order, is_over: &AtomicBool) -> anyhow::Result<()> {
    let (mut operator, mut again) = match order {
        Order::Refused(mut operator) => return operator.refused(),
        Order::Do(operator, again) => (operator, again),
    };
    let mut tried = 0;
    loop {
        tried += 1;
        match operator.run() {
            Err(error) if tried == OPERATOR_TRIES || is_over.load(Ordering::Relaxed) => return Err(error),
            Err(_) => thread::sleep(OPERATOR_AGAIN_AFTER),
            Ok(()) => return Ok(()),
        }
        if let Some(again) = again.take() {
            operator = *again;
        }
    }
}
