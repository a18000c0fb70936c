//! What operators say at the command line reaches a processor that runs.

use std::collections::BTreeMap;

use lockstep::bus::Topic;
use lockstep::control::{Activation, Revisions};
use serde_json::Value;

use crate::check::check;
use crate::days::settle;
use crate::program::{Said, lockstep};
use crate::running::{Process, config};
use crate::site::Site;
use crate::witness;

/// Runs a command on a site.
fn run(site: &Site, arguments: &[&str]) -> Said {
    println!("{arguments:?}");
    Said::by(lockstep(arguments).arg("--config").arg(config(site)))
}

fn json(site: &Site, arguments: &[&str]) -> Value {
    run(site, &[arguments, &["--json"]].concat()).told()
}

#[test]
fn what_operators_say_takes_effect() {
    let site = Site::new("operators", 2, 0);
    let example = |name: &str| format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"));
    let process = Process::of(&site, "p", &[]);
    process.says("ready", 1);

    let said = run(&site, &["rules", "apply", &example("rules.toml"), "--reason", "too early"]);
    let is_told = said.err.contains("`lockstep directory import FILE` first");
    assert!(said.code != Some(0) && is_told, "{said:?}");
    let imported = json(&site, &["directory", "import", &example("directory.toml"), "--reason", "first"]);
    assert_eq!((imported["linked"].as_u64(), imported["unlinked"].as_u64()), (Some(7), Some(0)));
    let again = json(&site, &["directory", "import", &example("directory.toml"), "--reason", "again"]);
    assert_eq!((again["written"].as_u64(), again["linked"].as_u64()), (Some(0), Some(0)));

    let applied = json(&site, &["rules", "apply", &example("rules.toml"), "--reason", "first", "--activate"]);
    let first = applied["revision"].as_str().unwrap().to_owned();
    assert_eq!(applied["activation"]["epoch"], 1);
    process.says("activated partition=0 epoch=1", 1);
    process.says("activated partition=1 epoch=1", 1);

    // Seven's rule goes, and Lunch means something else; he leaves, and One is in another team.
    let rules = std::fs::read_to_string(example("rules.toml")).unwrap();
    let seven = rules.find("[[rule]]\nname = \"Agent seven\"").unwrap();
    let other = rules[..seven]
        .replace("\"Unavailable/Lunch\" = \"Pause\" ", "\"Unavailable/Lunch\" = \"In_Meeting\" ");
    let file = site.place.file("other.toml", other);
    let applied =
        json(&site, &["rules", "apply", file.to_str().unwrap(), "--reason", "lunch", "--actor", "op"]);
    let second = applied["revision"].as_str().unwrap().to_owned();
    let differences = json(&site, &["rules", "diff", &first[..8], &second[..8]]);
    assert_eq!(
        differences["only_after"],
        serde_json::json!(["rule \"Support\": CXone \"Unavailable/Lunch\" -> Salesforce \"In_Meeting\""])
    );
    json(&site, &["rules", "activate", &second[..8], "--reason", "lunch", "--actor", "op"]);
    json(&site, &["rules", "rollback", "--reason", "lunch was right"]);
    process.says("activated partition=1 epoch=3", 1);
    let directory = std::fs::read_to_string(example("directory.toml")).unwrap();
    let last_link = directory.rfind("[[links]]").unwrap();
    let directory = directory[..last_link].replace(
        "user_name = \"one@cx.example.com\", team = 11",
        "user_name = \"one@cx.example.com\", team = 13",
    );
    let file = site.place.file("directory.toml", directory);
    let imported = json(&site, &["directory", "import", file.to_str().unwrap(), "--reason", "seven left"]);
    assert_eq!((imported["unlinked"].as_u64(), imported["moved"].as_u64()), (Some(1), Some(1)));

    settle(&site);
    process.end();
    let (bus, codec) = (site.bus(), &site.codec);
    let revisions = Revisions::new(&site.plan);
    let known: BTreeMap<_, _> = revisions
        .list(&bus, codec)
        .unwrap()
        .into_iter()
        .map(|saved| {
            let id = saved.manifest.revision;
            (id, revisions.load(&bus, codec, id, Some(saved.hash)).unwrap().1)
        })
        .collect();
    let checked = check(&site, &known);
    assert_eq!(checked.agents, 6);
    let epochs: Vec<(u64, String)> = Activation::all(&bus, codec, &site.plan)
        .unwrap()
        .into_iter()
        .map(|activation| (activation.epoch.0, activation.reason))
        .collect();
    let expected = [(1, "first"), (2, "lunch"), (3, "lunch was right")];
    assert_eq!(epochs, expected.map(|(epoch, reason)| (epoch, reason.to_owned())));
    // Names and addresses are in the directory, and nowhere else.
    for topic in Topic::ALL.into_iter().filter(|topic| *topic != Topic::Directory) {
        for seen in witness::read_all(&site, topic).values().flatten() {
            let bytes = [&*seen.key, seen.value.as_deref().unwrap_or_default()].concat();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("example.com") && !text.contains("@acme"), "{topic:?}: {text}");
        }
    }
}
