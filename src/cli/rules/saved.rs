//! Rules on their way into the log, and what is there.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use lockstep::bus::AnyBus;
use lockstep::control::{Activation, Control, Revisions, Saved, directory_in_log};
use lockstep::directory::Directory;
use lockstep::document::{Document, Mistakes};
use lockstep::rules::Revision;

use super::facts::{differences, facts};
use crate::cli::deployment::Configured;
use crate::cli::operator::{Log, Said, when};
use crate::cli::output::{self, DIM, GREEN, Outcome, RED};
use crate::cli::report;

#[derive(Args)]
pub(in crate::cli) struct Apply {
    /// The rules, in TOML
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Who is who, in place of the directory that was imported
    #[arg(long, value_name = "FILE")]
    directory: Option<PathBuf>,
    /// Activate the revision, too
    #[arg(long)]
    activate: bool,
    #[command(flatten)]
    said: Said,
}

#[derive(Args)]
pub(in crate::cli) struct Activate {
    /// The revision, or how its id begins
    #[arg(value_name = "REVISION")]
    revision: String,
    #[command(flatten)]
    said: Said,
}

#[derive(Args)]
pub(in crate::cli) struct RollBack {
    #[command(flatten)]
    said: Said,
}

#[derive(Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    configured: Configured,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Show {
    /// The revision, or how its id begins; default: the one in force
    #[arg(value_name = "REVISION")]
    revision: Option<String>,
    #[command(flatten)]
    configured: Configured,
}

#[derive(Args)]
pub(in crate::cli) struct Diff {
    /// The revision before, or how its id begins
    #[arg(value_name = "BEFORE")]
    before: String,
    /// The revision after
    #[arg(value_name = "AFTER")]
    after: String,
    #[command(flatten)]
    configured: Configured,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct ActivationRow {
    epoch: u64,
    revision: String,
    at: String,
    actor: String,
    reason: String,
}

impl ActivationRow {
    fn of(activation: &Activation) -> ActivationRow {
        ActivationRow {
            epoch: activation.epoch.0,
            revision: activation.revision.to_string(),
            at: when(activation.at),
            actor: activation.actor.clone(),
            reason: activation.reason.clone(),
        }
    }
}

#[derive(Serialize)]
struct SavedRow {
    revision: String,
    at: String,
    actor: String,
    reason: String,
    records: usize,
    in_force: bool,
}

pub(super) fn apply(command: &Apply) -> anyhow::Result<Outcome> {
    let operator = command.said.why.operator()?;
    let rules = Document::open(&command.file)?;
    let log = Log::make(&command.said.configured.load()?)?;
    let mut mistakes = Mistakes::new();
    let directory = match &command.directory {
        None => Some(directory_in_log(&log.bus, &log.codec, &log.plan)?),
        Some(path) => {
            let document = Document::open(path)?;
            let directory = Directory::read(&document, &mut mistakes);
            output::aside(&report::text(&document, &mistakes));
            directory.filter(|_| mistakes.errors() == 0)
        }
    };
    let Some(directory) = directory else { return Ok(Outcome::Failed) };
    anyhow::ensure!(
        !directory.vocabulary.salesforce.is_empty() || !directory.vocabulary.cxone.is_empty(),
        "the directory is empty, so no name in the rules can be looked up: `lockstep directory import FILE` first, or give one with --directory"
    );
    let mut mistakes = Mistakes::new();
    let revision = lockstep::rules::check(&rules, Some(&directory), &mut mistakes);
    output::aside(&report::text(&rules, &mistakes));
    let Some(revision) = revision.filter(|_| mistakes.errors() == 0) else {
        let count = report::count(mistakes.errors(), mistakes.warnings());
        output::aside(&format!("{}: {RED}not saved{RED:#}: {count}\n", rules.name()));
        return Ok(Outcome::Failed);
    };
    let mut control = log.control()?;
    let (saved, is_new) = control.save(&revision, &operator)?;
    let activation = if command.activate { Some(control.activate(&saved, &operator)?) } else { None };
    told(&saved, is_new, activation.as_ref(), command.said.json)?;
    Ok(Outcome::Done)
}

fn told(saved: &Saved, is_new: bool, activation: Option<&Activation>, json: bool) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Told {
        revision: String,
        is_new: bool,
        activation: Option<ActivationRow>,
    }
    let revision = saved.manifest.revision.to_string();
    if json {
        let activation = activation.map(ActivationRow::of);
        return output::json(&Told { revision, is_new, activation });
    }
    let how = if is_new { "saved" } else { "was saved before, just the same" };
    let mut text = format!("revision {revision} {GREEN}{how}{GREEN:#}\n");
    match activation {
        Some(activation) => text.push_str(&in_force(activation)),
        None => text.push_str(&format!(
            "{DIM}put it into force with:{DIM:#} lockstep rules activate {revision} --reason ...\n"
        )),
    }
    output::result(&text)
}

