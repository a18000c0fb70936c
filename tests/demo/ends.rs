//! How a demo begins and ends: what it leaves behind, and what it says.

use std::fs;
use std::time::Duration;

use crate::place::Place;
use crate::program::{Said, lockstep};
use crate::run::{Ended, Folder};
use crate::waiting::until;

/// The ids of processes that were started from this folder's configuration.
fn processes_of(folder: &Folder) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let path = folder.path();
    let path = path.to_str().unwrap();
    let is_of = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("--end-with-stdin") && line.contains(path)
    };
    ids.filter(is_of).collect()
}

fn all_gone(folder: &Folder) {
    let took = until("none of its processes is left", || processes_of(folder).is_empty());
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// Without faults all is quick: somebody is in step at once, and nothing is corrected.
#[test]
fn a_quiet_demo_is_in_step_and_ends_by_itself() {
    let folder = Folder::new("quiet");
    let demo = folder.demo(&["--agents", "30", "--for", "8s", "--rate", "10", "--json"]);
    let summary = Ended::of(&demo).is_well();
    assert!(summary["first_in_step_ms"].as_u64() < Some(45_000), "{summary:#}");
    assert_eq!(summary["agents"], 30);
    assert!(summary["changes"].as_u64() > Some(60), "{summary:#}");
    assert!(summary["sync_ms"]["p50"].as_u64().is_some() && summary["api_calls"]["cxone"].as_u64() > Some(0));
    assert_eq!(summary["state_hash"].as_str().map(str::len), Some(16));
    assert!(folder.text("lockstep.toml").contains("[cxone.main]"));
    all_gone(&folder);
}

/// Ctrl-C: people stop, both sides come to rest, and the summary is told. Once more, and it ends at once.
#[test]
fn ctrl_c_ends_it_cleanly_with_a_summary() {
    let folder = Folder::new("interrupted");
    let demo = folder.demo(&["--agents", "20", "--json", "--faults", "some"]);
    demo.says("in step 20 of 20", 1);
    // Who was killed may be on his way back.
    until("there is one process", || processes_of(&folder).len() == 1);
    demo.signal("-INT");
    Ended::of(&demo).is_well();
    all_gone(&folder);
}

/// Whoever kills a demo leaves no process of it behind.
#[test]
fn who_is_killed_leaves_nothing_running() {
    let folder = Folder::new("killed");
    let demo = folder.demo(&["--agents", "20", "--json"]);
    demo.says("in step", 1);
    assert_eq!(processes_of(&folder).len(), 1);
    demo.signal("-KILL");
    all_gone(&folder);
}

#[test]
fn what_cannot_be_is_said_at_once() {
    let place = Place::new("demo-wrong");
    place.file("something", "of somebody");
    let there = place.0.to_str().unwrap();
    for (arguments, wanted) in [
        (vec!["--data", there], "holds something already"),
        (vec!["--split"], "--split needs --bus kafka"),
        (vec!["--servers", "127.0.0.1:9"], "--servers is about a Kafka: add --bus kafka"),
        (vec!["--bus", "kafka", "--servers", "127.0.0.1:9"], "no Kafka answers at 127.0.0.1:9"),
    ] {
        let said = Said::by(lockstep(["demo"]).args(&arguments));
        assert!(said.err.contains(wanted), "{arguments:?}: {said:?}");
        assert_eq!(said.code, Some(1), "{arguments:?}");
    }
    assert_eq!(fs::read_dir(&place.0).unwrap().count(), 1, "what was there is left alone");
}
