//! `lockstep bench bus`: what a Kafka or a directory gives through the bus, from this machine.

mod measure;
mod scratch;

use clap::Args;
use serde::Serialize;

use crate::cli::output::{self, Outcome};

use super::{median, own};
use scratch::Scratch;

#[derive(Args)]
pub(in crate::cli) struct Bus {
    #[command(flatten)]
    measured: own::Measured,
    /// Records that are written and read in each run
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000_000))]
    records: u32,
    /// Partitions of each topic
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    partitions: u32,
    /// Transactions for each number of partitions
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    commits: u32,
    /// How long the loop gathers before it commits, in ms
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    commit_ms: u32,
    /// How often it is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// Rates are medians in records/s, times in ms, CPU in seconds of this process.
#[derive(Serialize)]
struct Figures {
    records: u32,
    partitions: u32,
    runs: u32,
    key_bytes: usize,
    value_bytes: usize,
    /// Written in transactions.
    produce: Rate,
    /// Read in batches, as the bus does.
    read_batch: Rate,
    /// Read with the rdkafka package's `BaseConsumer::poll`, for comparison; not in a directory, which no other client reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    read_poll: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_batch_of_poll: Option<f64>,
    /// Events read, 2.5 records written for each and committed with the offsets, without any work in between.
    exactly_once: Rate,
    exactly_once_commit_ms: u32,
    commits: Vec<Commits>,
}

/// How fast it went.
#[derive(Clone, Copy, Serialize)]
struct Rate {
    per_s: f64,
    per_s_min: f64,
    per_s_max: f64,
    cpu_s_per_million: f64,
}

/// What a transaction of 100 records costs that touches so many partitions.
#[derive(Serialize)]
struct Commits {
    partitions: u32,
    /// One after the other.
    at_once: Times,
    /// With 50 ms between.
    rested: Times,
}

#[derive(Serialize)]
struct Times {
    p50_ms: f64,
    p99_ms: f64,
}

/// One run.
#[derive(Clone, Copy)]
struct Run {
    per_s: f64,
    cpu_s_per_million: f64,
}

pub(super) fn run(command: &Bus) -> anyhow::Result<Outcome> {
    let deployment = own::deployment(&command.measured.configured()?)?;
    let place = match &deployment.data {
        Some(data) => data.display().to_string(),
        None => deployment.config.bus.bootstrap_servers.join(","),
    };
    output::aside(&format!("topics of this run's own are made at {place} ...\n"));
    let scratch = Scratch::new(deployment, command.partitions)?;
    let [mut produce, mut batch, mut poll, mut exactly_once] = [const { Vec::new() }; 4];
    for run in 1..=command.runs {
        output::aside(&format!("run {run} of {} ...\n", command.runs));
        let log = scratch.topic("log")?;
        produce.push(measure::produce(&scratch, &log, command.records)?);
        batch.push(measure::read_in_batches(&scratch, &log, command.records)?);
        poll.extend(measure::read_one_by_one(&scratch, &log, command.records)?);
        exactly_once.push(measure::exactly_once(&scratch, &log, command.records, command.commit_ms)?);
    }
    output::aside("commits ...\n");
    let commits = measure::commits(&scratch, command.commits)?;
    let read_batch = rate(&batch);
    let read_poll = (!poll.is_empty()).then(|| rate(&poll));
    let figures = Figures {
        records: command.records,
        partitions: command.partitions,
        runs: command.runs,
        key_bytes: measure::KEY_BYTES,
        value_bytes: measure::EVENT_BYTES,
        produce: rate(&produce),
        read_batch,
        read_poll,
        read_batch_of_poll: read_poll.map(|poll| read_batch.per_s / poll.per_s),
        exactly_once: rate(&exactly_once),
        exactly_once_commit_ms: command.commit_ms,
        commits,
    };
    print(command, &figures)?;
    Ok(Outcome::Done)
}

fn rate(runs: &[Run]) -> Rate {
    let sorted = |of: fn(&Run) -> f64| {
        let mut all: Vec<f64> = runs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let per_s = sorted(|run| run.per_s);
    Rate {
        per_s: median(&per_s),
        per_s_min: per_s.first().copied().unwrap_or_default(),
        per_s_max: per_s.last().copied().unwrap_or_default(),
        cpu_s_per_million: median(&sorted(|run| run.cpu_s_per_million)),
    }
}

fn print(command: &Bus, figures: &Figures) -> anyhow::Result<()> {
    if command.json {
        return output::json(figures);
    }
    let line = |what: &str, rate: &Rate| {
        format!(
            "{what:28} {:>9.0}/s  ({:.0} to {:.0})   {:.2} CPU-s per million\n",
            rate.per_s, rate.per_s_min, rate.per_s_max, rate.cpu_s_per_million
        )
    };
    let mut text = format!(
        "{} records of {} bytes with keys of {}, {} partitions, {} runs\n",
        figures.records, figures.value_bytes, figures.key_bytes, figures.partitions, figures.runs
    );
    text.push_str(&line("written in transactions", &figures.produce));
    text.push_str(&line("read in batches", &figures.read_batch));
    if let Some(poll) = &figures.read_poll {
        text.push_str(&line("read one by one (rdkafka)", poll));
    }
    text.push_str(&line("exactly once, 2.5 out for 1", &figures.exactly_once));
    text.push_str(
        "\ncommit of 100 records with offsets, in ms\n  partitions   one after the other   50 ms between\n                  p50       p99       p50       p99\n",
    );
    for Commits { partitions, at_once, rested } in &figures.commits {
        text.push_str(&format!(
            "  {partitions:>10} {:>9.1} {:>9.1} {:>9.1} {:>9.1}\n",
            at_once.p50_ms, at_once.p99_ms, rested.p50_ms, rested.p99_ms
        ));
    }
    output::result(&text)
}
