//! `lockstep directory`.

pub(super) mod loaded;
mod people;
mod refresh;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use lockstep::bus::AnyBus;
use lockstep::control::{Control, Imported};
use lockstep::document::{Document, Mistakes};

use super::operator::{Log, Said};
use super::output::{self, GREEN, Outcome, RED};
use super::report;

#[derive(Subcommand)]
pub(super) enum Directory {
    /// Get people, statuses and codes from both platforms, and link who is the same person
    #[command(after_help = "\
Agents are linked with users of Salesforce by `link_by` of [directory]: e-mail address, federation
id, user name. Who has no match or several is not linked: `lockstep directory unlinked` says why.
Who is linked stays so.

Salesforce does not tell who may use which status: what an imported file said of that stays.

Its calls are made at a tenth of the account's rate, beside those of `lockstep run`.

Examples:
  lockstep directory refresh --reason 'new hires'
  lockstep directory refresh emea --dry-run --reason 'what would change'
  lockstep directory refresh salesforce.emea --reason 'a new status'")]
    Refresh(refresh::Refresh),
    /// Make the accounts in the log what a file says: users, agents, statuses, codes, teams and links
    #[command(after_help = "\
The file is the whole of the accounts that it has: what is not in it is removed from them. Other
accounts stay as they are. Links that are new or gone, and agents who are in another team, become
events for the processor.

Examples:
  lockstep directory import examples/directory.toml --reason 'first import'
  lockstep directory import directory.json --reason 'new hires' --json")]
    Import(Import),
    /// Show what the directory knows: of everything how much, or of somebody all
    #[command(after_help = "\
Examples:
  lockstep directory show
  lockstep directory show ada@example.com
  lockstep directory show emea/293558 --json")]
    Show(people::Show),
    /// List the agents of CXone who are not linked, and why
    #[command(after_help = "\
Example:
  lockstep directory unlinked | grep 'people have'")]
    Unlinked(people::UnlinkedOnes),
    /// Link a user of Salesforce and an agent of CXone by hand, or many from a file
    #[command(after_help = "\
Either is named by ACCOUNT/ID, or by an e-mail address, user name or federation id that nobody else
has. A CSV file has a user and an agent on each line; a first line that begins with `salesforce` is
its head.

Examples:
  lockstep directory link main/0055g00000abcde emea/293558 --reason 'has two addresses'
  lockstep directory link ada@example.com ada@cx.example.com --reason 'has two addresses'
  lockstep directory link --csv links.csv --reason 'mapping of HR'")]
    Link(people::LinkOnes),
    /// Remove a link: the agent is kept in step no more, and only a link by hand makes one again
    #[command(after_help = "\
Example:
  lockstep directory unlink ada@example.com --reason 'left the company'")]
    Unlink(people::One),
    /// Forget somebody: his state, his link, and who he is
    #[command(after_help = "\
He may be linked, or not. His entries and his state are removed now. Events, decisions and dead
letters about him have his id and no name; they go when their retention is over. Remove him on the
platforms first: `directory refresh` would find him again.

Example:
  lockstep directory forget ada@example.com --reason 'ticket 4711'")]
    Forget(people::One),
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
        Directory::Refresh(command) => refresh::run(&command),
        Directory::Import(command) => import(&command),
        Directory::Show(command) => people::show(&command),
        Directory::Unlinked(command) => people::unlinked(&command),
        Directory::Link(command) => people::link(&command),
        Directory::Unlink(command) => people::unlink(&command),
        Directory::Forget(command) => people::forget(&command),
    }
}

fn import(command: &Import) -> anyhow::Result<Outcome> {
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
    let log = Log::make(&command.said.configured.load()?)?;
    let mut control: Control<'_, AnyBus> = log.control()?;
    let imported = control.import(&directory, &operator)?;
    tell(&imported, &format!("{}: {GREEN}imported{GREEN:#}", document.name()), command.said.json)
}

/// What has changed in the directory.
#[derive(Serialize)]
struct Changed {
    written: usize,
    removed: usize,
    linked: usize,
    unlinked: usize,
    moved: usize,
}

impl From<&Imported> for Changed {
    fn from(imported: &Imported) -> Changed {
        let Imported { written, removed, linked, unlinked, moved } = *imported;
        Changed { written, removed, linked, unlinked, moved }
    }
}

fn tell(imported: &Imported, what: &str, as_json: bool) -> anyhow::Result<Outcome> {
    let changed = Changed::from(imported);
    if as_json {
        output::json(&changed)?;
    } else {
        output::result(&format!("{what}: {}\n", changed.text()))?;
    }
    Ok(Outcome::Done)
}

impl Changed {
    fn text(&self) -> String {
        let Changed { written, removed, linked, unlinked, moved } = self;
        format!(
            "{written} entries written, {removed} removed; {linked} linked, {unlinked} unlinked, {moved} moved to another team"
        )
    }
}
