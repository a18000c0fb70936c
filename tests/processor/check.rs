//! The checker: it applies the log of events once more, plainly and one by one, and holds what was written to that.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lockstep::bus::Topic;
use lockstep::codec::{
    Buffer, Codec, Command, Commanded, DecidedAs, Decision, Event, Order, SnapshotChunk, State, Uuid, What,
};
use lockstep::domain::{AgentId, Link, Remedy, Team, TeamId, TimeMs};
use lockstep::engine::{self, AgentState, Effects, Epoch, Reason, Sequence};
use lockstep::rules::{Revision, Tables};
use twox_hash::XxHash3_64;

use crate::site::Site;
use crate::witness::{self, Seen};

/// What was found, for a test that wants to know that there was something to check.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) events: usize,
    pub(crate) decisions: usize,
    pub(crate) commands: usize,
    pub(crate) agents: usize,
    pub(crate) wake_ups: usize,
    pub(crate) dead_letters: usize,
    pub(crate) snapshots: usize,
}

/// An agent as the checker knows him.
struct Agent {
    link: Link,
    team: Option<TeamId>,
    epoch: Epoch,
    state: Option<AgentState>,
}

/// One partition, applied anew.
struct Replayed<'r> {
    codec: &'r Codec,
    revisions: &'r BTreeMap<Uuid, Revision>,
    agents: BTreeMap<AgentId, Agent>,
    tables: Tables,
    names: Vec<String>,
    epoch: Epoch,
    clock: TimeMs,
    decisions: Vec<Decision<'static>>,
    commands: Vec<(AgentId, u64, Option<Commanded>)>,
    dead_letters: Vec<u64>,
    wake_ups: usize,
}

