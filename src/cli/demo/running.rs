//! A demo that runs: platforms, people and faults, with Lockstep between.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::broadcast;

use lockstep::bus::TopicsPlan;
use lockstep::connectors::http::Rate;
use lockstep::domain::{Platform, SalesforceStatus, TimeMs};
use lockstep::simulators::cxone::{self, Shown};
use lockstep::simulators::salesforce::{self, Reason};

use super::choices::{self, CONTACT, Pair, Statuses};
use super::decisions::Decisions;
use super::faults::{ALL, Kind, Level, Schedule, Turn};
use super::live::Live;
use super::people::{Doing, How, People};
use super::platforms::Platforms;
use super::processes::{Needed, Processes};
use super::site::{self, Plan, Ports, Site};
use super::summary::Summary;
use super::trouble::{Rules, Trouble, Victims};
use super::watch::Watch;
use super::{Demo, Keeper};
use crate::cli::deployment::Deployment;
use crate::cli::output;
use crate::cli::signals::Signals;
use crate::cli::simulated;

/// Between two looks at everything.
const TICK: Duration = Duration::from_millis(20);
/// What processes need is looked up so often, and for the first time after so long.
const LOOK_EACH: Duration = Duration::from_secs(1);
const EARLY: Duration = Duration::from_secs(30);
/// All of Lockstep is ready after so long at most.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// Nothing goes wrong before everybody has been there for a moment.
const FAULTS_AFTER: Duration = Duration::from_secs(2);
/// CXone allows so many calls a minute at least, as it does by default.
const CALLS_A_MINUTE: f64 = 1_200.0;
const BURST: u32 = 20;
/// So much is remembered of what happened.
const NEWS_MAX: usize = 50;
/// Processes that end by themselves are started again so often.
const UNASKED_MAX: u32 = 10;

/// A demo that runs. Its parts end in this order.
pub(super) struct Running {
    pub(super) decisions: Decisions,
    pub(super) processes: Processes,
    pub(super) trouble: Trouble,
    pub(super) platforms: Platforms,
    pub(super) site: Site,
    pub(super) deployment: Deployment,
    pub(super) keeper: Keeper,
    pub(super) plan: TopicsPlan,
    pub(super) watch: Watch,
    pub(super) live: Live,
    pub(super) people: People,
    pub(super) schedule: Schedule,
    pub(super) seed: u64,
    lasts: Option<Duration>,
    seen_salesforce: broadcast::Receiver<salesforce::Changed>,
    seen_cxone: broadcast::Receiver<cxone::Changed>,
    signals: Arc<AtomicUsize>,
    pub(super) begun: Instant,
    /// When people began to come.
    opened: Instant,
    pub(super) first_in_step: Option<Duration>,
    pub(super) early: Vec<Needed>,
    looked: Instant,
    pub(super) is_quiet: bool,
    pub(super) news: VecDeque<String>,
}

impl Running {
    /// Lays everything out, and starts it.
    pub(super) fn begin(command: &Demo, keeper: Keeper, begun: Instant) -> anyhow::Result<Running> {
        let say = |what: &str| output::aside(&format!("demo: {what}\n"));
        let folder = site::folder(command.data.as_deref())?;
        let (ports, held) = Ports::free(command.lasts.is_none())?;
        let key = simulated::bridge_key(&folder)?;
        let gateway = format!("http://{}", ports.bridge).parse().context("the address of the gateway")?;
        let allowed = allowed(command.changes_a_second());
        // The platform's clock and ours are not the same to the millisecond, and calls of a second may come late, all at once.
        let bucket = Rate {
            calls_per_minute: allowed.calls_per_minute * 21 / 20,
            burst: allowed.burst * 6 / 5 + allowed.calls_per_minute / 60,
        };
        say(&format!("two simulated platforms, with {} people", command.agents));
        let platforms = Platforms::begin(command.agents, key, vec![gateway], bucket)?;
        let signals = listen(&platforms)?;
        let layout = Plan { keeper: &keeper, platforms: &platforms, ports, allowed };
        let site = Site::lay_out(folder, &layout)?;
        let deployment = site.deployment()?;
        let plan = deployment.topics();
        let mut processes = Processes::new(&site)?;
        let rules =
            Rules { usual: site.folder.file("rules.toml"), other: site.folder.file("other-rules.toml") };
        set_up(&processes, &rules.usual, say)?;
        say(&format!("Lockstep itself: {}", if command.split { "three processes" } else { "one process" }));
        held.let_go();
        processes.start(command.split)?;
        come_to_be_ready(&mut processes, &platforms, &ports, &signals)?;
        let decisions = decisions(&site, &plan)?;
        say(&format!("metrics: http://{}/metrics", ports.ops[0]));
        let statuses = Statuses::of(&platforms.org)?;
        let watch = Watch::new(&platforms.people, statuses);
        let people = People::new(How {
            people: platforms.people.len(),
            seed: command.seed,
            login_within: command.logged_in_within(),
            rate: command.changes_a_second(),
            is_nasty: command.faults == Level::Hell,
        });
        let brokers = command.broker_pid.clone();
        let schedule = Schedule::new(super::faults::How {
            level: command.faults,
            seed: command.seed,
            has_broker: !brokers.is_empty(),
            begins: command.logged_in_within() + FAULTS_AFTER,
            kill_each: command.kill_each,
        });
        let now = Instant::now();
        Ok(Running {
            seen_salesforce: platforms.org.changes(),
            seen_cxone: platforms.floor.changes(),
            decisions,
            processes,
            trouble: Trouble::new(command.seed, brokers, rules)?,
            platforms,
            site,
            deployment,
            keeper,
            plan,
            watch,
            live: Live::new(command.json)?,
            people,
            schedule,
            seed: command.seed,
            lasts: command.lasts,
            signals,
            begun,
            opened: now,
            first_in_step: None,
            early: Vec::new(),
            looked: now,
            is_quiet: command.faults == Level::None && command.kill_each.is_none(),
            news: VecDeque::new(),
        })
    }

