//! `lockstep check`: whether everything is there and fits together. Nothing is changed anywhere.

mod bridge;
mod bus;
mod configuration;
mod cxone;
mod people;
mod report;
mod rules;
mod salesforce;
mod watching;

use std::collections::BTreeSet;
use std::io::{IsTerminal, stderr};

use clap::Args;

use lockstep::directory::Directory;
use lockstep::domain::TeamId;

use super::deployment::{Configured, Deployment};
use super::output::{self, Outcome};
use super::runtime;
use super::unwatched::seconds_between;
use people::Seen;
use report::{Report, Verdict};

#[derive(Args)]
pub(super) struct Check {
    #[command(flatten)]
    configured: Configured,
    /// How many linked users of each org are asked for: all, or so many of them
    #[arg(long, value_name = "all|N", default_value = "all", value_parser = how_many)]
    agents: HowMany,
    /// Log in with stored refresh tokens, too: that may replace them, so nobody else should use them meanwhile
    #[arg(long)]
    use_refresh_token: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// How many linked users are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HowMany {
    /// All of them.
    All,
    /// So many.
    Some(usize),
}

fn how_many(text: &str) -> Result<HowMany, String> {
    match text.parse() {
        _ if text == "all" => Ok(HowMany::All),
        Ok(count) if count > 0 => Ok(HowMany::Some(count)),
        _ => Err("write `all`, or a number from 1 on".to_owned()),
    }
}

/// Tells what takes long, where somebody sits before it.
#[derive(Clone, Copy)]
struct Progress {
    is_shown: bool,
}

impl Progress {
    fn tell(self, what: &str) {
        if self.is_shown {
            output::aside(&format!("{what}\n"));
        }
    }
}

pub(super) fn run(command: &Check) -> anyhow::Result<Outcome> {
    let mut report = Report::default();
    report.group("Configuration");
    match configuration::look(&command.configured, &mut report) {
        Some(deployment) => look(&deployment, command, &mut report)?,
        None => unusable(&mut report),
    }
    if command.json {
        output::json(&report.told())?;
    } else {
        output::result(&report.text())?;
    }
    Ok(outcome(&report))
}

/// What failed makes the exit code, and nothing else.
fn outcome(report: &Report) -> Outcome {
    if report.count(Verdict::Failed) == 0 { Outcome::Done } else { Outcome::Failed }
}

/// What cannot be asked without a configuration.
fn unusable(report: &mut Report) {
    let checks = [
        ("Bus", "bus"),
        ("Salesforce", "log-in"),
        ("CXone", "log-in"),
        ("People", "links"),
        ("Rules", "rules-in-force"),
        ("Bridge", "gateway"),
    ];
    for (group, id) in checks {
        report.group(group);
        report.unknown(id, "", "the configuration cannot be used", "mend the configuration, and check again");
    }
}

/// Looks at everything but the configuration itself.
fn look(deployment: &Deployment, command: &Check, report: &mut Report) -> anyhow::Result<()> {
    let config = &deployment.config;
    let progress = Progress { is_shown: stderr().is_terminal() };
    let runtime = runtime::here("call a platform")?;
    report.group("Bus");
    progress.tell("asking the bus");
    let log = bus::look(deployment, &runtime, report);
    let in_log = log.map(bus::read);
    let (mut directory, in_force) = match in_log {
        Some((directory, in_force)) => (directory, in_force),
        None => (Err(bus::NOT_READ.to_owned()), Err(bus::NOT_READ.to_owned())),
    };
    let mut seen = Seen::default();
    report.group("Salesforce");
    if config.salesforce.is_empty() {
        let what = "the configuration has no [salesforce.NAME]";
        report.warning("log-in", "salesforce", what, "write one: `lockstep config init` shows how it looks");
    }
    for (name, configured) in &config.salesforce {
        let wait_s = seconds_between(configured.calls.per_minute);
        progress
            .tell(&format!("asking salesforce.{name}, a call each {wait_s:.1} s, one for each 2,000 users"));
        let linked = directory.as_ref().map_or_else(|_| Vec::new(), |known| people::users_of(known, *name));
        let wanted = match command.agents {
            HowMany::All => None,
            HowMany::Some(count) => Some(linked.get(..count).unwrap_or(&linked)),
        };
        let uses_refresh_token = command.use_refresh_token;
        let read = runtime.block_on(salesforce::look(*name, configured, wanted, uses_refresh_token, report));
        seen.take_org(*name, read, directory.as_mut().ok());
    }
    report.group("CXone");
    if config.cxone.is_empty() {
        let what = "the configuration has no [cxone.NAME]";
        report.warning("log-in", "cxone", what, "write one: `lockstep config init` shows how it looks");
    }
    for (name, configured) in &config.cxone {
        let teams: BTreeSet<TeamId> = match &in_force {
            Ok(Some((_, revision))) => rules::teams_of(revision, directory.as_ref().ok(), *name),
            Ok(None) | Err(_) => BTreeSet::new(),
        };
        let wait_s = seconds_between(configured.calls.per_minute);
        let count = teams.len();
        progress
            .tell(&format!("asking cxone.{name}, a call each {wait_s:.1} s, one for each of {count} teams"));
        let read = runtime.block_on(cxone::look(*name, configured, &teams, report));
        seen.take_tenant(*name, read, directory.as_mut().ok());
    }
    let directory: Result<&Directory, &str> = directory.as_ref().map_err(String::as_str);
    report.group("People");
    people::look(directory, config, &seen, report);
    report.group("Rules");
    rules::look(&in_force, directory, &seen.unasked(), report);
    report.group("Bridge");
    progress.tell("asking the gateway");
    runtime.block_on(bridge::look(config, report));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_failed_makes_the_exit_code() {
        let mut report = Report::default();
        assert!(outcome(&report) == Outcome::Done);
        report.ok("bus", "", "it answers");
        report.warning("clock", "", "2.5 s ahead", "set it");
        report.unknown("licences", "", "nobody tells", "look");
        assert!(outcome(&report) == Outcome::Done);
        report.failed("topics", "", "missing", "make them");
        assert!(outcome(&report) == Outcome::Failed);
    }

    #[test]
    fn all_or_so_many_are_looked_at() {
        for (text, expected) in [
            ("all", Some(HowMany::All)),
            ("1", Some(HowMany::Some(1))),
            ("0", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(how_many(text).ok(), expected, "{text:?}");
        }
    }
}