/// Holds all that was written against the events that were committed as dealt with. All of them must have been.
pub(crate) fn check(site: &Site, revisions: &BTreeMap<Uuid, Revision>) -> Checked {
    let [events, decisions, salesforce, cxone, states, letters] = [
        Topic::Events,
        Topic::Decisions,
        Topic::CommandsSalesforce,
        Topic::CommandsCxone,
        Topic::State,
        Topic::DeadLetters,
    ]
    .map(|topic| witness::read_all(site, topic));
    let committed = witness::committed(site);
    let mut snapshots = snapshots(site);
    let mut checked = Checked::default();
    for (number, events) in &events {
        let mut replayed = Replayed::new(&site.codec, revisions);
        let mut due = snapshots.remove(number).unwrap_or_default();
        for seen in events {
            while due.first_key_value().is_some_and(|(offset, _)| *offset <= seen.offset) {
                let (offset, snapshot) = due.pop_first().unwrap();
                checked.snapshots += usize::from(replayed.is_as_in(*number, offset, &snapshot));
            }
            replayed.apply(seen);
        }
        for (offset, snapshot) in &due {
            checked.snapshots += usize::from(replayed.is_as_in(*number, *offset, snapshot));
        }
        let (next, noted) =
            committed.get(number).unwrap_or_else(|| panic!("partition {number} was never committed"));
        if let Some(last) = events.last() {
            assert!(*next > last.offset, "partition {number} is read to {next}, and has {}", last.offset);
        }
        same_decisions(&site.codec, *number, &replayed.decisions, &decisions[number]);
        same_commands(&site.codec, *number, &replayed.commands, [&salesforce[number], &cxone[number]]);
        let hash = replayed.same_states(*number, &states[number]);
        assert!(
            noted.contains(&format!("hash={hash:016x}")),
            "partition {number} has hash {hash:016x}, and {noted}"
        );
        assert!(noted.contains(&format!(" epoch={} ", replayed.epoch.0)) || replayed.epoch.0 == 0, "{noted}");
        let set_aside =
            letters[&0].iter().map(|seen| site.codec.decode(seen.value.as_deref().unwrap()).unwrap());
        let set_aside =
            set_aside.filter(|letter: &lockstep::codec::DeadLetter<'_>| letter.partition == *number as i32);
        let set_aside: Vec<u64> = set_aside.map(|letter| letter.offset as u64).collect();
        assert_eq!(set_aside, replayed.dead_letters, "dead letters of partition {number}");
        checked.events += events.len();
        checked.decisions += replayed.decisions.len();
        checked.commands += replayed.commands.iter().filter(|(.., commanded)| commanded.is_some()).count();
        checked.agents += replayed.agents.len();
        checked.wake_ups += replayed.wake_ups;
        checked.dead_letters += set_aside.len();
    }
    println!("{}: {checked:?}", site.plan.prefix);
    checked
}

/// A part of a snapshot: its number, how many there are, the hash of all, and states.
struct SnapshotPart {
    number: u32,
    count: u32,
    hash: u64,
    states: Vec<(AgentId, Vec<u8>)>,
}

/// The snapshots of each partition, by their offset.
fn snapshots(site: &Site) -> BTreeMap<u32, BTreeMap<u64, Vec<SnapshotPart>>> {
    let mut all: BTreeMap<u32, BTreeMap<u64, Vec<SnapshotPart>>> = BTreeMap::new();
    for seen in witness::read_all(site, Topic::Snapshots).values().flatten() {
        let part: SnapshotChunk<'_> = site.codec.decode(seen.value.as_deref().unwrap()).unwrap();
        let states = part.states.iter().map(|state| (state.agent, state.value.to_vec())).collect();
        let (number, count, hash) = (part.chunk, part.chunks, part.state_hash.0);
        let of = all.entry(part.partition as u32).or_default().entry(part.offset as u64).or_default();
        of.push(SnapshotPart { number, count, hash, states });
    }
    all
}

impl<'r> Replayed<'r> {
    /// A snapshot that is whole has just the states of now. Tells whether it is whole.
    fn is_as_in(&self, number: u32, offset: u64, parts: &[SnapshotPart]) -> bool {
        let mut states = BTreeMap::new();
        for part in 0..parts[0].count {
            let Some(part) = parts.iter().find(|one| one.number == part) else { return false };
            states.extend(part.states.iter().map(|(agent, value)| (*agent, value)));
        }
        assert_eq!(states.len(), self.agents.len(), "a snapshot of partition {number} at {offset}");
        let mut sum = 0_u64;
        for (agent, value) in states {
            let body = self.codec.body(value).unwrap();
            assert!(body == self.body(agent), "{agent} in a snapshot of partition {number} at {offset}");
            sum = sum.wrapping_add(hash(agent, body));
        }
        assert_eq!(sum, parts[0].hash, "the hash of a snapshot of partition {number} at {offset}");
        true
    }

    fn new(codec: &'r Codec, revisions: &'r BTreeMap<Uuid, Revision>) -> Replayed<'r> {
        let nothing = Revision {
            rules: Vec::new(),
            vocabulary: lockstep::directory::Vocabulary::default(),
            settings: lockstep::rules::Settings::default(),
        };
        Replayed {
            codec,
            revisions,
            agents: BTreeMap::new(),
            tables: Tables::compile(&nothing),
            names: Vec::new(),
            epoch: Epoch(0),
            clock: TimeMs::from_unix_ms(0),
            decisions: Vec::new(),
            commands: Vec::new(),
            dead_letters: Vec::new(),
            wake_ups: 0,
        }
    }

    fn apply(&mut self, seen: &Seen) {
        self.clock = self.clock.max(TimeMs::from_unix_ms(seen.at_ms));
        let event: Event<'_> = match self.codec.decode(seen.value.as_deref().unwrap_or_default()) {
            Ok(event) => event,
            Err(error) => {
                assert_eq!(error.remedy(), Remedy::Reject, "{error}");
                return self.dead_letters.push(seen.offset);
            }
        };
        self.wake_ups += usize::from(matches!(event.what, What::WakeUp(_)));
        let Some(agent) = event.agent else { return self.apply_to_all(&event, seen) };
        if seen.key != agent.to_string().as_bytes() {
            return self.dead_letters.push(seen.offset);
        }
        let known = self.agents.get(&agent).map(|known| (known.link, known.team));
        let of =
            |link: &Link, team: Option<TeamId>| team.map(|team| Team { account: link.cxone.account, team });
        let assignment = match (&event.what, known) {
            (What::Linked(linked), _) => {
                self.tables.assignment(agent, &linked.link, of(&linked.link, linked.team))
            }
            (What::TeamMoved(moved), Some((link, _))) => {
                self.tables.assignment(agent, &link, of(&link, moved.team))
            }
            _ => None,
        };
        let mut slot = self.agents.get_mut(&agent).and_then(|known| known.state.take());
        let before = slot.as_ref().and_then(AgentState::assignment);
        let mut happened = event.for_engine(self.clock, assignment).unwrap();
        if let (engine::What::Outcome(outcome), What::Outcome(told)) = (&mut happened.what, &event.what) {
            let issued = slot.as_ref().and_then(|state| state.command_issued(told.sequence));
            if issued != Some(told.issued) {
                outcome.command = Sequence::NONE;
            }
        }
        let effects = engine::apply(&mut slot, &happened, &self.tables);
        let decided_by = slot.as_ref().map_or(before, AgentState::assignment);
        match (&event.what, slot) {
            (_, None) => {
                self.agents.remove(&agent);
            }
            (What::Linked(linked), state) if known.is_none() => {
                let (link, team, epoch) = (linked.link, linked.team, self.epoch);
                self.agents.insert(agent, Agent { link, team, epoch, state });
            }
            (what, state) => {
                let known = self.agents.get_mut(&agent).unwrap();
                (known.state, known.epoch) = (state, self.epoch);
                if let What::TeamMoved(moved) = what {
                    known.team = moved.team;
                }
            }
        }
        self.decide(&event, seen, Some(agent), Some((&effects, decided_by)));
    }

    fn apply_to_all(&mut self, event: &Event<'_>, seen: &Seen) {
        let What::Activated(activated) = &event.what else { return self.decide(event, seen, None, None) };
        if activated.epoch <= self.epoch {
            return self.decide(event, seen, None, None);
        }
        let revision = self.revisions.get(&activated.revision).expect("a revision that the test knows");
        self.epoch = activated.epoch;
        self.tables = Tables::compile(revision);
        self.names = revision.rules.iter().map(|rule| rule.name.clone()).collect();
        self.decide(event, seen, None, None);
        for agent in self.agents.keys().copied().collect::<Vec<_>>() {
            let written = self.body(agent);
            let known = self.agents.get_mut(&agent).unwrap();
            let team = known.team.map(|team| Team { account: known.link.cxone.account, team });
            let assignment = self.tables.assignment(agent, &known.link, team);
            let what = engine::What::Activated { assignment };
            let effects =
                engine::apply(&mut known.state, &engine::Event { now: self.clock, what }, &self.tables);
            let is_commanded = effects.commands.salesforce.is_some() || effects.commands.cxone.is_some();
            if effects.decision.retargeted || is_commanded {
                self.decide(event, seen, Some(agent), Some((&effects, assignment)));
            }
            if self.body(agent) != written {
                self.agents.get_mut(&agent).unwrap().epoch = self.epoch;
            }
        }
    }

    /// The Avro body of an agent's state.
    fn body(&self, agent: AgentId) -> Vec<u8> {
        let Agent { link, team, epoch, state } = &self.agents[&agent];
        let agent = Cow::Borrowed(state.as_ref().unwrap());
        let mut buffer = Buffer::new();
        let state = State { link: *link, team: *team, epoch: *epoch, agent };
        let framing = self.codec.encode(&state, &mut buffer).unwrap();
        buffer.as_slice()[framing..].to_vec()
    }

    fn decide(
        &mut self,
        event: &Event<'_>,
        seen: &Seen,
        agent: Option<AgentId>,
        engine: Option<(&Effects, Option<lockstep::rules::Assignment>)>,
    ) {
        let decided = engine.map(|(effects, _)| effects.decision);
        let rule = engine.and_then(|(_, assignment)| self.names.get(self.tables.rule(assignment?)));
        let shown = match &event.what {
            What::Observation(observation) => Some(observation.status),
            _ => None,
        };
        let reason = match (&decided, &event.what) {
            (Some(decided), _) => DecidedAs::Engine(decided.reason),
            (None, What::Activated(activated)) if activated.epoch == self.epoch => {
                DecidedAs::Engine(Reason::Activated)
            }
            (None, What::EngineVersion(_)) => DecidedAs::EngineVersion,
            (None, What::PlatformHeld(_)) => DecidedAs::PlatformHeld,
            (None, What::PlatformResumed(_)) => DecidedAs::PlatformResumed,
            (None, _) => DecidedAs::SupersededActivation,
        };
        let commanded = |platform| {
            let (effects, _) = engine?;
            effects.commands.of(platform).as_ref().map(Commanded::from)
        };
        let (to_salesforce, to_cxone) =
            (commanded(lockstep::domain::Platform::Salesforce), commanded(lockstep::domain::Platform::Cxone));
        let gone = engine.is_some_and(|(effects, _)| effects.gone);
        for order in [to_salesforce, to_cxone] {
            if let (Some(agent), true) = (agent, order.is_some() || gone) {
                self.commands.push((agent, seen.offset, order));
            }
        }
        self.decisions.push(Decision {
            agent,
            event: event.id,
            event_kind: event.what.kind(),
            event_offset: seen.offset as i64,
            at: self.clock,
            engine_version: engine::VERSION,
            epoch: self.epoch,
            rule: rule.map(|rule| Cow::Owned(rule.clone())),
            reason,
            salesforce_shown: shown.and_then(|status| status.salesforce()),
            cxone_shown: shown.and_then(|status| status.cxone()),
            new_intent: decided.is_some_and(|decided| decided.new_intent),
            retargeted: decided.is_some_and(|decided| decided.retargeted),
            taken_back: decided.is_some_and(|decided| decided.taken_back),
            flapping: decided.is_some_and(|decided| decided.flapping),
            salesforce_given_up: decided.and_then(|decided| decided.diverged.salesforce),
            cxone_given_up: decided.and_then(|decided| decided.diverged.cxone),
            to_salesforce,
            to_cxone,
            gone,
        });
    }

    /// The last record of each agent's state is what it should be; tells the sum of their hashes.
    fn same_states(&self, number: u32, seen: &[Seen]) -> u64 {
        let mut last: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
        for seen in seen {
            match &seen.value {
                Some(value) => last.insert(&seen.key, value),
                None => last.remove(&*seen.key),
            };
        }
        assert_eq!(last.len(), self.agents.len(), "states of partition {number}");
        let mut sum = 0_u64;
        for agent in self.agents.keys() {
            let written = self.codec.body(last[agent.to_string().as_bytes()]).unwrap();
            let body = self.body(*agent);
            assert!(body == written, "the state of {agent} in partition {number} is another one");
            sum = sum.wrapping_add(hash(*agent, written));
        }
        sum
    }
}

