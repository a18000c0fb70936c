//! `lockstep bench sink`: the source and the sink of a CXone account, against a tenant that is simulated.

mod site;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use lockstep::bus::{Reader, Records};
use lockstep::codec::{Codec, Event, What};
use lockstep::connectors::http::{self, Rate};
use lockstep::domain::{AgentId, CxoneStatus, Feed, OutStateId, TimeMs};

use crate::cli::bench::{memory_mib, percentile};
use crate::cli::output::{self, Outcome};
use crate::cli::simulated::NUMBER_FIRST;
use site::{How, Logged, Running, Site};

const AVAILABLE: CxoneStatus = CxoneStatus::Available;
const BREAK: CxoneStatus = CxoneStatus::Code(OutStateId::new(1_001));
const LUNCH: CxoneStatus = CxoneStatus::Code(OutStateId::new(1_017));

/// As the configuration has it by default.
const BY_DEFAULT: How =
    How { rate: Rate { calls_per_minute: 1_200, burst: 20 }, poll_interval: Duration::from_secs(2) };
/// So many calls that the budget is never in the way.
const PLENTY: How = How { rate: Rate { calls_per_minute: 60_000, burst: 1_000 }, ..BY_DEFAULT };

const CONFLATED_AGENTS: u32 = 500;
const CONFLATED_ROUNDS: u32 = 20;
const CONFLATED_EVERY: Duration = Duration::from_millis(50);

const BUDGETED_AGENTS: u32 = 1_000;
const BUDGETED: How = How { rate: Rate { calls_per_minute: 6_000, burst: 10 }, ..BY_DEFAULT };

const IDLE_AGENTS: u32 = 200;
const IDLE_PAUSE: Duration = Duration::from_millis(20);

const CHANGES: u32 = 100;
/// No part of the poll interval, so that changes come at any time of it.
const CHANGE_EVERY: Duration = Duration::from_millis(137);
const CHANGE_HOW: How = How { poll_interval: Duration::from_secs(1), ..BY_DEFAULT };
/// A change may take so much longer than the poll interval.
const CHANGE_AFTER_POLL: Duration = Duration::from_millis(200);

const POLL_AGENTS: u32 = 100_000;
const POLL_CHANGES: u32 = POLL_AGENTS / 100;
/// All changes are put in between two polls.
const POLL_HOW: How = How { poll_interval: Duration::from_secs(10), ..BY_DEFAULT };

/// During an outage commands are written together for so long.
const TICK: Duration = Duration::from_millis(20);
/// What is waited for that has no limit of its own, or comes after it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what everybody shows. When each call came is in the log of the simulator.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(in crate::cli) struct Sink {
    /// What is measured
    #[arg(long, value_enum, default_value_t = Case::Conflation)]
    case: Case,
    /// With --case outage: for so long the tenant answers 503 to everything
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    outage_s: u32,
    /// With --case outage: agents, each of whom gets a new command meanwhile
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    agents: u32,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Case {
    /// How many calls are made of 10,000 commands for 500 agents that come within a second
    Conflation,
    /// How long 1,000 commands at once take, beside what the budget allows
    Budget,
    /// From a command to its call, where nothing else is to be done
    Idle,
    /// From a change in CXone to its event
    Change,
    /// How long a poll takes that finds 1,000 changes among 100,000 agents, and the memory for that
    Poll,
    /// How soon all is as it should be again after an outage
    Outage,
}

impl Case {
    /// What its calls are, from where to where each time is, and what all of it is.
    const fn words(self) -> [&'static str; 3] {
        match self {
            Case::Conflation => ["set calls", "last commit to call", "first commit to last call"],
            Case::Budget => ["set calls", "commit to call", "commit to last call"],
            Case::Idle => ["set calls", "commit to call", "first commit to last call"],
            Case::Change => ["pages of polls", "change to event", "first change to last event"],
            Case::Poll => ["pages of polls", "the poll", "the poll"],
            Case::Outage => ["set calls, refused ones too", "its end to a call", "its end to the last call"],
        }
    }
}

/// Times are in ms.
#[derive(Serialize)]
struct Figures {
    case: Case,
    workload: String,
    calls_per_minute: u32,
    burst: u32,
    poll_interval_ms: u64,
    commands: u32,
    agents_changed: u32,
    /// Those that set something, or where it is about changes, those that ask for them.
    calls: usize,
    p50_ms: f64,
    p99_ms: f64,
    /// From the beginning to the last of it.
    took_ms: f64,
    /// What `took_ms` should be near to; for changes, what `p99_ms` should be under.
    limit_ms: Option<f64>,
    /// Of this process, the simulator included.
    #[serde(skip_serializing_if = "Option::is_none")]
    rss_peak_mib: Option<f64>,
}

