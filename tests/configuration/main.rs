//! A whole configuration with each key wrong in turn, as the program itself reads it: it ends with exit code 1 within a
//! second, names the file, the line and the key, says what to write instead, and shows nothing that is secret.
//!
//! A key that the schema gets has to be in `good.toml`; what follows from its kind is then tried by itself, and what is
//! wrong for it alone belongs into `rows.rs`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod ground;
mod kinds;
#[path = "../ground/place.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod place;
#[path = "../ground/program.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod program;
mod rows;
mod schema;

use std::collections::BTreeSet;

use ground::{CANARY, FILE, GOOD, Ground, with_line};
use kinds::{wrong, wrong_within};
use program::Said;
use schema::{Keys, Kind, Line, Path, line_of, lines};

const SHOW: &[&str] = &["config", "show"];

/// It is told at this line, in these words, with this to be written instead.
fn is_told(said: &Said, line: usize, parts: &[&str], mend: &str) {
    let hit = said.mistakes().into_iter().any(|told| {
        told.line == line && parts.iter().all(|part| told.what.contains(part)) && told.mend.contains(mend)
    });
    assert!(hit, "line {line}, {parts:?}, {mend:?}: {said:#?}");
}

/// The first line of each key, with what it may be.
fn first_lines(keys: &Keys) -> Vec<(Line, Kind)> {
    let lines = lines();
    let first = |(path, kind): (&Path, &Kind)| {
        let found = lines.iter().find(|line| keys.general(&line.written) == *path);
        let line =
            found.unwrap_or_else(|| panic!("{path:?} is not in good.toml: write it, and a row in rows.rs"));
        (line.clone(), kind.clone())
    };
    keys.leaves.iter().map(first).collect()
}

/// The key as a line has it: what is chosen may have dots, and is in quotes then.
fn as_written(line: &Line) -> String {
    if line.key().contains('.') { format!("\"{}\"", line.key()) } else { line.key().to_owned() }
}

#[test]
fn what_is_good_is_taken() {
    let ground = Ground::new("good");
    let said = ground.says(SHOW, GOOD);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:#?}");
    assert!(!said.out.contains(CANARY), "{said:#?}");
    // Each key is there to be seen, so that none is taken and forgotten.
    for line in lines() {
        let key = line.key();
        let is_shown = said.out.contains(&format!("{key} = ")) || said.out.contains(&format!("{key}\" = "));
        let is_section = said.out.contains(&format!(".{key}]")) || said.out.contains(&format!("\"{key}\"]"));
        assert!(is_shown || is_section, "{key} is not shown: {}", said.out);
    }
}

#[test]
fn what_follows_from_the_kind_of_each_key() {
    let ground = Ground::new("kinds");
    let keys = Keys::new();
    let mut tried = 0;
    for (line, kind) in first_lines(&keys) {
        let written = as_written(&line);
        let rows = wrong(&kind).into_iter().map(|row| (row, Some(line.key())));
        let rows = rows.chain(wrong_within(&kind).into_iter().map(|row| (row, None)));
        for (row, key) in rows {
            let said = ground.refuses(SHOW, &with_line(line.line, &format!("{written} = {}", row.value)));
            let parts: Vec<&str> = key.into_iter().chain([row.what.as_str()]).collect();
            is_told(&said, line.line, &parts, &row.mend);
            tried += 1;
        }
    }
    assert!(tried > 500, "only {tried} values were tried");
}

#[test]
fn what_is_wrong_for_one_key_alone() {
    let ground = Ground::new("rows");
    let lines = lines();
    for (key, instead, place, what, mend) in rows::all() {
        let line = line_of(&lines, key);
        let said = ground.refuses(SHOW, &with_line(line.line, instead));
        let told_at = if *place == "[]" { line.section } else { line_of(&lines, place).line };
        is_told(&said, told_at, &[what], mend);
    }
}

#[test]
fn every_text_and_list_has_a_row_of_its_own() {
    let keys = Keys::new();
    let lines = lines();
    let with_rows: BTreeSet<Path> =
        rows::all().map(|(key, ..)| keys.general(&line_of(&lines, key).written)).collect();
    for (path, kind) in &keys.leaves {
        let is_own = matches!(kind, Kind::Text | Kind::List | Kind::Property);
        assert!(!is_own || with_rows.contains(path), "{path:?} has no row in rows.rs");
    }
}

