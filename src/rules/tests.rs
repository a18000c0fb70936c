//! What tables answer, and that the search for rings finds all of them and no other.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::directory::{Directory, Person};
use crate::document::{Document, Mistakes, Syntax};
use crate::domain::{CxoneStatus, OutStateId, SalesforceStatus, Team};

const DIRECTORY: &str = include_str!("../../examples/directory.toml");
const RULES: &str = include_str!("../../examples/rules.toml");

fn directory() -> Directory {
    let mut mistakes = Mistakes::new();
    let document = Document::new("directory.toml", DIRECTORY, Syntax::Toml);
    Directory::read(&document, &mut mistakes).filter(|_| mistakes.is_empty()).unwrap()
}

fn revision(rules: &str, directory: &Directory) -> (Option<Revision>, Mistakes) {
    let mut mistakes = Mistakes::new();
    let revision = check(&Document::new("rules.toml", rules, Syntax::Toml), Some(directory), &mut mistakes);
    (revision, mistakes)
}

/// The tables of the example, and the assignment of the person with this user name in CXone.
fn assigned(tables: &Tables, directory: &Directory, user: &str) -> Assignment {
    let person = directory.people.iter().find(|p| p.is_called(&format!("{user}@cx.example.com"))).unwrap();
    tables.assignment(person.agent, &person.link, team(person)).unwrap()
}

fn team(person: &Person) -> Option<Team> {
    person.team.map(|team| Team { account: person.link.cxone.account, team })
}

fn salesforce(number: u32) -> SalesforceStatus {
    SalesforceStatus::Presence(format!("0N5000000000{number}").parse().unwrap())
}

fn code(number: u32) -> CxoneStatus {
    CxoneStatus::Code(OutStateId::new(number))
}

/// A Salesforce status outside of the vocabulary.
const UNKNOWN: u32 = 999;

#[test]
fn what_cxone_should_show() {
    let directory = directory();
    let tables = Tables::compile(&revision(RULES, &directory).0.unwrap());
    let offline = SalesforceStatus::Offline;
    let default = |row| CxoneTarget::Set(CxoneStatus::Unavailable, Row(row));
    let cases = [
        // Support: rows by label and by developer name, previous, log-out, nothing without a row.
        ("one", salesforce(101), CxoneTarget::Set(CxoneStatus::Available, Row(1))),
        ("one", salesforce(103), CxoneTarget::Set(code(1017), Row(2))),
        ("one", salesforce(106), CxoneTarget::Previous(Row(4))),
        ("one", offline, CxoneTarget::Set(CxoneStatus::LoggedOut, Row(5))),
        ("one", salesforce(107), CxoneTarget::Nothing),
        ("one", salesforce(UNKNOWN), CxoneTarget::Nothing),
        // Back Office skips code validation: what has no row sets the default, but never for Offline.
        ("six", salesforce(102), CxoneTarget::Set(CxoneStatus::Available, Row(1))),
        ("six", salesforce(103), default(0)),
        ("six", salesforce(UNKNOWN), default(0)),
        ("six", offline, CxoneTarget::Nothing),
        // Agent seven's own rule beats his team's.
        ("seven", salesforce(103), CxoneTarget::Nothing),
    ];
    for (user, status, target) in cases {
        let assignment = assigned(&tables, &directory, user);
        assert_eq!(tables.cxone_target(assignment, status), target, "{user} {status:?}");
    }
    assert_eq!(
        tables.options(assigned(&tables, &directory, "four")).unwrap().on_conflict,
        OnConflict::Salesforce
    );
    assert_eq!(tables.rule(assigned(&tables, &directory, "seven")), 3);
}

#[test]
fn what_salesforce_should_show() {
    let directory = directory();
    let tables = Tables::compile(&revision(RULES, &directory).0.unwrap());
    let one = assigned(&tables, &directory, "one");
    let set = |number, row| SalesforceTarget::Set(salesforce(number), Row(row));
    let after_call_work = |code| CxoneStatus::AfterCallWork(code);
    let cases = [
        (CxoneStatus::Available, set(101, 1)),
        (code(1017), set(103, 2)),
        (CxoneStatus::Contact(crate::domain::ContactState::OutboundContact), set(104, 5)),
        // After-call work with no code, a known one, and one the tenant has made since.
        (after_call_work(None), set(104, 6)),
        (after_call_work(Some(OutStateId::new(1020))), set(104, 6)),
        (after_call_work(Some(OutStateId::new(4711))), set(104, 6)),
        (CxoneStatus::LoggedOut, SalesforceTarget::Set(SalesforceStatus::Offline, Row(7))),
        (CxoneStatus::Unavailable, SalesforceTarget::Nothing),
        (code(4711), SalesforceTarget::Nothing),
    ];
    for (status, target) in cases {
        assert_eq!(tables.salesforce_target(one, status), target, "{status:?}");
    }
}

