//! `lockstep topics`.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::{Args, Subcommand};
use serde::Serialize;

use lockstep::bus::{AnyBus, Bus, Difference, Found, Severity, Topic, TopicSpec, TopicsPlan};

use super::deployment::{Configured, Deployment};
use super::output::{self, DIM, GREEN, Outcome, RED, YELLOW};
use super::report;

#[derive(Subcommand)]
pub(super) enum Topics {
    /// Make the topics that are missing; what is there already is left as it is, and looked at
    #[command(after_help = "\
Nothing is ever deleted, and no topic gets another number of partitions.

Examples:
  lockstep topics create --config lockstep.toml
  lockstep topics create --json | jq '.topics[] | select(.was == \"missing\") | .topic'")]
    Create(Look),
    /// Look whether all topics are there and set as they must be; say what differs and how to mend it
    #[command(after_help = "\
Errors make the exit code 1; warnings do not.

Examples:
  lockstep topics check --config lockstep.toml
  lockstep topics check --json | jq '.topics[].differences'")]
    Check(Look),
    /// Show every topic: what it is for, how it should be set, and how it is
    #[command(after_help = "\
Examples:
  lockstep topics describe --config lockstep.toml
  lockstep topics describe --offline     # for whoever makes them by other means")]
    Describe(Describe),
}

#[derive(Args)]
pub(super) struct Look {
    #[command(flatten)]
    configured: Configured,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Describe {
    #[command(flatten)]
    look: Look,
    /// Only how they should be: Kafka is not asked
    #[arg(long)]
    offline: bool,
}

/// The result as `--json` prints it.
#[derive(Serialize)]
struct Looked {
    ok: bool,
    errors: usize,
    warnings: usize,
    topics: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    topic: String,
    /// Before this command: `there` or `missing`; absent where Kafka was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<&'static str>,
    holds: &'static str,
    wanted: Shape,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<Shape>,
    differences: Vec<Told>,
}

/// How a topic is, or should be.
#[derive(Serialize)]
struct Shape {
    partitions: u32,
    replication_factor: u16,
    settings: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Told {
    severity: &'static str,
    what: String,
    wanted: String,
    found: String,
    because: &'static str,
    mend: String,
}

pub(super) fn run(command: Topics) -> anyhow::Result<Outcome> {
    match command {
        Topics::Create(look) => create(&look),
        Topics::Check(look) => check(&look),
        Topics::Describe(describe) => self::describe(&describe),
    }
}

/// What each topic is for, as ARCHITECTURE.md and the design say it.
const fn holds(topic: Topic) -> &'static str {
    match topic {
        Topic::Events => "everything that happens to an agent",
        Topic::CommandsSalesforce => "commands to Salesforce",
        Topic::CommandsCxone => "commands to CXone",
        Topic::State => "what is known of each agent: restored from at a start, and what dashboards read",
        Topic::Decisions => "what was decided, and why: the audit trail",
        Topic::Snapshots => {
            "all states of a partition, once an hour, so that a window of history can be replayed"
        }
        Topic::Rules => "every revision of the rules",
        Topic::Directory => "who is who: the only names and e-mail addresses",
        Topic::Positions => "how far each source has read",
        Topic::DeadLetters => "what could not be read or done, and why",
    }
}

/// A topic as it should be, and as it is.
pub(super) struct Seen {
    topic: Topic,
    pub(super) spec: TopicSpec,
    was_there: bool,
    pub(super) found: Option<Found>,
    pub(super) differences: Vec<Difference>,
}

/// Looks at all topics of a plan.
///
/// # Errors
/// The bus does not answer.
pub(super) fn look_at(bus: &AnyBus, plan: &TopicsPlan) -> anyhow::Result<Vec<Seen>> {
    see(bus, &all_of(plan))
}

fn see(bus: &AnyBus, specs: &[(Topic, TopicSpec)]) -> anyhow::Result<Vec<Seen>> {
    let names: Vec<_> = specs.iter().map(|(_, spec)| spec.name.clone()).collect();
    let found = bus.describe(&names)?;
    let seen = |((topic, spec), found): (&(Topic, TopicSpec), Option<Found>)| Seen {
        topic: *topic,
        spec: spec.clone(),
        was_there: found.is_some(),
        differences: spec.differences(found.as_ref()),
        found,
    };
    Ok(specs.iter().zip(found).map(seen).collect())
}

/// The topics as they should be, and the bus.
fn specs(deployment: &Deployment) -> anyhow::Result<(AnyBus, Vec<(Topic, TopicSpec)>)> {
    let bus = deployment.bus()?;
    let plan = deployment.topics_at(&bus)?;
    Ok((bus, all_of(&plan)))
}

/// The same, of a deployment that there is.
fn specs_there(configured: &Configured) -> anyhow::Result<(AnyBus, Vec<(Topic, TopicSpec)>)> {
    let deployment = configured.load()?;
    deployment.is_there()?;
    specs(&deployment)
}

fn all_of(plan: &TopicsPlan) -> Vec<(Topic, TopicSpec)> {
    Topic::ALL.into_iter().map(|topic| (topic, plan.spec(topic))).collect()
}

fn create(look: &Look) -> anyhow::Result<Outcome> {
    let (bus, specs) = specs(&look.configured.load()?)?;
    let before = see(&bus, &specs)?;
    let missing: Vec<TopicSpec> =
        before.iter().filter(|seen| !seen.was_there).map(|seen| seen.spec.clone()).collect();
    bus.create(&missing)?;
    let mut after = see(&bus, &specs)?;
    for (seen, before) in after.iter_mut().zip(&before) {
        seen.was_there = before.was_there;
    }
    let text = |seen: &Seen| match (seen.was_there, seen.differences.is_empty()) {
        (false, true) => format!("{}: {GREEN}made{GREEN:#}\n", seen.spec.name),
        (true, true) => format!("{}: was there, as it should be\n", seen.spec.name),
        (_, false) => differ(seen),
    };
    print(look, &after, text)
}

fn check(look: &Look) -> anyhow::Result<Outcome> {
    let (bus, specs) = specs_there(&look.configured)?;
    let seen = see(&bus, &specs)?;
    let text = |seen: &Seen| {
        if seen.differences.is_empty() {
            format!("{}: {GREEN}as it should be{GREEN:#}\n", seen.spec.name)
        } else {
            differ(seen)
        }
    };
    print(look, &seen, text)
}

fn describe(command: &Describe) -> anyhow::Result<Outcome> {
    let configured = &command.look.configured;
    let all = if command.offline {
        let specs = all_of(&configured.load()?.topics());
        specs.into_iter().map(|(topic, spec)| Seen::unasked(topic, spec)).collect()
    } else {
        let (bus, specs) = specs_there(configured)?;
        see(&bus, &specs)?
    };
    print(&command.look, &all, |seen| described(seen, command.offline))?;
    // That something differs is told; what was asked for was done.
    Ok(Outcome::Done)
}

impl Seen {
    fn unasked(topic: Topic, spec: TopicSpec) -> Seen {
        Seen { topic, spec, was_there: false, found: None, differences: Vec::new() }
    }

