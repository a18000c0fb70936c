//! Reading.

use std::collections::BTreeMap;

use lockstep::bus::partition_for;
use lockstep::domain::{DurationMs, Remedy, TimeMs};

use super::*;

/// Records of a key are read in the order in which they were written, whatever lies between them.
pub(crate) fn an_agent_has_one_order<R: Rig>(rig: &R) {
    const PARTITIONS: u32 = 4;
    let mut random = Random::new("an_agent_has_one_order");
    let topic = rig.topic("events", PARTITIONS);
    let bus = rig.bus();
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&topic)).unwrap();
    let mut expected: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    for number in 0..20_000 {
        let key = format!("agent-{}", random.below(50)).into_bytes();
        let value = number.to_string();
        writer.add(&outgoing(partition_for(&key, PARTITIONS).0, &key, value.as_bytes())).unwrap();
        expected.entry(key).or_default().push(value);
        match random.below(3_000) {
            0 => writer.commit(None).unwrap(),
            1 => writer.push().unwrap(),
            _ => {}
        }
    }
    writer.commit(None).unwrap();
    let mut found: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    let mut offsets: BTreeMap<u32, u64> = BTreeMap::new();
    for record in read_all(&bus, &topic, PARTITIONS) {
        assert_eq!(record.partition, partition_for(&record.key, PARTITIONS).0);
        if let Some(before) = offsets.insert(record.partition, record.offset) {
            assert!(before < record.offset, "offsets fall in partition {}", record.partition);
        }
        let text = record.text();
        found.entry(record.key).or_default().push(text);
    }
    assert!(found == expected, "the order of an agent differs");
}

/// From the beginning, or from an offset; the gap that a transaction leaves is no record.
pub(crate) fn reading_begins_where_it_is_told<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    write(rig, &topic, 0, &["a", "b"]);
    write(rig, &topic, 0, &["c"]);
    let all = read_all(&bus, &topic, 1);
    assert_eq!(all.iter().map(Owned::text).collect::<Vec<_>>(), ["a", "b", "c"]);
    for (index, record) in all.iter().enumerate() {
        let from = From::Offset(Offset(record.offset));
        let rest = drain(bus.reader(&[(topic.partition(0), from)], Until::End).unwrap());
        assert_eq!(rest, all[index..], "from {}", record.offset);
    }
    let bounds = bus.bounds(&topic.partition(0)).unwrap();
    assert_eq!(bounds.start, Offset(all[0].offset));
    assert!(bounds.end > Offset(all[2].offset));
    // The end is a place to begin as well.
    let rest = drain(bus.reader(&[(topic.partition(0), From::Offset(bounds.end))], Until::End).unwrap());
    assert_eq!(rest, []);
}

/// What was there is not read, and all that is appended after the reader was made is.
pub(crate) fn reading_from_the_end_sees_what_comes_then<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    write(rig, &topic, 0, &["before"]);
    let mut reader = bus.reader(&[(topic.partition(0), From::End)], Until::Stopped).unwrap();
    // Before it is read for the first time.
    write(rig, &topic, 0, &["after", "then"]);
    let read = read_some(&mut reader, 2);
    assert_eq!(read.iter().map(Owned::text).collect::<Vec<_>>(), ["after", "then"]);
}

/// Times are those of appending.
pub(crate) fn reading_from_a_time_begins_with_the_first_record_of_then<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    let place = topic.partition(0);
    let mut times: Vec<TimeMs> = Vec::new();
    for number in 0..4 {
        write(rig, &topic, 0, &[&number.to_string()]);
        // The clock must have gone on, so that the next one is later.
        let written = time_of_last(&bus, &topic);
        let begun = Instant::now();
        while now() <= written {
            assert!(begun.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
        times.push(written);
    }
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    let from = |time| {
        let reader = bus.reader(&[(place.clone(), From::Time(time))], Until::End).unwrap();
        drain(reader).iter().map(Owned::text).collect::<Vec<_>>()
    };
    for (index, time) in times.iter().enumerate() {
        let rest: Vec<String> = (index..4).map(|number| number.to_string()).collect();
        assert_eq!(from(*time), rest);
        assert_eq!(from(*time + DurationMs::from_ms(1)), rest[1..], "just after {index}");
    }
    assert_eq!(from(TimeMs::from_unix_ms(0)).len(), 4);
    assert_eq!(from(now() + DurationMs::from_ms(3_600_000)), Vec::<String>::new(), "a time to come");
}

fn now() -> TimeMs {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    TimeMs::from_unix_ms(i64::try_from(now.as_millis()).unwrap())
}

fn times_of(bus: &impl Bus, topic: &TopicName) -> Vec<TimeMs> {
    let mut reader = bus.reader(&beginnings(topic, 1), Until::End).unwrap();
    let mut times = Vec::new();
    while !reader.is_at_end() {
        times.extend(reader.read(WAIT).unwrap().iter().map(|record| record.appended_at.unwrap()));
    }
    assert!(reader.has_been_at_end());
    times
}

fn time_of_last(bus: &impl Bus, topic: &TopicName) -> TimeMs {
    *times_of(bus, topic).last().unwrap()
}

/// Never skipped over in silence.
pub(crate) fn an_offset_that_is_not_there_is_told<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    write(rig, &topic, 0, &["a"]);
    let offset = Offset(1_000);
    let mut reader = bus.reader(&[(topic.partition(0), From::Offset(offset))], Until::End).unwrap();
    let begun = Instant::now();
    let error = loop {
        assert!(begun.elapsed() < PATIENCE && !reader.is_at_end(), "it is skipped over");
        match reader.read(WAIT) {
            Ok(records) => assert!(records.is_empty()),
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::OutOfRange { partition: topic.partition(0), offset });
    assert_eq!(error.remedy(), Remedy::Stop);
}

/// Empty partitions have an end; so have those whose last records were aborted.
pub(crate) fn the_end_is_known_where_nothing_is<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 3);
    let bus = rig.bus();
    assert_eq!(read_all(&bus, &topic, 3), []);
    write(rig, &topic, 1, &["a"]);
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&topic)).unwrap();
    for partition in 0..3 {
        writer.add(&outgoing(partition, b"key", b"never")).unwrap();
        rig.push_to_log(&mut writer, &topic.partition(partition));
    }
    writer.abort().unwrap();
    let all = read_all(&bus, &topic, 3);
    assert_eq!(all.iter().map(Owned::text).collect::<Vec<_>>(), ["a"]);
}

