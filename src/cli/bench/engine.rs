//! `lockstep bench engine`: a centre of a million agents, and a log of what happens in it next.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use lockstep::domain::AgentId;
use lockstep::engine::{self, AgentState, Event};
use lockstep::simulate::{self, Crowd, Mapping};

use super::median;
use crate::cli::output::{self, Outcome};
use crate::cli::process::memory_kib;

/// What the engine must stay under, and what it reaches for.
const APPLY_NS_LIMIT: f64 = 150.0;
const APPLY_NS_REACH: f64 = 80.0;
const AGENT_BYTES_LIMIT: f64 = 150.0;
const AGENT_BYTES_REACH: f64 = 120.0;
const AGENT_BYTES_MAX_LIMIT: usize = 1_024;

/// For so many events at once states are brought near.
const AHEAD: usize = 32;

/// So many nasty histories are searched for the largest state.
const NASTY_SEEDS: u64 = 500;

#[derive(Args)]
pub(in crate::cli) struct Engine {
    /// Agents, 95 % of them at rest
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    agents: u32,
    /// Events applied in each run: 60 % observations, 20 % outcomes, 20 % wake-ups
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
    /// One event applied to a state at hand: one that was touched with the others of its batch. The states are visited
    /// in random order in a dense slab.
    apply_ns: f64,
    apply_ns_min: f64,
    apply_ns_max: f64,
    /// What touching takes for one event: memory is asked for a batch of states at once.
    touch_ns: f64,
    /// Both together, which is what an event takes in a processor that touches ahead.
    apply_and_touch_ns: f64,
    /// One event applied to a state that nobody touched.
    apply_cold_ns: f64,
    apply_ns_limit: f64,
    apply_ns_reach: f64,
    apply_of_limit: f64,
    /// From an agent's id to the place of his state.
    lookup_ns: f64,
    /// Resident bytes over agents; `null` where the system does not tell.
    agent_bytes: Option<f64>,
    agent_bytes_limit: f64,
    agent_bytes_reach: f64,
    /// The largest state in nasty histories.
    agent_bytes_max: usize,
    agent_bytes_max_limit: usize,
}

pub(super) fn run(command: &Engine) -> anyhow::Result<Outcome> {
    let agents = usize::try_from(command.agents).context("too many agents for this machine")?;
    let events = usize::try_from(command.events).context("too many events for this machine")?;
    output::aside("a centre at work is being prepared ...\n");
    let agent_bytes = agent_bytes(agents)?;
    let crowd = Crowd::new(agents, events, 1).context("the rules of the benchmark have mistakes")?;
    let (mut apply_ns, mut touch_ns, mut cold_ns) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..command.runs {
        let per_event = |took: Duration| took.as_nanos() as f64 / crowd.log.len().max(1) as f64;
        let (touched, applied) = apply_ahead(&mut crowd.agents.clone(), &crowd);
        touch_ns.push(per_event(touched));
        apply_ns.push(per_event(applied));
        cold_ns.push(per_event(apply_cold(&mut crowd.agents.clone(), &crowd)));
    }
    let [apply_ns, touch_ns, cold_ns] = [apply_ns, touch_ns, cold_ns].map(|mut all| {
        all.sort_by(f64::total_cmp);
        all
    });
    let figures = Figures {
        agents: command.agents,
        events: crowd.log.len(),
        runs: apply_ns.len(),
        apply_ns: median(&apply_ns),
        apply_ns_min: apply_ns.first().copied().unwrap_or_default(),
        apply_ns_max: apply_ns.last().copied().unwrap_or_default(),
        touch_ns: median(&touch_ns),
        apply_and_touch_ns: median(&apply_ns) + median(&touch_ns),
        apply_cold_ns: median(&cold_ns),
        apply_ns_limit: APPLY_NS_LIMIT,
        apply_ns_reach: APPLY_NS_REACH,
        apply_of_limit: median(&apply_ns) / APPLY_NS_LIMIT,
        lookup_ns: lookup_ns(&crowd, command.runs),
        agent_bytes,
        agent_bytes_limit: AGENT_BYTES_LIMIT,
        agent_bytes_reach: AGENT_BYTES_REACH,
        agent_bytes_max: agent_bytes_max(),
        agent_bytes_max_limit: AGENT_BYTES_MAX_LIMIT,
    };
    print(command, &figures)?;
    Ok(Outcome::Done)
}

