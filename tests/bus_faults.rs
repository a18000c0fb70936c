//! A Kafka that is killed or hangs, and a process that does: nothing is lost or twice, nothing hangs for good, and all of it
//! works again afterwards. Each test has a broker of its own, so that no other test suffers.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

#[path = "kafka/broker.rs"]
mod broker;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lockstep::bus::kafka::{Connection, Kafka, KafkaMember};
use lockstep::bus::{
    Bus, Error, From, Kept, Member, Membership, Offset, Outgoing, Partition, Polled, Progress, Reader,
    Records, Replicas, TopicName, TopicSpec, Until, Writer,
};
use lockstep::domain::Remedy;

use broker::Broker;

const PATIENCE: Duration = Duration::from_secs(90);
/// How long an outage may keep an answer back before it is asked for again.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const WAIT: Duration = Duration::from_millis(100);

impl Broker {
    fn bus(&self) -> Kafka {
        bus(&self.servers)
    }

    fn topic(&self, name: &str) -> TopicName {
        let name = TopicName::new(name);
        let replicas = Replicas { replication_factor: 1, in_sync_min: 1 };
        let spec = TopicSpec { name: name.clone(), partitions: 1, kept: Kept::Days(1), replicas };
        self.bus().create(&[spec]).unwrap();
        name
    }
}

fn bus(servers: &str) -> Kafka {
    let (servers, further) = (vec![servers.to_owned()], Vec::new());
    let prefix = "faults".to_owned();
    Kafka::connect(Connection { servers, prefix, tls: None, sasl: None, further }).unwrap()
}

fn outgoing(value: &[u8]) -> Outgoing<'_> {
    Outgoing { topic: 0, partition: Partition(0), key: b"key", value: Some(value), headers: &[] }
}

fn texts(bus: &Kafka, topic: &TopicName) -> Vec<String> {
    let mut reader = bus.reader(&[(topic.partition(0), From::Beginning)], Until::End).unwrap();
    let (mut all, begun) = (Vec::new(), Instant::now());
    while !reader.is_at_end() {
        assert!(begun.elapsed() < PATIENCE, "the end does not come");
        let records = reader.read(WAIT).unwrap();
        all.extend(records.iter().map(|record| String::from_utf8_lossy(record.value.unwrap()).into_owned()));
    }
    all
}

fn membership(topic: &TopicName, name: Option<&str>) -> Membership {
    Membership {
        group: "faults.group".to_owned(),
        name: name.map(str::to_owned),
        topics: vec![topic.clone()],
    }
}

/// Where the group left off.
fn start(member: &mut KafkaMember, topic: &TopicName) -> Result<(), Error> {
    let place = topic.partition(0);
    let committed = member.committed(std::slice::from_ref(&place), ANSWER_MAX)?;
    let next = committed[0].as_ref().map_or(Offset(0), |committed| committed.next);
    member.start(&[(place, next)])
}

/// Tries what an outage may keep from being done.
fn persist<T>(mut what: impl FnMut() -> Result<T, Error>) -> T {
    let begun = Instant::now();
    loop {
        match what() {
            Ok(done) => return done,
            Err(error) => {
                println!("{error}");
                assert_eq!(error.remedy(), Remedy::Retry, "{error}");
                assert!(begun.elapsed() < PATIENCE, "{error}");
            }
        }
    }
}

fn progress(topic: &TopicName, next: u64) -> Progress {
    Progress { partition: topic.partition(0), next: Offset(next), metadata: String::new() }
}

