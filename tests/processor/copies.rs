//! A deployment moves from a directory to Kafka, goes on there, and is copied back: everything is where it was, and is what the
//! log says.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use lockstep::bus::Topic;
use lockstep::processor::Silent;

use crate::check::check;
use crate::days::days;
use crate::ground::{Brokers, Folder, Ground, On};
use crate::process;
use crate::site::{Random, Site, anything, event, revision, rules, servers};
use crate::witness;

/// Runs `lockstep copy`.
fn copy(from: &Path, to: &Path) -> Output {
    let arguments =
        [OsStr::new("copy"), OsStr::new("--from"), from.as_os_str(), OsStr::new("--to"), to.as_os_str()];
    Command::new(env!("CARGO_BIN_EXE_lockstep")).args(arguments).output().unwrap()
}

fn copied(from: &Path, to: &Path) {
    let output = copy(from, to);
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    println!("{said}");
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the states are those that were committed"), "{said}");
}

fn refused(from: &Path, to: &Path, why: &str) {
    let output = copy(from, to);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains(why), "{said}");
}

/// Whatever stands in a log stands there at the same place, with the same time; of what is compacted, in the same order.
fn is_same(one: &Site, other: &Site) {
    for topic in Topic::ALL {
        let (one, other) = (witness::read_all(one, topic), witness::read_all(other, topic));
        let keeps_offsets =
            !matches!(topic, Topic::State | Topic::Rules | Topic::Directory | Topic::Positions);
        if keeps_offsets {
            assert_eq!(one, other, "{topic:?}");
        } else {
            let what = |all: BTreeMap<u32, Vec<witness::Seen>>| {
                let of = |(number, seen): (u32, Vec<witness::Seen>)| {
                    (
                        number,
                        seen.into_iter().map(|seen| (seen.at_ms, seen.key, seen.value)).collect::<Vec<_>>(),
                    )
                };
                all.into_iter().map(of).collect::<Vec<_>>()
            };
            assert_eq!(what(one), what(other), "{topic:?}");
        }
    }
    assert_eq!(witness::committed(one), witness::committed(other));
}

/// Events that nobody has dealt with yet, and some that nobody can read.
fn more_happens(site: &Site, random: &mut Random) {
    let mut source = site.source("source");
    for (number, person) in site.people.iter().enumerate() {
        let what = anything(random, person);
        source.add(&event(random, person.agent, what));
        if number % 20 == 0 {
            source.add_raw(person.agent, &person.agent.text(), Some(b"what nobody can read"));
        }
    }
    source.commit();
}

#[test]
fn a_deployment_moves_and_goes_on() {
    let test = "copies";
    let mut random = Random::new(test);
    let here = Site::on(On::Directory, test, 4, 60);
    let revisions = BTreeMap::from([(here.activate(&rules()).revision, revision(&rules()))]);
    here.source("links").link_all(&mut random);
    let working = here.work(here.settings(test, 0, 50), Arc::new(Silent));
    days(&here, &mut random, 400);
    working.end().unwrap();
    more_happens(&here, &mut random);

    let there = here.elsewhere(Ground::Kafka(Brokers::one(servers())));
    let Ground::Directory(data) = &here.ground else { panic!("it is in a directory") };
    let config = process::config(&there);
    refused(&data.path, &config, "is owned by process");
    here.ground.hand_over();
    copied(&data.path, &config);
    refused(&data.path, &config, "already");
    // Under another name it may be there twice; not with other partitions.
    let text = std::fs::read_to_string(&config).unwrap();
    let another = config.with_file_name("another.toml");
    let renamed = text.replace(&there.plan.prefix, &format!("another-{}", there.plan.prefix));
    std::fs::write(&another, renamed.replace("partitions = 4", "partitions = 5")).unwrap();
    refused(&data.path, &another, "write 4");
    std::fs::write(&another, renamed).unwrap();
    copied(&data.path, &another);
    here.ground.take_back();
    is_same(&here, &there);

    let working = there.work(there.settings(test, 0, 50), Arc::new(Silent));
    days(&there, &mut random, 400);
    working.end().unwrap();
    assert!(check(&there, &revisions).dead_letters >= 3);

    // Kafka's log has gaps, and so has the copy.
    let folder = Folder::absent("copies-back");
    copied(&config, &folder.path);
    let back = there.elsewhere(Ground::Directory(folder));
    back.ground.take_back();
    is_same(&there, &back);
    let working = back.work(back.settings(test, 0, 50), Arc::new(Silent));
    days(&back, &mut random, 200);
    working.end().unwrap();
    check(&back, &revisions);
}
