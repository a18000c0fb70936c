//! The simulated platforms, by clients in other languages: one that was written from CXone's contract alone, and clients of
//! Salesforce that others wrote.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::openssl::certificate;
use crate::place::Place;
use crate::simulator::simulator;

/// What `scripts/test` says where a witness is.
fn witness(name: &str) -> OsString {
    std::env::var_os(name)
        .unwrap_or_else(|| panic!("{name} is not set: run scripts/test, which gets the witness first"))
}

fn client(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/connectors").join(name)
}

/// Every check of a client holds, and there are so many at least.
fn holds(client: &mut Command, checks_min: usize) {
    let found = client.output().unwrap();
    let said = String::from_utf8_lossy(&found.stdout);
    print!("{said}{}", String::from_utf8_lossy(&found.stderr));
    assert!(found.status.success(), "{said}");
    let checks = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(checks >= checks_min, "only {checks} checks");
}

#[test]
fn a_client_of_others_finds_what_the_contract_says() {
    let place = Place::new("client-of-cxone");
    let (_simulator, told) = simulator(&place.0, &["simulate", "cxone", "--agents", "60", "--idle"]);
    let options = ["issuer", "control", "client_id", "client_secret", "access_key_id", "access_key_secret"];
    let options = options.iter().flat_map(|name| {
        let option = format!("--{}", name.replace('_', "-"));
        [option, told[name].as_str().unwrap().to_owned()]
    });
    let python = std::env::var_os("LOCKSTEP_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    holds(Command::new(python).arg(client("cxone_client.py")).args(options), 82);
}

#[test]
fn jsforce_finds_an_org() {
    let place = Place::new("client-of-salesforce");
    let (_simulator, told) = simulator(&place.0, &["simulate", "salesforce", "--users", "30", "--idle"]);
    let folder = witness("LOCKSTEP_TEST_NODE");
    holds(Command::new("node").arg(client("salesforce_client.mjs")).arg(folder).arg(told.to_string()), 20);
}

/// It speaks TLS only.
#[test]
fn simple_salesforce_finds_an_org() {
    let place = Place::new("client-over-tls");
    let (certificate, key) = certificate(&place.0, "org");
    let tls = ["--tls-certificate", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let words = ["simulate", "salesforce", "--users", "30", "--idle"];
    let (_simulator, told) = simulator(&place.0, &[&words[..], &tls].concat());
    let python = witness("LOCKSTEP_TEST_PYTHON");
    let client = client("salesforce_client.py");
    holds(Command::new(python).arg(client).arg(&certificate).arg(told.to_string()), 17);
}
