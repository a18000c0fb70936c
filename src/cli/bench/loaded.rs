//! A centre at work as it is on the wire: what a processor reads and writes, without the bus.

use std::borrow::Cow;
use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context;

use lockstep::codec::{
    Addressee, Buffer, Codec, Command, Commanded, DecidedAs, Decision, Event, Observation, Order, Outcome,
    Set, State, Uuid, What,
};
use lockstep::domain::{
    AccountName, AgentId, CxoneAgent, CxoneAgentId, Feed, Link, Platform, SalesforceUser, TeamId, TimeMs,
    UserId,
};
use lockstep::engine::{self, AgentState, Effects, Epoch};
use lockstep::simulate::Crowd;

/// For so many events at once states are brought near.
const AHEAD: usize = 32;

/// The rule that everybody has.
const RULE: &str = "Everybody";

/// The process that wrote the events.
const WRITER: &str = "source/cxone.emea/host-1";

/// Who an agent is, as a processor keeps it: the names of the accounts are the same for many.
#[derive(Clone, Copy)]
struct Person {
    user: UserId,
    cxone: CxoneAgentId,
    team: TeamId,
}

/// A centre, its log as bytes, and what is written.
pub(super) struct Loaded {
    crowd: Crowd,
    persons: Vec<Person>,
    codec: Codec,
    accounts: [AccountName; 2],
    log: Buffer,
    /// The agent's place, the event's bytes and its time.
    events: Vec<(u32, Range<usize>, TimeMs)>,
}

/// What was written for some events.
#[derive(Default)]
pub(super) struct Written {
    pub(super) commands: Buffer,
    pub(super) states: Buffer,
    pub(super) decisions: Buffer,
    /// Where each record of the three ends.
    pub(super) ends: [Vec<usize>; 3],
}

/// What the parts of a run took.
#[derive(Clone, Copy, Default)]
pub(super) struct Phases {
    pub(super) decode: Duration,
    pub(super) touch: Duration,
    pub(super) apply: Duration,
    pub(super) encode: Duration,
}

impl Written {
    pub(super) fn clear(&mut self) {
        self.commands.clear();
        self.states.clear();
        self.decisions.clear();
        self.ends.iter_mut().for_each(Vec::clear);
    }

    /// The records of one kind, each by itself.
    pub(super) fn records(&self, kind: usize) -> Vec<Vec<u8>> {
        let bytes = [&self.commands, &self.states, &self.decisions].map(Buffer::as_slice);
        let (Some(bytes), Some(ends)) = (bytes.get(kind), self.ends.get(kind)) else { return Vec::new() };
        let begins = std::iter::once(0).chain(ends.iter().copied());
        begins.zip(ends).filter_map(|(begin, end)| bytes.get(begin..*end)).map(<[u8]>::to_vec).collect()
    }
}

impl Loaded {
    pub(super) fn new(agents: usize, events: usize) -> anyhow::Result<Loaded> {
        let crowd = Crowd::new(agents, events, 1).context("the rules of the benchmark have mistakes")?;
        let persons = (0..agents as u32).map(person).collect::<anyhow::Result<Vec<_>>>()?;
        let mut loaded = Loaded {
            crowd,
            persons,
            codec: Codec::single_object()?,
            accounts: ["main".parse()?, "emea".parse()?],
            log: Buffer::new(),
            events: Vec::new(),
        };
        loaded.write_log()?;
        Ok(loaded)
    }

