//! Faults of the network between a processor and its broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lockstep::codec::What;

use crate::broker::Broker;
use crate::check::check;
use crate::days::settle;
use crate::faults::{TROUBLE, pause, short_or_long, through};
use crate::ground::{Brokers, Ground};
use crate::proxy::{Caught, How, Proxy, Request};
use crate::running::Process;
use crate::site::{PATIENCE, Random, Site, event, operator};
use crate::witness::committed;

/// A broker, and a proxy before it that only the processor goes through.
fn behind_a_proxy(test: &str, people: u32) -> (Broker, Proxy, Site) {
    let broker = Broker::start(test, &["--proxied"]);
    let proxy = Proxy::start(&broker.told("KAFKA_PROXY"), &broker.told("KAFKA_PROXIED"));
    let mut brokers = Brokers::one(broker.servers.clone());
    brokers.through = Some(broker.told("KAFKA_PROXY"));
    let site = Site::at(Ground::Kafka(brokers), test, 4, people);
    (broker, proxy, site)
}

/// Fault 6: all connections are cut both ways, or nothing comes through them any more, for less and for more time than
/// a session and a transaction last. Then it is healed.
#[test]
fn the_network_is_cut() {
    let test = "network-cut";
    let mut random = Random::new(test);
    let (_broker, proxy, site) = behind_a_proxy(test, 60);
    through(&site, &mut random, || {
        let process = Process::of(&site, "p", &[]);
        process.says("ready", 1);
        for (how, ms) in [
            (How::Cut, 2_000),
            (How::Silent, 4_000),
            (How::Cut, short_or_long(8_000, 60_000)),
            (How::Silent, short_or_long(18_000, 60_000)),
        ] {
            pause(1_500);
            proxy.set(how);
            pause(ms);
            proxy.set(How::Open);
        }
        process.says_one_of(&TROUBLE, 2);
        pause(3_000);
        process
    });
}

/// Fault 7: the answer to the end of a transaction comes after its time-out or never, and the same with the requests
/// before it.
#[test]
fn the_end_of_a_transaction_is_not_answered() {
    let test = "unanswered";
    let mut random = Random::new(test);
    let (_broker, proxy, site) = behind_a_proxy(test, 60);
    let faults = [
        (Request::END_TXN, Caught::Unanswered),
        (Request::END_TXN, Caught::Unheard),
        (Request::END_TXN, Caught::Late(Duration::from_secs(20))),
        (Request::TXN_OFFSET_COMMIT, Caught::Unanswered),
        (Request::TXN_OFFSET_COMMIT, Caught::Unheard),
        (Request::PRODUCE, Caught::Unanswered),
        (Request::PRODUCE, Caught::Unheard),
        (Request::PRODUCE, Caught::Late(Duration::from_secs(12))),
    ];
    through(&site, &mut random, || {
        let process = Process::of(&site, "p", &[]);
        process.says("ready", 1);
        for (number, (request, caught)) in (1..).zip(faults) {
            pause(1_000);
            proxy.set(How::Catch(request, caught));
            let begun = Instant::now();
            while proxy.caught() < number {
                assert!(begun.elapsed() < PATIENCE, "no {request:?} comes\n{}", process.log());
                pause(10);
            }
            if let Caught::Late(by) = caught {
                pause(by.as_millis() as u64);
            }
        }
        pause(3_000);
        process
    });
}

/// Every answer takes longer than a client first waits for one: it starts, decides, and restores all the same.
#[test]
fn every_answer_is_late() {
    const LATE: Duration = Duration::from_millis(400);
    let test = "late";
    let mut random = Random::new(test);
    let (_broker, proxy, site) = behind_a_proxy(test, 20);
    proxy.set(How::Late(LATE));
    through(&site, &mut random, || {
        let begun = Instant::now();
        let first = Process::of(&site, "p", &[]);
        first.says("ready", 1);
        assert!(begun.elapsed() > LATE * 5, "no answer was late");
        pause(4_000);
        first.end();
        let second = Process::of(&site, "p", &[]);
        second.says("ready", 1);
        proxy.set(How::Open);
        second
    });
}

/// Back-pressure: a broker that takes little makes the processor slow, and not large.
#[test]
fn a_slow_broker_costs_no_memory() {
    const RSS_MIB_MAX: u64 = 256;
    let test = "slow";
    let mut random = Random::new(test);
    let (_broker, proxy, site) = behind_a_proxy(test, 200);
    let mut source = site.source("source");
    source.link_all(&mut random);
    let events = short_or_long(300_000, 1_000_000);
    for number in 0..events {
        let person = &site.people[random.below(site.people.len() as u64) as usize];
        source.add(&event(&mut random, person.agent, What::Retry(operator())));
        if number % 10_000 == 0 {
            source.commit();
        }
    }
    source.commit();
    // Of a transaction of the usual size the broker takes a part before it has to be over: it takes smaller ones.
    proxy.set(How::Slow(10_000));
    let process = Process::of(&site, "p", &[]);
    process.says("a transaction is given up", 1);
    let begun = Instant::now();
    while committed(&site).values().map(|(next, _)| next).sum::<u64>() < 1_000 {
        assert!(begun.elapsed() < PATIENCE, "it does not go on\n{}", process.log());
        pause(500);
    }
    proxy.set(How::Slow(10_000_000));
    settle(&site);
    let peak_mib = process.rss_peak_kib() / 1_024;
    println!("{events} events, at most {peak_mib} MiB");
    assert!(peak_mib < RSS_MIB_MAX, "{peak_mib} MiB");
    process.end();
    let checked = check(&site, &BTreeMap::new());
    assert!(checked.events as u64 >= events, "{checked:?}");
}

/// A part of a transaction comes to the broker when the processor has long given it up, and has begun anew.
#[test]
fn what_was_given_up_comes_late() {
    let test = "late-parts";
    let mut random = Random::new(test);
    let mut moments = Random::new("moments");
    let (_broker, proxy, site) = behind_a_proxy(test, 200);
    let mut source = site.source("source");
    source.link_all(&mut random);
    source.commit();
    let process = Process::of(&site, "p", &[]);
    process.says("ready", 1);
    let times = short_or_long(1, 3);
    for number in 1..=times {
        // Longer than a part may take, and shorter than the broker keeps a transaction open.
        let by = Duration::from_millis(11_000 + moments.below(3_000));
        proxy.set(How::Catch(Request::PRODUCE, Caught::Held(by)));
        for _ in 0..60_000 {
            let person = &site.people[random.below(site.people.len() as u64) as usize];
            source.add(&event(&mut random, person.agent, What::Retry(operator())));
        }
        source.commit();
        let begun = Instant::now();
        while u64::from(proxy.caught()) < number {
            assert!(begun.elapsed() < PATIENCE, "nothing is caught\n{}", process.log());
            pause(10);
        }
        pause(by.as_millis() as u64);
        settle(&site);
    }
    process.says("a transaction is given up", 1);
    process.end();
    check(&site, &BTreeMap::new());
}
