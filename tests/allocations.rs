//! What the codec takes from the heap. On the hot path, where events are read and commands, states and decisions are
//! written, nothing; for hostile bytes, little more than what a record may have.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]
#![allow(unsafe_code, reason = "whoever counts allocations must be the allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Cow;
use std::cell::Cell;
use std::path::Path;

use lockstep::codec::{
    Addressee, Buffer, Codec, Command, Commanded, DeadCause, DeadLetter, DecidedAs, Decision, DirectoryEntry,
    Entry, Event, Manifest, Observation, Operator, Order, Outcome, Position, RECORD_BYTES_MAX, Record,
    RevisionRule, Set, Sha256, SnapshotChunk, State, StateHash, Uuid, VocabularyPart, What,
};
use lockstep::domain::{
    Account, AgentId, CxoneAgent, CxoneAgentId, Feed, Link, Platform, SalesforceUser, TeamId,
};
use lockstep::engine::{self, AgentState, Effects, Epoch};
use lockstep::rules::{OnConflict, OnLogin, Options, Rule, Settings, WhileOnContact};
use lockstep::simulate::Crowd;

/// The allocator of the system, which counts for each thread by itself: tests side by side do not disturb each other.
struct Counting;

/// What a thread has taken from the heap.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// How often it took something, or something larger or smaller.
    taken: u64,
    /// How many bytes it has, less what other threads gave back for it.
    live: isize,
    /// The most it has had.
    peak: isize,
}

thread_local! {
    // Neither made nor dropped with code of its own, so that it is there whenever the allocator is called.
    static COUNTS: Cell<Counts> = const { Cell::new(Counts { taken: 0, live: 0, peak: 0 }) };
}

fn count(taken: u64, bytes: isize) {
    let mut counts = COUNTS.get();
    counts.taken += taken;
    counts.live += bytes;
    counts.peak = counts.peak.max(counts.live);
    COUNTS.set(counts);
}

// SAFETY: every call is handed on to the allocator of the system as it came, and its answer handed back as it came, so
// that what holds for that one holds here. To count neither allocates nor unwinds: it is arithmetic that stays far
// below the limits of its types, on a cell of the thread that needs no initialisation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same there.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: `place` came from the allocator of the system, with this layout.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // While it is moved both places are there.
        count(1, size as isize);
        count(0, -(layout.size() as isize));
        // SAFETY: `place` came from the allocator of the system, with this layout; the caller vouches for `size`.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often something is taken from the heap by `work`, and the most bytes that are there of it at once.
fn counted<T>(work: impl FnOnce() -> T) -> (T, u64, isize) {
    let before = COUNTS.get();
    COUNTS.set(Counts { peak: before.live, ..before });
    let result = work();
    let after = COUNTS.get();
    (result, after.taken - before.taken, after.peak - before.live)
}

#[test]
fn what_is_taken_is_counted() {
    let (kept, taken, peak) = counted(|| {
        drop(vec![0_u8; 1_000]);
        let mut kept = Vec::with_capacity(10);
        kept.extend_from_slice(&[1_u8; 10]);
        kept.reserve_exact(90);
        kept
    });
    assert_eq!((kept.len(), taken, peak), (10, 3, 1_000));
    let (_, taken, peak) = counted(|| std::thread::spawn(|| vec![0_u8; 1 << 20].len()).join().unwrap());
    assert!((1..100).contains(&taken) && peak < 1 << 20, "{taken} {peak}");
}

const AGENTS: usize = 2_000;
const EVENTS: usize = 20_000;
const SEED: u64 = 7;

