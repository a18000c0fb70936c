//! A revision that was checked once, against what there is today: what has become of the statuses, codes, teams and grants that it
//! rests on.
//!
//! The engine knows statuses and codes by their ids, so ids count here, whatever they are called by now.

use std::collections::{BTreeMap, BTreeSet};

use super::RuleCheck;
use crate::directory::{
    Code, CxoneVocabulary, Directory, PresenceStatus, SalesforceVocabulary, StatusChange, TeamEntry,
    Vocabulary,
};
use crate::document::{Document, Mistake, Mistakes, Place, Placed, Severity, Syntax, quoted};
use crate::domain::{PresenceKind, PresenceStatusId, SalesforceStatus};
use crate::rules::assign::{Served, serve};
use crate::rules::draft::{Draft, DraftRow};
use crate::rules::{Revision, Rule, Tables, trips};

/// Something of a revision that is not as it was when it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The rule's name.
    pub rule: String,
    /// An error, where the rule cannot do what it says.
    pub severity: Severity,
    /// Its kind, in words joined by hyphens: `unknown-status`.
    pub kind: &'static str,
    /// What does not fit, in one sentence without a full stop.
    pub what: String,
    /// What to do, where that is known.
    pub mend: Option<String>,
}

/// What of a revision does not fit a directory. Warnings that the file itself gives are not told again.
pub fn check_again(revision: &Revision, directory: &Directory) -> Vec<Misfit> {
    let known = &directory.vocabulary;
    let vocabulary = as_they_were_called(&revision.vocabulary, known);
    let (drafts, mut mistakes) = (drafts(revision), Mistakes::new());
    let served = served(revision, &drafts, directory);
    // Rows have a place each, and no line of a file.
    let document = Document::new("the rules in force", "", Syntax::Toml);
    let mut unknown_grants = BTreeSet::new();
    for (draft, served) in drafts.iter().zip(&served) {
        let mistakes = &mut mistakes;
        let mut check = RuleCheck { draft, served, vocabulary: &vocabulary, document: &document, mistakes };
        check.names();
        check.codes_of_teams();
        check.grants(directory, &mut unknown_grants);
        check.reach();
    }
    gone_teams(revision, &drafts, known, &mut mistakes);
    changed_statuses(revision, &drafts, known, &mut mistakes);
    let today = Revision { vocabulary, ..revision.clone() };
    let trips = trips::Trips { drafts: &drafts, served: &served, revision: &today, document: &document };
    trips.check(&Tables::compile(&today), false, &mut mistakes);
    mistakes.in_order().into_iter().filter(|one| is_news(one)).map(|one| misfit(one, &drafts)).collect()
}

/// Whether it may have come about since the file was checked.
fn is_news(mistake: &Mistake) -> bool {
    !matches!(mistake.kind, "logs-out" | "two-meanings" | "previous-alone" | "lost-on-return")
}

fn misfit(mistake: &Mistake, drafts: &[Draft]) -> Misfit {
    let Mistake { place, severity, kind, what, mend, .. } = mistake;
    let draft = drafts.iter().rfind(|draft| draft.place <= *place);
    // There is no file whose lines could be named.
    let what = match *kind {
        "duplicate-row" => "two rows are for one status by now".to_owned(),
        _ => what.clone(),
    };
    let mend = match *kind {
        "duplicate-row" | "chase" => Some("change the rules, and apply them anew".to_owned()),
        "unknown-status" | "unknown-code" | "ambiguous-status" | "ambiguous-code" => {
            Some("undo that on the platform; or change the rules, if need be, and apply them anew".to_owned())
        }
        _ => mend.clone(),
    };
    let rule = draft.map_or_else(String::new, |draft| draft.name.clone());
    Misfit { rule, severity: *severity, kind, what, mend }
}

/// What there is today of a vocabulary, by the names that the rules have for it.
fn as_they_were_called(were: &Vocabulary, today: &Vocabulary) -> Vocabulary {
    let mut all = Vocabulary::default();
    for (org, were) in &were.salesforce {
        let Some(today) = today.salesforce.get(org) else { continue };
        let status = |was: &PresenceStatus| {
            let is = today.get(was.id)?;
            let (channels, granted_to) = (is.channels.clone(), is.granted_to.clone());
            Some(PresenceStatus { channels, granted_to, ..was.clone() })
        };
        let statuses = were.statuses().iter().filter_map(status).collect();
        all.salesforce.insert(*org, SalesforceVocabulary::new(statuses));
    }
    for (tenant, were) in &were.cxone {
        let Some(today) = today.cxone.get(tenant) else { continue };
        let code = |was: &Code| {
            let is = today.codes().iter().find(|code| code.id == was.id)?;
            Some(Code { name: was.name.clone(), ..is.clone() })
        };
        let codes = were.codes().iter().filter_map(code).collect();
        let name = |team: &TeamEntry| were.team(team.id).map_or(&team.name, |were| &were.name).clone();
        let team = |team: &TeamEntry| TeamEntry { name: name(team), ..team.clone() };
        let teams = today.teams().iter().map(team).collect();
        all.cxone.insert(*tenant, CxoneVocabulary::new(codes, teams));
    }
    all
}

