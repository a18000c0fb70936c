//! The simulated platforms, by clients in other languages: one that was written from CXone's contract alone, and clients of
//! Salesforce that others wrote.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A process that ends with the test.
struct Simulator(Child);

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A simulator where nobody acts by himself, and what it tells of itself.
fn simulator(arguments: &[&str]) -> (Simulator, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .arg("simulate")
        .args(arguments)
        .args(["--idle", "--json", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let simulator = Simulator(child);
    let mut told = String::new();
    while !told.ends_with("}\n") {
        told += &(lines.next().expect("it says where it is").unwrap() + "\n");
    }
    (simulator, serde_json::from_str(&told).unwrap())
}

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
    let (_simulator, told) = simulator(&["cxone", "--agents", "60"]);
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
    let (_simulator, told) = simulator(&["salesforce", "--users", "30"]);
    let folder = witness("LOCKSTEP_TEST_NODE");
    holds(Command::new("node").arg(client("salesforce_client.mjs")).arg(folder).arg(told.to_string()), 20);
}

/// It speaks TLS only.
#[test]
fn simple_salesforce_finds_an_org() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (certificate, key) = (folder.join("salesforce.crt"), folder.join("salesforce.key"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let tls = ["--tls-certificate", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let (_simulator, told) = simulator(&[&["salesforce", "--users", "30"][..], &tls].concat());
    let python = witness("LOCKSTEP_TEST_PYTHON");
    let client = client("salesforce_client.py");
    holds(Command::new(python).arg(client).arg(&certificate).arg(told.to_string()), 17);
}
