//! `lockstep check` as a process, against a simulated org and a simulated tenant: all is well, and then each thing fails in turn.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::centre::FIRST;
use crate::ground::Folder;
use crate::place::Place;
use crate::port::free_port;
use crate::process::Process;
use crate::program::{Said, lockstep};
use crate::users::{PEOPLE, Site, WHY, user};
use crate::waiting::until;

const RULES: &str = r#"
[[rule]]
name = "All"
teams = ["Support DE", "Support AT", "Sales", "Retention", "Back Office"]
[rule.cxone_to_salesforce]
"Available" = "Available"
"Unavailable/Lunch" = "Lunch"
"Unavailable/Break" = "On_Break"
[rule.salesforce_to_cxone]
"Available" = "Available"
"Lunch" = "Unavailable/Lunch"
"On_Break" = "Unavailable/Break"
"#;

const ORG: &str = "salesforce.emea";
const TENANT: &str = "cxone.emea";

/// A row: what is checked, of what, and how it is.
type Row = (&'static str, &'static str, &'static str);

/// The rows of a site where all is well, but that its log-in is an old way, and that it has no gateway.
const ALL: [Row; 28] = [
    ("configuration", "", "ok"),
    ("bus", "", "ok"),
    ("topics", "", "ok"),
    ("log-in", ORG, "warning"),
    ("organisation", ORG, "ok"),
    ("allowance", ORG, "ok"),
    ("presence", ORG, "ok"),
    ("omni-channel", ORG, "ok"),
    ("users-seen", ORG, "ok"),
    ("clock", ORG, "ok"),
    ("view-all-data", ORG, "unknown"),
    ("service-cloud-licence", ORG, "unknown"),
    ("log-in", TENANT, "ok"),
    ("agent-states", TENANT, "ok"),
    ("agents-seen", TENANT, "ok"),
    ("codes-and-teams", TENANT, "ok"),
    ("clock", TENANT, "ok"),
    ("call-budget", TENANT, "ok"),
    ("setting", TENANT, "unknown"),
    ("links", "", "ok"),
    ("links-doubled", "", "ok"),
    ("users-active", ORG, "ok"),
    ("agents-active", TENANT, "ok"),
    ("rules-in-force", "", "ok"),
    ("rules-fit", "", "ok"),
    ("codes-on-teams", "", "ok"),
    ("statuses-granted", "grant-unknown", "unknown"),
    ("gateway", "", "unknown"),
];

/// A site whose people are linked, with rules in force.
fn site(test: &str) -> Site {
    let site = Site::new(test);
    site.refreshed(&[]);
    apply(&site);
    site
}

fn apply(site: &Site) {
    let rules = site.file("rules.toml", RULES);
    let words = ["rules", "apply", rules.to_str().unwrap(), "--activate"];
    site.command(&[&words[..], &WHY].concat()).done();
}

/// What a check tells, and whether its exit code says so.
fn checked(said: &Said) -> Vec<Value> {
    let told: Value = serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:?}"));
    let rows = told["checks"].as_array().unwrap().clone();
    for result in ["ok", "warning", "failed", "unknown"] {
        let count = rows.iter().filter(|row| row["result"] == result).count();
        assert_eq!(told[result], count, "{result}: {told}");
    }
    let code = if told["failed"] == 0 { 0 } else { 1 };
    assert_eq!(said.code, Some(code), "{told}");
    for row in &rows {
        assert_eq!(
            row["mend"].is_null(),
            row["result"] == "ok",
            "each row says what to do, unless it is ok: {row}"
        );
        assert!(row["id"].as_str().unwrap().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{row}");
    }
    // Nobody's address is told, whatever is told of him.
    assert!(!said.text().contains("@example.com"), "{told}");
    rows
}

fn check(site: &Site, words: &[&str]) -> Vec<Value> {
    checked(&site.command(&[&["check", "--json"], words].concat()))
}

fn rows(checks: &[Value]) -> Vec<[&str; 3]> {
    checks.iter().map(|row| ["id", "about", "result"].map(|key| row[key].as_str().unwrap())).collect()
}

fn all_is_well() -> Vec<[&'static str; 3]> {
    ALL.map(|(id, about, result)| [id, about, result]).to_vec()
}

/// The row of this id, which is about something that begins so.
fn row<'c>(checks: &'c [Value], id: &str, about: &str) -> &'c Value {
    let is_it = |row: &&Value| row["id"] == id && row["about"].as_str().unwrap().starts_with(about);
    checks.iter().find(is_it).unwrap_or_else(|| panic!("there is no row {id} of {about}: {checks:#?}"))
}