#[test]
fn a_team_that_lacks_a_code_is_never_sent_it() {
    let directory = directory();
    let mut revision = revision(RULES, &directory).0.unwrap();
    let [support, night] = ["Support DE", "Night Shift"].map(|name| {
        let (account, tenant) = revision.vocabulary.cxone.iter().next().unwrap();
        let team = tenant.teams().iter().find(|t| &*t.name == name).unwrap();
        Team { account: *account, team: team.id }
    });
    let person = directory.people.first().unwrap();
    revision.rules[0].agents.push(person.agent);
    let meeting = salesforce(105);
    let target = |revision: &Revision, team| {
        let tables = Tables::compile(revision);
        let assignment = tables.assignment(person.agent, &person.link, team).unwrap();
        (tables.cxone_target(assignment, meeting), tables.team_lacks(assignment, code(1019)))
    };
    let row = Row(3);
    // Moved into a team without the code, he is not sent it; where the team is not known, it is tried.
    assert_eq!(target(&revision, Some(support)), (CxoneTarget::Set(code(1019), row), false));
    assert_eq!(target(&revision, Some(night)), (CxoneTarget::Lacks(OutStateId::new(1019), row), true));
    assert_eq!(target(&revision, None), (CxoneTarget::Set(code(1019), row), false));
    revision.rules[0].options.skip_code_validation = true;
    assert_eq!(target(&revision, Some(night)), (CxoneTarget::Set(CxoneStatus::Unavailable, row), true));
}

#[test]
fn who_has_no_rule_has_no_table() {
    let directory = directory();
    let tables = Tables::compile(&revision(RULES, &directory).0.unwrap());
    let person = directory.people.first().unwrap();
    assert_eq!(tables.assignment(person.agent, &person.link, None), None);
}

const SALESFORCE: [&str; 5] = ["Available_for_Chats", "On_Break", "On_Call", "In_Meeting", "Back_to_Work"];
const CXONE: [&str; 5] =
    ["Available", "Unavailable", "Unavailable/Lunch", "Unavailable/Break", "Unavailable/Meeting"];

type Rows = [Option<usize>; 5];

fn rules(there: &Rows, back: &Rows) -> String {
    let rows = |from: [&str; 5], to: [&str; 5], rows: &Rows| {
        let row = |(i, to_index): (usize, &Option<usize>)| {
            to_index.map(|t| format!("\"{}\" = \"{}\"\n", from[i], to[t]))
        };
        rows.iter().enumerate().filter_map(row).collect::<String>()
    };
    format!(
        "[[rule]]\nname = \"R\"\nteams = [\"Support DE\"]\n[rule.cxone_to_salesforce]\n{}[rule.salesforce_to_cxone]\n{}",
        rows(CXONE, SALESFORCE, back),
        rows(SALESFORCE, CXONE, there),
    )
}

/// Naively: from each Salesforce status go there and back a hundred times; who still moves, chases. The
/// statuses he then passes are the ring.
fn naive_rings(there: &Rows, back: &Rows) -> BTreeSet<BTreeSet<usize>> {
    let round = |s: usize| there[s].and_then(|c| back[c]);
    let mut rings = BTreeSet::new();
    for start in 0..5 {
        let Some(at) = (0..100).try_fold(start, |s, _| round(s)) else { continue };
        let mut ring = BTreeSet::from([at]);
        let mut next = round(at).unwrap();
        while ring.insert(next) {
            next = round(next).unwrap();
        }
        if ring.len() > 1 {
            rings.insert(ring);
        }
    }
    rings
}

