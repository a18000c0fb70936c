//! `lockstep config`.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use lockstep::config;

use super::deployment::Configured;
use super::output::{self, Outcome};
use super::report;

#[derive(Subcommand)]
pub(super) enum Config {
    /// Print a commented configuration to begin with, or write it to a file
    #[command(after_help = "Examples:\n  lockstep config init\n  lockstep config init --out lockstep.toml")]
    Init(Init),
    /// Print what a configuration resolves to: defaults filled in, secrets hidden
    #[command(
        after_help = "Examples:\n  lockstep config show --config lockstep.toml\n  lockstep config show --json"
    )]
    Show(Show),
    /// Print the JSON schema of a configuration: every key, what it means, what it may be
    #[command(after_help = "Example:\n  lockstep config schema > lockstep.schema.json")]
    Schema,
}

#[derive(Args)]
pub(super) struct Init {
    /// Write to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    configured: Configured,
    /// Print JSON instead of TOML
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: Config) -> anyhow::Result<Outcome> {
    match command {
        Config::Init(Init { out: None }) => output::result(config::TEMPLATE).map(|()| Outcome::Done),
        Config::Init(Init { out: Some(path) }) => init(&path),
        Config::Show(show) => self::show(&show),
        Config::Schema => output::json(&config::Config::schema()).map(|()| Outcome::Done),
    }
}

fn init(path: &Path) -> anyhow::Result<Outcome> {
    let shown = path.display();
    let mut file = match std::fs::File::create_new(path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            anyhow::bail!(
                "{shown} is there already and was left as it is: delete it first, or choose another name"
            )
        }
        created => created.with_context(|| format!("cannot create {shown}"))?,
    };
    file.write_all(config::TEMPLATE.as_bytes()).with_context(|| format!("cannot write {shown}"))?;
    output::aside(&format!(
        "{shown} is written. Fill it in, then look at it with: lockstep config show --config {shown}\n"
    ));
    Ok(Outcome::Done)
}

fn show(show: &Show) -> anyhow::Result<Outcome> {
    let document = show.configured.document()?;
    let (config, mistakes) = show.configured.read(&document);
    if config.is_none() && show.json {
        output::json(&serde_json::json!({ "ok": false, "mistakes": report::rows(&document, &mistakes) }))?;
        return Ok(Outcome::Failed);
    }
    output::aside(&report::text(&document, &mistakes));
    let Some(config) = config else {
        let count = report::count(mistakes.errors(), mistakes.warnings());
        anyhow::bail!("{} cannot be used: {count}", document.name());
    };
    if show.json {
        output::json(&config)?;
    } else {
        output::result(&toml::to_string(&config).context("cannot write the configuration as TOML")?)?;
    }
    Ok(Outcome::Done)
}
