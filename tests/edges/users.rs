//! The directory, from both platforms: `lockstep directory refresh` as a process, against a simulated org and a simulated tenant with the
//! same people.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;

use lockstep::control::directory_in_log;
use lockstep::directory::{Directory, PresenceStatus};
use lockstep::domain::PresenceKind;
use lockstep::simulators::cxone::Settings as CxoneSettings;
use lockstep::simulators::salesforce::{Credentials, Settings};
use serde_json::{Value, json};

use crate::centre::FIRST;
use crate::deployment::Deployment;
use crate::ground::On;
use crate::platforms;
use crate::process::Process;
use crate::program::{Said, lockstep};
use crate::simulated::Simulated;
use crate::simulated_org::SimulatedOrg;

pub(crate) const PEOPLE: u32 = 12;
/// All of them, and the integration user.
const USERS: usize = PEOPLE as usize + 1;
pub(crate) const WHY: [&str; 2] = ["--reason", "a test"];
const NOTHING: [(&str, u64); 5] =
    [("written", 0), ("removed", 0), ("linked", 0), ("unlinked", 0), ("moved", 0)];

/// An org and a tenant, both called `emea`, and a log of which nobody has said anything.
pub(crate) struct Site {
    deployment: Deployment,
    pub(crate) org: SimulatedOrg,
    pub(crate) tenant: Simulated,
    pub(crate) password: String,
    /// Which organisation the org is taken for.
    pub(crate) organisation: &'static str,
    /// What else the configuration has, at its end.
    pub(crate) further: String,
}

impl Deref for Site {
    type Target = Deployment;

    fn deref(&self) -> &Deployment {
        &self.deployment
    }
}

impl Site {
    pub(crate) fn new(test: &str) -> Site {
        let deployment = Deployment::new(On::Directory, test, 4);
        let org = SimulatedOrg::new(Settings { users: PEOPLE, ..Settings::default() });
        let tenant = Simulated::new(CxoneSettings { agents: PEOPLE, ..CxoneSettings::default() });
        let Credentials { password, security_token, .. } = Credentials::default();
        let (organisation, further) = (platforms::ORGANISATION, String::new());
        Site { deployment, org, tenant, password: password + &security_token, organisation, further }
    }

    /// A file of the test, with this in it.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        self.place.file(name, text)
    }

    fn config(&self) -> PathBuf {
        let salesforce = platforms::of_salesforce(self.org.addresses.api, self.organisation);
        let (cxone, further) = (platforms::of_cxone(self.tenant.addresses.api), &self.further);
        let text = format!(
            r#"
[ops]
listen = "127.0.0.1:0"
[directory]
refresh_minutes = 1
{salesforce}
[salesforce.emea.calls]
per_minute = 3000
{cxone}
[cxone.emea.calls]
per_minute = 3000
{further}
"#
        );
        self.configure("lockstep", &text)
    }

    fn secrets(&self) -> [(&'static str, String); 4] {
        platforms::secrets().map(|(name, secret)| match name {
            "TEST_PASSWORD" => (name, self.password.clone()),
            _ => (name, secret),
        })
    }

    /// `lockstep directory`.
    pub(crate) fn directory(&self, words: &[&str]) -> Said {
        self.command(&[&["directory"], words].concat())
    }

    /// Any command of the program, with this directory.
    pub(crate) fn command(&self, words: &[&str]) -> Said {
        Said::by(self.prepared(words).args(self.data()))
    }

    /// One that is not told yet where the log is.
    pub(crate) fn prepared(&self, words: &[&str]) -> Command {
        let mut command = lockstep(words);
        command.arg("--config").arg(self.config()).envs(self.secrets());
        command
    }

    /// What a refresh with these words tells.
    pub(crate) fn refreshed(&self, words: &[&str]) -> Value {
        self.directory(&[&["refresh", "--json"][..], &WHY, words].concat()).told()
    }

    /// What a refresh that comes to nothing says.
    fn refused(&self, words: &[&str]) -> String {
        let said = self.directory(&[&["refresh"][..], &WHY, words].concat());
        assert_eq!(said.code, Some(1), "{said:?}");
        said.text()
    }

    /// What `show` tells of somebody.
    fn shown(&self, whom: &str) -> Value {
        self.directory(&["show", whom, "--json"]).told()
    }

    /// Why agents are not linked.
    fn unlinked(&self) -> Vec<(String, String)> {
        let told = self.directory(&["unlinked", "--json"]).told();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        told.as_array().unwrap().iter().map(|one| (text(one, "agent"), text(one, "why"))).collect()
    }

    fn known(&self) -> Directory {
        directory_in_log(&self.bus(), &self.codec, &self.plan).unwrap()
    }

    /// The status of this developer name, as it is known.
    fn status(&self, name: &str) -> Option<PresenceStatus> {
        let known = self.known();
        let vocabulary = known.vocabulary.salesforce.values().next()?;
        vocabulary.statuses().iter().find(|status| &*status.developer_name == name).cloned()
    }

    pub(crate) fn change_user(&self, number: u32, change: &Value) {
        self.org.control("POST", &format!("/users/{}", user(number)), change);
    }
}