fn in_force(activation: &Activation) -> String {
    format!(
        "revision {} {GREEN}is in force{GREEN:#} as activation {}; processors take it over at this place of the log\n",
        activation.revision, activation.epoch.0
    )
}

fn activated(activation: &Activation, json: bool) -> anyhow::Result<Outcome> {
    if json {
        output::json(&ActivationRow::of(activation))?;
    } else {
        output::result(&in_force(activation))?;
    }
    Ok(Outcome::Done)
}

pub(super) fn activate(command: &Activate) -> anyhow::Result<Outcome> {
    let operator = command.said.why.operator()?;
    let log = Log::open(&command.said.configured)?;
    let saved = Revisions::new(&log.plan).find(&log.bus, &log.codec, &command.revision)?;
    let mut control: Control<'_, AnyBus> = log.control()?;
    activated(&control.activate(&saved, &operator)?, command.said.json)
}

pub(super) fn roll_back(command: &RollBack) -> anyhow::Result<Outcome> {
    let operator = command.said.why.operator()?;
    let log = Log::open(&command.said.configured)?;
    let mut control: Control<'_, AnyBus> = log.control()?;
    activated(&control.roll_back(&operator)?, command.said.json)
}

pub(super) fn list(command: &List) -> anyhow::Result<Outcome> {
    #[derive(Serialize)]
    struct Listed {
        revisions: Vec<SavedRow>,
        activations: Vec<ActivationRow>,
    }
    let log = Log::open(&command.configured)?;
    let saved = Revisions::new(&log.plan).list(&log.bus, &log.codec)?;
    let activations = Activation::all(&log.bus, &log.codec, &log.plan)?;
    let in_force = activations.last().map(|last| last.revision);
    let revisions = saved.iter().map(|saved| SavedRow {
        revision: saved.manifest.revision.to_string(),
        at: when(saved.manifest.created_at),
        actor: saved.manifest.operator.actor.to_string(),
        reason: saved.manifest.operator.reason.to_string(),
        records: saved.manifest.parts.len(),
        in_force: Some(saved.manifest.revision) == in_force,
    });
    let listed = Listed {
        revisions: revisions.collect(),
        activations: activations.iter().map(ActivationRow::of).collect(),
    };
    if command.json {
        output::json(&listed)?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    if listed.revisions.is_empty() {
        text.push_str("no rules were saved yet: lockstep rules apply FILE --reason ...\n");
    }
    for SavedRow { revision, at, actor, reason, in_force, .. } in &listed.revisions {
        let mark = if *in_force { format!("{GREEN}in force{GREEN:#}") } else { "        ".to_owned() };
        text.push_str(&format!("{revision}  {mark}  saved {at} by {actor}: {reason}\n"));
    }
    for ActivationRow { epoch, revision, at, actor, reason } in &listed.activations {
        text.push_str(&format!("activation {epoch}: {revision}, {at} by {actor}: {reason}\n"));
    }
    output::result(&text)?;
    Ok(Outcome::Done)
}

fn find(log: &Log, begin: &str) -> anyhow::Result<Revision> {
    let revisions = Revisions::new(&log.plan);
    let saved = revisions.find(&log.bus, &log.codec, begin)?;
    Ok(revisions.load(&log.bus, &log.codec, saved.manifest.revision, None)?.1)
}

pub(super) fn show(command: &Show) -> anyhow::Result<Outcome> {
    let log = Log::open(&command.configured)?;
    let wanted = match &command.revision {
        Some(wanted) => wanted.clone(),
        None => {
            let last = Activation::all(&log.bus, &log.codec, &log.plan)?.pop();
            let Some(last) = last else {
                anyhow::bail!("no revision is in force yet: lockstep rules activate REVISION --reason ...")
            };
            last.revision.to_string()
        }
    };
    let revision = find(&log, &wanted)?;
    output::result(&facts(&revision).iter().map(|fact| format!("{fact}\n")).collect::<String>())?;
    Ok(Outcome::Done)
}

pub(super) fn diff(command: &Diff) -> anyhow::Result<Outcome> {
    #[derive(Serialize)]
    struct Differences {
        only_before: Vec<String>,
        only_after: Vec<String>,
    }
    let log = Log::open(&command.configured)?;
    let (before, after) = (find(&log, &command.before)?, find(&log, &command.after)?);
    let (only_before, only_after) = differences(&before, &after);
    if command.json {
        output::json(&Differences { only_before, only_after })?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    only_before.iter().for_each(|fact| text.push_str(&format!("{RED}- {fact}{RED:#}\n")));
    only_after.iter().for_each(|fact| text.push_str(&format!("{GREEN}+ {fact}{GREEN:#}\n")));
    if text.is_empty() {
        text.push_str("they say the same\n");
    }
    output::result(&text)?;
    Ok(Outcome::Done)
}
