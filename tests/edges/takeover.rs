//! Processes that are killed, or stopped for a while and come back.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::centre::{CHOICES, Centre};
use crate::ground::On;
use crate::process::Process;
use crate::waiting::PATIENCE;

const HAS_IT: &str = "this process has the account";
const STANDS_BY: &str = "standing by";
const ROLES: &str = "source,sink";

fn all_choose(centre: &Centre, round: usize) -> BTreeMap<u32, (u64, Option<i64>)> {
    let (choice, shown) = CHOICES[round % 3];
    let all: Vec<_> = centre.people.keys().map(|number| (*number, choice)).collect();
    centre.choose(&all);
    centre.people.keys().map(|number| (*number, shown)).collect()
}

fn times(process: &Process, what: &str) -> usize {
    process.log().lines().filter(|line| line.contains(what)).count()
}

/// Who is killed with calls under way is followed within ten seconds, and nothing is lost.
#[test]
fn who_is_killed_is_followed() {
    let centre = Centre::new(On::Kafka, "edges-killed", 60);
    let _processor = centre.process();
    let mut has_it = centre.run("a", ROLES);
    has_it.says(HAS_IT, 1);
    centre.comes_to_show(&all_choose(&centre, 0));
    let mut quickest = Duration::MAX;
    for round in 1..3 {
        let stands_by = centre.run(&format!("b{round}"), ROLES);
        stands_by.says(STANDS_BY, 1);
        let wanted = all_choose(&centre, round);
        thread::park_timeout(Duration::from_millis(100));
        has_it.signal("-KILL");
        let begun = Instant::now();
        stands_by.says(HAS_IT, 1);
        let took = begun.elapsed();
        centre.comes_to_show(&wanted);
        println!("followed after {took:?}, in step after {:?}", begun.elapsed());
        assert!(took < Duration::from_secs(30), "{took:?}");
        quickest = quickest.min(took);
        has_it = stands_by;
    }
    // A machine that stalls makes one of them late, not both.
    assert!(quickest < Duration::from_secs(10), "{quickest:?}");
    centre.settles();
    centre.nobody_is_named(&has_it.log());
    has_it.end();
    println!("{} calls within the budget", centre.keeps_budget(3_000, 5, 3));
    centre.judge();
}

/// Who is stopped while some of his calls are under way and others are not begun, and comes back when another has made newer ones,
/// makes none of his any more.
#[test]
fn who_comes_back_writes_nothing() {
    let centre = Centre::new(On::Kafka, "edges-zombie", 40);
    let _processor = centre.process();
    let (mut has_it, mut stands_by) = (centre.run("a", ROLES), None);
    has_it.says(HAS_IT, 1);
    centre.comes_to_show(&all_choose(&centre, 0));
    for round in 0..3 {
        let other = stands_by.take().unwrap_or_else(|| centre.run("b", ROLES));
        other.says(STANDS_BY, 1);
        centre.settles();
        centre.judge();
        let before = (times(&other, HAS_IT), times(&has_it, STANDS_BY));
        // Sixteen calls wait for their answers, and the others for them.
        centre.cxone.faults(&[json!({"path": "/state", "kind": "latency", "ms": 900})]);
        all_choose(&centre, 2 * round + 1);
        let begun = Instant::now();
        while centre.calls("POST", "/state") < 16 {
            assert!(begun.elapsed() < PATIENCE, "no calls are made");
            thread::park_timeout(Duration::from_millis(5));
        }
        has_it.signal("-STOP");
        centre.cxone.faults(&[]);
        other.says(HAS_IT, before.0 + 1);
        let wanted = all_choose(&centre, 2 * round + 2);
        centre.comes_to_show(&wanted);
        has_it.signal("-CONT");
        has_it.says(STANDS_BY, before.1 + 1);
        centre.settles();
        centre.judge();
        centre.comes_to_show(&wanted);
        stands_by = Some(std::mem::replace(&mut has_it, other));
    }
}

/// All of it in one process, in a directory: it is killed in the middle of its calls, and goes on where it was.
#[test]
fn a_process_that_is_killed_goes_on_where_it_was() {
    let centre = Centre::new(On::Directory, "edges-restart", 20);
    centre.choose(&centre.people.keys().map(|number| (*number, CHOICES[0].0)).collect::<Vec<_>>());
    centre.release();
    let mut process = centre.run("all", "source,processor,sink");
    for round in 0..3 {
        process.says(HAS_IT, 1);
        let wanted = all_choose(&centre, round);
        thread::park_timeout(Duration::from_millis(50 + 100 * round as u64));
        process.signal("-KILL");
        process.is_gone();
        process = centre.run("all", "source,processor,sink");
        println!("in step after {:?}", centre.comes_to_show(&wanted));
    }
    centre.settles();
    let log = process.log();
    process.end();
    centre.ground.take_back();
    centre.nobody_is_named(&log);
    centre.judge();
}
