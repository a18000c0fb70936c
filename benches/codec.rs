//! The codec's figures for somebody who changes it: `cargo bench --bench codec`. The figures that are promised, with their
//! workload and limits, are `lockstep bench codec`.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark fails loudly")]

use std::borrow::Cow;
use std::sync::LazyLock;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use lockstep::codec::{Buffer, Codec, Event, Observation, State, Uuid, What};
use lockstep::domain::{AgentId, CxoneAgent, CxoneAgentId, Feed, Link, SalesforceUser};
use lockstep::engine::{self, AgentState, Epoch};
use lockstep::simulate::Crowd;

static CROWD: LazyLock<Crowd> =
    LazyLock::new(|| Crowd::new(2_000, 20_000, 1).expect("the rules of the workload hold"));
static CODEC: LazyLock<Codec> = LazyLock::new(|| Codec::single_object().expect("our schemas hold"));

fn main() {
    divan::main();
}

fn link() -> Link {
    let salesforce = SalesforceUser {
        account: "main".parse().expect("a name"),
        user: "0055g0000012345".parse().expect("an id"),
    };
    let cxone = CxoneAgent { account: "emea".parse().expect("a name"), agent: CxoneAgentId::new(293_558) };
    Link { salesforce, cxone }
}

/// The workload's observations as their source would have written them.
fn events() -> Vec<Vec<u8>> {
    let on_the_wire = |(_, event): &(u32, engine::Event)| {
        let engine::What::Observation(seen) = event.what else { return None };
        let what = What::Observation(Observation {
            status: seen.status,
            since_raw: seen.since_raw,
            offset: seen.offset,
            row: seen.row,
            cause: seen.cause,
            asked: seen.asked,
            found_by: Feed::Poll,
        });
        let event = Event {
            id: Uuid([1; 16]),
            agent: Some(AgentId::from_bytes([2; 16])),
            account: None,
            written_at: event.now,
            writer: Cow::Borrowed("source/cxone.emea/host-1"),
            engine_version: engine::VERSION,
            what,
        };
        let mut bytes = Buffer::new();
        CODEC.encode(&event, &mut bytes).expect("an event");
        Some(bytes.as_slice().to_vec())
    };
    CROWD.log.iter().filter_map(on_the_wire).collect()
}

/// Agents after a day, one in twenty in the middle of something.
fn agents() -> Vec<AgentState> {
    CROWD.agents.iter().flatten().cloned().collect()
}

fn state(agent: &AgentState) -> State<'_> {
    State { link: link(), team: None, epoch: Epoch(1), agent: Cow::Borrowed(agent) }
}

#[divan::bench]
fn decode_observations(bencher: Bencher) {
    let events = events();
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        for event in &events {
            black_box(CODEC.decode::<Event<'_>>(event).expect("an event"));
        }
    });
}

#[divan::bench]
fn encode_states(bencher: Bencher) {
    let agents = agents();
    let mut buffer = Buffer::new();
    bencher.counter(ItemsCount::new(agents.len())).bench_local(|| {
        buffer.clear();
        for agent in &agents {
            CODEC.encode(&state(agent), &mut buffer).expect("a state");
        }
        black_box(buffer.len())
    });
}

#[divan::bench]
fn decode_states(bencher: Bencher) {
    let encoded: Vec<Vec<u8>> = agents()
        .iter()
        .map(|agent| {
            let mut bytes = Buffer::new();
            CODEC.encode(&state(agent), &mut bytes).expect("a state");
            bytes.as_slice().to_vec()
        })
        .collect();
    let bytes: usize = encoded.iter().map(Vec::len).sum();
    bencher.counter(ItemsCount::new(encoded.len())).counter(BytesCount::new(bytes)).bench_local(|| {
        for bytes in &encoded {
            black_box(CODEC.decode::<State<'_>>(bytes).expect("a state"));
        }
    });
}
