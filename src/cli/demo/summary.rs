//! What a demo ends with.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use lockstep::domain::Platform;

use super::judge::Verdict;
use super::processes::Needed;
use super::trouble::UNLINKED_MAX;
use super::watch::{Times, Watch};

/// So many of a hundred may show something else than they chose last where much goes wrong: who chooses on both sides within the
/// time of a poll is overtaken by our own command, and nobody can know.
const OVERTAKEN_PERCENT_MAX: u64 = 30;

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) agents: u64,
    /// How often people have changed something themselves.
    pub(super) changes: u64,
    #[serde(flatten)]
    pub(super) log: Verdict,
    /// Agents who are in step on something else than they chose last: what cannot be known, such as a choice that a command of ours
    /// overwrites before any feed shows it.
    pub(super) overtaken: u64,
    /// How often more than people have changed something the engine took what is shown for somebody's choice.
    pub(super) invented: u64,
    /// How often a process ended without being asked.
    pub(super) ended_by_themselves: u32,
    /// What an operator could not do.
    pub(super) refused_operators: u64,
    /// What of the above is not as it has to be; nothing where all is well.
    pub(super) wrong: Vec<&'static str>,
    /// Calls that CXone has refused because there were too many, by its own bucket.
    pub(super) over_budget: u64,
    /// Both platforms show the same of everybody, by what they say themselves.
    pub(super) converged: bool,
    pub(super) sync_ms: Option<Milliseconds>,
    /// The same by the platform that was set.
    pub(super) sync_ms_to: BTreeMap<&'static str, Option<Milliseconds>>,
    /// From the beginning until somebody was in step.
    pub(super) first_in_step_ms: Option<u64>,
    /// From the end of changes and faults until all were.
    pub(super) rest_ms: Option<u64>,
    pub(super) api_calls: BTreeMap<&'static str, u64>,
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) processes: Vec<Ran>,
    pub(super) seed: u64,
    pub(super) seconds: u64,
}

/// How long it took, in ms.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Milliseconds {
    p50: u32,
    p99: u32,
    max: u32,
}

/// What a process has needed.
#[derive(Debug, Serialize)]
pub(super) struct Ran {
    pub(super) name: &'static str,
    pub(super) starts: u32,
    pub(super) memory_kib_max: u64,
    /// A while after the beginning, and at the end.
    pub(super) memory_kib: (u64, u64),
    pub(super) open_files: (u64, u64),
}

impl Milliseconds {
    fn of<'t>(times: impl IntoIterator<Item = &'t Times>) -> Option<Milliseconds> {
        Times::figures(times).map(|[p50, p99, max]| Milliseconds { p50, p99, max })
    }

    /// Of both platforms together, and of each.
    pub(super) fn of_all(
        watch: &Watch,
    ) -> (Option<Milliseconds>, BTreeMap<&'static str, Option<Milliseconds>>) {
        let of = |platform: Platform| (platform.name(), Milliseconds::of([watch.times(platform)]));
        (Milliseconds::of(watch.all_times()), Platform::ALL.into_iter().map(of).collect())
    }
}

impl Ran {
    pub(super) fn new(name: &'static str, early: Needed, needed: Needed, starts: u32) -> Ran {
        Ran {
            name,
            starts,
            memory_kib_max: needed.memory_kib_max,
            memory_kib: (early.memory_kib, needed.memory_kib),
            open_files: (early.files, needed.files),
        }
    }
}

impl Summary {
    /// Says what is not as it has to be. `is_quiet` is where nothing was made to go wrong.
    pub(super) fn judged(mut self, is_quiet: bool) -> Summary {
        let overtaken_max = if is_quiet { 0 } else { self.agents * OVERTAKEN_PERCENT_MAX / 100 };
        // Who is linked anew is taken over as he is, on both sides.
        let linked_anew = self.faults.get("links removed").copied().unwrap_or(0) * 2 * UNLINKED_MAX as u64;
        self.invented = self.log.intents.saturating_sub(self.changes + linked_anew);
        self.wrong = [
            ("converged", self.converged),
            ("lost", self.log.lost == 0),
            ("loops", self.log.loops == 0),
            ("dead_letters", self.log.dead_letters == 0),
            ("diverged", self.log.diverged == 0),
            ("over_budget", self.over_budget == 0),
            ("invented", self.invented == 0),
            ("overtaken", self.overtaken <= overtaken_max),
            ("ended_by_themselves", self.ended_by_themselves == 0),
            ("refused_operators", self.refused_operators == 0),
        ]
        .into_iter()
        .filter_map(|(what, is_well)| (!is_well).then_some(what))
        .collect();
        self
    }

    /// Whether all is as it has to be.
    pub(super) const fn is_well(&self) -> bool {
        self.wrong.is_empty()
    }

    /// For people.
    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let in_step =
            if self.converged { "both platforms show the same of all of them" } else { "NOT in step" };
        writeln!(text, "{} agents, {} changes in {} s: {in_step}", self.agents, self.changes, self.seconds)?;
        let of = |name: &str, ms: &Option<Milliseconds>| match ms {
            Some(Milliseconds { p50, p99, max }) => {
                format!("  {name:<24} p50 {p50} ms, p99 {p99} ms, max {max} ms\n")
            }
            None => String::new(),
        };
        text += &of("from choice to shown", &self.sync_ms);
        for (platform, ms) in &self.sync_ms_to {
            text += &of(&format!("  shown in {platform}"), ms);
        }
        if let Some(ms) = self.first_in_step_ms {
            writeln!(text, "  {:<24} after {:.1} s", "first agent in step", ms as f64 / 1_000.0)?;
        }
        if let Some(ms) = self.rest_ms {
            writeln!(text, "  {:<24} after {:.1} s of rest", "all in step", ms as f64 / 1_000.0)?;
        }
        for (name, count) in [
            ("events", self.log.events),
            ("commands", self.log.commands),
            ("echoes", self.log.echoes),
            ("corrections", self.log.corrections),
            ("diverged", self.log.diverged),
            ("dead letters", self.log.dead_letters),
            ("lost", self.log.lost),
            ("loops", self.log.loops),
            ("overtaken choices", self.overtaken),
            ("invented choices", self.invented),
            ("calls over the budget", self.over_budget),
        ] {
            writeln!(text, "  {name:<24} {count}")?;
        }
        for (platform, calls) in &self.api_calls {
            writeln!(text, "  {:<24} {calls}", format!("calls to {platform}"))?;
        }
        for Ran { name, starts, memory_kib_max, open_files, .. } in &self.processes {
            let (mib, files) = (memory_kib_max / 1_024, open_files.1);
            writeln!(
                text,
                "  process {name:<16} {mib} MiB at most, {files} open files, started {starts} times"
            )?;
        }
        for (fault, times) in &self.faults {
            writeln!(text, "  fault {fault:?}: {times}")?;
        }
        writeln!(text, "  {:<24} {}", "hash of all states", self.log.state_hash)?;
        if !self.is_well() {
            writeln!(text, "not as it has to be: {}", self.wrong.join(", "))?;
        }
        Ok(text)
    }
}
