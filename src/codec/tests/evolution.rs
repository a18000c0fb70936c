//! How schemas evolve: every reader reads every version, and what a reader cannot know it skips, takes for the default
//! of its enum, or stops at. The next version of every schema is rehearsed here before there is one.

use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::ResolvedSchema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use apache_avro::types::Value;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};

use super::arbitrary;
use super::released::{definitions, only_adds};
use crate::codec::framing::by_serde;
use crate::codec::schema::{Writer, released};
use crate::codec::*;
use crate::domain::{Cause, Feed, Remedy};
use crate::engine::{self, Verdict};

/// The next version of a schema, as far as its rules let it go: every enum has a symbol more, every record a field
/// more, which holds whatever Avro has.
fn next_version(text: &str) -> String {
    fn grow(json: &mut Json, defined: &mut bool) {
        match json {
            Json::Array(branches) => branches.iter_mut().for_each(|branch| grow(branch, defined)),
            Json::Object(object) => {
                for part in ["type", "items"] {
                    if let Some(inner @ (Json::Object(_) | Json::Array(_))) = object.get_mut(part) {
                        grow(inner, defined);
                    }
                }
                if let Some(symbols) = object.get_mut("symbols").and_then(Json::as_array_mut) {
                    symbols.push("NEW".into());
                }
                if let Some(fields) = object.get_mut("fields").and_then(Json::as_array_mut) {
                    fields.iter_mut().for_each(|field| grow(&mut field["type"], defined));
                    // A name is defined where it is met first.
                    let branch = if *defined { json!("Added") } else { added() };
                    *defined = true;
                    fields.push(json!({ "name": "added", "type": ["null", branch], "default": null }));
                }
            }
            _ => {}
        }
    }
    let mut root = serde_json::from_str(text).unwrap();
    grow(&mut root, &mut false);
    root.to_string()
}

fn added() -> Json {
    let field = |name: &str, of: Json| json!({ "name": name, "type": of });
    json!({ "type": "record", "name": "Added", "fields": [
        field("text", json!("string")),
        field("numbers", json!({ "type": "array", "items": "long" })),
        field("why", json!({ "type": "enum", "name": "AddedWhy", "symbols": ["UNKNOWN", "THIS", "THAT"] })),
        field("whys", json!({ "type": "array", "items": ["null", "AddedWhy"] })),
        field("hash", json!({ "type": "fixed", "name": "AddedHash", "size": 3 })),
        field("labels", json!({ "type": "map", "values": "string" })),
        field("nested", json!(["null", { "type": "record", "name": "AddedNested", "fields": [
            field("flag", json!("boolean")), field("ratio", json!("double")), field("share", json!("float")),
        ] }])),
        field("either", json!(["string", "int", "bytes"])),
        field("nothing", json!("null")),
        field("id", json!({ "type": "fixed", "name": "AddedId", "size": 16, "logicalType": "uuid" })),
        field("at", json!({ "type": "long", "logicalType": "timestamp-micros" })),
    ] })
}

/// A value of [`added`].
fn added_value(number: i64) -> Value {
    let some = |name: &str, value: Value| (name.to_owned(), value);
    let why = |n: u32| Value::Enum(n, ["UNKNOWN", "THIS", "THAT"][n as usize].to_owned());
    let nested = vec![
        some("flag", Value::Boolean(true)),
        some("ratio", Value::Double(0.5)),
        some("share", Value::Float(0.25)),
    ];
    Value::Record(vec![
        some("text", Value::String("ü".repeat(number as usize % 5))),
        some("numbers", Value::Array((0..number % 4).map(|n| Value::Long(n << 40)).collect())),
        some("why", why(number as u32 % 3)),
        some(
            "whys",
            Value::Array(vec![
                Value::Union(1, Box::new(why(2))),
                Value::Union(0, Box::new(Value::Null)),
                Value::Union(1, Box::new(why(1))),
            ]),
        ),
        some("hash", Value::Fixed(3, vec![1, 2, 3])),
        some("labels", Value::Map([("a".to_owned(), Value::String("b".to_owned()))].into())),
        some("nested", Value::Union(1, Box::new(Value::Record(nested)))),
        some(
            "either",
            match number % 3 {
                0 => Value::Union(0, Box::new(Value::String("text".to_owned()))),
                1 => Value::Union(1, Box::new(Value::Int(-7))),
                _ => Value::Union(2, Box::new(Value::Bytes(vec![0xff; 9]))),
            },
        ),
        some("nothing", Value::Null),
        some("id", Value::Fixed(16, vec![7; 16])),
        some("at", Value::TimestampMicros(number)),
    ])
}

