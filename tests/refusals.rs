//! What commands refuse because of what is there already: other processes, other deployments, rules and people. What
//! needs nothing to be there is in `tests/cmd/errors`.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "a test fails loudly")]

#[path = "ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;
#[path = "ground/process.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod process;
#[path = "ground/program.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod program;
#[path = "ground/waiting.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod waiting;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use place::Place;
use process::Process;
use program::{Said, lockstep};

/// A data directory in which somebody has begun, gone with the test.
struct Ground {
    place: Place,
    data: PathBuf,
}

impl Ground {
    fn new(test: &str) -> Ground {
        let place = Place::made(&format!("refusals-{test}"));
        let ground = Ground { data: place.0.join("data"), place };
        let said = ground.says(&["directory", "import", "examples/directory.toml", "--reason", "test"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        ground
    }

    /// What a command says that is about the directory.
    fn says(&self, words: &[&str]) -> Said {
        Said::by(lockstep(words).arg("--data").arg(&self.data))
    }

    /// The command fails so, and says this.
    fn refuses(&self, words: &[&str], code: i32, parts: &[&str]) {
        let said = self.says(words);
        assert_eq!(said.code, Some(code), "{words:?}: {said:?}");
        for part in parts {
            assert!(said.text().contains(part), "{words:?}, {part:?}: {said:?}");
        }
    }
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn who_and_what_there_is_not() {
    let ground = Ground::new("absent");
    // (the command, parts of what it says)
    let cases: &[(&[&str], &[&str])] = &[
        (&["directory", "show", "nobody@example.com"], &["nobody has \"nobody@example.com\""]),
        (
            &["directory", "link", "nobody@example.com", "emea/1", "--reason", "test"],
            &["there is no user of Salesforce", "`lockstep directory show` finds people"],
        ),
        (
            &["directory", "unlink", "nobody@example.com", "--reason", "test"],
            &["there is no person", "`lockstep directory show` finds people"],
        ),
        (
            &["directory", "forget", "nobody@example.com", "--reason", "test"],
            &["there is no person", "`lockstep directory show` finds people"],
        ),
        (&["directory", "refresh", "--reason", "test"], &["has no [salesforce.NAME] and no [cxone.NAME]"]),
        (
            &["directory", "import", "examples/rules.toml", "--reason", "test"],
            &["examples/rules.toml:4:3: error: unknown key \"rule\"", "not imported: 1 error"],
        ),
        (&["rules", "show"], &["no revision is in force yet: lockstep rules activate"]),
        (&["rules", "show", "3f2a"], &["there is no revision 3f2a: `lockstep rules list` shows"]),
        (
            &["rules", "activate", "3f2a", "--reason", "test"],
            &["there is no revision 3f2a: `lockstep rules list` shows"],
        ),
        (&["rules", "diff", "3f2a", "91c0"], &["there is no revision 3f2a: `lockstep rules list` shows"]),
        (&["rules", "rollback", "--reason", "test"], &["nothing to go back to"]),
    ];
    for (words, parts) in cases {
        ground.refuses(words, 1, parts);
    }
}

#[test]
fn rules_that_are_wrong_are_not_saved() {
    let ground = Ground::new("rules");
    ground.refuses(
        &["rules", "apply", "examples/mistakes/chase.toml", "--reason", "test"],
        1,
        &["these rows chase each other", "    mend: ", "examples/mistakes/chase.toml: not saved: 1 error"],
    );
    for (option, what) in [("--reason", "--reason is empty"), ("--actor", "--actor is empty")] {
        let mut words = vec!["rules", "apply", "examples/rules.toml", option, " "];
        if option != "--reason" {
            words.extend(["--reason", "test"]);
        }
        ground.refuses(&words, 1, &[what]);
    }
    let said = ground.says(&["rules", "list"]);
    assert!(said.code == Some(0) && said.text().contains("no rules were saved yet"), "{said:?}");
}

#[test]
fn a_directory_of_another_deployment() {
    let ground = Ground::new("deployment");
    let other =
        ground.place.file("other.toml", "[bus]\nprefix = \"other\"\n[ops]\nlisten = \"127.0.0.1:0\"\n");
    let commands: &[&[&str]] = &[
        &["run"],
        &["topics", "check"],
        &["topics", "create"],
        &["topics", "describe"],
        &["rules", "list"],
        &["rules", "show"],
        &["rules", "apply", "examples/rules.toml", "--reason", "test"],
        &["directory", "show"],
        &["directory", "unlinked"],
        &["directory", "import", "examples/directory.toml", "--reason", "test"],
    ];
    for command in commands {
        let words = [*command, &["--config", shown(&other)]].concat();
        ground.refuses(&words, 1, &["has presence, and nothing of `other`: write `prefix` in [bus]"]);
    }
}

#[test]
fn a_directory_that_is_none_of_lockstep() {
    let ground = Ground::new("foreign");
    ground.place.file("letter.txt", "Dear Ada");
    // Who only reads wants one that is there; who makes one wants a place for it.
    let reads = ["is no directory that Lockstep has made", "name the one that `lockstep run --data` has"];
    let makes = ["it is no data directory of Lockstep's, and holds ", "name one that is absent or empty"];
    for (words, wanted) in [
        (&["rules", "list"][..], reads),
        (&["directory", "show"], reads),
        (&["topics", "create"], makes),
        (&["run"], makes),
    ] {
        let quiet = ground.place.file("quiet.toml", "[ops]\nlisten = \"127.0.0.1:0\"\n");
        let said = Said::by(lockstep(words).arg("--config").arg(quiet).arg("--data").arg(&ground.place.0));
        assert_eq!(said.code, Some(1), "{words:?}: {said:?}");
        assert!(wanted.iter().all(|wanted| said.text().contains(wanted)), "{words:?}: {said:?}");
    }
}

#[test]
fn a_copy_onto_what_is_there() {
    let ground = Ground::new("copy");
    let other = Ground::new("copy-target");
    let copy =
        |from: &Path, to: &Path| Said::by(&mut lockstep(["copy", "--from", shown(from), "--to", shown(to)]));
    for (to, what) in [
        (ground.data.clone(), "--from and --to are both "),
        (ground.place.0.join("data/../data"), "--from and --to are both "),
        (other.data.clone(), "there is something in it already: name a directory that is absent or empty"),
    ] {
        let said = copy(&ground.data, &to);
        assert!(said.code == Some(1) && said.text().contains(what), "{said:?}");
    }
}

#[test]
fn a_port_that_is_taken() {
    let ground = Ground::new("port");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let config = ground.place.file("taken.toml", format!("[ops]\nlisten = \"{taken}\"\n"));
    let what = format!("{taken} cannot be listened on: another process may; name another with --ops-port");
    ground.refuses(&["run", "--config", shown(&config)], 1, &[&what]);
    let port = taken.split(':').next_back().unwrap();
    let other = ground.place.file("other.toml", "[ops]\nlisten = \"127.0.0.1:1\"\n");
    ground.refuses(&["run", "--config", shown(&other), "--ops-port", port], 1, &[&what]);
    let what = "--bridge-port: the configuration has no [bridge]";
    ground.refuses(&["run", "--config", shown(&other), "--bridge-port", port], 1, &[what]);
    for (platform, option, other) in [
        ("cxone", "--listen", "--control"),
        ("cxone", "--control", "--listen"),
        ("salesforce", "--listen", "--control"),
        ("salesforce", "--control", "--listen"),
    ] {
        let said = Said::by(&mut lockstep(["simulate", platform, option, &taken, other, "127.0.0.1:0"]));
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(
            said.text().contains(&taken) && said.text().contains("name others with --listen"),
            "{said:?}"
        );
    }
}

/// Who has the identity already is named, and the exit code is one of its own.
#[test]
fn a_directory_that_somebody_runs() {
    let ground = Ground::new("owned");
    let config = ground.place.file("quiet.toml", "[ops]\nlisten = \"127.0.0.1:0\"\n");
    let words = ["run", "--roles", "processor", "--config", shown(&config), "--data", shown(&ground.data)];
    let running = Process::start(&mut lockstep(words), "running", &ground.place.0);
    running.says("the bus is there", 1);
    let owner = format!("is owned by process {}, `lockstep run`: end that one first", running.id());
    ground.refuses(&["run", "--config", shown(&config)], 3, &[&owner]);
    let to = ground.place.0.join("copied");
    let said = Said::by(&mut lockstep(["copy", "--from", shown(&ground.data), "--to", shown(&to)]));
    assert!(said.code == Some(3) && said.text().contains(&owner), "{said:?}");
    // Who only looks something up is let in by the owner.
    let said = ground.says(&["rules", "list"]);
    assert_eq!(said.code, Some(0), "{said:?}");
}

/// A name with a mistake in it is no new deployment: only what begins one makes a directory.
#[test]
fn who_only_reads_makes_no_directory() {
    let ground = Ground::new("absent");
    let absent = ground.place.0.join("absent");
    let why = ["--reason", "test"];
    let user = ["directory", "link", "main/0055g00000abcde", "emea/293558"];
    for words in [
        &["rules", "list"][..],
        &["rules", "show"],
        &["rules", "diff", "1", "2"],
        &[&["rules", "activate", "1"][..], &why].concat(),
        &[&["rules", "rollback"][..], &why].concat(),
        &["topics", "check"],
        &["topics", "describe"],
        &["directory", "show"],
        &["directory", "unlinked"],
        &[&user[..], &why].concat(),
        &[&["directory", "unlink", "ada@example.com"][..], &why].concat(),
        &[&["directory", "forget", "ada@example.com"][..], &why].concat(),
    ] {
        let said = Said::by(lockstep(words).arg("--data").arg(&absent));
        assert_eq!(said.code, Some(1), "{words:?}: {said:?}");
        let expected = format!("{} is no directory that Lockstep has made", shown(&absent));
        assert!(said.text().contains(&expected), "{words:?}: {said:?}");
        assert!(!absent.exists(), "{words:?} has made it");
    }
    // An empty one is none either.
    fs::create_dir(&absent).unwrap();
    let to = ground.place.0.join("copy");
    let words = ["copy", "--from", shown(&absent), "--to", shown(&to)];
    let said = Said::by(&mut lockstep(words));
    assert!(
        said.code == Some(1) && said.text().contains("is no directory that Lockstep has made"),
        "{said:?}"
    );
    assert_eq!(fs::read_dir(&absent).unwrap().count(), 0);
    let made = Said::by(lockstep(["topics", "create", "--data"]).arg(&absent));
    assert_eq!(made.code, Some(0), "who begins one makes it: {made:?}");
}
