//! `lockstep bench rules`: a plausible large centre is written as text, read and checked.

use std::fmt::Write;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use lockstep::directory::Directory;
use lockstep::document::{Document, Mistakes, Syntax};

use super::median;
use crate::cli::output::{self, Outcome};

/// What the check must stay under, in ms.
const LIMIT_MS: f64 = 1_000.0;

#[derive(Args)]
pub(in crate::cli) struct Rules {
    /// Rules in the file, each for a team of its own
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rules: u32,
    /// Rows of each rule, half of them in either direction
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=200))]
    rows: u32,
    /// Linked agents in the directory
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    agents: u32,
    /// How often it is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// Times are medians in ms.
#[derive(Serialize)]
struct Figures {
    rules: u32,
    rows: u32,
    agents: u32,
    runs: usize,
    /// From the text of the rules to their tables, against a directory at hand.
    rules_check_ms: f64,
    rules_check_ms_min: f64,
    rules_check_ms_max: f64,
    rules_check_ms_limit: f64,
    rules_check_of_limit: f64,
    /// From the text of the directory to the directory.
    directory_read_ms: f64,
    directory_bytes: usize,
    rules_bytes: usize,
}

pub(super) fn run(command: &Rules) -> anyhow::Result<Outcome> {
    let (rules_text, directory_text) = (rules(command), directory(command));
    let (rules_bytes, directory_bytes) = (rules_text.len(), directory_text.len());
    let rules = Document::new("rules.toml", rules_text, Syntax::Toml);
    let directory = Document::new("directory.json", directory_text, Syntax::Json);
    let (mut check_ms, mut read_ms) = (Vec::new(), Vec::new());
    for _ in 0..command.runs {
        let mut mistakes = Mistakes::new();
        let begun = Instant::now();
        let known = Directory::read(&directory, &mut mistakes);
        read_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
        let begun = Instant::now();
        let revision = lockstep::rules::check(&rules, known.as_ref(), &mut mistakes);
        check_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
        anyhow::ensure!(
            revision.is_some() && mistakes.is_empty(),
            "the rules of the benchmark have mistakes"
        );
    }
    check_ms.sort_by(f64::total_cmp);
    read_ms.sort_by(f64::total_cmp);
    let figures = Figures {
        rules: command.rules,
        rows: command.rows,
        agents: command.agents,
        runs: check_ms.len(),
        rules_check_ms: median(&check_ms),
        rules_check_ms_min: check_ms.first().copied().unwrap_or_default(),
        rules_check_ms_max: check_ms.last().copied().unwrap_or_default(),
        rules_check_ms_limit: LIMIT_MS,
        rules_check_of_limit: median(&check_ms) / LIMIT_MS,
        directory_read_ms: median(&read_ms),
        directory_bytes,
        rules_bytes,
    };
    if command.json {
        output::json(&figures)?;
    } else {
        output::result(&format!(
            "{} rules of {} rows, {} agents, {} runs\n\
             check of the rules   {:8.1} ms median ({:.1} to {:.1}), {:.0} % of the limit of {LIMIT_MS} ms\n\
             read of the directory{:8.1} ms median ({:.1} MB)\n",
            figures.rules,
            figures.rows,
            figures.agents,
            figures.runs,
            figures.rules_check_ms,
            figures.rules_check_ms_min,
            figures.rules_check_ms_max,
            figures.rules_check_of_limit * 100.0,
            figures.directory_read_ms,
            directory_bytes as f64 / 1e6,
        ))?;
    }
    Ok(Outcome::Done)
}

/// One rule for each team, mapping each of its statuses to a code of its own and back.
fn rules(command: &Rules) -> String {
    let mut text = String::new();
    for rule in 0..command.rules {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[[rule]]\nname = \"Rule {rule}\"\nteams = [\"Team {rule}\"]\n[rule.cxone_to_salesforce]\n"
        );
        for row in 0..command.rows / 2 {
            let _ = writeln!(text, "\"Unavailable/Code {row}\" = \"Status_{row}\"");
        }
        text.push_str("[rule.salesforce_to_cxone]\n");
        for row in 0..command.rows.div_ceil(2) {
            let _ = writeln!(text, "\"Zustand für {row}\" = \"Unavailable/Code {row}\"");
        }
    }
    text
}

fn directory(command: &Rules) -> String {
    let statuses = command.rows.div_ceil(2);
    let list =
        |count: u32, item: &dyn Fn(u32) -> String| (0..count).map(item).collect::<Vec<_>>().join(",\n");
    let codes = list(statuses, &|i| format!(r#"{{"id": {}, "name": "Code {i}"}}"#, 1_000 + i));
    let ids = list(statuses, &|i| (1_000 + i).to_string());
    let teams = list(command.rules, &|i| format!(r#"{{"id": {i}, "name": "Team {i}", "codes": [{ids}]}}"#));
    let status = |i: u32| {
        format!(
            r#"{{"id": "0N5{i:012}", "developer_name": "Status_{i}", "label": "Zustand für {i}", "granted_to": ["Agent {i}", "Omni"]}}"#
        )
    };
    let user = |i: u32| {
        format!(
            r#"{{"id": "005{i:012}", "user_name": "agent.{i}@example.com", "email": "agent.{i}@mail.example.com", "profile": "Agent {}", "permission_sets": ["Omni"]}}"#,
            i % 7
        )
    };
    let agent = |i: u32| {
        format!(
            r#"{{"id": {i}, "user_name": "agent.{i}@cx.example.com", "email": "agent.{i}@mail.example.com", "team": {}}}"#,
            i % command.rules
        )
    };
    let link = |i: u32| format!(r#"{{"salesforce": "main/005{i:012}", "cxone": "main/{i}"}}"#);
    format!(
        "{{\"salesforce\": {{\"main\": {{\"statuses\": [{}], \"users\": [{}]}}}},\n\"cxone\": {{\"main\": {{\"codes\": [{codes}], \"teams\": [{teams}], \"agents\": [{}]}}}},\n\"links\": [{}]}}",
        list(statuses, &status),
        list(command.agents, &user),
        list(command.agents, &agent),
        list(command.agents, &link),
    )
}