    /// Runs until its time is over or somebody ends it, lets all come to rest, and judges.
    pub(super) fn run(mut self) -> anyhow::Result<Summary> {
        let lasted = loop {
            let now = self.opened.elapsed();
            if self.lasts.is_some_and(|lasts| now >= lasts) || self.times_asked() > 0 {
                break now;
            }
            for (person, doing) in self.people.go_on(now) {
                self.does(person, doing);
            }
            for turn in self.schedule.go_on(now) {
                self.turn(turn)?;
            }
            self.go_on(now)?;
            thread::sleep(TICK);
        };
        self.rest(lasted)
    }

    /// How often somebody has asked for the end, be it with a signal or a key.
    pub(super) fn times_asked(&self) -> usize {
        self.signals.load(Ordering::Relaxed) + self.live.times_asked()
    }

    pub(super) fn say(&mut self, what: String) {
        if self.news.len() == NEWS_MAX {
            self.news.pop_front();
        }
        self.news.push_back(what);
    }

    pub(super) fn since_opened(&self) -> Duration {
        self.opened.elapsed()
    }

    /// What goes on whatever people do: what is seen, shown and asked for, and processes that need somebody.
    pub(super) fn go_on(&mut self, now: Duration) -> anyhow::Result<()> {
        self.see();
        if self.first_in_step.is_none() && self.watch.is_any_settled() {
            self.first_in_step = Some(self.begun.elapsed());
        }
        let Running { platforms, processes, trouble, .. } = self;
        trouble.go_on(&Victims { platforms, processes, now });
        for failed in self.trouble.failed() {
            self.say(format!("an operator could not: {failed}"));
        }
        self.look_after_processes()?;
        for asked in self.live.show(&Live::view(self, now))? {
            self.asked(asked)?;
        }
        Ok(())
    }

    /// Takes what both platforms have told since.
    fn see(&mut self) {
        let (salesforce, missed) = told(&mut self.seen_salesforce);
        let (cxone, missed_too) = told(&mut self.seen_cxone);
        let salesforce = salesforce.into_iter().map(Changed::Salesforce);
        let mut all: Vec<Changed> = salesforce.chain(cxone.into_iter().map(Changed::Cxone)).collect();
        // Those of one platform are in their order already.
        all.sort_by_key(Changed::at);
        for changed in &all {
            match changed {
                Changed::Salesforce(changed) => self.watch.salesforce(changed),
                Changed::Cxone(changed) => self.watch.cxone(changed),
            }
        }
        if missed || missed_too {
            let Platforms { org, floor, people, .. } = &self.platforms;
            self.watch.look_again(|place| match people.get(place) {
                Some(one) => {
                    (org.current(one.user).status, floor.shown(one.number).unwrap_or(Shown::LOGGED_OUT))
                }
                None => (SalesforceStatus::Offline, Shown::LOGGED_OUT),
            });
        }
    }

