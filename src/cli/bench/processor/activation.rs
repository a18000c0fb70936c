//! Rules take effect for all agents of a partition, in one transaction.

use clap::Args;
use serde::Serialize;

use super::centre::Centre;
use super::job::Until;
use super::{How, Spread, in_a_process};
use crate::cli::bench::own::Measured;
use crate::cli::output::{self, Outcome};

#[derive(Args)]
pub(in crate::cli) struct Activation {
    #[command(flatten)]
    measured: Measured,
    /// Agents of the partition
    #[arg(long, default_value_t = 125_000, value_parser = clap::value_parser!(u32).range(10..=2_000_000))]
    agents: u32,
    #[command(flatten)]
    how: How,
}

#[derive(Serialize)]
struct Told {
    agents: u32,
    runs: usize,
    /// From a partition that is ready to the commit of the activation: each agent has another target and a command.
    activation_ms: Spread,
    records_out: f64,
    /// At most, and of that without the activation.
    rss_mb: Spread,
    rss_restored_mb: Spread,
}

pub(super) fn run(command: &Activation) -> anyhow::Result<Outcome> {
    output::aside(&format!("the states of {} agents are made ...\n", command.agents));
    let mut centre = Centre::new(&command.measured.configured()?, 1, command.agents)?;
    centre.begin(command.how.core)?;
    let (mut runs, mut restored) = (Vec::new(), Vec::new());
    for number in 1..=command.how.runs {
        output::aside(&format!("run {number} of {} ...\n", command.how.runs));
        restored.push(in_a_process(&centre.job(50, Until::Ready), command.how.core)?);
        centre.activate(number % 2 == 1)?;
        runs.push(in_a_process(&centre.job(50, Until::Events(1)), command.how.core)?);
    }
    let told = Told {
        agents: command.agents,
        runs: runs.len(),
        activation_ms: Spread::of(&runs, |run| run.seconds * 1e3),
        records_out: Spread::of(&runs, |run| run.records_out as f64).median,
        rss_mb: Spread::of(&runs, |run| run.rss_mb),
        rss_restored_mb: Spread::of(&restored, |run| run.rss_mb),
    };
    if command.how.json {
        output::json(&told)?;
        return Ok(Outcome::Done);
    }
    let Told { activation_ms, rss_mb, rss_restored_mb, .. } = &told;
    output::result(&format!(
        "{} agents of one partition, {} runs, {:.0} records out\nready to committed {:.0} ms ({:.0} to {:.0}), {:.0} MiB resident at most, {:.0} without it\n",
        told.agents,
        told.runs,
        told.records_out,
        activation_ms.median,
        activation_ms.min,
        activation_ms.max,
        rss_mb.median,
        rss_restored_mb.median
    ))?;
    Ok(Outcome::Done)
}
