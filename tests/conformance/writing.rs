//! Writing.

use lockstep::bus::{KEY_AND_HEADERS_BYTES_MAX, RECORD_BYTES_MAX};
use lockstep::domain::Remedy;

use super::*;

/// All that a transaction wrote to several topics and how far its member read are seen together, or not at all.
pub(crate) fn outputs_and_offsets_are_committed_as_one<R: Rig>(rig: &R) {
    let input = rig.topic("events", 2);
    let outputs = [rig.topic("state", 2), rig.topic("decisions", 2)];
    let bus = rig.bus();
    let member = join(&bus, &membership(rig, &input, Some("member")), 2);
    let mut writer = bus.writer(&rig.name("writer"), &outputs).unwrap();
    let places = [input.partition(0), input.partition(1)];
    assert_eq!(member.committed(&places, PATIENCE).unwrap(), [None, None]);
    // Metadata is text; some of it is long, some is empty, some is not ASCII.
    let long = "0123456789abcdef".repeat(16);
    for (round, metadata) in ["", "hash=0f1e;epoch=7", "Für später: ☕", &long].into_iter().enumerate() {
        let round = round as u64;
        for topic in 0..2 {
            let value = round.to_string();
            writer.add(&Outgoing { topic, ..outgoing(1, b"key", value.as_bytes()) }).unwrap();
        }
        let before = member.committed(&places, PATIENCE).unwrap();
        let all =
            [progress(places[0].clone(), 10 + round, metadata), progress(places[1].clone(), 20 + round, "")];
        if round % 2 == 1 {
            rig.push_to_log(&mut writer, &outputs[0].partition(1));
            writer.abort().unwrap();
            assert_eq!(member.committed(&places, PATIENCE).unwrap(), before, "an abort committed offsets");
            continue;
        }
        writer.commit(Some((&member, &all))).unwrap();
        let committed = member.committed(&places, PATIENCE).unwrap();
        for (committed, progress) in committed.iter().zip(&all) {
            let committed = committed.as_ref().unwrap();
            assert_eq!((committed.next, &committed.metadata), (progress.next, &progress.metadata));
        }
    }
    for output in &outputs {
        let texts: Vec<String> = read_all(&bus, output, 2).iter().map(Owned::text).collect();
        assert_eq!(texts, ["0", "2"], "{output}");
    }
}

/// Whether it was pushed or not, and whatever is committed before and after.
pub(crate) fn what_was_aborted_is_never_seen<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&topic)).unwrap();
    let mut expected = Vec::new();
    for number in 0..30 {
        let text = number.to_string();
        writer.add(&outgoing(0, b"key", text.as_bytes())).unwrap();
        if number % 2 == 0 {
            rig.push_to_log(&mut writer, &topic.partition(0));
        }
        if number % 3 == 0 {
            writer.commit(None).unwrap();
            expected.push(text);
        } else {
            writer.abort().unwrap();
        }
    }
    assert_eq!(texts(&bus, &topic), expected);
}

/// What comes after it waits as well; who reads to the end ends before it.
pub(crate) fn what_is_open_is_not_seen_until_it_is_committed<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    write(rig, &topic, 0, &["committed"]);
    let mut open = bus.writer(&rig.name("open"), std::slice::from_ref(&topic)).unwrap();
    open.add(&outgoing(0, b"key", b"open")).unwrap();
    rig.push_to_log(&mut open, &topic.partition(0));
    let mut other = bus.writer(&rig.name("other"), std::slice::from_ref(&topic)).unwrap();
    other.add(&outgoing(0, b"key", b"other")).unwrap();
    other.commit(None).unwrap();
    let seen = texts(&bus, &topic);
    assert!(!seen.contains(&"open".to_owned()), "{seen:?}");
    assert_eq!(seen[0], "committed");
    // Who has to know that there is more can know it.
    let place = topic.partition(0);
    let ends = || (bus.bounds(&place).unwrap().end, bus.log_ends(std::slice::from_ref(&place)).unwrap()[0]);
    let (readable, written) = ends();
    assert_eq!(rig.log_end(&place).is_some(), readable < written, "{readable} of {written}");
    open.commit(None).unwrap();
    let (readable, written) = ends();
    assert_eq!(readable, written);
    let mut seen = texts(&bus, &topic);
    seen.sort();
    assert_eq!(seen, ["committed", "open", "other"]);
}