    fn look_after_processes(&mut self) -> anyhow::Result<()> {
        if self.looked.elapsed() < LOOK_EACH {
            return Ok(());
        }
        self.looked = Instant::now();
        self.processes.look();
        if self.early.is_empty() && self.opened.elapsed() >= EARLY {
            self.early = self.processes.needed().map(|(_, needed, _)| needed).collect();
        }
        let Some((name, status)) = self.processes.ended()? else { return Ok(()) };
        let words = self.processes.last_words(&name);
        if self.processes.ended_by_themselves() > UNASKED_MAX {
            anyhow::bail!("{name} ends by itself again and again ({status}); it said:\n{words}");
        }
        self.say(format!("{name} has ended by itself ({status}), and is started again: {words}"));
        self.processes.restart(&name)?;
        Ok(())
    }

    fn asked(&mut self, asked: super::screen::Asked) -> anyhow::Result<()> {
        use super::screen::Asked;
        match asked {
            // `times_asked` tells it.
            Asked::Quit => {}
            Asked::SetSalesforce { person, choice } => self.does(person, Doing::Salesforce(choice)),
            Asked::SetCxone { person, choice } => self.does(person, Doing::Cxone(choice)),
            Asked::Fault(key) => {
                let Some(fault) = ALL.iter().find(|fault| fault.key == Some(key)) else { return Ok(()) };
                let turn = if self.trouble.is_on(fault.kind) {
                    Turn::Ends(fault.kind)
                } else {
                    Turn::Begins(fault.kind)
                };
                self.turn(turn)?;
            }
        }
        Ok(())
    }

    /// Something begins to go wrong, or is over.
    pub(super) fn turn(&mut self, turn: Turn) -> anyhow::Result<()> {
        let now = self.since_opened();
        let Running { platforms, processes, trouble, .. } = self;
        let mut victims = Victims { platforms, processes, now };
        let (told, doings) = match turn {
            Turn::Begins(kind) => {
                let (told, doings) = trouble.begin(kind, &mut victims)?;
                (told, doings)
            }
            Turn::Ends(kind) => {
                let doings = trouble.end(kind, &mut victims)?;
                (format!("{}: over", kind.name()), doings)
            }
        };
        self.say(told);
        for (person, doing) in doings {
            self.does(person, doing);
        }
        Ok(())
    }

    /// Which of the faults that have a key can be had.
    pub(super) fn offered(&self) -> impl Iterator<Item = &'static super::faults::Fault> {
        let has_broker = self.trouble.has_brokers();
        ALL.iter().filter(move |fault| fault.key.is_some() && (fault.kind != Kind::BrokerGone || has_broker))
    }

    /// Somebody does something, if he can.
    pub(super) fn does(&self, person: usize, doing: Doing) {
        let Some(one) = self.platforms.people.get(person) else { return };
        let (org, floor) = (&self.platforms.org, &self.platforms.floor);
        let is_in = || org.current(one.user).status != SalesforceStatus::Offline;
        let shown = || floor.shown(one.number).unwrap_or(Shown::LOGGED_OUT);
        let set = |status, reason| {
            // Who may not, does not.
            let _ = org.set(one.user, status, reason);
        };
        let in_salesforce = |choice| {
            if let Some(status) = self.watch.statuses().of_choice(choice).filter(|_| is_in()) {
                set(status, Reason::Manual);
            }
        };
        let in_cxone = |choice| {
            let may = |wanted: &Shown| {
                let shown = shown();
                shown != Shown::LOGGED_OUT && !shown.is_contact() && shown != *wanted
            };
            if let Some(wanted) = choices::of(choice).filter(may) {
                floor.put(one.number, wanted);
            }
        };
        match doing {
            Doing::Comes => {
                self.platforms.consoles.open(one.user);
                if let Some(status) = self.watch.statuses().of_choice(0).filter(|_| !is_in()) {
                    set(status, Reason::Login);
                }
                if shown() == Shown::LOGGED_OUT {
                    floor.put(one.number, Shown::AVAILABLE);
                }
            }
            Doing::Salesforce(choice) => in_salesforce(choice),
            Doing::Cxone(choice) => in_cxone(choice),
            Doing::Both(one, other) => {
                in_salesforce(one);
                in_cxone(other);
            }
            Doing::Contact if shown() == Shown::AVAILABLE => floor.begin_contact(one.number, CONTACT),
            Doing::Contact => {}
            Doing::ContactEnds => floor.end_contact(one.number),
            Doing::Leaves => {
                set(SalesforceStatus::Offline, Reason::Manual);
                floor.put(one.number, Shown::LOGGED_OUT);
                self.platforms.consoles.close(one.user);
            }
            Doing::Reloads => {
                self.platforms.consoles.reload(one.user);
            }
        }
    }

    /// Everybody is there, his console is open and awake, and nobody has a call.
    pub(super) fn all_come(&mut self) {
        for (person, doing) in self.people.rest() {
            self.does(person, doing);
        }
        for (place, person) in self.platforms.people.iter().enumerate() {
            self.platforms.consoles.wake(person.user);
            if self.platforms.floor.shown(person.number).is_some_and(Shown::is_contact) {
                self.does(place, Doing::ContactEnds);
            }
            self.does(place, Doing::Comes);
        }
    }

    /// How often the API of each platform was called.
    pub(super) fn calls(&self) -> [(Platform, u64); 2] {
        [
            (Platform::Salesforce, self.platforms.org.calls()),
            (Platform::Cxone, self.platforms.floor.called().calls),
        ]
    }

    /// Whether both platforms show the same of everybody who is there, and all are.
    pub(super) fn is_in_step(&self) -> bool {
        (0..self.platforms.people.len()).all(|person| self.watch.pair(person) == Pair::InStep)
    }
}

