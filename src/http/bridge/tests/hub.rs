//! Scripts of a gateway: what happens on the left, what is to be done on the right.

use std::time::{Duration, Instant};

use crate::codec::What;
use crate::domain::{AgentId, Cause, SalesforceStatus, TimeMs, UserId};
use crate::engine::{Epoch, Sequence, Verdict};
use crate::http::bridge::hub::{Action, Came, Hub, Known, Now};
use crate::http::bridge::message::{Done, Down, Told, Up};
use crate::http::bridge::seat::{ConnectionId, Order};

const START: i64 = 1_767_607_200_000;

fn agent(number: u32) -> AgentId {
    format!("00000000-0000-5000-8000-{number:012x}").parse().unwrap()
}

fn user(number: u32) -> UserId {
    format!("005{number:012}").parse().unwrap()
}

fn status(number: u32) -> SalesforceStatus {
    SalesforceStatus::Presence(format!("0N5{number:012}").parse().unwrap())
}

/// A gateway called `g`, its clock, and what it said, in short.
struct Script {
    hub: Hub,
    begun: Instant,
    ms: u64,
}

impl Script {
    fn new() -> Script {
        Script { hub: Hub::new("g".to_owned(), 3), begun: Instant::now(), ms: 0 }
    }

    fn now(&self) -> Now {
        Now {
            instant: self.begun + Duration::from_millis(self.ms),
            time: TimeMs::from_unix_ms(START + self.ms.cast_signed()),
        }
    }

    fn epoch(&self, epoch: u64) -> u64 {
        epoch - START.cast_unsigned()
    }

    fn said(&self, actions: Vec<Action>) -> Vec<String> {
        actions.iter().map(|action| self.short(action)).collect()
    }

    fn short(&self, action: &Action) -> String {
        match action {
            Action::Send(to, Down::Welcome { epoch, holds, .. }) => {
                let role = if *holds { "holds" } else { "waits" };
                format!("{}: welcome {} {role}", to.0, self.epoch(*epoch))
            }
            Action::Send(to, Down::Hold { epoch }) => format!("{}: hold {}", to.0, self.epoch(*epoch)),
            Action::Send(to, Down::StandBy) => format!("{}: stand by", to.0),
            Action::Send(to, Down::Command { order, .. }) => format!("{}: command {}", to.0, order.1),
            Action::Send(to, down) => format!("{}: {}", to.0, down.text()),
            Action::Close(to, reason) => format!("{}: bye {}", to.0, reason.name()),
            Action::Foreign(from) => format!("{}: foreign", from.0),
            Action::Publish(_, What::Connected(connection)) => {
                format!("connected {}", self.epoch(connection.epoch.0))
            }
            Action::Publish(_, What::Disconnected(connection)) => {
                format!("disconnected {}", self.epoch(connection.epoch.0))
            }
            Action::Publish(_, What::Outcome(outcome)) => {
                format!("outcome {} {:?}", outcome.sequence.0, outcome.verdict)
            }
            Action::Publish(_, What::Observation(seen)) => {
                let row = if seen.row.is_some() { "row" } else { "no row" };
                let since = seen.since_raw.as_unix_ms() - START;
                format!("shows since {since} {:?} {row} offset {}", seen.cause, seen.offset.as_ms())
            }
            Action::Publish(_, what) => format!("{:?}", what.kind()),
        }
    }

    /// Something happens, so long after what was before.
    fn then(&mut self, after_ms: u64, what: impl FnOnce(&mut Hub, Now, &mut Vec<Action>)) -> Vec<String> {
        self.ms += after_ms;
        let (now, mut actions) = (self.now(), Vec::new());
        what(&mut self.hub, now, &mut actions);
        self.said(actions)
    }

    fn link(&mut self, number: u32) -> Vec<String> {
        self.then(0, |hub, now, out| hub.link(agent(number), user(number), now, out))
    }

    fn come(&mut self, after_ms: u64, connection: u64, page: &str, epoch: u64) -> Vec<String> {
        let came = Came {
            connection: ConnectionId(connection),
            user: user(1),
            page: page.to_owned(),
            epoch,
            session: None,
        };
        self.then(after_ms, |hub, now, out| hub.come(came, now, out))
    }

    fn go(&mut self, after_ms: u64, connection: u64, is_wanted: bool) -> Vec<String> {
        let who = (ConnectionId(connection), user(1));
        self.then(after_ms, |hub, now, out| hub.go(who, is_wanted, now, out))
    }

