//! How a gateway ends: browsers are told, and the log says that they are gone.

use std::time::Duration;

use serde_json::json;

use crate::browser::{BOTH, Browser, Way, page};
use crate::ground::On;
use crate::log::Said;
use crate::site::{LUNCH, Site};

#[test]
fn who_ends_says_so() {
    stop(On::Directory);
}

#[test]
fn who_ends_says_so_in_a_kafka() {
    stop(On::Kafka);
}

fn stop(on: On) {
    let site = Site::new(on, "stop", 8);
    let gateway = site.gateway("g");
    let ways = BOTH.into_iter().cycle();
    let browsers: Vec<_> =
        ways.zip(&site.people).map(|(way, person)| (gateway.open(way, person), person)).collect();
    let mut expected = Vec::new();
    for (browser, _) in &browsers {
        let epoch = browser.welcome().epoch;
        browser.say(&json!({"type": "status", "status": LUNCH}));
        expected.push(Said::Disconnected { gateway: "g".to_owned(), epoch });
    }
    // One who stands by is told, too.
    let stands_by = browsers.first().unwrap();
    let newest = gateway.open(Way::Socket, stands_by.1);
    expected[0] = Said::Disconnected { gateway: "g".to_owned(), epoch: newest.welcome().epoch };
    stands_by.0.hears("stand_by");
    for person in &site.people {
        site.comes_to_say_so_much(person, 2);
    }
    let took = gateway.end();
    assert!(took < Duration::from_secs(10), "{took:?}");
    newest.is_told_to_go("shutting_down", Some(500));
    for (browser, _) in &browsers {
        browser.is_told_to_go("shutting_down", Some(500));
    }
    if on == On::Directory {
        site.take_back();
    }
    for ((_, person), gone) in browsers.iter().zip(&expected) {
        let said = site.comes_to_say(person, gone);
        assert_eq!(said.last(), Some(gone), "{said:#?}");
    }
}

/// Two processes have one name, which is a mistake of who runs them: the first one ends, and says why.
#[test]
fn of_two_with_one_name_the_first_ends() {
    let site = Site::new(On::Kafka, "name", 1);
    let person = &site.people[0];
    let first = site.gateway("g");
    let at_first = first.open(Way::Socket, person);
    let epoch = at_first.welcome().epoch;
    site.comes_to_say(person, &Said::Connected { gateway: "g".to_owned(), epoch });
    let second = site.gateway("g");
    // It is noticed when something is to be written.
    at_first.say(&json!({"type": "status", "status": LUNCH}));
    let status = first.ends_by_itself("another process has the identity");
    assert_eq!(status.code(), Some(3), "{status}");
    let at_second = Browser::open(Way::Socket, &second.address, &person.user, &page(), epoch);
    let higher = at_second.welcome().epoch;
    assert!(higher > epoch);
    at_second.say(&json!({"type": "status", "status": LUNCH}));
    let said = site.comes_to_say_so_much(person, 3);
    assert_eq!(said[1], Said::Connected { gateway: "g".to_owned(), epoch: higher }, "{said:#?}");
    assert!(matches!(said[2..], [Said::Shows(_)]), "what the first one heard was not written: {said:#?}");
    second.end();
}