impl Figures {
    /// Those of so many agents and times, without a limit.
    fn of(case: Case, how: How, workload: String, (took_ms, mut each_ms): (f64, Vec<f64>)) -> Figures {
        each_ms.sort_by(f64::total_cmp);
        Figures {
            case,
            workload,
            calls_per_minute: how.rate.calls_per_minute,
            burst: how.rate.burst,
            poll_interval_ms: how.poll_interval.as_millis() as u64,
            commands: 0,
            agents_changed: each_ms.len() as u32,
            calls: 0,
            p50_ms: percentile(&each_ms, 0.5),
            p99_ms: percentile(&each_ms, 0.99),
            took_ms,
            limit_ms: None,
            rss_peak_mib: None,
        }
    }

    /// Those of commands: the simulator's log tells when an agent was called last. `from` is by the place of each agent.
    fn of_commands(
        case: Case,
        how: How,
        workload: String,
        site: &Site,
        (begun, from): (TimeMs, &[TimeMs]),
    ) -> anyhow::Result<Figures> {
        let calls = site.simulated.calls()?;
        let applied = applied(&calls)?;
        let (mut each_ms, mut last) = (Vec::with_capacity(from.len()), begun.as_unix_ms());
        for (number, from) in (NUMBER_FIRST..).zip(from) {
            let at = applied.get(&number).with_context(|| format!("agent {number} was never set"))?;
            each_ms.push((at - from.as_unix_ms()) as f64);
            last = last.max(*at);
        }
        let took_ms = (last - begun.as_unix_ms()) as f64;
        Ok(Figures {
            calls: calls.iter().filter(|call| call.is_set()).count(),
            ..Figures::of(case, how, workload, (took_ms, each_ms))
        })
    }
}

pub(super) fn run(command: &Sink) -> anyhow::Result<Outcome> {
    let figures = match command.case {
        Case::Conflation => conflation()?,
        Case::Budget => budget()?,
        Case::Idle => idle()?,
        Case::Change => change()?,
        Case::Poll => poll()?,
        Case::Outage => outage(command.outage_s, command.agents)?,
    };
    print(command, &figures)?;
    Ok(Outcome::Done)
}

fn print(command: &Sink, figures: &Figures) -> anyhow::Result<()> {
    if command.json {
        return output::json(figures);
    }
    let line = |what: &str, value: f64, digits: usize| format!("{what:36} {value:>10.digits$}\n");
    let [calls, each, whole] = command.case.words();
    let mut text = format!(
        "{}; {} calls a minute, burst {}, a poll every {} ms\n",
        figures.workload, figures.calls_per_minute, figures.burst, figures.poll_interval_ms
    );
    text.push_str(&line(calls, figures.calls as f64, 0));
    if command.case != Case::Poll {
        text.push_str(&line(&format!("{each}, p50 ms"), figures.p50_ms, 1));
        text.push_str(&line(&format!("{each}, p99 ms"), figures.p99_ms, 1));
    }
    text.push_str(&line(&format!("{whole}, ms"), figures.took_ms, 1));
    if let Some(limit_ms) = figures.limit_ms {
        let what =
            if command.case == Case::Change { "limit of p99, ms" } else { "what the budget allows, ms" };
        text.push_str(&line(what, limit_ms, 1));
    }
    if let Some(mib) = figures.rss_peak_mib {
        text.push_str(&line("MiB resident at most, with simulator", mib, 0));
    }
    output::result(&text)
}

/// What every agent was set to last, in ms since 1970.
fn applied(calls: &[Logged]) -> anyhow::Result<HashMap<u32, i64>> {
    let mut applied = HashMap::new();
    for call in calls.iter().filter(|call| call.is_set() && call.applied) {
        if let Some(agent) = call.agent_id {
            applied.insert(agent, call.at_ms()?);
        }
    }
    Ok(applied)
}