/// What an agent adds to the hash of his partition.
pub(crate) fn hash(agent: AgentId, body: &[u8]) -> u64 {
    let (high, low) = agent.as_bytes().split_at(8);
    let half = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    XxHash3_64::oneshot_with_seed(half(high) ^ half(low), body)
}

/// The decisions of a partition by agent, in their order.
fn by_agent<'d, 'b>(
    decisions: impl Iterator<Item = &'d Decision<'b>>,
) -> BTreeMap<Option<AgentId>, Vec<&'d Decision<'b>>>
where
    'b: 'd,
{
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    decisions.for_each(|decision| all.entry(decision.agent).or_default().push(decision));
    all
}

fn same_decisions(codec: &Codec, number: u32, expected: &[Decision<'_>], seen: &[Seen]) {
    let found: Vec<Decision<'_>> =
        seen.iter().map(|seen| codec.decode(seen.value.as_deref().unwrap()).unwrap()).collect();
    let (expected, found) = (by_agent(expected.iter()), by_agent(found.iter()));
    assert_eq!(
        expected.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>(),
        "who was decided for in partition {number}"
    );
    for (agent, expected) in &expected {
        for (expected, found) in expected.iter().zip(&found[agent]) {
            assert_eq!(expected, found, "a decision for {agent:?} in partition {number}");
        }
        assert_eq!(expected.len(), found[agent].len(), "decisions for {agent:?} in partition {number}");
    }
}

fn same_commands(
    codec: &Codec,
    number: u32,
    expected: &[(AgentId, u64, Option<Commanded>)],
    seen: [&Vec<Seen>; 2],
) {
    let mut found = Vec::new();
    for seen in seen.into_iter().flatten() {
        let command: Command<'_> = codec.decode(seen.value.as_deref().unwrap()).unwrap();
        let commanded = match command.order {
            Order::Set(set) => Some(Commanded {
                sequence: set.sequence,
                status: set.status,
                correction: set.correction,
                row: set.row,
            }),
            Order::Void => None,
        };
        found.push((command.agent, command.event_offset as u64, commanded));
    }
    let key = |one: &(AgentId, u64, Option<Commanded>)| (one.0, one.1, one.2.map(|set| set.sequence));
    let mut expected = expected.to_vec();
    expected.sort_by_key(key);
    found.sort_by_key(key);
    assert_eq!(expected, found, "commands of partition {number}");
}
