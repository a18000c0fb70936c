//! `lockstep bench codec`: from the bytes of an event to those of what comes of it, and each record by itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use clap::Args;
use serde::Serialize;

use lockstep::codec::{
    self, Buffer, Command, DeadCause, DeadLetter, Decision, DirectoryEntry, Entry, Event, Manifest, Operator,
    Part, Position, RELEASED, Record, RecordSchema, RevisionRule, Sha256, SnapshotChunk, SnapshotState,
    State, StateHash, UserEntry, Uuid, VocabularyPart,
};
use lockstep::directory::Code;
use lockstep::domain::{Account, AgentId, OutStateId, Platform, TimeMs};
use lockstep::engine::Epoch;
use lockstep::rules::{
    CxoneOrder, CxoneTerm, OnConflict, OnLogin, Options, PublisherRow, Rule, SalesforceTerm, Settings,
    SubscriberRow, WhileOnContact,
};

use super::loaded::Loaded;
use super::median;
use crate::cli::output::{self, Outcome};

/// What a record must stay under, from bytes to bytes, and what it reaches for.
const RECORD_NS_LIMIT: f64 = 800.0;
const RECORD_NS_REACH: f64 = 500.0;

/// So many records of each kind are measured.
const SAMPLES: usize = 10_000;

#[derive(Args)]
pub(in crate::cli) struct Codec {
    /// Agents, 95 % of them at rest
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    agents: u32,
    /// Events in each run: 60 % observations, 20 % outcomes, 20 % wake-ups
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    events: u32,
    /// How often it is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// Times are medians in ns.
#[derive(Serialize)]
struct Figures {
    agents: u32,
    events: usize,
    runs: usize,
    /// An event's bytes, decoded, applied, and its command, state and decision encoded. Agents at random, states
    /// touched 32 at once.
    record_ns: f64,
    /// Of that: reading the event.
    decode_ns: f64,
    /// Of that: bringing the state near, with the others of its batch.
    touch_ns: f64,
    /// Of that: deciding.
    apply_ns: f64,
    /// Of that: writing command, state and decision.
    encode_ns: f64,
    record_ns_min: f64,
    record_ns_max: f64,
    record_ns_limit: f64,
    record_ns_reach: f64,
    record_of_limit: f64,
    /// Bytes written for an event: commands, state and decision.
    written_bytes: f64,
    records: BTreeMap<&'static str, Times>,
}

/// One record: the way it is done, and the two ways that the library offers.
#[derive(Serialize)]
struct Times {
    bytes: f64,
    encode_ns: f64,
    decode_ns: f64,
    encode_by_serde_ns: f64,
    decode_by_serde_ns: f64,
    encode_by_value_ns: f64,
    decode_by_value_ns: f64,
}

pub(super) fn run(command: &Codec) -> anyhow::Result<Outcome> {
    let agents = usize::try_from(command.agents).context("too many agents for this machine")?;
    let events = usize::try_from(command.events).context("too many events for this machine")?;
    output::aside("a centre at work is being prepared ...\n");
    let loaded = Loaded::new(agents, events)?;
    let (mut record_ns, mut parts_ns) = (Vec::new(), [const { Vec::new() }; 4]);
    let mut written_bytes = 0;
    for _ in 0..command.runs {
        let mut slab = loaded.slab();
        written_bytes = 0;
        let begun = Instant::now();
        let phases = loaded.run(&mut slab, |written| {
            written_bytes += written.commands.len() + written.states.len() + written.decisions.len();
            black_box(written);
        })?;
        let per_event = |took: Duration| took.as_nanos() as f64 / loaded.len().max(1) as f64;
        record_ns.push(per_event(begun.elapsed()));
        let phases = [phases.decode, phases.touch, phases.apply, phases.encode];
        parts_ns.iter_mut().zip(phases).for_each(|(all, phase)| all.push(per_event(phase)));
    }
    record_ns.sort_by(f64::total_cmp);
    let [decode_ns, touch_ns, apply_ns, encode_ns] = parts_ns.map(|mut all| {
        all.sort_by(f64::total_cmp);
        median(&all)
    });
    let figures = Figures {
        agents: command.agents,
        events: loaded.len(),
        runs: record_ns.len(),
        record_ns: median(&record_ns),
        decode_ns,
        touch_ns,
        apply_ns,
        encode_ns,
        record_ns_min: record_ns.first().copied().unwrap_or_default(),
        record_ns_max: record_ns.last().copied().unwrap_or_default(),
        record_ns_limit: RECORD_NS_LIMIT,
        record_ns_reach: RECORD_NS_REACH,
        record_of_limit: median(&record_ns) / RECORD_NS_LIMIT,
        written_bytes: written_bytes as f64 / loaded.len().max(1) as f64,
        records: records(&loaded, command.runs)?,
    };
    print(command, &figures)?;
    Ok(Outcome::Done)
}

fn print(command: &Codec, figures: &Figures) -> anyhow::Result<()> {
    if command.json {
        return output::json(figures);
    }
    let mut text = format!(
        "{} agents, {} events (60 % observations, 20 % outcomes, 20 % wake-ups), {} runs\n\
         from bytes to bytes {:6.0} ns median ({:.0} to {:.0}), {:.0} % of the limit of {RECORD_NS_LIMIT} ns; {:.0} bytes written\n\
         of that decode {:.0}, touch {:.0}, apply {:.0}, encode {:.0} ns\n\n\
         {:16} {:>7}   {:^17}   {:^17}   {:^17}\n{:16} {:>7}   {:>8} {:>8}   {:>8} {:>8}   {:>8} {:>8}\n",
        figures.agents,
        figures.events,
        figures.runs,
        figures.record_ns,
        figures.record_ns_min,
        figures.record_ns_max,
        figures.record_of_limit * 100.0,
        figures.written_bytes,
        figures.decode_ns,
        figures.touch_ns,
        figures.apply_ns,
        figures.encode_ns,
        "",
        "",
        "by hand, ns",
        "through serde, ns",
        "Value, ns",
        "record",
        "bytes",
        "encode",
        "decode",
        "encode",
        "decode",
        "encode",
        "decode",
    );
    for (name, times) in &figures.records {
        text.push_str(&format!(
            "{name:16} {:7.0}   {:8.0} {:8.0}   {:8.0} {:8.0}   {:8.0} {:8.0}\n",
            times.bytes,
            times.encode_ns,
            times.decode_ns,
            times.encode_by_serde_ns,
            times.decode_by_serde_ns,
            times.encode_by_value_ns,
            times.decode_by_value_ns,
        ));
    }
    output::result(&text)
}

/// The median time of one item over some runs.
fn timed<T>(runs: u32, items: &[T], mut each: impl FnMut(&T) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let begun = Instant::now();
        items.iter().try_for_each(&mut each)?;
        times.push(begun.elapsed().as_nanos() as f64 / items.len().max(1) as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(median(&times))
}

/// Measures one record by what was encoded of it. A macro, because a record borrows from its bytes.
macro_rules! times {
    ($codec:expr, $runs:expr, $type:ty, $encoded:expr) => {{
        let (codec, runs, encoded): (&codec::Codec, u32, &[Vec<u8>]) = ($codec, $runs, $encoded);
        let decoded = encoded.iter().map(|bytes| codec.decode(bytes)).collect::<Result<Vec<$type>, _>>()?;
        let schema = schema(<$type as Record<'_>>::SCHEMA)?;
        let reader = GenericDatumReader::builder(&schema).build()?;
        let writer = GenericDatumWriter::builder(&schema).build()?;
        let bodies = encoded.iter().map(|bytes| codec.body(bytes)).collect::<Result<Vec<_>, _>>()?;
        let values = bodies
            .iter()
            .copied()
            .map(|mut body| reader.read_value(&mut body))
            .collect::<Result<Vec<Value>, _>>()?;
        let (mut buffer, mut out) = (Buffer::new(), Vec::new());
        Times {
            bytes: bodies.iter().map(|body| body.len()).sum::<usize>() as f64 / bodies.len().max(1) as f64,
            encode_ns: timed(runs, &decoded, |record| {
                buffer.clear();
                codec.encode(record, &mut buffer)?;
                Ok(())
            })?,
            decode_ns: timed(runs, encoded, |bytes| {
                black_box(codec.decode::<$type>(bytes)?);
                Ok(())
            })?,
            encode_by_serde_ns: timed(runs, &decoded, |record| {
                out.clear();
                codec.encode_by_serde(record, &mut out)?;
                Ok(())
            })?,
            decode_by_serde_ns: timed(runs, encoded, |bytes| {
                black_box(codec.decode_by_serde::<$type>(bytes)?);
                Ok(())
            })?,
            encode_by_value_ns: timed(runs, &values, |value| {
                out.clear();
                writer.write_value_ref(&mut out, value)?;
                Ok(())
            })?,
            decode_by_value_ns: timed(runs, &bodies, |body| {
                let mut rest = *body;
                black_box(reader.read_value(&mut rest)?);
                Ok(())
            })?,
        }
    }};
}

fn records(loaded: &Loaded, runs: u32) -> anyhow::Result<BTreeMap<&'static str, Times>> {
    let codec = loaded.codec();
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    loaded.run(&mut loaded.slab(), |written| {
        for (kind, records) in all.iter_mut().enumerate().filter(|(_, records)| records.len() < SAMPLES) {
            records.extend(written.records(kind));
        }
    })?;
    let [commands, states, decisions] = all;
    let many = |bytes: Vec<u8>| vec![bytes; 100];
    let encoded = |record: &mut dyn FnMut(&mut Buffer) -> Result<usize, codec::Error>| {
        let mut bytes = Buffer::new();
        record(&mut bytes).map(|_| many(bytes.as_slice().to_vec()))
    };
    let chunk = chunk(&states);
    Ok(BTreeMap::from([
        ("event", times!(codec, runs, Event<'_>, &loaded.events(SAMPLES))),
        ("command", times!(codec, runs, Command<'_>, &commands)),
        ("state", times!(codec, runs, State<'_>, &states)),
        ("decision", times!(codec, runs, Decision<'_>, &decisions)),
        ("snapshot_chunk", {
            times!(codec, runs, SnapshotChunk<'_>, &encoded(&mut |out| codec.encode(&chunk, out))?)
        }),
        ("manifest", times!(codec, runs, Manifest<'_>, &encoded(&mut |out| codec.encode(&manifest(), out))?)),
        ("rule", times!(codec, runs, RevisionRule, &encoded(&mut |out| codec.encode(&rule(), out))?)),
        ("vocabulary", {
            let vocabulary = vocabulary()?;
            times!(codec, runs, VocabularyPart, &encoded(&mut |out| codec.encode(&vocabulary, out))?)
        }),
        ("directory_entry", {
            let entry = entry()?;
            times!(codec, runs, DirectoryEntry<'_>, &encoded(&mut |out| codec.encode(&entry, out))?)
        }),
        ("position", {
            let position = position()?;
            times!(codec, runs, Position<'_>, &encoded(&mut |out| codec.encode(&position, out))?)
        }),
        ("dead_letter", {
            times!(codec, runs, DeadLetter<'_>, &encoded(&mut |out| codec.encode(&dead_letter(), out))?)
        }),
    ]))
}

fn schema(record: RecordSchema) -> anyhow::Result<Schema> {
    let newest = RELEASED.iter().rev().find(|released| released.record == record);
    Ok(Schema::parse_str(newest.context("every record has a schema")?.text)?)
}

fn operator() -> Operator<'static> {
    Operator { actor: "k.ops".into(), reason: "the new shift plan".into() }
}

fn chunk(states: &[Vec<u8>]) -> SnapshotChunk<'_> {
    SnapshotChunk {
        partition: 3,
        offset: 1_000_000,
        at: TimeMs::from_unix_ms(1_770_000_000_000),
        state_hash: StateHash(0x1234_5678),
        epoch: Epoch(7),
        engine_version: 1,
        chunk: 0,
        chunks: 12,
        states: (0_u128..)
            .zip(states.iter().take(1_000))
            .map(|(place, value)| SnapshotState {
                agent: AgentId::from_bytes(place.to_be_bytes()),
                value: Cow::Borrowed(value),
            })
            .collect(),
    }
}

fn manifest() -> Manifest<'static> {
    let part = |number: u32| Part { key: format!("rule {number}").into(), hash: Sha256([7; 32]) };
    Manifest {
        revision: Uuid([1; 16]),
        created_at: TimeMs::from_unix_ms(1_770_000_000_000),
        operator: operator(),
        engine_version: 1,
        parts: (0..20).map(part).collect(),
        settings: Settings::default(),
    }
}

fn rule() -> RevisionRule {
    let rows = 0..20;
    let salesforce = |number: i32| SalesforceTerm::parse(&format!("Busy_{number}"));
    let cxone = |number: i32| CxoneTerm::Code(format!("Code {number}").into());
    let rule = Rule {
        name: "Support".to_owned(),
        teams: Vec::new(),
        agents: vec![AgentId::from_bytes([3; 16])],
        options: Options {
            skip_code_validation: false,
            on_conflict: OnConflict::Latest,
            while_on_contact: WhileOnContact::Hold,
            on_login: OnLogin::Adopt,
        },
        publisher: rows.clone().map(|n| PublisherRow { from: cxone(n), to: salesforce(n) }).collect(),
        subscriber: rows
            .map(|n| SubscriberRow { from: salesforce(n), to: CxoneOrder::Status(cxone(n)) })
            .collect(),
    };
    RevisionRule { revision: Uuid([1; 16]), number: 0, rule }
}

fn vocabulary() -> anyhow::Result<VocabularyPart> {
    let code = |number: u32| Code {
        id: OutStateId::new(1_000 + number),
        name: format!("Code {number}").into(),
        active: true,
        after_call_work: false,
    };
    Ok(VocabularyPart {
        revision: Uuid([1; 16]),
        account: Account { platform: Platform::Cxone, name: "emea".parse()? },
        part: 0,
        statuses: Vec::new(),
        codes: (0..100).map(code).collect(),
        teams: Vec::new(),
    })
}

fn entry() -> anyhow::Result<DirectoryEntry<'static>> {
    Ok(DirectoryEntry {
        account: Some(Account { platform: Platform::Salesforce, name: "main".parse()? }),
        read_at: TimeMs::from_unix_ms(1_770_000_000_000),
        entry: Entry::SalesforceUser(UserEntry {
            user: "0055g0000012345".parse()?,
            user_name: "agent.seven@example.com".into(),
            email: "agent.seven@example.com".into(),
            active: true,
            access: vec!["Contact Centre".into(), "Standard User".into()],
            federation_id: None,
        }),
    })
}

fn position() -> anyhow::Result<Position<'static>> {
    Ok(Position {
        account: Account { platform: Platform::Cxone, name: "emea".parse()? },
        read_at: TimeMs::from_unix_ms(1_770_000_000_000),
        writer: "source/cxone.emea/host-1".into(),
        replay_id: None,
        last_poll_time: Some("2026-01-05T10:00:01.313Z".into()),
    })
}

fn dead_letter() -> DeadLetter<'static> {
    DeadLetter {
        topic: "presence.events".into(),
        partition: 3,
        offset: 1_000_000,
        at: TimeMs::from_unix_ms(1_770_000_000_000),
        reader: "processor/1".into(),
        cause: DeadCause::Malformed,
        message: "it is no Event: it ends in the middle".into(),
        size: 120,
        hash: Sha256([7; 32]),
        payload: None,
    }
}
