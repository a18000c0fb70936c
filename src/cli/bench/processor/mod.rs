//! `lockstep bench processor` and `lockstep bench restore`: events of a centre at work, through a real Kafka and back.

mod activation;
mod centre;
mod job;
mod latency;
mod restore;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::median;
use super::own::Measured;
use crate::cli::output::{self, Outcome};
use crate::cli::process::this_program;

pub(super) use activation::Activation;
pub(super) use restore::Restore;

use centre::Centre;
use job::{Figures, Job, Until};

#[derive(Args)]
pub(in crate::cli) struct Processor {
    #[command(flatten)]
    measured: Measured,
    /// Agents of the centre
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(10..=5_000_000))]
    agents: u32,
    /// Times that each agent chooses a status; each is three events: the choice, the outcome of the command, and its echo
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Partitions
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    partitions: u32,
    /// How long a transaction gathers, in ms
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=5_000))]
    commit_ms: u16,
    /// How often it is measured, each time on a log of its own
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Measure the time from an event to its committed decision in place of the rate: so many events a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// With --rate: for so long
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(2..=3_600))]
    seconds: u32,
    /// The processor's core, by `taskset`; without it the system places it
    #[arg(long, value_name = "CORE")]
    core: Option<u32>,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
    /// One run, for the process that measures it
    #[arg(long, hide = true)]
    job: Option<String>,
}

/// How often and where a start is measured, and how that is told.
#[derive(Args)]
struct How {
    /// How often it is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// The processor's core, by `taskset`; without it the system places it
    #[arg(long, value_name = "CORE")]
    core: Option<u32>,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// Medians, and what was seen at least and at most.
#[derive(Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(runs: &[Figures], what: impl Fn(&Figures) -> f64) -> Spread {
        Spread::over(runs.iter().map(what).collect())
    }

    fn over(mut all: Vec<f64>) -> Spread {
        all.sort_by(f64::total_cmp);
        let (min, max) = (all.first().copied(), all.last().copied());
        Spread { median: median(&all), min: min.unwrap_or_default(), max: max.unwrap_or_default() }
    }
}

pub(super) fn activation(command: &Activation) -> anyhow::Result<Outcome> {
    activation::run(command)
}

pub(super) fn restore(command: &Restore) -> anyhow::Result<Outcome> {
    restore::run(command)
}

pub(super) fn run(command: &Processor) -> anyhow::Result<Outcome> {
    if let Some(job) = &command.job {
        job::run(&serde_json::from_str(job).context("the job of a benchmark")?)?;
        return Ok(Outcome::Done);
    }
    if command.rate.is_some() {
        return latency::run(command);
    }
    throughput(command)
}

fn throughput(command: &Processor) -> anyhow::Result<Outcome> {
    #[derive(Serialize)]
    struct Told {
        agents: u32,
        partitions: u32,
        commit_ms: u16,
        runs: usize,
        events: u64,
        /// From the first event to the last commit.
        events_per_s: Spread,
        /// The same over the second half of the log.
        events_per_s_second_half: Spread,
        records_out_per_event: f64,
        cpu_s_per_million: Spread,
        rss_mb: Spread,
        commit_ms_p50: Spread,
        commit_ms_p99: Spread,
        /// What an event and all that comes of it take on disk, in a directory.
        #[serde(skip_serializing_if = "Option::is_none")]
        disk_bytes_per_event: Option<Spread>,
    }
    let mut runs = Vec::new();
    let mut disk_bytes = Vec::new();
    let mut events = 0;
    for number in 1..=command.runs {
        output::aside(&format!("run {number} of {}: a log is written ...\n", command.runs));
        let mut centre = Centre::new(&command.measured.configured()?, command.partitions, command.agents)?;
        centre.begin(command.core)?;
        let before = centre.disk_bytes();
        events = centre.rounds(command.rounds)?;
        output::aside("the processor works ...\n");
        let until = Until::Events(events);
        runs.push(in_a_process(&centre.job(command.commit_ms, until), command.core)?);
        let grown = centre.disk_bytes().zip(before).map(|(after, before)| after.saturating_sub(before));
        disk_bytes.extend(grown.map(|bytes| bytes as f64 / events as f64));
    }
    let per_million = |figures: &Figures| figures.cpu_s * 1e6 / figures.events.max(1) as f64;
    let told = Told {
        agents: command.agents,
        partitions: command.partitions,
        commit_ms: command.commit_ms,
        runs: runs.len(),
        events,
        events_per_s: Spread::of(&runs, |run| run.events as f64 / run.seconds),
        events_per_s_second_half: Spread::of(&runs, |run| run.second_half_per_s),
        records_out_per_event: Spread::of(&runs, |run| run.records_out as f64 / run.events as f64).median,
        cpu_s_per_million: Spread::of(&runs, per_million),
        rss_mb: Spread::of(&runs, |run| run.rss_mb),
        commit_ms_p50: Spread::of(&runs, |run| run.commit_ms_p50),
        commit_ms_p99: Spread::of(&runs, |run| run.commit_ms_p99),
        disk_bytes_per_event: (!disk_bytes.is_empty()).then(|| Spread::over(disk_bytes)),
    };
    if command.json {
        output::json(&told)?;
        return Ok(Outcome::Done);
    }
    let line = |what: &str, spread: &Spread, digits: usize| {
        format!(
            "{what:26} {:>12.digits$}  ({:.digits$} to {:.digits$})\n",
            spread.median, spread.min, spread.max
        )
    };
    let mut text = format!(
        "{} events of {} agents, {} partitions, commits every {} ms, {} runs, {:.2} records out for an event\n",
        told.events, told.agents, told.partitions, told.commit_ms, told.runs, told.records_out_per_event
    );
    text.push_str(&line("events/s", &told.events_per_s, 0));
    text.push_str(&line("events/s, second half", &told.events_per_s_second_half, 0));
    text.push_str(&line("CPU-s per million", &told.cpu_s_per_million, 2));
    text.push_str(&line("MiB resident at most", &told.rss_mb, 0));
    text.push_str(&line("commit, p50 ms", &told.commit_ms_p50, 1));
    text.push_str(&line("commit, p99 ms", &told.commit_ms_p99, 1));
    if let Some(bytes) = &told.disk_bytes_per_event {
        text.push_str(&line("bytes on disk for an event", bytes, 0));
    }
    output::result(&text)?;
    Ok(Outcome::Done)
}

/// Runs a job in a process of its own, so that its memory and its CPU are those of the processor alone.
fn in_a_process(job: &Job, core: Option<u32>) -> anyhow::Result<Figures> {
    let output = child(job, core)?.wait_with_output().context("waiting for the process that is measured")?;
    anyhow::ensure!(output.status.success(), "the process that is measured ended with {}", output.status);
    serde_json::from_slice(&output.stdout).context("the figures of the process that is measured")
}

fn child(job: &Job, core: Option<u32>) -> anyhow::Result<Child> {
    let mut command = this_program(core)?;
    let job = serde_json::to_string(job).context("the job of a benchmark")?;
    command.args(["bench", "processor", "--job", &job]).stdout(Stdio::piped()).stdin(Stdio::null());
    command.spawn().context("starting the process that is measured (taskset is of util-linux)")
}

/// Waits until a process that works until it is killed has said that it is ready.
fn is_ready(process: &mut Child) -> anyhow::Result<()> {
    let stdout = process.stdout.take().context("the output of the process that is measured")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).context("waiting for the process that is measured")?;
    anyhow::ensure!(!line.is_empty(), "the process that is measured has ended before it was ready");
    Ok(())
}