fn print(command: &Engine, figures: &Figures) -> anyhow::Result<()> {
    if command.json {
        return output::json(figures);
    }
    let bytes = figures.agent_bytes.map_or("unknown".to_owned(), |bytes| format!("{bytes:.1}"));
    output::result(&format!(
        "{} agents, {} events (60 % observations, 20 % outcomes, 20 % wake-ups), {} runs\n\
         apply           {:8.1} ns median ({:.1} to {:.1}), {:.0} % of the limit of {APPLY_NS_LIMIT} ns\n\
         touch           {:8.1} ns median, {AHEAD} states at once; apply and touch {:.1} ns, apply untouched {:.1} ns\n\
         lookup          {:8.1} ns median\n\
         bytes an agent  {bytes:>8} resident, limit {AGENT_BYTES_LIMIT}\n\
         the largest     {:8} bytes, limit {AGENT_BYTES_MAX_LIMIT}\n",
        figures.agents,
        figures.events,
        figures.runs,
        figures.apply_ns,
        figures.apply_ns_min,
        figures.apply_ns_max,
        figures.apply_of_limit * 100.0,
        figures.touch_ns,
        figures.apply_and_touch_ns,
        figures.apply_cold_ns,
        figures.lookup_ns,
        figures.agent_bytes_max,
    ))
}

/// Applies the log as a processor does, and tells how long touching took, and how long the rest.
fn apply_ahead(slab: &mut [Option<AgentState>], crowd: &Crowd) -> (Duration, Duration) {
    let (mut touching, mut applying) = (Duration::ZERO, Duration::ZERO);
    for next in crowd.log.chunks(AHEAD) {
        let begun = Instant::now();
        // First the states, then what they point to: so that no question waits for the answer to another.
        let linked =
            next.iter().filter(|(agent, _)| slab.get(*agent as usize).is_some_and(Option::is_some)).count();
        black_box(linked);
        let touch = |(agent, _): &(u32, Event)| slab.get(*agent as usize)?.as_ref().map(AgentState::touch);
        black_box(next.iter().filter_map(touch).fold(0, |all, one| all ^ one));
        let touched = Instant::now();
        touching += touched - begun;
        for (agent, event) in next {
            if let Some(slot) = slab.get_mut(*agent as usize) {
                black_box(engine::apply(slot, event, &crowd.tables));
            }
        }
        applying += touched.elapsed();
    }
    (touching, applying)
}

fn apply_cold(slab: &mut [Option<AgentState>], crowd: &Crowd) -> Duration {
    let begun = Instant::now();
    for (agent, event) in &crowd.log {
        if let Some(slot) = slab.get_mut(*agent as usize) {
            black_box(engine::apply(slot, event, &crowd.tables));
        }
    }
    begun.elapsed()
}

/// What a centre adds to what this process holds in memory.
fn agent_bytes(agents: usize) -> anyhow::Result<Option<f64>> {
    let crowd = Crowd::new(agents, 0, 1).context("the rules of the benchmark have mistakes")?;
    // The first copy takes what memory was left free on the way.
    let filler = crowd.agents.clone();
    let Some(before) = memory_kib("self", "VmRSS:") else { return Ok(None) };
    let copy = crowd.agents.clone();
    let after = memory_kib("self", "VmRSS:").unwrap_or(before);
    black_box((filler, copy));
    Ok(Some(after.saturating_sub(before) as f64 * 1024.0 / agents.max(1) as f64))
}

fn agent_bytes_max() -> usize {
    let of = |seed| Mapping::ALL.map(|mapping| simulate::run(seed, mapping, false).state_bytes_max);
    (0..NASTY_SEEDS).flat_map(of).max().unwrap_or_default()
}

/// An agent's id is a hash already: eight of its bytes are as good as any other.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.last_chunk().map_or(self.0, |last| u64::from_le_bytes(*last));
    }
}

fn lookup_ns(crowd: &Crowd, runs: u32) -> f64 {
    let id = |place: u32| {
        let mixed = u128::from(place).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        AgentId::from_bytes((mixed ^ (mixed >> 61)).to_be_bytes())
    };
    let places: HashMap<AgentId, u32, BuildHasherDefault<IdHasher>> =
        (0..crowd.agents.len() as u32).map(|place| (id(place), place)).collect();
    let asked: Vec<AgentId> = crowd.log.iter().map(|(agent, _)| id(*agent)).collect();
    let mut lookup_ns = Vec::new();
    for _ in 0..runs {
        let begun = Instant::now();
        for id in &asked {
            black_box(places.get(id));
        }
        lookup_ns.push(begun.elapsed().as_nanos() as f64 / asked.len().max(1) as f64);
    }
    lookup_ns.sort_by(f64::total_cmp);
    median(&lookup_ns)
}
