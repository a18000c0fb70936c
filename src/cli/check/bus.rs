//! The bus, its topics, the schema registry, and what the log has of people and rules.

use tokio::runtime::Runtime;

use lockstep::bus::{self, Any, Difference, Severity, embedded::Embedded};
use lockstep::codec::{Codec, Registry};
use lockstep::control::{Activation, Revisions, directory_in_log};
use lockstep::directory::Directory;
use lockstep::rules::Revision;

use super::report::{Report, some_of};
use crate::cli::deployment::{self, Deployment};
use crate::cli::operator::Log;
use crate::cli::topics::{self, Seen};

/// Why something of the log is not known.
pub(super) const NOT_READ: &str = "the log could not be read";

/// What is in force; none where nothing is.
pub(super) type InForce = Result<Option<(Activation, Revision)>, String>;

/// Looks at the bus; the log, where it can be read.
pub(super) fn look(deployment: &Deployment, runtime: &Runtime, report: &mut Report) -> Option<Log> {
    let codec = codec(deployment, runtime, report);
    let reached = reached(deployment, report);
    let Some((bus, plan)) = reached else {
        report.unknown("topics", "", "the bus is not reached", "mend the bus first, and check again");
        return None;
    };
    match topics::look_at(&bus, &plan) {
        Ok(seen) => topics(&seen, report),
        Err(error) => report.failed("topics", "", format!("{error:#}"), mend_of(&error)),
    }
    Some(Log { bus, codec: codec?, plan })
}

/// Reaches it, and makes nothing there.
fn reached(deployment: &Deployment, report: &mut Report) -> Option<(bus::AnyBus, bus::TopicsPlan)> {
    const ID: &str = "bus";
    if let Some(path) = &deployment.data {
        match Embedded::is_at(path) {
            Ok(true) => {}
            Ok(false) => {
                let what = format!("{} is no directory that Lockstep has made", path.display());
                let mend =
                    "name the one that `lockstep run --data` has; the first command that writes makes it";
                report.failed(ID, "", what, mend);
                return None;
            }
            Err(error) => {
                report.failed(ID, "", error.to_string(), "name another directory with --data");
                return None;
            }
        }
    }
    let reached = deployment.bus_to_look().and_then(|bus| {
        let plan = deployment.topics_at(&bus)?;
        Ok((bus, plan))
    });
    match reached {
        Ok((bus, plan)) => {
            let what = match (&bus, &deployment.data) {
                (Any::Kafka(kafka), _) => format!("{} answers", kafka.servers()),
                (Any::Embedded(directory), path) => {
                    let path = path.as_ref().map_or_else(String::new, |path| path.display().to_string());
                    let whose = if directory.is_owner() { "nobody runs it now" } else { "its owner answers" };
                    format!("{path} can be read: {whose}")
                }
            };
            report.ok(ID, "", what);
            Some((bus, plan))
        }
        Err(error) => {
            report.failed(ID, "", format!("{error:#}"), mend_of(&error));
            None
        }
    }
}

/// What to do about the bus.
fn mend_of(error: &anyhow::Error) -> String {
    let known = error.chain().find_map(|cause| cause.downcast_ref::<bus::Error>());
    match known {
        Some(bus::Error::Refused { mend, .. }) => mend.clone(),
        Some(bus::Error::Unreachable { .. }) => {
            "look whether it runs, at this machine's network, and at `bootstrap_servers` of [bus]".to_owned()
        }
        Some(bus::Error::Setting { .. }) => "change that in [bus]".to_owned(),
        Some(bus::Error::Owned { .. }) => "end that process, or name another directory".to_owned(),
        _ => "docs/kafka.md and docs/embedded.md say what is needed".to_owned(),
    }
}

fn topics(seen: &[Seen], report: &mut Report) {
    const ID: &str = "topics";
    let missing: Vec<_> = seen.iter().filter(|one| one.found.is_none()).map(|one| &one.spec.name).collect();
    if !missing.is_empty() {
        let what = format!("{} of {} are missing: {}", missing.len(), seen.len(), some_of(&missing));
        report.failed(ID, "", what, "lockstep topics create");
    }
    let differing = seen.iter().filter(|one| one.found.is_some() && !one.differences.is_empty());
    let mut are_fine = missing.is_empty();
    for one in differing {
        are_fine = false;
        // The worst stands first.
        let told = |difference: &Difference| {
            let Difference { what, wanted, found, because, .. } = difference;
            format!("{what} is {found}, and should be {wanted}: {because}")
        };
        let (about, all) = (one.spec.name.to_string(), &one.differences);
        let Some(worst) = all.first() else { continue };
        let what = all.iter().map(told).collect::<Vec<_>>().join("; ");
        match worst.severity {
            Severity::Error => report.failed(ID, &about, what, worst.mend.as_str()),
            Severity::Warning => report.warning(ID, &about, what, worst.mend.as_str()),
        }
    }
    if are_fine {
        report.ok(ID, "", format!("{} topics, as they should be", seen.len()));
    }
}

/// What reads the log. Nothing is registered.
fn codec(deployment: &Deployment, runtime: &Runtime, report: &mut Report) -> Option<Codec> {
    const ID: &str = "schema-registry";
    let mend = "look at the `schema_registry` keys of [bus], and whether it runs";
    let config = &deployment.config;
    let looked = match deployment::registry(config) {
        Ok(None) => return Codec::single_object().ok(),
        Ok(Some(registry)) => registry,
        Err(error) => {
            report.failed(ID, "", format!("{error:#}"), mend);
            return None;
        }
    };
    match runtime.block_on(Codec::registered_at(&looked, &config.bus.prefix)) {
        Ok((known, all)) if known == all => {
            report.ok(ID, "", format!("it has all {all} schemas"));
        }
        Ok((known, all)) => {
            let what = format!("it has {known} of {all} schemas");
            let mend = "`lockstep run` registers the others when it starts; the user must be allowed to";
            report.warning(ID, "", what, mend);
        }
        Err(error) => {
            report.failed(ID, "", error.to_string(), mend);
            return None;
        }
    }
    reading(looked)
}

fn reading(registry: Registry) -> Option<Codec> {
    Codec::reading(registry).ok()
}

/// What the log has: who is who, and what is in force. Then it is let go: what comes after it takes minutes, and a directory is
/// somebody else's meanwhile.
pub(super) fn read(log: Log) -> (Result<Directory, String>, InForce) {
    let Log { bus, codec, plan } = &log;
    let directory = directory_in_log(bus, codec, plan).map_err(|error| error.to_string());
    (directory, in_force(&log).map_err(|error| error.to_string()))
}

fn in_force(
    Log { bus, codec, plan }: &Log,
) -> Result<Option<(Activation, Revision)>, lockstep::control::Error> {
    let Some(last) = Activation::all(bus, codec, plan)?.pop() else { return Ok(None) };
    let revisions = Revisions::new(plan);
    let (_, revision) = revisions.load(bus, codec, last.revision, Some(last.manifest_hash))?;
    Ok(Some((last, revision)))
}