/// A value of ours as one of the next version: each record has the new field, every other time with something in it.
fn grown(value: Value, number: &mut i64) -> Value {
    match value {
        Value::Record(fields) => {
            let mut fields: Vec<_> =
                fields.into_iter().map(|(name, value)| (name, grown(value, number))).collect();
            *number += 1;
            let new = match *number % 2 {
                0 => Value::Union(0, Box::new(Value::Null)),
                _ => Value::Union(1, Box::new(added_value(*number))),
            };
            fields.push(("added".to_owned(), new));
            Value::Record(fields)
        }
        Value::Union(branch, value) => Value::Union(branch, Box::new(grown(*value, number))),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| grown(item, number)).collect()),
        other => other,
    }
}

/// A value of the next version without what is new.
fn shrunk(value: Value, news: &mut Vec<Value>) -> Value {
    match value {
        Value::Record(mut fields) => {
            let (name, new) = fields.pop().unwrap();
            assert_eq!(name, "added");
            news.push(new);
            Value::Record(fields.into_iter().map(|(name, value)| (name, shrunk(value, news))).collect())
        }
        Value::Union(branch, value) => Value::Union(branch, Box::new(shrunk(*value, news))),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| shrunk(item, news)).collect()),
        other => other,
    }
}

/// A value of some version as one of an older version: a later one only adds.
fn older(value: Value, schema: &Schema) -> Value {
    fn within(value: Value, schema: &Schema, names: &ResolvedSchema<'_>) -> Value {
        match (value, schema) {
            (value, Schema::Ref { name }) => within(value, names.get_names()[name], names),
            (Value::Record(fields), Schema::Record(known)) => {
                let known = fields.into_iter().zip(&known.fields);
                Value::Record(
                    known.map(|((name, value), known)| (name, within(value, &known.schema, names))).collect(),
                )
            }
            (Value::Union(branch, value), Schema::Union(union)) => {
                let known = &union.variants()[branch as usize];
                Value::Union(branch, Box::new(within(*value, known, names)))
            }
            (Value::Array(items), Schema::Array(array)) => {
                Value::Array(items.into_iter().map(|item| within(item, &array.items, names)).collect())
            }
            (Value::Enum(index, _), Schema::Enum(known)) if index as usize >= known.symbols.len() => {
                Value::Enum(0, known.symbols[0].clone())
            }
            (value, _) => value,
        }
    }
    within(value, schema, &ResolvedSchema::try_from(schema).unwrap())
}

/// A value without statuses. The library resolves a union of records by their shape where Avro goes by their names,
/// and so takes a status of CXone for an Offline of Salesforce, all of whose fields may be absent.
fn without_statuses(value: Value) -> Value {
    match value {
        Value::Union(_, value) if matches!(&*value, Value::Record(fields) if is_status(fields)) => {
            Value::Null
        }
        Value::Record(fields) if is_status(&fields) => Value::Null,
        Value::Record(fields) => {
            Value::Record(fields.into_iter().map(|(name, value)| (name, without_statuses(value))).collect())
        }
        Value::Union(branch, value) => Value::Union(branch, Box::new(without_statuses(*value))),
        Value::Array(items) => Value::Array(items.into_iter().map(without_statuses).collect()),
        other => other,
    }
}

