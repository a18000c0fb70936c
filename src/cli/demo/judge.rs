//! Whether all is well in the end: by what both platforms show over their own endpoints, and by what is in the log.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Context;
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use lockstep::bus::{AnyBus, Bus, From, Reader, Record, Records, Topic, TopicsPlan, Until};
use lockstep::codec::{Codec, DecidedAs, Decision, Event, State, What};
use lockstep::domain::{AgentId, Platform, Status, TimeMs};
use lockstep::engine::{Reason, Standing};
use lockstep::processor;

use super::choices::CHOICES;
use super::platforms::Platforms;

const WAIT: Duration = Duration::from_millis(100);
/// A command that has lapsed is repeated so often at most (I2).
const CORRECTIONS_MAX: u32 = 3;
/// Within a flap window there are so many commands for one agent at most, one that holds all among them.
const COMMANDS_MAX: usize = 11;
const FLAP_WINDOW_MS: i64 = 60_000;
/// So many of them may follow from what we did ourselves: outcomes, echoes, and timers that are due.
const OURS_MAX: usize = 6;

/// Who shows different things, by his number, with what.
pub(super) fn apart(platforms: &Platforms) -> anyhow::Result<Vec<(u32, String, String)>> {
    let users = platforms.control(Platform::Salesforce, Method::GET, "/users", None)?;
    let agents = platforms.control(Platform::Cxone, Method::GET, "/agents", None)?;
    let salesforce: HashMap<&str, &str> = entries(&users)
        .filter_map(|user| {
            Some((user["id"].as_str()?.get(..15)?, user["developerName"].as_str().unwrap_or("Offline")))
        })
        .collect();
    let cxone: HashMap<u64, &Value> =
        entries(&agents).filter_map(|agent| Some((agent["agentId"].as_u64()?, agent))).collect();
    let mut all = Vec::new();
    for person in &platforms.people {
        let user = person.user.to_string();
        let shown =
            salesforce.get(user.as_str()).context("a user of the simulated org is not there any more")?;
        let agent =
            cxone.get(&u64::from(person.number)).context("an agent of the simulated tenant is gone")?;
        let (state, code) =
            (agent["agentStateId"].as_u64(), agent["outStateId"].as_i64().filter(|code| *code != 0));
        let fits = CHOICES.iter().any(|choice| {
            let wanted = (Some(u64::from(choice.cxone.state)), choice.cxone.out_state.map(i64::from));
            choice.salesforce == *shown && wanted == (state, code)
        });
        if !fits {
            all.push((person.number, (*shown).to_owned(), format!("state {state:?}, code {code:?}")));
        }
    }
    Ok(all)
}

fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What the log says in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    pub(super) events: u64,
    pub(super) commands: u64,
    pub(super) echoes: u64,
    pub(super) corrections: u64,
    /// Agents of whom a platform was given up on, and is still.
    pub(super) diverged: u64,
    pub(super) dead_letters: u64,
    /// Events that were not decided, or twice.
    pub(super) lost: u64,
    /// Events that came when nobody decided any more: gateways tell in the end who is gone.
    pub(super) waiting: u64,
    /// Agents for whom commands went on without a cause: more of them, or more corrections, than may be.
    pub(super) loops: u64,
    /// How often what somebody shows became his intent: never more often than people have changed something.
    #[serde(skip)]
    pub(super) intents: u64,
    /// The sum of the hashes of all states; they are those that were committed.
    pub(super) state_hash: String,
}

/// What is known of the commands for an agent.
#[derive(Default)]
struct Commanded {
    /// When there were some, those of the last minute, and whether they followed from what we did ourselves.
    recent: Vec<(TimeMs, bool)>,
    /// Corrections to a platform with nothing else between them.
    corrections: [(Option<Status>, u32); 2],
    is_looping: bool,
}

impl Commanded {
    fn decide(&mut self, decision: &Decision<'_>) {
        let DecidedAs::Engine(reason) = decision.reason else { return };
        // Whatever comes from outside forgets how often it was tried.
        let is_ours = matches!(
            reason,
            Reason::Echo
                | Reason::Outcome(_)
                | Reason::DuplicateOutcome
                | Reason::Due(_)
                | Reason::StaleWakeUp
                | Reason::EarlyWakeUp
        );
        if !is_ours || decision.retargeted {
            self.corrections = Default::default();
        }
        if matches!(reason, Reason::Linked) {
            self.recent.clear();
        }
        for (place, commanded) in [decision.to_salesforce, decision.to_cxone].into_iter().enumerate() {
            let (Some(commanded), Some((status, count))) = (commanded, self.corrections.get_mut(place))
            else {
                continue;
            };
            *count = match (commanded.correction, *status == Some(commanded.status)) {
                (true, true) => *count + 1,
                (true, false) => 1,
                (false, _) => 0,
            };
            *status = Some(commanded.status);
            self.is_looping |= *count > CORRECTIONS_MAX;
            self.recent.retain(|(at, _)| decision.at.since(*at).as_ms() < FLAP_WINDOW_MS);
            self.recent.push((decision.at, is_ours));
        }
        let ours = self.recent.iter().filter(|(_, is_ours)| *is_ours).count();
        self.is_looping |= self.recent.len() > COMMANDS_MAX + 1 || ours > OURS_MAX;
    }
}

