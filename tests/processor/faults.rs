//! The processor as a process that is killed, stopped and starved: afterwards the log says what it would have said
//! without. Each test has a witness that its fault happened.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lockstep::bus::Topic;
use lockstep::codec::{Event, What};

use crate::broker::Broker;
use crate::check::check;
use crate::days::{self, days_until, settle};
use crate::ground::{Brokers, Ground, On};
use crate::running::Process;
use crate::site::{Random, Site, revision, rules};
use crate::waiting::until;
use crate::witness;

fn known(site: &Site) -> BTreeMap<lockstep::codec::Uuid, lockstep::rules::Revision> {
    BTreeMap::from([(site.activate(&rules()).revision, revision(&rules()))])
}

pub(crate) fn pause(ms: u64) {
    std::thread::park_timeout(Duration::from_millis(ms));
}

/// How long a fault lasts: a short time, and in `scripts/soak` as long as it should.
pub(crate) fn short_or_long(short_ms: u64, long_ms: u64) -> u64 {
    if std::env::var_os("LOCKSTEP_SOAK").is_some() { long_ms } else { short_ms }
}

/// What a processor says of brokers that are away: it depends on what it was doing.
pub(crate) const TROUBLE: [&str; 2] = ["does not answer", "a transaction is given up"];

/// Runs faults while things happen, then lets it come to rest, and checks.
pub(crate) fn through(site: &Site, random: &mut Random, faults: impl FnOnce() -> Process + Send) {
    let revisions = known(site);
    site.source("links").link_all(random);
    site.ground.hand_over();
    let is_over = AtomicBool::new(false);
    let mut process = None;
    std::thread::scope(|scope| {
        let faults = scope.spawn(|| {
            // Whatever becomes of it, the others are to end.
            let _over = days::Over(&is_over);
            faults()
        });
        days_until(site, random, &is_over);
        process = Some(faults.join().unwrap());
    });
    settle(site);
    process.unwrap().end();
    site.ground.take_back();
    let checked = check(site, &revisions);
    assert!(checked.commands > 20, "{checked:?}");
}

#[test]
fn it_is_killed_at_every_step() {
    killed_at_every_step(On::Kafka);
}

/// Fault 10.
pub(crate) fn killed_at_every_step(on: On) {
    const OF_ALL: [(&str, u64); 6] = [
        ("after read", 3),
        ("after apply", 3),
        ("amid writing", 40),
        ("before commit", 3),
        ("after commit", 3),
        ("amid restoring", 10),
    ];
    let of_this: &[(&str, u64)] = match on {
        On::Kafka => &[("between offsets and commit", 3), ("between offsets and commit", 1)],
        On::Directory => &[("before the directory is written", 20), ("after the directory is written", 20)],
    };
    let test = "killed-at-every-step";
    let mut random = Random::new(test);
    let site = Site::on(on, test, 4, 60);
    through(&site, &mut random, || {
        // States, for the next one to restore.
        let first = Process::of(&site, "p", &[]);
        first.says("ready", 1);
        pause(1_000);
        first.end();
        for (point, number) in OF_ALL.iter().chain(of_this) {
            let cut = Process::of(&site, "p", &[("LOCKSTEP_FAIL", &format!("{point}:{number}"))]);
            cut.ends_by_itself(&format!("it ends {point}"));
        }
        Process::of(&site, "p", &[])
    });
}

#[test]
fn it_is_killed_at_any_time() {
    killed_at_any_time(On::Kafka);
}

/// Fault 10, and in a directory 21 too, with a signal that no process sees coming, at moments that nobody chose.
pub(crate) fn killed_at_any_time(on: On) {
    let test = "killed-at-any-time";
    let mut random = Random::new(test);
    let mut moments = Random::new("moments");
    let site = Site::on(on, test, 4, 60);
    through(&site, &mut random, || {
        for _ in 0..6 {
            let cut = Process::of(&site, "p", &[]);
            cut.says("assigned", 1);
            pause(moments.below(2_500));
            cut.signal("-KILL");
            cut.is_gone();
        }
        Process::of(&site, "p", &[])
    });
}

