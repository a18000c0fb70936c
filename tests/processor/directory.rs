//! The same in a directory: what the processor writes there is what its log says, also where it is cut off in the middle of a
//! write; and what it makes of one log is what it makes of it on Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use lockstep::bus::embedded::{Fsync, Settings};
use lockstep::bus::{Bus, Outgoing, Partition, Topic, Writer};
use lockstep::domain::TimeMs;
use lockstep::processor::Silent;

use crate::days::{days, settle};
use crate::ground::{Folder, Ground, On};
use crate::site::{Random, Site, rules};
use crate::witness::{self, Seen};

#[test]
fn workers_write_what_the_log_says() {
    for (workers, commit_ms) in [(1, 50), (1, 5), (3, 500)] {
        crate::log::ordinary(On::Directory, &format!("directory-{workers}-{commit_ms}"), workers, commit_ms);
    }
}

#[test]
fn a_burst_is_worked_off() {
    crate::log::burst(On::Directory);
}

#[test]
fn workers_that_come_and_go_change_nothing() {
    crate::log::come_and_go(On::Directory);
}

#[test]
fn what_cannot_be_read_is_set_aside() {
    crate::log::unreadable(On::Directory);
}

#[cfg(feature = "fail-points")]
#[test]
fn it_is_killed_at_every_step() {
    crate::faults::killed_at_every_step(On::Directory);
}

#[cfg(feature = "fail-points")]
#[test]
fn it_is_killed_at_any_time() {
    crate::faults::killed_at_any_time(On::Directory);
}

#[cfg(feature = "fail-points")]
#[test]
fn it_stops_when_it_is_asked_to() {
    crate::faults::stops_when_it_is_asked_to(On::Directory);
}

/// What a checkpoint says of the states.
fn hashes(site: &Site) -> BTreeMap<u32, String> {
    let hash = |text: &str| text.split(' ').find(|part| part.starts_with("hash=")).unwrap().to_owned();
    witness::committed(site).into_iter().map(|(number, (_, text))| (number, hash(&text))).collect()
}

/// A log that was made on Kafka is put into a directory, each record at the time at which Kafka had it: it has the same
/// hashes there.
#[test]
fn one_log_has_the_same_hashes_on_both() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let test = "both";
    let mut random = Random::new(test);
    let there = Site::new(test, 4, 60);
    let activation = there.activate(&rules());
    let working = there.work(there.settings(test, 0, 50), Arc::new(Silent));
    there.source("links").link_all(&mut random);
    days(&there, &mut random, 1_000);
    working.end().unwrap();

    let settings = Settings {
        clock: || TimeMs::from_unix_ms(NOW.load(Ordering::Relaxed)),
        fsync: Fsync::Every(Duration::from_secs(1)),
        ..Settings::default()
    };
    let here = Site::at(Ground::Directory(Folder::with(test, settings)), test, 4, 60);
    for topic in [Topic::Rules, Topic::Events] {
        let mut by_time: BTreeMap<i64, Vec<(u32, Seen)>> = BTreeMap::new();
        for (number, seen) in witness::read_all(&there, topic) {
            seen.into_iter().for_each(|seen| by_time.entry(seen.at_ms).or_default().push((number, seen)));
        }
        let mut writer = here.bus().writer("copy", &[here.plan.name(topic)]).unwrap();
        for (at_ms, records) in by_time {
            NOW.store(at_ms, Ordering::Relaxed);
            for (number, seen) in &records {
                let (partition, value) = (Partition(*number), seen.value.as_deref());
                writer.add(&Outgoing { topic: 0, partition, key: &seen.key, value, headers: &[] }).unwrap();
            }
            writer.commit(None).unwrap();
        }
    }
    let working = here.work(here.settings(test, 0, 5), Arc::new(Silent));
    settle(&here);
    working.end().unwrap();
    println!("activation {}", activation.epoch.0);
    assert_eq!(hashes(&here), hashes(&there));
}
