//! A small directory, and each mistake in one.

use super::*;
use crate::document::Syntax;

const GOOD: &str = r#"
[salesforce.emea]
statuses = [
  { id = "0N5000000000001", developer_name = "Available_for_Chats", label = "Für Chats verfügbar", channels = ["Chat"], granted_to = ["Agent"] },
  { id = "0N5000000000002", developer_name = "On_Break", label = "Pause" },
]
users = [
  { id = "005000000000001", user_name = "seven@acme", email = "seven@example.com", profile = "Agent" },
  { id = "005000000000002", email = "eight@example.com" },
]
[cxone.emea]
codes = [{ id = 1017, name = "Lunch" }, { id = 1018, name = "Wrap-up", after_call_work = true }]
teams = [{ id = 5, name = "Support DE", codes = [1017] }]
agents = [{ id = 293558, user_name = "seven@cx", team = 5 }]
[[links]]
salesforce = "emea/005000000000001"
cxone = "emea/293558"
"#;

fn read(text: &str) -> (Directory, Vec<String>) {
    let document = Document::new("t", text, Syntax::Toml);
    let mut mistakes = Mistakes::new();
    let directory = Directory::read(&document, &mut mistakes).unwrap_or_default();
    let told = mistakes
        .in_order()
        .into_iter()
        .map(|m| format!("{} {}: {}", document.positions().of(m.place).0, m.kind, m.what));
    let told = told.collect();
    (directory, told)
}

