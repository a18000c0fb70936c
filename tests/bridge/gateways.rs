//! Two gateways on one bus: of all tabs at all of them one holds an agent, also when one of them is killed.

use lockstep::engine::Verdict;
use serde_json::json;

use crate::browser::{BOTH, Browser, Heard, page};
use crate::ground::On;
use crate::log::Said;
use crate::site::{AVAILABLE, BREAK, Gateway, LUNCH, Person, Site};

fn connected(gateway: &str, epoch: u64) -> Said {
    Said::Connected { gateway: gateway.to_owned(), epoch }
}

fn disconnected(gateway: &str, epoch: u64) -> Said {
    Said::Disconnected { gateway: gateway.to_owned(), epoch }
}

fn done(sequence: u32) -> Said {
    Said::Outcome { sequence, verdict: Verdict::Accepted, detail: None }
}

/// A tab at another gateway takes the agent over, and gives him back when it goes.
#[test]
fn a_tab_at_another_gateway_holds_the_agent() {
    let site = Site::new(On::Kafka, "two", 2);
    let (a, b) = (site.gateway("a"), site.gateway("b"));
    for (way, person) in BOTH.into_iter().zip(&site.people) {
        let first = a.open(way, person);
        let welcomed = first.welcome();
        assert!(welcomed.holds);
        let mut epochs = vec![welcomed.epoch];
        first.does(&site.command(person, 1, Some(LUNCH)));
        // The log says that it is held, before another comes.
        site.comes_to_say(person, &done(1));
        let second = Browser::open(way, &b.address, &person.user, &page(), welcomed.epoch);
        let welcomed = second.welcome();
        assert!(welcomed.holds && welcomed.epoch > epochs[0], "{welcomed:?} after {epochs:?}");
        epochs.push(welcomed.epoch);
        first.hears("stand_by");
        second.does(&site.command(person, 2, Some(BREAK)));
        first.say(&json!({"type": "status", "status": AVAILABLE}));
        site.comes_to_say(person, &done(2));
        second.close();
        // Nothing but this was said to who stood by.
        epochs.push(first.holds());
        assert!(epochs[2] > epochs[1], "{epochs:?}");
        site.comes_to_say(person, &connected("a", epochs[2]));
        first.does(&site.command(person, 3, None));
        first.say(&json!({"type": "status", "status": null}));
        let said = site.comes_to_say_so_much(person, 8);
        let expected = [
            connected("a", epochs[0]),
            done(1),
            connected("b", epochs[1]),
            done(2),
            disconnected("b", epochs[1]),
            connected("a", epochs[2]),
            done(3),
        ];
        assert_eq!(said[..7], expected, "{way:?}");
        assert!(matches!(said[7..], [Said::Shows(_)]), "{way:?}: {said:#?}");
        first.close();
    }
    a.end();
    b.end();
}

/// Commands that a page has heard so far.
struct Page {
    browser: Browser,
    heard: Vec<String>,
}

impl Page {
    fn open(gateway: &Gateway, person: &Person, page: &str, epoch: u64) -> (Page, u64) {
        let browser = Browser::open(BOTH[0], &gateway.address, &person.user, page, epoch);
        let welcomed = browser.welcome();
        assert!(welcomed.holds);
        (Page { browser, heard: Vec::new() }, welcomed.epoch)
    }

    /// Hears commands until this one has come.
    fn hears_until(&mut self, command: &str) {
        while self.heard.last().is_none_or(|last| last != command) {
            let heard = self.browser.hears("command");
            self.heard.push(heard["command"].as_str().unwrap().to_owned());
        }
    }

    /// The connection has ended, and nothing was said any more.
    fn has_ended(&self) {
        assert_eq!(self.browser.next(), Heard::Ended(None));
    }
}

/// A gateway is killed while commands have no answer: pages go to the other one, and nobody is told by two what is to be done.
#[test]
fn a_gateway_that_is_killed_is_followed() {
    let site = Site::new(On::Kafka, "killed", 6);
    let (a, b) = (site.gateway("a"), site.gateway("b"));
    // A page at `b` is as it was.
    let (witness, people) = site.people.split_first().unwrap();
    let (untouched, _) = Page::open(&b, witness, &page(), 0);
    let mut before = Vec::new();
    for person in people {
        let name = page();
        let (mut one, epoch) = Page::open(&a, person, &name, 0);
        site.comes_to_say(person, &connected("a", epoch));
        let command = site.command(person, 1, Some(LUNCH));
        let command = command["command"].as_str().unwrap().to_owned();
        one.hears_until(&command);
        before.push((one, name, epoch, command));
    }
    a.process.signal("-KILL");
    a.process.is_gone();
    for (person, (one, name, epoch, first)) in people.iter().zip(before) {
        one.has_ended();
        let (mut other, higher) = Page::open(&b, person, &name, epoch);
        assert!(higher > epoch, "{higher} after {epoch}");
        let said = site.comes_to_say(person, &connected("b", higher));
        let command = site.command(person, 2, Some(BREAK));
        other.hears_until(command["command"].as_str().unwrap());
        other.browser.say(&json!({"type": "outcome", "command": command["command"], "result": "done"}));
        let all = site.comes_to_say(person, &done(2));
        // He answers at last what the one that was killed had told him: that is his to say.
        other.browser.say(&json!({"type": "outcome", "command": first, "result": "done"}));
        site.comes_to_say(person, &done(1));
        assert_eq!(said, [connected("a", epoch), connected("b", higher)]);
        assert_eq!(all.len(), 3, "{all:#?}");
        assert_eq!(one.heard, [first], "the first was heard from who was killed alone");
        assert_eq!(other.heard, [command["command"].as_str().unwrap()]);
        assert!(other.browser.has_heard_nothing());
    }
    assert!(untouched.browser.has_heard_nothing());
    b.end();
}
