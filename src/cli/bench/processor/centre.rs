//! A centre of a benchmark's own: its topics, its rules, and what happens to its agents.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;

use lockstep::bus::{AnyBus, Bus, From, Partition, Reader, Records, Topic, TopicName, TopicsPlan, Until};
use lockstep::codec::{Codec, Connection as Browser, Event, Linked, Observation, Outcome, Uuid, What};
use lockstep::connectors::http::now;
use lockstep::control::Control;
use lockstep::domain::{
    AgentId, Cause, CxoneStatus, DurationMs, Feed, Link, OutStateId, Platform, RowId, SalesforceStatus,
    Status, TeamId, TimeMs,
};
use lockstep::engine::{self, Epoch, Sequence, Verdict};
use lockstep::simulate::Crowd;

use super::in_a_process;
use super::job::{Job, Until as JobUntil};
use crate::cli::bench::log::{Log, TRANSACTION, operator, person};
use crate::cli::bench::own;
use crate::cli::deployment::{Configured, Deployment};

const WRITER: &str = "source/bench/host-1";
/// So many statuses the rules of the crowd have.
const STATUSES: u32 = 20;

/// Its topics go with it.
pub(super) struct Centre {
    configured: Configured,
    deployment: Deployment,
    /// None while the process that is measured has the directory to itself.
    open: Option<Open>,
    pub(super) codec: Codec,
    pub(super) plan: TopicsPlan,
    pub(super) agents: Vec<(AgentId, Link)>,
    written: usize,
    /// Rounds that were made.
    round: u32,
    events: u64,
}

/// The bus, and who writes the log.
struct Open {
    log: Log,
    bus: AnyBus,
}

impl Centre {
    pub(super) fn new(configured: &Configured, partitions: u32, agents: u32) -> anyhow::Result<Centre> {
        let deployment = own::deployment(configured)?;
        let plan = TopicsPlan { partitions, ..deployment.topics() };
        deployment.bus()?.create(&plan.specs())?;
        let agents = (0..agents).map(person).collect::<anyhow::Result<Vec<_>>>()?;
        let configured = Configured { config: configured.config.clone(), data: deployment.data.clone() };
        let mut centre = Centre {
            configured,
            deployment,
            open: None,
            codec: Codec::single_object()?,
            plan,
            agents,
            written: 0,
            round: 0,
            events: 0,
        };
        centre.activate(false)?;
        Ok(centre)
    }