/// Fault 11: two are asleep for longer than their session and a transaction may be, while another has their partitions. One
/// fell asleep in a transaction, and wakes up as a stranger to the brokers; the other did not, and joins in again.
#[test]
fn those_that_were_asleep_do_no_harm() {
    const PARTITIONS: u32 = 4;
    let test = "asleep";
    let mut random = Random::new(test);
    let site = Site::new(test, PARTITIONS, 60);
    let asleep = |name, point| Process::of(&site, name, &[("LOCKSTEP_SLEEP", point)]);
    let mut kept = None;
    through(&site, &mut random, || {
        let inside = asleep("inside", "between offsets and commit:200");
        let outside = asleep("outside", "after commit:200");
        inside.says("ready", 1);
        outside.says("ready", 1);
        let other = Process::of(&site, "other", &[]);
        inside.says("it falls asleep between offsets and commit", 1);
        outside.says("it falls asleep after commit", 1);
        // How far was read is not told before the brokers have given up the transaction that is open on it.
        for partition in 0..PARTITIONS {
            other.says(&format!("restored partition={partition}"), 1);
        }
        inside.signal("-CONT");
        outside.signal("-CONT");
        let status = inside.ends_by_itself("another process has the identity");
        assert_eq!(status.code(), Some(3), "{status}");
        outside.says("lost", 1);
        pause(2_000);
        kept = Some(outside);
        other
    });
    kept.unwrap().end();
}

/// Fault 15: the clock of the processor's machine is set two hours ahead, and back.
#[test]
fn the_clock_is_set() {
    const HOUR_MS: i64 = 3_600_000;
    let test = "clock";
    let mut random = Random::new(test);
    let site = Site::new(test, 4, 60);
    let file = site.place.0.join("clock");
    let set = |ahead_s: i64| drop(site.place.file("clock", ahead_s.to_string()));
    // Wake-ups say when the processor wrote them, by its clock.
    let by_hours = || {
        let events = witness::read_all(&site, Topic::Events);
        let ahead = events.values().flatten().filter_map(|seen| {
            let event: Event<'_> = site.codec.decode(seen.value.as_deref()?).ok()?;
            matches!(event.what, What::WakeUp(_))
                .then(|| (event.written_at.as_unix_ms() - seen.at_ms + HOUR_MS / 2).div_euclid(HOUR_MS))
        });
        let mut by_hours = BTreeMap::new();
        ahead.for_each(|hours| *by_hours.entry(hours).or_insert(0) += 1);
        by_hours
    };
    through(&site, &mut random, || {
        let process = Process::of(&site, "p", &[("LOCKSTEP_CLOCK", file.to_str().unwrap())]);
        process.says("ready", 1);
        for ahead_hours in [2, -2, 0] {
            set(ahead_hours * 3_600);
            let before = by_hours().get(&ahead_hours).copied().unwrap_or_default();
            until(&format!("who wakes up by a clock that is {ahead_hours} h ahead"), || {
                pause(200);
                by_hours().get(&ahead_hours).is_some_and(|now| *now > before)
            });
            pause(1_000);
        }
        process
    });
    println!("wake-ups by how many hours the clock was ahead: {:?}", by_hours());
}

#[test]
fn it_stops_when_it_is_asked_to() {
    stops_when_it_is_asked_to(On::Kafka);
}

/// Fault 43: SIGTERM under load ends it cleanly, within ten seconds.
pub(crate) fn stops_when_it_is_asked_to(on: On) {
    let test = "asked";
    let mut random = Random::new(test);
    let site = Site::on(on, test, 4, 60);
    through(&site, &mut random, || {
        for _ in 0..3 {
            let process = Process::of(&site, "p", &[]);
            process.says("ready", 1);
            pause(1_000);
            let took = process.end();
            assert!(took < Duration::from_secs(10), "{took:?}");
        }
        Process::of(&site, "p", &[])
    });
}

/// Fault 1: the broker is killed and comes back, under load.
#[test]
fn the_broker_is_killed() {
    let test = "broker-killed";
    let mut random = Random::new(test);
    let broker = Broker::start(test, &[]);
    let site = Site::at(Ground::Kafka(Brokers::one(broker.servers.clone())), test, 4, 60);
    through(&site, &mut random, || {
        let process = Process::of(&site, "p", &[]);
        process.says("ready", 1);
        for _ in 0..2 {
            pause(1_500);
            broker.fault("kill", 1);
            pause(500);
            broker.fault("restart", 1);
        }
        process.says_one_of(&TROUBLE, 1);
        pause(3_000);
        process
    });
}
