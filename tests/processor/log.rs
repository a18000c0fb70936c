//! What the processor writes is what the log of events says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lockstep::bus::{self, Bus, Outgoing, Partition, Topic, Writer};
use lockstep::codec::{Addressee, Buffer, Command, DeadLetter, Event, Order, Uuid, What};
use lockstep::control::{self, Activation, Control};
use lockstep::engine;
use lockstep::processor::{self, Silent};
use lockstep::rules::Revision;

use crate::check::check;
use crate::days::{days, settle};
use crate::ground::On;
use crate::site::{self, PATIENCE, Random, Site, Working, anything, event, revision, rules};
use crate::witness;

fn known(site: &Site, texts: &[&str]) -> BTreeMap<Uuid, Revision> {
    texts.iter().map(|text| (site.activate(text).revision, revision(text))).collect()
}

fn work(site: &Site, name: &str, number: u32, commit_ms: u64) -> Working {
    site.work(site.settings(name, number, commit_ms), Arc::new(Silent))
}

pub(crate) fn ordinary(on: On, test: &str, workers: u32, commit_ms: u64) {
    let mut random = Random::new(test);
    let site = Site::on(on, test, 4, 60);
    let revisions = known(&site, &[&rules()]);
    let working: Vec<_> = (0..workers).map(|number| work(&site, test, number, commit_ms)).collect();
    site.source("links").link_all(&mut random);
    // A directory is faster, and timers need some time.
    days(&site, &mut random, if on == On::Directory { 5_000 } else { 1_500 });
    for one in working {
        one.end().unwrap();
    }
    let checked = check(&site, &revisions);
    assert!(checked.snapshots > 0, "{checked:?}");
    // How many there are depends on how fast it goes.
    assert!(checked.commands > 20 && checked.wake_ups > 3, "{checked:?}");
}

#[test]
fn one_worker_writes_what_the_log_says() {
    ordinary(On::Kafka, "one-worker", 1, 50);
}

#[test]
fn it_does_not_matter_how_many_work_and_how_often_they_commit() {
    for (workers, commit_ms) in [(1, 5), (3, 500)] {
        ordinary(On::Kafka, &format!("workers-{workers}"), workers, commit_ms);
    }
}

#[test]
fn a_burst_is_worked_off() {
    burst(On::Kafka);
}

/// Fault 20: ten times as much as on any day comes at once, while nobody works.
pub(crate) fn burst(on: On) {
    let test = "burst";
    let mut random = Random::new(test);
    let site = Site::on(on, test, 4, 200);
    let revisions = known(&site, &[&rules()]);
    let mut source = site.source("source");
    source.link_all(&mut random);
    for _ in 0..20_000 {
        let person = &site.people[random.below(site.people.len() as u64) as usize];
        let what = anything(&mut random, person);
        source.add(&event(&mut random, person.agent, what));
    }
    source.commit();
    let working = work(&site, test, 0, 50);
    settle(&site);
    working.end().unwrap();
    let checked = check(&site, &revisions);
    assert!(checked.events > 20_000, "{checked:?}");
}

#[test]
fn workers_that_come_and_go_change_nothing() {
    come_and_go(On::Kafka);
}

/// Faults 13 and 14: members come and go all the time, also while another restores.
pub(crate) fn come_and_go(on: On) {
    let test = "come-and-go";
    let mut random = Random::new(test);
    let site = Site::on(on, test, 4, 60);
    let revisions = known(&site, &[&rules()]);
    let stays = work(&site, "stays", 0, 20);
    site.source("links").link_all(&mut random);
    let is_over = AtomicBool::new(false);
    let mut visits = 0;
    std::thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            let mut visits = 0;
            while visits < 5 || !is_over.load(Ordering::Relaxed) {
                let visitor = work(&site, "visitor", visits % 3, 20);
                std::thread::park_timeout(Duration::from_millis(400));
                visitor.end().unwrap();
                visits += 1;
            }
            visits
        });
        days(&site, &mut random, 1_500);
        is_over.store(true, Ordering::Relaxed);
        visits = visitor.join().unwrap();
    });
    println!("{visits} visits");
    assert!(visits >= 5, "{visits} visits");
    stays.end().unwrap();
    check(&site, &revisions);
}