fn agent(place: u32) -> AgentId {
    let mixed = (u128::from(place) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    AgentId::from_bytes(mixed.to_be_bytes())
}

fn link(place: u32) -> Link {
    Link {
        salesforce: SalesforceUser {
            account: "main".parse().unwrap(),
            user: format!("0055g000{place:07}").parse().unwrap(),
        },
        cxone: CxoneAgent { account: "emea".parse().unwrap(), agent: CxoneAgentId::new(100_000 + place) },
    }
}

/// An event of the workload as its source writes it.
fn on_the_wire(place: u32, number: usize, event: &engine::Event) -> Event<'static> {
    let what = match event.what {
        engine::What::Observation(seen) => What::Observation(Observation {
            status: seen.status,
            since_raw: seen.since_raw,
            offset: seen.offset,
            row: seen.row,
            cause: seen.cause,
            asked: seen.asked,
            found_by: Feed::Poll,
        }),
        engine::What::Outcome(outcome) => What::Outcome(Outcome {
            platform: outcome.platform,
            sequence: outcome.command,
            issued: event.now,
            verdict: outcome.verdict,
            detail: Some(Cow::Borrowed("503: try again")),
        }),
        engine::What::WakeUp(wake_up) => What::WakeUp(wake_up),
        other => panic!("the workload has an event that nobody expects: {other:?}"),
    };
    Event {
        id: Uuid((number as u128).to_be_bytes()),
        agent: Some(agent(place)),
        account: Some(Account { platform: Platform::Cxone, name: "emea".parse().unwrap() }),
        written_at: event.now,
        writer: Cow::Borrowed("source/cxone.emea/host-1"),
        engine_version: engine::VERSION,
        what,
    }
}

fn commands(
    link: Link,
    place: u32,
    offset: i64,
    effects: &Effects,
) -> impl Iterator<Item = Command<'static>> {
    [effects.commands.salesforce, effects.commands.cxone].into_iter().flatten().map(move |command| Command {
        agent: agent(place),
        to: match command.platform() {
            Platform::Salesforce => Addressee::Salesforce(link.salesforce),
            Platform::Cxone => Addressee::Cxone(link.cxone),
        },
        event_offset: offset,
        engine_version: engine::VERSION,
        order: Order::Set(Set {
            sequence: command.sequence,
            status: command.status,
            issued: command.issued,
            correction: command.correction,
            epoch: Epoch(1),
            rule: Some(Cow::Borrowed("Everybody")),
            row: command.row,
        }),
    })
}

