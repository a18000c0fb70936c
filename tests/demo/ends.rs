//! How a demo begins and ends: what it leaves behind, and what it says.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{Demo, Folder};

/// The ids of processes that were started from this folder's configuration.
fn processes_of(folder: &Folder) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let path = folder.0.to_str().unwrap();
    let is_of = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("--end-with-stdin") && line.contains(path)
    };
    ids.filter(is_of).collect()
}

fn all_gone(folder: &Folder) {
    let begun = Instant::now();
    while !processes_of(folder).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?} are left", processes_of(folder));
        thread::park_timeout(Duration::from_millis(50));
    }
}

/// Without faults all is quick: somebody is in step at once, and nothing is corrected.
#[test]
fn a_quiet_demo_is_in_step_and_ends_by_itself() {
    let folder = Folder::new("quiet");
    let demo = Demo::start(&folder, &["--agents", "30", "--for", "8s", "--rate", "10", "--json"]);
    let summary = demo.ends().is_well();
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
    let mut demo = Demo::start(&folder, &["--agents", "20", "--json", "--faults", "some"]);
    demo.says("in step 20 of 20");
    // One that is killed may be on its way back.
    let begun = Instant::now();
    while processes_of(&folder).len() != 1 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", processes_of(&folder));
        thread::park_timeout(Duration::from_millis(50));
    }
    demo.signal("-INT");
    demo.ends().is_well();
    all_gone(&folder);
}

/// Whoever kills a demo leaves no process of it behind.
#[test]
fn who_is_killed_leaves_nothing_running() {
    let folder = Folder::new("killed");
    let mut demo = Demo::start(&folder, &["--agents", "20", "--json"]);
    demo.says("in step");
    assert_eq!(processes_of(&folder).len(), 1);
    demo.signal("-KILL");
    all_gone(&folder);
}

#[test]
fn what_cannot_be_is_said_at_once() {
    let folder = Folder::new("wrong");
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("something"), "of somebody").unwrap();
    let there = folder.0.to_str().unwrap();
    for (arguments, wanted) in [
        (vec!["--data", there], "holds something already"),
        (vec!["--split"], "--split needs --bus kafka"),
        (vec!["--servers", "127.0.0.1:9"], "--servers is about a Kafka: add --bus kafka"),
        (vec!["--bus", "kafka", "--servers", "127.0.0.1:9"], "no Kafka answers at 127.0.0.1:9"),
    ] {
        let done =
            Command::new(env!("CARGO_BIN_EXE_lockstep")).arg("demo").args(&arguments).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(said.contains(wanted), "{arguments:?}: {said}");
        assert_eq!(done.status.code(), Some(1), "{arguments:?}");
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "what was there is left alone");
}
