//! Whatever the bytes are, they are a record or an error, soon and in little memory: by hand and through serde alike,
//! and whoever's schema they claim. `tests/allocations.rs` counts the memory.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::arbitrary;
use crate::codec::framing::by_serde;
use crate::codec::schema::{Writer, released};
use crate::codec::*;

/// A body as a message that claims to be this record of ours.
fn framed(record: RecordSchema, body: &[u8]) -> Vec<u8> {
    let fingerprint = released().unwrap().own(record).unwrap().fingerprint;
    [&[0xc3, 0x01], &fingerprint[..], body].concat()
}

/// A change of bytes that somebody might make.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Put(Index, Vec<u8>),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    // Numbers that hurt: as long as they may be, longer, below zero, nothing in many bytes.
    let hurtful = prop_oneof![
        Just(vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
        Just(vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        Just(vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        Just(vec![0xfe, 0xff, 0xff, 0xff, 0x0f]),
        Just(vec![0x80, 0x00]),
        Just(vec![0x82, 0x80, 0x00]),
        Just(vec![0x01]),
        Just(vec![0x02]),
        Just(vec![0x00]),
    ];
    let bytes = prop_oneof![hurtful, vec(any::<u8>(), 1..4)];
    let change = prop_oneof![
        (any::<Index>(), 0..8_u8).prop_map(|(place, bit)| Change::Flip(place, bit)),
        (any::<Index>(), bytes.clone()).prop_map(|(place, bytes)| Change::Put(place, bytes)),
        (any::<Index>(), bytes).prop_map(|(place, bytes)| Change::Insert(place, bytes)),
        (any::<Index>(), 1..20_usize).prop_map(|(place, length)| Change::Remove(place, length)),
        (any::<Index>(), 1..40_usize).prop_map(|(place, length)| Change::Repeat(place, length)),
    ];
    vec(change, 1..4)
}

fn changed(mut body: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for change in changes {
        if body.is_empty() {
            return body;
        }
        let until = |place: usize, length: usize, body: &[u8]| (place + length).min(body.len());
        match change {
            Change::Flip(place, bit) => *place.get_mut(&mut body[..]) ^= 1 << bit,
            Change::Put(place, bytes) => {
                let place = place.index(body.len());
                body.splice(place..until(place, bytes.len(), &body), bytes);
            }
            Change::Insert(place, bytes) => {
                let place = place.index(body.len());
                body.splice(place..place, bytes);
            }
            Change::Remove(place, length) => {
                let place = place.index(body.len());
                body.drain(place..until(place, length, &body));
            }
            Change::Repeat(place, length) => {
                let place = place.index(body.len());
                let again = body[place..until(place, length, &body)].to_vec();
                body.splice(place..place, again);
            }
        }
    }
    body
}

/// What the two ways of reading say of bytes: nothing where they are a record.
type Verdicts = [Option<Error>; 2];

/// How both ways read a body as some record.
type Reader = fn(&Codec, &[u8]) -> Verdicts;

macro_rules! of_every {
    ($($record:ident $schema:ident $type:ty,)*) => {
        /// How each record is read, by its name.
        const READERS: &[(RecordSchema, Reader)] = &[$((RecordSchema::$schema, read::$record)),*];

        /// Reads a body both ways, and looks whether they agree.
        mod read {
            use super::*;
            $(
                pub(super) fn $record(codec: &Codec, body: &[u8]) -> Verdicts {
                    let message = framed(RecordSchema::$schema, body);
                    let by_hand = codec.decode::<$type>(&message);
                    let through_serde = codec.decode_by_serde::<$type>(&message);
                    if let (Ok(by_hand), Ok(through_serde)) = (&by_hand, &through_serde) {
                        assert_eq!(by_hand, through_serde);
                    }
                    for record in [&by_hand, &through_serde].into_iter().flatten() {
                        // Others may write it otherwise; from us it always has the same bytes.
                        let (mut once, mut twice) = (Buffer::new(), Buffer::new());
                        codec.encode(record, &mut once).unwrap();
                        let again: $type = codec.decode(once.as_slice()).unwrap();
                        assert_eq!(*record, again);
                        codec.encode(&again, &mut twice).unwrap();
                        assert_eq!(once.as_slice(), twice.as_slice());
                    }
                    [by_hand.err(), through_serde.err()]
                }
            )*
        }

        mod a_changed_record_is_a_record_or_an_error {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(500))]
                $(
                    #[test]
                    fn $record(record in arbitrary::$record(), changes in changes()) {
                        let codec = Codec::single_object().unwrap();
                        let body = changed(body(&record), changes);
                        agree(read::$record(&codec, &body))?;
                    }
                )*
            }
        }

        mod two_records_spliced_are_a_record_or_an_error {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(200))]
                $(
                    #[test]
                    fn $record(
                        (one, other) in (arbitrary::$record(), arbitrary::$record()),
                        (end, begin) in any::<(Index, Index)>(),
                    ) {
                        let codec = Codec::single_object().unwrap();
                        let (one, other) = (body(&one), body(&other));
                        let spliced = [&one[..end.index(one.len())], &other[begin.index(other.len())..]].concat();
                        agree(read::$record(&codec, &spliced))?;
                    }
                )*
            }
        }

        mod a_record_that_is_cut_off_is_an_error {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(30))]
                $(
                    #[test]
                    fn $record(record in arbitrary::$record()) {
                        let codec = Codec::single_object().unwrap();
                        let body = body(&record);
                        for length in 0..body.len() {
                            let [by_hand, through_serde] = read::$record(&codec, &body[..length]);
                            prop_assert!(by_hand.is_some() && through_serde.is_some(), "{length}");
                        }
                    }
                )*
            }
        }

        mod bytes_after_the_end_are_an_error {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(50))]
                $(
                    #[test]
                    fn $record(record in arbitrary::$record(), more in vec(any::<u8>(), 1..50)) {
                        let codec = Codec::single_object().unwrap();
                        let body = [body(&record), more.clone()].concat();
                        for error in read::$record(&codec, &body) {
                            let Some(Error::Malformed { why: Malformed::Trailing(length), .. }) = error else {
                                panic!("{error:?}");
                            };
                            prop_assert_eq!(length, more.len());
                        }
                    }
                )*
            }
        }
    };
}