/// Within a partition, and they are those of now.
pub(crate) fn append_times_never_fall<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    let before = now();
    for _ in 0..20 {
        write(rig, &topic, 0, &["a", "b", "c"]);
    }
    let (times, after) = (times_of(&bus, &topic), now());
    assert_eq!(times.len(), 60);
    assert!(times.is_sorted(), "{times:?}");
    assert!(before <= times[0] && times[59] <= after, "{before:?} {times:?} {after:?}");
}

/// Names may repeat, values may be empty, and records with headers keep their place among those without.
pub(crate) fn headers_are_kept_in_order<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&topic)).unwrap();
    let header = |name, value| Header { name, value };
    let all: [&[Header<'_>]; 4] = [
        &[],
        &[header("b", b"1"), header("a", b""), header("b", &[0, 255])],
        &[],
        &[header("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
    ];
    for (number, headers) in all.iter().enumerate() {
        let value = number.to_string();
        writer.add(&Outgoing { headers, ..outgoing(0, b"key", value.as_bytes()) }).unwrap();
    }
    writer.commit(None).unwrap();
    let mut reader = bus.reader(&beginnings(&topic, 1), Until::End).unwrap();
    let mut number = 0;
    while !reader.is_at_end() {
        let records = reader.read(WAIT).unwrap();
        for index in 0..records.len() {
            assert_eq!(records.get(index).unwrap().value, Some(number.to_string().as_bytes()));
            assert_eq!(records.headers(index), all[number]);
            assert_eq!(records.topic(index), Some(topic.as_str()));
            number += 1;
        }
        assert_eq!(records.get(records.len()), None);
    }
    assert_eq!(number, 4);
}

/// Against a map that is kept beside: before compaction and after, with keys that were deleted and came again.
pub(crate) fn a_compacted_topic_restores_to_the_last_of_each_key<R: Rig>(rig: &R) {
    let mut random = Random::new("a_compacted_topic_restores_to_the_last_of_each_key");
    let topic = rig.quickly_compacted();
    let bus = rig.bus();
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&topic)).unwrap();
    let mut expected: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut written = 0;
    for round in 0..4 {
        for number in 0..500 {
            let key = random.below(40).to_string().into_bytes();
            let value = format!("{round}/{number}").into_bytes();
            let deletes = random.below(5) == 0;
            let value = (!deletes).then_some(value);
            let record = Outgoing { value: value.as_deref(), ..outgoing(0, &key, b"") };
            writer.add(&record).unwrap();
            written += 1;
            match value {
                Some(value) => expected.insert(key, value),
                None => expected.remove(&key),
            };
        }
        writer.commit(None).unwrap();
        // What is given up is compacted as little as it is read.
        writer.add(&outgoing(0, b"0", b"never")).unwrap();
        rig.push_to_log(&mut writer, &topic.partition(0));
        writer.abort().unwrap();
        assert_eq!(restored(&bus, &topic), expected, "round {round}");
    }
    drop(writer);
    rig.compact(&topic, written / 4);
    let mut found = restored(&bus, &topic);
    found.retain(|key, _| !key.starts_with(b"filler"));
    assert_eq!(found, expected, "after compaction");
}

fn restored(bus: &impl Bus, topic: &TopicName) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut map = BTreeMap::new();
    for record in read_all(bus, topic, 1) {
        match record.value {
            Some(value) => map.insert(record.key, value),
            None => map.remove(&record.key),
        };
    }
    map
}

/// Topics and partitions that there are not, before anything is read or written.
pub(crate) fn what_is_not_there_is_told<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 2);
    let missing = rig.topic_name("missing");
    let bus = rig.bus();
    let unknown = Error::UnknownTopic(missing.clone());
    assert_eq!(unknown.remedy(), Remedy::Stop);
    let start = |place: TopicPartition| bus.reader(&[(place, From::Beginning)], Until::End).err();
    assert_eq!(start(missing.partition(0)), Some(unknown.clone()));
    assert_eq!(bus.bounds(&missing.partition(0)).err(), Some(unknown.clone()));
    let topics = vec![topic.clone(), missing.clone()];
    assert_eq!(bus.writer(&rig.name("writer"), &topics).err(), Some(unknown.clone()));
    let group = Membership { group: rig.name("group"), name: None, topics };
    assert_eq!(bus.join(&group).err(), Some(unknown));
    let none = Error::UnknownPartition { partition: topic.partition(2), partitions: 2 };
    assert_eq!(none.remedy(), Remedy::Stop);
    assert_eq!(start(topic.partition(2)), Some(none.clone()));
    assert_eq!(bus.bounds(&topic.partition(2)).err(), Some(none.clone()));
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&topic)).unwrap();
    assert_eq!(writer.add(&outgoing(2, b"key", b"value")), Err(none));
    let found = bus.describe(&[missing, topic]).unwrap();
    assert_eq!(found[0], None);
    assert_eq!(found[1].as_ref().map(|found| found.partitions), Some(2));
}
