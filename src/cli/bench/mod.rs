//! `lockstep bench`: the figures, each with its workload and its limit.

mod rules;

use clap::Subcommand;

use super::output::Outcome;

#[derive(Subcommand)]
pub(super) enum Bench {
    /// How long a rules file takes to check against the directory of a large centre
    #[command(after_help = "Examples:\n  lockstep bench rules\n  lockstep bench rules --agents 10000 --json")]
    Rules(rules::Rules),
}

pub(super) fn run(command: Bench) -> anyhow::Result<Outcome> {
    match command {
        Bench::Rules(command) => rules::run(&command),
    }
}
