//! Programs that others wrote, as `scripts/test` names them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The program that a variable names, or the folder of programs.
pub(crate) fn witness(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable} is not set: run scripts/test, which gets the witness first"));
    PathBuf::from(path)
}

/// A file of this repository.
pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What is in a file of this repository.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Runs a program that has to say yes, in the repository's folder, and tells what it says.
pub(crate) fn agrees(command: &mut Command) -> String {
    let said = command.current_dir(file("")).output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let [out, err] = [said.stdout, said.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(said.status.success(), "{command:?}: {}\n{out}{err}", said.status);
    out
}

/// What YAML says.
pub(crate) fn yaml(text: &str) -> Value {
    const READ: &str = "import json, sys; from ruamel.yaml import YAML; \
        json.dump(YAML(typ='safe').load(sys.stdin.buffer.read().decode()), sys.stdout)";
    let mut python = Command::new(witness("LOCKSTEP_TEST_LINTERS").join("python"))
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It reads all before it writes.
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = python.wait_with_output().unwrap();
    assert!(said.status.success(), "no YAML:\n{text}");
    serde_json::from_slice(&said.stdout).unwrap()
}

/// The texts of a list.
pub(crate) fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map(|list| list.iter().map(|one| one.as_str().unwrap()).collect()).unwrap_or_default()
}
