//! The processor on a real Kafka: what it writes is what the log of events says, whoever looks and whenever it was stopped.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

#[path = "processor/check.rs"]
mod check;
#[path = "processor/site.rs"]
mod site;
#[path = "processor/witness.rs"]
mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lockstep::codec::{Command, Uuid};
use lockstep::processor::Silent;
use lockstep::rules::Revision;

use check::{Checked, check};
use site::{PATIENCE, Random, Site, answer, anything, event, revision, rules};
use witness::Commands;

/// Waits until all events are dealt with, for a while: nothing new has come, and no timer is out.
fn settle(site: &Site) {
    let begun = Instant::now();
    let mut quiet_since = Instant::now();
    let mut before = BTreeMap::new();
    // Longer than any timer of the rules.
    while quiet_since.elapsed() < Duration::from_millis(3_000) {
        assert!(begun.elapsed() < PATIENCE, "it does not come to rest");
        let now = witness::committed(site);
        if now != before {
            (before, quiet_since) = (now, Instant::now());
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// Things happen to everybody, and the platforms answer.
fn days(site: &Site, random: &mut Random, events: usize) {
    let is_over = AtomicBool::new(false);
    let mut other = Random::new("the platforms");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (commands, mut sink) = (Commands::of(site), site.source("sink"));
            while !is_over.load(Ordering::Relaxed) {
                if let Some(value) = commands.next(Duration::from_millis(50)) {
                    let command: Command<'_> = site.codec.decode(&value).unwrap();
                    answer(&mut other, &command).iter().for_each(|event| sink.add(event));
                    sink.commit();
                }
            }
        });
        let mut source = site.source("source");
        for number in 0..events {
            let person = &site.people[random.below(site.people.len() as u64) as usize];
            let what = anything(random, person);
            source.add(&event(random, person.agent, what));
            if number % 20 == 19 {
                source.commit();
            }
        }
        source.commit();
        settle(site);
        is_over.store(true, Ordering::Relaxed);
    });
}

fn known(site: &Site, texts: &[&str]) -> BTreeMap<Uuid, Revision> {
    texts.iter().map(|text| (site.activate(text).revision, revision(text))).collect()
}

fn ordinary(test: &str, workers: u32, commit_ms: u64) -> Checked {
    let mut random = Random::new(test);
    let site = Site::new(test, 4, 60);
    let revisions = known(&site, &[&rules()]);
    let working: Vec<_> = (0..workers)
        .map(|number| site.work(site.settings(test, number, commit_ms), Arc::new(Silent)))
        .collect();
    site.source("links").link_all(&mut random);
    days(&site, &mut random, 1_500);
    for one in working {
        one.end().unwrap();
    }
    check(&site, &revisions)
}

#[test]
fn one_worker_writes_what_the_log_says() {
    let checked = ordinary("one-worker", 1, 50);
    assert!(checked.commands > 100 && checked.wake_ups > 10, "{checked:?}");
}

#[test]
fn it_does_not_matter_how_many_work_and_how_often_they_commit() {
    for (workers, commit_ms) in [(1, 5), (3, 500)] {
        let checked = ordinary(&format!("workers-{workers}"), workers, commit_ms);
        assert!(checked.commands > 100 && checked.wake_ups > 10, "{checked:?}");
    }
}