fn decision(event: &Event<'_>, offset: i64, effects: &Effects) -> Decision<'static> {
    let decided = effects.decision;
    let shown = match &event.what {
        What::Observation(seen) => Some(seen.status),
        _ => None,
    };
    Decision {
        agent: event.agent,
        event: event.id,
        event_kind: event.what.kind(),
        event_offset: offset,
        at: event.written_at,
        engine_version: engine::VERSION,
        epoch: Epoch(1),
        rule: Some(Cow::Borrowed("Everybody")),
        reason: DecidedAs::Engine(decided.reason),
        salesforce_shown: shown.and_then(|status| status.salesforce()),
        cxone_shown: shown.and_then(|status| status.cxone()),
        new_intent: decided.new_intent,
        retargeted: decided.retargeted,
        taken_back: decided.taken_back,
        flapping: decided.flapping,
        salesforce_given_up: decided.diverged.salesforce,
        cxone_given_up: decided.diverged.cxone,
        to_salesforce: effects.commands.salesforce.as_ref().map(Commanded::from),
        to_cxone: effects.commands.cxone.as_ref().map(Commanded::from),
        gone: effects.gone,
    }
}

/// What was counted, and how much was done.
#[derive(Default)]
struct Taken {
    reading: u64,
    deciding: u64,
    writing: u64,
    written: [u64; 3],
    busy: u64,
}

/// A day of a centre, as a processor works it off, into buffers that are used again and again.
fn run(
    crowd: &Crowd,
    log: &[(u32, Vec<u8>)],
    links: &[Link],
    slab: &mut [Option<AgentState>],
    buffers: &mut [Buffer; 3],
) -> Taken {
    let codec = Codec::single_object().unwrap();
    let mut all = Taken::default();
    for (offset, ((place, bytes), (_, happened))) in log.iter().zip(&crowd.log).enumerate() {
        let (offset, link) = (offset as i64, links[*place as usize]);
        let (event, taken, _) = counted(|| codec.decode::<Event<'_>>(bytes).unwrap());
        all.reading += taken;
        let slot = &mut slab[*place as usize];
        let (effects, taken, _) = counted(|| {
            let event = event.for_engine(happened.now, None).unwrap();
            engine::apply(slot, &event, &crowd.tables)
        });
        all.deciding += taken;
        let (written, taken, _) = counted(|| {
            let [to_commands, to_states, to_decisions] = &mut *buffers;
            let mut written = [0, 0, 1];
            for command in commands(link, *place, offset, &effects) {
                codec.encode(&command, to_commands).unwrap();
                written[0] += 1;
            }
            if let Some(agent) = slot.as_ref() {
                let state =
                    State { link, team: Some(TeamId::new(5)), epoch: Epoch(1), agent: Cow::Borrowed(agent) };
                codec.encode(&state, to_states).unwrap();
                written[1] += 1;
            }
            codec.encode(&decision(&event, offset, &effects), to_decisions).unwrap();
            written
        });
        all.writing += taken;
        all.written.iter_mut().zip(written).for_each(|(sum, one)| *sum += one);
        all.busy += u64::from(slot.as_ref().is_some_and(|agent| !agent.is_at_rest()));
        if offset % 32 == 31 {
            buffers.iter_mut().for_each(Buffer::clear);
        }
    }
    all
}

#[test]
fn an_event_is_read_and_what_follows_is_written_without_taking_anything_from_the_heap() {
    let crowd = Crowd::new(AGENTS, EVENTS, SEED).unwrap();
    let codec = Codec::single_object().unwrap();
    let on_the_wire = |(number, (place, event)): (usize, &(u32, engine::Event))| {
        let mut buffer = Buffer::new();
        codec.encode(&on_the_wire(*place, number, event), &mut buffer).unwrap();
        (*place, buffer.as_slice().to_vec())
    };
    let log: Vec<_> = crowd.log.iter().enumerate().map(on_the_wire).collect();
    let links: Vec<_> = (0..AGENTS as u32).map(link).collect();
    let mut buffers = [(); 3].map(|()| Buffer::new());
    let cold = run(&crowd, &log, &links, &mut crowd.agents.clone(), &mut buffers);
    assert!(cold.writing > 0, "the buffers did not grow: nothing is counted");
    let warm = run(&crowd, &log, &links, &mut crowd.agents.clone(), &mut buffers);
    println!(
        "{EVENTS} events: commands, states, decisions: {:?}, {} states of agents in the middle of something; the engine took {}",
        warm.written, warm.busy, warm.deciding
    );
    assert_eq!((warm.reading, warm.writing), (0, 0));
    assert!(warm.written.iter().all(|written| *written > EVENTS as u64 / 10), "{:?}", warm.written);
    assert!(warm.busy > EVENTS as u64 / 10, "{}", warm.busy);
    // The engine may: an agent in the middle of something has a place for that, and a list of commands.
    assert!(warm.deciding < EVENTS as u64, "the engine took {} for {EVENTS} events", warm.deciding);
}

/// The most bytes that reading a record may take, so many times those that it may have: of a team without a name there
/// are 48 bytes for 3, in a list that doubles as it grows.
const TIMES_MAX: isize = 40;

fn long(number: i64) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), (number << 1 ^ number >> 63) as u64);
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [long(text.len() as i64), text.as_bytes().to_vec()].concat()
}

/// A message of the most bytes: a beginning, then as many items as there is room for, in one block.
fn full(message: &[u8], item: &[u8], end: &[u8]) -> Vec<u8> {
    let count = (RECORD_BYTES_MAX - message.len() - end.len() - 10) / item.len();
    [message, &long(count as i64), &item.repeat(count), &[0], end].concat()
}

/// How each record is read, both ways, and the most bytes that took.
type Reader = fn(&Codec, &[u8]) -> [(bool, isize); 2];

macro_rules! readers {
    ($($name:literal $type:ty,)*) => {
        const READERS: &[(&str, Reader)] = &[$(($name, |codec, message| {
            let (by_hand, _, hand) = counted(|| codec.decode::<$type>(message).is_ok());
            let (through_serde, _, serde) = counted(|| codec.decode_by_serde::<$type>(message).is_ok());
            [(by_hand, hand), (through_serde, serde)]
        })),*];
    };
}

readers! {
    "Event" Event<'_>,
    "Command" Command<'_>,
    "State" State<'_>,
    "Decision" Decision<'_>,
    "SnapshotChunk" SnapshotChunk<'_>,
    "Manifest" Manifest<'_>,
    "Rule" RevisionRule,
    "Vocabulary" VocabularyPart,
    "DirectoryEntry" DirectoryEntry<'_>,
    "Position" Position<'_>,
    "DeadLetter" DeadLetter<'_>,
}

fn reader(record: &str) -> Reader {
    READERS.iter().find(|(name, _)| *name == record).unwrap().1
}