/// Copies so many records, giving up and beginning anew as errors tell it to.
fn copy(bus: &Kafka, input: &TopicName, output: &TopicName, records: u64) {
    let mut member = bus.join(&membership(input, Some("copier"))).unwrap();
    let mut writer = bus.writer("faults.copier", std::slice::from_ref(output)).unwrap();
    let (mut done, begun) = (0, Instant::now());
    while done < records {
        assert!(begun.elapsed() < PATIENCE, "{done} of {records} are done");
        let batch = match member.poll(WAIT) {
            Ok(Polled::Records(batch)) => batch,
            Ok(Polled::Gained(_)) => {
                persist(|| start(&mut member, input));
                continue;
            }
            Ok(Polled::Losing(_) | Polled::Lost(_)) => continue,
            // An outage may have swallowed the answer to its return; nobody else has become the writer.
            Err(Error::Fenced { identity }) => {
                println!("the group says that another is {identity}");
                persist(|| writer.abort());
                writer.confirm().unwrap();
                drop(member);
                member = bus.join(&membership(input, Some("copier"))).unwrap();
                continue;
            }
            Err(error) => {
                println!("{error}");
                assert_eq!(error.remedy(), Remedy::Retry, "{error}");
                continue;
            }
        };
        let Some(last) = batch.iter().last() else { continue };
        let next = last.offset.0 + 1;
        let added = batch.iter().try_for_each(|record| writer.add(&outgoing(record.value.unwrap())));
        let committed = added.and_then(|()| writer.commit(Some((&member, &[progress(input, next)]))));
        match committed {
            Ok(()) => done = String::from_utf8_lossy(last.value.unwrap()).parse::<u64>().unwrap() + 1,
            Err(error) => {
                println!("{error}");
                assert_eq!(error.remedy(), Remedy::Abort, "{error}");
                persist(|| writer.abort());
                persist(|| start(&mut member, input));
            }
        }
    }
}

#[test]
fn a_broker_killed_under_load_costs_nothing_but_time() {
    const RECORDS: u64 = 3_000;
    let broker = Broker::start("killed", &[]);
    let (input, output) = (broker.topic("faults.events"), broker.topic("faults.decisions"));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let bus = broker.bus();
            let mut writer = bus.writer("faults.feeder", std::slice::from_ref(&input)).unwrap();
            let mut next = 0;
            while next < RECORDS {
                let values: Vec<String> = (next..next + 5).map(|number| number.to_string()).collect();
                let added = values.iter().try_for_each(|value| writer.add(&outgoing(value.as_bytes())));
                match added.and_then(|()| writer.commit(None)) {
                    Ok(()) => next += 5,
                    Err(error) => {
                        println!("feeder: {error}");
                        assert_eq!(error.remedy(), Remedy::Abort, "{error}");
                        persist(|| writer.abort());
                        // Only the log knows whether what was undecided was committed.
                        next = texts(&bus, &input).last().map_or(0, |last| last.parse::<u64>().unwrap() + 1);
                    }
                }
            }
        });
        scope.spawn(|| {
            copy(&broker.bus(), &input, &output, RECORDS);
            is_over.store(true, Ordering::Relaxed);
        });
        for _ in 0..3 {
            if !is_over.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_millis(1_500));
                broker.fault("kill", 1);
                broker.fault("restart", 1);
            }
        }
    });
    let bus = broker.bus();
    let expected: Vec<String> = (0..RECORDS).map(|number| number.to_string()).collect();
    assert!(texts(&bus, &input) == expected, "the feeder lost or doubled something");
    assert!(texts(&bus, &output) == expected, "the copier lost or doubled something");
}

