//! `lockstep directory`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use lockstep::bus::AnyBus;
use lockstep::control::Control;
use lockstep::document::{Document, Mistakes};

use super::operator::{Log, Said};
use super::output::{self, GREEN, Outcome, RED};
use super::report;

#[derive(Subcommand)]
pub(super) enum Directory {
    /// Make the directory in the log what a file says: users, agents, statuses, codes, teams and links
    #[command(after_help = "\
The file is the whole directory: what it does not have is removed. Links that are new or gone, and agents who are in
another team, become events for the processor.

Examples:
  lockstep directory import examples/directory.toml --reason 'first import'
  lockstep directory import directory.json --reason 'new hires' --json")]
    Import(Import),
}

#[derive(Args)]
pub(super) struct Import {
    /// Who is who, in TOML, or in JSON where the name ends in .json
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    said: Said,
}

pub(super) fn run(command: Directory) -> anyhow::Result<Outcome> {
    match command {
        Directory::Import(command) => import(&command),
    }
}

fn import(command: &Import) -> anyhow::Result<Outcome> {
    #[derive(Serialize)]
    struct Told {
        written: usize,
        removed: usize,
        linked: usize,
        unlinked: usize,
        moved: usize,
    }
    let operator = command.said.why.operator()?;
    let document = Document::open(&command.file)?;
    let mut mistakes = Mistakes::new();
    let directory = lockstep::directory::Directory::read(&document, &mut mistakes);
    output::aside(&report::text(&document, &mistakes));
    let Some(directory) = directory.filter(|_| mistakes.errors() == 0) else {
        let count = report::count(mistakes.errors(), mistakes.warnings());
        output::aside(&format!("{}: {RED}not imported{RED:#}: {count}\n", document.name()));
        return Ok(Outcome::Failed);
    };
    let log = Log::open(&command.said.configured)?;
    let mut control: Control<'_, AnyBus> = Control::begin(&log.bus, &log.codec, &log.plan)?;
    let imported = control.import(&directory, &operator)?;
    let lockstep::control::Imported { written, removed, linked, unlinked, moved } = imported;
    if command.said.json {
        output::json(&Told { written, removed, linked, unlinked, moved })?;
    } else {
        output::result(&format!(
            "{}: {GREEN}imported{GREEN:#}: {written} entries written, {removed} removed; {linked} linked, {unlinked} unlinked, {moved} moved to another team\n",
            document.name()
        ))?;
    }
    Ok(Outcome::Done)
}
