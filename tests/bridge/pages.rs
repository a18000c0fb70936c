//! What a browser asks before it lets a page of another origin speak to a gateway, and what stands in answers for it.

use reqwest::{Method, Response};

use crate::apex::token;
use crate::browser::{CLIENT, ORIGIN, RUNTIME, Way, from_origin, hello, page, post};
use crate::ground::On;
use crate::site::{Gateway, Site};
use crate::waiting::until;

fn call(gateway: &Gateway, method: Method, path: &str, origin: Option<&str>, body: &str) -> Response {
    let call = CLIENT.request(method, gateway.address.url(path)).body(body.to_owned());
    RUNTIME.block_on(from_origin(call, origin).send()).unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_browser_is_told_which_pages_may_post() {
    let site = Site::new(On::Directory, "preflight", 1);
    let gateway = site.gateway("g");
    for path in ["/bridge/v1/stream", "/bridge/v1/messages"] {
        let answer = call(&gateway, Method::OPTIONS, path, Some(ORIGIN), "");
        assert_eq!(answer.status(), 204, "{path}");
        for (name, value) in [
            ("access-control-allow-origin", ORIGIN),
            ("access-control-allow-methods", "POST"),
            ("access-control-allow-headers", "authorization, content-type"),
            ("access-control-max-age", "3600"),
            ("vary", "origin"),
        ] {
            assert_eq!(header(&answer, name), value, "{path} {name}");
        }
        assert_eq!(header(&answer, "access-control-allow-credentials"), "", "{path}: there is no cookie");
        for origin in [Some("https://evil.example"), None] {
            let answer = call(&gateway, Method::OPTIONS, path, origin, "");
            assert_eq!(answer.status(), 403, "{path} {origin:?}");
            assert_eq!(header(&answer, "access-control-allow-origin"), "", "{path} {origin:?}");
        }
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = call(&gateway, method.clone(), path, Some(ORIGIN), "");
            assert_eq!(answer.status(), 405, "{path} {method}");
        }
    }
    assert_eq!(call(&gateway, Method::GET, "/", Some(ORIGIN), "").status(), 404);
    assert_eq!(
        call(&gateway, Method::GET, "/metrics", Some(ORIGIN), "").status(),
        404,
        "not where browsers come"
    );
    gateway.end();
}

#[test]
fn events_are_for_the_page_alone_and_are_not_kept() {
    let site = Site::new(On::Directory, "headers", 1);
    let gateway = site.gateway("g");
    let good = hello(&token(&site.people[0].user), &page(), 0).to_string();
    for first in [&*good, "{}"] {
        let answer = call(&gateway, Method::POST, "/bridge/v1/stream", Some(ORIGIN), first);
        assert_eq!(answer.status(), 200, "{first}");
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store"),
            ("x-accel-buffering", "no"),
            ("access-control-allow-origin", ORIGIN),
            ("vary", "origin"),
        ] {
            assert_eq!(header(&answer, name), value, "{first} {name}");
        }
    }
    gateway.end();
}

#[test]
fn who_has_no_session_is_not_heard() {
    let site = Site::new(On::Directory, "session", 1);
    let gateway = site.gateway("g");
    let url = gateway.address.url("/bridge/v1/messages");
    let status = r#"{"type":"status","status":null}"#;
    let posts = |session: &str| RUNTIME.block_on(post(&CLIENT, &url, session, status.to_owned())).unwrap();
    let first = hello(&token(&site.people[0].user), &page(), 0).to_string();
    let mut answer = call(&gateway, Method::POST, "/bridge/v1/stream", Some(ORIGIN), &first);
    let welcome = RUNTIME.block_on(answer.chunk()).unwrap().unwrap();
    let welcome: serde_json::Value =
        serde_json::from_slice(welcome.strip_prefix(b"data: ").unwrap().trim_ascii()).unwrap();
    let session = welcome["session"].as_str().unwrap().to_owned();
    let altered: String = session.chars().rev().collect();
    let shorter = &session[..session.len() - 1];
    for unknown in ["", "1", &altered, shorter, &format!("{session}0"), &session.to_uppercase()] {
        if unknown == session {
            continue;
        }
        let answer = posts(unknown);
        assert_eq!(answer.status(), 401, "{unknown}");
        assert_eq!(header(&answer, "access-control-allow-origin"), ORIGIN, "so that the page can read it");
    }
    let without = call(&gateway, Method::POST, "/bridge/v1/messages", Some(ORIGIN), status);
    assert_eq!(without.status(), 401);
    assert_eq!(posts(&session).status(), 204);
    site.comes_to_say_so_much(&site.people[0], 2);
    // The session ends with its connection.
    drop(answer);
    until("the session has ended", || posts(&session).status() == 401);
    let log = gateway.process.log();
    assert!(!log.contains(&session), "{log}");
    // Sessions are for those who cannot have a WebSocket: others have none.
    let browser = gateway.open(Way::Socket, &site.people[0]);
    browser.welcome();
    gateway.end();
}
