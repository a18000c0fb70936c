//! The directory, from CXone itself: `lockstep directory` as a process, against the simulated tenant.

use lockstep::control::directory_in_log;
use lockstep::simulators::cxone::Settings as Simulates;
use serde_json::{Value, json};

use crate::centre::{Centre, FIRST};
use crate::ground::On;
use crate::platforms;
use crate::program::{Said, lockstep};

fn directory(centre: &Centre, words: &[&str]) -> Said {
    let mut command = lockstep([&["directory"], words].concat());
    command.arg("--config").arg(centre.config()).args(centre.data()).envs(platforms::secrets());
    Said::by(&mut command)
}

/// Ten people are linked by a file, and CXone has twelve.
fn centre(test: &str) -> Centre {
    Centre::with(On::Directory, test, 10, Simulates { agents: 12, page_size_max: 5, ..Simulates::default() })
}

const WHY: [&str; 2] = ["--reason", "a test"];

#[test]
fn what_cxone_has_comes_into_the_directory() {
    let centre = centre("edges-refresh");
    let refresh = [&["refresh", "--json"][..], &WHY].concat();
    let first = directory(&centre, &refresh).told();
    let tenant = &first["tenants"][0];
    assert_eq!((&tenant["agents"], &tenant["teams"], &tenant["codes"]), (&json!(12), &json!(5), &json!(9)));
    assert_eq!((&first["not_linked"], &tenant["hidden"]), (&json!(2), &json!(0)));
    assert_eq!(first["changed"]["linked"], 0, "nobody has an address that fits");
    let again = directory(&centre, &refresh).told();
    assert_eq!(again["changed"], json!({"written": 0, "removed": 0, "linked": 0, "unlinked": 0, "moved": 0}));
    // Somebody moves, and a code is taken from a team.
    centre.cxone.control("POST", &format!("/agents/{FIRST}/team"), &json!({"teamId": 3}));
    centre.cxone.control("POST", "/teams/2/codes", &json!({"codes": [1_017]}));
    let dry = directory(&centre, &[&refresh[..], &["--dry-run"]].concat()).told();
    assert_eq!(dry["changed"], Value::Null);
    let moved = directory(&centre, &refresh).told();
    assert_eq!((&moved["changed"]["moved"], &moved["changed"]["written"]), (&json!(1), &json!(2)));
    let known = directory_in_log(&centre.bus(), &centre.codec, &centre.plan).unwrap();
    let vocabulary = known.vocabulary.cxone.values().next().unwrap();
    let team = vocabulary.teams().iter().find(|team| team.id.get() == 2).unwrap();
    assert_eq!(team.codes.as_ref().unwrap().len(), 1);
    // Whom we do not see any more is not taken for gone.
    centre.cxone.control("POST", "/settings", &json!({"hiddenAgents": 5}));
    let hidden = directory(&centre, &refresh).told();
    let tenant = &hidden["tenants"][0];
    assert_eq!((&tenant["hidden"], &tenant["linked_and_not_listed"]), (&json!(5), &json!(3)));
    assert_eq!(hidden["changed"]["unlinked"], 0);
    let text = directory(&centre, &[&["refresh"][..], &WHY].concat()).text();
    assert!(text.contains("warning") && text.contains("may not see: 5"), "{text}");
}

/// A list that the service user may not read is left as unknown, and told; everything else is refreshed.
#[test]
fn what_may_not_be_read_is_unknown() {
    let centre = centre("edges-forbidden");
    let fault = json!({"path": "unavailable-codes", "kind": "status", "status": 403});
    centre.cxone.faults(&[fault]);
    let refreshed = directory(&centre, &[&["refresh", "--json"][..], &WHY].concat()).told();
    let tenant = &refreshed["tenants"][0];
    assert_eq!((&tenant["agents"], &tenant["teams"]), (&json!(12), &json!(5)));
    assert_eq!(tenant["codes"], 2, "those that were known");
    assert_eq!(tenant["missing"].as_array().unwrap().len(), 6, "all codes, and those of each team");
    let known = directory_in_log(&centre.bus(), &centre.codec, &centre.plan).unwrap();
    let vocabulary = known.vocabulary.cxone.values().next().unwrap();
    let codes = |team: &lockstep::directory::TeamEntry| team.codes.as_ref().map(Vec::len);
    assert!(vocabulary.teams().iter().all(|team| codes(team) == Some(2)), "those that were known");
    // One that fails ends it, and changes nothing.
    centre.cxone.faults(&[json!({"path": "/teams", "kind": "html"})]);
    let failed = directory(&centre, &[&["refresh"][..], &WHY].concat());
    assert_eq!(failed.code, Some(1));
    assert!(
        failed.text().contains("cxone.emea: teams: status 200, and not what should come"),
        "{}",
        failed.text()
    );
}

#[test]
fn people_are_linked_and_unlinked_by_hand() {
    let centre = centre("edges-by-hand");
    let run = |words: &[&str]| directory(&centre, &[words, &WHY].concat());
    run(&["refresh", "--json"]).told();
    let unlinked = || directory(&centre, &["unlinked", "--json"]).told();
    assert_eq!(unlinked().as_array().unwrap().len(), 2);
    assert_eq!(unlinked()[0]["why"], "nobody in Salesforce is called so");
    let one = format!("emea/{FIRST}");
    let user = directory(&centre, &["show", &one, "--json"]).told()[0]["salesforce"]["id"].clone();
    assert_eq!(run(&["unlink", &one, "--json"]).told()["unlinked"], 1);
    assert_eq!(unlinked().as_array().unwrap().len(), 3);
    // Another pairing: by address, and from a file.
    let user = user.as_str().unwrap();
    let agent = format!("agent.{}@example.com", FIRST + 10);
    assert_eq!(run(&["link", user, &agent, "--json"]).told()["linked"], 1);
    let twice = run(&["link", user, &agent]);
    assert!(twice.code != Some(0) && twice.text().contains("who is not linked"), "{}", twice.text());
    assert_eq!(run(&["unlink", &agent, "--json"]).told()["unlinked"], 1);
    let links = |text: String| centre.place.file("links.csv", text).to_str().unwrap().to_owned();
    let file = links(format!("salesforce;cxone\n{user};{one}\nnobody;{agent}\n"));
    let wrong = run(&["link", "--csv", &file]);
    assert!(wrong.text().contains("line 3: there is no user of Salesforce \"nobody\""), "{}", wrong.text());
    assert_eq!(unlinked().as_array().unwrap().len(), 3, "nothing of a file that has a mistake");
    let file = links(format!("\u{feff}salesforce,cxone\r\n\"{user}\", \"{one}\"\r\n"));
    assert_eq!(run(&["link", "--csv", &file, "--json"]).told()["linked"], 1);
    assert_eq!(unlinked().as_array().unwrap().len(), 2);
    // Who is forgotten is nobody any more.
    assert_eq!(run(&["forget", &one, "--json"]).told()["removed"], 4, "and that he is not another");
    assert_eq!(directory(&centre, &["show", &one]).code, Some(1));
    let known = directory_in_log(&centre.bus(), &centre.codec, &centre.plan).unwrap();
    assert_eq!(known.people.len(), 9);
    // So is one who was not linked.
    let other = format!("emea/{}", FIRST + 11);
    assert_eq!(run(&["forget", &other, "--json"]).told()["removed"], 1);
    assert_eq!(directory(&centre, &["show", &other]).code, Some(1));
}