/// The rules as they were read, each row at a place of its own, in their order.
fn drafts(revision: &Revision) -> Vec<Draft> {
    let mut places = (0..).map(Place::at);
    let mut next = move || places.next().unwrap_or_default();
    revision.rules.iter().map(|rule| draft(rule, &mut next)).collect()
}

fn draft(rule: &Rule, next: &mut impl FnMut() -> Place) -> Draft {
    let place = next();
    let named = |value: String| Placed { place, value };
    let mut at_its_place = || next();
    Draft {
        place,
        name: rule.name.clone(),
        teams: rule.teams.iter().map(|team| named(team.team.to_string())).collect(),
        agents: rule.agents.iter().map(|agent| named(agent.to_string())).collect(),
        options: rule.options,
        publisher: rule.publisher.iter().map(|row| both(at_its_place(), &row.from, &row.to)).collect(),
        subscriber: rule.subscriber.iter().map(|row| both(at_its_place(), &row.from, &row.to)).collect(),
    }
}

fn both<F: Clone, T: Clone>(place: Place, from: &F, to: &T) -> DraftRow<F, T> {
    DraftRow {
        from: Placed { place, value: Some(from.clone()) },
        to: Placed { place, value: Some(to.clone()) },
    }
}

/// Whom each rule serves today.
fn served<'d>(revision: &Revision, drafts: &[Draft], directory: &'d Directory) -> Vec<Served<'d>> {
    let (mut teams, mut agents) = (BTreeMap::new(), BTreeMap::new());
    for (number, (rule, draft)) in revision.rules.iter().zip(drafts).enumerate() {
        teams.extend(rule.teams.iter().map(|team| (*team, (number, draft.place))));
        agents.extend(rule.agents.iter().map(|agent| (*agent, (number, draft.place))));
    }
    serve(drafts.len(), teams, agents, directory)
}

/// Teams that have a rule and are there no more.
fn gone_teams(revision: &Revision, drafts: &[Draft], known: &Vocabulary, mistakes: &mut Mistakes) {
    for (rule, draft) in revision.rules.iter().zip(drafts) {
        for team in &rule.teams {
            let tenant = known.cxone.get(&team.account);
            if tenant.is_some_and(|tenant| tenant.team(team.team).is_none()) {
                let was = revision.vocabulary.cxone.get(&team.account).and_then(|were| were.team(team.team));
                let name = was.map_or_else(String::new, |was| format!(" {}", quoted(&was.name)));
                let what = format!("the team{name} (cxone.{}/{}) is gone", team.account, team.team);
                mistakes
                    .warning(draft.place, "unknown-team", what)
                    .mend("take it out of the rules, and apply them anew");
            }
        }
    }
}

/// Statuses of the rules that are called otherwise, or take work and took none.
fn changed_statuses(revision: &Revision, drafts: &[Draft], known: &Vocabulary, mistakes: &mut Mistakes) {
    for (org, were) in &revision.vocabulary.salesforce {
        let Some(today) = known.salesforce.get(org) else { continue };
        for (status, change) in were.changes(today) {
            let what = match change {
                StatusChange::Renamed { was, is } => {
                    format!("the status {} is called {} now", quoted(was), quoted(is))
                }
                StatusChange::Became(PresenceKind::Online) => {
                    format!("the status {} takes work now and took none", quoted(&status.developer_name))
                }
                StatusChange::Became(PresenceKind::Busy) => {
                    format!("the status {} took work and takes none now", quoted(&status.developer_name))
                }
                StatusChange::New | StatusChange::Gone => continue,
            };
            for draft in drafts.iter().filter(|draft| names(draft, status.id, were)) {
                mistakes
                    .warning(draft.place, "changed-status", what.clone())
                    .mend("rules in force go on with it; look whether they still say what is meant, and apply them anew");
            }
        }
    }
}

