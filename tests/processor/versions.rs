//! Other versions of Lockstep write to the same topics: with other schemas, and with another engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use lockstep::bus::{Bus, Member, Membership, Offset, Outgoing, Partition, Polled, Progress, Topic, Writer};
use lockstep::codec::{Buffer, RELEASED, RecordSchema, TeamMoved, What};
use lockstep::domain::{AgentId, TeamId};
use lockstep::engine;
use lockstep::processor::{self, Silent};
use serde_json::{Value as Json, json};
use tokio::runtime::{Builder, Runtime};

use crate::check::{check, hash};
use crate::days::settle;
use crate::server::Server;
use crate::site::{PATIENCE, Random, Site, Working, anything, event, revision, rules};
use crate::witness;

#[derive(Clone, Copy)]
enum Which {
    /// It has a field more.
    Newer,
    /// It has not yet the last field.
    Older,
}

/// A version of a schema that another Lockstep writes.
struct Version {
    which: Which,
    ours: Schema,
    theirs: Schema,
    id: i32,
}

impl Version {
    fn registered(server: &Server, runtime: &Runtime, record: RecordSchema, which: Which) -> Version {
        let ours = RELEASED.iter().rfind(|released| released.record == record).unwrap().text;
        let mut theirs: Json = serde_json::from_str(ours).unwrap();
        let fields = theirs["fields"].as_array_mut().unwrap();
        match which {
            Which::Newer => {
                fields.push(json!({ "name": "added", "type": ["null", "string"], "default": null }));
            }
            Which::Older => drop(fields.pop()),
        }
        let theirs = theirs.to_string();
        let id = runtime.block_on(server.register("another", json!({ "schema": theirs })));
        let parse = |text: &str| Schema::parse_str(text).unwrap();
        Version { which, ours: parse(ours), theirs: parse(&theirs), id }
    }

    /// What they would have written.
    fn rewrite(&self, site: &Site, value: &[u8]) -> Vec<u8> {
        let mut body = site.codec.body(value).unwrap();
        let reader = GenericDatumReader::builder(&self.ours).build().unwrap();
        let Value::Record(mut fields) = reader.read_value(&mut body).unwrap() else { panic!("a record") };
        match self.which {
            Which::Newer => {
                let added = Value::Union(1, Box::new(Value::String("of a newer one".to_owned())));
                fields.push(("added".to_owned(), added));
            }
            Which::Older => drop(fields.pop()),
        }
        let writer = GenericDatumWriter::builder(&self.theirs).build().unwrap();
        let theirs = writer.write_value_to_vec(Value::Record(fields)).unwrap();
        [&[0], &self.id.to_be_bytes()[..], &theirs].concat()
    }
}

/// A site whose records name their schemas by the ids of a registry.
fn with_registry(test: &str, partitions: u32) -> (Site, Server, Runtime) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = Server::start(&[]);
    let mut site = Site::new(test, partitions, 30);
    site.deployment.codec = Arc::new(runtime.block_on(server.codec(&site.plan.prefix)));
    (site, server, runtime)
}

fn work(site: &Site, test: &str) -> Working {
    site.work(site.settings(test, 0, 20), Arc::new(Silent))
}

/// Commits in the processor's place: states, and what is noted with the offset.
fn commit_in_its_place(site: &Site, states: &[(Vec<u8>, Vec<u8>)], noted: &dyn Fn(&str) -> String) {
    let bus = site.bus();
    let identity = format!("{}.another", site.plan.prefix);
    let mut writer = bus.writer(&identity, &[site.plan.name(Topic::State)]).unwrap();
    let events = site.plan.name(Topic::Events);
    let group = format!("{}.processor", site.plan.prefix);
    let mut member = bus.join(&Membership { group, name: None, topics: vec![events.clone()] }).unwrap();
    let (place, begun) = (events.partition(0), Instant::now());
    while !matches!(member.poll(Duration::from_millis(100)), Ok(Polled::Gained(_))) {
        assert!(begun.elapsed() < PATIENCE, "it does not become a member");
    }
    let (next, text) = witness::committed(site).remove(&0).unwrap();
    member.start(&[(place.clone(), Offset(next))]).unwrap();
    for (key, value) in states {
        let value = Some(value.as_slice());
        writer.add(&Outgoing { topic: 0, partition: Partition(0), key, value, headers: &[] }).unwrap();
    }
    let progress = Progress { partition: place, next: Offset(next), metadata: noted(&text) };
    writer.commit(Some((&member, &[progress]))).unwrap();
}

