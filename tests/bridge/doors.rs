//! Who is not let in: it is said to him, counted and logged, and no token is in the log.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::apex::{FOREIGN, KEY_ID, ORG, claims, signed, token};
use crate::browser::{BOTH, Browser, Heard, ORIGIN, Way, hello, page};
use crate::ground::On;
use crate::site::{Gateway, Site};
use crate::waiting::{PATIENCE, now_ms, until};

/// When who has no good token may come again, in ms.
const WITH_A_NEW_TOKEN: Option<u64> = Some(5_000);
const LATER: Option<u64> = Some(10_000);

/// Tokens that let nobody in, and why, as the metrics have it.
fn bad_tokens(user: &str) -> Vec<(String, &'static str)> {
    let now_s = now_ms() / 1_000;
    let with = |other: Value| signed(&ORG, KEY_ID, &claims(user, &other));
    let mut all = vec![
        (signed(&FOREIGN, KEY_ID, &claims(user, &json!({}))), "signature"),
        (signed(&FOREIGN, "Other_Key", &claims(user, &json!({}))), "unknown_key"),
        (with(json!({"iat": now_s - 100, "exp": now_s - 40})), "expired"),
        (with(json!({"iat": now_s + 120, "exp": now_s + 180})), "early"),
        (with(json!({"exp": now_s + 3_600})), "long_lived"),
        (with(json!({"iss": "lockstep-apac"})), "issuer"),
        (with(json!({"aud": "another-service"})), "audience"),
        (with(json!({"sub": "0N5000000000101"})), "subject"),
        (with(json!({"sub": "administrator"})), "subject"),
        (with(json!({"jti": ""})), "incomplete"),
        // Signed by nobody, and by who knows what everybody knows.
        ("eyJhbGciOiJub25lIiwia2lkIjoiTG9ja3N0ZXBfQnJpZGdlIn0.e30.".to_owned(), "algorithm"),
        ("canary-hunter2-canary".to_owned(), "malformed"),
        (String::new(), "malformed"),
    ];
    for claim in ["iss", "aud", "sub", "iat", "exp", "jti"] {
        all.push((with(json!({claim: null})), "incomplete"));
    }
    // Of a good one another's claims.
    let (good, other) = (token(user), token("0055g0000293002"));
    let [head, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let claims = other.split('.').nth(1).unwrap();
    all.push((format!("{head}.{claims}.{signature}"), "signature"));
    all
}

#[test]
fn a_bad_token_lets_nobody_in() {
    let site = Site::new(On::Directory, "tokens", 2);
    let gateway = site.gateway("g");
    let person = &site.people[0];
    let (mut tokens, mut refused) = (Vec::new(), 0);
    for way in BOTH {
        let used = token(&person.user);
        let first = hello(&used, &page(), 0).to_string();
        let inside = Browser::begin(way, &gateway.address, Some(ORIGIN), &first).unwrap();
        assert!(inside.welcome().holds);
        let mut all = bad_tokens(&person.user);
        all.push((used, "used"));
        for (token, why) in all {
            let (before, page) = (gateway.refused(why), page());
            let first = hello(&token, &page, 0).to_string();
            let browser = Browser::begin(way, &gateway.address, Some(ORIGIN), &first).unwrap();
            browser.is_told_to_go("token", WITH_A_NEW_TOKEN);
            refused += 1;
            assert_eq!(
                (gateway.refused(why), gateway.ended("token")),
                (before + 1, refused),
                "{way:?} {why}"
            );
            let log = gateway.process.log();
            let line = log.lines().find(|line| line.contains(&page));
            assert!(line.is_some_and(|line| line.contains("a token lets nobody in")), "{why}: {line:?}");
            tokens.push(token);
        }
        assert!(inside.has_heard_nothing(), "{way:?}: it is no matter to who is there");
        inside.close();
    }
    is_in_no_log(&gateway, &tokens);
    gateway.end();
}

/// No part of a token is in the log.
fn is_in_no_log(gateway: &Gateway, tokens: &[String]) {
    let log = gateway.process.log();
    let parts = tokens.iter().flat_map(|token| token.split('.')).filter(|part| part.len() > 8);
    let found: Vec<_> = parts.filter(|part| log.contains(part)).collect();
    assert!(found.is_empty(), "{found:?}:\n{log}");
}

#[test]
fn a_page_of_another_origin_may_not_come() {
    let site = Site::new(On::Directory, "origins", 1);
    let gateway = site.gateway("g");
    let mut refused = 0;
    for origin in [
        Some("https://evil.example"),
        Some("https://emea.lightning.force.com.evil.example"),
        Some("http://emea.lightning.force.com"),
        Some("https://emea.lightning.force.com:8443"),
        Some("null"),
        // No browser: it says from where a page is.
        None,
    ] {
        for way in BOTH {
            let first = hello(&token(&site.people[0].user), &page(), 0).to_string();
            let refusal = Browser::begin(way, &gateway.address, origin, &first).err();
            assert_eq!(refusal, Some(403), "{way:?} {origin:?}");
            refused += 1;
            assert_eq!(gateway.refused("origin"), refused, "{way:?} {origin:?}");
        }
    }
    let log = gateway.process.log();
    assert!(log.contains("https://evil.example"), "{log}");
    assert_eq!(site.said(&site.people[0]), []);
    gateway.end();
}

/// Who says nothing, or something else first, has to go within 10 s.
#[test]
fn who_does_not_say_who_he_is_has_to_go() {
    let site = Site::new(On::Directory, "late", 1);
    let gateway = site.gateway("g");
    let begun = Instant::now();
    let silent = Browser::silent(&gateway.address, Some(ORIGIN)).unwrap();
    let mut wire = TcpStream::connect(gateway.address.at).unwrap();
    wire.set_read_timeout(Some(PATIENCE)).unwrap();
    let inside = gateway.open(Way::Socket, &site.people[0]);
    assert!(inside.welcome().holds);
    let long = "x".repeat(65);
    let named = |page: &str| hello(&token(&site.people[0].user), page, 0);
    let mut older = named("page-older");
    older["protocol"] = 0.into();
    let mut ended = 0;
    for first in [
        json!({"type": "status", "status": null}).to_string(),
        json!({"type": "pong"}).to_string(),
        json!({"type": "welcome"}).to_string(),
        json!({"type": "hello", "protocol": 1, "page": "without-a-token"}).to_string(),
        named("short").to_string(),
        named(&long).to_string(),
        named("page_with_other").to_string(),
        older.to_string(),
        "{\"type\":\"hello\"".to_owned(),
        "[]".to_owned(),
        String::new(),
        named(&"y".repeat(9_000)).to_string(),
    ] {
        for way in BOTH {
            let browser = Browser::begin(way, &gateway.address, Some(ORIGIN), &first).unwrap();
            browser.is_told_to_go("protocol", None);
            ended += 1;
            assert_eq!(gateway.ended("protocol"), ended, "{way:?} {first}");
        }
    }
    // Both have waited meanwhile. Who is told so is told that it was no hello.
    let farewell = silent.next();
    if let Heard::Message(bye) = &farewell {
        assert_eq!(*bye, json!({"type": "bye", "reason": "protocol"}));
        assert!(matches!(silent.next(), Heard::Ended(_)));
    }
    assert!(begun.elapsed() >= Duration::from_millis(9_500), "{:?}", begun.elapsed());
    let mut rest = Vec::new();
    let _ = wire.read_to_end(&mut rest);
    let took = begun.elapsed();
    assert!((Duration::from_millis(9_500)..Duration::from_secs(30)).contains(&took), "{took:?}");
    assert!(inside.has_heard_nothing());
    inside.say(&json!({"type": "status", "status": null}));
    assert_eq!(site.comes_to_say_so_much(&site.people[0], 2).len(), 2);
    gateway.end();
}

#[test]
fn a_user_has_no_more_tabs_than_he_may() {
    let site = Site::new(On::Directory, "user-max", 2);
    let gateway = site.gateway_with("g", "bridge", "connections_per_user_max = 2");
    let [full, other] = &site.people[..] else { panic!("two people") };
    for (count, way) in (1..).zip(BOTH) {
        let first = gateway.open(way, full);
        assert!(first.welcome().holds);
        let second = gateway.open(way, full);
        assert!(second.welcome().holds);
        first.hears("stand_by");
        gateway.open(way, full).is_told_to_go("too_many", LATER);
        assert_eq!(gateway.ended("too_many"), count, "{way:?}");
        let another = gateway.open(way, other);
        assert!(another.welcome().holds, "it is no matter to others");
        assert!(first.has_heard_nothing() && second.has_heard_nothing());
        let connections = || gateway.metric("lockstep_bridge_connections{account=\"salesforce.emea\"}");
        until("three are connected", || connections() == 3);
        drop((first, second, another));
        until("nobody is connected", || connections() == 0);
        // Who has lost his connection may come back, and counts no more when he does not.
        until("nobody is held", || {
            gateway.metric("lockstep_bridge_agents{account=\"salesforce.emea\"}") == 0
        });
    }
    gateway.end();
}

#[test]
fn a_process_has_no_more_connections_than_it_may() {
    let site = Site::new(On::Directory, "process-max", 4);
    let gateway = site.gateway_with("g", "bridge", "connections_max = 3");
    let ways = [Way::Socket, Way::Stream, Way::Socket];
    let mut inside: Vec<_> =
        ways.into_iter().zip(&site.people).map(|(way, person)| gateway.open(way, person)).collect();
    assert!(inside.iter().all(|browser| browser.welcome().holds));
    let late = &site.people[3];
    for (count, way) in (1..).zip(BOTH) {
        gateway.open(way, late).is_told_to_go("too_many", LATER);
        assert_eq!(gateway.ended("too_many"), count, "{way:?}");
    }
    assert_eq!(site.said(late), []);
    for way in BOTH {
        // One goes, and there is room as soon as that is known.
        inside.remove(0).close();
        let begun = Instant::now();
        let came = loop {
            let browser = gateway.open(way, late);
            match browser.next() {
                Heard::Message(message) if message["type"] == "welcome" => break browser,
                Heard::Message(message) => assert_eq!(message["reason"], "too_many", "{message}"),
                Heard::Ended(code) => panic!("{way:?}: it has ended without a word: {code:?}"),
            }
            assert!(begun.elapsed() < PATIENCE, "{way:?}: there is no room");
        };
        inside.push(came);
    }
    gateway.end();
}