    fn tick(&mut self, after_ms: u64) -> Vec<String> {
        self.then(after_ms, Hub::go_on)
    }

    fn command(&mut self, after_ms: u64, sequence: u32) -> Vec<String> {
        let order = Order {
            agent: agent(1),
            sequence: Sequence(sequence),
            issued: TimeMs::from_unix_ms(START),
            status: status(sequence),
        };
        self.then(after_ms, |hub, now, out| hub.command(order, now, out))
    }

    fn outcome(&mut self, connection: u64, whose: u32, sequence: u32, result: &str) -> Vec<String> {
        let name = format!("{}/{sequence}/{START}", agent(whose));
        let text = format!(r#"{{"type":"outcome","command":"{name}","result":"{result}"}}"#);
        let done: Done = match serde_json::from_str(&text).unwrap() {
            Up::Outcome(done) => done,
            other => panic!("{other:?}"),
        };
        self.then(0, |hub, _, out| hub.outcome((ConnectionId(connection), user(1)), &done, out))
    }

    fn shows(&mut self, connection: u64, told: Told) -> Vec<String> {
        self.then(0, |hub, now, out| hub.status((ConnectionId(connection), user(1)), told, now, out))
    }

    /// One who is linked and connected.
    fn connected() -> Script {
        let mut script = Script::new();
        assert!(script.link(1).is_empty());
        assert_eq!(script.come(0, 1, "page-one", 0), ["1: welcome 0 holds", "connected 0"]);
        script
    }
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn who_comes_back_in_time_goes_on_where_he_was() {
    let mut script = Script::connected();
    assert_eq!(script.command(10, 1), ["1: command 1"]);
    assert_eq!(script.go(10, 1, false), none());
    assert_eq!(script.tick(4_000), none());
    assert_eq!(script.command(0, 2), ["outcome 1 Unknown"], "what was sent may have been done");
    assert_eq!(script.come(900, 2, "page-one", 0), ["2: welcome 0 holds", "2: command 2"]);
    assert_eq!(script.outcome(2, 1, 2, "done"), ["outcome 2 Accepted"]);
    // Whose old connection is not known to be lost yet.
    assert_eq!(script.come(0, 3, "page-one", 0), ["2: bye replaced", "3: welcome 0 holds"]);
    assert_eq!(script.go(0, 2, false), none(), "the old one is no matter any more");
    assert_eq!(script.tick(60_000), none());
}

#[test]
fn who_does_not_come_back_is_gone() {
    let mut script = Script::connected();
    script.command(0, 1);
    script.go(0, 1, false);
    assert_eq!(script.tick(4_999), none());
    assert_eq!(script.tick(1), ["outcome 1 Unknown", "disconnected 0"]);
    assert_eq!(script.command(0, 2), none(), "nobody is here to be told");
    assert_eq!(script.come(1, 2, "page-one", 0), ["2: welcome 5001 holds", "connected 5001"]);
    // A page that is closed says so.
    assert_eq!(script.go(0, 2, true), ["disconnected 5001"]);
}

#[test]
fn of_two_tabs_the_newest_holds_and_the_other_stands_by() {
    let mut script = Script::connected();
    script.command(0, 1);
    assert_eq!(
        script.come(10, 2, "page-two", 0),
        ["2: welcome 10 holds", "1: stand by", "connected 10", "outcome 1 Unknown"]
    );
    let told = Told { status: status(1), cause: Cause::Agent, row: None, since: None, now: None };
    assert_eq!(script.shows(1, told), none(), "who stands by is not listened to");
    assert_eq!(script.command(0, 2), ["2: command 2"]);
    assert_eq!(script.go(10, 2, true), ["1: hold 20", "connected 20", "outcome 2 Unknown"]);
    // The one that stands by goes, and nothing is told.
    script.come(10, 3, "page-three", 0);
    assert_eq!(script.go(0, 1, false), none());
    // As many as he may have.
    script.come(0, 4, "page-four", 0);
    script.come(0, 5, "page-five", 0);
    assert_eq!(script.come(0, 6, "page-six", 0), ["6: bye too_many"]);
}

#[test]
fn the_newest_of_all_gateways_holds() {
    let mut script = Script::connected();
    script.command(0, 1);
    let later = Epoch(START.cast_unsigned() + 70_000);
    let elsewhere = |hub: &mut Hub, _, out: &mut Vec<Action>| {
        hub.connected_elsewhere(agent(1), ("h", later), out);
    };
    // Our own words come back from the log.
    let own = |hub: &mut Hub, _, out: &mut Vec<Action>| hub.connected_elsewhere(agent(1), ("g", later), out);
    assert_eq!(script.then(0, own), none());
    let earlier = Epoch(START.cast_unsigned() - 1);
    let before =
        |hub: &mut Hub, _, out: &mut Vec<Action>| hub.connected_elsewhere(agent(1), ("h", earlier), out);
    assert_eq!(script.then(0, before), none());
    assert_eq!(script.then(0, elsewhere), ["outcome 1 Unknown", "1: stand by"]);
    assert_eq!(script.command(1, 2), none(), "another gateway tells it");
    // It is gone, and said so.
    let gone = |hub: &mut Hub, now, out: &mut Vec<Action>| {
        hub.disconnected_elsewhere(agent(1), ("h", later), now, out);
    };
    // Numbers rise, whatever our clock says.
    assert_eq!(script.then(0, gone), ["1: hold 70001", "connected 70001", "1: command 2"]);
}

#[test]
fn a_gateway_that_was_killed_is_followed_by_who_stands_by() {
    let mut script = Script::connected();
    let later = Epoch(START.cast_unsigned() + 70_000);
    script.then(0, |hub, _, out| hub.connected_elsewhere(agent(1), ("h", later), out));
    script.command(0, 1);
    let name = |sequence| crate::http::bridge::message::CommandName {
        agent: agent(1),
        sequence: Sequence(sequence),
        issued: TimeMs::from_unix_ms(START),
    };
    script.then(5_000, |hub, _, _| hub.dealt_with(name(1)));
    assert_eq!(script.tick(60_000), none(), "it lives: it has answered");
    // What became of one was read before it was.
    script.then(0, |hub, _, _| hub.dealt_with(name(7)));
    script.command(0, 7);
    assert_eq!(script.tick(60_000), none());
    script.command(0, 2);
    assert_eq!(script.tick(9_999), none());
    assert_eq!(script.tick(1), ["1: hold 135000", "connected 135000", "1: command 2"]);
}

#[test]
fn the_number_is_above_what_the_browser_was_told() {
    let mut script = Script::new();
    script.link(1);
    let told = START.cast_unsigned() + 5_000;
    assert_eq!(script.come(0, 1, "page-one", told), ["1: welcome 5001 holds", "connected 5001"]);
    // What another gateway gave before this one began, whose clock was ahead.
    let ahead = Epoch(START.cast_unsigned() + 9_000);
    script.go(0, 1, true);
    script.then(0, |hub, now, out| {
        hub.know(agent(1), Known { epoch: Some(ahead), ..Known::default() }, now, out);
    });
    assert_eq!(script.come(0, 3, "page-three", 0), ["3: welcome 9001 holds", "connected 9001"]);
    let mut script = Script::new();
    script.link(1);
    script.come(0, 1, "page-one", told);
    // What no clock of ours can have said is not believed.
    assert_eq!(
        script.come(0, 2, "page-two", u64::MAX),
        ["2: welcome 5002 holds", "1: stand by", "connected 5002"]
    );
}

#[test]
fn a_newer_command_takes_the_place_of_an_older_one() {
    let mut script = Script::connected();
    assert_eq!(script.command(0, 1), ["1: command 1"]);
    assert_eq!(script.command(10, 2), ["outcome 1 Unknown", "1: command 2"]);
    assert_eq!(script.outcome(1, 1, 1, "done"), none(), "that was told already");
    // What is not answered is said again.
    assert_eq!(script.tick(9_999), none());
    assert_eq!(script.tick(1), ["1: command 2"]);
    assert_eq!(script.outcome(1, 1, 2, "conflict"), ["outcome 2 Conflict"]);
    assert_eq!(script.tick(60_000), none());
    // Who is not there for a moment is told the newest alone.
    script.go(0, 1, false);
    script.command(0, 3);
    assert_eq!(script.command(0, 4), ["outcome 3 Superseded"]);
    assert_eq!(script.come(0, 2, "page-one", 0), ["2: welcome 0 holds", "2: command 4"]);
    script.then(0, |hub, _, _| hub.void(agent(1)));
    assert_eq!(script.tick(60_000), none());
}

#[test]
fn nobody_speaks_of_anothers_command() {
    let mut script = Script::connected();
    script.link(2);
    script.command(0, 1);
    assert_eq!(script.outcome(1, 2, 1, "done"), ["1: foreign"]);
    assert_eq!(script.outcome(9, 1, 1, "done"), none(), "a connection that is none of his");
    for (result, verdict) in
        [("done", Verdict::Accepted), ("refused", Verdict::Permanent), ("unreachable", Verdict::Unreachable)]
    {
        script.command(0, 7);
        assert_eq!(script.outcome(1, 1, 7, result).last(), Some(&format!("outcome 7 {verdict:?}")));
        script = Script::connected();
    }
    // What another gateway had told him, before it was killed.
    assert_eq!(script.outcome(1, 1, 5, "done"), ["outcome 5 Accepted"]);
    assert_eq!(script.outcome(1, 1, 5, "done"), none());
}

#[test]
fn who_is_not_linked_waits_until_he_is() {
    let mut script = Script::new();
    assert_eq!(script.come(0, 1, "page-one", 0), ["1: welcome 0 waits"]);
    let told = Told { status: status(1), cause: Cause::Agent, row: None, since: None, now: None };
    assert_eq!(script.shows(1, told), none());
    assert_eq!(script.go(0, 1, true), none());
    script.come(10, 2, "page-one", 0);
    script.ms = 20;
    assert_eq!(script.link(1), ["2: hold 20", "connected 20"]);
    assert_eq!(script.link(1), none());
    let unlink = |hub: &mut Hub, _, out: &mut Vec<Action>| hub.unlink(agent(1), user(1), out);
    assert_eq!(script.then(0, unlink), ["2: stand by"]);
    assert_eq!(script.outcome(2, 1, 1, "done"), ["2: foreign"]);
    assert_eq!(script.hub.held(), 0);
}

#[test]
fn a_status_has_the_start_that_is_known_best() {
    let row = Some("0Ps000000000001".parse().unwrap());
    let at = |ms: i64| Some(TimeMs::from_unix_ms(START + ms));
    let told = Told { status: status(1), cause: Cause::Agent, row: None, since: None, now: None };
    let mut script = Script::connected();
    script.ms = 1_000;
    assert_eq!(script.shows(1, told), ["shows since 1000 Agent no row offset 0"]);
    // A page that comes back says what he is in, and not since when: that is nothing new.
    let again = Told { cause: Cause::Unknown, ..told };
    assert_eq!(script.shows(1, again), none());
    script.ms += 10_000;
    script.then(0, |hub, now, out| {
        hub.know(agent(1), Known { shown: Some(status(2)), reachable: true, ..Known::default() }, now, out);
    });
    assert_eq!(
        script.shows(1, again),
        ["shows since 11000 Unknown no row offset 0"],
        "the engine knows another"
    );
    script.ms = 1_000;
    let rowed = Told { row, since: at(900), now: at(1_400), ..told };
    assert_eq!(script.shows(1, rowed), ["shows since 900 Agent row offset 0"], "clocks that agree, nearly");
    let ahead = Told { row, since: at(900), now: at(4_000), ..told };
    assert_eq!(script.shows(1, ahead), ["shows since 900 Agent row offset 3000"]);
    assert_eq!(script.shows(1, told), ["shows since 4000 Agent no row offset 3000"]);
    // What begins in an hour has not begun.
    let future = Told { row, since: at(3_600_000), ..told };
    assert_eq!(script.shows(1, future), ["shows since 4000 Agent no row offset 3000"]);
    let off = Told { status: SalesforceStatus::Offline, cause: Cause::Unknown, since: at(3_500), ..told };
    assert_eq!(script.shows(1, off), ["shows since 3500 Unknown no row offset 3000"]);
}

#[test]
fn at_the_end_all_are_told() {
    let mut script = Script::connected();
    script.come(10, 2, "page-two", 0);
    script.command(0, 1);
    assert_eq!(
        script.then(0, Hub::end),
        ["1: bye shutting_down", "2: bye shutting_down", "outcome 1 Unknown", "disconnected 10"]
    );
}

/// Two gateways that give the same number: both know who stands by, and nobody holds him twice.
#[test]
fn of_two_with_one_number_one_stands_by() {
    let same = Epoch(START.cast_unsigned());
    for (other, stands_by) in [("f", false), ("h", true)] {
        let mut script = Script::connected();
        let said = script.then(0, |hub, _, out| hub.connected_elsewhere(agent(1), (other, same), out));
        assert_eq!(said == ["1: stand by"], stands_by, "{other}: {said:?}");
        let gone = |hub: &mut Hub, now, out: &mut Vec<Action>| {
            hub.disconnected_elsewhere(agent(1), (other, same), now, out);
        };
        let said = script.then(5, gone);
        let again: &[&str] = if stands_by { &["1: hold 5", "connected 5"] } else { &[] };
        assert_eq!(said, again, "{other}");
    }
}

/// The engine knows a newer browser, and nobody has said so: what is held here would never be commanded.
#[test]
fn who_was_passed_by_is_given_a_newer_number() {
    let mut script = Script::connected();
    let known = |epoch| Known {
        reachable: true,
        epoch: Some(Epoch(START.cast_unsigned() + epoch)),
        ..Known::default()
    };
    let said = script.then(0, |hub, now, out| hub.know(agent(1), known(0), now, out));
    assert_eq!(said, none(), "it is this one");
    let said = script.then(0, |hub, now, out| hub.know(agent(1), known(9), now, out));
    assert_eq!(said, ["1: hold 10", "connected 10"]);
    let said = script.then(0, |hub, now, out| hub.know(agent(1), known(10), now, out));
    assert_eq!(said, none());
}

/// Pages that are slower than 10 s do not hand him to and fro between their gateways.
#[test]
fn nobody_is_taken_over_again_and_again() {
    let mut script = Script::connected();
    let newer = |hub: &mut Hub, ahead: u64, out: &mut Vec<Action>| {
        hub.connected_elsewhere(agent(1), ("h", Epoch(START.cast_unsigned() + ahead)), out);
    };
    script.then(0, |hub, _, out| newer(hub, 1, out));
    script.command(0, 1);
    assert_eq!(script.tick(10_000).len(), 3);
    script.then(0, |hub, _, out| newer(hub, 20_000, out));
    script.command(0, 2);
    assert_eq!(script.tick(119_999), none());
    assert_eq!(script.tick(1).len(), 3);
}

#[test]
fn who_was_elsewhere_meanwhile_is_not_resumed() {
    let mut script = Script::connected();
    let elsewhere = START.cast_unsigned() + 7;
    assert_eq!(
        script.come(1, 2, "page-one", elsewhere),
        ["1: bye replaced", "2: welcome 8 holds", "connected 8"]
    );
}

/// The engine knows that he is in it, and holds him for out of reach: that he says so makes him be in reach. It is what is known, and
/// no status that begins now: nobody has chosen it.
#[test]
fn who_is_out_of_reach_is_heard() {
    let mut script = Script::connected();
    let plain = Told { status: status(1), cause: Cause::Unknown, row: None, since: None, now: None };
    let since_raw = Some(TimeMs::from_unix_ms(START - 700));
    for (reachable, heard) in
        [(true, none()), (false, vec!["shows since -700 Unknown no row offset 0".to_owned()])]
    {
        let known = Known { shown: Some(status(1)), since_raw, reachable, epoch: None };
        script.then(0, |hub, now, out| hub.know(agent(1), known, now, out));
        assert_eq!(script.shows(1, plain), heard, "{reachable}");
    }
    // What this gateway told is not forgotten for what the engine knew before.
    let known = Known { shown: Some(status(2)), reachable: true, ..Known::default() };
    script.then(0, |hub, now, out| hub.know(agent(1), known, now, out));
    assert_eq!(script.shows(1, plain), none());
    // Nor since when: he is gone and comes back before the engine has said anything.
    let lost = Known { shown: Some(status(1)), since_raw: None, reachable: false, epoch: None };
    script.then(0, |hub, now, out| hub.know(agent(1), Known { since_raw, ..lost }, now, out));
    assert_eq!(script.shows(1, plain), ["shows since -700 Unknown no row offset 0"]);
    script.then(10_000, |hub, now, out| hub.know(agent(1), known, now, out));
    assert_eq!(script.shows(1, plain).len(), 1);
}

/// A page whose clock tells nonsense does not get its agent stuck in the year 6000.
#[test]
fn a_clock_that_is_far_off_is_none() {
    let at = |ms: i64| Some(TimeMs::from_unix_ms(START + ms));
    let mut script = Script::connected();
    for ahead in [125_000_000_000_000, 120_001, -120_001] {
        let told = Told {
            status: status(1),
            cause: Cause::Agent,
            row: Some("0Ps000000000001".parse().unwrap()),
            since: at(ahead),
            now: at(ahead),
        };
        assert_eq!(script.shows(1, told), ["shows since 0 Agent no row offset 0"], "{ahead}");
    }
}