/// The user who is this agent.
pub(crate) fn user(agent: u32) -> String {
    let number = agent - FIRST + 1;
    assert!(number < 36, "the id has one digit");
    let digit = char::from_digit(number, 36).unwrap().to_ascii_uppercase();
    format!("0055g000000000{digit}")
}

/// What a refresh says that it has changed.
fn changed(told: &Value) -> [(&'static str, u64); 5] {
    NOTHING.map(|(what, _)| (what, told["changed"][what].as_u64().unwrap()))
}

#[test]
fn everybody_is_found_and_linked() {
    let site = Site::new("edges-users");
    let dry = site.refreshed(&["--dry-run"]);
    assert_eq!((&dry["changed"], &dry["matched"]), (&Value::Null, &json!(PEOPLE)));
    assert_eq!(site.directory(&["show", "--json"]).told(), json!({}), "nothing was changed");

    let first = site.refreshed(&[]);
    let (org, tenant) = (&first["orgs"][0], &first["tenants"][0]);
    assert_eq!((&org["account"], &org["users"]), (&json!("emea"), &json!(USERS)));
    assert_eq!((&org["online"], &org["busy"]), (&json!(3), &json!(8)));
    assert_eq!((&org["statuses_changed"], &org["missing"]), (&json!([]), &json!([])));
    assert_eq!((&tenant["account"], &tenant["agents"]), (&json!("emea"), &json!(PEOPLE)));
    assert_eq!((&first["matched"], &first["not_linked"]), (&json!(PEOPLE), &json!(0)));
    assert_eq!(first["changed"]["linked"], PEOPLE);
    let known = site.known();
    assert_eq!((known.people.len(), known.unlinked.len()), (PEOPLE as usize, 1), "and the integration user");
    for person in &known.people {
        assert_eq!(person.salesforce.email, person.cxone.email, "{}", person.agent);
    }
    let available = site.status("Available").unwrap();
    let channels: Vec<&str> = available.channels.iter().map(|name| &**name).collect();
    assert_eq!((channels, available.kind()), (vec!["Case", "Chat", "Phone"], PresenceKind::Online));
    assert_eq!(site.status("Lunch").unwrap().kind(), PresenceKind::Busy);
    assert_eq!(available.granted_to, None, "the org does not tell");

    assert_eq!(changed(&site.refreshed(&[])), NOTHING);
    let text = site.directory(&[&["refresh"][..], &WHY].concat()).text();
    for line in [
        format!("salesforce.emea: {USERS} users; statuses: 3 online, 8 busy"),
        format!("cxone.emea: {PEOPLE} agents, 5 teams, 9 codes"),
        "salesforce.emea: asking Salesforce, a call each 0.2 s".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}: {text}");
    }
    assert!(!text.contains("warning"), "{text}");
}