/// Reads the whole log of a deployment in which nobody works any more.
pub(super) fn judge(bus: &AnyBus, codec: &Codec, plan: &TopicsPlan) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::default();
    let states = processor::states(bus, codec, plan)?;
    states.iter().try_for_each(|states| states.check(plan))?;
    let mut decided = vec![Vec::<u8>::new(); plan.partitions as usize];
    let mut agents: BTreeMap<AgentId, Commanded> = BTreeMap::new();
    each(bus, plan, Topic::Decisions, |record| {
        let Some(value) = record.value else { return Ok(()) };
        let decision: Decision<'_> = codec.decode(value)?;
        let commands = [decision.to_salesforce, decision.to_cxone];
        verdict.commands += commands.iter().flatten().count() as u64;
        verdict.corrections += commands.iter().flatten().filter(|one| one.correction).count() as u64;
        verdict.echoes += u64::from(decision.reason == DecidedAs::Engine(Reason::Echo));
        verdict.intents += u64::from(decision.new_intent);
        if let Some(times) = decided.get_mut(record.partition.0 as usize) {
            let place = usize::try_from(decision.event_offset).context("an offset")?;
            times.resize(times.len().max(place + 1), 0);
            times.get_mut(place).into_iter().for_each(|times| *times = times.saturating_add(1));
        }
        if let Some(agent) = decision.agent {
            agents.entry(agent).or_default().decide(&decision);
        }
        Ok(())
    })?;
    verdict.loops = agents.values().filter(|agent| agent.is_looping).count() as u64;
    each(bus, plan, Topic::DeadLetters, |_| {
        verdict.dead_letters += 1;
        Ok(())
    })?;
    each(bus, plan, Topic::Events, |record| {
        let Some(value) = record.value else { return Ok(()) };
        let event: Event<'_> = codec.decode(value)?;
        verdict.events += 1;
        let times =
            decided.get(record.partition.0 as usize).and_then(|all| all.get(record.offset.0 as usize));
        let times = times.copied().unwrap_or(0);
        // One for all is decided for the partition, and for everybody whose target it changes.
        let is_for_all = event.agent.is_none() || matches!(event.what, What::Activated(_));
        let fits = if is_for_all { times >= 1 } else { times == 1 };
        let next = states.get(record.partition.0 as usize).and_then(|states| states.next);
        // Gateways tell in the end who is gone, when nobody decides any more.
        let may_wait = matches!(event.what, What::Disconnected(_));
        if may_wait && next.is_none_or(|next| record.offset >= next) {
            verdict.waiting += 1;
        } else {
            verdict.lost += u64::from(!fits);
        }
        Ok(())
    })?;
    verdict.diverged = diverged(bus, codec, plan)?;
    let hash = states.iter().fold(0_u64, |all, states| all.wrapping_add(states.found.0));
    verdict.state_hash = format!("{hash:016x}");
    Ok(verdict)
}

/// Of how many agents a platform is given up on.
fn diverged(bus: &AnyBus, codec: &Codec, plan: &TopicsPlan) -> anyhow::Result<u64> {
    let mut last: HashMap<Vec<u8>, bool> = HashMap::new();
    each(bus, plan, Topic::State, |record| {
        let state: Option<State<'_>> = record.value.map(|value| codec.decode(value)).transpose()?;
        let is_diverged = state.is_some_and(|state| {
            state.agent.standings().iter().any(|(_, standing)| *standing == Standing::Diverged)
        });
        last.insert(record.key.unwrap_or_default().to_vec(), is_diverged);
        Ok(())
    })?;
    Ok(last.values().filter(|is_diverged| **is_diverged).count() as u64)
}

/// Looks at each record of a topic.
fn each(
    bus: &AnyBus,
    plan: &TopicsPlan,
    topic: Topic,
    mut look: impl FnMut(&Record<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let spec = plan.spec(topic);
    let starts: Vec<_> =
        (0..spec.partitions).map(|number| (spec.name.partition(number), From::Beginning)).collect();
    let mut reader = bus.reader(&starts, Until::End)?;
    loop {
        let records = reader.read(WAIT)?;
        for record in records.iter() {
            look(&record).with_context(|| format!("reading {}", spec.name))?;
        }
        if records.is_empty() && reader.is_at_end() {
            return Ok(());
        }
    }
}