/// A record of each kind that holds little.
fn samples(codec: &Codec) -> Vec<(&'static str, Vec<u8>)> {
    fn encoded<'b, R: Record<'b>>(codec: &Codec, record: &R) -> (&'static str, Vec<u8>) {
        let mut buffer = Buffer::new();
        codec.encode(record, &mut buffer).unwrap();
        (R::SCHEMA.name(), buffer.as_slice().to_vec())
    }
    let crowd = Crowd::new(20, 100, SEED).unwrap();
    let (place, happened) = crowd.log[0];
    let event = on_the_wire(place, 0, &happened);
    let mut slot = crowd.agents[place as usize].clone();
    let effects = engine::apply(&mut slot, &happened, &crowd.tables);
    let state = State { link: link(0), team: None, epoch: Epoch(1), agent: Cow::Owned(slot.unwrap()) };
    let command = Command {
        agent: agent(0),
        to: Addressee::Cxone(link(0).cxone),
        event_offset: 0,
        engine_version: 1,
        order: Order::Void,
    };
    let (revision, at) = (Uuid([7; 16]), happened.now);
    let account = Account { platform: Platform::Cxone, name: "emea".parse().unwrap() };
    let operator = Operator { actor: Cow::Borrowed("ops"), reason: Cow::Borrowed("why") };
    let rule = Rule {
        name: "Everybody".to_owned(),
        teams: vec![],
        agents: vec![],
        options: Options {
            skip_code_validation: false,
            on_conflict: OnConflict::Latest,
            while_on_contact: WhileOnContact::Hold,
            on_login: OnLogin::Adopt,
        },
        publisher: vec![],
        subscriber: vec![],
    };
    vec![
        encoded(codec, &decision(&event, 0, &effects)),
        encoded(codec, &event),
        encoded(codec, &command),
        encoded(codec, &state),
        encoded(
            codec,
            &SnapshotChunk {
                partition: 0,
                offset: 0,
                at,
                state_hash: StateHash(0),
                epoch: Epoch(1),
                engine_version: 1,
                chunk: 0,
                chunks: 1,
                states: vec![],
            },
        ),
        encoded(
            codec,
            &Manifest {
                revision,
                created_at: at,
                operator,
                engine_version: 1,
                parts: vec![],
                settings: Settings::default(),
            },
        ),
        encoded(codec, &RevisionRule { revision, number: 0, rule }),
        encoded(
            codec,
            &VocabularyPart { revision, account, part: 0, statuses: vec![], codes: vec![], teams: vec![] },
        ),
        encoded(codec, &DirectoryEntry { account: None, read_at: at, entry: Entry::Unknown }),
        encoded(
            codec,
            &Position {
                account,
                read_at: at,
                writer: Cow::Borrowed("w"),
                replay_id: None,
                last_poll_time: None,
            },
        ),
        encoded(
            codec,
            &DeadLetter {
                topic: Cow::Borrowed("t"),
                partition: 0,
                offset: 0,
                at,
                reader: Cow::Borrowed("r"),
                cause: DeadCause::Framing,
                message: Cow::Borrowed("m"),
                size: 0,
                hash: Sha256([0; 32]),
                payload: None,
            },
        ),
    ]
}

/// The Avro bodies of `tests/corpus/codec`, which `src/codec/tests/hostile.rs` tells about.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/codec");
    let body = |file: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let digits: String = text.lines().filter(|line| !line.starts_with('#')).collect();
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    };
    std::fs::read_dir(folder).unwrap().map(body).collect()
}

