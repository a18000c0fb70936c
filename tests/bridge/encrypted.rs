//! TLS, with a certificate that a browser trusts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio_tungstenite::tungstenite::Error as SocketError;

use crate::apex::token;
use crate::browser::{Address, BOTH, Browser, CLIENT, ORIGIN, RUNTIME, from_origin, hello, page};
use crate::ground::On;
use crate::openssl::certificate;
use crate::site::{AVAILABLE, LUNCH, Site};

/// A certificate with its key, and another one.
fn certificates(site: &Site) -> ((PathBuf, PathBuf), (PathBuf, PathBuf)) {
    (certificate(&site.place.0, "bridge"), certificate(&site.place.0, "other"))
}

/// The lines of a configuration that name them.
fn names(certificate: &Path, key: &Path) -> String {
    format!("tls_certificate_file = {certificate:?}\ntls_key_file = {key:?}")
}

#[test]
fn what_is_said_is_encrypted() {
    let site = Site::new(On::Directory, "tls", 2);
    let ((trusted, key), (other, _)) = certificates(&site);
    let further = names(&trusted, &key);
    let gateway = site.gateway_with("g", "bridge", &further);
    let plain = gateway.address.clone();
    let address = Address { trusts: Some(trusted), ..plain.clone() };
    for (way, person) in BOTH.into_iter().zip(&site.people) {
        let browser = Browser::open(way, &address, &person.user, &page(), 0);
        assert!(browser.welcome().holds, "{way:?}");
        browser.does(&site.command(person, 1, Some(LUNCH)));
        browser.say(&json!({"type": "status", "status": AVAILABLE}));
        site.comes_to_say_so_much(person, 3);
    }
    // Who trusts somebody else says nothing; who does not encrypt is not heard.
    let wary = Address { trusts: Some(other), ..plain.clone() };
    for (address, is_by_certificate) in [(&wary, true), (&plain, false)] {
        let error = RUNTIME.block_on(address.socket(Some(ORIGIN))).err().unwrap();
        if is_by_certificate {
            let SocketError::Io(why) = &error else { panic!("{error}") };
            assert_eq!(why.kind(), io::ErrorKind::InvalidData, "{why}");
        }
        let client = if is_by_certificate { address.client() } else { CLIENT.clone() };
        let hello = hello(&token(&site.people[0].user), &page(), 0).to_string();
        let call = client.post(address.url("/bridge/v1/stream")).body(hello);
        assert!(RUNTIME.block_on(from_origin(call, Some(ORIGIN)).send()).is_err(), "{address:?}");
    }
    gateway.end();
}

/// `lockstep check` finds the gateway and looks at what it shows, and the gateway takes note of nobody.
#[test]
fn a_check_finds_the_gateway_and_its_certificate() {
    let site = Site::new(On::Directory, "check", 1);
    let ((shown, key), (other, other_key)) = certificates(&site);
    let further = names(&shown, &key);
    let gateway = site.gateway_with("g", "bridge", &further);
    let config = gateway.config.clone();
    // A row, how it is, and what it says.
    let is = |id: &str, result: &str, says: &str| {
        let (found, what) = site.checked(&config, id);
        assert!(found == result && what.contains(says), "{id}: {found}: {what}");
    };
    is("gateway", "ok", "by https");
    is("gateway-certificate", "ok", "fit");
    is("certificate", "warning", "holds until");
    is("token-keys", "ok", "1 can be read");
    is("log-in", "failed", "not reached");
    assert_eq!(gateway.refused("origin"), 0);
    fs::copy(&other, &shown).unwrap();
    is("gateway-certificate", "failed", "with the key of");
    fs::copy(&other_key, &key).unwrap();
    is("gateway-certificate", "ok", "fit");
    is("gateway", "warning", "another certificate");
    gateway.end();
    is("gateway", "warning", "no gateway runs there");
}
