//! `lockstep rules`.

mod facts;
mod saved;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use lockstep::directory::Directory;
use lockstep::document::{Document, Mistakes};

use super::output::{self, GREEN, Outcome, RED};
use super::report;

#[derive(Subcommand)]
pub(super) enum Rules {
    /// Check a rules file: every mistake at once, with its line and what to write instead
    #[command(after_help = "\
Errors make the exit code 1; warnings do not.

Examples:
  lockstep rules check examples/rules.toml --directory examples/directory.toml
  lockstep rules check rules.toml                 # the file alone, every name taken as known
  lockstep rules check rules.toml --json | jq .mistakes")]
    Check(Check),
    /// Save rules as a revision, checked whole against the directory in the log
    #[command(after_help = "\
The same rules are the same revision, however often they are applied.

Examples:
  lockstep rules apply rules.toml --reason 'lunch is a break now'
  lockstep rules apply rules.toml --reason 'lunch is a break now' --activate")]
    Apply(saved::Apply),
    /// Put a revision into force
    #[command(after_help = "\
Every processor takes it over at the same place of the log, agent by agent.

Example:
  lockstep rules activate 3f2a --reason 'approved by the works council'")]
    Activate(saved::Activate),
    /// Put the revision before the one in force into force again
    #[command(after_help = "\
Example:
  lockstep rules rollback --reason 'agents are set to Busy'")]
    Rollback(saved::RollBack),
    /// List the revisions that were saved, and every activation
    #[command(after_help = "\
Examples:
  lockstep rules list
  lockstep rules list --json")]
    List(saved::List),
    /// Show what a revision says, a fact a line
    #[command(after_help = "\
Examples:
  lockstep rules show           # what is in force
  lockstep rules show 3f2a")]
    Show(saved::Show),
    /// Show what only one of two revisions says
    #[command(after_help = "\
Example:
  lockstep rules diff 3f2a 91c0")]
    Diff(saved::Diff),
}

#[derive(Args)]
pub(super) struct Check {
    /// The rules, in TOML
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Who is who: statuses, codes, teams, people and links, in TOML, or in JSON where the name ends in .json
    #[arg(long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The result as `--json` prints it.
#[derive(Serialize)]
struct Checked<'c> {
    ok: bool,
    errors: usize,
    warnings: usize,
    /// Whether names were looked up in a directory.
    against_directory: bool,
    mistakes: Vec<report::Row<'c>>,
}

pub(super) fn run(command: Rules) -> anyhow::Result<Outcome> {
    match command {
        Rules::Check(command) => check(&command),
        Rules::Apply(command) => saved::apply(&command),
        Rules::Activate(command) => saved::activate(&command),
        Rules::Rollback(command) => saved::roll_back(&command),
        Rules::List(command) => saved::list(&command),
        Rules::Show(command) => saved::show(&command),
        Rules::Diff(command) => saved::diff(&command),
    }
}

fn check(command: &Check) -> anyhow::Result<Outcome> {
    let rules = Document::open(&command.file)?;
    let directory_file = command.directory.as_deref().map(Document::open).transpose()?;
    let mut in_directory = Mistakes::new();
    let directory = directory_file.as_ref().and_then(|file| Directory::read(file, &mut in_directory));
    // Names that a broken directory lacks would be told as mistakes of the rules.
    let directory = directory.filter(|_| in_directory.errors() == 0);
    let mut in_rules = Mistakes::new();
    lockstep::rules::check(&rules, directory.as_ref(), &mut in_rules);

    let errors = in_directory.errors() + in_rules.errors();
    let warnings = in_directory.warnings() + in_rules.warnings();
    let ok = errors == 0;
    let mut files: Vec<_> = directory_file.iter().map(|file| (file, &in_directory)).collect();
    files.push((&rules, &in_rules));
    if command.json {
        let mistakes = files.iter().flat_map(|(file, mistakes)| report::rows(file, mistakes)).collect();
        output::json(&Checked { ok, errors, warnings, against_directory: directory.is_some(), mistakes })?;
    } else {
        let mut text: String = files.iter().map(|(file, mistakes)| report::text(file, mistakes)).collect();
        let (colour, verdict) = if ok { (GREEN, "good") } else { (RED, "not usable") };
        let count = report::count(errors, warnings);
        text.push_str(&format!("{}: {colour}{verdict}{colour:#}: {count}\n", rules.name()));
        output::result(&text)?;
        if directory.is_none() {
            let why =
                if directory_file.is_some() { "the directory has errors" } else { "there is no --directory" };
            output::aside(&format!(
                "note: {why}, so every status, code, team and agent was taken as known; grants and what round trips lose were not checked\n"
            ));
        }
    }
    Ok(if ok { Outcome::Done } else { Outcome::Failed })
}
