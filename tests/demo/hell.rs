//! Everything that can go wrong, at once.

use std::time::Duration;

use serde_json::Value;

use crate::broker::Broker;
use crate::canary::Canary;
use crate::random::seed;
use crate::run::{Ended, Folder};
use crate::servers::servers;

/// How long things go wrong: long enough for each to have its turn, and longer in a soak.
fn lasts() -> &'static str {
    if std::env::var_os("LOCKSTEP_SOAK").is_some() { "10m" } else { "25s" }
}

/// Of the faults of people and operators each was there (35, 36, 38, 39, 42), and of processes and platforms.
fn had_it_all(summary: &Value) {
    for fault in [
        "both sides in the same second",
        "20 changes in a second by one agent",
        "other rules",
        "links removed",
        "a mistaken configuration is started",
        "process killed",
        "process stopped",
        "CXone down",
        "Salesforce down",
        "bridge cut",
    ] {
        assert!(summary["faults"][fault].as_u64() >= Some(1), "{fault}: {summary:#}");
    }
    assert!(summary["changes"].as_u64() > Some(1_000), "{summary:#}");
    assert!(summary["commands"].as_u64() > Some(100), "{summary:#}");
}

const HELL: [&str; 5] = ["--agents", "500", "--faults", "hell", "--json"];

/// Runs a demo in hell, and looks for what has leaked: where it says something, and in its folder.
fn hell(folder: &Folder, bus: &[&str]) -> Canary {
    let seed = seed("hell").to_string();
    let demo = folder.demo(&[&HELL[..], bus, &["--for", lasts(), "--seed", &seed]].concat());
    let mut canary = Canary::new(&demo);
    let ended = Ended::after(&demo, || canary.look());
    had_it_all(&ended.is_well());
    canary.hear("what the demo says", &(ended.stderr + &ended.stdout));
    canary.folder(folder);
    canary
}

#[test]
fn in_a_directory_all_are_in_step_after_hell_and_nothing_has_leaked() {
    let folder = Folder::new("directory");
    let canary = hell(&folder, &[]);
    canary.directory(&folder.path().join("log"));
    canary.config_show(&folder);
}

#[test]
fn on_a_kafka_all_are_in_step_after_hell_and_nothing_has_leaked() {
    let (folder, servers) = (Folder::new("kafka"), servers());
    let canary = hell(&folder, &["--bus", "kafka", "--servers", &servers]);
    let configured = folder.text("lockstep.toml");
    let prefix = configured.lines().find_map(|line| line.strip_prefix("prefix = ")).unwrap();
    canary.kafka(&servers, prefix.trim_matches('"'));
}

/// Source and sink, processor and bridge are processes of their own on a cluster of three; every 10 s one of them is killed. And
/// one node of three stands still now and then.
#[test]
fn three_processes_on_three_nodes_are_killed_in_turn() {
    let cluster = Broker::start("demo-nodes", &["--nodes", "3"]);
    let folder = Folder::new("split");
    let lasts = if std::env::var_os("LOCKSTEP_SOAK").is_some() { "10m" } else { "35s" };
    let arguments = ["--agents", "300", "--bus", "kafka", "--servers", &cluster.servers, "--split", "--json"];
    let more = ["--kill-each", "10s", "--for", lasts, "--rate", "20"];
    let summary = Ended::of(&folder.demo(&[&arguments[..], &more[..]].concat())).is_well();
    let starts: Vec<u64> =
        summary["processes"].as_array().unwrap().iter().map(|one| one["starts"].as_u64().unwrap()).collect();
    assert!(starts.len() == 3 && starts.iter().all(|starts| *starts >= 2), "{summary:#}");
    assert!(Duration::from_millis(summary["rest_ms"].as_u64().unwrap()) < Duration::from_secs(180));
}