/// That a row is so, and says this.
fn is(checks: &[Value], (id, about, result): Row, says: &str) {
    let found = row(checks, id, about);
    assert_eq!(found["result"], result, "{found:#}");
    assert!(found["what"].as_str().unwrap().contains(says), "{says}: {found:#}");
}

#[test]
fn all_is_well_and_nothing_is_changed() {
    let site = Site::new("edges-check");
    // Nobody has said anything to the log yet.
    let first = check(&site, &[]);
    is(&first, ("links", "", "failed"), "nobody is linked");
    is(&first, ("rules-in-force", "", "failed"), "no rules are in force");
    is(&first, ("rules-fit", "", "unknown"), "no rules are known");
    site.refreshed(&[]);
    apply(&site);

    site.tenant.control("DELETE", "/log", &Value::Null);
    let known = site.directory(&["show", "--json"]).told();
    let checks = check(&site, &[]);
    assert_eq!(rows(&checks), all_is_well(), "{checks:#?}");
    is(&checks, ("topics", "", "ok"), "10 topics");
    is(&checks, ("omni-channel", ORG, "ok"), "11 presence statuses, 3 of them online");
    is(&checks, ("agents-seen", TENANT, "ok"), &format!("all {PEOPLE} agents"));
    is(&checks, ("links", "", "ok"), &format!("{PEOPLE} are linked"));
    is(&checks, ("users-active", ORG, "ok"), &format!("{PEOPLE} linked users are active"));
    is(&checks, ("statuses-granted", "grant-unknown", "unknown"), "does not say");
    // It has only read, and of the tenant no more than a page of each list.
    let log = site.tenant.control("GET", "/log", &Value::Null);
    let calls: Vec<(&str, &str)> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (call["method"].as_str().unwrap(), call["path"].as_str().unwrap()))
        .collect();
    let writes = calls.iter().filter(|(method, path)| *method != "GET" && !path.starts_with("/auth"));
    assert_eq!(writes.count(), 0, "{calls:?}");
    assert!(calls.len() <= 12, "{calls:?}");
    assert_eq!(site.org.control("GET", "/log", &Value::Null), json!([]));
    assert_eq!(site.directory(&["show", "--json"]).told(), known);

    let some = check(&site, &["--agents", "3"]);
    assert_eq!(rows(&some), all_is_well(), "{some:#?}");
    is(&some, ("users-seen", ORG, "ok"), "3 users can be read");
    is(
        &some,
        ("users-active", ORG, "ok"),
        &format!("3 linked users (of {PEOPLE}, as --agents says) are active"),
    );
}

