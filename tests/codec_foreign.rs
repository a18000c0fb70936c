//! Records in the hands of an Avro library that others wrote (fastavro, through `tests/foreign/avro.py`): it reads what
//! we write as what we meant, and what it writes we read, or refuse by the rule that is broken.
//! `LOCKSTEP_SEED=N` deals other records.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process;

use lockstep::codec::{
    Buffer, Codec, Command, DeadCause, DeadLetter, Decision, DirectoryEntry, Error, Event, Malformed,
    Manifest, Position, RELEASED, Record, RevisionRule, SnapshotChunk, State, VocabularyPart,
};
use lockstep::domain::Remedy;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

// Where the records of the codec's own tests look for what they are made of.
use lockstep::{codec, directory, domain, engine, rules};

#[allow(dead_code, reason = "the codec's own tests use parts of it")]
#[path = "../src/codec/tests/arbitrary.rs"]
mod arbitrary;
#[path = "foreign/golden.rs"]
mod golden;

/// So many records of each schema are dealt.
const RECORDS: usize = 60;

fn seed() -> u64 {
    std::env::var("LOCKSTEP_SEED").map_or(1, |seed| seed.parse().expect("LOCKSTEP_SEED is a number"))
}

/// What `avro.py` answers, a line for each record.
fn foreign(command: &str, arguments: &[&str], input: &[Value]) -> Vec<Value> {
    let Some(python) = std::env::var_os("LOCKSTEP_TEST_PYTHON") else {
        panic!(
            "LOCKSTEP_TEST_PYTHON is not set: run scripts/test, which builds the foreign Avro library first"
        );
    };
    let mut child = process::Command::new(python)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tests/foreign/avro.py", command, "schemas"])
        .args(arguments)
        .stdin(process::Stdio::piped())
        .stdout(process::Stdio::piped())
        .spawn()
        .expect("LOCKSTEP_TEST_PYTHON names a Python");
    let mut stdin = child.stdin.take().unwrap();
    let lines: String = input.iter().map(|line| format!("{line}\n")).collect();
    // It answers while it reads: written and read at once, neither waits for the other for good.
    let writing = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "avro.py {command}: {}", output.status);
    let answers = String::from_utf8(output.stdout).unwrap();
    answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn file_of(record: codec::RecordSchema) -> &'static str {
    FILES.iter().find(|(of, _)| *of == record).unwrap().1
}

/// A record in Avro single-object encoding.
fn framed<'b, R: Record<'b>>(record: &R) -> Vec<u8> {
    let mut buffer = Buffer::new();
    Codec::single_object().unwrap().encode(record, &mut buffer).unwrap();
    buffer.as_slice().to_vec()
}

fn through_us<'b, R: Record<'b> + PartialEq + std::fmt::Debug>(value: &'b [u8]) -> Result<Vec<u8>, Error> {
    let codec = Codec::single_object().unwrap();
    let record: Result<R, Error> = codec.decode(value);
    let by_serde: Result<R, Error> = codec.decode_by_serde(value);
    match (&record, &by_serde) {
        (Ok(record), Ok(by_serde)) => assert_eq!(record, by_serde),
        (record, by_serde) => {
            assert!(record.is_err() && by_serde.is_err(), "{record:?}, by serde {by_serde:?}")
        }
    }
    record.map(|record| framed(&record))
}

macro_rules! records {
    ($($record:ident $file:literal $arbitrary:ident $type:ty,)*) => {
        const FILES: &[(codec::RecordSchema, &str)] = &[$((codec::RecordSchema::$record, $file),)*];

        /// Records as they may be, the same for the same seed, each with the file of its schema.
        fn dealt() -> Vec<(&'static str, Vec<u8>)> {
            let seed: Vec<u8> = [seed(); 4].into_iter().flat_map(u64::to_le_bytes).collect();
            let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
            let mut runner = TestRunner::new_with_rng(Config::default(), random);
            let mut dealt = Vec::new();
            $(
                for _ in 0..RECORDS {
                    dealt.push(($file, framed(&arbitrary::$arbitrary().new_tree(&mut runner).unwrap().current())));
                }
            )*
            dealt
        }

        /// Reads a record of this schema, and writes it again.
        fn read_and_written(file: &str, value: &[u8]) -> Result<Vec<u8>, Error> {
            match file {
                $($file => through_us::<$type>(value),)*
                _ => panic!("{file} is the schema of no record"),
            }
        }
    };
}

records! {
    Event "event.v1.avsc" event Event<'_>,
    Command "command.v1.avsc" command Command<'_>,
    State "state.v1.avsc" state State<'_>,
    Decision "decision.v1.avsc" decision Decision<'_>,
    SnapshotChunk "snapshot_chunk.v1.avsc" snapshot_chunk SnapshotChunk<'_>,
    Manifest "manifest.v1.avsc" manifest Manifest<'_>,
    Rule "rule.v1.avsc" rule RevisionRule,
    Vocabulary "vocabulary.v1.avsc" vocabulary VocabularyPart,
    DirectoryEntry "directory_entry.v2.avsc" directory_entry DirectoryEntry<'_>,
    Position "position.v1.avsc" position Position<'_>,
    DeadLetter "dead_letter.v1.avsc" dead_letter DeadLetter<'_>,
}