fn is_status(fields: &[(String, Value)]) -> bool {
    let first = fields.first().map(|(name, _)| name.as_str());
    first == Some("presence_status_id") || first == Some("state")
}

/// A schema of a record, twice: as the codec has it and as the library has it.
struct Version {
    record: RecordSchema,
    writer: Writer,
    schema: Schema,
    text: String,
}

/// The next version of every record's schema. Nothing else of these tests may ask for a schema of another writer
/// again and again: they are kept for good, and counted.
static NEXT: LazyLock<Vec<Version>> = LazyLock::new(|| {
    let newest = |record| RELEASED.iter().rfind(|released| released.record == record).unwrap();
    let next = |record| {
        let text = next_version(newest(record).text);
        let (writer, schema) = (Writer::of_other(&text).unwrap(), Schema::parse_str(&text).unwrap());
        Version { record, writer, schema, text }
    };
    RecordSchema::ALL.map(next).into()
});

/// Every released schema as the library has it.
static SCHEMAS: LazyLock<Vec<Schema>> =
    LazyLock::new(|| RELEASED.iter().map(|released| Schema::parse_str(released.text).unwrap()).collect());

fn next(record: RecordSchema) -> &'static Version {
    NEXT.iter().find(|version| version.record == record).unwrap()
}

fn own(record: RecordSchema) -> (&'static Writer, &'static Schema) {
    let index = RELEASED.iter().rposition(|released| released.record == record).unwrap();
    (released().unwrap().own(record).unwrap(), &SCHEMAS[index])
}

/// What bytes of one schema are for a reader that knows another one, as Avro resolves schemas.
fn resolved(from: &Schema, to: &Schema, body: &[u8]) -> Value {
    let reader = GenericDatumReader::builder(from).reader_schema(to).build().unwrap();
    reader.read_value(&mut &body[..]).unwrap()
}

/// The Avro body of a record.
fn body<'b, R: Record<'b>>(record: &R) -> Vec<u8> {
    let (codec, mut buffer) = (Codec::single_object().unwrap(), Buffer::new());
    let framing = codec.encode(record, &mut buffer).unwrap();
    buffer.as_slice()[framing..].to_vec()
}

/// A record as the library has it.
fn value<'b, R: Record<'b>>(record: &R) -> Value {
    own(R::SCHEMA).0.reader().read_value(&mut &body(record)[..]).unwrap()
}

macro_rules! of_every {
    ($($record:ident $type:ty,)*) => {
        mod every_released_version_is_read {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(100))]
                $(
                    #[test]
                    fn $record(record in arbitrary::$record()) {
                        let codec = Codec::single_object().unwrap();
                        let (ours, _) = own(<$type as Record<'_>>::SCHEMA);
                        for ((known, writer), schema) in released().unwrap().all.iter().zip(&*SCHEMAS) {
                            if *known != <$type as Record<'_>>::SCHEMA {
                                continue;
                            }
                            // As its writer would have written it, as far as he could have.
                            let written = older(value(&record), schema);
                            let bytes = writer.writer().write_value_to_vec(written.clone()).unwrap();
                            let read: $type = codec.decode_written_with(writer, &bytes).unwrap();
                            let through_serde: $type = by_serde(writer, &bytes).unwrap();
                            prop_assert_eq!(&read, &through_serde);
                            prop_assert_eq!(older(value(&read), schema), written);
                            if writer.fingerprint == ours.fingerprint {
                                prop_assert_eq!(&read, &record);
                            }
                        }
                    }
                )*
            }
        }

        mod the_next_version_is_read_as_what_is_known_of_it {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(100))]
                $(
                    #[test]
                    fn $record(record in arbitrary::$record(), mut number in 0_i64..100) {
                        let codec = Codec::single_object().unwrap();
                        let next = next(<$type as Record<'_>>::SCHEMA);
                        let written = grown(value(&record), &mut number);
                        prop_assert_eq!(older(written.clone(), own(next.record).1), value(&record));
                        let bytes = next.writer.writer().write_value_to_vec(written).unwrap();
                        let read: $type = codec.decode_written_with(&next.writer, &bytes).unwrap();
                        prop_assert_eq!(&read, &record);
                    }
                )*
            }
        }

        mod what_we_write_is_read_by_the_next_version {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(100))]
                $(
                    #[test]
                    fn $record(record in arbitrary::$record()) {
                        let next = next(<$type as Record<'_>>::SCHEMA);
                        let (_, newest) = own(<$type as Record<'_>>::SCHEMA);
                        let mut news = Vec::new();
                        let read = shrunk(resolved(newest, &next.schema, &body(&record)), &mut news);
                        prop_assert_eq!(without_statuses(read), without_statuses(value(&record)));
                        prop_assert!(!news.is_empty());
                        for new in news {
                            prop_assert_eq!(new, Value::Union(0, Box::new(Value::Null)));
                        }
                    }
                )*
            }
        }
    };
}