/// Whether a rule names a status.
fn names(draft: &Draft, status: PresenceStatusId, were: &SalesforceVocabulary) -> bool {
    let to = draft.publisher.iter().filter_map(|row| row.to.value.as_ref());
    let mut terms = to.chain(draft.subscriber.iter().filter_map(|row| row.from.value.as_ref()));
    terms.any(|term| term.resolve(were) == Ok(SalesforceStatus::Presence(status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check;

    const RULES: &str = r#"
[[rule]]
name = "Support"
teams = ["Support"]
[rule.cxone_to_salesforce]
"Available" = "Available"
"Unavailable/Lunch" = "Lunch"
[rule.salesforce_to_cxone]
"Available" = "Available"
"Lunch" = "Unavailable/Lunch"
"#;

    const STATUSES: &str = r#"
{ id = "0N5000000000101", developer_name = "Available", label = "Available", channels = ["Chat"], granted_to = ["Agents"] },
{ id = "0N5000000000102", developer_name = "Lunch", label = "Lunch", channels = [], granted_to = ["Agents"] },
"#;
    const CODES: &str = r#"{ id = 1017, name = "Lunch" }, { id = 1001, name = "Break" }"#;
    const TEAM: &str = r#"{ id = 1, name = "Support", codes = [1001, 1017] }"#;

    fn directory(statuses: &str, codes: &str, team: &str) -> Directory {
        let text = format!(
            r#"
[salesforce.emea]
statuses = [{statuses}]
users = [{{ id = "0055g0000000001", user_name = "ada@example.com", profile = "Agents" }}]
[cxone.emea]
codes = [{codes}]
teams = [{team}]
agents = [{{ id = 7, user_name = "ada@cx.example.com", team = 1 }}]
[[links]]
salesforce = "emea/0055g0000000001"
cxone = "emea/7"
"#
        );
        let mut mistakes = Mistakes::new();
        Directory::read(&Document::new("d", text, Syntax::Toml), &mut mistakes).unwrap()
    }

    /// Of each change of the directory what does not fit any more: its kind, and whether the rule cannot do what it says.
    #[test]
    fn what_has_changed_since_is_told() {
        let then = directory(STATUSES, CODES, TEAM);
        let rules = Document::new("r", RULES, Syntax::Toml);
        let mut mistakes = Mistakes::new();
        let revision = check(&rules, Some(&then), &mut mistakes).unwrap();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let lunch = |new: &str| {
            let kept: Vec<&str> = STATUSES.lines().filter(|line| !line.contains("\"Lunch\"")).collect();
            kept.join("\n") + new
        };
        let renamed = STATUSES.replace("developer_name = \"Lunch\"", "developer_name = \"Meal\"");
        let made_anew = STATUSES.replace("0N5000000000102", "0N5000000000103");
        let takes_work = STATUSES.replace("channels = []", "channels = [\"Chat\"]");
        let not_granted = lunch(
            r#"{ id = "0N5000000000102", developer_name = "Lunch", label = "Lunch", channels = [], granted_to = ["Others"] }"#,
        );
        let who_knows =
            lunch(r#"{ id = "0N5000000000102", developer_name = "Lunch", label = "Lunch", channels = [] }"#);
        let (error, warning) = (Severity::Error, Severity::Warning);
        let only_break = r#"{ id = 1, name = "Support", codes = [1001] }"#;
        let other_name = r#"{ id = 1, name = "Help", codes = [1001, 1017] }"#;
        let other_team = r#"{ id = 2, name = "Sales", codes = [1001, 1017] }"#;
        let inactive = r#"{ id = 1017, name = "Lunch", active = false }, { id = 1001, name = "Break" }"#;
        type Case<'c> = (&'c str, &'c str, &'c str, &'c [(&'c str, Severity)]);
        let cases: [Case<'_>; 11] = [
            (STATUSES, CODES, TEAM, &[]),
            (STATUSES, CODES, other_name, &[]),
            (&lunch(""), CODES, TEAM, &[("unknown-status", error)]),
            (&made_anew, CODES, TEAM, &[("unknown-status", error)]),
            (&renamed, CODES, TEAM, &[("changed-status", warning)]),
            (&takes_work, CODES, TEAM, &[("changed-status", warning)]),
            (&not_granted, CODES, TEAM, &[("not-granted", error), ("unreachable-row", warning)]),
            (&who_knows, CODES, TEAM, &[("grant-unknown", warning)]),
            (STATUSES, CODES, only_break, &[("code-not-on-team", error)]),
            (STATUSES, inactive, TEAM, &[("not-settable", error), ("unreachable-row", warning)]),
            (STATUSES, CODES, other_team, &[("unassigned", warning), ("unknown-team", warning)]),
        ];
        for (statuses, codes, team, expected) in cases {
            let misfits = check_again(&revision, &directory(statuses, codes, team));
            let kinds: BTreeSet<(&str, Severity)> =
                misfits.iter().map(|one| (one.kind, one.severity)).collect();
            assert_eq!(kinds, expected.iter().copied().collect(), "{statuses} {codes} {team}: {misfits:?}");
            assert!(misfits.iter().all(|one| one.rule == "Support" && one.mend.is_some()), "{misfits:?}");
        }
    }
}
