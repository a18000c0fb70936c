//! Tabs of one user, pages that are loaded again, and networks that are lost for a moment.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::browser::{BOTH, Browser, Way, page};
use crate::ground::On;
use crate::log::Said;
use crate::site::{AVAILABLE, BREAK, Gateway, LUNCH, Site};
use crate::waiting::until;

fn connected(epoch: u64) -> Said {
    Said::Connected { gateway: "g".to_owned(), epoch }
}

fn disconnected(epoch: u64) -> Said {
    Said::Disconnected { gateway: "g".to_owned(), epoch }
}

/// Waits until a gateway knows that so many are connected.
fn has(gateway: &Gateway, connections: u64) {
    until("connections", || {
        gateway.metric("lockstep_bridge_connections{account=\"salesforce.emea\"}") == connections
    });
}

#[test]
fn of_two_tabs_the_newest_holds_the_agent() {
    let site = Site::new(On::Directory, "tabs", 2);
    let gateway = site.gateway("g");
    // One over each transport, in either order.
    for ((first_way, second_way), person) in
        [(Way::Socket, Way::Stream), (Way::Stream, Way::Socket)].into_iter().zip(&site.people)
    {
        let first = gateway.open(first_way, person);
        let welcomed = first.welcome();
        let mut epochs = vec![welcomed.epoch];
        let second = Browser::open(second_way, &gateway.address, &person.user, &page(), welcomed.epoch);
        let welcomed = second.welcome();
        assert!(welcomed.holds && welcomed.epoch > epochs[0], "{welcomed:?} after {epochs:?}");
        epochs.push(welcomed.epoch);
        first.hears("stand_by");
        // Who stands by is not listened to.
        first.say(&json!({"type": "status", "status": LUNCH}));
        second.does(&site.command(person, 1, Some(AVAILABLE)));
        second.say(&json!({"type": "status", "status": BREAK}));
        let said = site.comes_to_say_so_much(person, 4);
        assert_eq!(said[..2], [connected(epochs[0]), connected(epochs[1])], "{said:#?}");
        assert!(matches!(said[2..], [Said::Outcome { .. }, Said::Shows(_)]), "{said:#?}");
        // The one that stands by holds him, once the other is gone for good.
        second.close();
        epochs.push(first.holds());
        assert!(epochs[2] > epochs[1], "{epochs:?}");
        site.comes_to_say(person, &connected(epochs[2]));
        first.does(&site.command(person, 2, Some(LUNCH)));
        first.say(&json!({"type": "status", "status": LUNCH}));
        let said = site.comes_to_say_so_much(person, 7);
        assert!(
            matches!(said[4..], [Said::Connected { .. }, Said::Outcome { .. }, Said::Shows(_)]),
            "{said:#?}"
        );
        first.close();
        let said = site.comes_to_say(person, &disconnected(epochs[2]));
        assert_eq!(said.len(), 8, "{said:#?}");
    }
    gateway.end();
}

/// A page that is loaded again is another one.
#[test]
fn a_page_that_is_loaded_again_goes_and_comes() {
    let site = Site::new(On::Directory, "reload", 1);
    let (gateway, person) = (site.gateway("g"), &site.people[0]);
    let (mut epoch, mut expected) = (0, Vec::new());
    for _ in 0..5 {
        let browser = Browser::open(Way::Socket, &gateway.address, &person.user, &page(), epoch);
        let welcomed = browser.welcome();
        assert!(welcomed.holds && welcomed.epoch > epoch, "{welcomed:?} after {epoch}");
        epoch = welcomed.epoch;
        browser.close();
        expected.extend([connected(epoch), disconnected(epoch)]);
    }
    assert_eq!(site.comes_to_say_so_much(person, expected.len()), expected);
    gateway.end();
}

/// A browser whose connection is lost, and which knows it sooner than the gateway, comes back as the same page.
#[test]
fn the_same_page_again_replaces_itself() {
    let site = Site::new(On::Directory, "replaced", 2);
    let gateway = site.gateway("g");
    for (way, person) in BOTH.into_iter().zip(&site.people) {
        let page = page();
        let open = |epoch| Browser::open(way, &gateway.address, &person.user, &page, epoch);
        let mut browser = open(0);
        let welcomed = browser.welcome();
        for _ in 0..3 {
            let again = open(welcomed.epoch);
            assert_eq!(again.welcome(), welcomed, "{way:?}: it goes on where it was");
            browser.is_told_to_go("replaced", None);
            browser = again;
        }
        browser.does(&site.command(person, 1, Some(LUNCH)));
        let said = site.comes_to_say_so_much(person, 2);
        assert!(matches!(said[..], [Said::Connected { .. }, Said::Outcome { .. }]), "{way:?}: {said:#?}");
    }
    assert_eq!(gateway.ended("replaced"), 6);
    gateway.end();
}

#[test]
fn who_comes_back_within_5_s_goes_on_where_he_was() {
    let site = Site::new(On::Directory, "resumed", 2);
    let gateway = site.gateway("g");
    for (way, person) in BOTH.into_iter().zip(&site.people) {
        let page = page();
        let open = |epoch| Browser::open(way, &gateway.address, &person.user, &page, epoch);
        let browser = open(0);
        let welcomed = browser.welcome();
        has(&gateway, 1);
        site.is_about_to_command();
        let lost = Instant::now();
        browser.lose();
        has(&gateway, 0);
        let command = site.command(person, 1, Some(LUNCH));
        let back = open(welcomed.epoch);
        assert_eq!(back.welcome(), welcomed, "{way:?}, after {:?}", lost.elapsed());
        // It came while he was away, or comes now.
        back.does(&command);
        let said = site.comes_to_say_so_much(person, 2);
        assert!(matches!(said[..], [Said::Connected { .. }, Said::Outcome { .. }]), "{way:?}: {said:#?}");
        // Who does not come back is gone, and the next one is another.
        let lost = Instant::now();
        back.lose();
        let said = site.comes_to_say(person, &disconnected(welcomed.epoch));
        assert!(lost.elapsed() >= Duration::from_secs(5), "{way:?}: {:?}", lost.elapsed());
        assert_eq!(said.len(), 3, "{said:#?}");
        let late = open(welcomed.epoch);
        let anew = late.welcome();
        assert!(anew.epoch > welcomed.epoch, "{way:?}: {anew:?} after {welcomed:?}");
        assert_eq!(site.comes_to_say_so_much(person, 4)[3], connected(anew.epoch));
        late.lose();
        has(&gateway, 0);
    }
    gateway.end();
}