/// What one of the platforms has told.
enum Changed {
    Salesforce(salesforce::Changed),
    Cxone(cxone::Changed),
}

impl Changed {
    const fn at(&self) -> TimeMs {
        match self {
            Changed::Salesforce(changed) => changed.at,
            Changed::Cxone(changed) => changed.at,
        }
    }
}

/// What was told since, and whether something was missed.
fn told<T: Clone>(from: &mut broadcast::Receiver<T>) -> (Vec<T>, bool) {
    use broadcast::error::TryRecvError::{Closed, Empty, Lagged};
    let (mut all, mut missed) = (Vec::new(), false);
    loop {
        match from.try_recv() {
            Ok(one) => all.push(one),
            Err(Lagged(_)) => missed = true,
            Err(Empty | Closed) => return (all, missed),
        }
    }
}

/// How fast CXone may be called: enough for what people do, and no more.
fn allowed(changes_a_second: f64) -> Rate {
    let calls_per_minute = (changes_a_second * 90.0).clamp(CALLS_A_MINUTE, 60_000.0) as u32;
    Rate { calls_per_minute, burst: BURST.max(calls_per_minute / 60) }
}

/// Counts signals that ask for the end.
fn listen(platforms: &Platforms) -> anyhow::Result<Arc<AtomicUsize>> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let _inside = platforms.runtime().enter();
    let mut signals = Signals::new()?;
    signals.watch_terminal()?;
    platforms.runtime().spawn(async move {
        loop {
            signals.next().await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok(count)
}

/// What an operator does once.
fn set_up(processes: &Processes, rules: &Path, say: impl Fn(&str)) -> anyhow::Result<()> {
    say("topics");
    processes.operator(&["topics", "create"]).run()?;
    say("who is who: both platforms are asked");
    processes.operator(&["directory", "refresh", "--reason", "who and what there is"]).run()?;
    say("rules");
    let rules = rules.to_string_lossy();
    processes.operator(&["rules", "apply", &rules, "--activate", "--reason", "to begin with"]).run()
}

/// Waits until all of Lockstep says that it is ready, or somebody asks for the end.
fn come_to_be_ready(
    processes: &mut Processes,
    platforms: &Platforms,
    ports: &Ports,
    asked: &AtomicUsize,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let names: Vec<&str> = processes.names().collect();
    for (name, ops) in names.into_iter().zip(ports.ops) {
        while !platforms.is_ready(ops) && asked.load(Ordering::Relaxed) == 0 {
            if let Some((name, status)) = processes.ended()? {
                anyhow::bail!("{name} has ended ({status}); it said:\n{}", processes.last_words(&name));
            }
            anyhow::ensure!(
                begun.elapsed() < READY_WITHIN,
                "{name} is not ready after {} s; it said:\n{}",
                READY_WITHIN.as_secs(),
                processes.last_words(name)
            );
            thread::sleep(TICK);
        }
    }
    Ok(())
}

fn decisions(site: &Site, plan: &TopicsPlan) -> anyhow::Result<Decisions> {
    let (deployment, data) = (site.deployment()?, site.data.clone());
    let bus = move || Site::bus_beside(data.as_deref(), &deployment);
    Decisions::read(bus, plan.clone())
}
