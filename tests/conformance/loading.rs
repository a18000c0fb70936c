//! A new bus is filled with what another has.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use lockstep::bus::{
    Bus, Error, From, Header, Kept, Loader, Offset, Reader, Record, Records, Replicas, Severity, TopicName,
    TopicPartition, TopicSpec, Until,
};
use lockstep::domain::TimeMs;

use super::{PATIENCE, Rig, WAIT, write};

/// A record, as one can tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    offset: u64,
    at_ms: i64,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
}

fn told(offset: u64, at_ms: i64, text: &str) -> Told {
    let headers = vec![("trace".to_owned(), text.as_bytes().to_vec())];
    let headers = if offset.is_multiple_of(2) { headers } else { Vec::new() };
    Told { offset, at_ms, key: b"key".to_vec(), value: Some(text.as_bytes().to_vec()), headers }
}

fn load(loader: &mut impl Loader, place: &TopicPartition, bounds: Range<u64>, all: &[Told]) {
    loader.begin(place, Offset(bounds.start)..Offset(bounds.end)).unwrap();
    for Told { offset, at_ms, key, value, headers } in all {
        let headers: Vec<_> = headers.iter().map(|(name, value)| Header { name, value }).collect();
        let record = Record {
            partition: place.partition,
            offset: Offset(*offset),
            appended_at: Some(TimeMs::from_unix_ms(*at_ms)),
            key: Some(key),
            value: value.as_deref(),
        };
        loader.add(&record, &headers).unwrap();
    }
    loader.end().unwrap();
}

fn read(bus: &impl Bus, place: &TopicPartition, from: From) -> Vec<Told> {
    let mut reader = bus.reader(&[(place.clone(), from)], Until::End).unwrap();
    let begun = std::time::Instant::now();
    let mut all = Vec::new();
    while !reader.is_at_end() {
        assert!(begun.elapsed() < PATIENCE);
        let records = reader.read(WAIT).unwrap();
        all.extend(records.iter().enumerate().map(|(row, record)| Told {
            offset: record.offset.0,
            at_ms: record.appended_at.unwrap().as_unix_ms(),
            key: record.key.unwrap_or_default().to_vec(),
            value: record.value.map(<[u8]>::to_vec),
            headers: records.headers(row).iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect(),
        }));
    }
    all
}

fn spec(name: &TopicName, partitions: u32, kept: Kept) -> TopicSpec {
    let replicas = Replicas { replication_factor: 1, in_sync_min: 1 };
    TopicSpec { name: name.clone(), partitions, kept, replicas }
}

fn is_as_wanted(bus: &impl Bus, spec: &TopicSpec) -> bool {
    let found = bus.describe(std::slice::from_ref(&spec.name)).unwrap().remove(0);
    spec.differences(found.as_ref()).iter().all(|difference| difference.severity == Severity::Warning)
}

/// Records keep their places, times and headers, partitions begin and end where they did, and go on from there.
pub(crate) fn what_is_loaded_is_where_it_was<R: Rig>(rig: &R) {
    let bus = rig.bus();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let then = now - 3_600_000;
    let (log, state) = (rig.topic_name("log"), rig.topic_name("state"));
    let specs = [spec(&log, 4, Kept::Days(7)), spec(&state, 1, Kept::Compacted)];
    let records = [(5, 0), (6, 0), (9, 1_000), (10, 1_000), (11, 1_500)];
    let records = records.map(|(offset, after)| told(offset, then + after, &format!("record {offset}")));
    let many: Vec<_> = (0..5_000).map(|number| told(number, then + number as i64 / 100, "many")).collect();
    let mut deleted = told(8, then, "");
    deleted.value = None;
    let states = [told(3, then, "a"), told(6, then, "b"), deleted];

    let mut loader = bus.load(&specs).unwrap();
    load(&mut loader, &log.partition(0), 5..14, &records);
    load(&mut loader, &log.partition(1), 7..7, &[]);
    load(&mut loader, &log.partition(2), 0..0, &[]);
    load(&mut loader, &log.partition(3), 0..5_000, &many);
    load(&mut loader, &state.partition(0), 3..9, &states);
    loader.finish().unwrap();

    assert!(specs.iter().all(|spec| is_as_wanted(&bus, spec)));
    let bounds = |number: u32| bus.bounds(&log.partition(number)).unwrap();
    let of = |range: Range<u64>| Offset(range.start)..Offset(range.end);
    assert_eq!([bounds(0), bounds(1), bounds(2), bounds(3)], [of(5..14), of(7..7), of(0..0), of(0..5_000)]);
    let place = log.partition(0);
    assert_eq!(read(&bus, &place, From::Beginning), records);
    assert_eq!(read(&bus, &place, From::Offset(Offset(7))), records[2..]);
    assert_eq!(read(&bus, &place, From::Time(TimeMs::from_unix_ms(then + 1_001))), records[4..]);
    assert_eq!(read(&bus, &place, From::Offset(Offset(14))), []);
    assert_eq!(read(&bus, &log.partition(1), From::Beginning), []);
    assert_eq!(read(&bus, &log.partition(3), From::Beginning), many);
    // What comes before has gone.
    let too_early = bus.reader(&[(place.clone(), From::Offset(Offset(4)))], Until::End);
    let too_early = too_early.and_then(|mut reader| reader.read(PATIENCE).map(|_| ()));
    assert!(matches!(too_early, Err(Error::OutOfRange { .. })), "{too_early:?}");
    let texts = read(&bus, &state.partition(0), From::Beginning);
    let texts: Vec<_> = texts.into_iter().map(|told| (told.value, told.headers)).collect();
    assert_eq!(texts, states.map(|told| (told.value, told.headers)));

    write(rig, &log, 0, &["new"]);
    let all = read(&bus, &place, From::Beginning);
    assert_eq!(all.len(), records.len() + 1);
    assert!(all[5].offset >= 14 && all[5].at_ms >= now, "{:?}", all[5]);

    // What is there is not written over.
    let again = bus.load(&specs).err().unwrap();
    assert!(matches!(again, Error::Refused { .. }), "{again}");
}
