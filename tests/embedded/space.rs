//! A disk that fills.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::{Bus, Error, Kept, TopicName, Writer};
use lockstep::domain::Remedy;

use super::{Place, topic};
use crate::conformance::{Random, outgoing, texts};

/// Runs an ignored test as a process that has mounts of its own, made by a script; nobody else sees them.
pub(super) fn in_a_world_of_its_own(script: &str, test: &str, path: &Path) {
    let child = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            &format!("{script} && exec \"$0\" \"$@\""),
        ])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env("LOCKSTEP_TEST_CHILD", path)
        .output()
        .expect("unshare is of util-linux");
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    println!("{said}");
    assert!(child.status.success() && said.contains("1 passed"), "{test} failed: {}", child.status);
}

/// It stops with a message before the disk is full, and goes on after space is made; nothing is lost or twice.
#[test]
fn a_disk_that_fills_stops_it_and_space_lets_it_go_on() {
    let place = Place::new("d");
    fs::create_dir(&place.0).unwrap();
    let mount = "mount -t tmpfs -o size=160m tmpfs \"$LOCKSTEP_TEST_CHILD\"";
    in_a_world_of_its_own(mount, "embedded::space::child_on_a_small_disk", &place.0);
}

/// Not a test by itself.
#[test]
#[ignore = "another test starts it as a process of its own"]
fn child_on_a_small_disk() {
    let Ok(path) = std::env::var("LOCKSTEP_TEST_CHILD") else { return };
    // With what is left to others, and without: then the disk itself says that it is full, in the middle of a write.
    for (name, free_bytes_min) in [("reserved", 16 << 20), ("none", 0)] {
        let folder = Path::new(&path).join(name);
        // Others' files fill the disk but for so much.
        let filler = Path::new(&path).join("filler");
        fill(&filler, 70 << 20);
        run(&folder, free_bytes_min, &filler);
        fs::remove_dir_all(&folder).unwrap();
        println!("{name}: it went on");
    }
}

fn fill(filler: &Path, bytes: usize) {
    let mut file = File::create(filler).unwrap();
    for _ in 0..bytes >> 20 {
        file.write_all(&[1; 1 << 20]).unwrap();
    }
}

fn fill_all(filler: &Path) {
    let mut file = File::create(filler).unwrap();
    let error = loop {
        if let Err(error) = file.write_all(&[1; 1 << 12]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
}

fn run(folder: &Path, free_bytes_min: u64, filler: &Path) {
    let mut random = Random::new("a_disk_that_fills");
    let settings = Settings { free_bytes_min, ..Settings::default() };
    let bus = Embedded::own(folder, settings).unwrap();
    let topic: TopicName = topic(&bus, "events", Kept::Days(7));
    let mut writer = bus.writer("writer", std::slice::from_ref(&topic)).unwrap();
    // Not to be compressed.
    let noise: String = (0..60_000).map(|_| char::from(b' ' + random.below(95) as u8)).collect();
    let mut number = 0;
    let mut add = |writer: &mut lockstep::bus::embedded::EmbeddedWriter, number: usize| {
        for part in 0..4 {
            let from = random.below(50_000) as usize;
            let text = format!("{number}.{part} {}", &noise[from..from + 10_000]);
            writer.add(&outgoing(0, b"key", text.as_bytes())).unwrap();
        }
        writer.commit(None)
    };
    let error = loop {
        match add(&mut writer, number) {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
        assert!(number < 10_000, "the disk does not fill");
    };
    println!("after {number} transactions: {error}");
    assert_eq!(error.remedy(), Remedy::Abort, "{error}");
    // Either it could not be written, or what was done in the background could not, a moment ago.
    let said = error.to_string();
    assert!(said.contains("its disk is full") || said.contains("MiB of its disk are free"), "{error}");
    assert!(said.contains("make space there"), "{error}");
    // What the store has given up in the background is space again.
    let rest = filler.with_extension("rest");
    fill_all(&rest);
    for _ in 0..3 {
        let error = writer.abort().unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("make space there"), "{error}");
    }
    fs::remove_file(filler).unwrap();
    fs::remove_file(rest).unwrap();
    writer.abort().unwrap();
    let numbers = |bus: &Embedded| {
        let all = texts(bus, &topic);
        all.iter().map(|text| text.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The one that failed is there, or not.
    number = numbers(&bus).len() / 4;
    for _ in 0..100 {
        add(&mut writer, number).unwrap();
        number += 1;
    }
    let expected: Vec<String> =
        (0..number).flat_map(|number| (0..4).map(move |part| format!("{number}.{part}"))).collect();
    assert_eq!(numbers(&bus), expected);
    drop((writer, bus));
    let bus = Embedded::own(folder, settings).unwrap();
    assert_eq!(numbers(&bus), expected, "after the next start");
}
