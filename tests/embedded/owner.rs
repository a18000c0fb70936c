//! One process owns the directory.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use lockstep::bus::embedded::{Embedded, Settings};
use lockstep::bus::{
    Bus, Error, From, Kept, Member, Membership, Offset, Polled, Reader, Records, TopicName, Until, Writer,
};
use lockstep::domain::{Remedy, TimeMs};

use super::{Place, topic, write};
use crate::conformance::{PATIENCE, Random, WAIT, outgoing, texts};

#[test]
fn the_second_owner_is_refused_and_told_who_is_the_first() {
    let place = Place::new("d");
    let first = place.own();
    let error = Embedded::own(&place.0, Settings::default()).err().unwrap();
    assert_eq!(error.remedy(), Remedy::Stop);
    let told = error.to_string();
    assert!(matches!(error, Error::Owned { .. }), "{told}");
    assert!(told.contains(&format!("process {}", std::process::id())), "{told}");
    assert!(told.contains(&place.0.display().to_string()), "{told}");
    // Others may be at it meanwhile, and only this user.
    assert!(!Embedded::open(&place.0, Settings::default()).unwrap().is_owner());
    let mode = |name: &str| fs::metadata(place.0.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("socket"), mode(".")), (0o600, 0o700));
    drop(first);
    assert!(place.own().is_owner());
}

/// Who only looks goes by way of the owner; where there is none he is alone with it for as long as he looks.
#[test]
fn who_looks_is_an_owner_only_where_there_is_none() {
    let place = Place::new("d");
    let first = place.own();
    let events = topic(&first, "events", Kept::Days(7));
    write(&first, &events, &["one".to_owned()]);
    let look = || Embedded::look(&place.0, Settings::default()).unwrap();
    let looking = look();
    assert!(!looking.is_owner());
    assert_eq!(texts(&looking, &events), ["one"]);
    drop((looking, first));
    let looking = look();
    assert!(looking.is_owner());
    assert_eq!(texts(&looking, &events), ["one"]);
    assert!(!place.0.join("socket").exists(), "he answers nobody");
    assert!(matches!(Embedded::own(&place.0, Settings::default()), Err(Error::Owned { .. })));
    drop(looking);
    assert!(place.own().is_owner());
}

/// Not a test by itself: a process that owns a directory, and writes until it is killed.
#[test]
#[ignore = "other tests start it as a process of its own"]
fn child_that_owns() {
    let Ok(path) = std::env::var("LOCKSTEP_TEST_CHILD") else { return };
    let bus = Embedded::own(path.as_ref(), Settings::default()).unwrap();
    let topic = topic(&bus, "events", Kept::Days(7));
    let mut number = texts(&bus, &topic).len();
    let mut writer = bus.writer("writer", std::slice::from_ref(&topic)).unwrap();
    loop {
        for text in number..number + 50 {
            writer.add(&outgoing(0, b"key", text.to_string().as_bytes())).unwrap();
        }
        writer.commit(None).unwrap();
        number += 50;
        println!("committed {number}");
        std::io::stdout().flush().unwrap();
    }
}