/// How long so many calls take by the budget alone, where it was full.
fn limit(agents: u32, how: How) -> Duration {
    Duration::from_secs(60) * agents.saturating_sub(how.rate.burst) / how.rate.calls_per_minute.max(1)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A site whose agents are logged in, with a source and a sink that have seen them.
fn begin(agents: u32, how: How) -> anyhow::Result<(Site, Running)> {
    output::aside(&format!("a tenant with {agents} agents is made ...\n"));
    let site = Site::new(agents)?;
    site.log_in()?;
    let mut running = site.connect(how)?;
    running.is_ready()?;
    site.simulated.forget_calls()?;
    Ok((site, running))
}

/// Waits until everybody is in this, and ends the source and the sink.
fn until_all_show(site: &Site, running: &mut Running, status: CxoneStatus, how: How) -> anyhow::Result<()> {
    let within = (limit(site.agents(), how) * 2 + PATIENCE, LOOK);
    running.until("not every agent shows his last status", within, || site.simulated.all_show(status))?;
    running.end()
}

fn conflation() -> anyhow::Result<Figures> {
    let how = BY_DEFAULT;
    let (mut site, mut running) = begin(CONFLATED_AGENTS, how)?;
    output::aside("commands are written ...\n");
    let begun = Instant::now();
    let mut commits = Vec::new();
    for round in 0..CONFLATED_ROUNDS {
        std::thread::sleep((begun + CONFLATED_EVERY * round).saturating_duration_since(Instant::now()));
        // Nobody shows the last one before its time.
        let status = if round + 1 == CONFLATED_ROUNDS {
            BREAK
        } else if round % 2 == 0 {
            LUNCH
        } else {
            AVAILABLE
        };
        for place in 0..CONFLATED_AGENTS {
            site.command(place, status, round + 1)?;
        }
        commits.push(site.commit()?);
    }
    let wrote = begun.elapsed();
    output::aside("they are carried out ...\n");
    until_all_show(&site, &mut running, BREAK, how)?;
    let commands = CONFLATED_AGENTS * CONFLATED_ROUNDS;
    let workload = format!(
        "{commands} commands for {CONFLATED_AGENTS} agents in {CONFLATED_ROUNDS} transactions within {:.2} s",
        wrote.as_secs_f64()
    );
    let (first, last) = commits.first().copied().zip(commits.last().copied()).context("no commit")?;
    let from = vec![last; CONFLATED_AGENTS as usize];
    let figures = Figures::of_commands(Case::Conflation, how, workload, &site, (first, &from))?;
    Ok(Figures { commands, ..figures })
}

fn budget() -> anyhow::Result<Figures> {
    let how = BUDGETED;
    let (mut site, mut running) = begin(BUDGETED_AGENTS, how)?;
    output::aside("commands are written and carried out ...\n");
    for place in 0..BUDGETED_AGENTS {
        site.command(place, LUNCH, 1)?;
    }
    let committed = site.commit()?;
    until_all_show(&site, &mut running, LUNCH, how)?;
    let workload = format!("{BUDGETED_AGENTS} commands for as many agents in one transaction");
    let from = vec![committed; BUDGETED_AGENTS as usize];
    let figures = Figures::of_commands(Case::Budget, how, workload, &site, (committed, &from))?;
    let limit_ms = Some(ms(limit(BUDGETED_AGENTS, how)));
    Ok(Figures { commands: BUDGETED_AGENTS, limit_ms, ..figures })
}

fn idle() -> anyhow::Result<Figures> {
    let how = PLENTY;
    let (mut site, mut running) = begin(IDLE_AGENTS, how)?;
    output::aside("one command after the other ...\n");
    let mut commits = Vec::new();
    for place in 0..IDLE_AGENTS {
        let (_, number) = site.agent(place)?;
        site.command(place, LUNCH, 1)?;
        commits.push(site.commit()?);
        let within = (PATIENCE, Duration::from_millis(5));
        running.until("a command was not carried out", within, || site.simulated.shows(number, LUNCH))?;
        std::thread::sleep(IDLE_PAUSE);
    }
    running.end()?;
    let workload =
        format!("{IDLE_AGENTS} commands for as many agents, each after the one before was applied");
    let first = commits.first().copied().context("no commit")?;
    let figures = Figures::of_commands(Case::Idle, how, workload, &site, (first, &commits))?;
    Ok(Figures { commands: IDLE_AGENTS, ..figures })
}

fn change() -> anyhow::Result<Figures> {
    let how = CHANGE_HOW;
    let (site, mut running) = begin(CHANGES, how)?;
    let mut reader = site.events()?;
    output::aside("agents change ...\n");
    let begun = Instant::now();
    let mut open: HashMap<AgentId, Instant> = HashMap::new();
    let (mut each_ms, mut changed) = (Vec::new(), 0);
    while changed < CHANGES || !open.is_empty() {
        running.lives()?;
        anyhow::ensure!(
            begun.elapsed() < CHANGE_EVERY * CHANGES + PATIENCE,
            "{} changes have no event",
            open.len()
        );
        let mut wait = LOOK;
        if changed < CHANGES {
            wait = (begun + CHANGE_EVERY * changed).saturating_duration_since(Instant::now()).min(LOOK);
            if wait.is_zero() {
                let (agent, number) = site.agent(changed)?;
                open.insert(agent, Instant::now());
                site.simulated.put(number, AVAILABLE)?;
                changed += 1;
                continue;
            }
        }
        let records = reader.read(wait)?;
        let now = Instant::now();
        for agent in found_by_polls(&records, &site.codec)? {
            each_ms.extend(open.remove(&agent).map(|at| ms(now - at)));
        }
    }
    let took_ms = ms(begun.elapsed());
    running.end()?;
    let workload = format!("{CHANGES} changes in CXone, one every {} ms", CHANGE_EVERY.as_millis());
    let calls = site.simulated.calls()?.iter().filter(|call| call.is_poll()).count();
    let limit_ms = Some(ms(how.poll_interval + CHANGE_AFTER_POLL));
    let figures = Figures::of(Case::Change, how, workload, (took_ms, each_ms));
    Ok(Figures { calls, limit_ms, ..figures })
}

/// Whose changes polls have found.
fn found_by_polls(records: &impl Records, codec: &Codec) -> anyhow::Result<Vec<AgentId>> {
    let mut found = Vec::new();
    for record in records.iter() {
        let event: Event<'_> = codec.decode(record.value.unwrap_or_default())?;
        if let (Some(agent), What::Observation(seen)) = (event.agent, event.what)
            && seen.found_by == Feed::Poll
        {
            found.push(agent);
        }
    }
    Ok(found)
}

fn poll() -> anyhow::Result<Figures> {
    let how = POLL_HOW;
    output::aside(&format!("a tenant with {POLL_AGENTS} agents is made ...\n"));
    let site = Site::new(POLL_AGENTS)?;
    let mut running = site.connect(how)?;
    output::aside("the first snapshot is taken ...\n");
    running.is_ready()?;
    let watch = running.watch();
    let within = (how.poll_interval * 2 + PATIENCE, Duration::from_millis(20));
    // Right after a poll there is all of the interval for the changes.
    running.until("there was no poll", within, || {
        Ok(watch.polls().iter().any(|poll| poll.found_by == Feed::Poll))
    })?;
    site.simulated.forget_calls()?;
    output::aside("agents change ...\n");
    for number in (NUMBER_FIRST..NUMBER_FIRST + POLL_AGENTS).step_by((POLL_AGENTS / POLL_CHANGES) as usize) {
        site.simulated.put(number, AVAILABLE)?;
    }
    let found = || watch.polls().into_iter().find(|poll| poll.found_by == Feed::Poll && poll.changes > 0);
    running.until("no poll found the changes", within, || Ok(found().is_some()))?;
    running.end()?;
    let found = found().context("a poll that found the changes")?;
    anyhow::ensure!(
        found.changes == POLL_CHANGES as usize,
        "the poll found {} of {POLL_CHANGES} changes: this machine is too slow to put them in between two polls",
        found.changes
    );
    let took_ms = ms(found.took);
    let workload = format!("a poll that finds {POLL_CHANGES} changes among {POLL_AGENTS} agents");
    let calls = site.simulated.calls()?.iter().filter(|call| call.is_poll()).count();
    let figures = Figures::of(Case::Poll, how, workload, (took_ms, vec![took_ms]));
    Ok(Figures { calls, agents_changed: POLL_CHANGES, rss_peak_mib: memory_mib("self", "VmHWM:"), ..figures })
}

fn outage(outage_s: u32, agents: u32) -> anyhow::Result<Figures> {
    let how = BY_DEFAULT;
    let (mut site, mut running) = begin(agents, how)?;
    output::aside(&format!("an outage of {outage_s} s ...\n"));
    let length = Duration::from_secs(outage_s.into());
    site.simulated.is_away(true)?;
    let begun = Instant::now();
    let mut written = 0;
    while written < agents || begun.elapsed() < length {
        let share = (begun.elapsed().as_secs_f64() / length.as_secs_f64()).min(1.0);
        let due = (f64::from(agents) * share) as u32;
        if due > written {
            for place in written..due {
                site.command(place, LUNCH, 1)?;
            }
            site.commit()?;
            written = due;
        }
        running.lives()?;
        std::thread::sleep(TICK);
    }
    output::aside("it is over ...\n");
    let over = http::now();
    site.simulated.is_away(false)?;
    until_all_show(&site, &mut running, LUNCH, how)?;
    let workload = format!("{agents} commands for as many agents during an outage of {outage_s} s");
    let from = vec![over; agents as usize];
    let figures = Figures::of_commands(Case::Outage, how, workload, &site, (over, &from))?;
    let limit_ms = Some(ms(limit(agents, how)));
    Ok(Figures { commands: agents, limit_ms, ..figures })
}
