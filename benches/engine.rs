//! The engine's figures for somebody who changes it: `cargo bench --bench engine`. The figures that are promised, with
//! their workload and limits, are `lockstep bench engine`.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark fails loudly")]

use std::sync::LazyLock;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use lockstep::domain::TimeMs;
use lockstep::engine::{self, Event, What};
use lockstep::simulate::Crowd;

static CROWD: LazyLock<Crowd> =
    LazyLock::new(|| Crowd::new(20_000, 20_000, 1).expect("the rules of the workload hold"));

fn main() {
    divan::main();
}

/// 60 % observations, 20 % outcomes, 20 % wake-ups.
#[divan::bench]
fn mix(bencher: Bencher) {
    bencher.counter(ItemsCount::new(CROWD.log.len())).with_inputs(|| CROWD.agents.clone()).bench_local_refs(
        |slab| {
            for (agent, event) in &CROWD.log {
                black_box(engine::apply(&mut slab[*agent as usize], event, &CROWD.tables));
            }
        },
    );
}

/// An operator's retry, for agents at rest: a full level step that finds nothing to do.
#[divan::bench]
fn level_steps(bencher: Bencher) {
    let retry = Event { now: TimeMs::from_unix_ms(1_770_010_000_000), what: What::Retry };
    bencher
        .counter(ItemsCount::new(CROWD.agents.len()))
        .with_inputs(|| CROWD.agents.clone())
        .bench_local_refs(|slab| {
            for slot in slab {
                black_box(engine::apply(slot, &retry, &CROWD.tables));
            }
        });
}