#[test]
fn what_a_table_cannot_be_without() {
    let ground = Ground::new("required");
    let keys = Keys::new();
    let lines = lines();
    assert!(keys.required.len() > 10, "{:?}", keys.required);
    for path in &keys.required {
        let line = lines.iter().find(|line| keys.general(&line.written) == *path).unwrap();
        let said = ground.refuses(SHOW, &with_line(line.line, ""));
        is_told(&said, line.section, &[&format!("`{}` is missing", line.key())], "write ");
    }
}

#[test]
fn a_key_by_a_name_that_is_nearly_right() {
    let ground = Ground::new("names");
    let keys = Keys::new();
    for line in lines() {
        if keys.general(&line.written).last().unwrap() == "*" {
            continue;
        }
        let key = line.key();
        let cut = key[..key.len() - 1].to_owned();
        let swapped = format!("{}{}{}", &key[1..2], &key[..1], &key[2..]);
        for near in [cut, swapped, format!("{key}s"), key.to_uppercase(), key.replace('_', "-")] {
            if near == key || near.len() < 3 || is_another_key(&keys, &line, &near) {
                continue;
            }
            let said = ground.refuses(SHOW, &with_line(line.line, &format!("{near} = \"{CANARY}\"")));
            let what = format!("unknown key \"{near}\"");
            is_told(&said, line.line, &[&what], &format!("write `{key}`"));
        }
    }
}

/// Whether a name that is nearly that of one key is that of another one beside it.
fn is_another_key(keys: &Keys, line: &Line, near: &str) -> bool {
    let mut written = line.written.clone();
    *written.last_mut().unwrap() = near.to_owned();
    keys.leaves.contains_key(&keys.general(&written))
}

#[test]
fn a_key_that_is_nothing_like_any() {
    let ground = Ground::new("unknown");
    let sections: BTreeSet<usize> = lines().into_iter().map(|line| line.section).collect();
    for section in sections {
        let name = GOOD.lines().nth(section - 1).unwrap();
        if name == "[bus.librdkafka]" || name.ends_with(".keys]") {
            continue;
        }
        let said = ground.refuses(SHOW, &with_line(section, &format!("{name}\nzzz = \"{CANARY}\"")));
        is_told(&said, section + 1, &["unknown key \"zzz\""], "known here: ");
    }
}

#[test]
fn a_key_that_is_given_twice() {
    let ground = Ground::new("twice");
    for line in lines() {
        let good = GOOD.lines().nth(line.line - 1).unwrap();
        let said = ground.refuses(SHOW, &with_line(line.line, &format!("{good}\n{good}")));
        let what = format!("\"{}\" is given twice", line.key());
        is_told(&said, line.line + 1, &[&what], "keep one of the two");
    }
}

#[test]
fn a_section_by_a_wrong_name() {
    let ground = Ground::new("sections");
    // (the name, what is written instead, a part of what is told, a part of what to write)
    let cases = [
        ("[bus]", "[buss]", "unknown key \"buss\"", "write `bus`"),
        ("[bus.librdkafka]", "[bus.librdkaka]", "unknown key \"librdkaka\"", "write `librdkafka`"),
        ("[salesforce.emea]", "[salesforc.emea]", "unknown key \"salesforc\"", "write `salesforce`"),
        ("[salesforce.emea]", "[Salesforce.emea]", "unknown key \"Salesforce\"", "write `salesforce`"),
        (
            "[salesforce.apac]",
            "[salesforce.APAC]",
            "\"APAC\": an account name has 1 to 31",
            "such as \"main\"",
        ),
        ("[salesforce.apac]", "[salesforce.2nd]", "\"2nd\": an account name has 1 to 31", "such as \"main\""),
        ("[salesforce.emea.calls]", "[salesforce.emea.call]", "unknown key \"call\"", "write `calls`"),
        ("[salesforce.emea.bridge]", "[salesforce.emea.brigde]", "unknown key \"brigde\"", "write `bridge`"),
        ("[bridge]", "[birdge]", "unknown key \"birdge\"", "write `bridge`"),
        ("[cxone.apac]", "[cxon.apac]", "unknown key \"cxon\"", "write `cxone`"),
        ("[cxone.apac]", "[cxone.\"a pac\"]", "\"a pac\": an account name has 1 to 31", "such as \"main\""),
        ("[cxone.emea.calls]", "[cxone.emea.cals]", "unknown key \"cals\"", "write `calls`"),
        ("[privacy]", "[[privacy]]", "`privacy`: expected a table, found a list", "single brackets"),
        ("[processor]", "[procesor]", "unknown key \"procesor\"", "write `processor`"),
        ("[data]", "[date]", "unknown key \"date\"", "write `data`"),
        ("[directory]", "[directories]", "unknown key \"directories\"", "write `directory`"),
        ("[ops]", "[op]", "unknown key \"op\"", "write `ops`"),
    ];
    for (name, instead, what, mend) in cases {
        let line = 1 + GOOD.lines().position(|line| line == name).unwrap();
        let said = ground.refuses(SHOW, &with_line(line, instead));
        is_told(&said, line, &[what], mend);
    }
}