/// Naively: the trips that do not come back, as (from, there, back) in names, of those that are in no ring.
fn naive_losses(there: &Rows, back: &Rows) -> BTreeSet<(String, String, String)> {
    let rings = naive_rings(there, back);
    let in_ring = |s: usize| rings.iter().any(|ring| ring.contains(&s));
    let mut losses = BTreeSet::new();
    for s in (0..5).filter(|s| !in_ring(*s)) {
        if let Some(c) = there[s]
            && let Some(other) = back[c]
            && other != s
        {
            losses.insert((SALESFORCE[s].to_owned(), CXONE[c].to_owned(), SALESFORCE[other].to_owned()));
        }
    }
    for c in 0..5 {
        if let Some(s) = back[c]
            && let Some(other) = there[s]
            && other != c
            && !(in_ring(s) && rings.iter().any(|r| r.iter().any(|s| there[*s] == Some(c))))
        {
            losses.insert((CXONE[c].to_owned(), SALESFORCE[s].to_owned(), CXONE[other].to_owned()));
        }
    }
    losses
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn rings_and_losses_are_those_of_a_naive_walk(
        there in proptest::array::uniform5(proptest::option::weighted(0.8, 0..5_usize)),
        back in proptest::array::uniform5(proptest::option::weighted(0.8, 0..5_usize)),
    ) {
        prop_assume!(there.iter().chain(&back).any(Option::is_some));
        let directory = directory();
        let (_, mistakes) = revision(&rules(&there, &back), &directory);
        let told = |kind: &str| -> Vec<String> {
            mistakes.in_order().into_iter().filter(|m| m.kind == kind).map(|m| m.what.clone()).collect()
        };
        let chases = told("chase");
        let rings = naive_rings(&there, &back);
        prop_assert_eq!(chases.len(), rings.len(), "{:?}", chases);
        for ring in &rings {
            let named = |what: &String| ring.iter().all(|s| what.contains(SALESFORCE[*s]));
            prop_assert!(chases.iter().any(named), "{:?} in {:?}", ring, chases);
        }
        let losses: BTreeSet<String> = told("lost-on-return").into_iter().collect();
        let naive: BTreeSet<String> = naive_losses(&there, &back)
            .into_iter()
            .map(|(from, to, end)| format!("{from} is lost on the way back: {from} -> {to} -> {end}"))
            .collect();
        prop_assert_eq!(losses, naive);
    }
}

/// Two orgs and two tenants. In `apac` Lunch is not active and there is no status Only_Emea; the team Empty has
/// nobody who is linked; the team Night lacks the code Break.
const TWO_OF_EACH: &str = r#"
[salesforce.apac]
statuses = [{ id = "0N5000000000001", developer_name = "Free", granted_to = ["Führung"] }, { id = "0N5000000000002", developer_name = "Brk", granted_to = ["Führung"] }]
users = [{ id = "005000000000001", user_name = "a@example.com", profile = "Fu\u0308hrung" }]
[salesforce.emea]
statuses = [
  { id = "0N5000000000003", developer_name = "Free" }, { id = "0N5000000000004", developer_name = "Brk", label = "Meet" },
  { id = "0N5000000000005", developer_name = "Meet", label = "Treffen" }, { id = "0N5000000000006", developer_name = "Only_Emea" },
]
users = [{ id = "005000000000002", user_name = "e@example.com" }, { id = "005000000000009", user_name = "u@example.com" }]
[cxone.apac]
codes = [{ id = 10, name = "Lunch", active = false }, { id = 11, name = "Break" }]
teams = [{ id = 1, name = "A", codes = [10, 11] }, { id = 9, name = "Same", codes = [11] }]
agents = [{ id = 1, team = 1 }]
[cxone.emea]
codes = [{ id = 20, name = "Lunch" }, { id = 21, name = "Break" }]
teams = [{ id = 2, name = "E or F", codes = [20, 21] }, { id = 3, name = "Empty", codes = [20, 21] }, { id = 4, name = "Night", codes = [20] }, { id = 9, name = "Same", codes = [20] }]
agents = [{ id = 2, team = 2 }]
[[links]]
salesforce = "apac/005000000000001"
cxone = "apac/1"
[[links]]
salesforce = "emea/005000000000002"
cxone = "emea/2"
"#;

/// What is said of a rule whose teams or agents, options and rows these are, as `kind: message`.
fn said(assigned: &str, back: &str, there: &str, directory: &Directory) -> Vec<String> {
    let rules = format!(
        "[[rule]]\nname = \"R\"\n{assigned}\n[rule.cxone_to_salesforce]\n{back}\n[rule.salesforce_to_cxone]\n{there}\n"
    );
    let (_, mistakes) = revision(&rules, directory);
    mistakes.in_order().into_iter().map(|m| format!("{}: {}", m.kind, m.what)).collect()
}

