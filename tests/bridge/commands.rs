//! Commands reach browsers, and what becomes of them the log.

use std::time::{Duration, Instant};

use lockstep::bus::partition_for;
use lockstep::engine::Verdict;

use crate::browser::{BOTH, Way};
use crate::ground::On;
use crate::log::{Said, outcome};
use crate::site::{AVAILABLE, BREAK, LUNCH, PARTITIONS, Person, Site};

/// What a gateway said became of commands, in its order.
fn outcomes(said: &[Said]) -> Vec<(u32, Verdict)> {
    let one = |said: &Said| match said {
        Said::Outcome { sequence, verdict, .. } => Some((*sequence, *verdict)),
        _ => None,
    };
    said.iter().filter_map(one).collect()
}

fn come_to_be(site: &Site, person: &Person, expected: &[(u32, Verdict)]) {
    let (sequence, verdict) = *expected.last().unwrap();
    let said = site.comes_to_say(person, &Said::Outcome { sequence, verdict, detail: None });
    assert_eq!(outcomes(&said), expected);
}

#[test]
fn a_command_reaches_the_browser() {
    obeys(On::Directory);
}

#[test]
fn a_command_of_a_kafka_reaches_the_browser() {
    obeys(On::Kafka);
}

/// Of each result one, and what is set: a status, or Offline.
fn obeys(on: On) {
    let site = Site::new(on, "obeys", 2);
    let gateway = site.gateway("g");
    for (way, person) in BOTH.into_iter().zip(&site.people) {
        let browser = gateway.open(way, person);
        browser.welcome();
        let mut expected = Vec::new();
        for (sequence, status, result, verdict) in [
            (1, Some(LUNCH), "done", Verdict::Accepted),
            (2, None, "done", Verdict::Accepted),
            (3, Some(BREAK), "refused", Verdict::Permanent),
            (4, Some(AVAILABLE), "conflict", Verdict::Conflict),
            (5, Some(BREAK), "unreachable", Verdict::Unreachable),
        ] {
            let command = site.command(person, sequence, status);
            assert_eq!(browser.hears("command"), command, "{way:?}");
            browser.say(&outcome(&command, result));
            // It may say so again: that is told once.
            browser.say(&outcome(&command, result));
            expected.push((sequence, verdict));
            come_to_be(&site, person, &expected);
        }
    }
    assert_eq!(gateway.metric("lockstep_bridge_commands_total"), 10);
    gateway.end();
}

/// Who does not answer is told again; and no more, once there is a newer one.
#[test]
fn an_unanswered_command_comes_again_and_a_newer_one_takes_its_place() {
    let site = Site::new(On::Directory, "again", 2);
    let gateway = site.gateway("g");
    let browsers: Vec<_> =
        BOTH.into_iter().zip(&site.people).map(|(way, person)| (gateway.open(way, person), person)).collect();
    let begun = Instant::now();
    let mut commands = Vec::new();
    for (browser, person) in &browsers {
        browser.welcome();
        let command = site.command(person, 1, Some(LUNCH));
        assert_eq!(browser.hears("command"), command);
        commands.push(command);
    }
    for ((browser, person), first) in browsers.iter().zip(&commands) {
        assert_eq!(browser.hears("command"), *first, "the same again");
        assert!(begun.elapsed() >= Duration::from_secs(10), "{:?}", begun.elapsed());
        let second = site.command(person, 2, Some(BREAK));
        assert_eq!(browser.hears("command"), second);
        come_to_be(&site, person, &[(1, Verdict::Unknown)]);
        // It was done after all: it was told that nobody knows, and that stays so.
        browser.say(&outcome(first, "done"));
        let third = site.command(person, 3, None);
        assert_eq!(browser.hears("command"), third);
        browser.say(&outcome(&third, "done"));
        come_to_be(&site, person, &[(1, Verdict::Unknown), (2, Verdict::Unknown), (3, Verdict::Accepted)]);
    }
}

/// Who comes when a command was there already is not told it: a processor that sees him come decides anew.
#[test]
fn who_was_not_there_is_told_nothing_later() {
    let site = Site::new(On::Directory, "absent", PARTITIONS + 1);
    let gateway = site.gateway("g");
    // Two whose commands are in one partition, and so in one order.
    let partition = |person: &Person| partition_for(&person.agent.text(), PARTITIONS);
    let pairs = site
        .people
        .iter()
        .enumerate()
        .flat_map(|(index, one)| site.people[index + 1..].iter().map(move |other| (one, other)));
    let (absent, witness) =
        pairs.into_iter().find(|(one, other)| partition(one) == partition(other)).unwrap();
    let browser = gateway.open(Way::Socket, witness);
    browser.welcome();
    site.command(absent, 1, Some(LUNCH));
    browser.does(&site.command(witness, 1, Some(LUNCH)));
    let came = gateway.open(Way::Socket, absent);
    came.welcome();
    came.does(&site.command(absent, 2, Some(AVAILABLE)));
    come_to_be(&site, absent, &[(2, Verdict::Accepted)]);
}
