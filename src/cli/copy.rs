//! `lockstep copy`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use lockstep::bus::{AnyBus, TopicsPlan};
use lockstep::codec::Codec;
use lockstep::copy::{Copied, Site, Step, copy};
use lockstep::processor::States;

use super::deployment::{self, Configured, Deployment};
use super::output::{self, GREEN, Outcome, YELLOW};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

#[derive(Args)]
#[command(after_help = "\
Everything that is kept is copied: the history with its offsets and times, the states, the rules,
the directory. What a data directory has no settings for is taken from the configuration at the
other end. Stop what runs at the source first, and do not start it again: two would go on, each for
itself. The source is left as it is.

Examples:
  lockstep copy --from ./data --to lockstep.toml     # a small site moves to Kafka
  lockstep copy --from lockstep.toml --to ./copy     # the history of a large one, to look into")]
pub(super) struct Copy {
    /// What is copied: a data directory, or the configuration of a deployment on Kafka
    #[arg(long, value_name = "DIR|FILE")]
    from: PathBuf,
    /// Where it is copied to: a data directory that is absent or empty, or the configuration of a deployment on Kafka that
    /// has no topics yet
    #[arg(long, value_name = "DIR|FILE")]
    to: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// One end of a copy.
struct End {
    path: PathBuf,
    bus: AnyBus,
    codec: Codec,
    plan: TopicsPlan,
}

/// The result as `--json` prints it.
#[derive(Serialize)]
struct Told {
    records: u64,
    foreign: u64,
    topics: Vec<ToldTopic>,
    partitions: Vec<ToldStates>,
}

#[derive(Serialize)]
struct ToldTopic {
    topic: String,
    records: u64,
}

#[derive(Serialize)]
struct ToldStates {
    partition: u32,
    next: Option<u64>,
    agents: usize,
    state_hash: String,
}

pub(super) fn run(command: &Copy) -> anyhow::Result<Outcome> {
    let Copy { from, to, json } = command;
    anyhow::ensure!(
        from.exists(),
        "there is no {}: --from names a data directory, or the configuration of a deployment on Kafka",
        from.display()
    );
    let is_one = from.canonicalize().ok().zip(to.canonicalize().ok()).is_some_and(|(from, to)| from == to);
    anyhow::ensure!(!is_one, "--from and --to are both {}: name two", from.display());
    let from = End::source(from, to)?;
    let to = End::target(to, &from)?;
    let mut told = Instant::now();
    let mut tell = |step: Step<'_>| match step {
        Step::WaitingForMembers(group) => output::aside(&format!(
            "waiting for up to a minute until nobody is in the group {group}: who was stopped just now is for 10 s\n"
        )),
        Step::Copying(place, done, all) if told.elapsed() >= TELL_EVERY => {
            told = Instant::now();
            output::aside(&format!("{place}: {done} of {all} offsets\n"));
        }
        Step::Copying(..) => {}
    };
    let copied = copy(&from.site(), &to.site(), &mut tell)?;
    if *json {
        output::json(&as_json(&copied))?
    } else {
        output::result(&as_text(&copied, &from, &to)?)?
    }
    Ok(Outcome::Done)
}

impl End {
    /// Reaches what is copied. A directory says itself what it has.
    fn source(path: &Path, other: &Path) -> anyhow::Result<End> {
        let deployment = configured(path, other).load()?;
        let deployment = Deployment { is_configured: deployment.data.is_none(), ..deployment };
        deployment.is_there()?;
        let bus = deployment.bus_alone()?;
        let plan = deployment.topics_at(&bus)?;
        let codec = deployment::codec_blocking(&deployment.config)?;
        Ok(End { path: path.to_owned(), bus, codec, plan })
    }

    /// Reaches where it is copied to. A directory becomes as the source is.
    fn target(path: &Path, source: &End) -> anyhow::Result<End> {
        let deployment = configured(path, &source.path).load()?;
        let bus = deployment.bus_alone()?;
        let plan = deployment.topics();
        let path = path.to_owned();
        if deployment.data.is_none() {
            let codec = deployment::codec_blocking(&deployment.config)?;
            return Ok(End { path, bus, codec, plan });
        }
        let plan = TopicsPlan { replicas: plan.replicas, ..source.plan.clone() };
        // Who reads it need not know of any schema registry.
        Ok(End { path, bus, codec: Codec::single_object()?, plan })
    }

    const fn site(&self) -> Site<'_, AnyBus> {
        Site { bus: &self.bus, codec: &self.codec, plan: &self.plan }
    }

    /// The option that names it.
    fn option(&self) -> String {
        let option = if is_file(&self.path) { "config" } else { "data" };
        format!("--{option} {}", self.path.display())
    }
}

/// What a path names. What a directory has no settings for is as at the other end.
fn configured(path: &Path, other: &Path) -> Configured {
    if is_file(path) {
        return Configured { config: Some(path.to_owned()), data: None };
    }
    let config = Some(other.to_owned()).filter(|other| is_file(other));
    Configured { config, data: Some(path.to_owned()) }
}

/// Whether a path is a configuration, and no data directory.
fn is_file(path: &Path) -> bool {
    path.is_file() || !path.exists() && path.extension().is_some_and(|end| end == "toml" || end == "json")
}

fn as_json(copied: &Copied) -> Told {
    let states = copied.states.iter().map(|states| ToldStates {
        partition: states.partition,
        next: states.next.map(|next| next.0),
        agents: states.agents,
        state_hash: states.found.to_string(),
    });
    Told {
        records: copied.topics.iter().map(|(_, records)| records).sum(),
        foreign: copied.foreign,
        topics: copied
            .topics
            .iter()
            .map(|(topic, records)| ToldTopic { topic: topic.to_string(), records: *records })
            .collect(),
        partitions: states.collect(),
    }
}

fn as_text(copied: &Copied, from: &End, to: &End) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for (topic, records) in &copied.topics {
        writeln!(text, "{topic:<30} {records:>12} records")?;
    }
    for States { partition, next, agents, found, .. } in &copied.states {
        let next = next.map_or_else(|| "nothing dealt with".to_owned(), |next| format!("next event {next}"));
        writeln!(text, "partition {partition:<3} {agents:>8} agents, {next}, state hash {found}")?;
    }
    if copied.foreign > 0 {
        writeln!(
            text,
            "{YELLOW}warning{YELLOW:#}: {} records are none that this Lockstep can read, and are as they were",
            copied.foreign
        )?;
    }
    writeln!(
        text,
        "{GREEN}copied{GREEN:#}: the states are those that were committed. Go on with `lockstep run {}`, and no more with {}",
        to.option(),
        from.path.display()
    )?;
    Ok(text)
}
