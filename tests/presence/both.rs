//! What somebody chooses on one side is shown on the other.

use lockstep::codec::What;
use lockstep::domain::{Cause, Feed, SalesforceStatus};
use lockstep::engine::Verdict;
use lockstep::simulators::salesforce::Reason;

use crate::ground::On;
use crate::site::{AVAILABLE, BREAK, CHOICES, Choice, How, LUNCH, Site};

const PEOPLE: u32 = 12;

/// Each person chooses another thing than his neighbour.
fn mixed(site: &Site, shift: usize) -> Vec<Choice> {
    (0..site.people.len()).map(|place| CHOICES[(place + shift) % CHOICES.len()]).collect()
}

fn both_ways(on: On) {
    let site = Site::new(on, "both", How::of(PEOPLE));
    let running = site.run_all();
    site.open_consoles();
    for round in 0..3 {
        let chosen = mixed(&site, round);
        for (person, choice) in site.people.iter().zip(&chosen) {
            site.chooses_in_salesforce(person, *choice);
        }
        site.comes_into_step("what was chosen in Salesforce", &chosen);
        let chosen = mixed(&site, round + 2);
        for (person, choice) in site.people.iter().zip(&chosen) {
            site.chooses_in_cxone(person, *choice);
        }
        site.comes_into_step("what was chosen in CXone", &chosen);
    }
    site.judge();
    // A browser tells who it was, with the row of it.
    let person = site.people[0];
    let told = site.events(|event| match &event.what {
        What::Observation(seen) if event.agent == Some(person.agent) && seen.found_by == Feed::Bridge => {
            Some((seen.cause, seen.row.is_some()))
        }
        _ => None,
    });
    assert!(told.contains(&(Cause::Agent, true)) && told.contains(&(Cause::Toolkit, true)), "{told:?}");
    assert!(site.outcomes(person.agent).contains(&Verdict::Accepted));
    for process in running {
        process.end();
    }
}

#[test]
fn a_choice_on_either_side_is_shown_on_the_other_in_a_directory() {
    both_ways(On::Directory);
}

#[test]
fn a_choice_on_either_side_is_shown_on_the_other_on_a_kafka() {
    both_ways(On::Kafka);
}

/// What Salesforce shows is read without browsers; only setting it needs one.
#[test]
fn without_a_browser_salesforce_is_read_and_cannot_be_set() {
    let site = Site::new(On::Directory, "alone", How::of(4));
    let running = site.run_all();
    let all = |choice| vec![choice; site.people.len()];
    for person in &site.people {
        site.chooses_in_salesforce(person, LUNCH);
    }
    site.comes_into_step("Salesforce is polled", &all(LUNCH));
    for person in &site.people {
        site.chooses_in_cxone(person, BREAK);
    }
    site.comes("everybody is to be set", || {
        site.people.iter().all(|person| site.commands(person.agent).last() == Some(&site.status(BREAK.name)))
    });
    assert!(site.people.iter().all(|person| site.in_salesforce(person) == site.status(LUNCH.name)));
    assert!(site.people.iter().all(|person| site.outcomes(person.agent).is_empty()), "nobody could do it");
    // The browser comes: what is to be set is commanded anew.
    site.open_consoles();
    site.comes_into_step("browsers do it", &all(BREAK));
    site.judge();
    for process in running {
        process.end();
    }
}

/// Declined work and work that timed out are mirrored, with their cause; a log-out is Offline, and no browser is logged in by us.
#[test]
fn what_the_platform_does_by_itself_is_told_as_that() {
    let site = Site::new(On::Directory, "causes", How::of(3));
    let running = site.run_all();
    site.open_consoles();
    let [declines, misses, leaves] = [site.people[0], site.people[1], site.people[2]];
    let set = |person: &crate::site::Person, status, reason| {
        site.salesforce.world.set(person.user, status, reason).unwrap();
    };
    set(&declines, site.status(BREAK.name), Reason::DeclineWork);
    set(&misses, site.status(LUNCH.name), Reason::PushTimeout);
    site.comes("both are mirrored", || site.shows(&declines, BREAK) && site.shows(&misses, LUNCH));
    let cause = |person: crate::site::Person| {
        site.events(|event| match &event.what {
            What::Observation(seen) if event.agent == Some(person.agent) => Some(seen.cause),
            _ => None,
        })
    };
    assert!(cause(declines).contains(&Cause::Declined));
    assert!(cause(misses).contains(&Cause::PushTimeout));

    set(&leaves, SalesforceStatus::Offline, Reason::Manual);
    let is_offline = |what: &What<'_>| matches!(what, What::Observation(seen) if seen.status == lockstep::domain::Status::Salesforce(SalesforceStatus::Offline));
    site.comes("that he left is told", || {
        !site
            .events(|event| (event.agent == Some(leaves.agent) && is_offline(&event.what)).then_some(()))
            .is_empty()
    });
    site.chooses_in_cxone(&leaves, LUNCH);
    // Others go on meanwhile: what comes after has been decided, too.
    site.chooses_in_cxone(&declines, AVAILABLE);
    site.comes("another is set", || site.shows(&declines, AVAILABLE));
    assert_eq!(site.in_salesforce(&leaves), SalesforceStatus::Offline, "nobody is logged in by us");
    set(&leaves, site.status(AVAILABLE.name), Reason::Login);
    site.comes("he is back, and adopts what CXone shows", || site.shows(&leaves, LUNCH));
    site.judge();
    for process in running {
        process.end();
    }
}
