//! The image, by a linter, and what is copied into it.

use std::process::Command;

use crate::witness::{agrees, file, text, witness};

#[test]
fn hadolint_finds_nothing() {
    agrees(Command::new(witness("LOCKSTEP_TEST_LINTERS").join("hadolint")).arg("deploy/Dockerfile"));
}

#[test]
fn what_is_copied_is_there_and_is_let_in() {
    let ignored = text(".dockerignore");
    let mut let_in: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignored.lines().any(|line| line == "*"), "keys and data stay outside");
    let dockerfile = text("deploy/Dockerfile");
    let copies = dockerfile.lines().filter_map(|line| line.strip_prefix("COPY "));
    let mut copied = Vec::new();
    for copy in copies.filter(|copy| !copy.starts_with("--from=")) {
        let mut paths: Vec<&str> = copy.split(' ').collect();
        // The last one is where to.
        paths.pop();
        copied.extend(paths);
    }
    copied.sort_unstable();
    let_in.sort_unstable();
    assert_eq!(copied, let_in, "what is let in is what is copied");
    for path in copied {
        assert!(file(path).exists(), "{path}");
    }
}

#[test]
fn it_runs_as_nobody_of_the_host_and_hears_sigterm() {
    let dockerfile = text("deploy/Dockerfile");
    let last = |word: &str| dockerfile.lines().filter_map(|line| line.strip_prefix(word)).next_back();
    let user: u32 = last("USER ").and_then(|user| user.split(':').next()?.parse().ok()).unwrap();
    assert!(user >= 10_000, "a user of the host may have {user}");
    // As lists: a shell between would keep the signal to itself.
    assert_eq!(last("ENTRYPOINT "), Some(r#"["/usr/local/bin/lockstep"]"#));
    assert!(last("CMD ").unwrap().starts_with('['));
    // The Rust that builds it is the one that Cargo.toml asks for.
    let cargo = text("Cargo.toml");
    let needed =
        cargo.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(dockerfile.contains(&format!("FROM rust:{needed}-")), "{needed}");
}
