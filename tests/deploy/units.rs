//! The units, by systemd where it is there, and by what the program needs of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::Place;
use crate::witness::{agrees, text};

const ALONE: &str = "lockstep.service";
const OF_MANY: &str = "lockstep@.service";

/// What a unit says, in order, without comments.
fn lines(unit: &str) -> Vec<String> {
    let text = text(&format!("deploy/{unit}"));
    text.lines().filter(|line| line.contains('=') && !line.starts_with('#')).map(str::to_owned).collect()
}

fn value(unit: &str, key: &str) -> String {
    let found: Vec<String> = lines(unit)
        .iter()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .map(str::to_owned)
        .collect();
    assert_eq!(found.len(), 1, "{key} of {unit}: {found:?}");
    found[0].clone()
}

/// A copy that names the program as it was built: systemd looks whether it is there.
fn as_built(unit: &str, folder: &Path) -> PathBuf {
    let text = text(&format!("deploy/{unit}"));
    let installed = "ExecStart=/usr/local/bin/lockstep ";
    assert_eq!(text.matches(installed).count(), 1, "{unit}");
    let built = text.replace(installed, concat!("ExecStart=", env!("CARGO_BIN_EXE_lockstep"), " "));
    let path = folder.join(unit);
    fs::write(&path, built).unwrap();
    path
}

#[test]
fn systemd_takes_the_units_and_finds_little_exposed() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("there is no systemd-analyze here: the units are not verified");
        return;
    }
    let place = Place::made("units");
    // Only an instance of a template can be judged.
    for (unit, instance) in [(ALONE, ALONE), (OF_MANY, "lockstep@gateway-1.service")] {
        let path = as_built(unit, &place.0);
        let verified = Command::new("systemd-analyze").arg("verify").arg(&path).output().unwrap();
        let said = String::from_utf8(verified.stderr).unwrap();
        let ours: Vec<&str> = said.lines().filter(|line| line.contains("lockstep")).collect();
        assert!(verified.status.success() && ours.is_empty(), "{unit}: {said}");
        let judged = place.0.join(instance);
        if judged != path {
            fs::copy(&path, &judged).unwrap();
        }
        // 100 would be a service that may do everything.
        let exposed = ["security", "--offline=true", "--threshold=20", "--no-pager"];
        agrees(Command::new("systemd-analyze").args(exposed).arg(judged));
    }
}

#[test]
fn a_service_is_stopped_cleanly_and_is_not_started_again_where_that_is_of_no_use() {
    for unit in [ALONE, OF_MANY] {
        assert_eq!(value(unit, "KillSignal"), "SIGTERM");
        assert_eq!(value(unit, "Restart"), "on-failure");
        assert_eq!(value(unit, "RestartPreventExitStatus"), "2 3");
        // A clean stop takes up to 10 s.
        let seconds: u32 = value(unit, "TimeoutStopSec").parse().unwrap();
        assert!(seconds > 10, "{unit} is killed in the middle of a clean stop");
        let files: u32 = value(unit, "LimitNOFILE").parse().unwrap();
        assert!(files > 2 * 20_000, "{unit}: a gateway has 20,000 browsers");
        assert_eq!(value(unit, "User"), "lockstep");
    }
}

#[test]
fn the_unit_of_many_differs_where_it_must() {
    const DIFFER: [&str; 6] = [
        "Description",
        "ExecStart",
        "LoadCredential",
        "EnvironmentFile",
        "StateDirectory",
        "WorkingDirectory",
    ];
    let same = |unit| -> Vec<String> {
        let differs = |line: &str| DIFFER.contains(&line.split('=').next().unwrap());
        lines(unit).into_iter().filter(|line| !differs(line)).collect()
    };
    assert_eq!(same(ALONE), same(OF_MANY));
}

/// What stands in for `systemd-run`: it prints what it is asked for, and the configuration that the command would read, and runs nothing.
const IN_PLACE_OF_SYSTEMD: &str = r#"#!/bin/sh
printf '%s\n' "$@"
for last; do :; done
cat "$last"
"#;

#[test]
fn a_command_has_the_secrets_of_the_service() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new("lockstep-run");
    let (programs, etc) = (place.0.join("bin"), place.0.join("etc"));
    fs::create_dir_all(&programs).unwrap();
    fs::create_dir_all(etc.join("credentials")).unwrap();
    fs::write(programs.join("systemd-run"), IN_PLACE_OF_SYSTEMD).unwrap();
    fs::set_permissions(programs.join("systemd-run"), fs::Permissions::from_mode(0o755)).unwrap();
    let secret = |unit: &str| {
        format!(r#"secret = {{ secret_file = "/run/credentials/{unit}.service/cxone-client-secret" }}"#)
    };
    fs::write(etc.join("lockstep.toml"), secret("lockstep") + "\n").unwrap();
    for name in ["cxone-client-secret", "salesforce-private-key"] {
        fs::write(etc.join("credentials").join(name), "canary").unwrap();
    }
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(crate::witness::file("deploy/lockstep-run"));
    let words = ["rules", "apply", "rules.toml", "--reason", "to begin with"];
    let said = agrees(command.args(words).env("PATH", path).env("LOCKSTEP_ETC", &etc));
    let lines: Vec<&str> = said.lines().collect();
    let unit = lines.iter().find_map(|line| line.strip_prefix("--unit=")).unwrap();
    assert_ne!(unit, "lockstep", "the service may run meanwhile");
    for name in ["cxone-client-secret", "salesforce-private-key"] {
        let handed = format!("--property=LoadCredential={name}:{}/credentials/{name}", etc.display());
        assert!(lines.contains(&&*handed), "{handed} in {said}");
    }
    assert!(lines.contains(&"--uid=lockstep"), "{said}");
    assert!(lines.contains(&&*secret(unit)), "the secret is this unit's: {said}");
    let begun = lines.iter().position(|line| *line == "/usr/local/bin/lockstep").unwrap();
    assert_eq!(lines[begun + 1..=begun + 5], words);
    assert!(!said.contains("canary"), "{said}");
    let left: Vec<_> = fs::read_dir(&etc).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left: {left:?}");
}