of_every! {
    event Event Event<'_>,
    command Command Command<'_>,
    decision Decision Decision<'_>,
    state State State<'_>,
    snapshot_chunk SnapshotChunk SnapshotChunk<'_>,
    manifest Manifest Manifest<'_>,
    rule Rule RevisionRule,
    vocabulary Vocabulary VocabularyPart,
    directory_entry DirectoryEntry DirectoryEntry<'_>,
    position Position Position<'_>,
    dead_letter DeadLetter DeadLetter<'_>,
}

fn body<'b, R: Record<'b>>(record: &R) -> Vec<u8> {
    let (codec, mut buffer) = (Codec::single_object().unwrap(), Buffer::new());
    let framing = codec.encode(record, &mut buffer).unwrap();
    buffer.as_slice()[framing..].to_vec()
}

/// What one way reads the other reads too. But the library takes a number for one whose 65th bit is set.
fn agree([by_hand, through_serde]: Verdicts) -> Result<(), TestCaseError> {
    let too_long = matches!(by_hand, Some(Error::Malformed { why: Malformed::Number, .. }));
    prop_assert!(
        by_hand.is_some() == through_serde.is_some() || too_long,
        "{:?} and {:?}",
        by_hand,
        through_serde
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_bytes_are_a_record_or_an_error(
        body in prop_oneof![vec(any::<u8>(), 0..300), vec(0..8_u8, 0..300), vec(prop_oneof![Just(0_u8), Just(2)], 0..300)],
    ) {
        let codec = Codec::single_object().unwrap();
        for (_, read) in READERS {
            agree(read(&codec, &body))?;
        }
    }

    #[test]
    fn any_message_is_a_record_or_an_error(
        header in prop_oneof![Just(vec![]), Just(vec![0]), Just(vec![0xc3]), Just(vec![0xc3, 0x01])],
        rest in vec(any::<u8>(), 0..30),
    ) {
        let codec = Codec::single_object().unwrap();
        let message = [header, rest].concat();
        let error = codec.decode::<Event<'_>>(&message).unwrap_err();
        let known = match message[..] {
            [0, _, _, _, _, ..] => matches!(error, Error::NoRegistry(_)),
            [0xc3, 0x01, _, _, _, _, _, _, _, _, ..] => matches!(error, Error::UnknownFingerprint(_)),
            _ => matches!(error, Error::Framing),
        };
        prop_assert!(known, "{error:?}");
    }
}

/// A record of a mebibyte is read, one byte more is not looked at.
#[test]
fn a_record_that_is_too_large_is_not_read() {
    let codec = Codec::single_object().unwrap();
    let mut message = framed(RecordSchema::Position, &[2, 2]);
    message.resize(RECORD_BYTES_MAX, 0);
    assert!(!matches!(codec.decode::<Position<'_>>(&message), Err(Error::TooLarge(_))));
    message.push(0);
    assert!(
        matches!(codec.decode::<Position<'_>>(&message), Err(Error::TooLarge(length)) if length == message.len())
    );
}

/// Messages that were made by hand, or found: `tests/corpus/codec`. The first line of each says what it is, the second
/// as what it is read and what is said of it then; the rest is its Avro body. Each is read as every record.
#[test]
fn the_corpus_is_read_as_it_always_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/codec");
    let codec = Codec::single_object().unwrap();
    let (mut count, mut wrong) = (0, String::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.lines();
        let mut comment = || lines.next().and_then(|line| line.strip_prefix("# ")).expect(name);
        let (_, expected) = (comment(), comment());
        let (record, expected) = expected.split_once(": ").expect(name);
        let digits: String = lines.collect();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect(name);
        let body: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        let mut is_read = false;
        for (known, read) in READERS {
            let verdicts = read(&codec, &body);
            if known.name() != record {
                continue;
            }
            is_read = true;
            let [by_hand, through_serde] = &verdicts;
            let said = match by_hand {
                None => "a record".to_owned(),
                Some(Error::Malformed { why, .. }) => why.to_string(),
                Some(other) => other.to_string(),
            };
            if said != expected {
                writeln!(wrong, "{name}: {said}, not {expected}").unwrap();
            }
            if by_hand.is_some() != through_serde.is_some() {
                writeln!(wrong, "{name}: through serde {through_serde:?}").unwrap();
            }
        }
        assert!(is_read, "{name}: there is no record {record}");
        count += 1;
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(count > 50, "only {count} files were read");
}

/// A schema of a Position that has this field too.
fn position_with(field: &str) -> String {
    let own = RELEASED.iter().find(|released| released.record == RecordSchema::Position).unwrap().text;
    let end = own.rfind(']').unwrap();
    format!("{}, {{\"name\": \"more\", \"type\": {field}}} ] }}", &own[..end])
}

fn record(name: &str, fields: &[String]) -> String {
    let fields: Vec<_> = fields
        .iter()
        .enumerate()
        .map(|(number, of)| format!(r#"{{"name": "f{number}", "type": {of}}}"#))
        .collect();
    format!(r#"{{"type": "record", "name": "{name}", "fields": [{}]}}"#, fields.join(", "))
}

fn some(kind: &str, count: usize) -> Vec<String> {
    vec![format!("\"{kind}\""); count]
}

/// Records within records, each two of the one before: few bytes of schema, much work.
fn doubled(depth: usize) -> String {
    let level = |level: usize| match level.checked_sub(1) {
        None => record("L0", &[]),
        Some(below) => record(&format!("L{level}"), &some(&format!("L{below}"), 2)),
    };
    record("Levels", &(0..depth).map(level).collect::<Vec<_>>())
}

/// As deep as a schema that is accepted can be: groups of records within records, each group around the one before.
fn deep() -> String {
    const GROUPS: usize = 24;
    const LEVELS: usize = 29;
    let group = |group: usize| {
        let innermost = match group.checked_sub(1) {
            None => "\"boolean\"".to_owned(),
            Some(before) => format!("\"G{before}L0\""),
        };
        (0..LEVELS).rev().fold(innermost, |within, level| record(&format!("G{group}L{level}"), &[within]))
    };
    record("Groups", &(0..GROUPS).map(group).collect::<Vec<_>>())
}

const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_schema_that_would_make_a_reader_work_without_end_is_refused() {
    fn costly(error: &SchemaError) -> bool {
        matches!(error, SchemaError::Costly)
    }
    fn recursive(error: &SchemaError) -> bool {
        matches!(error, SchemaError::Recursive(name) if name.ends_with("List"))
    }
    fn not_avro(error: &SchemaError) -> bool {
        matches!(error, SchemaError::Avro(_))
    }
    fn too_large(error: &SchemaError) -> bool {
        matches!(error, SchemaError::TooLarge(300_000))
    }
    let array = |items: &str| format!(r#"{{"type": "array", "items": {items}}}"#);
    let nested = |open: &str, close: &str| open.repeat(10_000) + "\"null\"" + &close.repeat(10_000);
    type IsRight = fn(&SchemaError) -> bool;
    let cases: &[(&str, String, IsRight)] = &[
        ("nothing", String::new(), not_avro),
        ("no JSON", "{".to_owned(), not_avro),
        ("another JSON", "[1, 2]".to_owned(), not_avro),
        ("no such type", position_with("\"Nowhere\""), not_avro),
        ("a union within a union", position_with(r#"["null", ["int", "string"]]"#), not_avro),
        ("a field twice", record("Position", &some("int", 2)).replace("f1", "f0"), not_avro),
        (
            "two types of one name",
            record("Position", &[record("A", &[]), record("A", &some("int", 1))]),
            not_avro,
        ),
        (
            "a fixed of less than nothing",
            position_with(r#"{"type": "fixed", "name": "F", "size": -1}"#),
            not_avro,
        ),
        ("a list", position_with(&record("List", &[r#"["null", "List"]"#.to_owned()])), recursive),
        ("a tree", position_with(&record("List", &[array("\"List\"")])), recursive),
        (
            "a map of itself",
            position_with(&record("List", &[r#"{"type": "map", "values": "List"}"#.to_owned()])),
            recursive,
        ),
        ("itself at once", position_with(&record("List", &some("List", 1))), recursive),
        ("an array of nothing", position_with(&array("\"null\"")), costly),
        ("an array of records of nothing", position_with(&array(&record("E", &[]))), costly),
        (
            "an array of bytes of which there are none",
            position_with(&array(r#"{"type": "fixed", "name": "F", "size": 0}"#)),
            costly,
        ),
        ("an array of arrays of nothing", position_with(&array(&array("\"null\""))), costly),
        (
            "an array of much that takes no bytes, and a boolean",
            position_with(&array(&record("M", &[some("null", 100), some("boolean", 1)].concat()))),
            costly,
        ),
        ("records doubled 40 times", position_with(&doubled(40)), costly),
        (
            "ten thousand nulls",
            position_with(&record(
                "Nulls",
                &[vec![record("N", &some("null", 100))], some("N", 100)].concat(),
            )),
            costly,
        ),
        (
            "a fixed of 2^40",
            position_with(r#"{"type": "fixed", "name": "F", "size": 1099511627776}"#),
            costly,
        ),
        (
            "a record that the library reads as a tuple",
            position_with(&record("T", &some("int", 1)).replacen(
                '{',
                r#"{"org.apache.avro.rust.tuple": true, "#,
                1,
            )),
            costly,
        ),
        (
            "arrays 10,000 deep",
            position_with(&nested(r#"{"type": "array", "items": "#, "}")),
            too_large_or_not_avro,
        ),
        ("brackets 10,000 deep", nested("[", "]"), not_avro),
        ("300 kB", " ".repeat(300_000), too_large),
    ];
    for (what, text, is_right) in cases {
        let began = Instant::now();
        let error = Writer::of_other(text).map(|_| ()).expect_err(what);
        assert!(is_right(&error), "{what}: {error:?}");
        assert!(began.elapsed() < SOON, "{what}: {:?}", began.elapsed());
        assert!(error.to_string().len() < 10_000, "{what}: {error}");
    }
}

fn too_large_or_not_avro(error: &SchemaError) -> bool {
    matches!(error, SchemaError::TooLarge(_) | SchemaError::Avro(_))
}

/// What is hardest of what is accepted: as many steps for a byte as may be, as deep as may be.
#[test]
fn a_schema_that_is_accepted_makes_no_message_take_long() {
    let array = |items: &str| format!(r#"{{"type": "array", "items": {items}}}"#);
    let position = [&[2, 8][..], b"main", &[2, 2, b'w', 0, 0]].concat();
    let count = |n: i64| {
        let (mut bytes, mut rest) = (Vec::new(), (n << 1) as u64);
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes
    };
    let room = (RECORD_BYTES_MAX - 100) as i64;
    let items = |number: i64, item: &[u8]| [count(number), item.repeat(number as usize), vec![0]].concat();
    let cases = [
        (
            "62 steps for a byte",
            array(&record("M", &[some("null", 61), some("boolean", 1)].concat())),
            items(room, &[0]),
        ),
        ("arrays of nothing in arrays", array(&array("\"int\"")), items(room, &[0])),
        ("blocks of one", array("\"int\""), [[2, 0].repeat(room as usize / 2), vec![0]].concat()),
        ("maps of empty names", r#"{"type": "map", "values": "null"}"#.to_owned(), items(room, &[0])),
        ("texts of a byte", array("\"string\""), items(room / 2, &[2, b'x'])),
        ("as deep as can be", deep(), vec![0; 24]),
        (
            "nulls around nulls",
            array(&record("N", &vec![r#"["null", "string"]"#.to_owned(); 30])),
            items(room / 30, &[0; 30]),
        ),
    ];
    for (what, field, more) in cases {
        let writer =
            Writer::of_other(&position_with(&field)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let body = [&position[..], &more].concat();
        assert!(body.len() <= RECORD_BYTES_MAX, "{what}: {}", body.len());
        let began = Instant::now();
        let read: Position<'_> = by_serde(&writer, &body).unwrap_or_else(|error| panic!("{what}: {error}"));
        println!("{what}: {} bytes in {:?}", body.len(), began.elapsed());
        assert!(began.elapsed() < SOON, "{what}: {:?}", began.elapsed());
        assert_eq!((&*read.account.name.to_string(), &*read.writer), ("main", "w"));
        // And where it ends too soon.
        let began = Instant::now();
        by_serde::<Position<'_>>(&writer, &body[..body.len() - 1]).unwrap_err();
        assert!(began.elapsed() < SOON, "{what}: {:?}", began.elapsed());
    }
}

/// The privacy setting may keep a payload out of a dead letter; its message must not bring it back.
#[test]
fn an_error_quotes_no_text_of_the_record() {
    let schema =
        r#"{"type": "record", "name": "Position", "fields": [{"name": "read_at", "type": "string"}]}"#;
    let writer = Writer::of_other(schema).unwrap();
    let mut body = vec![2 * 29];
    body.extend(br#"Ada "the Countess" Lovelace !"#);
    let error = by_serde::<Position<'_>>(&writer, &body).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("Position") && !message.contains("Ada") && !message.contains("Lovelace"),
        "{message}"
    );
}

/// A status of another kind must not pass for a Salesforce status without an id, which is Offline.
#[test]
fn a_salesforce_status_that_says_nothing_of_its_id_is_an_error() {
    let event = RELEASED.iter().find(|released| released.record == RecordSchema::Event).unwrap();
    let other = event.text.replace(r#""name": "presence_status_id""#, r#""name": "another""#);
    assert_ne!(other, event.text);
    let writer = Writer::of_other(&other).unwrap();
    let mut runner = TestRunner::deterministic();
    let seen = (0..10_000)
        .map(|_| arbitrary::event().new_tree(&mut runner).unwrap().current())
        .find(|event| matches!(&event.what, What::Observation(seen) if seen.status.salesforce().is_some()))
        .unwrap();
    let error = by_serde::<Event<'_>>(&writer, &body(&seen)).unwrap_err();
    assert!(error.to_string().contains("missing field `presence_status_id`"), "{error}");
}
