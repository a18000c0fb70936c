//! `lockstep bench bridge`: one gateway with the browsers of a whole centre, which are simulated.

mod figures;
mod gateway;
mod latency;
mod site;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use lockstep::domain::UserId;
use lockstep::simulators::salesforce::consoles;

use crate::cli::files;
use crate::cli::output::{self, Outcome};
use figures::{Figures, Memory, Opened, Rest, Times};
use site::{How, Site};

/// So many consoles are opened in a storm, within so long: a shift that begins.
const STORM: u16 = 5_000;
const STORM_WITHIN: Duration = Duration::from_secs(60);
/// What comes after a storm, or without one, comes at this rate: browsers that share a core are not much faster themselves.
const OPENED_PER_S: u32 = 500;
/// After the last one is to come, they may take so much longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at how many are connected.
const LOOK: Duration = Duration::from_millis(10);
/// After so long what came with the connections is done.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);
/// At rest a gateway is measured for so long: just so many heartbeats of each connection.
const HEARTBEATS: u32 = 2;
const HEARTBEAT: Duration = Duration::from_secs(20);
/// The files that a process has open beside its connections.
const FURTHER_FILES: u64 = 200;
/// Nobody changes, or is commanded, more often.
const TURNS_PER_S_MAX: u32 = 2;

#[derive(Args)]
pub(in crate::cli) struct Bridge {
    /// What is measured
    #[arg(long, value_enum, default_value_t = Case::All)]
    case: Case,
    /// How many consoles are connected, each with one tab
    #[arg(long, value_name = "N", default_value_t = 18_000, value_parser = clap::value_parser!(u16).range(2..=60_000))]
    consoles: u16,
    /// So many people a second change their status, and as many others are commanded
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    rate: u32,
    /// For so long they do
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// What carries messages
    #[arg(long, value_enum, default_value_t = Transport::Websocket)]
    transport: Transport,
    /// Nothing is encrypted
    #[arg(long)]
    no_tls: bool,
    /// The gateway's core, by `taskset`; without it the system places it
    #[arg(long, value_name = "CORE")]
    core: Option<u32>,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Case {
    /// From a change in a browser to the log, and from a command in the log to a browser
    Latency,
    /// 5,000 consoles that are opened within a minute, and then all others
    Storm,
    /// Both
    All,
}

/// What carries messages.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Transport {
    /// A WebSocket
    Websocket,
    /// Server-sent events, and POST the other way
    Events,
}

pub(super) fn run(command: &Bridge) -> anyhow::Result<Outcome> {
    let &Bridge { consoles, rate, .. } = command;
    // A browser posts over another connection than the one that its events come over.
    let each = if command.transport == Transport::Events { 2 } else { 1 };
    let needed = u64::from(consoles) * each + FURTHER_FILES;
    if let Some(files) = files::allow_all() {
        anyhow::ensure!(
            files >= needed,
            "{consoles} consoles need {needed} open files, and this process may have {files}: raise that limit (ulimit -Hn), or take fewer with --consoles"
        );
    }
    let most = u32::from(consoles / 2) * TURNS_PER_S_MAX;
    anyhow::ensure!(
        rate <= most || command.case == Case::Storm,
        "one half of {consoles} consoles changes, and the other is commanded, each {TURNS_PER_S_MAX} times a second at most: --rate may be {most}"
    );
    let figures = measure(command)?;
    if command.json {
        output::json(&figures)?
    } else {
        output::result(&figures.text())?
    }
    Ok(Outcome::Done)
}