    fn write_log(&mut self) -> anyhow::Result<()> {
        for (number, (place, event)) in self.crowd.log.iter().enumerate() {
            let event = Event {
                id: Uuid(mixed(number as u128)),
                agent: Some(AgentId::from_bytes(mixed(u128::from(*place)))),
                account: None,
                written_at: event.now,
                writer: Cow::Borrowed(WRITER),
                engine_version: engine::VERSION,
                what: on_the_wire(event)?,
            };
            let begin = self.log.len();
            self.codec.encode(&event, &mut self.log)?;
            let (_, happened) = self.crowd.log.get(number).context("an event")?;
            self.events.push((*place, begin..self.log.len(), happened.now));
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn codec(&self) -> &Codec {
        &self.codec
    }

    /// The first events as bytes, each by itself.
    pub(super) fn events(&self, most: usize) -> Vec<Vec<u8>> {
        let bytes = |(_, range, _): &(u32, Range<usize>, TimeMs)| {
            self.log.as_slice().get(range.clone()).map(<[u8]>::to_vec)
        };
        self.events.iter().take(most).filter_map(bytes).collect()
    }

    pub(super) fn slab(&self) -> Vec<Option<AgentState>> {
        self.crowd.agents.clone()
    }

    /// Reads, applies and writes the whole log; `done` is called after each batch, with what it wrote.
    ///
    /// A batch is first read, then applied, then written, as a processor does: each of the three is code of its own that
    /// stays at hand, and a state is written as its last event of the batch has left it.
    pub(super) fn run(
        &self,
        slab: &mut [Option<AgentState>],
        mut done: impl FnMut(&mut Written),
    ) -> anyhow::Result<Phases> {
        let mut phases = Phases::default();
        let mut written = Written::default();
        let mut events: Vec<Event<'_>> = Vec::with_capacity(AHEAD);
        let mut effects: Vec<Effects> = Vec::with_capacity(AHEAD);
        for (number, batch) in self.events.chunks(AHEAD).enumerate() {
            events.clear();
            effects.clear();
            let begun = Instant::now();
            for (_, range, _) in batch {
                events.push(self.codec.decode(self.log.as_slice().get(range.clone()).unwrap_or_default())?);
            }
            let decoded = Instant::now();
            self.touch(slab, batch);
            let touched = Instant::now();
            for (event, (place, _, now)) in events.iter().zip(batch) {
                let happened =
                    event.for_engine(*now, None).context("an event of the workload is for an agent")?;
                let slot =
                    slab.get_mut(*place as usize).context("an event of the workload is for an agent")?;
                effects.push(engine::apply(slot, &happened, &self.crowd.tables));
            }
            let applied = Instant::now();
            for (offset, ((event, effects), (place, _, now))) in
                (number * AHEAD..).zip(events.iter().zip(&effects).zip(batch))
            {
                let place = *place as usize;
                let (slot, person) = (slab.get(place), self.persons.get(place));
                if let (Some(slot), Some(person)) = (slot, person) {
                    self.write(event, offset as i64, *now, (person, slot.as_ref()), effects, &mut written)?;
                }
            }
            phases.decode += decoded - begun;
            phases.touch += touched - decoded;
            phases.apply += applied - touched;
            phases.encode += applied.elapsed();
            done(&mut written);
            written.clear();
        }
        Ok(phases)
    }

    /// First the states and persons, then what the states point to: no question waits for another's answer.
    fn touch(&self, slab: &[Option<AgentState>], batch: &[(u32, Range<usize>, TimeMs)]) {
        let near = |(place, ..): &&(u32, Range<usize>, TimeMs)| {
            let person = self.persons.get(*place as usize).map_or(0, |person| person.cxone.get());
            slab.get(*place as usize).is_some_and(Option::is_some) && person != 0
        };
        black_box(batch.iter().filter(near).count());
        let touch = |(place, ..): &(u32, Range<usize>, TimeMs)| {
            slab.get(*place as usize)?.as_ref().map(AgentState::touch)
        };
        black_box(batch.iter().filter_map(touch).fold(0, |all, one| all ^ one));
    }

    fn write(
        &self,
        event: &Event<'_>,
        event_offset: i64,
        at: TimeMs,
        (person, state): (&Person, Option<&AgentState>),
        effects: &Effects,
        written: &mut Written,
    ) -> anyhow::Result<()> {
        let agent = event.agent.context("an event of the workload is for an agent")?;
        let [org, tenant] = self.accounts;
        let link = Link {
            salesforce: SalesforceUser { account: org, user: person.user },
            cxone: CxoneAgent { account: tenant, agent: person.cxone },
        };
        for command in [&effects.commands.salesforce, &effects.commands.cxone].into_iter().flatten() {
            let order = Order::Set(Set {
                sequence: command.sequence,
                status: command.status,
                issued: command.issued,
                correction: command.correction,
                epoch: Epoch(1),
                rule: command.row.map(|_| Cow::Borrowed(RULE)),
                row: command.row,
            });
            let to = match command.platform() {
                Platform::Salesforce => Addressee::Salesforce(link.salesforce),
                Platform::Cxone => Addressee::Cxone(link.cxone),
            };
            let command = Command { agent, to, event_offset, engine_version: engine::VERSION, order };
            self.codec.encode(&command, &mut written.commands)?;
            let [ends, ..] = &mut written.ends;
            ends.push(written.commands.len());
        }
        if let Some(remembered) = state {
            let state =
                State { link, team: Some(person.team), epoch: Epoch(1), agent: Cow::Borrowed(remembered) };
            self.codec.encode(&state, &mut written.states)?;
            let [_, ends, _] = &mut written.ends;
            ends.push(written.states.len());
        }
        let decided = effects.decision;
        let shown = match &event.what {
            What::Observation(seen) => Some(seen.status),
            _ => None,
        };
        let decision = Decision {
            agent: Some(agent),
            event: event.id,
            event_kind: event.what.kind(),
            event_offset,
            at,
            engine_version: engine::VERSION,
            epoch: Epoch(1),
            rule: Some(Cow::Borrowed(RULE)),
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
        };
        self.codec.encode(&decision, &mut written.decisions)?;
        let [.., ends] = &mut written.ends;
        ends.push(written.decisions.len());
        Ok(())
    }
}

/// An id as good as any, for agents and events.
const fn mixed(number: u128) -> [u8; 16] {
    let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    (mixed ^ (mixed >> 61)).to_be_bytes()
}

fn person(place: u32) -> anyhow::Result<Person> {
    Ok(Person {
        user: format!("0055g000{place:07}").parse()?,
        cxone: CxoneAgentId::new(100_000 + place),
        team: TeamId::new(place % 500),
    })
}

/// An event of the workload as its source would have written it.
fn on_the_wire(event: &engine::Event) -> anyhow::Result<What<'static>> {
    Ok(match event.what {
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
            detail: None,
        }),
        engine::What::WakeUp(wake_up) => What::WakeUp(wake_up),
        other => anyhow::bail!("the workload has an event that no benchmark expects: {other:?}"),
    })
}
