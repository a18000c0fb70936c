//! `lockstep bench`: the figures, each with its workload and its limit.

mod bridge;
mod bus;
mod codec;
mod engine;
mod loaded;
mod log;
pub(super) mod own;
mod processor;
mod rules;
mod sink;

use clap::Subcommand;

use super::output::Outcome;
use super::process::memory_kib;

#[derive(Subcommand)]
pub(super) enum Bench {
    /// How long new rules take for all agents of a partition, and how much memory
    #[command(
        after_help = "Examples:\n  lockstep bench activation --config lockstep.toml\n  lockstep bench activation --agents 50000 --json"
    )]
    Activation(processor::Activation),
    /// How soon changes in browsers are in the log, and commands in browsers, at one gateway
    #[command(
        after_help = "The org and its browsers are simulated, in this process. The gateway is a process of its own, with the log in a directory among the temporary files; all of it goes at the end. Keys are made with openssl.\n\nExamples:\n  lockstep bench bridge --core 1\n  lockstep bench bridge --case latency --consoles 1000 --rate 200 --json\n  lockstep bench bridge --case storm --consoles 6000 --transport events"
    )]
    Bridge(bridge::Bridge),
    /// How fast records go to Kafka and back, and what a commit costs
    #[command(
        after_help = "It makes topics of its own under the configured prefix, and deletes them when it is done.\n\nExamples:\n  lockstep bench bus --config lockstep.toml\n  lockstep bench bus --records 2000000 --runs 5 --json\n  lockstep bench bus --bus embedded --json\n  lockstep bench bus --data /var/tmp/lockstep"
    )]
    Bus(bus::Bus),
    /// How long one record takes, from bytes to bytes
    #[command(
        after_help = "Examples:\n  lockstep bench codec\n  lockstep bench codec --agents 100000 --json"
    )]
    Codec(codec::Codec),
    /// How long one event takes, and how large an agent is
    #[command(
        after_help = "Examples:\n  lockstep bench engine\n  lockstep bench engine --agents 100000 --json"
    )]
    Engine(engine::Engine),
    /// How many events go through the processor, or how long one takes to be decided
    #[command(
        after_help = "It makes topics of its own under the configured prefix, and deletes them when it is done.\n\nExamples:\n  lockstep bench processor --config lockstep.toml\n  lockstep bench processor --runs 5 --core 1 --json\n  lockstep bench processor --rate 1000 --partitions 2 --commit-ms 20\n  lockstep bench processor --bus embedded --core 1"
    )]
    Processor(processor::Processor),
    /// How long a processor takes from its start until all states are back
    #[command(
        after_help = "Examples:\n  lockstep bench restore --config lockstep.toml\n  lockstep bench restore --agents 100000 --after-kill\n  lockstep bench restore --agents 100000 --runs 5 --json"
    )]
    Restore(processor::Restore),
    /// How long a rules file takes to check against the directory of a large centre
    #[command(after_help = "Examples:\n  lockstep bench rules\n  lockstep bench rules --agents 10000 --json")]
    Rules(rules::Rules),
    /// How soon commands get to a CXone tenant, and its changes back
    #[command(
        after_help = "The tenant is simulated. It and the log, in a directory among the temporary files, are in this process and go with it.\n\nExamples:\n  lockstep bench sink\n  lockstep bench sink --case idle --json\n  lockstep bench sink --case outage --outage-s 60 --agents 1000"
    )]
    Sink(sink::Sink),
}

pub(super) fn run(command: Bench) -> anyhow::Result<Outcome> {
    match command {
        Bench::Activation(command) => processor::activation(&command),
        Bench::Bridge(command) => bridge::run(&command),
        Bench::Bus(command) => bus::run(&command),
        Bench::Codec(command) => codec::run(&command),
        Bench::Engine(command) => engine::run(&command),
        Bench::Processor(command) => processor::run(&command),
        Bench::Restore(command) => processor::restore(&command),
        Bench::Rules(command) => rules::run(&command),
        Bench::Sink(command) => sink::run(&command),
    }
}

/// The middle one of what was measured, in order.
fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// What so large a share of what was measured, in order, stays under.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    sorted.get((sorted.len() as f64 * share) as usize).copied().unwrap_or_default()
}

/// Memory that a process has, in MiB.
fn memory_mib(process: &str, which: &str) -> Option<f64> {
    memory_kib(process, which).map(|kib| kib as f64 / 1024.0)
}

/// The CPU time of a process, or of this one (`self`): user and system, in ticks of 10 ms.
fn cpu_s(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