fn measure(command: &Bridge) -> anyhow::Result<Figures> {
    let &Bridge { case, consoles, rate, seconds, transport, core, .. } = command;
    let how = How {
        consoles,
        transport: match transport {
            Transport::Websocket => consoles::Transport::Socket,
            Transport::Events => consoles::Transport::Events,
        },
        has_tls: !command.no_tls,
        core,
    };
    output::aside(&format!("an org with {consoles} users is made, and a gateway for them ...\n"));
    let mut site = Site::new(&how)?;
    let before = site.gateway.used()?;
    let all = usize::from(consoles);
    let first = if case == Case::Latency { 0 } else { all.min(STORM.into()) };
    let storm = match first {
        0 => None,
        _ => Some(open(&mut site, 0..first, STORM_WITHIN)?.storm()),
    };
    let others = all - first;
    let others_within = Duration::from_secs(1).mul_f64(others as f64 / f64::from(OPENED_PER_S));
    let others = match others {
        0 => None,
        _ => Some(open(&mut site, first..all, others_within)?),
    };
    std::thread::sleep(SETTLES_WITHIN);
    let connected = site.gateway.used()?;
    let rest = rest(&mut site)?;
    let (changes, commands, with_commit) = match case {
        Case::Storm => Default::default(),
        Case::Latency | Case::All => {
            output::aside("people change their status, and others are commanded ...\n");
            let measured = latency::measure(&mut site, rate, seconds)?;
            (Some(measured.changes), Some(measured.commands), Some(measured.with_commit))
        }
    };
    let counted = site.consoles.counted();
    anyhow::ensure!(
        counted.holding == u64::from(consoles),
        "{} of {consoles} consoles are connected at the end",
        counted.holding
    );
    let end = site.gateway.used()?;
    Ok(Figures {
        case,
        consoles,
        transport,
        tls: how.has_tls,
        core,
        rate,
        seconds,
        storm,
        others,
        memory: Memory::of((before.rss_mib, connected.rss_mib, end.peak_mib), consoles),
        rest,
        change_to_log: changes.map(|took| Times::of(&took, figures::CHANGE_MUST_MS)),
        commit_to_browser: commands.map(|took| Times::of(&took, figures::COMMAND_MUST_MS)),
        commit_and_to_browser: with_commit.map(|took| Times::of(&took, None)),
        cpu_s: end.cpu_s,
    })
}

/// Opens consoles one after the other within this time, and waits until all of them are connected and hold their agents.
fn open(site: &mut Site, which: Range<usize>, within: Duration) -> anyhow::Result<Opened> {
    let people = site.people.get(which).context("people of the benchmark")?;
    let users: Vec<UserId> = people.iter().map(|(_, link)| link.salesforce.user).collect();
    output::aside(&format!("{} consoles are opened within {:.0} s ...\n", users.len(), within.as_secs_f64()));
    let (before, used) = (site.consoles.counted(), site.gateway.used()?);
    let wanted = before.holding + users.len() as u64;
    let begun = Instant::now();
    site.consoles.open_all(&users, within);
    let mut after = site.consoles.counted();
    while after.holding < wanted {
        site.gateway.lives()?;
        anyhow::ensure!(
            begun.elapsed() < within + PATIENCE,
            "{} of {wanted} consoles are connected after {:.0} s: {after:?}",
            after.holding,
            begun.elapsed().as_secs_f64()
        );
        std::thread::sleep(LOOK);
        after = site.consoles.counted();
    }
    let took = begun.elapsed();
    let sum = |counts: &BTreeMap<&str, u64>| counts.values().sum::<u64>();
    let refused = |counted: &consoles::Counted| sum(&counted.byes) + sum(&counted.unreached) + counted.lost;
    Ok(Opened::new(
        users.len(),
        (within, took),
        refused(&after) - refused(&before),
        site.gateway.used()?.cpu_s - used.cpu_s,
    ))
}

/// What a gateway does while nobody does anything.
fn rest(site: &mut Site) -> anyhow::Result<Rest> {
    let length = HEARTBEAT * HEARTBEATS;
    output::aside(&format!("nobody does anything for {} s ...\n", length.as_secs()));
    let (begun, used) = (Instant::now(), site.gateway.used()?);
    while begun.elapsed() < length {
        site.gateway.lives()?;
        std::thread::sleep(LOOK);
    }
    let cpu_s = site.gateway.used()?.cpu_s - used.cpu_s;
    Ok(Rest::of(length, cpu_s, site.people.len() as u32 * HEARTBEATS))
}
