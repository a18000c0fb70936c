//! What a browser may not say: it is told so and has to go, or it is not taken.

use serde_json::{Value, json};

use crate::apex::token;
use crate::browser::{BOTH, Way, hello, page};
use crate::ground::On;
use crate::log::{Said, outcome};
use crate::site::{LUNCH, Site};
use crate::waiting::until;

/// No page says this. What is answered to a `POST` of it: 400 where it can be seen at once.
fn odd(user: &str) -> Vec<(String, u16)> {
    let status = |status: Value, row: Value, now: Value| {
        json!({"type": "status", "status": status, "row": row, "now": now}).to_string()
    };
    let none = Value::Null;
    let rowed = |row: Value| status(json!(LUNCH), row, json!("2026-01-05T10:00:00.000Z"));
    vec![
        (String::new(), 400),
        ("{".to_owned(), 400),
        ("canary-hunter2".to_owned(), 400),
        ("null".to_owned(), 400),
        ("[]".to_owned(), 400),
        ("{}".to_owned(), 400),
        (json!({"type": "shutdown"}).to_string(), 400),
        (json!({"type": ["pong"]}).to_string(), 400),
        // What is said to a page.
        (json!({"type": "bye", "reason": "token"}).to_string(), 400),
        (json!({"type": "status", "status": 7}).to_string(), 400),
        (json!({"type": "outcome", "command": "c", "result": "perhaps"}).to_string(), 400),
        (json!({"type": "outcome", "command": "c"}).to_string(), 400),
        ("[".repeat(8_000), 400),
        // Longer than a message may be, by what does no harm elsewhere.
        (json!({"type": "pong", "more": "x".repeat(8 << 10)}).to_string(), 400),
        (hello(&token(user), &page(), 0).to_string(), 204),
        (status(json!("0055g0000293001"), none.clone(), none.clone()), 204),
        (status(json!("0N5"), none.clone(), none.clone()), 204),
        (status(json!(LUNCH), none, json!("soon")), 204),
        (rowed(json!({"id": "?", "since": "2026-01-05T10:00:00.000Z"})), 204),
        (rowed(json!({"id": "0Ps5g0000000001", "since": "yesterday"})), 204),
    ]
}

#[test]
fn who_says_what_is_no_message_has_to_go() {
    let site = Site::new(On::Directory, "odd", 1);
    let gateway = site.gateway("g");
    let person = &site.people[0];
    let mut ended = 0;
    for way in BOTH {
        for (text, answer) in odd(&person.user) {
            let browser = gateway.open(way, person);
            assert!(browser.welcome().holds);
            let answered = browser.say_text(&text);
            let short: String = text.chars().take(200).collect();
            assert_eq!(answered.unwrap_or(answer), answer, "{short}");
            browser.is_told_to_go("protocol", None);
            ended += 1;
            assert_eq!(gateway.ended("protocol"), ended, "{way:?} {short}");
        }
    }
    let pong = json!({"type": "pong"}).to_string();
    for bytes in [pong.as_bytes(), &[], &[0xff; 200], &[b'x'; 50_000]] {
        let browser = gateway.open(Way::Socket, person);
        browser.welcome();
        browser.say_binary(bytes);
        browser.is_told_to_go("protocol", None);
    }
    let log = gateway.process.log();
    assert!(!log.contains("canary-hunter2"), "{log}");
    let said = site.said(person);
    assert!(!said.iter().any(|said| matches!(said, Said::Shows(_) | Said::Outcome { .. })), "{said:#?}");
    gateway.end();
}