#[test]
fn several_accounts() {
    let mut mistakes = Mistakes::new();
    let document = Document::new("directory.toml", TWO_OF_EACH, Syntax::Toml);
    let directory = Directory::read(&document, &mut mistakes).filter(|_| mistakes.is_empty()).unwrap();
    let unknown = "grant-unknown: the directory does not say which profile some agents of this rule have, so whether they are granted \"Brk\"";
    let no_one =
        "unassigned: rule \"R\" serves no one: its teams have no linked agents without a rule of their own";
    // (teams or agents, publisher row, subscriber row, what is said)
    let cases: &[(&str, &str, &str, &[&str])] = &[
        // A name must be known where the rule serves someone; names of profiles are one however they are typed.
        ("teams = [\"A\"]", "\"Available\" = \"Brk\"", "", &[]),
        (
            "teams = [\"A\"]",
            "\"Available\" = \"Only_Emea\"",
            "",
            &["unknown-status: Salesforce has no presence status \"Only_Emea\" in the org apac"],
        ),
        ("teams = [\"Empty\"]", "\"Available\" = \"Only_Emea\"", "", &[no_one]),
        // A code is unreachable only where it is active in none of the tenants served.
        ("teams = [\"A\", \"E or F\"]", "\"Unavailable/Lunch\" = \"Brk\"", "", &[unknown]),
        (
            "teams = [\"A\"]",
            "\"Unavailable/Lunch\" = \"Brk\"",
            "",
            &["unreachable-row: the code \"Lunch\" is not active, so no one reaches this row"],
        ),
        // The same mistake in both tenants is told once.
        (
            "teams = [\"A\", \"E or F\"]",
            "",
            "\"Brk\" = \"InboundContact\"",
            &["not-settable: \"InboundContact\" cannot be set: CXone alone puts an agent there"],
        ),
        // Teams.
        (
            "teams = [\"Night\", \"Same\"]",
            "",
            "\"Brk\" = \"Unavailable/Break\"",
            &[
                "ambiguous-team: several teams are called \"Same\"",
                "code-not-on-team: the team Night lacks the code \"Break\"",
                no_one,
            ],
        ),
        (
            "teams = [\"emea/Same\", \"Night\"]",
            "",
            "\"Brk\" = \"Unavailable/Break\"",
            &[no_one, "code-not-on-team: the teams Night and Same lack the code \"Break\""],
        ),
        (
            "teams = [\"Night\"]\nskip_code_validation = true",
            "",
            "\"Brk\" = \"Unavailable/Break\"",
            &[
                no_one,
                "unreachable-row: the team Night lacks the code \"Break\", so this row only ever sets Unavailable",
            ],
        ),
        (
            "agents = [\"u@example.com\", \"E@Example.com\", \"x\"]",
            "",
            "\"Brk\" = \"Available\"",
            &[
                "unlinked-agent: agent \"u@example.com\" is on one platform only",
                "unknown-agent: there is no agent \"x\"",
            ],
        ),
        // A developer name beats a label, and that is said.
        (
            "teams = [\"E or F\"]",
            "",
            "\"Meet\" = \"Available\"",
            &[
                "two-meanings: \"Meet\" is the developer name of one status and the label of another in the org emea; it is taken as the developer name",
            ],
        ),
    ];
    for (assigned, back, there, expected) in cases {
        let mut said = said(assigned, back, there, &directory);
        let mut expected: Vec<String> = expected.iter().map(|e| (*e).to_owned()).collect();
        said.sort();
        expected.sort();
        assert_eq!(said, expected, "{assigned} {back} {there}");
    }
}

#[test]
fn rows_that_would_chase_the_first_one_linked_are_refused() {
    let mut mistakes = Mistakes::new();
    let document = Document::new("directory.toml", TWO_OF_EACH, Syntax::Toml);
    let directory = Directory::read(&document, &mut mistakes).unwrap();
    let back = "\"Unavailable/Lunch\" = \"Only_Emea\"\n\"Unavailable/Break\" = \"Brk\"";
    let there = "\"Brk\" = \"Unavailable/Lunch\"\n\"Only_Emea\" = \"Unavailable/Break\"";
    let said = said("teams = [\"Empty\"]", back, there, &directory);
    assert!(said.iter().any(|s| s.starts_with("chase: ")), "{said:?}");
}

#[test]
fn a_directory_without_an_account_leaves_nothing_unchecked() {
    let [orgs, tenants] = [("[salesforce.", "[cxone."), ("[cxone.", "[[links]]")].map(|(from, to)| {
        let text = &TWO_OF_EACH[TWO_OF_EACH.find(from).unwrap()..TWO_OF_EACH.find(to).unwrap()];
        Directory::read(&Document::new("d", text, Syntax::Toml), &mut Mistakes::new()).unwrap()
    });
    let no_tenant = said("agents = []", "\"Unavailable/Nonsense\" = \"Brk\"", "", &orgs);
    assert!(
        no_tenant.iter().any(|s| s.starts_with("no-account: the directory has no CXone tenant")),
        "{no_tenant:?}"
    );
    let no_org = said("teams = [\"A\"]", "\"Available\" = \"Nonsense\"", "", &tenants);
    assert!(
        no_org.iter().any(|s| s.starts_with("no-account: the directory has no Salesforce org")),
        "{no_org:?}"
    );
}