#[test]
fn a_link_makes_an_agent() {
    let (directory, told) = read(GOOD);
    assert_eq!(told, Vec::<String>::new());
    let person = &directory.people[0];
    assert!(person.is_called("SEVEN@example.com") && person.is_called("seven@cx") && !person.is_called(""));
    assert_eq!(person.team, Some(TeamId::new(5)));
    assert_eq!(directory.unlinked.len(), 1);
    let vocabulary = &directory.vocabulary.salesforce.values().next().unwrap();
    let access = &directory.access.values().next().unwrap()[person.access.unwrap() as usize];
    let grants = |name| match vocabulary.find(name) {
        Found::One(status) => access.grants(status),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(grants("Für Chats verfügbar"), Some(true));
    assert_eq!(grants("On_Break"), None);
}

/// The id is in every log: this test fails when it would change.
#[test]
fn the_id_of_a_link_never_changes() {
    let (directory, _) = read(GOOD);
    assert_eq!(directory.people[0].agent.to_string(), "a8aaab2e-2deb-5dba-b4b2-1247389f922d");
    let mut other = directory.people[0].link;
    other.cxone.agent = crate::domain::CxoneAgentId::new(1);
    assert_ne!(agent_id(&other), directory.people[0].agent);
}

#[test]
fn each_mistake_is_told() {
    let cases = [
        ("0N5000000000002", "0N5000000000001", "5 duplicate-id: status \"0N5000000000001\" is here twice"),
        (
            "On_Break",
            "Available_for_Chats",
            "5 duplicate-id: developer name \"Available_for_Chats\" is here twice",
        ),
        ("0N5000000000002", "0N50000", "5 id: a Salesforce id has 15 or 18 characters"),
        ("0N5000000000002", "005000000000002", "5 id: the id should begin with 0N5"),
        ("id = \"0N5000000000002\", ", "", "5 missing: `id` is missing"),
        ("005000000000002", "005000000000001", "9 duplicate-id: user 005000000000001 is here twice"),
        ("codes = [1017]", "codes = [1017, 9]", "13 unknown-code: the tenant has no code 9"),
        ("id = 1017", "id = 3", "12 value: out-states up to 3 are CXone's own, not codes of the tenant"),
        ("id = 1018", "id = 1017", "12 duplicate-id: code \"1017\" is here twice"),
        ("team = 5", "team = 6", "14 unknown-team: the tenant has no team 6"),
        ("emea/293558", "emea/1", "17 unknown-id: there is no agent \"emea/1\""),
        ("emea/293558", "293558", "17 value: \"293558\" is not of the form ACCOUNT/ID"),
        (
            "[[links]]",
            "[[links]]\nsalesforce = \"emea/005000000000001\"\ncxone = \"emea/293558\"\n[[links]]",
            "19 linked-twice: user \"emea/005000000000001\" is linked twice",
        ),
        (
            "[cxone.emea]",
            "[cxone.EMEA]",
            "11 account-name: \"EMEA\": an account name has 1 to 31 of a-z, 0-9, - and _, and begins with a letter",
        ),
        ("email = \"eight", "mail = \"eight", "9 unknown-key: unknown key \"mail\""),
    ];
    for (from, to, expected) in cases {
        let (_, told) = read(&GOOD.replacen(from, to, 1));
        assert!(told.iter().any(|t| t == expected), "{to}: {told:#?}");
    }
}

/// A status: its number, developer name, label, channels, and who grants it.
type Named<'n> = (u32, &'n str, &'n str, &'n [&'n str], Option<&'n str>);

fn vocabulary(statuses: &[Named<'_>]) -> SalesforceVocabulary {
    let status = |(id, name, label, channels, granted_to): &Named<'_>| PresenceStatus {
        id: format!("0N5{id:012}").parse().unwrap(),
        developer_name: (*name).into(),
        label: (*label).into(),
        channels: channels.iter().map(|&name| name.into()).collect(),
        granted_to: granted_to.map(|name| vec![name.into()]),
    };
    SalesforceVocabulary::new(statuses.iter().map(status).collect())
}

#[test]
fn what_has_become_of_statuses_is_told() {
    let known = vocabulary(&[
        (1, "Free", "Free", &["Chat"], None),
        (2, "Lunch", "Lunch", &[], None),
        (3, "Break", "Pause", &[], None),
        (4, "Training", "Training", &[], None),
        (5, "Meeting", "Meeting", &["Chat"], None),
    ]);
    let later = vocabulary(&[
        (1, "Free", "Free", &["Chat", "Case"], None),
        (2, "Meal", "Meal", &[], None),
        (3, "Break", "Rast", &[], None),
        (5, "Meeting", "Meeting", &[], None),
        (6, "Training", "Training", &[], None),
    ]);
    let told = |known: &SalesforceVocabulary, later: &SalesforceVocabulary| -> Vec<String> {
        let changes = known.changes(later);
        changes.into_iter().map(|(status, change)| format!("{} {change:?}", status.developer_name)).collect()
    };
    assert_eq!(
        told(&known, &later),
        [
            "Meal Renamed { was: \"Lunch\", is: \"Meal\" }",
            "Break Renamed { was: \"Pause\", is: \"Rast\" }",
            "Training Gone",
            "Meeting Became(Busy)",
            "Training New",
        ]
    );
    assert_eq!(told(&known, &known), Vec::<String>::new());
}

/// An org does not tell who is granted a status: what a file said stays as long as the status is there.
#[test]
fn what_is_known_of_grants_stays_with_the_status() {
    let known = vocabulary(&[
        (1, "Free", "Free", &[], Some("Agent")),
        (2, "Lunch", "Lunch", &[], None),
        (3, "Break", "Break", &[], Some("Agent")),
    ]);
    let later = vocabulary(&[
        (1, "Available", "Available", &["Chat"], None),
        (2, "Lunch", "Lunch", &[], None),
        (3, "Break", "Break", &[], Some("Other")),
        (4, "Free", "Free", &[], None),
    ]);
    let merged = later.with_grants_of(&known);
    let granted: Vec<Option<&str>> =
        merged.statuses().iter().map(|status| status.granted_to.as_ref().map(|names| &*names[0])).collect();
    assert_eq!(granted, [Some("Agent"), None, Some("Other"), None]);
    assert_eq!(merged.statuses()[0].channels, [Box::from("Chat")]);
}