/// The longest that a message may be, and one byte more.
#[test]
fn a_message_has_8_kib_at_most() {
    let site = Site::new(On::Directory, "long", 1);
    let gateway = site.gateway("g");
    let person = &site.people[0];
    let of_bytes = |bytes: usize| {
        let empty = json!({"type": "pong", "more": ""}).to_string().len();
        json!({"type": "pong", "more": "x".repeat(bytes - empty)}).to_string()
    };
    for way in BOTH {
        let browser = gateway.open(way, person);
        browser.welcome();
        let heard = gateway.metric("lockstep_bridge_messages_total");
        assert_eq!(browser.say_text(&of_bytes(8_192)).unwrap_or(204), 204);
        until("it is heard", || gateway.metric("lockstep_bridge_messages_total") == heard + 1);
        browser.say_text(&of_bytes(8_193));
        browser.is_told_to_go("protocol", None);
    }
    gateway.end();
}

/// An agent who changes his status with each breath is far below what is too fast.
#[test]
fn who_speaks_too_fast_has_to_go() {
    let site = Site::new(On::Directory, "fast", 2);
    let gateway = site.gateway("g");
    let other = gateway.open(Way::Socket, &site.people[1]);
    other.welcome();
    for (count, way) in (1..).zip(BOTH) {
        let person = &site.people[0];
        let browser = gateway.open(way, person);
        browser.welcome();
        let before = site.said(person).len();
        for _ in 0..40 {
            browser.say(&json!({"type": "status", "status": LUNCH, "reason": "OmniManualStatusChange"}));
        }
        // So many at once after a rest are taken.
        site.comes_to_say_so_much(person, before + 40);
        assert!(browser.has_heard_nothing());
        // Whether a POST is too many may be answered, or that there is nobody any more.
        let posted = (0..300).map_while(|_| match browser.say_text(r#"{"type":"pong"}"#) {
            None | Some(204 | 429) => Some(()),
            Some(status) => {
                assert_eq!(status, 401);
                None
            }
        });
        assert!(posted.count() >= 10, "{way:?}");
        browser.is_told_to_go("too_many", Some(10_000));
        assert_eq!(gateway.ended("too_many"), count, "{way:?}");
        assert!(other.has_heard_nothing());
        other.say(&json!({"type": "status", "status": null, "reason": "OmniManualStatusChange"}));
        site.comes_to_say_so_much(&site.people[1], 1 + count as usize);
    }
    gateway.end();
}

/// Nobody speaks of another's command: it is not taken, counted, and he may stay.
#[test]
fn anothers_acknowledgement_is_not_taken() {
    let site = Site::new(On::Directory, "foreign", 2);
    let gateway = site.gateway("g");
    let [victim, stranger] = &site.people[..] else { panic!("two people") };
    let held = gateway.open(Way::Socket, victim);
    held.welcome();
    let command = site.command(victim, 1, Some(LUNCH));
    assert_eq!(held.hears("command"), command);
    for (count, way) in (1_u64..).zip(BOTH) {
        let browser = gateway.open(way, stranger);
        browser.welcome();
        for (more, claimed) in [
            (1, command.clone()),
            (2, json!({"command": format!("{}/1/1767607200000", victim.agent)})),
            (3, json!({"command": "no name"})),
        ] {
            browser.say(&outcome(&claimed, "done"));
            let foreign = || gateway.metric("lockstep_bridge_foreign_outcomes_total");
            until("it is counted", || foreign() == 3 * (count - 1) + more);
        }
        let before = site.said(stranger).len();
        browser.say(&json!({"type": "status", "status": LUNCH, "reason": "OmniManualStatusChange"}));
        let said = site.comes_to_say_so_much(stranger, before + 1);
        assert!(matches!(said.last(), Some(Said::Shows(_))), "{way:?}: he may stay: {said:#?}");
        browser.close();
    }
    let said = site.said(victim);
    assert!(matches!(said[..], [Said::Connected { .. }]), "{said:#?}");
    held.say(&outcome(&command, "done"));
    let said = site.comes_to_say_so_much(victim, 2);
    assert!(matches!(said[..], [_, Said::Outcome { sequence: 1, .. }]), "{said:#?}");
    gateway.end();
}