    fn row(&self, is_asked: bool) -> Row {
        let settings = self.spec.settings();
        let wanted = Shape {
            partitions: self.spec.partitions,
            replication_factor: self.spec.replicas.replication_factor,
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        };
        // Of the dozens that a topic has, those that matter to us.
        let ours = |found: &Found| {
            settings
                .iter()
                .filter_map(|(name, _)| Some(((*name).to_owned(), found.settings.get(*name)?.clone())))
                .collect()
        };
        let told = |difference: &Difference| Told {
            severity: severity(difference.severity),
            what: difference.what.clone(),
            wanted: difference.wanted.clone(),
            found: difference.found.clone(),
            because: difference.because,
            mend: difference.mend.clone(),
        };
        Row {
            topic: self.spec.name.to_string(),
            was: is_asked.then_some(if self.was_there { "there" } else { "missing" }),
            holds: holds(self.topic),
            wanted,
            found: self.found.as_ref().map(|found| Shape {
                partitions: found.partitions,
                replication_factor: found.replication_factor,
                settings: ours(found),
            }),
            differences: self.differences.iter().map(told).collect(),
        }
    }

    fn count(&self, severity: Severity) -> usize {
        self.differences.iter().filter(|difference| difference.severity == severity).count()
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn print(look: &Look, all: &[Seen], text: impl Fn(&Seen) -> String) -> anyhow::Result<Outcome> {
    let count = |severity| all.iter().map(|seen| seen.count(severity)).sum();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if look.json {
        let is_asked = all.iter().any(|seen| seen.found.is_some() || !seen.differences.is_empty());
        let topics = all.iter().map(|seen| seen.row(is_asked)).collect();
        output::json(&Looked { ok: errors == 0, errors, warnings, topics })?;
    } else {
        output::result(&all.iter().map(text).collect::<String>())?;
    }
    Ok(if errors == 0 { Outcome::Done } else { Outcome::Failed })
}

/// What differs about a topic, and how to mend it.
fn differ(seen: &Seen) -> String {
    let mut text = format!(
        "{}: {}\n",
        seen.spec.name,
        report::count(seen.count(Severity::Error), seen.count(Severity::Warning))
    );
    for difference in &seen.differences {
        let Difference { what, wanted, found, because, mend, .. } = difference;
        let colour = if difference.severity == Severity::Error { RED } else { YELLOW };
        let severity = severity(difference.severity);
        let what = if seen.found.is_none() {
            format!("missing ({wanted})")
        } else {
            format!("{what} is {found}, and should be {wanted}")
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {colour}{severity}:{colour:#} {what}: {because}\n    mend: {mend}");
    }
    text
}

fn described(seen: &Seen, offline: bool) -> String {
    let Seen { spec, found, .. } = seen;
    let mut text = format!("{}: {}\n", spec.name, holds(seen.topic));
    let mut line = |what: &str, wanted: &str, found: Option<&str>| {
        let is = match found {
            _ if offline => String::new(),
            Some(found) if found == wanted => String::new(),
            Some(found) => format!("  {YELLOW}is {found}{YELLOW:#}"),
            None => format!("  {RED}missing{RED:#}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {DIM}{what:24}{DIM:#}{wanted}{is}");
    };
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let partitions = number(found.as_ref().map(|found| found.partitions));
    line("partitions", &spec.partitions.to_string(), partitions.as_deref());
    let replicas = number(found.as_ref().map(|found| found.replication_factor.into()));
    line("replication factor", &spec.replicas.replication_factor.to_string(), replicas.as_deref());
    for (name, wanted) in spec.settings() {
        let found = found.as_ref().and_then(|found| found.settings.get(name));
        line(name, &wanted, found.map(|found| found.as_str()));
    }
    text
}