/// By file: the fingerprint of its schema, as the library computes it.
fn fingerprints() -> BTreeMap<String, Vec<u8>> {
    let answers = foreign("fingerprint", &[], &[]);
    let line = |a: &Value| (a["schema"].as_str().unwrap().to_owned(), unhex(&a["fingerprint"]));
    answers.iter().map(line).collect()
}

/// Records that the library wrote, each in Avro single-object encoding with its fingerprint of the schema.
fn written_by_them(arguments: &[&str]) -> Vec<(String, Vec<u8>, Value)> {
    let fingerprints = fingerprints();
    let (seed, count) = (seed().to_string(), RECORDS.to_string());
    let arguments = [&["--seed", &seed, "--count", &count], arguments].concat();
    let written: Vec<_> = foreign("generate", &arguments, &[])
        .into_iter()
        .map(|line| {
            let file = line["schema"].as_str().unwrap().to_owned();
            let framed = [&[0xc3, 0x01], &*fingerprints[&file], &unhex(&line["hex"])].concat();
            (file, framed, line["value"].clone())
        })
        .collect();
    assert_eq!(written.len(), RECORDS * RELEASED.len());
    // What they write by an older version we write as the newest: that it is read, `codec/tests/evolution.rs` asks.
    written.into_iter().filter(|(file, ..)| FILES.iter().any(|(_, newest)| newest == file)).collect()
}

#[test]
fn they_read_what_we_meant() {
    let goldens = golden::all();
    let asked: Vec<Value> = goldens.iter().map(|golden| json!({ "framed": hex(&golden.framed) })).collect();
    let answers = foreign("decode", &[], &asked);
    assert_eq!(answers.len(), goldens.len());
    for (golden, answer) in goldens.iter().zip(&answers) {
        assert_eq!(answer["value"], golden.value, "{}: {answer}", golden.name);
        assert_eq!(answer["schema"], file_of(golden.record), "{}", golden.name);
    }
    let shown: BTreeSet<&str> = goldens.iter().map(|golden| file_of(golden.record)).collect();
    assert_eq!(shown.len(), FILES.len(), "a record without an example: {shown:?}");
    let kinds: BTreeSet<&str> = goldens.iter().filter_map(|golden| golden.value["kind"].as_str()).collect();
    assert_eq!(kinds.len(), 15 + 2 + 7, "a kind without an example: {kinds:?}");
}

/// With the framing and without it; and each byte as they would have written it themselves.
#[test]
fn they_read_whatever_we_write() {
    let dealt = dealt();
    let ask = |(file, framed): &(&str, Vec<u8>)| {
        [json!({ "framed": hex(framed) }), json!({ "schema": file, "hex": hex(&framed[10..]) })]
    };
    let asked: Vec<Value> = dealt.iter().flat_map(ask).collect();
    let answers = foreign("decode", &[], &asked);
    assert_eq!(answers.len(), 2 * RECORDS * FILES.len());
    for ((file, framed), pair) in dealt.iter().zip(answers.chunks(2)) {
        let seed = seed();
        for answer in pair {
            assert_eq!(answer["schema"], *file, "seed {seed}: {answer}: {}", hex(framed));
            assert_eq!(answer.get("error"), None, "seed {seed}: {}", hex(framed));
            assert_eq!(answer.get("rewritten"), None, "seed {seed}: {}", hex(framed));
        }
        assert_eq!(pair[0]["value"], pair[1]["value"], "seed {seed}: {}", hex(framed));
    }
}

#[test]
fn both_know_a_schema_by_the_same_fingerprint() {
    let mut theirs = fingerprints();
    theirs.retain(|file, _| FILES.iter().any(|(_, newest)| newest == file));
    let ours: BTreeMap<String, Vec<u8>> =
        dealt().into_iter().map(|(file, framed)| (file.to_owned(), framed[2..10].to_vec())).collect();
    assert_eq!(ours, theirs);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for released in RELEASED {
        let newest = file_of(released.record);
        let (name, _) = newest.split_once(".v").unwrap();
        let file = folder.join(format!("{name}.v{}.avsc", released.version));
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(text, released.text, "{:?}", released.record);
    }
}

#[test]
fn we_take_whatever_they_write_by_the_rules() {
    for (file, framed, value) in written_by_them(&["--valid"]) {
        assert_eq!(broken(&file, &value), BTreeSet::new(), "seed {}: {file}: {value}", seed());
        let again = read_and_written(&file, &framed);
        let again = again.unwrap_or_else(|error| panic!("seed {}: {file}: {error}: {value}", seed()));
        assert_eq!(hex(&again), hex(&framed), "seed {}: {file}: {value}", seed());
    }
}

/// What no type excludes and we refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Broken {
    /// A symbol is UNKNOWN where nothing could be done with it.
    Symbol,
    /// The kind of a record is UNKNOWN.
    Kind,
    /// Parts of a record do not fit one another.
    Contradiction,
}

