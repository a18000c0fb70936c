//! The simulated tenant, by a client that was written from the contract alone, in another language.

use std::io::{BufRead, BufReader};
use std::path::Path;
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

#[test]
fn a_client_of_others_finds_what_the_contract_says() {
    let command = ["simulate", "cxone", "--idle", "--agents", "60", "--json"];
    let any = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .args(command)
        .args(any)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _simulator = Simulator(child);
    let mut told = String::new();
    while !told.ends_with("}\n") {
        told += &(lines.next().expect("it says where it is").unwrap() + "\n");
    }
    let told: Value = serde_json::from_str(&told).unwrap();
    let options = ["issuer", "control", "client_id", "client_secret", "access_key_id", "access_key_secret"];
    let options = options.iter().flat_map(|name| {
        let option = format!("--{}", name.replace('_', "-"));
        [option, told[name].as_str().unwrap().to_owned()]
    });
    let python = std::env::var_os("LOCKSTEP_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/connectors/cxone_client.py");
    let found = Command::new(python).arg(client).args(options).output().unwrap();
    let said = String::from_utf8_lossy(&found.stdout);
    print!("{said}{}", String::from_utf8_lossy(&found.stderr));
    assert!(found.status.success(), "{said}");
    let checks = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(checks >= 82, "only {checks} checks");
}