#[test]
fn a_commit_at_a_broker_that_hangs_ends_and_is_decided_later() {
    let broker = Broker::start("hangs", &[]);
    let (input, output) = (broker.topic("faults.events"), broker.topic("faults.decisions"));
    let bus = broker.bus();
    let mut member = bus.join(&membership(&input, Some("member"))).unwrap();
    let begun = Instant::now();
    while !matches!(member.poll(WAIT).unwrap(), Polled::Gained(_)) {
        assert!(begun.elapsed() < PATIENCE);
    }
    start(&mut member, &input).unwrap();
    let mut writer = bus.writer("faults.writer", std::slice::from_ref(&output)).unwrap();
    writer.add(&outgoing(b"before")).unwrap();
    writer.commit(Some((&member, &[progress(&input, 1)]))).unwrap();
    writer.add(&outgoing(b"while it hangs")).unwrap();
    broker.fault("pause", 1);
    let begun = Instant::now();
    let error = writer.commit(Some((&member, &[progress(&input, 2)]))).unwrap_err();
    println!("{error} ({} ms)", begun.elapsed().as_millis());
    assert_eq!(error.remedy(), Remedy::Abort, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    // For longer than the brokers keep a transaction open: that is no reason to take this writer for fenced.
    let error = writer.abort().unwrap_err();
    println!("{error} ({} ms)", begun.elapsed().as_millis());
    assert_eq!(error.remedy(), Remedy::Retry, "{error}");
    assert!(begun.elapsed() > Duration::from_secs(26), "{:?}", begun.elapsed());
    broker.fault("resume", 1);
    persist(|| writer.abort());
    let committed = persist(|| member.committed(&[input.partition(0)], ANSWER_MAX))[0].as_ref().unwrap().next;
    let mut expected = vec!["before", "after"];
    if committed == Offset(2) {
        expected.insert(1, "while it hangs");
    }
    writer.add(&outgoing(b"after")).unwrap();
    // The group may have given the member up meanwhile; what he writes without it is his own.
    writer.commit(None).unwrap();
    assert_eq!(texts(&bus, &output), expected);
}

/// A process that was stopped for longer than its session, while another took its partition, commits nothing after it.
#[test]
fn a_process_that_was_asleep_commits_nothing() {
    let broker = Broker::start("asleep", &[]);
    let (input, output) = (broker.topic("faults.events"), broker.topic("faults.decisions"));
    let bus = broker.bus();
    let mut feeder = bus.writer("faults.feeder", std::slice::from_ref(&input)).unwrap();
    feeder.add(&outgoing(b"a")).unwrap();
    feeder.commit(None).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_sleeps", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("LOCKSTEP_TEST_SERVERS", &broker.servers)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.ends_with("it has read")), "the child ended");
    let signal = |signal: &str| {
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    let mut member = bus.join(&membership(&input, None)).unwrap();
    let begun = Instant::now();
    while !matches!(member.poll(WAIT).unwrap(), Polled::Gained(_)) {
        assert!(begun.elapsed() < PATIENCE, "the partition does not come");
    }
    println!("the partition came after {} ms", begun.elapsed().as_millis());
    start(&mut member, &input).unwrap();
    let mut writer = bus.writer("faults.second", std::slice::from_ref(&output)).unwrap();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "the record does not come");
        let Polled::Records(records) = member.poll(WAIT).unwrap() else { continue };
        let Some(record) = records.get(0) else { continue };
        writer.add(&outgoing(record.value.unwrap())).unwrap();
        writer.commit(Some((&member, &[progress(&input, record.offset.0 + 1)]))).unwrap();
        break;
    }
    signal("-CONT");
    writeln!(stdin, "commit").unwrap();
    let told =
        lines.by_ref().find(|line| line.starts_with("it says: ")).expect("the child says what came of it");
    println!("{told}");
    assert!(told.contains("has given this member up"), "{told}");
    assert_eq!(texts(&bus, &output), ["a"]);
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// Not a test by itself: it reads, waits for a line on its stdin, and tries to commit.
#[test]
#[ignore = "another test starts it as a process of its own"]
fn child_that_sleeps() {
    let Ok(servers) = std::env::var("LOCKSTEP_TEST_SERVERS") else { return };
    let bus = bus(&servers);
    let (input, output) = (TopicName::new("faults.events"), TopicName::new("faults.decisions"));
    let mut member = bus.join(&membership(&input, None)).unwrap();
    let mut writer = bus.writer("faults.first", std::slice::from_ref(&output)).unwrap();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "the record does not come");
        match member.poll(WAIT).unwrap() {
            Polled::Gained(_) => start(&mut member, &input).unwrap(),
            Polled::Records(records) if !records.is_empty() => break,
            _ => {}
        }
    }
    writer.add(&outgoing(b"of who was asleep")).unwrap();
    println!("it has read");
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line).unwrap() == 0 {
        return;
    }
    let error = writer.commit(Some((&member, &[progress(&input, 1)]))).unwrap_err();
    println!("it says: {error}");
    writer.abort().unwrap();
}