#[test]
fn what_is_no_toml() {
    let ground = Ground::new("syntax");
    let password = "salesforce.emea.password";
    // What somebody writes who takes the file for another kind of file, or pastes a secret and forgets a quote.
    for instead in [
        format!("password = {CANARY}"),
        format!("password = \"{CANARY}"),
        format!("password = '{CANARY}\""),
        format!("password \"{CANARY}\""),
        format!("password: \"{CANARY}\""),
        format!("password = {{ secret_env = {CANARY} }}"),
        format!("\"{CANARY}\""),
    ] {
        let line = line_of(&lines(), password).line;
        let said = ground.refuses(SHOW, &with_line(line, &instead));
        is_told(&said, line, &["not TOML"], "");
    }
}

/// A file with a secret that others can read is taken, and told of.
#[test]
fn a_secret_file_that_others_can_read_is_a_warning() {
    let ground = Ground::new("modes");
    let lines = lines();
    ground.file("open.secret", 0o644, CANARY.as_bytes());
    ground.file("open.key", 0o640, CANARY.as_bytes());
    ground.file("open.private.key", 0o604, format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n").as_bytes());
    for (key, instead) in [
        ("bus.sasl_password", "sasl_password = { secret_file = \"files/open.secret\" }"),
        ("bus.tls_key_file", "tls_key_file = \"files/open.key\""),
        ("salesforce.apac.private_key", "private_key = { secret_file = \"files/open.private.key\" }"),
        ("salesforce.trial.refresh_token_file", "refresh_token_file = \"files/open.secret\""),
    ] {
        let line = line_of(&lines, key).line;
        let said = ground.says(SHOW, &with_line(line, instead));
        let open = instead.split('"').nth(1).unwrap();
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert!(said.err.starts_with(&format!("{FILE}:{line}:")), "{said:#?}");
        assert!(said.err.contains("warning: other users of this machine can read "), "{said:#?}");
        assert!(said.err.contains("    mend: chmod 600 ") && said.err.contains(open), "{said:#?}");
        assert!(!said.err.contains(CANARY) && !said.out.contains(CANARY), "{said:#?}");
    }
}

/// Every command that reads a configuration says the same of one that is wrong, and does nothing.
#[test]
fn every_command_says_the_same() {
    let ground = Ground::new("commands");
    let lines = lines();
    let wrong = [
        ("bus.partitions", "partitions = \"eight\"", "`partitions`: expected a whole number", "in digits"),
        (
            "salesforce.emea.password",
            "password = \"canary-5f1e-hunter2\"",
            "`password`: expected",
            "secret_file",
        ),
        ("cxone.emea.user_name", "", "`user_name` is missing", "whose access key"),
    ];
    let commands: &[&[&str]] = &[
        &["run"],
        &["run", "--roles", "processor"],
        &["topics", "create"],
        &["topics", "check"],
        &["topics", "describe", "--offline"],
        &["directory", "refresh", "--reason", "test"],
        &["directory", "show"],
        &["directory", "unlinked"],
        &["directory", "forget", "ada@example.com", "--reason", "test"],
        &["rules", "list"],
        &["rules", "rollback", "--reason", "test"],
        &["login", "salesforce", "emea"],
    ];
    for (key, instead, what, mend) in wrong {
        let line = line_of(&lines, key);
        let told_at = if instead.is_empty() { line.section } else { line.line };
        for command in commands {
            let said = ground.refuses(command, &with_line(line.line, instead));
            is_told(&said, told_at, &[what], mend);
        }
    }
}
