//! Sessions at the command line with their output, as people see them: `TRYCMD=overwrite` writes them anew.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails loudly")]

#[path = "ground/program.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod program;

use std::fs;

use program::{Said, lockstep};

#[test]
fn sessions_go_as_written() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.trycmd")
        .case("tests/cmd/help/*.trycmd")
        .case("tests/cmd/errors/*.trycmd")
        .case("examples/mistakes/README.md")
        .case("README.md");
}

/// What each command says of itself is in a session, and so is what it says when something is wrong: none is left out.
#[test]
fn every_command_has_its_sessions() {
    let mut all = Vec::new();
    walk(&[], &mut all);
    assert!(all.len() > 30, "{all:?}");
    for path in &all {
        let asked = ["lockstep"].into_iter().chain(path.iter().map(String::as_str)).chain(["--help"]);
        let asked = format!("$ {}\n", asked.collect::<Vec<_>>().join(" "));
        let name = path.first().map_or("lockstep", String::as_str);
        let file = format!("tests/cmd/help/{name}.trycmd");
        let sessions = fs::read_to_string(&file).unwrap_or_default();
        assert!(sessions.contains(&asked), "{file} has no session that begins with {asked}");
        let file = format!("tests/cmd/errors/{name}.trycmd");
        let sessions = fs::read_to_string(&file).unwrap_or_default();
        let wrong = format!("lockstep {}", path.join(" "));
        assert!(sessions.contains(wrong.trim_end()), "{file} has no session of `{wrong}`");
    }
}

/// Each command that has no commands of its own has an example.
#[test]
fn every_command_has_an_example() {
    let mut all = Vec::new();
    walk(&[], &mut all);
    for path in all {
        let help = help(&path);
        assert!(
            help.contains("\nCommands:\n") || help.contains(&format!("\n  lockstep {}", path.join(" "))),
            "{path:?} has no example:\n{help}"
        );
    }
}

/// All commands below one, itself among them.
fn walk(path: &[String], all: &mut Vec<Vec<String>>) {
    all.push(path.to_vec());
    let help = help(path);
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    for line in listed.lines().take_while(|line| !line.is_empty()) {
        // What a line has no room for goes on in the next one, further in.
        let Some(name) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) else { continue };
        let name = name.split(' ').next().unwrap_or_default().to_owned();
        walk(&[path, &[name]].concat(), all);
    }
}

fn help(path: &[String]) -> String {
    Said::by(lockstep(path).arg("--help")).done()
}