#[test]
fn hostile_bytes_take_little_more_than_a_record_may_have() {
    let codec = Codec::single_object().unwrap();
    let samples = samples(&codec);
    let header = |record: &str| samples.iter().find(|(name, _)| *name == record).unwrap().1[..10].to_vec();
    let after = |record: &str, parts: &[&[u8]]| [header(record), parts.concat()].concat();
    let revision = [7; 16];
    let vocabulary = after("Vocabulary", &[&revision, &long(2), &text("emea"), &long(0)]);
    let status = [text("0N5000000000001"), text(""), text("")].concat();
    let rule = after("Rule", &[&revision, &long(0), &text("Everybody")]);
    let options = [0, 2, 2, 2];
    let person = [text("main"), text("0055g0000000001"), text("emea"), long(7)].concat();
    // Nothing is shown, two connections, no row; the fourth generation.
    let calm = [&[0][..], &[0, 1, 1, 0], &[0, 1, 1, 0], &[0, 0, 0, 0], &long(4), &long(4)].concat();
    let busy = after("State", &[&person, &[0], &long(1), &calm, &[2]]);
    let user =
        after("DirectoryEntry", &[&long(2), &[0], &long(0), &[0, 2], &text("0055g0000000001"), &[0, 0, 1]]);
    let letter = after("DeadLetter", &[]);
    let chunk = after("SnapshotChunk", &[&[0; 3], &[0; 8], &long(1), &long(1), &long(0), &long(1)]);
    let manifest = after("Manifest", &[&revision, &long(0), &text(""), &text(""), &long(1)]);
    let settings = [2; 10];
    // What it is, as what it is read, and whether it is a record after all.
    let cases: &[(&str, &str, bool, Vec<u8>)] = &[
        (
            "codes without names",
            "Vocabulary",
            true,
            full(&[&vocabulary[..], &[0]].concat(), &[0, 0, 0, 0], &[0]),
        ),
        (
            "teams without names",
            "Vocabulary",
            true,
            full(&[&vocabulary[..], &[0, 0]].concat(), &[0, 0, 0], &[]),
        ),
        (
            "channels without names",
            "Vocabulary",
            true,
            full(&[&vocabulary[..], &long(1), &status].concat(), &[0], &[0, 0, 0, 0]),
        ),
        (
            "codes of a team",
            "Vocabulary",
            true,
            full(&[&vocabulary[..], &[0, 0], &long(1), &[0, 0, 2]].concat(), &[2], &[0]),
        ),
        (
            "agents",
            "Rule",
            true,
            full(&[&rule[..], &[0]].concat(), &revision, &[&options[..], &[0, 0]].concat()),
        ),
        (
            "rows",
            "Rule",
            true,
            full(
                &[&rule[..], &[0, 0], &options, &[0]].concat(),
                &[text("B"), text("previous")].concat(),
                &[],
            ),
        ),
        ("states of nothing", "SnapshotChunk", true, full(&chunk, &[0; 17], &[])),
        ("parts without keys", "Manifest", true, full(&manifest, &[0; 33], &settings)),
        ("access", "DirectoryEntry", true, full(&user, &[0], &[0; 6])),
        ("more command times than are kept", "State", false, full(&[&busy[..], &[0]].concat(), &[2], &[])),
        ("more commands than are kept", "State", false, full(&busy, &[2, 0, 0, 2, 0, 0, 1, 1, 1], &[])),
        ("a long text", "DeadLetter", false, [&letter[..], &long(1_000_000), &[b'x'; 1_000_000]].concat()),
        ("a long text that is not there", "DeadLetter", false, [&letter[..], &long(1_000_000)].concat()),
        ("500 MiB that are not there", "DeadLetter", false, [&letter[..], &long(500 << 20)].concat()),
    ];
    let mut worst = [0; 2];
    let mut see = |what: &str, sizes: [isize; 2]| {
        for (worst, size) in worst.iter_mut().zip(sizes) {
            assert!(size <= TIMES_MAX * RECORD_BYTES_MAX as isize, "{what}: {sizes:?} bytes");
            *worst = size.max(*worst);
        }
    };
    for (what, record, is_one, message) in cases {
        assert!(message.len() <= RECORD_BYTES_MAX, "{what}: {}", message.len());
        let [(by_hand, hand), (through_serde, serde)] = reader(record)(&codec, message);
        println!("{what}: {} bytes, by hand {hand}, through serde {serde}", message.len());
        assert_eq!((by_hand, through_serde), (*is_one, *is_one), "{what}");
        see(what, [hand, serde]);
    }
    println!("the most: {worst:?}");
    assert!(worst[0] > RECORD_BYTES_MAX as isize, "nothing was counted");
    // Small ones take next to nothing, whatever lengths they claim.
    for body in corpus() {
        for (record, read) in READERS {
            let message = after(record, &[&body]);
            for (_, size) in read(&codec, &message) {
                let most = 2 * RECORD_BYTES_MAX as isize + 64 * message.len() as isize;
                assert!(size <= most, "{record} {body:02x?}: {size} bytes");
            }
        }
    }
}