/// Fault 38: rules change in the middle of all this, and are rolled back; two operators do it at the same time.
#[test]
fn every_partition_takes_activations_in_the_same_order() {
    let test = "activations";
    let mut random = Random::new(test);
    let site = Site::new(test, 4, 60);
    let other =
        rules().replace("\"Unavailable/Lunch\" = \"Pause\"", "\"Unavailable/Lunch\" = \"In_Meeting\"");
    assert_ne!(other, rules());
    let revisions = BTreeMap::from_iter([&*rules(), &*other].map(|text| {
        let (bus, codec) = (site.bus(), &site.codec);
        let mut control = Control::begin(&bus, codec, &site.plan).unwrap();
        let (saved, is_new) = control.save(&revision(text), &site::operator()).unwrap();
        assert!(is_new);
        let (again, is_new) = control.save(&revision(text), &site::operator()).unwrap();
        assert!(!is_new && again == saved, "the same rules are the same revision");
        (saved.manifest.revision, revision(text))
    }));
    let working = [work(&site, test, 0, 20), work(&site, test, 1, 50)];
    site.source("links").link_all(&mut random);
    let mut epochs = Vec::new();
    std::thread::scope(|scope| {
        let operator = |text: String| {
            let (site, revisions) = (&site, &revisions);
            scope.spawn(move || {
                let mut epochs = Vec::new();
                let begun = Instant::now();
                while epochs.len() < 4 {
                    assert!(begun.elapsed() < PATIENCE, "an operator never gets his turn");
                    let bus = site.bus();
                    let turn = Control::begin(&bus, &site.codec, &site.plan).and_then(|mut control| {
                        let (saved, _) = control.save(&revision(&text), &site::operator())?;
                        control.activate(&saved, &site::operator())
                    });
                    match turn {
                        Ok(activation) => {
                            assert!(revisions.contains_key(&activation.revision));
                            epochs.push(activation.epoch.0);
                        }
                        // The other one came meanwhile.
                        Err(control::Error::Bus(bus::Error::Fenced { .. })) => {}
                        Err(error) => panic!("{error}"),
                    }
                    std::thread::park_timeout(Duration::from_millis(150));
                }
                epochs
            })
        };
        let operators = [operator(rules()), operator(other)];
        days(&site, &mut random, 1_000);
        epochs = operators.into_iter().flat_map(|operator| operator.join().unwrap()).collect();
    });
    for one in working {
        one.end().unwrap();
    }
    epochs.sort_unstable();
    assert!(epochs.windows(2).all(|pair| pair[0] < pair[1]), "an epoch was given twice: {epochs:?}");
    check(&site, &revisions);
    // Each partition has all of them, in one order.
    let activations = Activation::all(&site.bus(), &site.codec, &site.plan).unwrap();
    let all: Vec<u64> = activations.iter().map(|activation| activation.epoch.0).collect();
    assert!(epochs.iter().all(|epoch| all.contains(epoch)), "{epochs:?} of {all:?}");
    for (partition, seen) in witness::read_all(&site, Topic::Events) {
        let found: Vec<u64> = seen
            .iter()
            .filter_map(|seen| match site.codec.decode::<Event<'_>>(seen.value.as_deref()?).ok()?.what {
                What::Activated(activated) => Some(activated.epoch.0),
                _ => None,
            })
            .collect();
        assert_eq!(found, all, "partition {partition}");
    }
}

#[test]
fn what_cannot_be_read_is_set_aside() {
    unreadable(On::Kafka);
}