/// A name is the org and the tenant of that name, unless it says which.
#[test]
fn accounts_are_refreshed_by_their_names() {
    let site = Site::new("edges-users-named");
    // What is asked, how many orgs and tenants are, and how many people are linked by it.
    for (words, asked, linked) in [
        (&["salesforce.emea"][..], (1, 0), 0),
        (&["cxone.emea"], (0, 1), PEOPLE),
        (&["emea"], (1, 1), 0),
        (&["cxone.emea", "salesforce.emea", "emea"], (1, 1), 0),
        (&[], (1, 1), 0),
    ] {
        let told = site.refreshed(words);
        let count = |key: &str| told[key].as_array().unwrap().len();
        assert_eq!(
            ((count("orgs"), count("tenants")), &told["matched"]),
            (asked, &json!(linked)),
            "{words:?}"
        );
    }
    for name in ["nobody", "salesforce.nobody", "cxone.", "EMEA"] {
        let text = site.refused(&[name]);
        let expected =
            format!("the configuration has no account {name}; it has: salesforce.emea, cxone.emea");
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn what_becomes_of_statuses_is_told() {
    let site = Site::new("edges-users-statuses");
    site.refreshed(&[]);
    let change = |path: &str, body: Value| site.org.control("POST", path, &body);
    change("/statuses/Lunch", json!({"developerName": "Meal"}));
    change("/statuses/On_Break", json!({"label": "Rast"}));
    change("/statuses/Training", json!({"delete": true}));
    change("/statuses", json!({"developerName": "Escalation", "channels": ["Phone", "Chat"]}));

    let dry = site.directory(&[&["refresh", "--dry-run"][..], &WHY].concat()).text();
    for line in [
        "the status \"Lunch\" (0N55g0000000005) is called \"Meal\" now",
        "the status \"Pause\" (0N55g0000000004) is called \"Rast\" now",
        "the status Training (0N55g0000000008) is gone",
        "the status Escalation (0N55g000000000C) is new",
        "nothing was changed",
    ] {
        assert!(dry.contains(line), "{line}: {dry}");
    }
    let told = site.refreshed(&[]);
    let expected = json!([
        {"status": "0N55g0000000004", "developer_name": "On_Break", "became": "renamed", "was": "Pause", "is": "Rast"},
        {"status": "0N55g0000000005", "developer_name": "Meal", "became": "renamed", "was": "Lunch", "is": "Meal"},
        {"status": "0N55g0000000008", "developer_name": "Training", "became": "gone"},
        {"status": "0N55g000000000C", "developer_name": "Escalation", "became": "new"},
    ]);
    assert_eq!(told["orgs"][0]["statuses_changed"], expected);
    assert_eq!((&told["orgs"][0]["online"], &told["orgs"][0]["busy"]), (&json!(4), &json!(7)));
    assert_eq!(
        changed(&told),
        [("written", 3), ("removed", 1), ("linked", 0), ("unlinked", 0), ("moved", 0)]
    );
    assert_eq!((site.status("Lunch"), site.status("Training")), (None, None));
    let channels = site.status("Escalation").unwrap().channels;
    assert_eq!(channels.iter().map(|name| &**name).collect::<Vec<_>>(), ["Chat", "Phone"]);
    assert_eq!(site.refreshed(&[])["orgs"][0]["statuses_changed"], json!([]), "once");
}

/// The org does not tell who may use a status: what a file said of it stays, of statuses and people who are still there.
#[test]
fn what_a_file_said_of_access_stays() {
    let site = Site::new("edges-users-access");
    let file = format!(
        r#"
[salesforce.emea]
statuses = [
  {{ id = "0N55g0000000001", developer_name = "Available", channels = ["Chat"], granted_to = ["Agent"] }},
  {{ id = "0N55g0000000005", developer_name = "Lunch", granted_to = ["Agent", "Lead"] }},
  {{ id = "0N5000000000099", developer_name = "Old", granted_to = ["Agent"] }},
]
users = [{{ id = "{}", email = "old@example.com", profile = "Agent" }}]
"#,
        user(FIRST)
    );
    let file = site.file("directory.toml", &file);
    site.directory(&[&["import", file.to_str().unwrap(), "--json"][..], &WHY].concat()).told();
    site.org.control("POST", "/statuses/Lunch", &json!({"developerName": "Meal"}));
    site.refreshed(&[]);
    let granted_to = |name: &str| {
        let names = site.status(name).unwrap().granted_to;
        names.map(|names| names.iter().map(|name| name.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(granted_to("Available"), Some(vec!["Agent".to_owned()]));
    assert_eq!(granted_to("Meal"), Some(vec!["Agent".to_owned(), "Lead".to_owned()]), "by its id");
    assert_eq!(granted_to("On_Break"), None);
    assert_eq!(site.status("Old"), None);
    let known = site.known();
    let access = |number: u32| {
        let person = known.people.iter().find(|person| person.link.cxone.agent.get() == number).unwrap();
        person.access.map(|at| known.access.values().next().unwrap()[at as usize].names.clone())
    };
    assert_eq!(access(FIRST), Some(vec![Box::from("Agent")]));
    assert_eq!(access(FIRST + 1), None);
}

#[test]
fn who_changes_stays_linked_and_who_was_unlinked_stays_so() {
    let site = Site::new("edges-users-change");
    site.refreshed(&[]);
    let (left, renamed, apart) = (FIRST, FIRST + 1, FIRST + 2);
    let agent = |number: u32| format!("emea/{number}");
    site.change_user(left, &json!({"isActive": false}));
    site.change_user(renamed, &json!({"email": "new@example.com"}));
    site.directory(&[&["unlink", &agent(apart), "--json"][..], &WHY].concat()).told();
    let refreshed = site.refreshed(&[]);
    assert_eq!(
        changed(&refreshed),
        [("written", 2), ("removed", 0), ("linked", 0), ("unlinked", 0), ("moved", 0)]
    );
    assert_eq!((&refreshed["matched"], &refreshed["not_linked"]), (&json!(0), &json!(1)));
    assert_eq!(site.shown(&agent(left))[0]["salesforce"]["active"], false);
    assert_eq!(site.shown(&agent(renamed))[0]["salesforce"]["email"], "new@example.com");
    assert_eq!(site.shown(&agent(renamed))[0]["cxone"]["email"], format!("agent.{renamed}@example.com"));
    let by_hand = format!("was unlinked from emea/{} by hand", user(apart));
    assert_eq!(site.unlinked(), [(agent(apart), by_hand.clone())]);

    // Who can log in no more and is not linked is forgotten; when he is back he is who he was.
    site.change_user(apart, &json!({"isActive": false}));
    assert_eq!(site.refreshed(&[])["changed"]["removed"], 1);
    assert_eq!(site.unlinked(), [(agent(apart), "nobody in Salesforce is called so".to_owned())]);
    site.change_user(apart, &json!({"isActive": true}));
    assert_eq!(site.refreshed(&[])["changed"]["linked"], 0);
    assert_eq!(site.unlinked(), [(agent(apart), by_hand)]);
}

#[test]
fn a_log_in_that_is_refused_changes_nothing() {
    let mut site = Site::new("edges-users-refused");
    let right = std::mem::replace(&mut site.password, "canary-7".to_owned());
    let text = site.refused(&[]);
    for part in ["salesforce.emea: the log-in is refused: invalid_grant", "`password`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("canary-7") && !text.contains("asking CXone"), "{text}");
    assert_eq!(site.directory(&["show", "--json"]).told(), json!({}));
    site.password = right;
    assert_eq!(site.refreshed(&[])["matched"], PEOPLE);
}

/// What the integration user may not read is left as it is known, and told; everything else is refreshed.
#[test]
fn what_may_not_be_read_stays_as_it_is_known() {
    let site = Site::new("edges-users-forbidden");
    site.refreshed(&[]);
    site.org.control("POST", "/statuses/Lunch", &json!({"developerName": "Meal"}));
    site.change_user(FIRST, &json!({"email": "new@example.com"}));
    let forbids = |path: &str| site.org.faults(&[json!({"path": path, "kind": "html", "status": 403})]);
    let is_known = || {
        let email = site.shown(&format!("emea/{FIRST}"))[0]["salesforce"]["email"].clone();
        (email == "new@example.com", site.status("Meal").is_some())
    };
    // What may not be read, how many users are told of, what is missing, and whether the address and the status are known then.
    for (path, users, missing, known) in [
        ("/query", Value::Null, "the users cannot be read", (false, true)),
        ("/composite", json!(USERS), "the statuses with their channels cannot be read", (true, true)),
    ] {
        forbids(path);
        let told = site.refreshed(&[]);
        let org = &told["orgs"][0];
        assert_eq!((&org["users"], &org["online"], &org["busy"]), (&users, &json!(3), &json!(8)), "{path}");
        let told_missing = org["missing"].as_array().unwrap();
        assert_eq!(told_missing.len(), 1, "{told_missing:?}");
        assert!(told_missing[0].as_str().unwrap().starts_with(missing), "{told_missing:?}");
        assert_eq!(
            changed(&told),
            [("written", 1), ("removed", 0), ("linked", 0), ("unlinked", 0), ("moved", 0)]
        );
        assert_eq!((is_known(), site.known().people.len()), (known, PEOPLE as usize), "{path}");
    }
    // Where all calls of the day are used up nothing is missing: it is to be asked again.
    site.change_user(FIRST, &json!({"email": "newer@example.com"}));
    site.org.faults(&[json!({"path": "/query", "kind": "status", "status": 403})]);
    let text = site.refused(&[]);
    assert!(text.contains("salesforce.emea: users: status 403, REQUEST_LIMIT_EXCEEDED"), "{text}");
    assert_eq!(is_known(), (true, true));
}

/// Whoever has the accounts refreshes them by itself, with `refresh_minutes`: orgs as well as tenants.
#[test]
fn who_has_the_accounts_refreshes_them() {
    let site = Site::new("edges-users-run");
    site.ground.hand_over();
    let config = site.config();
    let arguments = site.arguments(&config, "source,sink");
    let process = Process::run(&site.place.0, "refreshing", arguments, site.secrets());
    process.says("the directory is refreshed", 2);
    process.says("the org has told who and what it has", 1);
    let known = site.known();
    assert_eq!((known.people.len(), known.unlinked.len()), (PEOPLE as usize, 1));
    assert_eq!(site.status("Available").unwrap().kind(), PresenceKind::Online);
    process.end();
}
