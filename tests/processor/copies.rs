//! A deployment moves from a directory to Kafka, goes on there, and is copied back: everything is where it was, and is what the
//! log says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockstep::bus::{
    Bus, Member, Membership, Offset, Outgoing, Partition, Polled, Progress, Topic, TopicPartition, Writer,
};
use lockstep::codec::{Buffer, Position};
use lockstep::connectors;
use lockstep::domain::{Account, Platform, TimeMs};
use lockstep::processor::Silent;

use crate::check::check;
use crate::days::days;
use crate::ground::{Brokers, Folder, Ground, On};
use crate::program::{Said, lockstep};
use crate::running;
use crate::servers::servers;
use crate::site::{PATIENCE, Random, Site, anything, event, revision, rules};
use crate::witness;

/// Runs the program: words, then paths.
fn run(words: &[&str], paths: &[&Path]) -> Said {
    Said::by(lockstep(words).args(paths))
}

fn copy(from: &Path, to: &Path) -> Said {
    run(&["copy", "--from"], &[from, Path::new("--to"), to])
}

fn copied(from: &Path, to: &Path) {
    let said = copy(from, to);
    println!("{}", said.text());
    let is_told = said.text().contains("the states are those that were committed");
    assert!(said.code == Some(0) && is_told, "{said:?}");
}

fn refused(from: &Path, to: &Path, why: &str) {
    let said = copy(from, to);
    assert!(said.code != Some(0) && said.err.contains(why), "{said:?}");
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

/// What a source and a sink of CXone leave behind: a position, and how far they have read the commands.
fn an_account_was_read(site: &Site) {
    let (bus, positions) = (site.bus(), site.plan.name(Topic::Positions));
    let group = connectors::identity(&site.plan, "cxone.emea");
    let topics = vec![positions.clone()];
    let mut member = bus.join(&Membership { group: group.clone(), name: None, topics }).unwrap();
    let begun = Instant::now();
    while !matches!(member.poll(Duration::from_millis(50)).unwrap(), Polled::Gained(_)) {
        assert!(begun.elapsed() < PATIENCE);
    }
    member.start(&[(positions.partition(0), Offset(0))]).unwrap();
    let position = Position {
        account: Account { platform: Platform::Cxone, name: "emea".parse().unwrap() },
        read_at: TimeMs::from_unix_ms(1_770_000_000_000),
        writer: "source/cxone.emea/test".into(),
        replay_id: None,
        last_poll_time: Some("2026-01-05T10:00:01.313Z".into()),
    };
    let mut buffer = Buffer::new();
    site.codec.encode(&position, &mut buffer).unwrap();
    let value = Some(buffer.as_slice());
    let mut writer = bus.writer(&group, std::slice::from_ref(&positions)).unwrap();
    writer
        .add(&Outgoing { topic: 0, partition: Partition(0), key: b"cxone.emea", value, headers: &[] })
        .unwrap();
    let progress = |(number, place): (u64, TopicPartition)| Progress {
        partition: place,
        next: Offset(number),
        metadata: format!("note {number}"),
    };
    let progress: Vec<Progress> = (0..).zip(read_by_an_account(site)).map(progress).collect();
    writer.commit(Some((&member, &progress))).unwrap();
}

fn read_by_an_account(site: &Site) -> Vec<TopicPartition> {
    let commands = site.plan.name(Topic::CommandsCxone);
    let commands = (0..site.plan.partitions).map(|number| commands.partition(number));
    std::iter::once(site.plan.name(Topic::Positions).partition(0)).chain(commands).collect()
}

fn account_was_read_to(site: &Site) -> Vec<(u64, String)> {
    let group = connectors::identity(&site.plan, "cxone.emea");
    let committed = site.bus().committed(&group, &read_by_an_account(site)).unwrap();
    committed.into_iter().map(|one| one.map(|one| (one.next.0, one.metadata)).unwrap()).collect()
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
    an_account_was_read(&here);

    let there = here.elsewhere(Ground::Kafka(Brokers::one(servers())));
    let Ground::Directory(data) = &here.ground else { panic!("it is in a directory") };
    let config = running::config(&there);
    refused(data.path(), &config, "is owned by process");
    here.ground.hand_over();
    copied(data.path(), &config);
    refused(data.path(), &config, "already");
    // Under another name it may be there twice; not with other partitions.
    let text = std::fs::read_to_string(&config).unwrap();
    let another = config.with_file_name("another.toml");
    let renamed = text.replace(&there.plan.prefix, &format!("another-{}", there.plan.prefix));
    std::fs::write(&another, renamed.replace("partitions = 4", "partitions = 5")).unwrap();
    refused(data.path(), &another, "write 4");
    std::fs::write(&another, renamed.replace("retention_days = 7", "retention_days = 6")).unwrap();
    refused(data.path(), &another, "keeps its records for 7 days, and the target would keep them for 6 days");
    std::fs::write(&another, renamed).unwrap();
    copied(data.path(), &another);
    here.ground.take_back();
    is_same(&here, &there);
    let account = account_was_read_to(&here);
    assert_eq!((account.len(), &account[1]), (5, &(1, "note 1".to_owned())));
    assert_eq!(account, account_was_read_to(&there));

    let working = there.work(there.settings(test, 0, 50), Arc::new(Silent));
    days(&there, &mut random, 400);
    working.end().unwrap();
    assert!(check(&there, &revisions).dead_letters >= 3);

    // Kafka's log has gaps, and so have copies of it.
    let mut third = there.elsewhere(Ground::Kafka(Brokers::one(servers())));
    third.deployment.plan.prefix += "-third";
    copied(&config, &running::config(&third));
    is_same(&there, &third);
    let folder = Folder::absent("copies-back");
    copied(&running::config(&third), folder.path());
    // It says itself what it has.
    let found = run(&["topics", "check", "--data"], &[folder.path()]).done();
    assert!(found.contains(&third.plan.prefix), "{found}");
    let named = run(&["topics", "check", "--data"], &[folder.path(), Path::new("--config"), &config]);
    assert!(named.err.contains("and nothing of"), "{named:?}");
    let back = third.elsewhere(Ground::Directory(folder));
    back.ground.take_back();
    is_same(&third, &back);
    let working = back.work(back.settings(test, 0, 50), Arc::new(Silent));
    days(&back, &mut random, 200);
    working.end().unwrap();
    check(&back, &revisions);
}

#[test]
fn what_is_no_whole_deployment_is_not_copied() {
    // What a copy left that was cut off.
    let half = Site::on(On::Directory, "half", 1, 1).elsewhere(Ground::Kafka(Brokers::one(servers())));
    drop(half.bus().load(&half.plan.specs()).unwrap());
    let folder = Folder::absent("half-back");
    refused(&running::config(&half), folder.path(), "as the topics of a copy have that was not finished");

    // What nobody can read, where everything counts.
    let odd = Site::on(On::Directory, "odd", 1, 1);
    let rules = odd.plan.name(Topic::Rules);
    let mut writer = odd.bus().writer("odd", &[rules]).unwrap();
    let (partition, value) = (Partition(0), Some(&b"what nobody can read"[..]));
    writer.add(&Outgoing { topic: 0, partition, key: b"rules", value, headers: &[] }).unwrap();
    writer.commit(None).unwrap();
    drop(writer);
    odd.ground.hand_over();
    let Ground::Directory(data) = &odd.ground else { panic!("it is in a directory") };
    let folder = Folder::absent("odd-copy");
    refused(data.path(), folder.path(), "offset 0: this record is none that this Lockstep can read");
}