/// A record of the largest size comes back as it was; a larger one is refused before it is written, and hinders nothing.
pub(crate) fn one_mebibyte_passes_and_more_is_refused<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&topic)).unwrap();
    let mut random = Random::new("one_mebibyte_passes_and_more_is_refused");
    // Not to be compressed.
    let bytes: Vec<u8> = (0..=RECORD_BYTES_MAX).map(|_| random.below(256) as u8).collect();
    let largest = &bytes[..RECORD_BYTES_MAX];
    let long_key = &bytes[..KEY_AND_HEADERS_BYTES_MAX];
    writer.add(&outgoing(0, b"first", largest)).unwrap();
    for (key, value) in [(&b"key"[..], &bytes[..]), (&bytes[..=KEY_AND_HEADERS_BYTES_MAX], b"value")] {
        let error = writer.add(&outgoing(0, key, value)).unwrap_err();
        let (value_bytes, key_bytes) = (value.len(), key.len());
        assert_eq!(error, Error::TooLarge { topic: topic.clone(), value_bytes, key_bytes });
        assert_eq!(error.remedy(), Remedy::Reject);
    }
    writer.add(&outgoing(0, long_key, largest)).unwrap();
    let with_header = [Header { name: "n", value: &long_key[2..] }];
    writer.add(&Outgoing { headers: &with_header, ..outgoing(0, b"k", largest) }).unwrap();
    writer.add(&outgoing(0, b"", b"")).unwrap();
    writer.add(&Outgoing { value: None, ..outgoing(0, b"gone", b"") }).unwrap();
    writer.commit(None).unwrap();
    let all = read_all(&bus, &topic, 1);
    let found: Vec<(&[u8], Option<&[u8]>)> =
        all.iter().map(|record| (&*record.key, record.value.as_deref())).collect();
    let expected: [(&[u8], Option<&[u8]>); 5] = [
        (b"first", Some(largest)),
        (long_key, Some(largest)),
        (b"k", Some(largest)),
        (b"", Some(b"")),
        (b"gone", None),
    ];
    assert!(found == expected, "{} records, or other bytes", all.len());
}

/// Of two writers of an identity one goes on, and the other is told that it is not the one.
pub(crate) fn of_two_owners_one_goes_on<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let (bus, other_bus) = (rig.bus(), rig.bus());
    let identity = rig.name("identity");
    let mut first = bus.writer(&identity, std::slice::from_ref(&topic)).unwrap();
    first.add(&outgoing(0, b"key", b"open when the second came")).unwrap();
    rig.push_to_log(&mut first, &topic.partition(0));
    let second = other_bus.writer(&identity, std::slice::from_ref(&topic));
    let fenced = Error::Fenced { identity };
    assert_eq!(fenced.remedy(), Remedy::Stop);
    match second {
        Ok(mut second) => {
            second.add(&outgoing(0, b"key", b"of the second")).unwrap();
            second.commit(None).unwrap();
            assert_eq!(first.commit(None), Err(fenced.clone()));
            assert_eq!(first.abort(), Err(fenced.clone()), "it must not become the writer again");
            assert_eq!(
                first.add(&outgoing(0, b"key", b"of the fenced")).and_then(|()| first.commit(None)),
                Err(fenced)
            );
            second.add(&outgoing(0, b"key", b"and again")).unwrap();
            second.commit(None).unwrap();
            assert_eq!(texts(&bus, &topic), ["of the second", "and again"]);
        }
        Err(error) => {
            assert_eq!(error, fenced);
            first.commit(None).unwrap();
            assert_eq!(texts(&bus, &topic), ["open when the second came"]);
        }
    }
}

/// Who asks whether it still is the writer is told so, and nothing of the question is ever seen.
pub(crate) fn a_writer_knows_whether_it_is_the_one<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let (bus, other_bus) = (rig.bus(), rig.bus());
    let identity = rig.name("identity");
    let mut first = bus.writer(&identity, std::slice::from_ref(&topic)).unwrap();
    first.confirm().unwrap();
    first.add(&outgoing(0, b"key", b"a")).unwrap();
    first.commit(None).unwrap();
    first.confirm().unwrap();
    if let Ok(mut second) = other_bus.writer(&identity, std::slice::from_ref(&topic)) {
        assert_eq!(first.confirm(), Err(Error::Fenced { identity }));
        second.confirm().unwrap();
        second.add(&outgoing(0, b"key", b"b")).unwrap();
        second.commit(None).unwrap();
        assert_eq!(texts(&bus, &topic), ["a", "b"]);
    } else {
        first.confirm().unwrap();
        assert_eq!(texts(&bus, &topic), ["a"]);
    }
}

/// Committing or giving up nothing is none of anybody's business.
pub(crate) fn nothing_is_a_transaction_too<R: Rig>(rig: &R) {
    let topic = rig.topic("events", 1);
    let bus = rig.bus();
    let mut writer = bus.writer(&rig.name("writer"), std::slice::from_ref(&topic)).unwrap();
    writer.push().unwrap();
    writer.abort().unwrap();
    writer.commit(None).unwrap();
    writer.commit(None).unwrap();
    writer.abort().unwrap();
    writer.add(&outgoing(0, b"key", b"a")).unwrap();
    writer.commit(None).unwrap();
    assert_eq!(texts(&bus, &topic), ["a"]);
}
