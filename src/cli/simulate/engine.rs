//! `lockstep simulate engine`.

use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use lockstep::simulate::{self, Mapping};

use crate::cli::output::{self, Outcome};

/// So many of the counted histories are shown.
const COUNTED_SHOWN_MAX: usize = 5;

#[derive(Args)]
pub(in crate::cli) struct Engine {
    /// Run this seed alone
    #[arg(long)]
    seed: Option<u64>,
    /// Run so many seeds
    #[arg(long, default_value_t = 10_000, conflicts_with = "seed", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    seeds: u64,
    /// Print what happened, a line for each event
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The result as `--json` prints it.
#[derive(Default, Serialize)]
struct Result {
    histories: u64,
    events: u64,
    commands: u64,
    /// What must not be.
    findings: Vec<Row>,
    /// What cannot be known, and is counted instead.
    counted: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    seed: u64,
    rules: String,
    finding: String,
}

pub(super) fn run(command: &Engine) -> anyhow::Result<Outcome> {
    let seeds = command.seed.map_or(0..command.seeds, |seed| seed..seed.saturating_add(1));
    let mut result = Result::default();
    let mut text = String::new();
    for seed in seeds {
        for mapping in Mapping::ALL {
            let report = simulate::run(seed, mapping, command.trace);
            result.histories += 1;
            result.events += report.log.len() as u64;
            result.commands += u64::from(report.commands);
            if command.trace {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "==== seed {seed}, rules {mapping:?}\n{}", report.trace);
            }
            let row = |finding: &simulate::Finding| Row {
                seed,
                rules: format!("{mapping:?}"),
                finding: finding.to_string(),
            };
            let (counted, forbidden): (Vec<_>, Vec<_>) = report.findings.iter().partition(|f| f.is_counted());
            result.findings.extend(forbidden.into_iter().map(row));
            result.counted.extend(counted.into_iter().map(row));
        }
    }
    if command.json {
        output::json(&result)?;
    } else {
        let Result { histories, events, commands, findings, counted } = &result;
        for row in findings {
            let _ = writeln!(text, "seed {}, rules {}: {}", row.seed, row.rules, row.finding);
        }
        for row in counted.iter().take(COUNTED_SHOWN_MAX) {
            let _ = writeln!(text, "counted: seed {}, rules {}: {}", row.seed, row.rules, row.finding);
        }
        let (findings, counted) = (findings.len(), counted.len());
        let _ = writeln!(
            text,
            "{histories} histories, {events} events, {commands} commands: {findings} findings; {counted} choices that could not be known"
        );
        output::result(&text)?;
    }
    Ok(if result.findings.is_empty() { Outcome::Done } else { Outcome::Failed })
}
