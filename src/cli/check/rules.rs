//! The rules in force, and whether they fit what there is today.

use std::collections::BTreeSet;

use lockstep::directory::Directory;
use lockstep::document::Severity;
use lockstep::domain::{AccountName, AgentId, TeamId};
use lockstep::rules::{Misfit, Revision, check_again};

use super::bus::InForce;
use super::report::Report;
use crate::cli::operator::when;

const IN_FORCE: &str = "rules-in-force";
/// What rules rest on, and of which kinds of misfits each consists; the first has all others.
const FITS: [(&str, &[&str], &str); 3] = [
    ("rules-fit", &[], "statuses, codes and teams of the rules are there, and can be set"),
    ("codes-on-teams", &["code-not-on-team"], "each team that has a rule has its codes"),
    (
        "statuses-granted",
        &["not-granted", "grant-unknown"],
        "agents are granted each status that they may be set to",
    ),
];

/// The teams of a tenant whose codes matter: those that have a rule, and those of agents who have one of their own.
pub(super) fn teams_of(
    revision: &Revision,
    directory: Option<&Directory>,
    tenant: AccountName,
) -> BTreeSet<TeamId> {
    let teams = revision.rules.iter().flat_map(|rule| &rule.teams);
    let mut all: BTreeSet<TeamId> =
        teams.filter(|team| team.account == tenant).map(|team| team.team).collect();
    let agents: BTreeSet<AgentId> = revision.rules.iter().flat_map(|rule| &rule.agents).copied().collect();
    let people = directory.into_iter().flat_map(|directory| &directory.people);
    let theirs = people.filter(|one| one.link.cxone.account == tenant && agents.contains(&one.agent));
    all.extend(theirs.filter_map(|one| one.team));
    all
}

/// Looks at them. `unasked` names accounts that are known only as the log has them.
pub(super) fn look(
    in_force: &InForce,
    directory: Result<&Directory, &str>,
    unasked: &str,
    report: &mut Report,
) {
    let revision = match in_force {
        Err(because) => {
            report.unknown(IN_FORCE, "", because, "mend the bus and its topics first, and check again");
            None
        }
        Ok(None) => {
            let mend = "lockstep rules apply FILE --activate --reason ...";
            report.failed(IN_FORCE, "", "no rules are in force: nothing is decided", mend);
            None
        }
        Ok(Some((activation, revision))) => {
            let (id, epoch, at) = (activation.revision, activation.epoch.0, when(activation.at));
            let count = revision.rules.len();
            let what = format!("revision {id} since {at}, as activation {epoch}: {count} rules");
            report.ok(IN_FORCE, "", what);
            Some(revision)
        }
    };
    match (revision, directory) {
        (Some(revision), Ok(directory)) => fit(&check_again(revision, directory), unasked, report),
        (None, Ok(_)) => not_known("no rules are known", report),
        (_, Err(because)) => not_known(because, report),
    }
}

fn not_known(because: &str, report: &mut Report) {
    for (id, ..) in FITS {
        report.unknown(id, "", because, "see above");
    }
}

fn fit(misfits: &[Misfit], unasked: &str, report: &mut Report) {
    let elsewhere: BTreeSet<&str> = FITS.iter().flat_map(|(_, kinds, _)| kinds.iter().copied()).collect();
    for (id, kinds, fine) in FITS {
        let is_of_it = |one: &&Misfit| {
            if kinds.is_empty() { !elsewhere.contains(one.kind) } else { kinds.contains(&one.kind) }
        };
        let of_it: Vec<&Misfit> = misfits.iter().filter(is_of_it).collect();
        let found: BTreeSet<&str> = of_it.iter().map(|one| one.kind).collect();
        for kind in found {
            let alike: Vec<&Misfit> = of_it.iter().copied().filter(|one| one.kind == kind).collect();
            tell(id, &alike, report);
        }
        if !of_it.is_empty() {
            continue;
        }
        if unasked.is_empty() {
            report.ok(id, "", fine);
        } else {
            let because = format!("{unasked} could not be asked: it fits what the log has");
            report.unknown(id, "", &because, "mend that first, and check again");
        }
    }
}

/// One row for all of a kind.
fn tell(id: &'static str, alike: &[&Misfit], report: &mut Report) {
    let Some(first) = alike.iter().find(|one| one.severity == Severity::Error).or(alike.first()) else {
        return;
    };
    let more = match alike.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more like it"),
    };
    let what = format!("rule {:?}: {}{more}", first.rule, first.what);
    let mend = first.mend.as_deref().unwrap_or("change the rules, and apply them anew");
    match (first.kind, first.severity) {
        ("grant-unknown", _) => report.unknown(id, first.kind, &what, mend),
        (kind, Severity::Error) => report.failed(id, kind, what, mend),
        (kind, Severity::Warning) => report.warning(id, kind, what, mend),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misfit(kind: &'static str, severity: Severity) -> Misfit {
        let (rule, what) = ("Support".to_owned(), format!("it is {kind}"));
        Misfit { rule, severity, kind, what, mend: Some("mend it".to_owned()) }
    }

    /// What does not fit, and what becomes of the three rows.
    #[test]
    fn each_kind_is_one_row() {
        use Severity::{Error, Warning};
        let grant = misfit("grant-unknown", Warning);
        for (misfits, unasked, expected) in [
            (vec![], "", vec![("rules-fit", "ok"), ("codes-on-teams", "ok"), ("statuses-granted", "ok")]),
            (
                vec![],
                "cxone.emea",
                vec![
                    ("rules-fit", "unknown"),
                    ("codes-on-teams", "unknown"),
                    ("statuses-granted", "unknown"),
                ],
            ),
            (
                vec![grant.clone(), grant, misfit("not-granted", Error)],
                "",
                vec![
                    ("rules-fit", "ok"),
                    ("codes-on-teams", "ok"),
                    ("statuses-granted", "unknown"),
                    ("statuses-granted", "failed"),
                ],
            ),
            (
                vec![
                    misfit("unknown-status", Error),
                    misfit("unreachable-row", Warning),
                    misfit("unknown-status", Error),
                    misfit("code-not-on-team", Error),
                ],
                "",
                vec![
                    ("rules-fit", "failed"),
                    ("rules-fit", "warning"),
                    ("codes-on-teams", "failed"),
                    ("statuses-granted", "ok"),
                ],
            ),
        ] {
            let mut report = Report::default();
            fit(&misfits, unasked, &mut report);
            let told = serde_json::to_value(report.told()).unwrap();
            let rows = told["checks"].as_array().unwrap();
            let found: Vec<(&str, &str)> = rows
                .iter()
                .map(|row| (row["id"].as_str().unwrap(), row["result"].as_str().unwrap()))
                .collect();
            assert_eq!(found, expected, "{misfits:?}");
        }
    }
}
