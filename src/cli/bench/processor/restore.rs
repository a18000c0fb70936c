//! From the start of a process to where it works again.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::centre::Centre;
use super::job::Until;
use super::{How, Spread, child, in_a_process, is_ready};
use crate::cli::bench::own::Measured;
use crate::cli::output::{self, Outcome};

/// Who is killed has worked for so long.
const WORKS_FOR: Duration = Duration::from_millis(500);
/// So many events nobody deals with in that time: there is something left for the next one.
const MORE_THAN_IS_DONE: u64 = 1_000_000;

#[derive(Args)]
pub(in crate::cli) struct Restore {
    #[command(flatten)]
    measured: Measured,
    /// Agents whose states are restored
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10..=5_000_000))]
    agents: u32,
    /// Partitions
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    partitions: u32,
    /// Kill a processor that works, and measure too how long the next one takes to its first commit
    #[arg(long)]
    after_kill: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Serialize)]
struct Told {
    agents: u32,
    partitions: u32,
    runs: usize,
    /// From the start of the process to the last partition that is ready.
    restore_ms: Spread,
    /// From SIGKILL, which is when the next process starts, to the first commit with an event in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_commit_ms: Option<Spread>,
    cpu_s: Spread,
    rss_mb: Spread,
}

pub(super) fn run(command: &Restore) -> anyhow::Result<Outcome> {
    output::aside(&format!("the states of {} agents are made ...\n", command.agents));
    let mut centre = Centre::new(&command.measured.configured()?, command.partitions, command.agents)?;
    centre.begin(command.how.core)?;
    let mut runs = Vec::new();
    for number in 1..=command.how.runs {
        output::aside(&format!("run {number} of {} ...\n", command.how.runs));
        let until = if command.after_kill {
            let mut events = 0;
            while events < MORE_THAN_IS_DONE {
                events += centre.rounds(1)?;
            }
            work_and_die(&mut centre, command.how.core)?;
            Until::FirstCommit
        } else {
            Until::Ready
        };
        runs.push(in_a_process(&centre.job(50, until), command.how.core)?);
    }
    let told = Told {
        agents: command.agents,
        partitions: command.partitions,
        runs: runs.len(),
        restore_ms: Spread::of(&runs, |run| run.ready_ms),
        first_commit_ms: command.after_kill.then(|| Spread::of(&runs, |run| run.first_commit_ms)),
        cpu_s: Spread::of(&runs, |run| run.cpu_s),
        rss_mb: Spread::of(&runs, |run| run.rss_mb),
    };
    if command.how.json {
        output::json(&told)?;
        return Ok(Outcome::Done);
    }
    let ms = |what: &str, spread: &Spread| {
        format!("{what} {:.0} ms ({:.0} to {:.0})", spread.median, spread.min, spread.max)
    };
    let mut text = format!("{} agents, {} partitions, {} runs\n", told.agents, told.partitions, told.runs);
    text.push_str(&ms("start to ready", &told.restore_ms));
    text.push_str(&format!(
        ", {:.2} CPU-s, {:.0} MiB resident at most\n",
        told.cpu_s.median, told.rss_mb.median
    ));
    if let Some(first) = &told.first_commit_ms {
        text.push_str(&ms("SIGKILL to first commit", first));
        text.push('\n');
    }
    output::result(&text)?;
    Ok(Outcome::Done)
}

/// A processor that is killed while it works.
fn work_and_die(centre: &mut Centre, core: Option<u32>) -> anyhow::Result<()> {
    let mut process = child(&centre.job(50, Until::Killed), core)?;
    is_ready(&mut process)?;
    thread::sleep(WORKS_FOR);
    process.kill().context("killing a process")?;
    process.wait().context("waiting for the process that was killed")?;
    Ok(())
}