of_every! {
    event Event<'_>,
    command Command<'_>,
    decision Decision<'_>,
    state State<'_>,
    snapshot_chunk SnapshotChunk<'_>,
    manifest Manifest<'_>,
    rule RevisionRule,
    vocabulary VocabularyPart,
    directory_entry DirectoryEntry<'_>,
    position Position<'_>,
    dead_letter DeadLetter<'_>,
}

#[test]
fn all_versions_of_a_schema_read_one_another() {
    for (index, old) in RELEASED.iter().enumerate() {
        for (schema, new) in SCHEMAS.iter().zip(RELEASED).filter(|(_, new)| new.record == old.record) {
            let both = SchemaCompatibility::mutual_read(&SCHEMAS[index], schema);
            assert_eq!(both, Ok(Compatibility::Full), "{:?} {} and {}", old.record, old.version, new.version);
        }
        let next = next(old.record);
        assert_eq!(only_adds(old.text, &next.text), Ok(()), "{:?}", old.record);
        assert_ne!(next.writer.fingerprint, released().unwrap().all[index].1.fingerprint);
        let both = SchemaCompatibility::mutual_read(&SCHEMAS[index], &next.schema);
        assert_eq!(both, Ok(Compatibility::Full), "{:?} {} and the next one", old.record, old.version);
    }
}

/// Some record for which something holds, always the same one.
fn some<R: std::fmt::Debug>(records: impl Strategy<Value = R>, holds: impl Fn(&R) -> bool) -> R {
    let mut runner = TestRunner::deterministic();
    let mut tries = (0..10_000).map(|_| records.new_tree(&mut runner).unwrap().current());
    tries.find(holds).expect("there is no such record")
}

/// What stands under a name within a name in a value.
fn at<'v>(value: &'v mut Value, path: &[&str]) -> &'v mut Value {
    match (value, path) {
        (Value::Union(_, value), path) => at(value, path),
        (Value::Array(items), path) => at(&mut items[0], path),
        (Value::Record(fields), [name, rest @ ..]) => {
            at(&mut fields.iter_mut().find(|(n, _)| n == name).unwrap().1, rest)
        }
        (value, []) => value,
        (value, path) => panic!("{path:?} is not in {value:?}"),
    }
}

/// The index of the symbol that only the next version of a schema has.
fn index_of_new(record: RecordSchema, name: &str) -> u32 {
    let all = definitions(&next(record).text);
    let (_, definition) = all.iter().find(|(n, _)| n == name).unwrap();
    definition["symbols"].as_array().unwrap().len() as u32 - 1
}

