//! The end of a demo: both sides come to rest, Lockstep is stopped, and what came of it is judged.

use std::thread;
use std::time::{Duration, Instant};

use lockstep::bus::Topic;
use lockstep::codec::Codec;

use super::judge::{self, Verdict};
use super::processes::Needed;
use super::running::Running;
use super::summary::{Milliseconds, Ran, Summary};
use super::{Kafka, Keeper};
use crate::cli::bench::own;
use crate::cli::output;

/// Both sides have so long to come to rest.
const REST_WITHIN: Duration = Duration::from_secs(180);
/// They are at rest when nothing has changed for so long.
const QUIET: Duration = Duration::from_secs(4);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// So many of those who are not in step are named.
const NAMED_MAX: usize = 10;

impl Running {
    /// Lets both sides come to rest, stops Lockstep, and judges.
    pub(super) fn rest(mut self, lasted: Duration) -> anyhow::Result<Summary> {
        self.say("people stop, and whatever was wrong is mended; both sides come to rest".to_owned());
        for turn in self.schedule.rest() {
            self.turn(turn)?;
        }
        self.end_all()?;
        self.all_come();
        let rest_ms = self.come_to_rest()?;
        let apart = judge::apart(&self.platforms)?;
        let converged = rest_ms.is_some() && apart.is_empty();
        // Sinks have made their last call.
        let over_budget = self.platforms.floor.called().too_many;
        self.processes.look();
        self.trouble.stop_operating();
        let stopped = if self.times_asked() > 1 { Err(at_once()) } else { self.processes.stop() };
        self.live.end();
        if let Err(error) = stopped {
            self.processes.kill();
            return Err(error);
        }
        let refused_operators = self.trouble.refused() + self.trouble.failed().len() as u64;
        let (sync_ms, sync_ms_to) = Milliseconds::of_all(&self.watch);
        let nothing = Needed::default();
        let early = |place: usize| self.early.get(place).copied().unwrap_or(nothing);
        let ran = |(place, (name, needed, starts))| Ran::new(name, early(place), needed, starts);
        let summary = Summary {
            agents: self.platforms.people.len() as u64,
            changes: self.watch.changes(),
            log: self.judged()?,
            overtaken: self.watch.overtaken() as u64,
            invented: 0,
            ended_by_themselves: self.processes.ended_by_themselves(),
            refused_operators,
            wrong: Vec::new(),
            over_budget,
            converged,
            sync_ms,
            sync_ms_to,
            first_in_step_ms: self.first_in_step.map(|after| after.as_millis() as u64),
            rest_ms: rest_ms.map(|after| after.as_millis() as u64),
            api_calls: self.calls().into_iter().map(|(platform, calls)| (platform.name(), calls)).collect(),
            faults: self.trouble.counts().iter().map(|(kind, times)| (kind.name(), *times)).collect(),
            processes: self.processes.needed().enumerate().map(ran).collect(),
            seed: self.seed,
            seconds: lasted.as_secs(),
        };
        let is_quiet = self.is_quiet && self.trouble.counts().is_empty();
        let summary = summary.judged(is_quiet);
        self.tell(&summary, &apart);
        Ok(summary)
    }

    /// What somebody has begun with a key ends, too.
    fn end_all(&mut self) -> anyhow::Result<()> {
        let lasting: Vec<_> = super::faults::ALL.iter().map(|fault| fault.kind).collect();
        for kind in lasting.into_iter().filter(|kind| kind.lasts()) {
            if self.trouble.is_on(kind) {
                self.turn(super::faults::Turn::Ends(kind))?;
            }
        }
        Ok(())
    }

    /// Waits until all show the same and nothing changes. Tells how long it took; none where it did not come to that.
    fn come_to_rest(&mut self) -> anyhow::Result<Option<Duration>> {
        let (begun, asked) = (Instant::now(), self.times_asked());
        let mut quiet: Option<(Instant, u64)> = None;
        loop {
            self.go_on(self.since_opened())?;
            let commands = self.decisions.with(|decided| decided.commands);
            let is_quiet = self.is_in_step() && !self.trouble.is_operated();
            quiet = match quiet {
                Some((since, before)) if is_quiet && before == commands => Some((since, before)),
                _ if is_quiet => Some((Instant::now(), commands)),
                _ => None,
            };
            if let Some((since, _)) = quiet.filter(|(since, _)| since.elapsed() >= QUIET) {
                return Ok(Some(since - begun));
            }
            if self.times_asked() > asked.max(1) {
                return Err(at_once());
            }
            if begun.elapsed() >= REST_WITHIN {
                return Ok(None);
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// What the log says, in which nobody writes any more.
    fn judged(&self) -> anyhow::Result<Verdict> {
        let bus = self.deployment.own_bus()?;
        judge::judge(&bus, &Codec::single_object()?, &self.plan)
    }

    /// Names who is not in step, and where to look; and takes away what nobody has to look at.
    fn tell(&mut self, summary: &Summary, apart: &[(u32, String, String)]) {
        for (number, salesforce, cxone) in apart.iter().take(NAMED_MAX) {
            output::aside(&format!(
                "not in step: agent {number} shows {salesforce} in Salesforce, {cxone} in CXone\n"
            ));
        }
        if apart.len() > NAMED_MAX {
            output::aside(&format!("and {} more\n", apart.len() - NAMED_MAX));
        }
        let is_kept = !summary.is_well() || self.site.is_not_needed();
        let Keeper::Kafka(Kafka { servers, prefix, .. }) = &self.keeper else { return };
        if is_kept {
            output::aside(&format!("the topics {prefix}.* are kept, too\n"));
            return;
        }
        let names: Vec<_> = Topic::ALL.iter().map(|topic| self.plan.name(*topic)).collect();
        if let Err(error) = own::delete_topics(&Kafka::connection(servers, prefix).common(), &names) {
            output::aside(&format!("the topics {prefix}.* could not be deleted: {error:#}\n"));
        }
    }
}

fn at_once() -> anyhow::Error {
    anyhow::anyhow!("ended at once, as asked: nothing was judged")
}