/// Fault 21, and 10 of the owner: whatever it was doing when it was killed, all that it said was committed is there, in
/// order and once, and of what it was about to commit all or nothing. The lock that it left is nobody's.
#[test]
fn what_was_committed_outlives_the_owner() {
    let mut random = Random::new("what_was_committed_outlives_the_owner");
    let place = Place::new("d");
    let mut before = 0;
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["embedded::owner::child_that_owns", "--exact", "--ignored", "--nocapture"])
            .env("LOCKSTEP_TEST_CHILD", &place.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let commits = 1 + random.below(60);
        let committed = |line: &String| line.strip_prefix("committed ")?.parse::<usize>().ok();
        let mut told = 0;
        for line in
            lines.by_ref().map_while(Result::ok).filter_map(|line| committed(&line)).take(commits as usize)
        {
            told = line;
        }
        std::thread::sleep(Duration::from_micros(random.below(3_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        told = lines.map_while(Result::ok).filter_map(|line| committed(&line)).last().unwrap_or(told);
        let bus = place.own();
        let found = texts(&bus, &TopicName::new("events"));
        let expected: Vec<String> = (0..found.len()).map(|number| number.to_string()).collect();
        assert_eq!(found, expected, "round {round}");
        assert!(
            found.len() == told || found.len() == told + 50,
            "{told} were committed, {} are there",
            found.len()
        );
        assert!(found.len() > before, "round {round} committed nothing");
        before = found.len();
    }
}

/// Who asks over the socket goes on with the next owner: his reader where it was, his member from what was committed, his
/// writer as the one it was.
#[test]
fn others_go_on_with_the_next_owner() {
    let place = Place::new("d");
    let first = place.own();
    let topic = topic(&first, "events", Kept::Days(7));
    write(&first, &topic, &["a".to_owned(), "b".to_owned()]);
    let other = Embedded::open(&place.0, Settings::default()).unwrap();
    let mut reader = other.reader(&[(topic.partition(0), From::Beginning)], Until::Stopped).unwrap();
    assert_eq!(reader.read(WAIT).unwrap().len(), 2);
    let group = Membership { group: "group".to_owned(), name: None, topics: vec![topic.clone()] };
    let mut member = other.join(&group).unwrap();
    assert!(matches!(member.poll(WAIT).unwrap(), Polled::Gained(_)));
    let mut writer = other.writer("other", std::slice::from_ref(&topic)).unwrap();
    writer.add(&outgoing(0, b"key", b"c")).unwrap();

    drop(first);
    let error = writer.commit(None).unwrap_err();
    assert!(matches!(error, Error::Undecided { .. }), "{error}");
    assert_eq!(writer.abort().unwrap_err().remedy(), Remedy::Retry);
    assert_eq!(reader.read(WAIT).unwrap_err().remedy(), Remedy::Retry, "an outage is told");
    assert!(reader.read(WAIT).unwrap().is_empty(), "once");

    let second = place.own();
    writer.abort().unwrap();
    writer.add(&outgoing(0, b"key", b"c")).unwrap();
    writer.commit(None).unwrap();
    let read = reader.read(PATIENCE).unwrap();
    assert_eq!(read.get(0).unwrap().value, Some(&b"c"[..]));
    assert!(matches!(member.poll(WAIT).unwrap(), Polled::Lost(_)));
    assert!(matches!(member.poll(WAIT).unwrap(), Polled::Gained(_)));
    // Of an owner before this one, and another has become the writer meanwhile.
    let third = {
        drop(second);
        place.own()
    };
    let _usurper = third.writer("other", std::slice::from_ref(&topic)).unwrap();
    assert_eq!(writer.abort(), Err(Error::Fenced { identity: "other".to_owned() }));
    assert_eq!(texts(&third, &topic), ["a", "b", "c"]);
}

/// What comes over the socket and is no question ends that connection, and nothing else.
#[test]
fn who_talks_nonsense_is_hung_up_on() {
    let mut random = Random::new("who_talks_nonsense_is_hung_up_on");
    let place = Place::new("d");
    let bus = place.own();
    let topic = topic(&bus, "events", Kept::Days(7));
    for round in 0..50 {
        let mut stream = UnixStream::connect(place.0.join("socket")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.below(256) as u8).collect();
        // In turn noise, a length that nobody would send, and a head that says nothing.
        let sent = match round % 3 {
            0 => bytes,
            1 => [&u32::MAX.to_le_bytes()[..], &[0; 4], &bytes].concat(),
            _ => [&2_u32.to_le_bytes()[..], &0_u32.to_le_bytes(), b"{}"].concat(),
        };
        // He may have hung up before all of it was sent.
        let _ = stream.write_all(&sent);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, Vec::<u8>::new());
    }
    write(&bus, &topic, &["a".to_owned()]);
    assert_eq!(texts(&Embedded::open(&place.0, Settings::default()).unwrap(), &topic), ["a"]);
}

static CLOCK_MS: AtomicI64 = AtomicI64::new(0);

fn set_clock() -> TimeMs {
    TimeMs::from_unix_ms(CLOCK_MS.load(Ordering::Relaxed))
}

const DAY_MS: i64 = 86_400_000;

/// Retention goes by append times, which never fall, however the clock is set; and by size.
#[test]
fn old_records_go_and_times_never_fall() {
    let place = Place::new("d");
    let settings = Settings { clock: set_clock, ..Settings::default() };
    let bus = Embedded::own(&place.0, settings).unwrap();
    let (days, forever) = (topic(&bus, "days", Kept::Days(7)), topic(&bus, "forever", Kept::Compacted));
    let at = |day: i64, text: &str| {
        CLOCK_MS.store(100 * DAY_MS + day * DAY_MS, Ordering::Relaxed);
        write(&bus, &days, &[text.to_owned()]);
        write(&bus, &forever, &[text.to_owned()]);
    };
    at(0, "a");
    at(5, "b");
    at(3, "c");
    at(6, "d");
    let mut reader = bus.reader(&[(days.partition(0), From::Beginning)], Until::End).unwrap();
    let times: Vec<i64> = {
        let records = reader.read(WAIT).unwrap();
        records.iter().map(|record| record.appended_at.unwrap().as_unix_ms() / DAY_MS - 100).collect()
    };
    assert_eq!(times, [0, 5, 5, 6]);
    let kept = |day: i64| {
        CLOCK_MS.store(100 * DAY_MS + day * DAY_MS + 1, Ordering::Relaxed);
        bus.tend().unwrap();
        texts(&bus, &days)
    };
    assert_eq!(kept(6), ["a", "b", "c", "d"]);
    assert_eq!(kept(7), ["b", "c", "d"]);
    assert_eq!(bus.bounds(&days.partition(0)).unwrap(), Offset(1)..Offset(4));
    assert_eq!(kept(12), ["d"]);
    assert_eq!(kept(100), ["d"], "the last batch says where the partition ends");
    assert_eq!(texts(&bus, &forever), ["a", "b", "c", "d"]);
    let from = From::Offset(Offset(1));
    let mut late = bus.reader(&[(days.partition(0), from)], Until::End).unwrap();
    assert!(matches!(late.read(WAIT), Err(Error::OutOfRange { .. })), "what is gone is not passed over");
    drop((reader, late, bus));
    // The same after the next start.
    let bus = Embedded::own(&place.0, settings).unwrap();
    assert_eq!(bus.bounds(&days.partition(0)).unwrap(), Offset(3)..Offset(4));
    write(&bus, &days, &["e".to_owned()]);
    assert_eq!(texts(&bus, &days), ["d", "e"]);
}

#[test]
fn a_partition_has_so_many_bytes_at_most() {
    const BYTES_MAX: u64 = 10_000_000;
    let place = Place::new("d");
    let settings = Settings { partition_bytes_max: Some(BYTES_MAX), ..Settings::default() };
    let bus = Embedded::own(&place.0, settings).unwrap();
    let topic = topic(&bus, "events", Kept::Days(7));
    let mut random = Random::new("a_partition_has_so_many_bytes_at_most");
    let text: String = (0..10_000).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
    let texts_of = |number: usize| vec![format!("{number} {text}"); 10];
    for number in 0..500 {
        write(&bus, &topic, &texts_of(number));
    }
    bus.tend().unwrap();
    let found = texts(&bus, &topic);
    let bytes: usize = found.iter().map(String::len).sum();
    assert!((BYTES_MAX as usize * 9 / 10..=BYTES_MAX as usize).contains(&bytes), "{bytes}");
    assert!(found.last().unwrap().starts_with("499 "));
}

/// An owner who is alone answers nobody, and is told of.
#[test]
fn who_owns_alone_answers_nobody() {
    let place = Place::new("d");
    let alone = Embedded::own_alone(&place.0, Settings::default()).unwrap();
    let error = Embedded::attach(&place.0).unwrap().topics().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let error = Embedded::own(&place.0, Settings::default()).err().unwrap();
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(alone);
    assert_eq!(Embedded::open(&place.0, Settings::default()).unwrap().topics(), Ok(Vec::new()));
}