/// Where an enum of this name stands.
type Places<'p> = &'p [(&'p str, &'p [&'p str])];

/// A record as the next version writes it, with the new symbol in some places, each an enum of that name.
fn with_new_symbols<'b, R: Record<'b>>(record: &R, places: Places<'_>) -> Vec<u8> {
    let mut value = grown(value(record), &mut 0);
    for (name, path) in places {
        let place = at(&mut value, path);
        assert!(matches!(place, Value::Enum(..)), "{path:?}: {place:?}");
        *place = Value::Enum(index_of_new(R::SCHEMA, name), "NEW".to_owned());
    }
    next(R::SCHEMA).writer.writer().write_value_to_vec(value).unwrap()
}

fn read_next<R: Record<'static>>(body: &[u8]) -> Result<R, Error> {
    by_serde(&next(R::SCHEMA).writer, body)
}

#[test]
fn a_new_symbol_is_the_default_of_its_enum() {
    let seen = some(arbitrary::event(), |event| {
        matches!(event.what, What::Observation(Observation { cause: Cause::Agent, found_by: Feed::Poll, .. }))
    });
    let places: Places<'_> = &[("Cause", &["observation", "cause"]), ("Feed", &["observation", "found_by"])];
    let mut expected = seen.clone();
    if let What::Observation(seen) = &mut expected.what {
        (seen.cause, seen.found_by) = (Cause::Unknown, Feed::Unknown);
    }
    assert_eq!(read_next::<Event<'_>>(&with_new_symbols(&seen, places)).unwrap(), expected);

    let answered = some(arbitrary::event(), |event| {
        matches!(event.what, What::Outcome(Outcome { verdict: Verdict::Accepted, .. }))
    });
    let mut expected = answered.clone();
    if let What::Outcome(outcome) = &mut expected.what {
        outcome.verdict = Verdict::Unknown;
    }
    let bytes = with_new_symbols(&answered, &[("Verdict", &["outcome", "verdict"])]);
    assert_eq!(read_next::<Event<'_>>(&bytes).unwrap(), expected);

    let held = some(arbitrary::event(), |event| {
        matches!(event.what, What::PlatformHeld(PlatformHeld { cause: HeldCause::Forbidden, .. }))
    });
    let mut expected = held.clone();
    if let What::PlatformHeld(held) = &mut expected.what {
        held.cause = HeldCause::Unknown;
    }
    let bytes = with_new_symbols(&held, &[("HeldCause", &["platform_held", "cause"])]);
    assert_eq!(read_next::<Event<'_>>(&bytes).unwrap(), expected);

    let decision = some(arbitrary::decision(), |decision| {
        decision.reason != DecidedAs::Unknown && decision.event_kind != EventKind::Unknown
    });
    let expected =
        Decision { reason: DecidedAs::Unknown, event_kind: EventKind::Unknown, ..decision.clone() };
    let bytes = with_new_symbols(&decision, &[("Reason", &["reason"]), ("EventKind", &["event_kind"])]);
    assert_eq!(read_next::<Decision<'_>>(&bytes).unwrap(), expected);

    let letter = some(arbitrary::dead_letter(), |letter| letter.cause == DeadCause::Refused);
    let expected = DeadLetter { cause: DeadCause::Unknown, ..letter.clone() };
    assert_eq!(
        read_next::<DeadLetter<'_>>(&with_new_symbols(&letter, &[("DeadCause", &["cause"])])).unwrap(),
        expected
    );

    let entry = some(arbitrary::directory_entry(), |entry| matches!(entry.entry, Entry::Code(_)));
    let expected = DirectoryEntry { entry: Entry::Unknown, ..entry.clone() };
    assert_eq!(
        read_next::<DirectoryEntry<'_>>(&with_new_symbols(&entry, &[("EntryKind", &["kind"])])).unwrap(),
        expected
    );
}

/// Where no default would be true, the reader does not guess.
#[test]
fn a_new_symbol_without_a_default_is_an_error_that_names_its_enum() {
    let event = |holds: fn(&Event<'_>) -> bool| some(arbitrary::event(), holds);
    let wake_up = event(|event| matches!(event.what, What::WakeUp(_)));
    let seen = event(|event| matches!(&event.what, What::Observation(seen) if seen.status.cxone().is_some()));
    let of_account = event(|event| event.account.is_some());
    let given_up = some(arbitrary::decision(), |decision| decision.cxone_given_up.is_some());
    let cases = [
        (
            "WakeCause",
            read_next::<Event<'_>>(&with_new_symbols(&wake_up, &[("WakeCause", &["wake_up", "cause"])]))
                .err(),
        ),
        (
            "CxoneState",
            read_next::<Event<'_>>(&with_new_symbols(
                &seen,
                &[("CxoneState", &["observation", "status", "state"])],
            ))
            .err(),
        ),
        (
            "Platform",
            read_next::<Event<'_>>(&with_new_symbols(&of_account, &[("Platform", &["account", "platform"])]))
                .err(),
        ),
        (
            "GivenUp",
            read_next::<Decision<'_>>(&with_new_symbols(&given_up, &[("GivenUp", &["cxone_given_up"])]))
                .err(),
        ),
    ];
    for (name, error) in cases {
        let error = error.unwrap_or_else(|| panic!("a {name} that nobody knows was read"));
        assert!(error.to_string().contains(&format!("{name} has no such symbol")), "{name}: {error}");
    }
}

/// Without the rule that has it, the revision would be another one.
#[test]
fn an_option_that_nobody_knows_stops_the_reader() {
    let rule = some(arbitrary::rule(), |_| true);
    let cases: [Places<'_>; 3] = [
        &[("OnConflict", &["on_conflict"])],
        &[("WhileOnContact", &["while_on_contact"])],
        &[("OnLogin", &["on_login"])],
    ];
    for places in cases {
        let error = read_next::<RevisionRule>(&with_new_symbols(&rule, places)).unwrap_err();
        assert!(matches!(error, Error::UnknownKind { record: "Rule", .. }), "{places:?}: {error}");
        assert_eq!(error.remedy(), Remedy::Stop);
    }
}

#[test]
fn an_unknown_kind_stops_the_reader() {
    for event in [
        some(arbitrary::event(), |event| matches!(event.what, What::Observation(_))),
        some(arbitrary::event(), |event| matches!(event.what, What::Activated(_))),
    ] {
        let error =
            read_next::<Event<'_>>(&with_new_symbols(&event, &[("EventKind", &["kind"])])).unwrap_err();
        assert!(matches!(&error, Error::UnknownKind { record: "Event", kind } if kind == "NEW"), "{error}");
        assert_eq!(error.remedy(), Remedy::Stop);
    }
    for command in [
        some(arbitrary::command(), |command| matches!(command.order, Order::Set(_))),
        some(arbitrary::command(), |command| matches!(command.order, Order::Void)),
    ] {
        let bytes = with_new_symbols(&command, &[("CommandKind", &["kind"])]);
        let error = read_next::<Command<'_>>(&bytes).unwrap_err();
        assert!(matches!(&error, Error::UnknownKind { record: "Command", kind } if kind == "NEW"), "{error}");
        assert_eq!(error.remedy(), Remedy::Stop);
    }
}

/// Whatever else there is in it that nobody knows: an event that was set aside as a dead letter would be lost to the
/// reader that is upgraded afterwards.
#[test]
fn an_unknown_kind_stops_the_reader_whatever_else_is_new() {
    let event = some(arbitrary::event(), |event| event.account.is_some());
    let bytes = with_new_symbols(&event, &[("EventKind", &["kind"]), ("Platform", &["account", "platform"])]);
    let error = read_next::<Event<'_>>(&bytes).unwrap_err();
    assert!(matches!(&error, Error::UnknownKind { kind, .. } if kind == "NEW"), "{error}");

    let command = some(
        arbitrary::command(),
        |command| matches!(&command.order, Order::Set(set) if set.status.cxone().is_some()),
    );
    let places: Places<'_> = &[("CommandKind", &["kind"]), ("CxoneState", &["set", "status", "state"])];
    let error = read_next::<Command<'_>>(&with_new_symbols(&command, places)).unwrap_err();
    assert!(matches!(&error, Error::UnknownKind { kind, .. } if kind == "NEW"), "{error}");
}

const NEWER: u16 = engine::VERSION + 1;

fn is_newer_engine(error: &Error) -> bool {
    let newer = matches!(error, Error::NewerEngine { record: "Event", found: NEWER, ours: engine::VERSION });
    newer && error.remedy() == Remedy::Stop
}

#[test]
fn an_event_of_a_newer_engine_stops_the_reader() {
    let codec = Codec::single_object().unwrap();
    for kind in 1..=15_u8 {
        let event = some(arbitrary::event(), |event| event.what.kind() as u8 == kind);
        let event = Event { engine_version: NEWER, ..event };
        let mut buffer = Buffer::new();
        codec.encode(&event, &mut buffer).unwrap();
        let error = codec.decode::<Event<'_>>(buffer.as_slice()).unwrap_err();
        assert!(is_newer_engine(&error), "{error}");
        let error = codec.decode_by_serde::<Event<'_>>(buffer.as_slice()).unwrap_err();
        assert!(is_newer_engine(&error), "{error}");
        let error = read_next::<Event<'_>>(&with_new_symbols(&event, &[])).unwrap_err();
        assert!(is_newer_engine(&error), "{error}");
    }
}

/// A newer engine may have a timer, or know a platform, that this one does not.
#[test]
fn an_event_of_a_newer_engine_stops_the_reader_whatever_else_is_new() {
    let newer =
        |holds: fn(&Event<'_>) -> bool| Event { engine_version: NEWER, ..some(arbitrary::event(), holds) };
    let cases: [(Event<'_>, Places<'_>); 4] = [
        (newer(|event| matches!(event.what, What::WakeUp(_))), &[("WakeCause", &["wake_up", "cause"])]),
        (newer(|event| event.account.is_some()), &[("Platform", &["account", "platform"])]),
        (newer(|_| true), &[("EventKind", &["kind"])]),
        (
            newer(|event| matches!(&event.what, What::Observation(seen) if seen.status.cxone().is_some())),
            &[("EventKind", &["kind"]), ("CxoneState", &["observation", "status", "state"])],
        ),
    ];
    for (event, places) in cases {
        let error = read_next::<Event<'_>>(&with_new_symbols(&event, places)).unwrap_err();
        assert!(is_newer_engine(&error), "{places:?}: {error}");
    }
}

#[test]
fn a_schema_that_is_not_at_hand_is_an_error_that_names_it() {
    let codec = Codec::single_object().unwrap();
    let event = some(arbitrary::event(), |_| true);
    let next = next(RecordSchema::Event);
    let body = with_new_symbols(&event, &[]);
    let single_object = [&[0xc3, 0x01], &next.writer.fingerprint[..], &body].concat();
    let error = codec.decode::<Event<'_>>(&single_object).unwrap_err();
    let named = u64::from_le_bytes(next.writer.fingerprint);
    assert!(matches!(error, Error::UnknownFingerprint(found) if found == named), "{error}");
    assert_eq!((error.remedy(), error.cause()), (Remedy::Reject, DeadCause::Schema));
    assert!(error.to_string().contains(&format!("{named:016x}")));

    let confluent = [&[0, 0, 0, 0x30, 0x39], &body[..]].concat();
    let error = codec.decode::<Event<'_>>(&confluent).unwrap_err();
    assert!(matches!(error, Error::NoRegistry(12_345)), "{error}");
    assert_eq!(error.remedy(), Remedy::Stop);
    assert!(error.to_string().contains("12345"));
}

/// A record of ours on the wrong topic is not taken for another one.
#[test]
fn another_record_is_not_read() {
    let codec = Codec::single_object().unwrap();
    let mut buffer = Buffer::new();
    codec.encode(&some(arbitrary::position(), |_| true), &mut buffer).unwrap();
    let error = codec.decode::<Event<'_>>(buffer.as_slice()).unwrap_err();
    let found = "lockstep.Position".to_owned();
    let other = SchemaError::OtherRecord { found, expected: "Event" };
    assert!(matches!(&error, Error::Schema(why) if *why == other), "{error}");
    assert_eq!(error.remedy(), Remedy::Reject);
}