#[test]
fn we_refuse_what_they_write_against_a_rule() {
    let mut told: BTreeMap<Option<Broken>, usize> = BTreeMap::new();
    for (file, framed, value) in written_by_them(&[]) {
        let broken = broken(&file, &value);
        let told_as = match read_and_written(&file, &framed) {
            Ok(_) => {
                assert_eq!(broken, BTreeSet::new(), "seed {}: {file} was taken: {value}", seed());
                None
            }
            Err(error) => {
                let told = broken_as(&error).unwrap_or_else(|| panic!("seed {}: {error}: {value}", seed()));
                assert!(broken.contains(&told), "seed {}: {file}: {error}, not {broken:?}: {value}", seed());
                Some(told)
            }
        };
        *told.entry(told_as).or_default() += 1;
    }
    assert_eq!(told.len(), 4, "seed {}: something never happened: {told:?}", seed());
}

fn broken_as(error: &Error) -> Option<Broken> {
    match (error, error.remedy(), error.cause()) {
        (Error::Malformed { why: Malformed::Symbol(_), .. }, Remedy::Reject, DeadCause::Malformed) => {
            Some(Broken::Symbol)
        }
        (Error::UnknownKind { .. }, Remedy::Stop, DeadCause::Unknown) => Some(Broken::Kind),
        (Error::Malformed { why: Malformed::Value(_), .. }, Remedy::Reject, DeadCause::Contradiction) => {
            Some(Broken::Contradiction)
        }
        _ => None,
    }
}

/// Fields whose symbol must be one that is known, by their names and some by the record they are in.
const STRICT: [&str; 10] = [
    "platform",
    "state",
    "salesforce_given_up",
    "cxone_given_up",
    "diverged",
    "on_conflict",
    "while_on_contact",
    "on_login",
    "wake_up.cause",
    "armed.cause",
];
/// Events of these kinds go to every partition.
const FOR_ALL: [&str; 4] = ["ACTIVATED", "ENGINE_VERSION", "PLATFORM_HELD", "PLATFORM_RESUMED"];
/// The first fields of an event; each one after them is for one kind.
const EVENT_HEAD: [&str; 7] = ["id", "kind", "agent", "account", "written_at", "writer", "engine_version"];

/// Every rule that a record breaks, by what it says alone.
fn broken(file: &str, value: &Value) -> BTreeSet<Broken> {
    let mut broken = BTreeSet::new();
    if has_unknown(value, "") {
        broken.insert(Broken::Symbol);
    }
    let kind = value["kind"].as_str().unwrap_or_default();
    if kind == "UNKNOWN" && file != "directory_entry.v2.avsc" {
        broken.insert(Broken::Kind);
    }
    let contradicts = match file {
        "event.v1.avsc" => {
            let records = value.as_object().unwrap().iter();
            let there: Vec<&str> = records
                .filter(|(name, record)| !EVENT_HEAD.contains(&name.as_str()) && !record.is_null())
                .map(|(name, _)| name.as_str())
                .collect();
            there != [payload(kind)] || value["agent"].is_null() != FOR_ALL.contains(&kind)
        }
        "command.v1.avsc" => {
            let (to, status) = (&value["to"], &value["set"]["status"]);
            let same_platform = (to.get("user_id").is_some()) == (status.get("presence_status_id").is_some());
            (kind == "SET") == value["set"].is_null() || (kind == "SET" && !same_platform)
        }
        "directory_entry.v2.avsc" => kind != "UNKNOWN" && value[payload(kind)].is_null(),
        "state.v1.avsc" => {
            let observed = &value["kept"]["busy"]["replaced"]["observed"];
            !observed.is_null() && observed["status"].get("presence_status_id").is_none()
        }
        // Of what they put there only this is a status of CXone.
        "rule.v1.avsc" => {
            let rows = value["salesforce_to_cxone"].as_array().unwrap();
            let foreign = ["Offline", "On Break", "Käsepause 🧀"];
            rows.iter().any(|row| foreign.contains(&row["to"].as_str().unwrap()))
        }
        _ => false,
    };
    if contradicts {
        broken.insert(Broken::Contradiction);
    }
    broken
}

/// The record that an event or an entry of this kind has.
fn payload(kind: &str) -> &'static str {
    let names = [
        "observation",
        "row_closed",
        "connected",
        "disconnected",
        "outcome",
        "wake_up",
        "linked",
        "unlinked",
        "team_moved",
        "forgotten",
        "activated",
        "platform_held",
        "platform_resumed",
        "retry",
        "link",
        "salesforce_user",
        "cxone_agent",
        "presence_status",
        "code",
        "team",
        "apart",
    ];
    let found = names.into_iter().find(|name| name.to_uppercase() == kind);
    found.unwrap_or(if kind == "ENGINE_VERSION" { "engine_raised" } else { "" })
}

fn has_unknown(value: &Value, record: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let is_strict = STRICT.contains(&name.as_str()) || STRICT.contains(&&*format!("{record}.{name}"));
            (value == "UNKNOWN" && is_strict) || has_unknown(value, name)
        }),
        Value::Array(items) => items.iter().any(|item| has_unknown(item, record)),
        _ => false,
    }
}