    fn open(&mut self) -> anyhow::Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let bus = self.deployment.bus()?;
                Open { log: Log::begin(&bus, &self.plan, Topic::Events)?, bus }
            }
        };
        Ok(self.open.insert(open))
    }

    /// The bus; of a directory that a processor has to itself, by way of him.
    pub(super) fn bus(&mut self) -> anyhow::Result<&AnyBus> {
        Ok(&self.open()?.bus)
    }

    /// Puts rules into force by which everybody has another target; in turn these and those from before.
    pub(super) fn activate(&mut self, is_other: bool) -> anyhow::Result<()> {
        let revision = if is_other { Crowd::other_revision() } else { Crowd::revision() };
        let revision = revision.context("the rules of the benchmark have mistakes")?;
        self.open()?;
        let bus = &self.open.as_ref().context("a bus that was opened")?.bus;
        let mut control = Control::begin(bus, &self.codec, &self.plan)?;
        let (saved, _) = control.save(&revision, &operator())?;
        control.activate(&saved, &operator())?;
        Ok(())
    }

    /// What a directory takes on its disk.
    pub(super) fn disk_bytes(&self) -> Option<u64> {
        own::disk_bytes(&self.deployment)
    }

    /// What a process is to do, for whom a directory is set free.
    pub(super) fn job(&mut self, commit_ms: u16, until: JobUntil) -> Job {
        if self.deployment.data.is_some() {
            self.open = None;
        }
        Job {
            config: self.configured.config.clone(),
            data: self.configured.data.clone(),
            prefix: self.plan.prefix.clone(),
            partitions: self.plan.partitions,
            commit_ms,
            until,
            started_ms: now().as_unix_ms(),
        }
    }

    /// Everybody is linked and seen on both platforms, and a processor has taken note of it.
    pub(super) fn begin(&mut self, core: Option<u32>) -> anyhow::Result<()> {
        for place in 0..self.agents.len() {
            let (_, link) = self.agent(place)?;
            let linked = Linked { link, team: Some(TeamId::new(1)), operator: operator() };
            self.put(place, What::Linked(linked))?;
            let browser = Browser { gateway: Cow::Borrowed("gateway-1"), epoch: Epoch(1) };
            self.put(place, What::Connected(browser))?;
            let number = place as u32 % STATUSES;
            self.put(place, seen(cxone(number), None, Cause::Unknown))?;
            self.put(place, seen(salesforce(number)?, row(place as u32), Cause::Unknown))?;
        }
        self.commit()?;
        // The activation is in every partition.
        let events = self.events + u64::from(self.plan.partitions);
        in_a_process(&self.job(100, JobUntil::Events(events)), core)?;
        self.events = 0;
        Ok(())
    }

    /// Each agent chooses so often, his command is accepted, and is seen to have worked. Tells how many events that is.
    pub(super) fn rounds(&mut self, rounds: u32) -> anyhow::Result<u64> {
        for _ in 0..rounds {
            self.round += 1;
            let round = self.round;
            let starts = self.ends()?;
            for place in 0..self.agents.len() {
                self.put(place, self.choice(place, round)?)?;
            }
            self.commit()?;
            // A command is issued when the log takes the choice: the outcome has to name that time.
            let issued = self.read_times(&starts)?;
            let platform = if round % 2 == 1 { Platform::Cxone } else { Platform::Salesforce };
            for (place, issued) in issued.into_iter().enumerate() {
                let outcome = Outcome {
                    platform,
                    sequence: Sequence(round),
                    issued,
                    verdict: Verdict::Accepted,
                    detail: None,
                };
                self.put(place, What::Outcome(outcome))?;
                let number = status_of(place, round);
                let echo = match platform {
                    Platform::Cxone => seen(cxone(number), None, Cause::Unknown),
                    Platform::Salesforce => {
                        let row = row(round * self.agents.len() as u32 + place as u32);
                        seen(salesforce(number)?, row, Cause::Unknown)
                    }
                };
                self.put(place, echo)?;
            }
            self.commit()?;
        }
        Ok(std::mem::take(&mut self.events))
    }

    /// A choice, in turn on one platform and the other.
    pub(super) fn choice(&self, place: usize, round: u32) -> anyhow::Result<What<'static>> {
        let number = status_of(place, round);
        Ok(if round % 2 == 1 {
            let row = row(round * self.agents.len() as u32 + place as u32);
            seen(salesforce(number)?, row, Cause::Agent)
        } else {
            seen(cxone(number), None, Cause::Unknown)
        })
    }

    fn agent(&self, place: usize) -> anyhow::Result<(AgentId, Link)> {
        self.agents.get(place).copied().context("an agent of the benchmark")
    }

    /// Adds an event; its id tells the place of its agent.
    fn put(&mut self, place: usize, what: What<'_>) -> anyhow::Result<()> {
        let (agent, _) = self.agent(place)?;
        let id = Uuid((u128::from(self.round) << 64 | place as u128).to_be_bytes());
        self.add(agent, id, what)?;
        if self.written == TRANSACTION {
            self.commit()?;
        }
        Ok(())
    }

    /// Adds an event to the transaction.
    pub(super) fn add(&mut self, agent: AgentId, id: Uuid, what: What<'_>) -> anyhow::Result<()> {
        let event = Event {
            id,
            agent: Some(agent),
            account: None,
            written_at: now(),
            writer: Cow::Borrowed(WRITER),
            engine_version: engine::VERSION,
            what,
        };
        self.open()?.log.add(agent, &event)?;
        self.written += 1;
        self.events += 1;
        Ok(())
    }

    pub(super) fn commit(&mut self) -> anyhow::Result<()> {
        self.written = 0;
        self.open()?.log.commit()
    }

    /// Where each partition of the log ends.
    fn ends(&mut self) -> anyhow::Result<Vec<From>> {
        let (events, partitions) = (self.plan.name(Topic::Events), self.plan.partitions);
        let bus = self.bus()?;
        let end = |partition| Ok(From::Offset(bus.bounds(&events.partition(partition))?.end));
        (0..partitions).map(end).collect()
    }

    /// The time of each agent's event since then, as a processor's clock has it.
    fn read_times(&mut self, starts: &[From]) -> anyhow::Result<Vec<TimeMs>> {
        let events = self.plan.name(Topic::Events);
        let places: Vec<_> =
            (0..).zip(starts).map(|(partition, from)| (events.partition(partition), *from)).collect();
        let mut reader = self.bus()?.reader(&places, Until::End)?;
        let mut times = vec![TimeMs::ZERO; self.agents.len()];
        let mut clocks: BTreeMap<Partition, TimeMs> = BTreeMap::new();
        loop {
            let records = reader.read(Duration::from_millis(100))?;
            for record in records.iter() {
                let at = record.appended_at.context("an append time")?;
                let clock = clocks.entry(record.partition).or_insert(at);
                *clock = (*clock).max(at);
                let event: Event<'_> = self.codec.decode(record.value.unwrap_or_default())?;
                let place = u128::from_be_bytes(event.id.0) as u64 as usize;
                if let Some(time) = times.get_mut(place) {
                    *time = *clock;
                }
            }
            if records.is_empty() && reader.is_at_end() {
                return Ok(times);
            }
        }
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.open = None;
        let topics: Vec<TopicName> = Topic::ALL.into_iter().map(|topic| self.plan.name(topic)).collect();
        own::delete(&self.deployment, &topics);
    }
}

/// Another status in every round.
const fn status_of(place: usize, round: u32) -> u32 {
    (place as u32 % STATUSES + round) % STATUSES
}

fn salesforce(number: u32) -> anyhow::Result<Status> {
    let id = format!("0N55g00000{:05}", number + 1).parse()?;
    Ok(Status::Salesforce(SalesforceStatus::Presence(id)))
}

fn cxone(number: u32) -> Status {
    Status::Cxone(CxoneStatus::Code(OutStateId::new(1_001 + number)))
}

fn row(number: u32) -> Option<RowId> {
    format!("0Ps5g{number:010}").parse().ok()
}

fn seen(status: Status, row: Option<RowId>, cause: Cause) -> What<'static> {
    What::Observation(Observation {
        status,
        since_raw: now(),
        offset: DurationMs::ZERO,
        row,
        cause,
        asked: None,
        found_by: Feed::Poll,
    })
}