/// The table, as people see it.
#[test]
fn rows_stand_in_their_groups() {
    let site = site("edges-check-text");
    let said = site.command(&["check"]);
    let text = said.text();
    assert_eq!(said.code, Some(0), "{text}");
    for line in [
        "Configuration",
        "Bus",
        "  ok       topics: 10 topics, as they should be",
        "Salesforce",
        "CXone",
        "People",
        "Rules",
        "Bridge",
        "22 ok, 1 warning, 0 failed, 5 unknown",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    let is_path = |line: &str| line.contains('/');
    assert!(text.lines().all(|line| line.chars().count() <= 80 || is_path(line)), "{text}");
    assert!(!text.contains("asking"), "nobody sits before it");
}

/// What is done to the platforms, what fails then, and what that says; then it is undone, and all is well again.
#[test]
fn each_thing_fails_in_turn() {
    let site = site("edges-check-faults");
    let org = |path: &str, body: Value| drop(site.org.control("POST", path, &body));
    let tenant = |path: &str, body: Value| drop(site.tenant.control("POST", path, &body));
    let agent = |what: &str| format!("/agents/{FIRST}/{what}");
    let forbids = |path: &str| json!([{"path": path, "kind": "status", "status": 403}]);
    let fails = |path: &str, status: u16| json!([{"path": path, "kind": "status", "status": status}]);
    let hides = |path: &str| json!([{"path": path, "kind": "html", "status": 403}]);
    let one_user = format!("1 of {PEOPLE} linked users are not active: emea/{}", user(FIRST));
    let one_agent = format!("1 of {PEOPLE} linked agents are not active: emea/{FIRST}");
    let hidden = format!("sees {} agents, and may not see 5", PEOPLE - 5);
    let gone = format!("5 of {PEOPLE} linked agents are not listed: emea/{}", FIRST + 7);
    type Case<'c> = (&'c dyn Fn(), &'c dyn Fn(), &'c [(Row, &'c str)]);
    let cases: [Case<'_>; 17] = [
        (
            &|| org(&format!("/users/{}", user(FIRST)), json!({"isActive": false})),
            &|| org(&format!("/users/{}", user(FIRST)), json!({"isActive": true})),
            &[(("users-active", ORG, "warning"), &one_user)],
        ),
        (
            &|| tenant(&agent("active"), json!({"isActive": false})),
            &|| tenant(&agent("active"), json!({"isActive": true})),
            &[(("agents-active", TENANT, "warning"), &one_agent)],
        ),
        (
            &|| tenant("/settings", json!({"hiddenAgents": 5})),
            &|| tenant("/settings", json!({"hiddenAgents": 0})),
            &[(("agents-seen", TENANT, "warning"), &hidden), (("agents-active", TENANT, "warning"), &gone)],
        ),
        (
            &|| tenant("/teams/2/codes", json!({"codes": [1_017]})),
            &|| tenant("/teams/2/codes", json!({"codes": [1_001, 1_017]})),
            &[(
                ("codes-on-teams", "code-not-on-team", "failed"),
                "the team Support AT lacks the code \"Break\"",
            )],
        ),
        (
            &|| org("/statuses/Lunch", json!({"developerName": "Meal"})),
            &|| org("/statuses/Meal", json!({"developerName": "Lunch"})),
            &[(("rules-fit", "changed-status", "warning"), "\"Lunch\" is called \"Meal\" now")],
        ),
        (
            &|| org("/settings", json!({"dateOffsetMs": 45_000})),
            &|| org("/settings", json!({"dateOffsetMs": 0})),
            &[(("clock", ORG, "failed"), "s ahead of this machine's")],
        ),
        (
            &|| tenant("/settings", json!({"dateOffsetMs": -5_000})),
            &|| tenant("/settings", json!({"dateOffsetMs": 0})),
            &[(("clock", TENANT, "warning"), "s behind this machine's")],
        ),
        (
            &|| tenant("/faults", forbids("/agents")),
            &|| tenant("/faults", json!([])),
            &[
                (("agent-states", TENANT, "failed"), "403"),
                (("agents-seen", TENANT, "failed"), "403"),
                (("codes-and-teams", TENANT, "unknown"), "because the call `agents` failed"),
                (("agents-active", TENANT, "unknown"), "because"),
                (("rules-fit", "", "unknown"), "cxone.emea could not be asked"),
                (("codes-on-teams", "", "unknown"), "cxone.emea could not be asked"),
            ],
        ),
        (
            &|| tenant("/faults", forbids("unavailable-codes")),
            &|| tenant("/faults", json!([])),
            &[
                (("codes-and-teams", TENANT, "failed"), "the unavailable codes cannot be read"),
                (("rules-fit", "", "unknown"), "cxone.emea could not be asked"),
                (("codes-on-teams", "", "unknown"), "cxone.emea could not be asked"),
            ],
        ),
        (
            &|| tenant("/faults", fails("/teams", 500)),
            &|| tenant("/faults", json!([])),
            &[
                (("codes-and-teams", TENANT, "failed"), "teams: status 500"),
                (("agents-seen", TENANT, "unknown"), "because the call `teams` failed"),
                (("agents-active", TENANT, "unknown"), "because"),
                (("rules-fit", "", "unknown"), "cxone.emea could not be asked"),
                (("codes-on-teams", "", "unknown"), "cxone.emea could not be asked"),
            ],
        ),
        (
            // That there are none would be another thing than that an address is wrong.
            &|| tenant("/faults", fails("unavailable-codes", 404)),
            &|| tenant("/faults", json!([])),
            &[
                (("codes-and-teams", TENANT, "failed"), "codes: status 404"),
                (("agents-seen", TENANT, "unknown"), "because the call `codes` failed"),
                (("agents-active", TENANT, "unknown"), "because"),
                (("rules-fit", "", "unknown"), "cxone.emea could not be asked"),
                (("codes-on-teams", "", "unknown"), "cxone.emea could not be asked"),
            ],
        ),
        (
            &|| tenant("/faults", fails("/teams/2/unavailable-codes", 404)),
            &|| tenant("/faults", json!([])),
            &[(("codes-and-teams", TENANT, "warning"), "the teams 2, and says then that they are gone")],
        ),
        (
            &|| org("/faults", fails("/limits", 500)),
            &|| org("/faults", json!([])),
            &[(("allowance", ORG, "failed"), "status 500")],
        ),
        (
            &|| org("/faults", fails("/composite", 500)),
            &|| org("/faults", json!([])),
            &[
                (("omni-channel", ORG, "failed"), "status 500"),
                (("users-seen", ORG, "unknown"), "because the call `statuses` failed"),
                (("users-active", ORG, "unknown"), "because"),
                (("rules-fit", "", "unknown"), "salesforce.emea could not be asked"),
                (("codes-on-teams", "", "unknown"), "salesforce.emea could not be asked"),
            ],
        ),
        (
            &|| org("/faults", hides("/composite")),
            &|| org("/faults", json!([])),
            &[
                (("omni-channel", ORG, "failed"), "the statuses with their channels cannot be read"),
                (("rules-fit", "", "unknown"), "salesforce.emea could not be asked"),
                (("codes-on-teams", "", "unknown"), "salesforce.emea could not be asked"),
            ],
        ),
        (
            &|| org("/faults", hides("/query")),
            &|| org("/faults", json!([])),
            &[
                (("presence", ORG, "failed"), "403"),
                (("users-seen", ORG, "failed"), "the users cannot be read"),
                (("users-active", ORG, "unknown"), "because"),
            ],
        ),
        (
            &|| org("/settings", json!({"dailyRequests": 0})),
            &|| org("/settings", json!({"dailyRequests": null})),
            &[
                (("allowance", ORG, "failed"), "REQUEST_LIMIT_EXCEEDED"),
                (("presence", ORG, "failed"), "REQUEST_LIMIT_EXCEEDED"),
                (("omni-channel", ORG, "failed"), "REQUEST_LIMIT_EXCEEDED"),
                (("users-seen", ORG, "unknown"), "because the call"),
                (("users-active", ORG, "unknown"), "because"),
                (("rules-fit", "", "unknown"), "salesforce.emea could not be asked"),
                (("codes-on-teams", "", "unknown"), "salesforce.emea could not be asked"),
            ],
        ),
    ];
    for (change, undo, expected) in cases {
        change();
        let checks = check(&site, &[]);
        for (row, says) in expected {
            is(&checks, *row, says);
        }
        // Everything else is as it was.
        let others: Vec<_> = rows(&checks)
            .into_iter()
            .filter(|[id, ..]| !expected.iter().any(|((changed, ..), _)| changed == id))
            .collect();
        let as_before: Vec<_> = all_is_well()
            .into_iter()
            .filter(|[id, ..]| !expected.iter().any(|((changed, ..), _)| changed == id))
            .collect();
        assert_eq!(others, as_before, "{expected:?}");
        undo();
    }
    assert_eq!(rows(&check(&site, &[])), all_is_well());
}

/// The rules in force go by ids: one that is made anew under the same name is another.
#[test]
fn a_status_that_is_gone_fits_no_rule() {
    let site = site("edges-check-status");
    let text = "no presence status \"Lunch\"";
    site.org.control("POST", "/statuses/Lunch", &json!({"delete": true}));
    is(&check(&site, &[]), ("rules-fit", "unknown-status", "failed"), text);
    site.org.control("POST", "/statuses", &json!({"developerName": "Lunch"}));
    is(&check(&site, &[]), ("rules-fit", "unknown-status", "failed"), text);
    // As the mend says: applied anew, once the directory knows it.
    site.refreshed(&[]);
    apply(&site);
    is(&check(&site, &[]), ("rules-fit", "", "ok"), "are there");
}

/// Of a hundred calls of the day so many are used.
#[test]
fn an_allowance_that_is_nearly_used_is_told() {
    let site = site("edges-check-allowance");
    let used = || site.org.control("GET", "/calls", &Value::Null)["used"].as_u64().unwrap();
    while used() < 20 {
        check(&site, &[]);
    }
    let allowed = used() + 5;
    site.org.control("POST", "/settings", &json!({"dailyRequests": allowed}));
    let checks = check(&site, &[]);
    is(&checks, ("allowance", ORG, "warning"), &format!("of {allowed} API calls of a day are used"));
    is(&checks, ("users-seen", ORG, "ok"), "can be read");
}

/// A log-in that fails: what comes after it is unknown, and the other platform is asked all the same.
#[test]
fn a_log_in_that_fails_ends_nothing_else() {
    let mut site = site("edges-check-log-in");
    let password = std::mem::replace(&mut site.password, "canary-7".to_owned());
    let said = site.command(&["check", "--json"]);
    assert!(!said.text().contains("canary-7"), "{said:?}");
    let refused = checked(&said);
    is(&refused, ("log-in", ORG, "failed"), "the log-in is refused: invalid_grant");
    assert!(row(&refused, "log-in", ORG)["mend"].as_str().unwrap().contains("`password`"));
    for id in ["organisation", "allowance", "presence", "omni-channel", "users-seen"] {
        is(&refused, (id, ORG, "unknown"), "because the log-in failed");
    }
    is(&refused, ("clock", ORG, "ok"), "agree");
    is(&refused, ("agents-seen", TENANT, "ok"), "sees all");
    is(&refused, ("links", "", "ok"), "are linked");
    is(&refused, ("rules-fit", "", "unknown"), "salesforce.emea could not be asked");

    site.password = password;
    site.organisation = "00D5g0000000002";
    let other = check(&site, &[]);
    is(
        &other,
        ("organisation", ORG, "failed"),
        "the token is of 00D5g0000000001, and 00D5g0000000002 is configured",
    );
    for id in ["allowance", "presence", "omni-channel", "users-seen"] {
        is(&other, (id, ORG, "unknown"), "because the log-in failed");
    }
    is(&other, ("agents-seen", TENANT, "ok"), "sees all");
}

/// A refresh token may be good for one log-in only, and another process may be about to use it.
#[test]
fn a_refresh_token_is_kept_unless_it_is_to_be_used() {
    let mut site = site("edges-check-refresh");
    let token = site.file("trial.token", "canary-8");
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let org = site.org.addresses.api;
    site.further = format!(
        r#"
[salesforce.trial]
environment = "production"
login_url = "http://{org}"
organisation_id = "00D5g0000000002"
user_name = "trial@example.com"
client_id = "app"
client_secret = {{ secret_env = "TEST_APP" }}
admin_email = "admin@example.com"
refresh_token_file = "trial.token"
"#
    );
    let trial = "salesforce.trial";
    let kept = check(&site, &[]);
    is(&kept, ("log-in", trial, "unknown"), "would use up the refresh token");
    for id in ["organisation", "allowance", "presence", "omni-channel", "users-seen"] {
        is(&kept, (id, trial, "unknown"), "because nobody has logged in");
    }
    is(&kept, ("clock", trial, "unknown"), "no answer told");
    is(&kept, ("users-seen", ORG, "ok"), "can be read");
    let mend = row(&kept, "log-in", trial)["mend"].as_str().unwrap();
    assert!(
        mend.contains("`lockstep login salesforce trial`") && mend.contains("--use-refresh-token"),
        "{mend}"
    );

    let said = site.command(&["check", "--json", "--use-refresh-token"]);
    assert!(!said.text().contains("canary-8"), "{said:?}");
    is(&checked(&said), ("log-in", trial, "failed"), "the log-in is refused: ");
    assert_eq!(std::fs::read_to_string(&token).unwrap(), "canary-8");

    std::fs::remove_file(&token).unwrap();
    is(&check(&site, &[]), ("log-in", trial, "failed"), "cannot be read");
}

/// While platforms are asked, which takes minutes at a real site, the directory is somebody else's.
#[test]
fn the_bus_is_let_go_before_platforms_are_asked() {
    let site = site("edges-check-lets-go");
    site.ground.hand_over();
    site.tenant.control("DELETE", "/log", &Value::Null);
    site.tenant.control("POST", "/faults", &json!([{"path": "/agents", "kind": "latency", "ms": 4_000}]));
    let mut command = site.prepared(&["check", "--json"]);
    let running = Process::start(command.args(site.data()), "check", &site.place.0);
    until("the tenant is asked", || {
        site.tenant.control("GET", "/log", &Value::Null).as_array().is_some_and(|calls| !calls.is_empty())
    });
    site.ground.take_back();
    assert!(!running.has_ended(), "it has ended before: {}", running.said());
    site.tenant.control("POST", "/faults", &json!([]));
    let code = running.is_gone().code();
    let checks = checked(&Said { code, out: running.said(), err: running.log() });
    is(&checks, ("bus", "", "ok"), "nobody runs it now");
    is(&checks, ("rules-in-force", "", "ok"), "");
}

/// Topics that are missing, a directory that is none, and mistakes in the configuration.
#[test]
fn what_everything_rests_on_comes_first() {
    let site = Site::new("edges-check-nothing");
    let empty = Folder::new("edges-check-empty");
    let of_another =
        |data: &Path| checked(&Said::by(site.prepared(&["check", "--json"]).arg("--data").arg(data)));
    let checks = of_another(empty.path());
    is(&checks, ("bus", "", "ok"), "can be read");
    is(&checks, ("topics", "", "failed"), "10 of 10 are missing");
    assert_eq!(row(&checks, "topics", "")["mend"], "lockstep topics create");
    is(&checks, ("links", "", "unknown"), "because there is no topic");
    is(&checks, ("rules-in-force", "", "unknown"), "because there is no topic");
    is(&checks, ("users-seen", ORG, "ok"), "can be read");

    let absent = Place::new("edges-check-absent");
    let checks = of_another(&absent.0);
    is(&checks, ("bus", "", "failed"), "is no directory that Lockstep has made");
    is(&checks, ("topics", "", "unknown"), "because the bus is not reached");
    is(&checks, ("log-in", TENANT, "ok"), "it works");
    assert!(!absent.0.exists(), "nothing is made");

    let mut site = site;
    site.further = "[processor]\nworkers = 0\n".to_owned();
    let checks = check(&site, &[]);
    is(&checks, ("configuration", "", "failed"), "`workers` is out of range");
    for id in ["bus", "log-in", "links", "rules-in-force", "gateway"] {
        is(&checks, (id, "", "unknown"), "because the configuration cannot be used");
    }
    let said = Said::by(&mut lockstep(["check", "--json", "--config", "/nowhere/lockstep.toml"]));
    is(&checked(&said), ("configuration", "", "failed"), "there is no /nowhere/lockstep.toml");
}

/// Where nobody listens, and where something else does. A gateway itself answers in the tests of the bridge.
#[test]
fn a_gateway_is_told_apart_from_others() {
    let mut site = site("edges-check-gateway");
    let at = free_port();
    let listener = TcpListener::bind(at).unwrap();
    site.further = format!("[bridge]\nlisten = \"{at}\"\norigins = [\"https://x.lightning.force.com\"]\n");
    let answering = std::thread::spawn(move || {
        // One only looks whether somebody listens, one asks.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            if stream.read(&mut [0; 1_024]).unwrap_or(0) > 0 {
                stream
                    .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .unwrap();
            }
        }
    });
    let checks = check(&site, &[]);
    answering.join().unwrap();
    is(&checks, ("gateway", "", "failed"), "something else than a gateway answers");
    is(&checks, ("token-keys", ORG, "warning"), "no browser of its agents is let in");
    assert!(["ok", "warning"].contains(&row(&checks, "open-files", "")["result"].as_str().unwrap()));
    // By now nobody listens there any more.
    let checks = check(&site, &[]);
    is(&checks, ("gateway", "", "warning"), "no gateway runs there");
}
