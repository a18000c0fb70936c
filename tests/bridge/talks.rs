//! What a browser says of its user becomes events, over either transport.

use lockstep::domain::{Cause, SalesforceStatus};
use lockstep::engine::Verdict;
use serde_json::{Value, json};

use crate::browser::{BOTH, Browser, Way, Welcome, page};
use crate::ground::On;
use crate::log::{Said, Shown, presence};
use crate::site::{AVAILABLE, BREAK, Gateway, LUNCH, Person, STRANGER, Site};
use crate::waiting::now_ms;

/// A time as Apex writes it.
pub(crate) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
}

#[test]
fn what_a_browser_says_is_in_the_log() {
    talk(On::Directory);
}

#[test]
fn what_a_browser_says_is_in_a_kafka() {
    talk(On::Kafka);
}

fn talk(on: On) {
    let site = Site::new(on, "talk", 2);
    let gateway = site.gateway("g");
    for (way, person) in BOTH.into_iter().zip(&site.people) {
        whole_day(&site, &gateway, way, person);
    }
    assert_eq!(gateway.metric("lockstep_bridge_events_total{kind=\"connected\"}"), 2);
    assert_eq!(gateway.metric("lockstep_bridge_events_total{kind=\"observation\"}"), 16);
    assert_eq!(gateway.metric("lockstep_bridge_outcomes_total{verdict=\"rejected\"}"), 2);
    gateway.end();
}

/// From hello to the end, and nothing else is said of him.
fn whole_day(site: &Site, gateway: &Gateway, way: Way, person: &Person) {
    let browser = gateway.open(way, person);
    let Welcome { epoch, holds } = browser.welcome();
    assert!(holds, "{way:?}");
    let connected = Said::Connected { gateway: "g".to_owned(), epoch };
    let mut expected = vec![connected];
    for (mut said, shown) in with_a_start() {
        if said.get("row").and_then(|row| row.get("id")).is_some() {
            // By Salesforce's clock, which is ours here.
            said["now"] = json!(time(now_ms()));
        }
        browser.say(&said);
        expected.push(Said::Shows(shown));
        assert_eq!(site.comes_to_say_so_much(person, expected.len()), expected, "{way:?} {said}");
    }
    // Nobody tells since when: since it came.
    for (said, status) in [
        (json!({"type": "status", "status": LUNCH}), presence(LUNCH)),
        (json!({"type": "status", "status": null, "reason": null, "row": null}), SalesforceStatus::Offline),
    ] {
        let before = now_ms();
        browser.say(&said);
        let found = site.comes_to_say_so_much(person, expected.len() + 1);
        let Some(Said::Shows(shown)) = found.last() else { panic!("{way:?} {said}: {found:?}") };
        assert!((before..=now_ms()).contains(&shown.since_ms), "{way:?} {said}: {shown:?}");
        let rest = Shown { since_ms: 0, ..*shown };
        let plain = Shown { status, cause: Cause::Unknown, row: None, since_ms: 0, offset_ms: 0 };
        assert_eq!(rest, plain, "{way:?} {said}");
        expected.push(Said::Shows(*shown));
    }
    let detail = format!("no\tstatus {}", "x".repeat(300));
    let name = format!("{}/7/1767607200000", person.agent);
    browser.say(&json!({"type": "outcome", "command": name, "result": "refused", "detail": detail}));
    let kept = format!("no status {}", "x".repeat(190));
    expected.push(Said::Outcome { sequence: 7, verdict: Verdict::Permanent, detail: Some(kept) });
    browser.close();
    expected.push(Said::Disconnected { gateway: "g".to_owned(), epoch });
    assert_eq!(site.comes_to_say(person, &expected[expected.len() - 1]), expected, "{way:?}");
}

/// What a page says with a start, and what is understood.
fn with_a_start() -> Vec<(Value, Shown)> {
    let since_ms = now_ms() - 5_000;
    let (row, since) = ("0Ps5g0000000001", time(since_ms));
    let shown = Shown {
        status: presence(LUNCH),
        cause: Cause::Agent,
        row: Some(row.parse().unwrap()),
        since_ms,
        offset_ms: 0,
    };
    let said = |status: Value, reason: Value| json!({"type": "status", "status": status, "reason": reason, "row": {"id": row, "since": since}});
    let with = |cause| Shown { cause, status: presence(BREAK), ..shown };
    vec![
        (said(json!(LUNCH), json!("OmniManualStatusChange")), shown),
        (said(json!(BREAK), json!("OmniToolkitStatusChange")), with(Cause::Toolkit)),
        (said(json!(BREAK), json!("OmniSupervisorStatusChange")), with(Cause::Supervisor)),
        (said(json!(BREAK), json!("OmniPushTimeout")), with(Cause::PushTimeout)),
        // What a newer Salesforce may say.
        (
            said(json!(AVAILABLE), json!("OmniNews")),
            Shown { status: presence(AVAILABLE), ..with(Cause::Unknown) },
        ),
        (
            json!({"type": "status", "status": null, "row": {"since": since}}),
            Shown { status: SalesforceStatus::Offline, cause: Cause::Unknown, row: None, ..shown },
        ),
    ]
}

/// Nobody knows who he is in CXone: he may come, and nothing is told of him.
#[test]
fn who_is_not_linked_waits() {
    let site = Site::new(On::Directory, "stranger", 1);
    let gateway = site.gateway("g");
    let strangers = BOTH.map(|way| {
        let browser = Browser::open(way, &gateway.address, STRANGER, &page(), 0);
        assert!(!browser.welcome().holds, "{way:?}");
        browser.say(&json!({"type": "status", "status": LUNCH}));
        browser
    });
    let person = &site.people[0];
    let browser = gateway.open(Way::Socket, person);
    assert!(browser.welcome().holds);
    browser.say(&json!({"type": "status", "status": BREAK}));
    assert_eq!(site.comes_to_say_so_much(person, 2).len(), 2);
    // What they said was heard before.
    assert_eq!(gateway.metric("lockstep_bridge_events_total{kind=\"observation\"}"), 1);
    assert!(strangers.iter().all(Browser::has_heard_nothing));
}