/// Fault 19: events in a schema that is newer than ours, and in one that is older, beside ours.
#[test]
fn events_of_other_versions_are_read() {
    let test = "versions";
    let mut random = Random::new(test);
    let (site, server, runtime) = with_registry(test, 2);
    let others = [Which::Newer, Which::Older]
        .map(|which| Version::registered(&server, &runtime, RecordSchema::Event, which));
    let revisions = BTreeMap::from([(site.activate(&rules()).revision, revision(&rules()))]);
    let working = work(&site, test);
    let mut source = site.source("source");
    source.link_all(&mut random);
    let mut written = [0, 0];
    for number in 0..600 {
        let person = &site.people[random.below(site.people.len() as u64) as usize];
        let what = anything(&mut random, person);
        // It is the last field, which an older one does not have.
        let is_newest = matches!(what, What::Retry(_));
        let event = event(&mut random, person.agent, what);
        match number % 3 {
            which @ (0 | 1) if !(which == 1 && is_newest) => {
                let mut buffer = Buffer::new();
                site.codec.encode(&event, &mut buffer).unwrap();
                let value = others[which].rewrite(&site, buffer.as_slice());
                source.add_raw(person.agent, &person.agent.text(), Some(&value));
                written[which] += 1;
            }
            _ => source.add(&event),
        }
        if number % 50 == 0 {
            source.commit();
        }
    }
    source.commit();
    settle(&site);
    working.end().unwrap();
    println!("{written:?} of newer and older");
    let checked = check(&site, &revisions);
    assert_eq!(checked.dead_letters, 0, "{checked:?}");
    assert!(checked.commands > 20 && written.iter().all(|count| *count > 100), "{checked:?}");
}

/// Fault 44: after a newer Lockstep an older one is started on its states, whose schema it does not know yet.
#[test]
fn it_starts_on_states_of_a_newer_version() {
    let test = "newer-states";
    let mut random = Random::new(test);
    let (site, server, runtime) = with_registry(test, 1);
    let newer = Version::registered(&server, &runtime, RecordSchema::State, Which::Newer);
    let revisions = BTreeMap::from([(site.activate(&rules()).revision, revision(&rules()))]);
    let working = work(&site, test);
    let mut source = site.source("source");
    source.link_all(&mut random);
    for _ in 0..200 {
        let person = &site.people[random.below(site.people.len() as u64) as usize];
        let what = anything(&mut random, person);
        source.add(&event(&mut random, person.agent, what));
    }
    source.commit();
    settle(&site);
    working.end().unwrap();

    let mut states = BTreeMap::new();
    for seen in &witness::read_all(&site, Topic::State)[&0] {
        match &seen.value {
            Some(value) => drop(states.insert(seen.key.clone(), newer.rewrite(&site, value))),
            None => drop(states.remove(&seen.key)),
        }
    }
    let states: Vec<_> = states.into_iter().collect();
    let sum = states.iter().fold(0_u64, |sum, (key, value)| {
        let agent: AgentId = std::str::from_utf8(key).unwrap().parse().unwrap();
        sum.wrapping_add(hash(agent, site.codec.body(value).unwrap()))
    });
    commit_in_its_place(&site, &states, &|text| {
        let (before, rest) = text.split_once("hash=").unwrap();
        let (_, after) = rest.split_once(' ').unwrap();
        format!("{before}hash={sum:016x} {after}")
    });

    let working = work(&site, test);
    // Everybody's state is written once more, by ours.
    for person in &site.people {
        let team = Some(TeamId::new(person.team.get() + 100));
        source.add(&event(&mut random, person.agent, What::TeamMoved(TeamMoved { team })));
    }
    source.commit();
    settle(&site);
    working.end().unwrap();
    assert!(check(&site, &revisions).agents > 20);
}

/// Fault 44: where a newer engine is in force, an older Lockstep decides nothing and says what to do.
#[test]
fn it_does_not_start_where_a_newer_engine_is_in_force() {
    let test = "newer-engine";
    let mut random = Random::new(test);
    let site = Site::new(test, 1, 5);
    let working = work(&site, test);
    let mut source = site.source("source");
    source.link_all(&mut random);
    settle(&site);
    working.end().unwrap();
    let newer = format!("engine={} ", engine::VERSION + 1);
    commit_in_its_place(&site, &[], &|text| text.replace(&format!("engine={} ", engine::VERSION), &newer));
    source.add(&event(&mut random, site.people[0].agent, What::Retry(crate::site::operator())));
    source.commit();
    let error = work(&site, test).ended().unwrap_err();
    println!("{error}");
    assert!(matches!(error, processor::Error::NewerEngine { .. }), "{error}");
    assert!(error.to_string().contains("upgrade it"), "{error}");
    assert!(witness::committed(&site)[&0].1.contains(&newer), "it has left everything as it was");
}