/// Fault 18: what cannot be read is set aside, and what comes after it is dealt with.
pub(crate) fn unreadable(on: On) {
    let test = "dead-letters";
    let mut random = Random::new(test);
    let site = Site::on(on, test, 2, 10);
    let revisions = known(&site, &[&rules()]);
    let working = work(&site, test, 0, 20);
    let mut source = site.source("source");
    source.link_all(&mut random);
    let good = |random: &mut Random, person: &site::Person| {
        let mut buffer = Buffer::new();
        let what = anything(random, person);
        site.codec.encode(&event(random, person.agent, what), &mut buffer).unwrap();
        buffer.as_slice().to_vec()
    };
    let large: Vec<u8> = (0..bus::RECORD_BYTES_MAX).map(|_| random.below(256) as u8).collect();
    let mut bad = 0;
    for person in &site.people {
        let key = person.agent.text();
        let whole = good(&mut random, person);
        let mut unknown_schema = whole.clone();
        unknown_schema[5] ^= 0xff;
        let other_record = {
            let mut buffer = Buffer::new();
            let letter = Command {
                agent: person.agent,
                to: Addressee::Cxone(person.link.cxone),
                event_offset: 0,
                engine_version: 1,
                order: Order::Void,
            };
            site.codec.encode(&letter, &mut buffer).unwrap();
            buffer.as_slice().to_vec()
        };
        for value in [
            None,
            Some(&b""[..]),
            Some(b"{}"),
            Some(&whole[..whole.len() - 1]),
            Some(&[&*whole, b"more"].concat()),
            Some(&unknown_schema),
            Some(&other_record),
            Some(&large),
        ] {
            source.add_raw(person.agent, &key, value);
            let next = anything(&mut random, person);
            source.add(&event(&mut random, person.agent, next));
            bad += 1;
        }
        source.add_raw(person.agent, b"another key", Some(&whole));
        bad += 1;
        source.commit();
    }
    settle(&site);
    working.end().unwrap();
    let checked = check(&site, &revisions);
    assert_eq!(checked.dead_letters, bad);
    let letters = witness::read_all(&site, Topic::DeadLetters);
    let mut causes = BTreeMap::new();
    for seen in letters.values().flatten() {
        let letter: DeadLetter<'_> = site.codec.decode(seen.value.as_deref().unwrap()).unwrap();
        assert_eq!(letter.payload, None, "the privacy setting keeps payloads out");
        *causes.entry(format!("{:?}", letter.cause)).or_insert(0) += 1;
    }
    println!("{causes:?}");
    assert_eq!(causes.len(), 4, "{causes:?}");
}

/// Fault 19: an event of a newer engine stops the processor with a message, and nothing after it is decided.
#[test]
fn an_event_of_a_newer_engine_stops_it() {
    let test = "newer";
    let mut random = Random::new(test);
    let site = Site::new(test, 1, 2);
    let working = work(&site, test, 0, 20);
    let mut source = site.source("source");
    source.link_all(&mut random);
    let newer = Event {
        engine_version: engine::VERSION + 1,
        ..event(&mut random, site.people[0].agent, What::Retry(site::operator()))
    };
    source.add(&newer);
    source.commit();
    let error = working.ended().unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("upgrade this one"), "{error}");
    let decided = witness::read_all(&site, Topic::Decisions)[&0].len();
    assert_eq!(decided, 2, "the links before it are decided");
}

/// A state that was tampered with is found before anything is decided by it.
#[test]
fn a_state_that_was_tampered_with_is_found() {
    let test = "tampered";
    let mut random = Random::new(test);
    let site = Site::new(test, 1, 5);
    let working = work(&site, test, 0, 20);
    site.source("links").link_all(&mut random);
    settle(&site);
    working.end().unwrap();
    let before = witness::read_all(&site, Topic::State);
    let topics = [site.plan.name(Topic::State)];
    let mut foreign = site.bus().writer(&format!("{}.foreign", site.plan.prefix), &topics).unwrap();
    let key = site.people[3].agent.text();
    foreign
        .add(&Outgoing { topic: 0, partition: Partition(0), key: &key, value: None, headers: &[] })
        .unwrap();
    foreign.commit(None).unwrap();
    let error = work(&site, test, 0, 20).ended().unwrap_err();
    println!("{error}");
    assert!(matches!(error, processor::Error::StateHash { .. }), "{error}");
    // Put back as it was, it goes on.
    let seen = before[&0].iter().rev().find(|seen| seen.key == key).unwrap();
    let value = seen.value.as_deref();
    foreign.add(&Outgoing { topic: 0, partition: Partition(0), key: &key, value, headers: &[] }).unwrap();
    foreign.commit(None).unwrap();
    let working = work(&site, test, 0, 20);
    let mut source = site.source("source");
    source.add(&event(&mut random, site.people[3].agent, What::Retry(site::operator())));
    source.commit();
    settle(&site);
    working.end().unwrap();
    check(&site, &BTreeMap::new());
}

/// Fault 12: of two with one identity the first is told, and stops.
#[test]
fn of_two_with_one_identity_the_first_stops() {
    let test = "identity";
    let mut random = Random::new(test);
    let site = Site::new(test, 2, 20);
    let first = work(&site, test, 0, 20);
    let mut source = site.source("source");
    source.link_all(&mut random);
    settle(&site);
    let second = work(&site, test, 0, 20);
    let error = first.ended().unwrap_err();
    println!("{error}");
    assert!(matches!(error, processor::Error::Bus(bus::Error::Fenced { .. })), "{error}");
    for person in &site.people {
        source.add(&event(&mut random, person.agent, What::Retry(site::operator())));
    }
    source.commit();
    settle(&site);
    second.end().unwrap();
    check(&site, &BTreeMap::new());
}
